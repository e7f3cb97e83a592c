"""Links, lookups and resolvers of an entity as the engine reads them; plain data, derived from the declarations."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from keyword import iskeyword
from typing import Any, Literal

import sqlalchemy as sa

AscDesc = Literal["asc", "desc"]


class InvalidDeclaration(Exception):
    """The declarations cannot stand; the message lists every fault."""


@dataclass(frozen=True, slots=True)
class ToOne:
    """A link to at most one row: `by` names the foreign key column of the declaring table."""

    target: type[Any]
    by: str
    description: str


@dataclass(frozen=True, slots=True)
class ToMany:
    """A link to many rows: `by` names the foreign key column of the target's table."""

    target: type[Any]
    by: str
    description: str


@dataclass(frozen=True, slots=True)
class UnionLink:
    """A link to one row of several types, a union: the first foreign key that is set decides.

    With `type_column`, that column holds the name of the row's type, and decides."""

    name: str
    targets: Mapping[type[Any], str]
    description: str
    type_column: str | None = None


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
class FilteredList:
    """The rows of one of the entity's lists, named by `link`, that match a filter: a GraphQL literal of the list's filter."""

    link: str
    description: str
    filter: str


@dataclass(frozen=True, slots=True)
class LinkGroup:
    """An object without a table: several lists of the same row under one field. `name` is its GraphQL type."""

    name: str
    description: str
    lists: Mapping[str, FilteredList]


@dataclass(frozen=True, slots=True)
class FieldResolver:
    """A field that Python resolves; with `returns`, it resolves keys of rows of that entity.

    Parameters named in `needs` are filled from the row's columns, those of `expressions` from SQL, `now` from the request's
    time if `takes_now`, `viewer` and `redirects` from the request if it takes them. Those of `conditions` come from the
    database, but for conditions that are None: these hold in every row. The others are the field's arguments."""

    function: Callable[..., Any]
    needs: tuple[str, ...]
    returns: type[Any] | None
    takes_now: bool = False
    expressions: tuple[tuple[str, Callable[..., Any]], ...] = ()  # of the row and the time of the request
    takes_viewer: bool = False
    conditions: tuple[tuple[str, Callable[..., Any]], ...] = ()  # of the row and the viewer's rights
    takes_redirects: bool = False


def parameter_name(argument: str) -> str:
    """The parameter of a resolver that receives an argument: `wordLimit` → `word_limit`, `from` → `from_`."""
    name = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in argument)
    return f"{name}_" if iskeyword(name) else name


@dataclass(frozen=True, slots=True)
class LookupScope:
    """The argument without which a lookup is refused where several rows match, if `column` has one of the values."""

    argument: str
    column: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lookup:
    """A root that finds a row through a row of another table: each argument names a column, and whether it is required.

    `normalize` sees them all. A column of a third table describes an argument that only `normalize` reads."""

    name: str
    table: sa.Table
    key: str
    arguments: Mapping[str, tuple[sa.Column[Any], bool]]
    normalize: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    prefer: Sequence[tuple[str, AscDesc]]
    scope: LookupScope | None
    description: str

    @property
    def compared(self) -> Mapping[str, sa.Column[Any]]:
        """The columns of the looked-up table, by argument."""
        return {name: column for name, (column, _) in self.arguments.items() if column.table is self.table}


@dataclass(frozen=True, slots=True)
class Sortable:
    """A column that lists may be sorted by. A nullable one needs `null_as`, which stands for null in its index."""

    column: str
    null_as: str | None = None


TIMELINE = Interface(
    "TimelineEntry",
    field="at",
    description="Something that happened to a customer, with its moment.",
    field_description="When it happened.",
)
