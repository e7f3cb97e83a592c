"""The index of all declared rows, checked once at start-up: what the planner and the type builder look things up in.

A declaration that could answer wrongly (a sort key without index, a non-null field over a nullable column, a row without
scope) stops the hub here, with every fault named."""

import re
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hub.engine.catalog import scalars
from hub.engine.catalog.scalars import Wire, raw
from hub.model.declarations import Declaration, Interface, Many, Merged, One, OneOf, Resolved, Sortable

HISTORY = "history"  # the field of every type that tells a row's changes
COMMON: Mapping[str, Any] = {"version": int, "created_at": datetime, "updated_at": datetime}


class DeclarationFault(Exception):
    """What is wrong with the declarations; the message lists every fault."""


def camel(name: str) -> str:
    """`placed_at` → `placedAt`."""
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def shout(name: str) -> str:
    """`OrderItem` → `ORDER_ITEM`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper()


def a(name: str) -> str:
    """`Order` → `an Order`."""
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """A field that is a column."""

    name: str
    column: sa.Column[Any]
    wire: Wire
    nullable: bool
    searched: bool


@dataclass(frozen=True, slots=True)
class SortKey:
    """Something that a list is sorted by; never null."""

    name: str
    column: sa.Column[Any]
    missing: str | None
    type: sa.types.TypeEngine[Any]

    def of(self, row: sa.FromClause) -> sa.ColumnElement[Any]:
        """The key's expression over a row; the same text as in the index."""
        found: sa.ColumnElement[Any] = row.c[self.column.name]
        return found if self.missing is None else sa.func.coalesce(found, raw(f"'{self.missing}'"))


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One row type with everything resolved: fields by their GraphQL names."""

    declaration: Declaration
    columns: Mapping[str, Column]
    links: Mapping[str, One | Many | OneOf | Merged]
    resolved: Mapping[str, Resolved]
    sort_keys: Mapping[str, SortKey]
    filterable: Mapping[str, Column]
    currency: str | None

    @property
    def name(self) -> str:
        return self.declaration.name

    @property
    def table(self) -> sa.Table:
        return self.declaration.table

    @property
    def entity(self) -> str:
        """The type as a value of the EntityType enum."""
        return shout(self.name)

    @property
    def shows(self) -> Mapping[str, str]:
        """The field that shows each column: the column's own, or that of the link behind it."""
        found = {each.column.name: name for name, each in self.columns.items()}
        for name, link in self.links.items():
            if isinstance(link, One):
                found[link.by] = name
            elif isinstance(link, OneOf):
                found |= dict.fromkeys(link.targets.values(), name)
        return found

    @property
    def aggregable(self) -> Iterator[Column]:
        """Columns that sums, averages and extremes make sense of."""
        return (
            each for each in self.columns.values() if (each.wire.number or each.wire.time) and each.name != "version"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Catalog:
    """All rows by type name, their addresses, interfaces and unions."""

    rows: Mapping[str, Row]
    addresses: Mapping[str, str]
    interfaces: Mapping[str, Interface]
    prefixes: Mapping[str, Row] = field(default_factory=dict)

    @property
    def owner(self) -> Row:
        """The row that others belong to: the one whose own key is its customer."""
        return next(row for row in self.rows.values() if row.declaration.scope.key == "id")

    def target(self, address: str) -> Row:
        """The row that a link's text names."""
        return self.rows[self.addresses[address]]

    def implementing(self, interface: str) -> list[Row]:
        """The rows behind an interface, in declaration order."""
        return [row for row in self.rows.values() if interface in row.declaration.implements]

    def column(self, row: Row, link: One | Many) -> sa.Column[Any]:
        """The foreign key column behind a link of `row`."""
        table = row.table if isinstance(link, One) else self.target(link.target).table
        return table.c[link.by]

    def keeps_customer(self, by: sa.Column[Any]) -> bool:
        """Whether rows joined by this foreign key always belong to one customer: its key includes `customer_id`."""
        owner = next(row for row in self.rows.values() if row.table is by.table)
        key = owner.declaration.scope.key
        return key is not None and any(
            by in constraint.columns.values() and key in constraint.columns
            for constraint in by.table.foreign_key_constraints
        )

    def nullable(self, row: Row, link: One) -> bool:
        """A link may be empty when its key may, or when a viewer may see the row but not its target."""
        by = self.column(row, link)
        visible_to_all = self.target(link.target).declaration.scope.name == "everyone"
        return bool(by.nullable) or not (visible_to_all or self.keeps_customer(by))


def _optional(annotation: Any) -> tuple[Any, bool]:
    """An annotation without its `| None`, and whether it had one."""
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        rest = [each for each in typing.get_args(annotation) if each is not type(None)]
        return (rest[0], True) if len(rest) == 1 else (annotation, False)
    return annotation, False


def _columns(declaration: Declaration, faults: list[str]) -> dict[str, Column]:
    found: dict[str, Column] = {}
    for name, annotation in (*declaration.annotations.items(), *COMMON.items()):
        plain, nullable = _optional(annotation)
        column = declaration.table.c.get(name)
        if column is None:
            faults.append(f"{declaration.address}.{name} is neither a column, a link nor resolved")
            continue
        if bool(column.nullable) is not nullable:
            faults.append(
                f"{declaration.address}.{name} is declared {'null' if nullable else 'non-null'}, its column is not"
            )
        if not column.comment:
            faults.append(f"{declaration.address}.{name}: the column has no comment to describe it")
        found[camel(name)] = Column(camel(name), column, scalars.wire_of(plain), nullable, name in declaration.search)
    return found


def _leads_index(table: sa.Table, wanted: str, then: str | None) -> bool:
    """Whether an index begins with an expression (its text), followed by the named column."""
    for index in table.indexes:
        texts = [str(each).removeprefix(f"{table.name}.") for each in index.expressions]
        if texts[0] == wanted and (then is None or texts[1:2] == [then]):
            return True
    return False


def _sort_keys(declaration: Declaration, faults: list[str]) -> dict[str, SortKey]:
    found = {}
    for each in declaration.sortable:
        column = declaration.table.c[each.column]
        expression = (
            each.column if each.missing is None else f"coalesce({declaration.table.name}.{each.column}, :coalesce_1)"
        )
        if column.nullable and each.missing is None:
            faults.append(f"{declaration.address} is sortable by {each.column}, which may be null and has no `missing`")
        if not _leads_index(declaration.table, expression, "id"):
            faults.append(f"{declaration.address} is sortable by {each.column} without an index on ({expression}, id)")
        found[each.column.upper()] = SortKey(each.column.upper(), column, each.missing, column.type)
    if declaration.order[0].upper() not in found:
        faults.append(f"{declaration.address} is ordered by {declaration.order[0]}, which is not sortable")
    return found


def _row(declaration: Declaration, faults: list[str]) -> Row:
    columns = _columns(declaration, faults)
    names = {each.column.name: each for each in columns.values()}
    wanted = declaration.filterable
    filterable = names if wanted is None else {name: names[name] for name in wanted if name in names}
    money = any(each.wire.money for each in columns.values())
    if money and "currency" not in names:
        faults.append(f"{declaration.address} holds money without a currency column beside it")
    for name, how in declaration.resolved.items():
        if not how.resolver.__doc__:
            faults.append(f"{declaration.address}.{name} has no docstring to describe it")
        faults.extend(
            f"{declaration.address}.{name} needs {need}, which is no column" for need in how.needs if need not in names
        )
    if HISTORY in {*names, *declaration.links, *declaration.resolved}:
        faults.append(f"{declaration.address}.{HISTORY}: every type has a field of this name, that tells its changes")
    if declaration.search and "search_text" not in declaration.table.c:
        faults.append(f"{declaration.address} is searched, but its table has no search_text")
    return Row(
        declaration,
        columns,
        {camel(name): link for name, link in declaration.links.items()},
        {camel(name): how for name, how in declaration.resolved.items()},
        _sort_keys(declaration, faults),
        {each.name: each for each in filterable.values()},
        "currency" if "currency" in names else None,
    )


def _check_links(row: Row, catalog: Catalog, faults: list[str]) -> None:
    place = row.declaration.address
    for name, link in row.links.items():
        if isinstance(link, One | Many) and link.target not in catalog.addresses:
            faults.append(f"{place}.{name} points at {link.target}, which is not declared")
        elif isinstance(link, One) and link.by not in row.table.c:
            faults.append(f"{place}.{name}: {row.table.name} has no column {link.by}")
        elif isinstance(link, Many):
            table = catalog.target(link.target).table
            if link.by not in table.c:
                faults.append(f"{place}.{name}: {table.name} has no column {link.by}")
            elif not _leads_index(table, link.by, None):
                faults.append(f"{place}.{name}: no index of {table.name} begins with {link.by}")
        elif isinstance(link, Merged):
            if row.declaration.scope.key != "id":
                faults.append(f"{place}.{name}: a merged list hangs on the customer itself")
            for each in catalog.implementing(link.interface.name):
                if each.declaration.scope.key != link.by:
                    faults.append(f"{place}.{name}: {each.name} does not belong to the customer by {link.by}")
        elif isinstance(link, OneOf):
            faults.extend(f"{place}.{name} points at {each}" for each in link.targets if each not in catalog.addresses)
        if not link.description:
            faults.append(f"{place}.{name} has no description")


def build(declarations: Iterable[Declaration]) -> Catalog:
    """The catalog of the declarations; raises DeclarationFault when one of them cannot stand."""
    faults: list[str] = []
    rows = {declaration.name: _row(declaration, faults) for declaration in declarations}
    merged = [link for row in rows.values() for link in row.links.values() if isinstance(link, Merged)]
    catalog = Catalog(
        rows,
        {row.declaration.address: name for name, row in rows.items()},
        {link.interface.name: link.interface for link in merged},
        {row.declaration.prefix: row for row in rows.values()},
    )
    if len(catalog.prefixes) != len(rows):
        faults.append("two row types share a prefix")
    for row in rows.values():
        if not row.declaration.description:
            faults.append(f"{row.declaration.address} has no docstring")
        _check_links(row, catalog, faults)
    if faults:
        raise DeclarationFault("The declarations cannot stand:\n" + "\n".join(f"- {fault}" for fault in faults))
    return catalog


__all__ = ["Catalog", "Column", "DeclarationFault", "Row", "SortKey", "Sortable", "build", "camel"]
