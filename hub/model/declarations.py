"""The words a schema file declares its rows with: row, one, many, one_of, merged, found_by, resolved.

Declarations are plain data; catalog.py checks them, types.py turns them into GraphQL types, planner.py reads them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar

import sqlalchemy as sa

from hub.model.commands import Writes
from hub.viewer import Binding

Direction = Literal["asc", "desc"]
T = TypeVar("T")

DECLARED = "__row__"  # where `row` leaves what a class declares


class Scope(Protocol):
    """Who may see the rows of a table; the one implementation is hub/domain/scope.py."""

    @property
    def name(self) -> str: ...

    @property
    def key(self) -> str | None:
        """The column that holds a row's customer, if there is one."""

    def visible(self, row: sa.FromClause, binding: Binding) -> sa.ColumnElement[bool] | None:
        """The predicate for a viewer of that binding; None where everything is visible."""

    def was_visible(self, row: sa.FromClause, binding: Binding) -> sa.ColumnElement[bool] | None:
        """The same over an image of a row, whose customer may be gone."""


@dataclass(frozen=True, slots=True)
class One:
    """A link to at most one row: `by` names the foreign key column of the declaring table."""

    target: str
    by: str
    description: str


@dataclass(frozen=True, slots=True)
class Many:
    """A link to many rows: `by` names the foreign key column of the target's table."""

    target: str
    by: str
    description: str


@dataclass(frozen=True, slots=True)
class OneOf:
    """A link to one row of several types, a union: the first foreign key that is set decides."""

    union: str
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
class Merged:
    """A list that merges the rows of all types that implement `interface`, latest first; `by` is their shared key's name."""

    interface: Interface
    by: str
    description: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """A field that Python answers; with `keys`, it answers the keys of rows of that type.

    Parameters named in `needs` are filled from the row's columns, the others are the field's arguments."""

    resolver: Callable[..., Any]
    needs: tuple[str, ...]
    keys: str | None


@dataclass(frozen=True, slots=True)
class FoundBy:
    """A root that finds a row through a row of another table: each argument names a column; `normalize` sees them all."""

    name: str
    table: sa.Table
    key: str
    arguments: Mapping[str, tuple[sa.Column[Any], bool]]
    normalize: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    prefer: Sequence[tuple[str, Direction]]
    description: str


@dataclass(frozen=True, slots=True)
class Sortable:
    """A column that lists may be sorted by. A nullable one needs `missing`, the value that stands for null in its index."""

    column: str
    missing: str | None = None


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
    order: tuple[str, Direction]
    filterable: tuple[str, ...] | None
    search: tuple[str, ...]
    annotations: Mapping[str, Any]
    links: Mapping[str, One | Many | OneOf | Merged]
    resolved: Mapping[str, Resolved]
    implements: Mapping[str, str] = field(default_factory=dict)
    found_by: tuple[FoundBy, ...] = ()
    writes: Writes | None = None

    @property
    def address(self) -> str:
        """`subject.Type`, the text that links name their target by."""
        return f"{self.subject}.{self.name}"


def one(target: str, *, by: str, description: str) -> One:
    """Declares a link to at most one row."""
    return One(target, by, description)


def many(target: str, *, by: str, description: str) -> Many:
    """Declares a link to many rows, read as a connection."""
    return Many(target, by, description)


def one_of(union: str, targets: Mapping[str, str], *, description: str) -> OneOf:
    """Declares a link to one row of several types; `targets` names each type's foreign key column."""
    return OneOf(union, dict(targets), description)


def merged(interface: Interface, *, by: str, description: str) -> Merged:
    """Declares a list over all types whose rows say that they implement `interface`."""
    return Merged(interface, by, description)


def resolved(*, needs: Sequence[str], keys: str | None = None) -> Callable[[Callable[..., Any]], Resolved]:
    """Declares a field that Python answers; its docstring is the field's description."""

    def mark(resolver: Callable[..., Any]) -> Resolved:
        return Resolved(resolver, tuple(needs), keys)

    return mark


def row(
    table: sa.Table,
    *,
    scope: Scope,
    prefix: str,
    plural: str,
    sortable: Sequence[str | Sortable],
    order: tuple[str, Direction],
    filterable: Sequence[str] | None = None,
    search: Sequence[str] = (),
    implements: Mapping[str, str] | None = None,
    found_by: Sequence[FoundBy] = (),
    writes: Writes | None = None,
) -> Callable[[type[T]], type[T]]:
    """Declares the class as the GraphQL type of `table`'s rows.

    `plural` names the root list, `order` the default sort, `filterable` the columns that filters may name (None: all),
    `search` the columns inside `search_text`, `implements` an interface's field and the column that answers it,
    `writes` how rows are created, updated and deleted (None: not by this API)."""

    def declare(cls: type[T]) -> type[T]:
        words = vars(cls)
        declaration = Declaration(
            name=cls.__name__,
            subject=cls.__module__.rpartition(".")[2],
            description=(cls.__doc__ or "").strip(),
            table=table,
            scope=scope,
            prefix=prefix,
            plural=plural,
            sortable=tuple(Sortable(each) if isinstance(each, str) else each for each in sortable),
            order=order,
            filterable=None if filterable is None else tuple(filterable),
            search=tuple(search),
            annotations=dict(cls.__annotations__),
            links={n: v for n, v in words.items() if isinstance(v, One | Many | OneOf | Merged)},
            resolved={n: v for n, v in words.items() if isinstance(v, Resolved)},
            implements=dict(implements or {}),
            found_by=tuple(found_by),
            writes=writes,
        )
        setattr(cls, DECLARED, declaration)
        return cls

    return declare


def declaration_of(cls: type) -> Declaration:
    """The declaration that `row` left on a class."""
    found = vars(cls)[DECLARED]
    assert isinstance(found, Declaration)
    return found
