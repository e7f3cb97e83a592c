"""The catalog of all declared entities. The planner and the type builder look up fields, links and sort keys in it.

build.py makes it once at start-up. An invalid declaration (a sort key without an index, a non-null field over a nullable
column) stops the hub with a list of all faults."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hub.engine.catalog import scalars
from hub.engine.catalog.scalars import ScalarType
from hub.model.columns import sort_expression
from hub.model.declarations import (
    FieldResolver,
    FilteredList,
    Interface,
    LinkGroup,
    MergedConnection,
    ToMany,
    ToOne,
    UnionLink,
)
from hub.model.declare import Declaration
from hub.model.fields import split_optional
from hub.model.normal_forms import NormalForm, RowNormalForm
from hub.rights import CellRules
from hub.text_case import camel_case as camel_case  # the engine imports it from here

VERSION_COLUMNS = ("version", "updated_at")  # they change with every edit, so the log does not list them
HISTORY = "history"  # the field of every entity type that lists a row's changes
SYSTEM_FIELDS: Mapping[str, Any] = {"version": int, "created_at": datetime, "updated_at": datetime}


def upper_snake(name: str) -> str:
    """`OrderItem` → `ORDER_ITEM`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper()


def with_article(name: str) -> str:
    """`Order` → `an Order`; names in U sound like `unit`, so they take `a`."""
    return f"{'an' if name[0] in 'AEIO' else 'a'} {name}"


@dataclass(frozen=True, slots=True, eq=False)
class ColumnField:
    """A field that is a column."""

    name: str
    column: sa.Column[Any]
    scalar: ScalarType
    nullable: bool
    searched: bool
    normal_form: NormalForm | RowNormalForm | None = None  # of a text, in filters as in writes

    def __repr__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class SortKey:
    """A sort key of a list. It is never null: `null_as` replaces a null."""

    name: str
    column: sa.Column[Any]
    null_as: str | None
    type: sa.types.TypeEngine[Any]


@dataclass(frozen=True, slots=True, eq=False)
class CatalogEntity:
    """One entity of the catalog, with its columns, links and resolvers by GraphQL name.

    In a catalog that is narrowed to a viewer's rights, hidden ones are left out. `cells` are those that can only be
    selected; `usable` are the other columns by their names in the table. `aggregate_only`: no row is shown."""

    declaration: Declaration
    columns: Mapping[str, ColumnField]
    links: Mapping[str, ToOne | ToMany | UnionLink | MergedConnection]
    groups: Mapping[str, LinkGroup]
    resolvers: Mapping[str, FieldResolver]
    sort_keys: Mapping[str, SortKey]
    filterable: Mapping[str, ColumnField]
    currency: str | None
    cells: Mapping[str, CellRules] = field(default_factory=dict)
    usable: frozenset[str] | None = None  # None: all columns
    aggregate_only: bool = False
    shows_history: bool = True
    filters_rows: bool = False  # whether roles may hide rows that the binding shows

    def __repr__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        return self.declaration.name

    @property
    def table(self) -> sa.Table:
        return self.declaration.table

    @property
    def entity_type(self) -> str:
        """The entity's value of the GraphQL enum EntityType."""
        return upper_snake(self.name)

    @property
    def field_by_column(self) -> Mapping[str, str]:
        """The GraphQL field of each column: its own field, or the link that uses it as a foreign key."""
        field_names = {column.column.name: name for name, column in self.columns.items() if name not in self.cells}
        for name, link in self.links.items():
            if name in self.cells:
                continue
            if isinstance(link, ToOne):
                field_names[link.by] = name
            elif isinstance(link, UnionLink):
                field_names |= dict.fromkeys(link.targets.values(), name)
        return field_names

    @property
    def watched_columns(self) -> frozenset[str] | None:
        """The columns whose changes are changes of the row for the viewer; None for every column.

        Whoever reads the version, or the time of the last update, sees by them that a hidden column has changed."""
        readable = {column.column.name for column in self.columns.values()}
        if self.usable is None or not readable.isdisjoint(VERSION_COLUMNS):
            return None
        links = self.links.values()
        ones = (link.by for link in links if isinstance(link, ToOne))
        choices = (column for link in links if isinstance(link, UnionLink) for column in link.targets.values())
        return frozenset((*readable, *ones, *choices))

    @property
    def captured(self) -> bool:
        """Whether the change log records changes of the rows."""
        return self.declaration.captured

    @property
    def aggregable(self) -> Iterator[ColumnField]:
        """The columns that can be aggregated: numbers and times, without the version."""
        return (
            column
            for column in self.columns.values()
            if (column.scalar.is_number or column.scalar.is_time) and column.name != "version"
            if column.name not in self.cells
            and (not column.scalar.is_money or self.is_usable(self.declaration.amounts_in))
        )

    def is_usable(self, *columns: str) -> bool:
        """Whether all these columns of the table may be filtered, sorted, aggregated, grouped and searched by."""
        return self.usable is None or self.usable.issuperset(columns)

    def uses_link(self, name: str) -> bool:
        """Whether rows may be filtered, sorted and grouped by what is behind the link."""
        return name in self.links and name not in self.cells

    @property
    def searchable(self) -> bool:
        """Whether rows may be searched: every searched column may be read as it is."""
        return bool(self.declaration.search) and not self.aggregate_only and self.is_usable(*self.declaration.search)

    def shows_interface(self, interface: str) -> bool:
        """Whether the type implements an interface, by a column that may be sorted by."""
        column = self.declaration.implements.get(interface)
        return column is not None and self.is_usable(column) and not self.aggregate_only


