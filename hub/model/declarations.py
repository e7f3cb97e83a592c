"""The words a schema file declares its rows with: graphql_type, to_one, to_many, union, merged, lookup,
resolver.

Declarations are plain data; catalog.py checks them, schema_builder.py turns them into
GraphQL types, plan/operations.py reads them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar

import sqlalchemy as sa

from hub.model.commands import EntityWriter
from hub.viewer import Binding

AscDesc = Literal["asc", "desc"]
T = TypeVar("T")

DECLARATION_ATTR = "__row__"  # where `graphql_type` leaves what a class declares


class Scope(Protocol):
    """Who may see the rows of a table; the one implementation is hub/model/scopes.py."""

    @property
    def name(self) -> str: ...

    @property
    def customer_column(self) -> str | None:
        """The column that holds a row's customer, if there is one."""

    def predicate(self, row: sa.FromClause, binding: Binding) -> sa.ColumnElement[bool] | None:
        """The predicate for a viewer of that binding; None where everything is visible."""

    def image_predicate(self, row: sa.FromClause, binding: Binding) -> sa.ColumnElement[bool] | None:
        """The same over an image of a row, whose customer may be gone."""


@dataclass(frozen=True, slots=True)
class ToOne:
    """A link to at most one row: `by` names the foreign key column of the declaring table."""

    target: str
    by: str
    description: str


@dataclass(frozen=True, slots=True)
class ToMany:
    """A link to many rows: `by` names the foreign key column of the target's table."""

    target: str
    by: str
    description: str


@dataclass(frozen=True, slots=True)
class UnionLink:
    """A link to one row of several types, a union: the first foreign key that is set decides."""

    name: str
    targets: Mapping[str, str]
    description: str


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface of one field that is read from a column of each implementing type: `at` from `placed_at`."""

    name: str
    field: str
    description: str
    field_description: str


@dataclass(frozen=True, slots=True)
class MergedConnection:
    """A list that merges the rows of all types that implement `interface`, latest first; `by` is their shared key's name."""

    interface: Interface
    by: str
    description: str


@dataclass(frozen=True, slots=True)
class FieldResolver:
    """A field that Python answers; with `keys`, it answers the keys of rows of that type.

    Parameters named in `needs` are filled from the row's columns, the others are the field's arguments."""

    function: Callable[..., Any]
    needs: tuple[str, ...]
    keys: str | None


@dataclass(frozen=True, slots=True)
class Lookup:
    """A root that finds a row through a row of another table: each argument names a column; `normalize` sees them all."""

    name: str
    table: sa.Table
    key: str
    arguments: Mapping[str, tuple[sa.Column[Any], bool]]
    normalize: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    prefer: Sequence[tuple[str, AscDesc]]
    description: str


@dataclass(frozen=True, slots=True)
class Sortable:
    """A column that lists may be sorted by. A nullable one needs `null_as`, the value that stands for null in its index."""

    column: str
    null_as: str | None = None


@dataclass(frozen=True, slots=True)
class Declaration:
    """All that a schema file says of one row type."""

    name: str
    subject: str
    description: str
    table: sa.Table
    scope: Scope
    prefix: str
    plural: str
    sortable: tuple[Sortable, ...]
    order: tuple[str, AscDesc]
    filterable: tuple[str, ...] | None
    search: tuple[str, ...]
    annotations: Mapping[str, Any]
    links: Mapping[str, ToOne | ToMany | UnionLink | MergedConnection]
    resolvers: Mapping[str, FieldResolver]
    implements: Mapping[str, str] = field(default_factory=dict)
    lookups: tuple[Lookup, ...] = ()
    writer: EntityWriter | None = None

    @property
    def type_path(self) -> str:
        """`subject.Type`, the text that links name their target by."""
        return f"{self.subject}.{self.name}"


def to_one(target: str, *, by: str, description: str) -> ToOne:
    """Declares a link to at most one row."""
    return ToOne(target, by, description)


def to_many(target: str, *, by: str, description: str) -> ToMany:
    """Declares a link to many rows, read as a connection."""
    return ToMany(target, by, description)


def union(name: str, targets: Mapping[str, str], *, description: str) -> UnionLink:
    """Declares a link to one row of several types; `targets` names each type's foreign key column."""
    return UnionLink(name, dict(targets), description)


def merged_connection(interface: Interface, *, by: str, description: str) -> MergedConnection:
    """Declares a list over all types whose rows say that they implement `interface`."""
    return MergedConnection(interface, by, description)


def resolver(*, needs: Sequence[str], keys: str | None = None) -> Callable[[Callable[..., Any]], FieldResolver]:
    """Declares a field that Python answers; its docstring is the field's description."""

    def decorate(function: Callable[..., Any]) -> FieldResolver:
        return FieldResolver(function, tuple(needs), keys)

    return decorate


def graphql_type(
    table: sa.Table,
    *,
    scope: Scope,
    prefix: str,
    plural: str,
    sortable: Sequence[str | Sortable],
    order: tuple[str, AscDesc],
    filterable: Sequence[str] | None = None,
    search: Sequence[str] = (),
    implements: Mapping[str, str] | None = None,
    lookups: Sequence[Lookup] = (),
    writer: EntityWriter | None = None,
) -> Callable[[type[T]], type[T]]:
    """Declares the class as the GraphQL type of `table`'s rows.

    `plural` names the root list, `order` the default sort, `filterable` the columns that filters may name (None: all),
    `search` the columns inside `search_text`, `implements` an interface's field and the column that answers it,
    `writer` how rows are created, updated and deleted (None: not by this API)."""

    def declare(cls: type[T]) -> type[T]:
        members = vars(cls)
        declaration = Declaration(
            name=cls.__name__,
            subject=cls.__module__.rpartition(".")[2],
            description=(cls.__doc__ or "").strip(),
            table=table,
            scope=scope,
            prefix=prefix,
            plural=plural,
            sortable=tuple(Sortable(column) if isinstance(column, str) else column for column in sortable),
            order=order,
            filterable=None if filterable is None else tuple(filterable),
            search=tuple(search),
            annotations=dict(cls.__annotations__),
            links={
                name: member
                for name, member in members.items()
                if isinstance(member, ToOne | ToMany | UnionLink | MergedConnection)
            },
            resolvers={name: member for name, member in members.items() if isinstance(member, FieldResolver)},
            implements=dict(implements or {}),
            lookups=tuple(lookups),
            writer=writer,
        )
        setattr(cls, DECLARATION_ATTR, declaration)
        return cls

    return declare


def declaration_of(cls: type) -> Declaration:
    """The declaration that `graphql_type` left on a class."""
    declaration = vars(cls)[DECLARATION_ATTR]
    assert isinstance(declaration, Declaration)
    return declaration
