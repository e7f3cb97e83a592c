"""Which GraphQL types streams give rise to: what is told of a change, the payloads of live queries, the subscription root.

Derived from the declarations like all others (schema_builder.py). What they mean is plan/changes.py's and operations.py's."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from hub.engine.catalog.catalog import Catalog, CatalogEntity, upper_snake
from hub.engine.graphql_types.type_factory import FieldSpec, TypeFactory

StreamCategory = Literal["changes", "live"]

CHANGE_OPERATIONS = (
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
GAP_REASONS = (
    ("RETENTION", "The changes between are no longer kept."),
    ("SLOW_CONSUMER", "The client did not take what was sent."),
    ("PERMISSIONS_CHANGED", "The key sees other rows than before."),
)
NODE_DESCRIPTION = (
    "The row as the change left it; of a DELETE or LEAVE, as it was. Links are read as they are now. Null when what the row was"
    " has been erased since. What is selected here decides what is told: an UPDATE that left all selected columns as they were is"
    " not (select `version` to be told of every one), and neither is any change of a type for which nothing is selected."
)
CHANGE_FIELDS = (
    FieldSpec("cursor", "Cursor", "The change's place in the order of all; `after` goes on behind it."),
    FieldSpec(
        "previousCursor", "Cursor", "The cursor that this stream gave before: where it is another, a message was lost."
    ),
    FieldSpec("operation", "ChangeOperation", "What became of the row, as this stream sees it."),
    FieldSpec("entity", "EntityType", "The row's type."),
    FieldSpec("entityId", "ID", "The row's id."),
    FieldSpec("customerId", "ID | None", "The customer whom the row belongs to."),
    FieldSpec("version", "int", "The row's version after the change; of a deleted row, its last one."),
    FieldSpec("changedFields", "list[str]", "The fields that the change gave another value."),
    FieldSpec("node", "Node | None", NODE_DESCRIPTION),
    FieldSpec(
        "actor",
        "str",
        "Who made the change: `key:` and the key's public id, `hub`, or `db:` and a role of the database.",
    ),
    FieldSpec("requestId", "str | None", "The request that made it."),
    FieldSpec("transactionId", "str", "Changes that were made together have the same; they need not be adjacent."),
    FieldSpec("at", "DateTime", "When the change was made."),
)
READY_FIELDS = (FieldSpec("cursor", "Cursor", "Everything up to here was told."),)
PROGRESS_FIELDS = (FieldSpec("cursor", "Cursor", "Nothing up to here concerns this stream."),)
GAP_FIELDS = (
    FieldSpec("from", "Cursor | None", "Behind this cursor something is missing."),
    FieldSpec("to", "Cursor", "From this cursor on, nothing is."),
    FieldSpec("reason", "GapReason", "Why."),
)
MESSAGE_TYPES = {
    "Change": ("What became of one row.", CHANGE_FIELDS),
    "StreamReady": ("What was asked for is told; what follows is new.", READY_FIELDS),
    "StreamProgress": ("A sign of life of a quiet stream, with a cursor to go on from.", PROGRESS_FIELDS),
    "StreamGap": ("Something could not be told: read the rows anew, then go on from `to`.", GAP_FIELDS),
}
QUERY_AFTER = FieldSpec(
    "after", "Cursor | None", "Only what lies behind this cursor; without it, all that the log still keeps."
)
SUBSCRIPTION_AFTER = FieldSpec(
    "after", "Cursor | None", "Only what lies behind this cursor; without it, what happens from now on."
)
FIRST_ARGUMENT = FieldSpec("first", "int | None", "How many messages at most; 20 without it.")


@dataclass(frozen=True, slots=True)
class StreamRoot:
    """What a root field of the subscription type means: changes, or the query root that it keeps alive."""

    category: StreamCategory
    query: str = ""  # the root of the query type
    field: str = ""  # where a payload holds its answer
    payload_type: str = ""  # the payload's type


def field_name(entity: CatalogEntity) -> str:
    """The name of a type as a field: `OrderItem` → `orderItem`."""
    return entity.name[0].lower() + entity.name[1:]


def _filter_specs(catalog: Catalog) -> Iterator[FieldSpec]:
    yield FieldSpec(
        "types", "list[EntityType] | None", "Only rows of these types; without it, those that have a filter here."
    )
    yield FieldSpec("operations", "list[ChangeOperation] | None", "Only these.")
    yield FieldSpec("ids", "list[ID] | None", "Only the rows of these ids; at most 100.")
    yield FieldSpec("customerId", "ID | None", "Only rows of this customer, and the customer itself.")
    yield FieldSpec("changedFields", "list[str] | None", "Only changes that gave one of these fields another value.")
    yield FieldSpec("excludeOwn", "bool | None", "Leaves out what was changed with the key that listens.")
    for entity in catalog.entities.values():
        description = f"Only {entity.name} rows that meet it, before the change or after."
        yield FieldSpec(field_name(entity), f"{entity.name}Filter | None", description)


def changes_root(factory: TypeFactory, catalog: Catalog) -> FieldSpec:
    """The types of what is told of changes; gives the root, as the query type has it."""
    values = [(upper_snake(entity.name), entity.declaration.description) for entity in catalog.entities.values()]
    factory.enum("EntityType", "The types of rows.", values)
    factory.value_enum("ChangeOperation", "What became of a row.", CHANGE_OPERATIONS)
    factory.value_enum("GapReason", "Why something could not be told.", GAP_REASONS)
    for name, (description, specs) in MESSAGE_TYPES.items():
        factory.output(name, description, specs)
    factory.union("StreamMessage", "What a stream of changes tells.", list(MESSAGE_TYPES))
    factory.input("ChangeFilter", "Which changes are told; all conditions must hold.", list(_filter_specs(catalog)))
    root_description = (
        "Changes in the order that is the same for all, behind a cursor. The selection is that of the subscription of this"
        " name. The last message is a StreamReady when nothing more has happened, else go on from the last cursor."
    )
    filter_argument = FieldSpec("filter", "ChangeFilter | None", "Which changes are told.")
    return FieldSpec("changes", "list[StreamMessage]", root_description, (QUERY_AFTER, FIRST_ARGUMENT, filter_argument))


def live_roots(
    factory: TypeFactory, catalog: Catalog, queries: Iterator[FieldSpec]
) -> Iterator[tuple[FieldSpec, StreamRoot]]:
    """The subscription roots: changes, and a live one for each root of the query type that is a row or a list."""
    changes_description = (
        "Changes as they happen, each once, in the order that is the same for all, from `after` on. Updates that leave what is"
        " selected under `node` as it was are not told."
    )
    filter_argument = FieldSpec("filter", "ChangeFilter | None", "Which changes are told.")
    yield (
        FieldSpec("changes", "StreamMessage", changes_description, (SUBSCRIPTION_AFTER, filter_argument)),
        StreamRoot("changes"),
    )
    for query in queries:
        payload_type = query.name[0].upper() + query.name[1:] + "Live"
        description = f"What `{query.name}` answers, and where in the order of changes that was."
        specs = [
            FieldSpec(
                "cursor", "Cursor", "Everything up to here is in the answer; `changes(after:)` goes on behind it."
            ),
            FieldSpec(query.name, query.annotation, query.description),
        ]
        factory.output(payload_type, description, specs)
        root = StreamRoot("live", query.name, query.name, payload_type)
        text = f"The answer of `{query.name}` now, and again whenever it becomes another."
        arguments = tuple(
            argument for argument in query.arguments if argument.name != "asOf"
        )  # what was stays as it was
        yield FieldSpec(f"{query.name}Live", payload_type, text, arguments), root


__all__ = ["MESSAGE_TYPES", "StreamRoot", "changes_root", "field_name", "live_roots"]
