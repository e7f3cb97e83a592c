"""The queue of webhook deliveries: progress of each webhook, enqueueing, leases, results and redaction.

Every function takes the current time as an argument, so that leases and schedules agree on all nodes and in tests."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import asyncpg

from hub.db.pool import Connection

QueueRow = asyncpg.Record
QueueRows = list[QueueRow]
LEASE_DURATION = timedelta(seconds=30)

# Session settings of the webhook worker. Statistics see an empty queue, but it is long under load: index scans are forced. The
# same connections render changes, for which generic plans are better (change_positions.MESSAGE_SESSION). With synchronous_commit
# off, a crash of the database may lose the last results together with the progress: the deliveries are sent again.
SESSION_SETTINGS = {
    "hub.actor": "hub",
    "synchronous_commit": "off",
    "idle_in_transaction_session_timeout": "20000",  # while documents are executed on another connection
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_generic_plan",
}

_ANY_ACTIVE = "select exists (select from webhooks where status = 'ACTIVE')"
_ACTIVE_OWNERS = "select id, owner from webhooks where status = 'ACTIVE'"
# Erasure and enqueueing exclude each other: else a change read before the erasure could be queued after it.
LOCK_ENQUEUING_SHARED = "select pg_advisory_xact_lock_shared(hashtextextended('webhook enqueuing', 0))"
_LOCK_ENQUEUING = "select pg_advisory_xact_lock(hashtextextended('webhook enqueuing', 0))"
_LOCK_BEHIND = """
select w.id, w.version, w.owner, w.query, w.variables, w.operation_name, w.coalesce_seconds, p.position, p.last_sent_position
from webhook_progress as p join webhooks as w on w.id = p.webhook_id
cross join lateral (
    select greatest(1, least($2, $4 / count(*))) as queued from webhooks as o where o.owner = w.owner and o.status = 'ACTIVE'
) as allowed
where w.status = 'ACTIVE' and p.position < $1 and (
    select count(*) from (
        select from webhook_queue as q where q.webhook_id = w.id and q.due_at is not null limit allowed.queued
    ) as waiting
) < allowed.queued
order by p.position, p.webhook_id limit $3 for update of p skip locked
"""
_SAVE_PROGRESS = """
update webhook_progress as p set position = g.position, last_sent_position = g.last_sent_position
from unnest($1::uuid[], $2::bigint[], $3::bigint[]) as g (webhook_id, position, last_sent_position)
where p.webhook_id = g.webhook_id
"""
# Coalescing: of several unsent changes of a row, only the last is sent, at the due time of the first.
_FOLD = """
with folded as (
    delete from webhook_queue as q where q.delivery_id = any(array(
        select b.delivery_id
        from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[]) as g (webhook_id, ordering_key, row_id, position)
        cross join lateral (
            select b.delivery_id from webhook_queue as b
            where b.webhook_id = g.webhook_id and b.ordering_key = g.ordering_key and b.row_id = g.row_id
                and b.position < g.position and b.attempts = 0 and b.lease is null and b.due_at is not null
        ) as b
    )) and q.lease is null  -- it may have been leased while this statement waited for its lock
    returning q.delivery_id, q.webhook_id, q.row_id, q.due_at
), marked_folded as (
    update webhook_deliveries as d set status = 'FOLDED', next_attempt_at = null, version = d.version + 1, updated_at = $5
    where d.id = any(array(select delivery_id from folded))
)
select webhook_id, row_id, min(due_at) as due_at from folded group by webhook_id, row_id
"""
_ENQUEUE = """
with input as (
    select g.*, case when g.wait = 0 then $11 else coalesce(g.folded, (
        select min(q.due_at) from webhook_queue as q where q.webhook_id = g.webhook_id and q.ordering_key = g.ordering_key
            and q.attempts = 0 and q.lease is null and q.due_at > $11
    ), $11 + make_interval(secs => g.wait)) end as due_at
    from unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::uuid[], $6::bigint[], $7::text[], $8::bytea[], $9::int[],
        $10::timestamptz[]) as g (id, webhook_id, owner, ordering_key, row_id, position, cursor, body, wait, folded)
), stored as (
    insert into webhook_deliveries as d
        (id, owner, webhook_id, customer_id, cursor, status, next_attempt_at, created_at, updated_at)
    select g.id, g.owner, g.webhook_id, c.id, g.cursor, 'PENDING', g.due_at, $11, $11
    from input as g left join customers as c on c.id = g.ordering_key
    on conflict (id) do update
        set status = 'PENDING', next_attempt_at = excluded.next_attempt_at, reason = null,
            version = d.version + 1, updated_at = $11
        where d.status in ('DELIVERED', 'DEAD', 'FOLDED')
)
insert into webhook_queue as q (delivery_id, webhook_id, ordering_key, row_id, position, due_at, body)
select g.id, g.webhook_id, g.ordering_key, g.row_id, g.position, g.due_at, g.body from input as g
on conflict (delivery_id) do update set due_at = excluded.due_at, attempts = 0, body = excluded.body where q.due_at is null
"""
_NOTE_RIGHTS = """
update webhook_progress as p set rights = g.rights from unnest($1::uuid[], $2::bytea[]) as g (webhook_id, rights)
where p.webhook_id = g.webhook_id and p.rights is distinct from g.rights
returning p.webhook_id, old.rights is not null as changed
"""
_CLEAR_BODIES_OF_WEBHOOKS = "update webhook_queue set body = null where webhook_id = any($1) and body is not null"
_DELETE_CUSTOMER_DELIVERIES = "delete from webhook_deliveries where customer_id = $1"
# Reassigned rows and identity reviews that name the customer are queued under another ordering key: their bodies are cleared
# and rendered again from the redacted log.
_CLEAR_BODIES = """
update webhook_queue set body = null where delivery_id in (
    select q.delivery_id from webhook_queue as q join change_order as o on o.position = q.position
    join change_log as l on l.id = o.id where l.before ->> 'customer_id' = $1::uuid::text
        or l.table_name = 'identity_reviews' and coalesce(l.after, l.before) ->> 'other_id' = $1::uuid::text
)
"""
# A receiver's response may echo the request. An attempt has no customer_id; its delivery has.
_REDACT_ANSWERS = """
update change_log set before = before - 'answer', after = after - 'answer'
where table_name = 'webhook_attempts' and (coalesce(after, before) ->> 'delivery_id')::uuid in (
    select row_id from change_log where table_name = 'webhook_deliveries' and customer_id = $1
)
"""
# A webhook's changes of one customer share an ordering key: only the first of them may be leased. Each webhook leases at most its
# own capacity, whatever the others lease.
_LEASE = """
with chosen as (
    select due.delivery_id from webhooks as w
    left join unnest($2::uuid[], $3::text[], $4::int[]) as capacity (id, url, available)
        on capacity.id = w.id and capacity.url = w.url
    cross join lateral (
        select q.delivery_id, q.due_at, q.position from webhook_queue as q
        where q.webhook_id = w.id and q.due_at <= $1 and q.body is not null and q.position = (
            select first.position from webhook_queue as first
            where first.webhook_id = q.webhook_id and first.ordering_key = q.ordering_key and first.due_at is not null
            order by first.position limit 1
        )
        order by q.due_at, q.position limit coalesce(capacity.available, $5) for update of q skip locked
    ) as due
    where w.status = 'ACTIVE' and coalesce(capacity.available, $5) > 0
    order by due.due_at, due.position limit $6
)
update webhook_queue as q set due_at = $1 + $8::interval, lease = $7, attempts = q.attempts + 1
from webhooks as w where q.delivery_id = any(array(select delivery_id from chosen)) and w.id = q.webhook_id
returning q.delivery_id, q.webhook_id, q.lease, q.attempts, q.body, w.url, hub_webhook_boxes(q.webhook_id, $1) as boxes
"""
# Rows are looked up by a list of keys, and their values by their index in that list: join plans are unreliable, because the
# tables' statistics are never up to date.
_STORE_RESULTS = """
with leased as (
    select q.delivery_id, q.webhook_id, q.ordering_key, q.position, array_position($1::uuid[], q.delivery_id) as n
    from webhook_queue as q
    where q.delivery_id = any($1) and q.lease = ($9::uuid[])[array_position($1, q.delivery_id)] for update
), removed as (
    delete from webhook_queue as q
    where q.delivery_id = any(array(select delivery_id from leased where ($2::text[])[n] = 'DELIVERED'))
), rescheduled as (
    update webhook_queue as q set due_at = ($3::timestamptz[])[array_position($1, q.delivery_id)], lease = null
    where q.delivery_id = any(array(select delivery_id from leased where ($2)[n] <> 'DELIVERED'))
), updated as (
    update webhook_deliveries as d set status = ($2)[array_position($1, d.id)], attempts = d.attempts + 1,
        next_attempt_at = ($3)[array_position($1, d.id)],
        delivered_at = case ($2)[array_position($1, d.id)]
            when 'DELIVERED' then ($4::timestamptz[])[array_position($1, d.id)] else d.delivered_at end,
        reason = case when ($2)[array_position($1, d.id)] <> 'DELIVERED' then coalesce(
            ($7::text[])[array_position($1, d.id)], 'The receiver answered ' || ($5::int[])[array_position($1, d.id)] || '.'
        ) end,
        version = d.version + 1, updated_at = ($4)[array_position($1, d.id)]
    where d.id = any(array(select delivery_id from leased))
    returning d.id, d.owner, d.attempts, array_position($1, d.id) as n
), tried as (
    insert into webhook_attempts (owner, delivery_id, number, status_code, milliseconds, error, answer, created_at, updated_at)
    select owner, id, attempts, ($5)[n], ($6::int[])[n], ($7)[n], ($8::text[])[n], ($4)[n], ($4)[n] from updated
), recovered as (
    update webhook_progress set failing_since = null where failing_since is not null
        and webhook_id = any(array(select webhook_id from leased where ($2)[n] = 'DELIVERED'))
)
select webhook_id, ordering_key, position, ($2)[n] as status, ($3)[n] as due_at from leased
"""
# Deliveries behind one that is retried later are not due before it.
_DELAY_ORDERING_KEY = """
update webhook_queue as q
set due_at = (
    select max(g.due_at) from unnest($2::uuid[], $4::timestamptz[]) as g (ordering_key, due_at)
    where g.ordering_key = q.ordering_key
)
where q.delivery_id = any(array(
    select b.delivery_id
    from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::timestamptz[]) as g (webhook_id, ordering_key, position, due_at)
    cross join lateral (
        select b.delivery_id from webhook_queue as b where b.webhook_id = g.webhook_id and b.ordering_key = g.ordering_key
            and b.position > g.position and b.due_at < g.due_at and b.lease is null
    ) as b
))
"""
_MARK_FAILING = """
with begun as (
    update webhook_progress set failing_since = $2 where webhook_id = any($1) and failing_since is null
    returning webhook_id, failing_since
)
select webhook_id, failing_since from begun union all
select webhook_id, failing_since from webhook_progress where webhook_id = any($1) and failing_since is not null
"""
_RELEASE_LEASE = """
update webhook_queue set due_at = $3, lease = null, attempts = attempts - 1 where delivery_id = any($1) and lease = $2
"""
_PAUSE = """
update webhooks set status = $2, status_reason = $3, version = version + 1, updated_at = $4
where id = $1 and status = 'ACTIVE' and url = coalesce($5, url)
returning id
"""
_SET_STATUS_REASON = "update webhooks set status_reason = $2, version = version + 1, updated_at = $3 where id = $1"


class Capacity(NamedTuple):
    """How many deliveries of a webhook may be in flight to its URL."""

    webhook: UUID
    url: str
    available: int


class QueuedDelivery(NamedTuple):
    """A change to deliver to a webhook, with the body to send."""

    id: UUID
    webhook: UUID
    owner: str
    ordering_key: UUID
    row: UUID
    position: int
    cursor: str
    body: bytes
    coalesce_seconds: int


class AttemptResult(NamedTuple):
    """The result of an attempt; `due_at` is the time of the next attempt, if any."""

    delivery: UUID
    status: str
    due_at: datetime | None
    attempted_at: datetime
    code: int | None
    milliseconds: int
    error: str | None
    answer: str | None
    lease: UUID


class StoredResult(NamedTuple):
    """A result that was stored."""

    webhook: UUID
    ordering_key: UUID
    position: int
    status: str
    due_at: datetime | None


async def any_active(tx: Connection) -> bool:
    """Whether any webhook is active."""
    is_active: bool = await tx.fetchval(_ANY_ACTIVE)
    return is_active


async def active_owners(tx: Connection) -> dict[UUID, str]:
    """Returns the public id of the API key that owns each active webhook."""
    return {row["id"]: row["owner"] for row in await tx.fetch(_ACTIVE_OWNERS)}


async def follow_rights(tx: Connection, rights: Mapping[UUID, bytes]) -> None:
    """Notes with which rights webhooks are rendered now; bodies that were rendered with others are rendered again."""
    rows = await tx.fetch(_NOTE_RIGHTS, list(rights), list(rights.values()))
    changed = [row["webhook_id"] for row in rows if row["changed"]]
    if changed:
        await tx.execute(_CLEAR_BODIES_OF_WEBHOOKS, changed)


async def lock_behind(
    tx: Connection, last_position: int, max_waiting: int, max_waiting_of_key: int, limit: int
) -> QueueRows:
    """Returns webhooks with unread changes, locked until the transaction ends, but none with a full queue.

    A queue is full with `max_waiting` deliveries, or with its part of what the webhooks of its key may queue together."""
    await tx.execute(LOCK_ENQUEUING_SHARED)
    return await tx.fetch(_LOCK_BEHIND, last_position, max_waiting, limit, max_waiting_of_key)


async def enqueue(tx: Connection, deliveries: Sequence[QueuedDelivery], now: datetime) -> None:
    """Enqueues deliveries. A delivery that is finished is sent again; one that is still queued is not changed."""
    last_positions = {
        (delivery.webhook, delivery.ordering_key, delivery.row): delivery.position
        for delivery in deliveries
        if delivery.coalesce_seconds
    }
    due_times: dict[tuple[UUID, UUID], datetime] = {}
    if last_positions:
        rows = await tx.fetch(_FOLD, *map(list, zip(*last_positions, strict=True)), list(last_positions.values()), now)
        due_times = {(row["webhook_id"], row["row_id"]): row["due_at"] for row in rows}
        deliveries = [
            delivery
            for delivery in deliveries
            if not delivery.coalesce_seconds
            or last_positions[delivery.webhook, delivery.ordering_key, delivery.row] == delivery.position
        ]
    folded = [due_times.get((delivery.webhook, delivery.row)) for delivery in deliveries]
    await tx.execute(_ENQUEUE, *map(list, zip(*deliveries, strict=True)), folded, now)


async def save_progress(tx: Connection, progress: dict[UUID, tuple[int, int]]) -> None:
    """Stores the progress of webhooks: the position read, and the position of the last change sent."""
    positions = list(progress.values())
    await tx.execute(_SAVE_PROGRESS, list(progress), [pair[0] for pair in positions], [pair[1] for pair in positions])


async def lease(
    tx: Connection, now: datetime, capacities: Sequence[Capacity], default_capacity: int, limit: int, lease_id: UUID
) -> QueueRows:
    """Leases due deliveries: per webhook up to its capacity, and only the first of each ordering key."""
    ids, urls, free = [list(column) for column in zip(*capacities, strict=True)] or [[], [], []]
    return await tx.fetch(_LEASE, now, ids, urls, free, default_capacity, limit, lease_id, LEASE_DURATION)


async def store_results(tx: Connection, results: Sequence[AttemptResult]) -> list[StoredResult]:
    """Stores results, one per delivery, if the leases are still valid; returns the stored ones."""
    rows = await tx.fetch(_STORE_RESULTS, *map(list, zip(*results, strict=True)))
    return [StoredResult(*row) for row in rows]


async def delay_ordering_key(tx: Connection, results: Sequence[StoredResult]) -> None:
    """Delays deliveries queued behind retried ones of the same ordering key."""
    entries = [(result.webhook, result.ordering_key, result.position, result.due_at) for result in results]
    await tx.execute(_DELAY_ORDERING_KEY, *map(list, zip(*entries, strict=True)))


async def release_lease(tx: Connection, lease: UUID, deliveries: Sequence[UUID], due_at: datetime) -> None:
    """Releases leases of deliveries that were not sent."""
    await tx.execute(_RELEASE_LEASE, deliveries, lease, due_at)


async def mark_failing(tx: Connection, webhooks: Sequence[UUID], now: datetime) -> dict[UUID, datetime]:
    """Records failing webhooks; returns the time since when each fails."""
    rows = await tx.fetch(_MARK_FAILING, webhooks, now) if webhooks else []
    return {row["webhook_id"]: row["failing_since"] for row in rows}


async def pause(tx: Connection, webhook: UUID, status: str, reason: str, now: datetime, url: str | None = None) -> bool:
    """Pauses an active webhook (if `url` is set, only while it has this URL); returns whether it did."""
    return await tx.fetchval(_PAUSE, webhook, status, reason, now, url) is not None


async def set_status_reason(tx: Connection, webhook: UUID, reason: str, now: datetime) -> None:
    """Sets the status reason of a webhook that stays active."""
    await tx.execute(_SET_STATUS_REASON, webhook, reason, now)


async def block_enqueuing(tx: Connection) -> None:
    """Blocks enqueueing until the transaction ends. Call it before any row is locked."""
    await tx.execute(_LOCK_ENQUEUING)


async def erase_customer(tx: Connection, customer: UUID, *, seconds: float) -> None:
    """Deletes a customer's deliveries with bodies and responses. Deliveries of the erasure itself are still sent."""
    await tx.execute(_DELETE_CUSTOMER_DELIVERIES, customer, timeout=seconds)
    await tx.execute(_CLEAR_BODIES, customer, timeout=seconds)


async def redact_answers(tx: Connection, customer: UUID, *, seconds: float) -> None:
    """Redacts receivers' responses to a customer's changes in the change log; scans the log without an index."""
    await tx.execute(_REDACT_ANSWERS, customer, timeout=seconds)
