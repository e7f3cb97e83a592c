"""The audit log in the database: batches that wait, the chain of digests, erasure and pruning. hub/changefeed derives the keys.

Functions from migrations/ write the log, so that the hub's own database role can only add to it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import orjson

from hub.db.change_log import LONG_STATEMENT_SECONDS
from hub.db.pool import Connection

GENESIS = bytes(32)  # the digest before the first entry
BLOCK = 65_536  # entries whose digests have the same key
PAGE = 1_000  # batches, and changes, that are chained at once

_ADD = """
insert into audit_pending (kind, at, last_at, actor, staff_id, subject, network, operation, document, root_fields, requests,
    times, customer_id, targets)
select * from jsonb_to_recordset($1::text::jsonb) as entry (kind text, at timestamptz, last_at timestamptz, actor text,
    staff_id uuid, subject text, network text, operation text, document text, root_fields text[], requests text[],
    times integer, customer_id uuid, targets jsonb)
"""
_READ_HEAD = "select number, digest from audit_head"
_CHAIN = "select chained, last_number, more from hub_audit_chain($1, $2, $3, $4::text::jsonb, $5)"
_ERASE = """
select hub_audit_erase($1, array(
    select distinct coalesce(($2::text::jsonb) -> table_name ->> 'prefix', table_name) || '_' || replace(row_id::text, '-', '')
    from change_log where customer_id = $1
))
"""
_LAST_BEFORE = """
select number, digest from audit_chain where number = (
    select ('x' || right(replace(id::text, '-', ''), 16))::bit(64)::bigint - 1
    from audit_entries where created_at >= $1 order by id limit 1
)
"""
_PRUNE = "select hub_audit_prune($1, $2, $3, $4)"
_CHECKPOINT = "select number, digest, seal from audit_checkpoints order by number desc limit 1"
# The texts behind the digests are built from the columns here, not by a function of the database that is verified.
_ENTRIES = """
select c.number, c.header, c.targets, c.digest, e.kind, (extract(epoch from e.created_at) * 1000000)::bigint as micros,
    e.salt || jsonb_build_array(e.actor, e.staff_id, e.subject, e.network, e.operation, e.document, to_jsonb(e.root_fields),
        to_jsonb(e.requests), e.times, (extract(epoch from e.last_at) * 1000000)::bigint, e.viewer_customer_id)::text as contents,
    e.id is not null as stored,
    -- Columns beside the digest: a row is edited by its erasure alone, and has the number and the time of its entry.
    (e.version, e.updated_at) = (1, e.created_at)
        or (e.salt is null and e.version > 1 and e.updated_at > e.created_at) as entry_is_plain,
    coalesce(t.are_plain, true) as targets_are_plain, coalesce(t.ordinals, '{}') as ordinals, coalesce(t.texts, '{}') as texts,
    t.salts, t.rows
from (select * from audit_chain where number > $1 order by number limit $2) as c
left join audit_entries as e on e.id = lpad(to_hex(c.number), 32, '0')::uuid
left join lateral (
    select bool_and(id = (lpad(to_hex(c.number), 16, '0') || lpad(to_hex(ordinal), 16, '0'))::uuid and created_at = e.created_at
            and ((version, updated_at) = (1, created_at) or (version > 1 and updated_at > created_at
                and (salt is null or exists (select from unnest(row_ids) as row_id where row_id like '~%'))))
        ) as are_plain, array_agg(ordinal order by ordinal) as ordinals, array_agg(salt || jsonb_build_array(
        entity, operation, to_jsonb(fields), times, customer_id)::text order by ordinal) as texts,
        array_agg(salt order by ordinal) as salts, array_agg(to_jsonb(row_ids)::text order by ordinal) as rows
    from audit_targets where entry_id = lpad(to_hex(c.number), 32, '0')::uuid
) as t on true
order by c.number
"""
_LAST_AUDITED = """
select coalesce(
    (select min(o.id) - 1 from change_order as o where o.position > (select position from audit_head)), 9223372036854775807
)
"""
_HAS_WAITING = """
select exists (select from audit_pending)
    or exists (select from change_order where position > (select position from audit_head))
