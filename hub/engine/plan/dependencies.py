"""The tables that a plan depends on, for live queries, and the plans of the rows behind keys that resolvers return."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from hub.engine.catalog.catalog import CatalogEntity
from hub.engine.plan.nodes import ConnectionPlan, Plan, ResolverTree, RowById
from hub.engine.plan.parameters import Parameter
from hub.engine.plan.predicates import Join, Predicate


@dataclass(frozen=True, slots=True)
class TableDependencies:
    """The tables of which any row matters, and those of which only the rows of the selected customer do."""

    any_row: frozenset[str]
    customer_rows: frozenset[str]
    # Those that decide which rows the viewer sees, beside the rows themselves: any row of theirs matters to every viewer.
    visibility: frozenset[str] = frozenset()

    @property
    def tables(self) -> frozenset[str]:
        """All of them."""
        return self.any_row | self.customer_rows | self.visibility


def table_dependencies(plan: Plan) -> TableDependencies:
    """The tables that a plan reads: in selections, filters, sort keys and lookups, and behind keys that resolvers return."""
    tables = {
        table: False
        for resolver_plan in resolver_plans(plan.resolver_tree)
        for table, _ in _tables(resolver_plan.roots, same_customer=False)
    }
    for table, same_customer in _tables(plan.roots, same_customer=False):
        tables[table] = same_customer and tables.get(table, True)
    any_row = frozenset(table for table, same_customer in tables.items() if not same_customer)
    return TableDependencies(any_row, frozenset(tables) - any_row)


def _tables(part: Any, *, same_customer: bool) -> Iterator[tuple[str, bool]]:
    """Each table, and whether its rows belong to the customer of the root. Joins within a customer preserve that."""
    if isinstance(part, CatalogEntity):
        yield part.table.name, same_customer
    elif isinstance(part, tuple):
        for item in part:
            yield from _tables(item, same_customer=same_customer)
    elif is_dataclass(part) and not isinstance(part, Parameter):
        join = getattr(part, "join", None)
        if isinstance(join, Join):
            same_customer = same_customer and join.same_customer
        elif isinstance(part, ConnectionPlan):
            same_customer = False
        elif isinstance(part, RowById):
            same_customer = part.entity.declaration.scope.customer_column == "id"
        for item in fields(part):
            yield from _tables(getattr(part, item.name), same_customer=same_customer)


def predicate_tables(predicate: Predicate) -> frozenset[str]:
    """The tables that a predicate reads beside that of its rows."""
    return frozenset(table for table, _ in _tables(predicate, same_customer=False))


def resolver_plans(resolver_tree: ResolverTree | None) -> Iterator[Plan]:
    """The plans of the rows behind keys that resolvers return, recursively."""
    if resolver_tree is None:
        return
    for field in resolver_tree.fields:
        if field.rows_plan is not None:
            yield field.rows_plan
            yield from resolver_plans(field.rows_plan.resolver_tree)
    for _, child in (*resolver_tree.children, *resolver_tree.by_type):
        yield from resolver_plans(child)
