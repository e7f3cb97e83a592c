"""Builds the GraphQL types of streams: messages of `changes`, payloads of live queries, fields of the subscription root.

plan/changes.py and plan/operations.py plan them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from hub.engine.catalog.catalog import Catalog, CatalogEntity
from hub.engine.graphql_types.history_types import ORIGIN_FIELDS
from hub.engine.graphql_types.type_factory import FieldSpec, TypeFactory

StreamCategory = Literal["changes", "live"]

CHANGE_OPERATIONS = (
    ("CREATE", "The row was created."),
    ("UPDATE", "The row was updated; this stream shows it before and after."),
    ("DELETE", "The row was deleted; `node` shows it as it was."),
    (
        "ENTER",
        "The row now matches the filter or became visible to this key. When a parent row moves to another unit, only the parent"
        " sends ENTER or LEAVE, not its parts.",
    ),
    (
        "LEAVE",
        "The row no longer matches the filter or is no longer visible to this key; `node` shows it as it was.",
    ),
)
GAP_REASONS = (
    ("RETENTION", "The change log no longer holds the missing changes."),
    ("SLOW_CONSUMER", "The client read too slowly."),
    ("PERMISSIONS_CHANGED", "The rows that the key may see have changed."),
)
NODE_DESCRIPTION = (
    "The row after the change; for DELETE and LEAVE, the row before it. Links return current rows. Null if the row's content"
    " has been erased since. The selection decides which changes are sent: an UPDATE is skipped if it changes no selected"
    " column (select `version` to receive every one). A type without selected fields sends no changes."
)
CHANGE_FIELDS = (
    FieldSpec("cursor", "Cursor", "The change's position in the global order; pass it as `after` to continue."),
    FieldSpec(
        "previousCursor",
        "Cursor",
        "The cursor of this stream's previous message; if it differs from yours, a message was lost.",
    ),
    FieldSpec("operation", "ChangeOperation", "The operation, as this stream sees it."),
    FieldSpec("entity", "EntityType", "The row's type."),
    FieldSpec("entityId", "ID", "The row's id."),
    FieldSpec("customerId", "ID | None", "The customer that the row belongs to."),
    FieldSpec(
        "redirectedTo",
        "ID | None",
        "Of a customer who was deleted by a merge: the customer who has its rows now, and whom its id leads to.",
    ),
    FieldSpec("version", "int", "The row's version after the change; for a deleted row, its last version."),
    FieldSpec("changedFields", "list[str]", "The fields whose values changed."),
    FieldSpec("node", "Node | None", NODE_DESCRIPTION),
    *ORIGIN_FIELDS,
    FieldSpec("at", "DateTime", "Time of the change."),
)
READY_FIELDS = (FieldSpec("cursor", "Cursor", "The stream has sent everything up to this cursor."),)
PROGRESS_FIELDS = (FieldSpec("cursor", "Cursor", "The stream has sent everything up to this cursor."),)
GAP_FIELDS = (
    FieldSpec("from", "Cursor | None", "Changes after this cursor are missing."),
    FieldSpec("to", "Cursor", "Changes after this cursor are complete again."),
    FieldSpec("reason", "GapReason", "Reason of the gap."),
)
MESSAGE_TYPES = {
    "Change": ("A change of one row.", CHANGE_FIELDS),
    "StreamReady": ("The stream has caught up; the following messages are new.", READY_FIELDS),
    "StreamProgress": ("A heartbeat of a quiet stream, with a cursor to resume from.", PROGRESS_FIELDS),
    "StreamGap": ("The stream could not send some changes: query the rows again, then resume from `to`.", GAP_FIELDS),
}
QUERY_AFTER = FieldSpec(
    "after", "Cursor | None", "Only changes after this cursor; by default, all changes in the change log."
)
SUBSCRIPTION_AFTER = FieldSpec(
    "after", "Cursor | None", "Only changes after this cursor; by default, changes from now on."
)
FIRST_ARGUMENT = FieldSpec("first", "int | None", "Number of messages, at most 100; 20 by default.")


@dataclass(frozen=True, slots=True)
class StreamRoot:
    """A root field of the subscription type: `changes`, or the live query of a query root."""

    category: StreamCategory
    query: str = ""  # the root field of the query type
    field: str = ""  # the payload's field for the result
    payload_type: str = ""  # the payload's type


def field_name(entity: CatalogEntity) -> str:
    """Returns the field name of an entity: `OrderItem` → `orderItem`."""
    return entity.name[0].lower() + entity.name[1:]


def _filter_specs(catalog: Catalog) -> Iterator[FieldSpec]:
    yield FieldSpec(
        "types",
        "list[EntityType] | None",
        "Only rows of these types; by default, the types with a filter here, or else all.",
    )
    yield FieldSpec("operations", "list[ChangeOperation] | None", "Only these operations.")
    yield FieldSpec("ids", "list[ID] | None", "Only rows with these ids; at most 100.")
    yield FieldSpec("customerId", "ID | None", "Only this customer and its rows.")
    yield FieldSpec("changedFields", "list[str] | None", "Only changes of the value of at least one of these fields.")
    yield FieldSpec("excludeOwn", "bool | None", "Omits changes made with the subscriber's own key.")
    for entity in catalog.with_past_rows:
        description = f"Only {entity.name} rows that match this filter before or after the change."
        yield FieldSpec(field_name(entity), f"{entity.name}Filter | None", description)


def changes_root(factory: TypeFactory, catalog: Catalog) -> FieldSpec:
    """Adds the message types of `changes`; returns its field of the query root."""
    values = [(entity.entity_type, entity.declaration.description) for entity in catalog.with_past_rows]
    factory.enum("EntityType", "Types of rows.", values)
    factory.value_enum(
        "ChangeOperation", "Kinds of changes of a row, as a stream or a key sees them.", CHANGE_OPERATIONS
    )
    factory.value_enum("GapReason", "Reason of a gap in the stream.", GAP_REASONS)
    for name, (description, specs) in MESSAGE_TYPES.items():
        factory.output(name, description, specs)
    factory.union("StreamMessage", "A message of a change stream.", list(MESSAGE_TYPES))
    factory.input("ChangeFilter", "Selects changes; all conditions must hold.", list(_filter_specs(catalog)))
    root_description = (
        "Changes after a cursor, in the global order. The selection works as in the subscription of this name. If the last"
        " message is a StreamReady, no more changes exist; otherwise continue from its cursor."
    )
    filter_argument = FieldSpec("filter", "ChangeFilter | None", "Selects changes.")
    return FieldSpec("changes", "list[StreamMessage]", root_description, (QUERY_AFTER, FIRST_ARGUMENT, filter_argument))


def live_roots(
    factory: TypeFactory, catalog: Catalog, queries: Iterator[FieldSpec]
) -> Iterator[tuple[FieldSpec, StreamRoot]]:
    """Yields the subscription roots: `changes`, and a live query for each query root of a row or a list."""
    changes_description = (
        "Changes as they happen, each once, in the global order, starting after `after`. Updates that change no column selected"
        " under `node` are skipped."
    )
    filter_argument = FieldSpec("filter", "ChangeFilter | None", "Selects changes.")
    yield (
        FieldSpec("changes", "StreamMessage", changes_description, (SUBSCRIPTION_AFTER, filter_argument)),
        StreamRoot("changes"),
    )
    for query in queries:
        payload_type = query.name[0].upper() + query.name[1:] + "Live"
        description = f"The result of `{query.name}` and its position in the global order of changes."
        specs = [
            FieldSpec(
                "cursor",
                "Cursor",
                "The result includes all changes up to this cursor; pass it to `changes(after:)` to continue.",
            ),
            FieldSpec(query.name, query.annotation, query.description),
        ]
        factory.output(payload_type, description, specs)
        root = StreamRoot("live", query.name, query.name, payload_type)
        text = f"The result of `{query.name}` now, and again whenever it changes."
        arguments = tuple(
            argument for argument in query.arguments if argument.name != "asOf"
        )  # a past result never changes
        yield FieldSpec(f"{query.name}Live", payload_type, text, arguments), root


__all__ = ["MESSAGE_TYPES", "StreamRoot", "changes_root", "field_name", "live_roots"]
