"""Compiles the row filters of roles, wherever rows are limited to a viewer's (see hub/model/scopes.py)."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from hub.engine.plan.filters import ALWAYS_TRUE
from hub.engine.plan.predicates import Predicate
from hub.engine.plan.row_filters import RightArgument, RightsFilters
from hub.engine.sql.conditions import condition
from hub.engine.sql.expressions import AliasGenerator, SelectSource
from hub.model import registry
from hub.rights import UNLIMITED_RIGHTS, AccessRule, Rights, Verb
from hub.viewer import Viewer


class RowFilterCompiler:
    """Compiles the row filters of roles; `filters` gives those of a viewer's rights, planned."""

    def __init__(self, filters: Callable[[Rights], RightsFilters]) -> None:
        self._filters = filters

    def predicate(
        self, table: sa.Table, row: sa.FromClause, rights: Rights, verb: Verb
    ) -> sa.ColumnElement[bool] | None:
        """The condition that the roles grant the row; None for all rows."""
        filters = self._filters(rights)
        own = compile_rows(filters.rows(registry.registered(table).__name__, verb), row)
        parts = [part for part in (own, *_of_both(table, row, filters)) if part is not None]
        return sa.and_(*parts) if parts else None

    def granted(self, rules: Sequence[AccessRule], row: sa.FromClause, rights: Rights) -> sa.ColumnElement[bool] | None:
        """The condition that one of the rules grants the row; None for all rows."""
        return compile_rows(self._filters(rights).any_of(rules), row)

    def tables(self, names: frozenset[str], rights: Rights) -> frozenset[str]:
        """The tables that the filters of the rows of these tables read beside them."""
        filters = self._filters(rights)
        catalog = filters.schema.catalog
        entities = [entity for entity in catalog.entities.values() if entity.table.name in names]
        beside = {table for entity in entities for table in filters.tables(entity.name)}
        if any(entity.declaration.scope.second_customer for entity in entities):
            beside |= {catalog.customer_type.table.name, *filters.tables(catalog.customer_type.name)}
        return frozenset(beside)

    def argument(self, name: str, viewer: Viewer) -> Any:
        """The value of a parameter that a predicate of the viewer's rights names."""
        source = self._filters(viewer.rights).parameters[name].source
        assert isinstance(source, RightArgument)
        return source.read_viewer(viewer)


def _of_both(table: sa.Table, row: sa.FromClause, filters: RightsFilters) -> Iterator[sa.ColumnElement[bool]]:
    """Of a row about two customers, whether the roles show the one and the other."""
    catalog = filters.schema.catalog
    scopes = (entity.declaration.scope for entity in catalog.entities.values() if entity.table is table)
    second = next((scope.second_customer for scope in scopes), None)
    shown = ALWAYS_TRUE if second is None else filters.rows(catalog.customer_type.name)
    for column in () if second is None or shown == ALWAYS_TRUE else ("customer_id", second):
        customer = catalog.customer_type.table.alias("r$customer")
        visible = compile_rows(shown, customer)
        assert visible is not None
        yield sa.exists(sa.select(customer.c.id).where(customer.c.id == row.c[column], visible))


def compile_rows(predicate: Predicate, row: sa.FromClause) -> sa.ColumnElement[bool] | None:
    """The condition of a row filter; None where it always holds. Its aliases are unlike those of every statement."""
    if predicate == ALWAYS_TRUE:
        return None
    return condition(SelectSource(AliasGenerator(UNLIMITED_RIGHTS, "r$"), row, grouped=False), predicate)
