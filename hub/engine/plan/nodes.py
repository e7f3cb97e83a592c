"""The plan of an operation: a tree of frozen records, without behaviour, that says what to read and holds no value.

operations.py makes plans of documents, sql/ makes statements of plans. Conditions, and Parameter, of which all values are, are
in predicates.py."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from hub.engine.catalog.catalog import CatalogEntity, ColumnField
from hub.engine.catalog.scalars import ScalarType
from hub.engine.plan.list_nodes import CursorSigning, PagePlan, SearchTerms, SortTerm
from hub.engine.plan.parameters import ObjectSource, Parameter
from hub.engine.plan.predicates import Join, Predicate
from hub.model.declarations import FieldResolver, Lookup

# -- selections ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Constant:
    """A text that is known already: `__typename`."""

    text: str


@dataclass(frozen=True, slots=True)
class ResolvedInPython:
    """A place that Python fills, or that stays empty."""


@dataclass(frozen=True, slots=True)
class ColumnSelection:
    """A column's value in its wire form; with a prefix, as an id."""

    column: str
    scalar: ScalarType
    prefix: str | None = None


@dataclass(frozen=True, slots=True)
class ObjectSelection:
    """A JSON object over a row: response keys and what stands there."""

    fields: tuple[tuple[str, "SelectionPlan"], ...]


@dataclass(frozen=True, slots=True)
class SelectionIndex:
    """A selection of each of several types: its number in its MergedSourcePlan."""

    index: int


@dataclass(frozen=True, slots=True)
class ToOneSelection:
    """An object over at most one joined row."""

    join: Join
    selection: ObjectSelection


@dataclass(frozen=True, slots=True)
class UnionSelection:
    """The first of several joins whose key is set."""

    choices: tuple[ToOneSelection, ...]


@dataclass(frozen=True, slots=True)
class Nodes:
    """The rows of a page."""

    selection: "ObjectSelection | SelectionIndex | HistoryEntry"


@dataclass(frozen=True, slots=True)
class Edges:
    """The rows of a page with their cursors; a field is a cursor, a constant or the node's selection."""

    fields: tuple[tuple[str, "Constant | Literal['cursor'] | ObjectSelection | SelectionIndex | HistoryEntry"], ...]


@dataclass(frozen=True, slots=True)
class PageInfoPlan:
    """Where the page lies; a field is a constant or the name of a fact."""

    fields: tuple[tuple[str, "Constant | str"], ...]


@dataclass(frozen=True, slots=True)
class TotalCount:
    """How many rows the whole list has."""


@dataclass(frozen=True, slots=True)
class MoneyByCurrency:
    """A list of amounts by currency; a field is `amount`, `currency` or a constant."""

    fields: tuple[tuple[str, "Constant | str"], ...]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One aggregate of `stats`; `money` gives the shape of an amount."""

    function: Literal["sum", "avg", "min", "max"]
    column: ColumnField
    money: MoneyByCurrency | None


@dataclass(frozen=True, slots=True)
class Stats:
    """Aggregates over the whole list: nested response keys down to counts and aggregates."""

    fields: tuple[tuple[str, "Constant | TotalCount | Aggregate | Stats"], ...]


ConnectionPart = Nodes | Edges | PageInfoPlan | TotalCount | Stats | Constant


@dataclass(frozen=True, slots=True)
class ConnectionPlan:
    """A connection: the rows, their order, the page, and the parts that were asked for."""

    entity: CatalogEntity
    join: Join | None
    where: Predicate
    search: SearchTerms | None
    order: tuple[SortTerm, ...]
    page: PagePlan
    cursor_signing: CursorSigning | None
    parts: tuple[tuple[str, ConnectionPart], ...]


@dataclass(frozen=True, slots=True)
class MergedSourcePlan:
    """One type of a merged list: its rows, the column of its moment, and its nodes' selections by part."""

    entity: CatalogEntity
    time_column: str
    selections: tuple[ObjectSelection, ...]


@dataclass(frozen=True, slots=True)
class MergedConnectionPlan:
    """A connection over several types, newest first; the selections in `parts` are of SelectionIndex."""

    by: str
    sources: tuple[MergedSourcePlan, ...]
    since: Parameter | None
    until: Parameter | None
    page: PagePlan
    cursor_signing: CursorSigning | None
    parts: tuple[tuple[str, ConnectionPart], ...]
    check_visibility: bool  # the rows may be hidden although the one that they hang on is not


@dataclass(frozen=True, slots=True)
class RowImage:
    """The object of a row as a change found it, or as it left it: `before` or `after`."""

    side: str
    selection: ObjectSelection


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """The object of one change of a row: constants, what the log says of the change by the field's name, and images."""

    fields: tuple[tuple[str, "Constant | str | RowImage"], ...]


@dataclass(frozen=True, slots=True)
class HistoryConnection:
    """A connection over the changes of a row, newest first; the selections in `parts` are of HistoryEntry."""

    entity: CatalogEntity
    changed_columns: Parameter | None  # only changes of one of these columns
    since: Parameter | None
    until: Parameter | None
    page: PagePlan
    cursor_signing: CursorSigning | None
    parts: tuple[tuple[str, ConnectionPart], ...]
    check_visibility: bool  # the row may be hidden today


@dataclass(frozen=True, slots=True)
class GroupKey:
    """One part of a group's key: a column, or the span of a time."""

    column: ColumnField
    bucket: str | None
    timezone: Parameter | None


