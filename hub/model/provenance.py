"""What each source says of a row's fields, and when it said so last: written with the row, in its transaction.

Facts are JSON by field, `{"name": ["Ana", "2026-11-30T19:00:00.5"]}`; a JSON object that updates merge by key has one for each
of its keys, `attributes.vip`. New rows are recorded by a trigger, updates by the statement that `recording` makes."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from hub.db.pool import Connection
from hub.model import exact_json
from hub.model.columns import SOURCED
from hub.text_case import camel_case

MANUAL, UNKNOWN = "manual", "unknown"  # a person; SQL that names no source
NOBODY = "-"  # in place of a source: nothing is recorded, for rows come back or follow from others
FORMER = "former$"  # before the name of a column in RETURNING: its value before the update

_SOURCE = f"coalesce(nullif(current_setting('hub.source', true), ''), '{UNKNOWN}')"
_USE_SOURCE = "select set_config('hub.source', $1, true)"
_MERGE = """
on conflict (customer_id, source) do update set facts = source_records.facts || excluded.facts,
    observed_at = greatest(source_records.observed_at, excluded.observed_at),
    version = source_records.version + 1, updated_at = excluded.updated_at
"""
_COLUMNS = "(customer_id, source, facts, observed_at, created_at, updated_at)"
_RECORD = f"""
insert into source_records as source_records {_COLUMNS}
select said.customer_id, coalesce($4::text, {_SOURCE}), said.facts::jsonb, $3, $3, $3
from unnest($1::uuid[], $2::text[]) as said (customer_id, facts)
where exists (select from customers as c where c.id = said.customer_id)
{_MERGE}
"""

# Noted in the ledger of a merge, so that its undo takes it back.
_CHOOSE = f"""
with former as (select facts from source_records where customer_id = $1 and source = $2), said as (
    insert into source_records as source_records {_COLUMNS} values ($1, $2, $3::jsonb, $4, $4, $4)
    {_MERGE} returning id, version, facts
)
insert into merge_rows (merge_id, table_name, row_id, action, row_version, before, after)
select $5, 'source_records', id, 'CHOSEN', version, (select jsonb_build_object('facts', facts) from former),
    jsonb_build_object('facts', facts)
