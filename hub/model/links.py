"""Links of an entity: foreign keys that are fields of the GraphQL type, unions of them, and fields that Python resolves."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

import sqlalchemy as sa

from hub.model.declarations import FilteredList, Interface, LinkGroup
from hub.model.fields import Column, Writable

Inverse: TypeAlias = tuple[str, str]  # name and description of the list on the other side
# A number that SQL computes from a row and the time of the request.
RowExpression: TypeAlias = Callable[[sa.FromClause, sa.ColumnElement[datetime]], sa.ColumnElement[Any]]
OnDelete: TypeAlias = Literal["cascade", "set null"]
# True: (key, order, id), as every inverse has it; "not null": the same for rows with a key; columns: what follows the key.
LinkIndex: TypeAlias = bool | Literal["not null"] | tuple[str, ...]


class Self:
    """Stands for the declaring entity as the target of a link."""


SELF = Self


@dataclass(slots=True, eq=False)
class Link:
    """A link to at most one row of another entity, through the column `<name>_id`."""

    target: type[Any]
    description: str
    optional: bool
    inverse: Inverse | None
    index: LinkIndex
    enforced: bool
    on_delete: OnDelete | None
    writable: Writable
    server_filled: bool
    tree: str | None
    label: str | None
    inside: bool = False
    name: str = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        if self.target is SELF:
            self.target = owner

    @property
    def column_name(self) -> str:
        return f"{self.name}_id"


@dataclass(frozen=True, slots=True)
class UnionOfLinks:
    """A link to a row of several types: the first of `links` whose key is set."""

    union_name: str
    links: tuple[Link, ...]
    description: str


@dataclass(frozen=True, slots=True)
class SubjectLink:
    """A polymorphic reference: a link to a row of any entity that is declared `subject_of` this one.

    The columns `entity` and `row_id` say which row; `inverse` is the list on the other side."""

    description: str
    inverse: Inverse
    optional: bool


@dataclass(frozen=True, slots=True)
class MergedList:
    """A list that merges the rows of all entities that implement an interface."""

    interface: Interface
    description: str


@dataclass(frozen=True, slots=True)
class PythonField:
    """A field that Python resolves from columns of its row; with `returns`, it resolves keys of rows of that entity."""

    function: Callable[..., Any]
    needs: tuple[Column[Any], ...]
    returns: type[Any] | None
    expressions: Mapping[str, RowExpression]

    @property
    def takes_now(self) -> bool:
        return "now" in inspect.signature(self.function).parameters

    @property
    def takes_redirects(self) -> bool:
        return "redirects" in inspect.signature(self.function).parameters


def to_one(
    target: type[Any],
    description: str,
    *,
    optional: bool = False,
    inverse: Inverse | None = None,
    index: LinkIndex | None = None,
    enforced: bool = True,
    on_delete: OnDelete | None = None,
    writable: Writable = "always",
    server_filled: bool = False,
    tree: str | None = None,
    label: str | None = None,
    inside: bool = False,
) -> Link:
    """Declares a link to one row: the column `<name>_id`, its foreign key, and the field.

    `inverse` names and describes the list on the other side, which gets an index of its own. Where both rows belong to a
    customer, the key is composite and keeps them to one customer. `enforced=False` makes no foreign key. With `tree`, the
    entity is a tree: that hidden column holds the labels (column `label`) from the root to the row. `inside`: it is about
    the customer and not for it, like a field's."""
    return Link(
        target,
        description,
        optional,
        inverse,
        inverse is not None if index is None else index,
        enforced,
        on_delete,
        writable,
        server_filled,
        tree,
        label,
        inside,
    )


def union(name: str, description: str, *links: Link) -> UnionOfLinks:
    """Declares a field that is the first of several links whose key is set; `name` is the GraphQL union's."""
    return UnionOfLinks(name, links, description)


def any_of(description: str, *, inverse: Inverse, optional: bool = False) -> SubjectLink:
    """Declares a link to a row of any entity that says `subject_of=("…",)` with this one's name: what the row is about.

    `inverse` names and describes the list on those entities. The row goes with the row that it is about."""
    return SubjectLink(description, inverse, optional)


def merged(interface: Interface, description: str) -> MergedList:
    """Declares a list of all rows of the owner that implement `interface`, latest first."""
    return MergedList(interface, description)


def group(name: str, description: str, **lists: FilteredList) -> LinkGroup:
    """Declares an object without a table: a field that holds several lists of the row; `name` is its GraphQL type."""
    return LinkGroup(name, description, lists)


def filtered(link: str, description: str, filter: str) -> FilteredList:
    """Declares a list of a group: the rows of the entity's list `link` that match a filter, `{paidAt: {isNull: true}}`."""
    return FilteredList(link, description, filter)


def resolver(
    *needs: Column[Any], returns: type[Any] | None = None, **expressions: RowExpression
) -> Callable[[Callable[..., Any]], PythonField]:
    """Declares a field that Python resolves from columns of its row; its docstring is the description.

    Parameters that bear the name of a column in `needs` receive it, those of `expressions` receive their number, which SQL
    computes from the row and the time of the request. `now: datetime` receives that time, `redirects` the former keys that
    the operation names with those that they lead to; the others are arguments."""

    def declare(function: Callable[..., Any]) -> PythonField:
        return PythonField(function, needs, returns, expressions)

    return declare


@dataclass(frozen=True, slots=True)
class Index:
    """An index beside those that the declaration implies."""

    columns: tuple[str, ...]
    include: tuple[str, ...]
    where: str | None
    name: str | None
    elements: bool
    unique: bool


def index(
    *columns: str,
    include: Sequence[str] = (),
    where: str | None = None,
    name: str | None = None,
    elements: bool = False,
    unique: bool = False,
) -> Index:
    """Declares an index; `where` is SQL, `name` replaces the columns in its name. With `unique`, it is one among those rows.

    `elements` indexes what is in a list, so that filters can ask for it (`has`)."""
    return Index(columns, tuple(include), where, name, elements, unique)
