"""Keeps blocking keys and candidates current: customers who changed are compared anew with those who share a key.

What people decided is never touched: NOT_SAME keeps a pair from coming back, and a pair that is put off stays so."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from uuid import UUID

from hub.db.pool import Connection
from hub.domain.matching.blocking import MAX_BLOCK, blocking_keys
from hub.domain.matching.customer_records import read_records
from hub.domain.matching.model_store import current_scorer
from hub.domain.matching.records import MatchRecord
from hub.domain.matching.scoring import MATCH, MatchScore
from hub.model.projections import ChangedRow, projection
from hub.schema.customers.addresses import Address
from hub.schema.customers.contacts import Contact, ContactPoint
from hub.schema.customers.customers import Customer, Identifier

REBUILD_BATCH = 1_000  # customers whose keys and candidates one transaction derives

# Updates of other columns concern nobody.
COMPARED_COLUMNS = (
    *("name", "kind", "born_on", "country"),
    *("customer_id", "contact_id", "value", "normalized"),
    *("street", "city", "postal_code"),
)

UuidPair = tuple[UUID, UUID]

_STORED_KEYS = "select customer_id, key from match_keys where customer_id = any($1)"
_DELETE_KEYS = """
delete from match_keys as k using unnest($1::uuid[], $2::bigint[]) as gone (customer_id, key)
where k.customer_id = gone.customer_id and k.key = gone.key
"""
# A customer who was deleted meanwhile gets none.
_INSERT_KEYS = """
insert into match_keys (customer_id, key)
select new.customer_id, new.key from unnest($1::uuid[], $2::bigint[]) as new (customer_id, key)
where exists (select from customers where id = new.customer_id) on conflict do nothing
"""
_BLOCKS = f"""
select members from unnest($1::bigint[]) as shared (key), lateral (
    select array_agg(customer_id) as members from (
        select customer_id from match_keys where key = shared.key limit {MAX_BLOCK + 1}
    ) as block
) as blocks where cardinality(members) between 2 and {MAX_BLOCK}
"""
_CANDIDATES = """
select id, customer_id, other_id, score, reasons::text as reasons, status, model_version from match_candidates
where customer_id = any($1) or other_id = any($1)
"""
_DELETE = "delete from match_candidates where id = any($1) and status in ('OPEN', 'LATER')"
_INSERT = """
insert into match_candidates (customer_id, other_id, score, reasons, model_version)
select new.customer_id, new.other_id, new.score, new.reasons::jsonb, $5
from unnest($1::uuid[], $2::uuid[], $3::numeric[], $4::text[]) as new (customer_id, other_id, score, reasons)
where exists (select from customers where id = new.customer_id) and exists (select from customers where id = new.other_id)
on conflict (customer_id, other_id) do nothing
"""
_UPDATE = """
update match_candidates as c set score = new.score, reasons = new.reasons::jsonb, model_version = $4,
    version = c.version + 1, updated_at = now()
