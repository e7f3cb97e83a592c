"""The plan of an operation: a tree of frozen records, without behaviour, that says what to read and holds no value.

planner.py makes plans of documents, sql.py makes statements of plans. Conditions, and Slot, of which all values are, are
in conditions.py."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from hub.engine.catalog.catalog import Column, Row
from hub.engine.catalog.scalars import Wire
from hub.engine.plan.list_nodes import Cursors, Order, Page, Search
from hub.engine.plan.predicates import Join, Predicate, Run, Slot
from hub.model.declarations import FoundBy, Resolved

# -- selections ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Constant:
    """A text that is known already: `__typename`."""

    text: str


@dataclass(frozen=True, slots=True)
class Null:
    """A place that Python fills, or that stays empty."""


@dataclass(frozen=True, slots=True)
class Read:
    """A column's value in its wire form; with a prefix, as an id."""

    column: str
    wire: Wire
    prefix: str | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """A JSON object over a row: response keys and what stands there."""

    fields: tuple[tuple[str, "Selected"], ...]


@dataclass(frozen=True, slots=True)
class Variant:
    """A shape of each of several types: the number of the shape in its MergedSource."""

    number: int


@dataclass(frozen=True, slots=True)
class Single:
    """An object over at most one joined row."""

    join: Join
    shape: Shape


@dataclass(frozen=True, slots=True)
class Either:
    """The first of several joins whose key is set."""

    choices: tuple[Single, ...]


@dataclass(frozen=True, slots=True)
class Nodes:
    """The rows of a page."""

    shape: "Shape | Variant | Revision"


@dataclass(frozen=True, slots=True)
class Edges:
    """The rows of a page with their cursors; a field is a cursor, a constant or the node's shape."""

    fields: tuple[tuple[str, "Constant | Literal['cursor'] | Shape | Variant | Revision"], ...]


@dataclass(frozen=True, slots=True)
class PageInfo:
    """Where the page lies; a field is a constant or the name of a fact."""

    fields: tuple[tuple[str, "Constant | str"], ...]


@dataclass(frozen=True, slots=True)
class Total:
    """How many rows the whole list has."""


@dataclass(frozen=True, slots=True)
class Money:
    """A list of amounts by currency; a field is `amount`, `currency` or a constant."""

    fields: tuple[tuple[str, "Constant | str"], ...]


@dataclass(frozen=True, slots=True)
class StatFigure:
    """One figure of `stats`; `money` gives the shape of an amount."""

    function: Literal["sum", "avg", "min", "max"]
    column: Column
    money: Money | None


@dataclass(frozen=True, slots=True)
class Stats:
    """Figures over the whole list: nested response keys down to counts and figures."""

    fields: tuple[tuple[str, "Constant | Total | StatFigure | Stats"], ...]


Part = Nodes | Edges | PageInfo | Total | Stats | Constant


@dataclass(frozen=True, slots=True)
class Listing:
    """A connection: the rows, their order, the page, and the parts that were asked for."""

    row: Row
    join: Join | None
    where: Predicate
    search: Search | None
    order: tuple[Order, ...]
    page: Page
    cursors: Cursors | None
    parts: tuple[tuple[str, Part], ...]


@dataclass(frozen=True, slots=True)
class MergedSource:
    """One type of a merged list: its rows, the column of its moment, and its nodes' shapes by part."""

    row: Row
    at: str
    shapes: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class MergedListing:
    """A connection over several types, newest first; the shapes in `parts` are Variants."""

    by: str
    sources: tuple[MergedSource, ...]
    since: Slot | None
    until: Slot | None
    page: Page
    cursors: Cursors | None
    parts: tuple[tuple[str, Part], ...]
    check: bool  # the rows may be hidden although the one that they hang on is not


@dataclass(frozen=True, slots=True)
class Image:
    """The object of a row as a change found it, or as it left it: `before` or `after`."""

    side: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class Revision:
    """The object of one change of a row: constants, what the log says of the change by the field's name, and images."""

    fields: tuple[tuple[str, "Constant | str | Image"], ...]


@dataclass(frozen=True, slots=True)
class History:
    """A connection over the changes of a row, newest first; the shapes in `parts` are Revisions."""

    row: Row
    changed: Slot | None  # only changes of one of these columns
    since: Slot | None
    until: Slot | None
    page: Page
    cursors: Cursors | None
    parts: tuple[tuple[str, Part], ...]
    check: bool  # the row may be hidden today


@dataclass(frozen=True, slots=True)
class GroupKey:
    """One part of a group's key: a column, or the span of a time."""

    column: Column
    bucket: str | None
    timezone: Slot | None