@dataclass(frozen=True, slots=True, eq=False)
class Catalog:
    """All entities by type name and by id prefix, and the interfaces that they implement."""

    entities: Mapping[str, CatalogEntity]
    interfaces: Mapping[str, Interface]
    prefixes: Mapping[str, CatalogEntity] = field(default_factory=dict)
    # By type, the fields that the own keys of a customer do not know: see `inside` of hub/model/fields.py.
    inside: Mapping[str, frozenset[str]] = field(default_factory=dict)
    whole: "Catalog | None" = None  # the catalog that this one narrows

    @property
    def customer_type(self) -> CatalogEntity:
        """The customer entity: its own primary key is its customer column."""
        entities = (self.whole or self).entities.values()
        return next(entity for entity in entities if entity.declaration.scope.customer_column == "id")

    @property
    def with_rows(self) -> "list[CatalogEntity]":
        """The entities of which rows are shown."""
        return [entity for entity in self.entities.values() if not entity.aggregate_only]

    @property
    def with_past_rows(self) -> "list[CatalogEntity]":
        """The entities of which rows and their changes are shown."""
        return [entity for entity in self.with_rows if entity.captured]

    def target(self, entity: type[Any]) -> CatalogEntity:
        """The catalog entity of a link's target class."""
        return self.entities[entity.__name__]

    def list_target(self, entity: CatalogEntity, filtered: FilteredList) -> CatalogEntity:
        """The entity of the rows of a group's list."""
        link = entity.links[camel_case(filtered.link)]
        assert isinstance(link, ToMany)
        return self.target(link.target)

    def implementing(self, interface: str) -> list[CatalogEntity]:
        """The entities that implement an interface, in declaration order."""
        return [entity for entity in self.entities.values() if entity.shows_interface(interface)]

    def identifying(self, entity: CatalogEntity) -> list[CatalogEntity]:
        """The entities by whose rows a search finds a row of `entity`: those that identify customers, for customers."""
        is_customer = entity.declaration.scope.customer_column == "id"
        return [
            candidate
            for candidate in self.entities.values()
            if is_customer and (codes := candidate.declaration.identifies)
            if not candidate.aggregate_only and candidate.is_usable(*codes)
        ]

    def column(self, entity: CatalogEntity, link: ToOne | ToMany) -> sa.Column[Any]:
        """The foreign key column of a link of `entity`."""
        table = entity.table if isinstance(link, ToOne) else self.target(link.target).table
        return table.c[link.by]

    def preserves_customer(self, by: sa.Column[Any]) -> bool:
        """Whether rows joined by this foreign key always belong to one customer: the key includes the customer column."""
        entities = (self.whole or self).entities.values()
        entity = next(candidate for candidate in entities if candidate.table is by.table)
        if entity.declaration.scope.customer_optional:
            return False
        key = entity.declaration.scope.customer_column
        return key is not None and any(
            by in constraint.columns.values() and key in constraint.columns
            for constraint in by.table.foreign_key_constraints
        )

    def nullable(self, entity: CatalogEntity, link: ToOne) -> bool:
        """Whether a link may be null: its foreign key is nullable, or a viewer may see the row but not its target."""
        by = self.column(entity, link)
        target = self.target(link.target)
        if target.filters_rows:
            return True
        scope = target.declaration.scope
        preserves_owner = self.preserves_customer(by) and not scope.hides_rows_of_customers("customer")
        return bool(by.nullable) or not (scope.name == "any_key" or preserves_owner)


