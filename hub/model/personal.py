"""The registry of personal data: of every stored column, whether it is personal and of which kind.

Fields of entities say it with `personal=`. Keys and the columns that every entity has are not personal by themselves: what
they lead to is. OTHER_TABLES holds what no declaration of an entity does. `hub personal` prints the registry."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from hub.model.columns import DescribedEnum

PERSONAL = "personal"  # the key of a column's `info`


class PersonalData(DescribedEnum):
    """Kinds of personal data."""

    NAME = "NAME", "What a person is called."
    CONTACT = "CONTACT", "How a person is reached: e-mail, telephone, messenger."
    ADDRESS = "ADDRESS", "Where a person lives, works or gets parcels."
    IDENTIFIER = "IDENTIFIER", "A number or key that stands for one person."
    PROFILE = "PROFILE", "What describes a person: language, title, kind, terms."
    BIRTH = "BIRTH", "Birth, age or sex."
    BEHAVIOUR = "BEHAVIOUR", "What a person did, chose, bought or agreed to, when, and what is concluded from it."
    FINANCIAL = "FINANCIAL", "What a person pays, owes or earns."
    FREE_TEXT = "FREE_TEXT", "Text or JSON that people and systems write freely: it may hold anything."
    TECHNICAL = "TECHNICAL", "Traces of a person's devices, keys and requests."
    COPY = "COPY", "A copy of other columns or of answers: every kind that they have."
    NOT_PERSONAL = "NOT_PERSONAL", "Nothing about a person."


class RegistryEntry(NamedTuple):
    """A stored column; `personal` is None where nothing says what it holds."""

    table: str
    column: str
    personal: PersonalData | None


# Tables that no entity declares, with every column that is more than a key, a number or a flag.
OTHER_TABLES: Mapping[str, Mapping[str, PersonalData]] = {
    "alembic_version": {"version_num": PersonalData.NOT_PERSONAL},
    "change_epochs": {"origin": PersonalData.NOT_PERSONAL, "at": PersonalData.NOT_PERSONAL},
    "audit_chain": {
        "digest": PersonalData.NOT_PERSONAL,
        "header": PersonalData.NOT_PERSONAL,
        "targets": PersonalData.NOT_PERSONAL,
    },
    "audit_checkpoints": dict.fromkeys(("digest", "seal"), PersonalData.NOT_PERSONAL),
    "audit_head": {"digest": PersonalData.NOT_PERSONAL},
    "audit_pending": {
        "actor": PersonalData.TECHNICAL,
        "at": PersonalData.BEHAVIOUR,
        "document": PersonalData.NOT_PERSONAL,
        "kind": PersonalData.NOT_PERSONAL,
        "last_at": PersonalData.BEHAVIOUR,
        "network": PersonalData.TECHNICAL,
        "operation": PersonalData.NOT_PERSONAL,
        "requests": PersonalData.TECHNICAL,
        "root_fields": PersonalData.NOT_PERSONAL,
        "subject": PersonalData.IDENTIFIER,
        "targets": PersonalData.COPY,
    },
    "calendar_editions": dict.fromkeys(
        ("timezone", "weekly", "exceptions", "replaced_at", "covers_from", "covers_until"), PersonalData.NOT_PERSONAL
    ),
    "change_exceptions": dict.fromkeys(("table_name", "column_name", "reason"), PersonalData.NOT_PERSONAL),
    "change_feed": {"forgotten": PersonalData.NOT_PERSONAL},
    "change_log": {
        "day": PersonalData.NOT_PERSONAL,
        "at": PersonalData.BEHAVIOUR,
        "transaction_id": PersonalData.NOT_PERSONAL,
        "table_name": PersonalData.NOT_PERSONAL,
        "operation": PersonalData.NOT_PERSONAL,
        "changed": PersonalData.NOT_PERSONAL,
        "before": PersonalData.COPY,
        "after": PersonalData.COPY,
        "actor": PersonalData.TECHNICAL,
        "request": PersonalData.TECHNICAL,
        "context": PersonalData.TECHNICAL,
    },
    "change_order": {},
    "code_counters": {"prefix": PersonalData.NOT_PERSONAL},
    "code_draws": dict.fromkeys(("prefix", "drawn_at"), PersonalData.NOT_PERSONAL),
    "dry_run_rows": {"token": PersonalData.NOT_PERSONAL, "columns": PersonalData.NOT_PERSONAL},
    "export_files": {
        **dict.fromkeys(("format", "compression", "rights"), PersonalData.NOT_PERSONAL),
        **dict.fromkeys(("written_at", "expires_at"), PersonalData.TECHNICAL),
    },
    "idempotency_records": {
        "key": PersonalData.NOT_PERSONAL,
        "fingerprint": PersonalData.NOT_PERSONAL,
        "answer": PersonalData.COPY,
        "cipher": PersonalData.NOT_PERSONAL,
        "stored_at": PersonalData.TECHNICAL,
    },
    "import_chunks": {"content": PersonalData.COPY},
    "import_files": {
        "owner": PersonalData.TECHNICAL,
        "name": PersonalData.FREE_TEXT,
        "created_at": PersonalData.NOT_PERSONAL,
    },
    "job_queue": {
        "arguments": PersonalData.COPY,
        "cursor": PersonalData.COPY,
        **dict.fromkeys(("queued_at", "due_at", "leased_until"), PersonalData.NOT_PERSONAL),
    },
    "key_limits": dict.fromkeys(("cost_capacity", "cost_refill"), PersonalData.NOT_PERSONAL),
    "login_links": {"hash": PersonalData.NOT_PERSONAL, "expires_at": PersonalData.TECHNICAL},
    "customer_redirects": {"merged_at": PersonalData.NOT_PERSONAL},
    "merge_rows": {
        **dict.fromkeys(("table_name", "action"), PersonalData.NOT_PERSONAL),
        **dict.fromkeys(("before", "after"), PersonalData.COPY),
    },
    "projections": dict.fromkeys(("name", "advanced_at", "error"), PersonalData.NOT_PERSONAL),
    "match_keys": {},
    "reevaluations": dict.fromkeys(("derivation", "subject_id", "moment"), PersonalData.NOT_PERSONAL),
    "match_models": {"parameters": PersonalData.NOT_PERSONAL, "trained_at": PersonalData.NOT_PERSONAL},
    "secrets": {"name": PersonalData.NOT_PERSONAL, "value": PersonalData.NOT_PERSONAL},
    "test_clock": {"now": PersonalData.NOT_PERSONAL},
    "timer_failures": {
        "timer": PersonalData.NOT_PERSONAL,
        "retry_at": PersonalData.NOT_PERSONAL,
        "error": PersonalData.FREE_TEXT,
        "failed_at": PersonalData.NOT_PERSONAL,
    },
    "token_sessions": {
        "public_id": PersonalData.TECHNICAL,
        "hash": PersonalData.NOT_PERSONAL,
        "key_fingerprint": PersonalData.NOT_PERSONAL,
        "issuer": PersonalData.NOT_PERSONAL,
        "audience": PersonalData.NOT_PERSONAL,
        "subject": PersonalData.IDENTIFIER,
        "roles": PersonalData.NOT_PERSONAL,
        "reference": PersonalData.TECHNICAL,
        "created_at": PersonalData.TECHNICAL,
        "expires_at": PersonalData.TECHNICAL,
        "ended_at": PersonalData.TECHNICAL,
    },
    # Documents are written by clients' developers, whose values are variables.
    "trusted_documents": dict.fromkeys(("loaded_at", "manifest", "text", "id"), PersonalData.NOT_PERSONAL),
    "webhook_progress": dict.fromkeys(("failing_since", "rights"), PersonalData.NOT_PERSONAL),
    "webhook_queue": {"due_at": PersonalData.NOT_PERSONAL, "body": PersonalData.COPY},
    "working_intervals": dict.fromkeys(("starts_at", "ends_at"), PersonalData.NOT_PERSONAL),
    "webhook_secrets": {"box": PersonalData.NOT_PERSONAL, "ends_at": PersonalData.NOT_PERSONAL},
}
# Types of columns in OTHER_TABLES that hold nothing about a person by themselves.
BARE_TYPES = frozenset({"uuid", "bigint", "integer", "boolean"})


def personal_of_field(personal: PersonalData | None, sql_type: Any, *, about_people: bool) -> PersonalData | None:
    """The kind of an entity's field; None where neither its declaration nor its type says so.

    In tables about no person, what is no text, JSON or binary is not personal."""
    if personal is not None or about_people:
        return personal
    is_code = isinstance(sql_type, sa.Enum)
    is_free = isinstance(sql_type, sa.Text | JSONB | sa.LargeBinary | sa.ARRAY) and not is_code
    return None if is_free else PersonalData.NOT_PERSONAL


def entries(table: sa.Table) -> Iterator[RegistryEntry]:
    """What the columns of an entity's table hold."""
    for column in table.c:
        yield RegistryEntry(table.name, column.name, column.info.get(PERSONAL))


def entries_of_other_tables() -> Iterator[RegistryEntry]:
    """What the columns of other tables hold that are more than a key, a number or a flag."""
    for table, columns in OTHER_TABLES.items():
        yield from (RegistryEntry(table, column, personal) for column, personal in columns.items())


def entry_of_other(table: str, column: str, data_type: str) -> RegistryEntry:
    """What a column of a table that no entity declares holds; `data_type` is the name of its type in Postgres."""
    personal = OTHER_TABLES.get(table, {}).get(column)
    if personal is None and table in OTHER_TABLES and data_type in BARE_TYPES:
        personal = PersonalData.NOT_PERSONAL
    return RegistryEntry(table, column, personal)
