"""Which GraphQL types the history of a row gives rise to. What they mean is plan/history.py's.

Derived from the declarations like all others (schema_builder.py)."""

from hub.engine.catalog.catalog import HISTORY, CatalogEntity
from hub.engine.graphql_types.type_factory import FieldSpec

HISTORY_ENTRY_SPECS = (
    FieldSpec("operation", "ChangeOperation", "What became of the row, as this key sees it."),
    FieldSpec("version", "int", "The row's version after the change; of a deleted row, its last one."),
    FieldSpec("changedFields", "list[str]", "The fields that the change gave another value."),
    FieldSpec(
        "actor",
        "str",
        "Who made the change: `key:` and the key's public id, `hub`, or `db:` and a role of the database.",
    ),
    FieldSpec("requestId", "str | None", "The request that made it."),
    FieldSpec("transactionId", "str", "Changes that were made together have the same."),
    FieldSpec("at", "DateTime", "When the change was made."),
)
HISTORY_ARGUMENTS = (
    FieldSpec("first", "int | None", "How many changes, at most 100; 20 when it is not given."),
    FieldSpec("after", "Cursor | None", "Only changes behind this cursor, which are older."),
    FieldSpec("fields", "list[str] | None", "Only changes that gave one of these fields another value."),
    FieldSpec("since", "DateTime | None", "Only changes at or after this moment."),
    FieldSpec("until", "DateTime | None", "Only changes before this moment."),
)
HISTORY_DESCRIPTION = (
    "The row's changes, newest first, as far back as the log keeps them: for the days of HUB_CHANGE_RETENTION. Rights are those"
    " of today: what the key may not see of the row as it was is left out."
)


def revision_type_name(entity: CatalogEntity) -> str:
    """The name of the type of a row's changes."""
    return f"{entity.name}Revision"


def revision_fields(entity: CatalogEntity) -> list[FieldSpec]:
    """The fields of one change."""
    annotation = f"{entity.name} | None"
    return [
        *HISTORY_ENTRY_SPECS,
        FieldSpec(
            "before",
            annotation,
            "The row as the change found it; null if there was none that the key may see. It has no links.",
        ),
        FieldSpec(
            "after",
            annotation,
            "The row as the change left it; null if there is none that the key may see. It has no links.",
        ),
    ]


def history_field(entity: CatalogEntity) -> FieldSpec:
    """The field that every type has."""
    return FieldSpec(HISTORY, f"{revision_type_name(entity)}Connection", HISTORY_DESCRIPTION, HISTORY_ARGUMENTS)