def _columns(declaration: Declaration, errors: list[str]) -> dict[str, ColumnField]:
    columns: dict[str, ColumnField] = {}
    for name, annotation in (*declaration.annotations.items(), *SYSTEM_FIELDS.items()):
        bare, nullable = split_optional(annotation)
        column = declaration.table.c.get(name)
        if column is None:
            errors.append(
                f"{declaration.name}.{name} is not a column, a link or a resolver; correct the name or add the column"
            )
            continue
        if bool(column.nullable) is not nullable:
            errors.append(
                f"{declaration.name}.{name} is declared {'null' if nullable else 'non-null'}, its column is not"
            )
        if not column.comment:
            errors.append(f"{declaration.name}.{name}: the column has no comment to describe it")
        scalar = scalars.scalar_of(bare)
        if declaration.reveals.get(name) == "row":  # a list that is short or empty needs no index
            scalar = scalars.UNINDEXED_LIST
        columns[camel_case(name)] = ColumnField(
            camel_case(name),
            column,
            scalar,
            nullable,
            name in declaration.search,
            declaration.normal_forms.get(name),
        )
    return columns


def has_index_on(table: sa.Table, expression: str, second: str | None) -> bool:
    """Whether an index begins with an expression (its text), followed by the named column."""
    for index in table.indexes:
        texts = [str(index_expression).removeprefix(f"{table.name}.") for index_expression in index.expressions]
        if texts[0] == expression and (second is None or texts[1:2] == [second]):
            return True
    return False


def has_element_index(table: sa.Table, column_name: str) -> bool:
    """Whether an index on the elements of a list column exists."""
    by_element = (index for index in table.indexes if index.dialect_options["postgresql"]["using"] == "gin")
    return any(column_name in index.columns for index in by_element)


def _sort_keys(declaration: Declaration, errors: list[str]) -> dict[str, SortKey]:
    sort_keys = {}
    for sortable in declaration.sortable:
        column = declaration.table.c[sortable.column]
        expression = str(sort_expression(column, sortable.null_as)).removeprefix(f"{declaration.table.name}.")
        if column.nullable and sortable.null_as is None:
            errors.append(
                f"{declaration.name} is sortable by {sortable.column}, which may be null and has no `null_as`"
            )
        if isinstance(column.type, sa.ARRAY):
            errors.append(f"{declaration.name} is sortable by {sortable.column}, which is a list")
        if not has_index_on(declaration.table, expression, "id"):
            errors.append(f"{declaration.name} is sortable by {sortable.column} without an index on ({expression}, id)")
        sort_keys[sortable.column.upper()] = SortKey(sortable.column.upper(), column, sortable.null_as, column.type)
    if declaration.order[0].upper() not in sort_keys:
        errors.append(f"{declaration.name} is ordered by {declaration.order[0]}, which is not sortable")
    return sort_keys


def catalog_entity(declaration: Declaration, errors: list[str]) -> CatalogEntity:
    """The catalog's entity of a declaration; adds the faults of its own fields to `errors`."""
    columns = _columns(declaration, errors)
    names = {column.column.name: column for column in columns.values()}
    filterable_names = declaration.filterable
    filterable = (
        names if filterable_names is None else {name: names[name] for name in filterable_names if name in names}
    )
    has_money = any(column.scalar.is_money for column in columns.values())
    if has_money and declaration.amounts_in not in names:
        errors.append(f"{declaration.name} has money columns but no column {declaration.amounts_in} of their currency")
    for name, resolver in declaration.resolvers.items():
        if not resolver.function.__doc__:
            errors.append(f"{declaration.name}.{name} has no docstring to describe it")
        errors.extend(
            f"{declaration.name}.{name} needs {need}, which is not a column"
            for need in resolver.needs
            if need not in names
        )
    if HISTORY in {*names, *declaration.links, *declaration.resolvers}:
        errors.append(
            f"{declaration.name}.{HISTORY}: the name is reserved for the list of a row's changes; rename the field"
        )
    if declaration.search and "search_text" not in declaration.table.c:
        errors.append(f"{declaration.name} is searched, but its table has no search_text")
    if declaration.identifies and declaration.scope.customer_column != "customer_id":
        errors.append(f"{declaration.name} identifies a customer, but its rows belong to none")
    for name in declaration.identifies:
        column = declaration.table.c.get(name)
        if column is None or column.nullable or not isinstance(column.type, sa.Text):
            errors.append(f"{declaration.name} identifies its customer by {name}, which is no text that is never null")
    return CatalogEntity(
        declaration,
        columns,
        {camel_case(name): link for name, link in declaration.links.items()},
        {camel_case(name): group for name, group in declaration.groups.items()},
        {camel_case(name): resolver for name, resolver in declaration.resolvers.items()},
        _sort_keys(declaration, errors),
        {
            column.name: column
            for column in filterable.values()
            if column.scalar is not scalars.STRING_LIST or has_element_index(declaration.table, column.column.name)
        },
        declaration.amounts_in if declaration.amounts_in in names else None,
    )
