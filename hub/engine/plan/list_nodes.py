"""Parts of list plans: sort terms, pages, cursor bounds, search terms, cursor signing, keys of groups. nodes.py has the plans."""

from dataclasses import dataclass
from typing import Literal

from hub.engine.catalog.catalog import ColumnField
from hub.engine.plan.parameters import Parameter
from hub.engine.plan.predicates import AggregateExpression, AggregateFunctionName, Join
from hub.model.declarations import AscDesc


@dataclass(frozen=True, slots=True)
class SortTerm:
    """A sort key: a column of the row, an aggregate over joined rows, or a rank of the search. It is never null."""

    key: "SortColumn | AggregateExpression | Literal['rank', 'similarity', 'id']"
    direction: AscDesc


@dataclass(frozen=True, slots=True)
class SortColumn:
    """A column to sort by, and the value that replaces null."""

    column: str
    null_as: str | None


@dataclass(frozen=True, slots=True)
class CursorBound:
    """One end of a page: a parameter for each sort key in a cursor."""

    keys: tuple[Parameter, ...]


@dataclass(frozen=True, slots=True)
class PagePlan:
    """The page of a list: its size (a number or a parameter), its direction and its bounds."""

    size: int | Parameter
    backward: bool
    after: CursorBound | None
    before: CursorBound | None


@dataclass(frozen=True, slots=True)
class CodeSource:
    """Rows by whose codes a search finds the rows that they belong to, and the columns of the codes."""

    join: Join
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SearchTerms:
    """The searched text, its words, and the rows that are searched beside the list's own."""

    text: Parameter
    words: tuple[Parameter, ...]
    sources: tuple[CodeSource, ...]


@dataclass(frozen=True, slots=True)
class CursorSigning:
    """The parameters that sign the cursors of one list: the list's fingerprint and its signing key."""

    list_fingerprint: Parameter
    signing_key: Parameter


@dataclass(frozen=True, slots=True)
class GroupKey:
    """One part of a group's key: a column or a time bucket of one, of the row itself or of the row behind the joins.

    Without a column, it is the id. `path` has the names of the links and of the field."""

    path: tuple[str, ...]
    joins: tuple[Join, ...]
    column: ColumnField | None
    prefix: str
    nullable: bool
    bucket: str | None
    timezone: Parameter | None


@dataclass(frozen=True, slots=True)
class GroupAggregate:
    """An aggregate over the rows of a group, to sort by: a count, or a function of a column. Money has one currency."""

    function: AggregateFunctionName
    column: ColumnField | None
    currency: Parameter | None


@dataclass(frozen=True, slots=True)
class GroupSortTerm:
    """A sort key of groups: an aggregate, a part of the key by its index, or whether that part is null."""

    key: int | GroupAggregate
    direction: AscDesc
    by_null: bool = False