from said
"""
_UNCHOOSE = """
with chosen as (
    select row_id, before -> 'facts' as former, after -> 'facts' as facts from merge_rows
    where merge_id = $1 and table_name = 'source_records' and action = 'CHOSEN'
), gone as (
    delete from source_records as s using chosen as l where s.id = l.row_id and s.facts = l.facts and l.former is null
)
update source_records as s set facts = l.former, version = s.version + 1 from chosen as l
where s.id = l.row_id and s.facts = l.facts and l.former is not null
"""

# What sources said in one write: its fields, at its time. A source that says nothing any more has no record.
_FORGET = """
with said as (
    select s.id, coalesce((
        select jsonb_object_agg(key, value) from jsonb_each(s.facts)
        where not (split_part(key, '.', 1) = any($2) and (value ->> 1)::timestamp = $3::timestamptz at time zone 'UTC')
    ), '{}') as facts
    from source_records as s where s.customer_id = $1
), gone as (
    delete from source_records as s using said where s.id = said.id and said.facts = '{}' and s.facts <> '{}'
)
update source_records as s set facts = said.facts, version = s.version + 1, updated_at = $4 from said
where s.id = said.id and said.facts <> '{}' and said.facts <> s.facts
"""


def sourced_columns(table: sa.Table) -> tuple[str, ...]:
    """The columns of a table of which the hub keeps what each source says."""
    return tuple(column.name for column in table.c if column.info.get(SOURCED))


def merged_by_key(table: sa.Table) -> frozenset[str]:
    """Those among them that are JSON objects with a fact for each key."""
    return frozenset(name for name in sourced_columns(table) if isinstance(table.c[name].type, JSONB))


def former_values(table: sa.Table, names: Sequence[str]) -> list[sa.ColumnElement[Any]]:
    """What an update returns so that `recording` knows what changed: the columns, and former JSON objects."""
    columns: list[sa.ColumnElement[Any]] = [table.c[name] for name in names]
    objects = sorted(merged_by_key(table) & set(names))
    return [*columns, *(sa.literal_column(f'old."{name}"').label(f"{FORMER}{name}") for name in objects)]


def recording(text: str, table: sa.Table, names: Sequence[str], now: int) -> str:
    """A statement that runs an update and records what it says of the columns `names`, as the transaction's source.

    The update returns the key and `former_values`; `now` is the number of the parameter with the time."""
    stamp = f"(${now}::timestamptz at time zone 'UTC')"
    objects = merged_by_key(table)
    plain = [f"'{camel_case(name)}', jsonb_build_array(c.\"{name}\", {stamp})" for name in names if name not in objects]
    facts = [f"jsonb_build_object({', '.join(plain)})"] if plain else []
    facts += [_facts_by_key(name, stamp) for name in names if name in objects]
    return f"""
    with "changed$" as ({text}), "said$" as (
        insert into source_records as source_records {_COLUMNS}
        select c.id, {_SOURCE}, facts.said, ${now}::timestamptz, ${now}::timestamptz, ${now}::timestamptz
        from "changed$" as c cross join lateral (select {" || ".join(facts)}) as facts (said)
        where facts.said <> '{{}}'::jsonb
        {_MERGE}
    ) select id from "changed$"
    """


def _facts_by_key(name: str, stamp: str) -> str:
    """The keys of a JSON object that an update changed; one that it removed is null."""
    now, before = f'c."{name}"', f'c."{FORMER}{name}"'
    return f"""coalesce((
        select jsonb_object_agg('{camel_case(name)}.' || key, jsonb_build_array({now} -> key, {stamp}))
        from (select jsonb_object_keys({now}) as key union select jsonb_object_keys({before})) as keys
        where {now} -> key is distinct from {before} -> key
    ), '{{}}'::jsonb)"""


def facts_of(table: sa.Table, values: Mapping[str, Any], now: datetime) -> str:
    """The facts that values by column are, as JSON; columns without provenance are left out."""
    stamp = now.astimezone(UTC).replace(tzinfo=None).isoformat()
    facts: dict[str, Any] = {}
    for name in sourced_columns(table):
        if name not in values:
            continue
        value = values[name]
        if name in merged_by_key(table):
            facts |= {f"{camel_case(name)}.{key}": [part, stamp] for key, part in (value or {}).items()}
        else:
            facts[camel_case(name)] = [value.isoformat() if isinstance(value, date) else value, stamp]
    return exact_json.dumps(facts)


async def record(
    tx: Connection,
    table: sa.Table,
    values: Mapping[UUID, Mapping[str, Any]],
    now: datetime,
    source: str | None = None,
) -> None:
    """Records what a source says of rows, values by column; by default the transaction's source."""
    facts = {key: facts_of(table, columns, now) for key, columns in sorted(values.items())}
    said = {key: text for key, text in facts.items() if text != "{}"}
    if said:
        await tx.execute(_RECORD, list(said), list(said.values()), now, source)


async def changed_keys(
    tx: Connection, table: sa.Table, key: UUID, name: str, value: Mapping[str, Any]
) -> dict[str, Any]:
    """What an update would change in a row's JSON object: values by key, None for one that it removes."""
    stored = exact_json.loads(await tx.fetchval(f'select "{name}"::text from {table.name} where id = $1', key))
    return {part: value.get(part) for part in {**stored, **value} if value.get(part) != stored.get(part)}


async def use_source(tx: Connection, source: str) -> None:
    """Records what the rest of the transaction writes as said by this source."""
    await tx.execute(_USE_SOURCE, source)


async def forget(
    tx: Connection, table: sa.Table, key: UUID, columns: Sequence[str], written_at: datetime, now: datetime
) -> None:
    """Takes back what sources said by a write of these columns at a time. What they had said before does not come back."""
    fields = [camel_case(name) for name in sourced_columns(table) if name in columns]
    if fields:
        await tx.execute(_FORGET, key, fields, written_at, now)


async def record_choice(
    tx: Connection, table: sa.Table, key: UUID, values: Mapping[str, Any], source: str, merge: UUID, now: datetime
) -> None:
    """Records what somebody chose in a merge, as said by `source`, in a way that its undo takes back."""
    facts = facts_of(table, values, now)
    if facts != "{}":
        await tx.execute(_CHOOSE, key, source, facts, now, merge)


async def forget_choice(tx: Connection, merge: UUID) -> None:
    """Takes back what `record_choice` did, unless the source said something else since."""
    await tx.execute(_UNCHOOSE, merge)
