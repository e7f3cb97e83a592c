"""The GraphQL types of a row's history. plan/history.py plans them; schema_builder.py adds them to the schema."""

from hub.engine.catalog.catalog import HISTORY, CatalogEntity
from hub.engine.catalog.page_sizes import NESTED_PAGE
from hub.engine.graphql_types.type_factory import FieldSpec

# The origin of a change, in revisions and in messages of streams. Keys that are bound to a customer may not select it.
ORIGIN_FIELDS = tuple(
    FieldSpec(name, annotation, f"{description} A key that is bound to a customer may not select it.")
    for name, annotation, description in (
        ("actor", "str", "Author of the change: `key:` and the key's public id, `hub`, or `db:` and a database role."),
        ("requestId", "str | None", "Id of the request that made the change."),
        ("transactionId", "str", "Id of the transaction; its changes share it and need not be adjacent."),
    )
)
ORIGIN_FIELD_NAMES = frozenset(spec.name for spec in ORIGIN_FIELDS)
HISTORY_ENTRY_SPECS = (
    FieldSpec("operation", "ChangeOperation", "The change as this key sees it."),
    FieldSpec("version", "int", "The row's version after the change; for a deleted row, its last version."),
    FieldSpec("changedFields", "list[str]", "The fields whose values changed."),
    *ORIGIN_FIELDS,
    FieldSpec("at", "DateTime", "Time of the change."),
)
HISTORY_ARGUMENTS = (
    FieldSpec("first", "int | None", f"Number of changes, at most 100; {NESTED_PAGE} by default."),
    FieldSpec("after", "Cursor | None", "Only changes after this cursor, which are older."),
    FieldSpec("fields", "list[str] | None", "Only changes of the value of at least one of these fields."),
    FieldSpec("since", "DateTime | None", "Only changes at or after this time."),
    FieldSpec("until", "DateTime | None", "Only changes before this time."),
)
HISTORY_DESCRIPTION = (
    "The row's changes, newest first, for the days of HUB_CHANGE_RETENTION. The key's current permissions apply: past states of"
    " the row that it may not see are omitted."
)


def revision_type_name(entity: CatalogEntity) -> str:
    """Returns the name of the type of an entity's changes."""
    return f"{entity.name}Revision"


def revision_fields(entity: CatalogEntity) -> list[FieldSpec]:
    """Returns the fields of one change."""
    annotation = f"{entity.name} | None"
    return [
        *HISTORY_ENTRY_SPECS,
        FieldSpec(
            "before",
            annotation,
            "The row before the change; null if it did not exist or the key may not see it. Links cannot be selected.",
        ),
        FieldSpec(
            "after",
            annotation,
            "The row after the change; null if it does not exist or the key may not see it. Links cannot be selected.",
        ),
    ]


def history_field(entity: CatalogEntity) -> FieldSpec:
    """Returns the history field of an entity."""
    return FieldSpec(HISTORY, f"{revision_type_name(entity)}Connection", HISTORY_DESCRIPTION, HISTORY_ARGUMENTS)
