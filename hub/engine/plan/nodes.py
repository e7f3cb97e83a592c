"""The plan of an operation: a tree of frozen records without behaviour. It says what to read and holds no values.

operations.py plans documents, sql/ compiles plans to statements. Predicates are in predicates.py, values in parameters.py."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from hub.engine.catalog.catalog import CatalogEntity, ColumnField
from hub.engine.catalog.scalars import ScalarType
from hub.engine.plan.list_nodes import CursorSigning, GroupKey, GroupSortTerm, PagePlan, SearchTerms, SortTerm
from hub.engine.plan.parameters import ConditionSelection, ExpressionSelection, ObjectSource, Parameter
from hub.engine.plan.predicates import Join, Predicate
from hub.model.declarations import FieldResolver, Lookup, LookupScope
from hub.rights import CellRules

# -- selections ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Constant:
    """A text that the plan knows: `__typename`."""

    text: str


@dataclass(frozen=True, slots=True)
class ResolvedInPython:
    """A field that Python fills in, or that stays empty."""


@dataclass(frozen=True, slots=True)
class ColumnSelection:
    """A column's value as JSON; with a prefix, as an id."""

    column: str
    scalar: ScalarType
    prefix: str | None = None


@dataclass(frozen=True, slots=True)
class ObjectSelection:
    """A JSON object over a row: response keys and their values."""

    fields: tuple[tuple[str, "SelectionPlan"], ...]


@dataclass(frozen=True, slots=True)
class SelectionIndex:
    """The selection of a node of several types: its index in each MergedSourcePlan."""

    index: int


@dataclass(frozen=True, slots=True)
class ToOneSelection:
    """An object over at most one joined row."""

    join: Join
    selection: ObjectSelection


@dataclass(frozen=True, slots=True)
class UnionSelection:
    """The first of several joins whose key is set; with `type_column`, the one of the type that the column names."""

    choices: tuple[ToOneSelection, ...]
    type_column: str | None = None


@dataclass(frozen=True, slots=True)
class CellSelection:
    """A field that not every rule of the viewer's roles shows as it is: its value, masked or null by the row."""

    rules: CellRules
    value: "SelectionPlan"


@dataclass(frozen=True, slots=True)
class Nodes:
    """The rows of a page."""

    selection: "RowSelection"


@dataclass(frozen=True, slots=True)
class Edges:
    """The rows of a page with their cursors; a field is the cursor, a constant or the node's selection."""

    fields: tuple[tuple[str, "Constant | Literal['cursor'] | RowSelection"], ...]


@dataclass(frozen=True, slots=True)
class PageInfoPlan:
    """`pageInfo`; a field is a constant or the name of a field of PageInfo."""

    fields: tuple[tuple[str, "Constant | str"], ...]


@dataclass(frozen=True, slots=True)
class TotalCount:
    """The number of rows of the whole list."""


@dataclass(frozen=True, slots=True)
class MoneyByCurrency:
    """A list of amounts by currency; a field is `amount`, `currency` or a constant."""

    fields: tuple[tuple[str, "Constant | str"], ...]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One aggregate of `stats`; `money` is the selection of an amount."""

    function: Literal["sum", "avg", "min", "max"]
    column: ColumnField
    money: MoneyByCurrency | None


@dataclass(frozen=True, slots=True)
class Stats:
    """Aggregates over the whole list, nested as they are selected."""

    fields: tuple[tuple[str, "Constant | TotalCount | Aggregate | Stats"], ...]


ConnectionPart = Nodes | Edges | PageInfoPlan | TotalCount | Stats | Constant


@dataclass(frozen=True, slots=True)
class ConnectionPlan:
    """A connection: the rows, their order, the page, and the selected parts. Fewer rows than `minimum` count as none."""

    entity: CatalogEntity
    join: Join | None
    where: Predicate
    search: SearchTerms | None
    order: tuple[SortTerm, ...]
    page: PagePlan
    cursor_signing: CursorSigning | None
    parts: tuple[tuple[str, ConnectionPart], ...]
    minimum: int = 0


@dataclass(frozen=True, slots=True)
class MergedSourcePlan:
    """One type of a merged list: its rows, its time column, and its selections, which SelectionIndex refers to."""

    entity: CatalogEntity
    time_column: str
    selections: tuple[ObjectSelection, ...]
    check_visibility: bool  # the rows may be hidden even though the row above is visible


@dataclass(frozen=True, slots=True)
class MergedConnectionPlan:
    """A connection over several types, newest first; the selections in `parts` are SelectionIndex."""

    by: str
    sources: tuple[MergedSourcePlan, ...]
    since: Parameter | None
    until: Parameter | None
    page: PagePlan
    cursor_signing: CursorSigning | None
    parts: tuple[tuple[str, ConnectionPart], ...]


@dataclass(frozen=True, slots=True)
class RowImage:
    """The object of a row's image in a change: `before` or `after`."""

    side: str
    selection: ObjectSelection


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """The object of one change of a row: constants, columns of the log by their field names, and images."""

    fields: tuple[tuple[str, "Constant | str | RowImage"], ...]


