"""Which GraphQL types the history of a row gives rise to. What they mean is revisions.py's.

Derived from the declarations like all others (types.py)."""

from hub.engine.catalog.catalog import HISTORY, Row
from hub.engine.graphql_types.type_factory import Slot

REVISION = (
    Slot("operation", "ChangeOperation", "What became of the row, as this key sees it."),
    Slot("version", "int", "The row's version after the change; of a deleted row, its last one."),
    Slot("changedFields", "list[str]", "The fields that the change gave another value."),
    Slot(
        "actor",
        "str",
        "Who made the change: `key:` and the key's public id, `hub`, or `db:` and a role of the database.",
    ),
    Slot("requestId", "str | None", "The request that made it."),
    Slot("transactionId", "str", "Changes that were made together have the same."),
    Slot("at", "DateTime", "When the change was made."),
)
ARGUMENTS = (
    Slot("first", "int | None", "How many changes, at most 100; 20 when it is not given."),
    Slot("after", "Cursor | None", "Only changes behind this cursor, which are older."),
    Slot("fields", "list[str] | None", "Only changes that gave one of these fields another value."),
    Slot("since", "DateTime | None", "Only changes at or after this moment."),
    Slot("until", "DateTime | None", "Only changes before this moment."),
)
KEPT = (
    "The row's changes, newest first, as far back as the log keeps them: for the days of HUB_CHANGE_RETENTION. Rights are those"
    " of today: what the key may not see of the row as it was is left out."
)


def revision_of(row: Row) -> str:
    """The name of the type of a row's changes."""
    return f"{row.name}Revision"


def revision(row: Row) -> list[Slot]:
    """The fields of one change."""
    of = f"{row.name} | None"
    return [
        *REVISION,
        Slot(
            "before",
            of,
            "The row as the change found it; null if there was none that the key may see. It has no links.",
        ),
        Slot(
            "after", of, "The row as the change left it; null if there is none that the key may see. It has no links."
        ),
    ]


def history(row: Row) -> Slot:
    """The field that every type has."""
    return Slot(HISTORY, f"{revision_of(row)}Connection", KEPT, ARGUMENTS)