@dataclass(frozen=True, slots=True)
class Groups:
    """Rows in groups: `parts` are `Total`, constants, or a group's fields."""

    entity: CatalogEntity
    where: Predicate
    search: SearchTerms | None
    keys: tuple[GroupKey, ...]
    by_count: bool
    size: int | Parameter
    parts: tuple[tuple[str, "Constant | TotalCount | GroupNodes"], ...]


@dataclass(frozen=True, slots=True)
class GroupNodes:
    """The groups themselves; a field is a constant, the aggregates, or the key's fields (numbers into the keys, or None)."""

    fields: tuple[tuple[str, "Constant | Stats | GroupKeyFields"], ...]


@dataclass(frozen=True, slots=True)
class GroupKeyFields:
    """The key object of a group."""

    fields: tuple[tuple[str, "Constant | int | None"], ...]


@dataclass(frozen=True, slots=True)
class RowById:
    """A root: the row of an id; with `as_of`, as it was then."""

    entity: CatalogEntity
    key: Parameter
    selection: ObjectSelection
    as_of: Parameter | None = None


@dataclass(frozen=True, slots=True)
class RowByLookup:
    """A root: the row that a row of another table points at."""

    entity: CatalogEntity
    lookup: Lookup = field(repr=False)
    arguments: tuple[tuple[str, Parameter], ...]
    selection: ObjectSelection


@dataclass(frozen=True, slots=True)
class RowsByIds:
    """A root: rows of any type by ids; one parameter for the types and one for the keys; `single` gives one, not a list."""

    types: Parameter
    keys: Parameter
    selections: tuple[tuple[CatalogEntity, ObjectSelection], ...]
    single: bool
    as_of: Parameter | None = None


@dataclass(frozen=True, slots=True)
class RowsByKeys:
    """Rows of one type by a list of keys, as a JSON object from key to row: what a resolver of keys is read with."""

    entity: CatalogEntity
    keys: Parameter
    selection: ObjectSelection


@dataclass(frozen=True, slots=True)
class LiteralValue:
    """A value that a command gave: a parameter of JSON text."""

    value: Parameter


@dataclass(frozen=True, slots=True)
class ResultRow:
    """The row of a result, by the number of its key among the keys of BulkResults."""

    entity: CatalogEntity
    key_index: int
    selection: ObjectSelection


@dataclass(frozen=True, slots=True)
class BulkResults:
    """A list of results: arrays of keys, one of JSON objects; a field is a row, a constant, or (None) the object's own."""

    keys: tuple[Parameter, ...]
    values: Parameter
    fields: tuple[tuple[str, "Constant | ResultRow | None"], ...]


@dataclass(frozen=True, slots=True)
class Payload:
    """A root of a mutation: the rows and values that its command's outcome names."""

    fields: tuple[tuple[str, Constant | LiteralValue | RowById | BulkResults], ...]


MessageFields = tuple[tuple[str, str], ...]  # response keys, and the fields of the message that stand there


@dataclass(frozen=True, slots=True)
class ChangeTypePlan:
    """Changes of one type: the objects over its images by response key, the filter, the columns that count (None: all)."""

    entity: CatalogEntity
    selections: tuple[tuple[str, ObjectSelection], ...]
    where: Predicate
    watched_columns: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class ChangeFilterPlan:
    """Conditions on what the log says of a change; `changed` has a parameter for each type."""

    operations: Parameter | None
    keys: Parameter | None
    customer: Parameter | None
    changed_columns: Mapping[str, Parameter] = field(compare=False)
    exclude_own: bool


@dataclass(frozen=True, slots=True)
class ChangesPlan:
    """A root: changes at given positions; `messages` says what of each kind of message is told."""

    types: tuple[ChangeTypePlan, ...]
    log_filter: ChangeFilterPlan
    messages: Mapping[str, MessageFields] = field(compare=False)


@dataclass(frozen=True, slots=True)
class LivePayload:
    """A root of a live query: an answer, and the place in the order of changes that it is true for, by response key."""

    fields: tuple[tuple[str, "Constant | Literal['cursor'] | RootNode"], ...]


SelectionPlan = (
    Constant
    | ResolvedInPython
    | ColumnSelection
    | ObjectSelection
    | ToOneSelection
    | UnionSelection
    | ConnectionPlan
    | MergedConnectionPlan
    | HistoryConnection
)
RootNode = (
    Constant | ResolvedInPython | RowById | RowByLookup | RowsByIds | ConnectionPlan | Groups | Payload | LivePayload
)

# -- what Python adds ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ResolverField:
    """A resolved field in a selection: where it stands, what it needs (hidden keys and their kinds), and the rows behind keys."""

    key: str
    resolver: FieldResolver = field(repr=False)
    hidden_columns: tuple[tuple[str, str], ...]
    scalar_names: tuple[str, ...]
    arguments: ObjectSource = field(compare=False)
    rows_plan: "Plan | None" = None


@dataclass(frozen=True, slots=True)
class ResolverTree:
    """Where resolved fields stand below a JSON value: fills of this object, and deeper places by response key.

    Lists on the way are entered; `by_type` tells apart the types behind an interface by a hidden key."""

    fields: tuple[ResolverField, ...] = ()
    children: tuple[tuple[str, "ResolverTree"], ...] = ()
    by_type: tuple[tuple[str, "ResolverTree"], ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """An operation, or a part of one, ready to become a statement."""

    roots: tuple[tuple[str, RootNode | RowsByKeys | ChangesPlan], ...]
    parameters: tuple[Parameter, ...]
    resolver_tree: ResolverTree | None
    custom_plan: bool  # planned anew by Postgres at every run, since its best way depends on the values