@dataclass(frozen=True, slots=True)
class HistoryConnection:
    """A connection over the changes of a row, newest first; the selections in `parts` are HistoryEntry."""

    entity: CatalogEntity
    changed_columns: Parameter | None  # only changes of one of these columns
    since: Parameter | None
    until: Parameter | None
    page: PagePlan
    cursor_signing: CursorSigning | None
    parts: tuple[tuple[str, ConnectionPart], ...]
    check_visibility: bool  # the row itself may be hidden today


@dataclass(frozen=True, slots=True)
class Groups:
    """A grouped root, which is a connection over groups; the selections in `parts` are GroupSelection.

    Groups of fewer rows than `minimum` are left out."""

    entity: CatalogEntity
    where: Predicate
    search: SearchTerms | None
    keys: tuple[GroupKey, ...]
    order: tuple[GroupSortTerm, ...]
    page: PagePlan
    cursor_signing: CursorSigning | None
    parts: tuple[tuple[str, ConnectionPart], ...]
    minimum: int = 0


@dataclass(frozen=True, slots=True)
class GroupSelection:
    """The object of a group; a field is a constant, the aggregates or the key."""

    fields: tuple[tuple[str, "Constant | Stats | GroupKeyFields"], ...]


@dataclass(frozen=True, slots=True)
class GroupKeyFields:
    """The key object of a group, or of a link in it; a field is a constant, an index into the keys, or the object of a link.

    A field that is not grouped by is None."""

    fields: tuple[tuple[str, "Constant | int | GroupKeyFields | None"], ...]


@dataclass(frozen=True, slots=True)
class RowById:
    """A root: the row of an id; with `as_of`, as it was at that time."""

    entity: CatalogEntity
    key: Parameter
    selection: ObjectSelection
    as_of: Parameter | None = None


@dataclass(frozen=True, slots=True)
class RowByLookup:
    """A root: the row that a row of another table refers to."""

    entity: CatalogEntity
    lookup: Lookup = field(repr=False)
    arguments: tuple[tuple[str, Parameter], ...]
    selection: ObjectSelection

    @property
    def unscoped(self) -> LookupScope | None:
        """The scope that the lookup has and its arguments leave out: without it, some values match several rows."""
        scope, names = self.lookup.scope, [name for name, _ in self.arguments]
        return None if scope is None or scope.argument in names else scope


@dataclass(frozen=True, slots=True)
class RowsByIds:
    """A root: rows of any type by ids, with parameters for their types and keys. `single` gives one row and no list."""

    types: Parameter
    keys: Parameter
    selections: tuple[tuple[CatalogEntity, ObjectSelection], ...]
    single: bool
    as_of: Parameter | None = None


@dataclass(frozen=True, slots=True)
class RowsByKeys:
    """Rows of one type by their keys, as a JSON object from key to row: the rows that a resolver's keys name."""

    entity: CatalogEntity
    keys: Parameter
    selection: ObjectSelection