from unnest($1::uuid[], $2::numeric[], $3::text[]) as new (id, score, reasons)
where c.id = new.id and c.status in ('OPEN', 'LATER')
"""
_NEXT = "select id from customers where $1::uuid is null or id > $1 order by id limit $2"


@dataclass(frozen=True, slots=True)
class _StoredCandidate:
    candidate_id: UUID
    score: Decimal
    reasons: str
    is_decided: bool


async def rebuild(tx: Connection, after: UUID | None) -> UUID | None:
    """Derives keys and candidates of the next customers behind `after`; returns the last of them, None at the end."""
    customers = [row["id"] for row in await tx.fetch(_NEXT, after, REBUILD_BATCH)]
    await refresh_customers(tx, customers)
    return customers[-1] if len(customers) == REBUILD_BATCH else None


@projection(
    "match_candidates",
    Customer,
    Identifier,
    Contact,
    ContactPoint,
    Address,
    rebuild=rebuild,
    columns=COMPARED_COLUMNS,
)
async def follow_changes(tx: Connection, changes: Sequence[ChangedRow]) -> None:
    """Compares anew the customers whom the changes concern."""
    keys = {key for change in changes for key in (change.customer_id, change.former_customer_id)}
    await refresh_customers(tx, {key for key in keys if key is not None})


async def refresh_customers(tx: Connection, customers: Collection[UUID]) -> None:
    """Brings the keys and the candidates of customers up to date; those who are gone have none any more."""
    records = await read_records(tx, sorted(customers))
    if not records:
        return
    keys = {customer: blocking_keys(record).keys() for customer, record in records.items()}
    await _save_keys(tx, keys)
    pairs = await read_pairs(tx, keys)
    others = {customer for pair in pairs for customer in pair} - records.keys()
    if others:
        records = {**await read_records(tx, sorted(others)), **records}
    scores = await _scores(tx, records, pairs)
    await _save_candidates(tx, keys.keys(), scores)


async def _save_keys(tx: Connection, keys: Mapping[UUID, Collection[int]]) -> None:
    stored: set[tuple[UUID, int]] = {
        (row["customer_id"], row["key"]) for row in await tx.fetch(_STORED_KEYS, list(keys))
    }
    current = {(customer, key) for customer, own in keys.items() for key in own}
    for statement, rows in ((_DELETE_KEYS, stored - current), (_INSERT_KEYS, current - stored)):
        if rows:
            ordered = sorted(rows)
            await tx.execute(statement, [customer for customer, _ in ordered], [key for _, key in ordered])


async def read_pairs(tx: Connection, keys: Mapping[UUID, Collection[int]]) -> set[UuidPair]:
    """The pairs that share a key with at least one of the customers, the older customer first."""
    distinct = sorted(set(chain.from_iterable(keys.values())))
    pairs: set[UuidPair] = set()
    for row in await tx.fetch(_BLOCKS, distinct):
        members = sorted(row["members"])
        for customer in members:
            if customer in keys:
                pairs.update(_ordered(customer, other) for other in members if other != customer)
    return pairs


async def _scores(
    tx: Connection, records: Mapping[UUID, MatchRecord], pairs: Iterable[UuidPair]
) -> dict[UuidPair, MatchScore]:
    """The scores of the pairs that are more likely one customer than two."""
    scorer = await current_scorer(tx)
    scores = ((pair, scorer.score(records[pair[0]], records[pair[1]])) for pair in pairs if records.keys() >= set(pair))
    return {pair: score for pair, score in scores if score.total >= MATCH}


async def _save_candidates(tx: Connection, customers: Collection[UUID], scores: Mapping[UuidPair, MatchScore]) -> None:
    stored = await _stored_candidates(tx, customers)
    version = (await current_scorer(tx)).model.version
    gone = [row.candidate_id for pair, row in stored.items() if pair not in scores and not row.is_decided]
    if gone:
        await tx.execute(_DELETE, gone)
    new: list[tuple[UUID, UUID, Decimal, str]] = []
    changed: list[tuple[UUID, Decimal, str]] = []
    for pair, score in sorted(scores.items()):
        reasons = reasons_json(score)
        row = stored.get(pair)
        if row is None:
            new.append((*pair, score.score, reasons))
        elif not row.is_decided and (row.score != score.score or json.loads(row.reasons) != json.loads(reasons)):
            changed.append((row.candidate_id, score.score, reasons))
    if new:
        await tx.execute(_INSERT, *map(list, zip(*new, strict=True)), version)
    if changed:
        await tx.execute(_UPDATE, *map(list, zip(*changed, strict=True)), version)


async def _stored_candidates(tx: Connection, customers: Collection[UUID]) -> dict[UuidPair, _StoredCandidate]:
    return {
        _ordered(row["customer_id"], row["other_id"]): _StoredCandidate(
            row["id"], row["score"], row["reasons"], row["status"] in ("SAME", "NOT_SAME")
        )
        for row in await tx.fetch(_CANDIDATES, list(customers))
    }


def _ordered(first: UUID, second: UUID) -> UuidPair:
    """A pair in the order of the ids, which is that of creation for all but imported ones."""
    return (first, second) if first < second else (second, first)


def reasons_json(score: MatchScore) -> str:
    """The reasons of a score as they are stored: no value of the customers is among them."""
    reasons: Sequence[str] = [
        f'{{"field": "{reason.field}", "level": "{reason.level}", "weight": {reason.weight}}}'
        for reason in score.reasons()
    ]
    return f"[{', '.join(reasons)}]"
