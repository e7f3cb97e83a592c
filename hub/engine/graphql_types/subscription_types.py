"""Which GraphQL types streams give rise to: what is told of a change, the frames of live queries, the subscription root.

Derived from the declarations like all others (types.py). What they mean is changes.py's and live.py's."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from hub.engine.catalog.catalog import Catalog, Row, shout
from hub.engine.graphql_types.type_factory import Names, Slot

StreamKind = Literal["changes", "live"]

OPERATIONS = (
    ("CREATE", "The row was made."),
    ("UPDATE", "The row was edited; it was shown before and after."),
    ("DELETE", "The row was deleted; what is told of it is what it was."),
    (
        "ENTER",
        "An edit brought the row into what is shown: by the stream's filter, or by the key's rights. Rows without a unit of"
        " their own come and go with the row that they belong to, of which alone it is told when it moves to another unit.",
    ),
    (
        "LEAVE",
        "An edit took the row out of what is shown; what is told of it is what it was before. See ENTER for what goes along.",
    ),
)
REASONS = (
    ("RETENTION", "The changes between are no longer kept."),
    ("SLOW_CONSUMER", "The client did not take what was sent."),
    ("PERMISSIONS_CHANGED", "The key sees other rows than before."),
)
NODE = (
    "The row as the change left it; of a DELETE or LEAVE, as it was. Links are read as they are now. Null when what the row was"
    " has been erased since. What is selected here decides what is told: an UPDATE that left all selected columns as they were is"
    " not (select `version` to be told of every one), and neither is any change of a type for which nothing is selected."
)
CHANGE = (
    Slot("cursor", "Cursor", "The change's place in the order of all; `after` goes on behind it."),
    Slot(
        "previousCursor", "Cursor", "The cursor that this stream gave before: where it is another, a message was lost."
    ),
    Slot("operation", "ChangeOperation", "What became of the row, as this stream sees it."),
    Slot("entity", "EntityType", "The row's type."),
    Slot("entityId", "ID", "The row's id."),
    Slot("customerId", "ID | None", "The customer whom the row belongs to."),
    Slot("version", "int", "The row's version after the change; of a deleted row, its last one."),
    Slot("changedFields", "list[str]", "The fields that the change gave another value."),
    Slot("node", "Node | None", NODE),
    Slot(
        "actor",
        "str",
        "Who made the change: `key:` and the key's public id, `hub`, or `db:` and a role of the database.",
    ),
    Slot("requestId", "str | None", "The request that made it."),
    Slot("transactionId", "str", "Changes that were made together have the same; they need not be adjacent."),
    Slot("at", "DateTime", "When the change was made."),
)
READY = (Slot("cursor", "Cursor", "Everything up to here was told."),)
PROGRESS = (Slot("cursor", "Cursor", "Nothing up to here concerns this stream."),)
GAP = (
    Slot("from", "Cursor | None", "Behind this cursor something is missing."),
    Slot("to", "Cursor", "From this cursor on, nothing is."),
    Slot("reason", "GapReason", "Why."),
)
MESSAGES = {
    "Change": ("What became of one row.", CHANGE),
    "StreamReady": ("What was asked for is told; what follows is new.", READY),
    "StreamProgress": ("A sign of life of a quiet stream, with a cursor to go on from.", PROGRESS),
    "StreamGap": ("Something could not be told: read the rows anew, then go on from `to`.", GAP),
}
BEHIND = Slot("after", "Cursor | None", "Only what lies behind this cursor; without it, all that the log still keeps.")
AFTER = Slot("after", "Cursor | None", "Only what lies behind this cursor; without it, what happens from now on.")
FIRST = Slot("first", "int | None", "How many messages at most; 20 without it.")


@dataclass(frozen=True, slots=True)
class StreamRoot:
    """What a root field of the subscription type means: changes, or the query root that it keeps alive."""

    kind: StreamKind
    query: str = ""  # the root of the query type
    field: str = ""  # where a frame holds its answer
    frame: str = ""  # the frame's type


def field_of(row: Row) -> str:
    """The name of a type as a field: `OrderItem` → `orderItem`."""
    return row.name[0].lower() + row.name[1:]


def _filter(catalog: Catalog) -> Iterator[Slot]:
    yield Slot(
        "types", "list[EntityType] | None", "Only rows of these types; without it, those that have a filter here."
    )
    yield Slot("operations", "list[ChangeOperation] | None", "Only these.")
    yield Slot("ids", "list[ID] | None", "Only the rows of these ids; at most 100.")
    yield Slot("customerId", "ID | None", "Only rows of this customer, and the customer itself.")
    yield Slot("changedFields", "list[str] | None", "Only changes that gave one of these fields another value.")
    yield Slot("excludeOwn", "bool | None", "Leaves out what was changed with the key that listens.")
    for row in catalog.rows.values():
        description = f"Only {row.name} rows that meet it, before the change or after."
        yield Slot(field_of(row), f"{row.name}Filter | None", description)


def changes(names: Names, catalog: Catalog) -> Slot:
    """The types of what is told of changes; gives the root, as the query type has it."""
    kinds = [(shout(row.name), row.declaration.description) for row in catalog.rows.values()]
    names.enum("EntityType", "The types of rows.", kinds)
    names.choices("ChangeOperation", "What became of a row.", OPERATIONS)
    names.choices("GapReason", "Why something could not be told.", REASONS)
    for name, (description, slots) in MESSAGES.items():
        names.output(name, description, slots)
    names.union("StreamMessage", "What a stream of changes tells.", list(MESSAGES))
    names.input("ChangeFilter", "Which changes are told; all conditions must hold.", list(_filter(catalog)))
    described = (
        "Changes in the order that is the same for all, behind a cursor. The selection is that of the subscription of this"
        " name. The last message is a StreamReady when nothing more has happened, else go on from the last cursor."
    )
    which = Slot("filter", "ChangeFilter | None", "Which changes are told.")
    return Slot("changes", "list[StreamMessage]", described, (BEHIND, FIRST, which))


def live(names: Names, catalog: Catalog, queries: Iterator[Slot]) -> Iterator[tuple[Slot, StreamRoot]]:
    """The subscription roots: changes, and a live one for each root of the query type that is a row or a list."""
    told = (
        "Changes as they happen, each once, in the order that is the same for all, from `after` on. Updates that leave what is"
        " selected under `node` as it was are not told."
    )
    which = Slot("filter", "ChangeFilter | None", "Which changes are told.")
    yield Slot("changes", "StreamMessage", told, (AFTER, which)), StreamRoot("changes")
    for query in queries:
        frame = query.name[0].upper() + query.name[1:] + "Live"
        described = f"What `{query.name}` answers, and where in the order of changes that was."
        slots = [
            Slot("cursor", "Cursor", "Everything up to here is in the answer; `changes(after:)` goes on behind it."),
            Slot(query.name, query.annotation, query.description),
        ]
        names.output(frame, described, slots)
        root = StreamRoot("live", query.name, query.name, frame)
        text = f"The answer of `{query.name}` now, and again whenever it becomes another."
        lasting = tuple(each for each in query.arguments if each.name != "asOf")  # what was stays as it was
        yield Slot(f"{query.name}Live", frame, text, lasting), root


__all__ = ["MESSAGES", "StreamRoot", "changes", "field_of", "live"]