@dataclass(frozen=True, slots=True)
class LiteralValue:
    """A value of a command's outcome: a parameter of JSON text."""

    value: Parameter


@dataclass(frozen=True, slots=True)
class ResultRow:
    """The row of a result, by the index of its key in BulkResults."""

    entity: CatalogEntity
    key_index: int
    selection: ObjectSelection


@dataclass(frozen=True, slots=True)
class BulkResults:
    """A list of results: arrays of keys and of JSON objects. A field is a row, a constant, or (None) a field of the object."""

    keys: tuple[Parameter, ...]
    values: Parameter
    fields: tuple[tuple[str, "Constant | ResultRow | None"], ...]


@dataclass(frozen=True, slots=True)
class Payload:
    """A root of a mutation, or a group: rows and values of a command's outcome or of the viewer."""

    fields: tuple[tuple[str, "Constant | LiteralValue | RowById | ConnectionPlan | BulkResults | Payload"], ...]


MessageFields = tuple[tuple[str, str], ...]  # response keys and the fields of the message


@dataclass(frozen=True, slots=True)
class ChangeTypePlan:
    """Changes of one type: its selections by response key, its filter, and the columns that it watches (None: all)."""

    entity: CatalogEntity
    selections: tuple[tuple[str, ObjectSelection], ...]
    where: Predicate
    watched_columns: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class ChangeFilterPlan:
    """Conditions on the log's columns; `changed_columns` has a parameter for each type."""

    operations: Parameter | None
    keys: Parameter | None
    customer: Parameter | None
    changed_columns: Mapping[str, Parameter] = field(compare=False)
    exclude_own: bool


@dataclass(frozen=True, slots=True)
class ChangesPlan:
    """A root: changes by their positions; `messages` has the selected fields of each type of message."""

    types: tuple[ChangeTypePlan, ...]
    all_types: bool  # every type that the viewer knows
    log_filter: ChangeFilterPlan
    messages: Mapping[str, MessageFields] = field(compare=False)


@dataclass(frozen=True, slots=True)
class LivePayload:
    """A root of a live query: an answer, and the cursor of the position that it is true for."""

    fields: tuple[tuple[str, "Constant | Literal['cursor'] | RootNode"], ...]


RowSelection = ObjectSelection | SelectionIndex | HistoryEntry | GroupSelection  # of a row of a page
SelectionPlan = (
    Constant
    | ResolvedInPython
    | ColumnSelection
    | ExpressionSelection
    | ConditionSelection
    | ObjectSelection
    | ToOneSelection
    | UnionSelection
    | CellSelection
    | ConnectionPlan
    | MergedConnectionPlan
    | HistoryConnection
)
RootNode = (
    Constant | ResolvedInPython | RowById | RowByLookup | RowsByIds | ConnectionPlan | Groups | Payload | LivePayload
)

# -- values that Python adds ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ResolverField:
    """A resolver field in a selection: its response key, the hidden columns that it needs, and the plan of rows behind keys."""

    key: str
    resolver: FieldResolver = field(repr=False)
    hidden_columns: tuple[tuple[str, str], ...]
    scalar_names: tuple[str, ...]
    arguments: ObjectSource = field(compare=False)
    rows_plan: "Plan | None" = None


@dataclass(frozen=True, slots=True)
class ResolverTree:
    """The resolver fields of a JSON value, of its children by response key, and of the types behind an interface."""

    fields: tuple[ResolverField, ...] = ()
    children: tuple[tuple[str, "ResolverTree"], ...] = ()
    by_type: tuple[tuple[str, "ResolverTree"], ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """An operation, or a part of one, ready to become a statement."""

    roots: tuple[tuple[str, RootNode | RowsByKeys | ChangesPlan], ...]
    parameters: tuple[Parameter, ...]
    resolver_tree: ResolverTree | None
    custom_plan: bool  # Postgres plans it anew at each execution, because the best plan depends on the values