"""
# The number of an id that is none counts as the next one.
_UNCHAINED = """
select min(case when left(id::text, 18) <> '00000000-0000-0000' then $1::bigint + 1
    else ('x' || right(replace(id::text, '-', ''), 16))::bit(64)::bigint end) as number
from (select id from audit_entries union all select entry_id from audit_targets) as rows (id)
where not exists (select from audit_chain where lpad(to_hex(number), 32, '0')::uuid = id)
"""
_POSITION_AHEAD = """
select (select position from audit_head) > greatest((select max(position) from change_order), least_position - 1) from change_feed
"""


class AuditHead(NamedTuple):
    """The number and digest of an entry, or of the place before the first."""

    number: int
    digest: bytes


class ChainedBatch(NamedTuple):
    """The result of chaining one batch: how many entries, the number of the last one, whether more wait."""

    entries: int
    last_number: int
    more: bool


async def add_entries(connection: Connection, entries: Sequence[Mapping[str, Any]]) -> None:
    """Adds entries that the sequencer chains later; their keys are the columns of audit_pending."""
    await connection.execute(_ADD, orjson.dumps(entries).decode())


async def read_head(connection: Connection) -> AuditHead:
    """Returns the last number and digest that are stored as such; those before the first entry if somebody deleted them."""
    row = await connection.fetchrow(_READ_HEAD)
    return AuditHead(0, GENESIS) if row is None else AuditHead(*row.values())


async def chain_batch(
    connection: Connection, block: int, keys: Sequence[tuple[bytes, bytes]], names: str
) -> ChainedBatch | None:
    """Chains what waits, at most a page; `keys` are the padded keys of this block and the next, `names` is JSON.

    Returns None if the next entry is in another block."""
    inner, outer = [key[0] for key in keys], [key[1] for key in keys]
    row = await connection.fetchrow(_CHAIN, block, inner, outer, names, PAGE)
    assert row is not None
    return None if row["chained"] is None else ChainedBatch(*row.values())


async def erase_customer(tx: Connection, customer_id: UUID, names: str) -> int:
    """Erases what names a customer from entries; the digests stay. Returns the number of entries and targets erased."""
    erased: int = await tx.fetchval(_ERASE, customer_id, names, timeout=LONG_STATEMENT_SECONDS)
    return erased


async def last_entry_before(connection: Connection, moment: datetime) -> AuditHead | None:
    """Returns the entry before the first one of a time; None if nothing older is left."""
    row = await connection.fetchrow(_LAST_BEFORE, moment)
    return None if row is None else AuditHead(*row.values())


async def prune(connection: Connection, last: AuditHead, seal: bytes, batch: int) -> bool:
    """Deletes up to `batch` of the oldest entries, none after `last`, which a sealed checkpoint stands for.

    Returns whether there are more."""
    more: bool = await connection.fetchval(_PRUNE, last.number, last.digest, seal, batch)
    return more


async def read_checkpoint(connection: Connection) -> tuple[AuditHead, bytes] | None:
    """Returns the place where the log begins and its seal; None if it begins with the first entry."""
    row = await connection.fetchrow(_CHECKPOINT)
    return None if row is None else (AuditHead(row["number"], row["digest"]), row["seal"])


async def read_entries(connection: Connection, after: int, limit: int) -> list[asyncpg.Record]:
    """Returns the next entries of the chain with the texts behind their digests, which are null where they are erased."""
    rows: list[asyncpg.Record] = await connection.fetch(_ENTRIES, after, limit)
    return rows


async def first_unchained(connection: Connection, last_number: int) -> int | None:
    """Returns the least number of an entry or of a target's entry that the chain does not have, if there is one."""
    number: int | None = await connection.fetchval(_UNCHAINED, last_number)
    return number


async def is_position_ahead(connection: Connection) -> bool:
    """Returns whether the log claims changes that have no position yet: it would miss them."""
    ahead: bool | None = await connection.fetchval(_POSITION_AHEAD)
    return bool(ahead)


async def last_audited(connection: Connection) -> int:
    """Returns an id of the change log up to which every change with a position has an entry."""
    last_id: int = await connection.fetchval(_LAST_AUDITED)
    return last_id


async def has_waiting(connection: Connection) -> bool:
    """Returns whether anything waits to be chained."""
    waiting: bool = await connection.fetchval(_HAS_WAITING)
    return waiting