@dataclass(frozen=True, slots=True)
class Groups:
    """Rows in groups: `parts` are `Total`, constants, or a group's fields."""

    row: Row
    where: Predicate
    search: Search | None
    keys: tuple[GroupKey, ...]
    by_count: bool
    size: int | Slot
    parts: tuple[tuple[str, "Constant | Total | GroupNodes"], ...]


@dataclass(frozen=True, slots=True)
class GroupNodes:
    """The groups themselves; a field is a constant, the figures, or the key's fields (numbers into the keys, or None)."""

    fields: tuple[tuple[str, "Constant | Stats | GroupKeyFields"], ...]


@dataclass(frozen=True, slots=True)
class GroupKeyFields:
    """The key object of a group."""

    fields: tuple[tuple[str, "Constant | int | None"], ...]


@dataclass(frozen=True, slots=True)
class ById:
    """A root: the row of an id; with `moment`, as it was then."""

    row: Row
    key: Slot
    shape: Shape
    moment: Slot | None = None


@dataclass(frozen=True, slots=True)
class ByOther:
    """A root: the row that a row of another table points at."""

    row: Row
    found_by: FoundBy
    arguments: tuple[tuple[str, Slot], ...]
    shape: Shape


@dataclass(frozen=True, slots=True)
class ByIds:
    """A root: rows of any type by ids; one parameter for the types and one for the keys; `single` gives one, not a list."""

    types: Slot
    keys: Slot
    shapes: tuple[tuple[Row, Shape], ...]
    single: bool
    moment: Slot | None = None


@dataclass(frozen=True, slots=True)
class Keyed:
    """Rows of one type by a list of keys, as a JSON object from key to row: what a resolver of keys is read with."""

    row: Row
    keys: Slot
    shape: Shape


@dataclass(frozen=True, slots=True)
class Told:
    """A value that a command gave: a parameter of JSON text."""

    value: Slot


@dataclass(frozen=True, slots=True)
class Chosen:
    """The row of a result, by the number of its key among the keys of Results."""

    row: Row
    number: int
    shape: Shape


@dataclass(frozen=True, slots=True)
class Results:
    """A list of results: arrays of keys, one of JSON objects; a field is a row, a constant, or (None) the object's own."""

    keys: tuple[Slot, ...]
    told: Slot
    fields: tuple[tuple[str, "Constant | Chosen | None"], ...]


@dataclass(frozen=True, slots=True)
class Payload:
    """A root of a mutation: the rows and values that its command's outcome names."""

    fields: tuple[tuple[str, Constant | Told | ById | Results], ...]


MessageFields = tuple[tuple[str, str], ...]  # response keys, and the fields of the message that stand there


@dataclass(frozen=True, slots=True)
class Imaged:
    """Changes of one type: the objects over its images by response key, the filter, the columns that count (None: all)."""

    row: Row
    shapes: tuple[tuple[str, Shape], ...]
    where: Predicate
    watched: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Listed:
    """Conditions on what the log says of a change; `changed` has a parameter for each type."""

    operations: Slot | None
    keys: Slot | None
    customer: Slot | None
    changed: Mapping[str, Slot] = field(compare=False)
    exclude_own: bool


@dataclass(frozen=True, slots=True)
class Changes:
    """A root: changes at given positions; `messages` says what of each kind of message is told."""

    types: tuple[Imaged, ...]
    listed: Listed
    messages: Mapping[str, MessageFields] = field(compare=False)


@dataclass(frozen=True, slots=True)
class Frame:
    """A root of a live query: an answer, and the place in the order of changes that it is true for, by response key."""

    fields: tuple[tuple[str, "Constant | Literal['cursor'] | RootNode"], ...]


Selected = Constant | Null | Read | Shape | Single | Either | Listing | MergedListing | History
RootNode = Constant | Null | ById | ByOther | ByIds | Listing | Groups | Payload | Frame

# -- what Python adds ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fill:
    """A resolved field in a selection: where it stands, what it needs (hidden keys and their kinds), and the rows behind keys."""

    key: str
    resolved: Resolved
    hidden: tuple[tuple[str, str], ...]
    kinds: tuple[str, ...]
    arguments: Callable[[Run], Mapping[str, Any]] = field(compare=False, repr=False)
    keyed: "Plan | None" = None


@dataclass(frozen=True, slots=True)
class Splice:
    """Where resolved fields stand below a JSON value: fills of this object, and deeper places by response key.

    Lists on the way are entered; `by_type` tells apart the types behind an interface by a hidden key."""

    fills: tuple[Fill, ...] = ()
    deeper: tuple[tuple[str, "Splice"], ...] = ()
    by_type: tuple[tuple[str, "Splice"], ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """An operation, or a part of one, ready to become a statement."""

    roots: tuple[tuple[str, RootNode | Keyed | Changes], ...]
    slots: tuple[Slot, ...]
    splice: Splice | None
    fresh: bool  # planned anew by Postgres at every run, since its best way depends on the values
