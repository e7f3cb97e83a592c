"""Commands of survivorship: a policy shows whose values it changes before it goes live, and changes exactly these."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, NamedTuple
from uuid import UUID

import asyncpg

from hub.db import change_log
from hub.db.pool import Connection
from hub.domain.identity.merge_commands import MergeLimits, require_equal, require_fingerprint
from hub.domain.jobs import queue
from hub.domain.jobs.commands import real_time
from hub.errors import BadInput
from hub.model import exact_json, rows, survivorship
from hub.model.commands import Injected, command
from hub.model.survivorship import FieldPolicy, SurvivorshipCriterion
from hub.model.validators import check_values, single_line
from hub.model.versions import require_version
from hub.model.writer import writer_of
from hub.schema.customers.customers import Customer
from hub.schema.identity.survivorship import SurvivorshipPolicy
from hub.schema.jobs.jobs import Job, JobType
from hub.viewer import Viewer

MAX_SOURCES = 100
MAX_SHOWN = 100  # customers of whom a dry run says what changes
MAX_CUSTOMERS = 1_000  # whose values one statement derives
_LOCK = "select pg_advisory_xact_lock(hashtextextended('survivorship_policies', 0))"
_FIND = "select * from survivorship_policies where field = $1"
_NEXT = "select id from customers where $1::uuid is null or id > $1 order by id limit $2"
_COUNT_CUSTOMERS = "select count(*) from customers"


class SurvivorshipPolicyPayload(NamedTuple):
    """The payload of survivorshipPolicyUpsert."""

    survivorship_policy: Annotated[UUID | None, SurvivorshipPolicy, "The policy; empty for the dry run of a new one."]
    customers: Annotated[int, "How many customers get another value of the field."]
    changes: Annotated[
        list[dict[str, object]],
        "The first hundred of them: `customerId`, the value `before` and `after`, and the `source` of the latter.",
    ]
    fingerprint: Annotated[str, "Stands for these changes; the policy repeats that of its dry run."]
    job: Annotated[UUID | None, Job, "The job that changes very many customers."] = None


class Impact(NamedTuple):
    """What a policy changes: of how many customers, the first of them, and a digest of all."""

    size: int
    digest: str
    rows: Sequence[asyncpg.Record]


@command("survivorshipPolicyUpsert")
async def upsert_policy(
    tx: Connection,
    viewer: Viewer,
    *,
    field: Annotated[str, "Name of the field of customers: `name`, `bornOn`."],
    criteria: Annotated[list[SurvivorshipCriterion], "Criteria in the order in which they decide."],
    trusted_sources: Annotated[list[str] | None, "Sources for SOURCE_TRUST, the most trusted first."] = None,
    expected_version: Annotated[int | None, "Version of the policy that the edit is based on."] = None,
    dry_run: Annotated[bool, "Whether nothing changes: the payload says whose values would."] = False,
    fingerprint: Annotated[str | None, "The fingerprint of the dry run. A policy needs it."] = None,
    now: datetime,
    merge_limits: Injected[MergeLimits],
) -> SurvivorshipPolicyPayload:
    """Sets which source is believed about a field of customers, for what they have said and for what they say from now on.

    A write of the field is then the word of its source, and the value is that of the source that wins."""
    viewer.require("customers:admin")
    column, policy = _read_policy(field, criteria, trusted_sources or ())
    await tx.execute(_LOCK)
    stored = await tx.fetchrow(_FIND, field)
    values = {"criteria": list(policy.criteria), "trusted_sources": list(policy.trusted_sources)}
    if stored is not None and expected_version is not None:
        await require_version(tx, viewer, SurvivorshipPolicy, stored["id"], values, expected_version)
    impact = await _impact(tx, column, policy, max(MAX_SHOWN, merge_limits.rows_at_once))
    plan = _fingerprint(policy, stored, impact)
    changes = [_shown(row) for row in impact.rows[:MAX_SHOWN]]
    key: UUID | None = None if stored is None else stored["id"]
    if dry_run:
        return SurvivorshipPolicyPayload(key, impact.size, changes, plan)
    require_fingerprint(fingerprint)
    require_equal(fingerprint, plan)
    if key is None:
        key = await rows.insert_row(tx, viewer, SurvivorshipPolicy, {"field": field, **values}, now)
    else:
        await rows.update_row(tx, viewer, SurvivorshipPolicy, key, values, now)
    if impact.size > merge_limits.rows_at_once:
        total = await tx.fetchval(_COUNT_CUSTOMERS)
        arguments = {"field": field}
        job = await queue.enqueue(
            tx, viewer, JobType.SURVIVORSHIP, arguments, name=field, now=now, queued_at=real_time(), total=total
        )
        return SurvivorshipPolicyPayload(key, impact.size, changes, plan, job)
    for start in range(0, impact.size, MAX_CUSTOMERS):
        keys = [row["id"] for row in impact.rows[start : start + MAX_CUSTOMERS]]
        await survivorship.derive(tx, Customer.table, {column: policy}, keys, now)
    return SurvivorshipPolicyPayload(key, impact.size, changes, plan)


def _read_policy(
    field: str, criteria: Sequence[SurvivorshipCriterion], trusted_sources: Sequence[str]
) -> tuple[str, FieldPolicy]:
    """The column and the policy; raises BadInput."""
    columns = survivorship.policy_columns(Customer.table)
    if field not in columns:
        message = f"field: {field[:60]!r} has no policy; give one of {', '.join(columns)}."
        raise BadInput(message, argument="field")
    if not criteria or len(set(criteria)) < len(criteria):
        raise BadInput("criteria: give at least one, and none of them twice.", argument="criteria")
    if (SurvivorshipCriterion.SOURCE_TRUST in criteria) != bool(trusted_sources):
        message = "trusted_sources: SOURCE_TRUST needs them, and nothing else does; give both or none."
        raise BadInput(message, argument="trusted_sources")
    if len(trusted_sources) > MAX_SOURCES:
        raise BadInput(f"trusted_sources: give at most {MAX_SOURCES}.", argument="trusted_sources")
    sources = [
        check_values({f"trusted_sources[{index}]": source}, {f"trusted_sources[{index}]": single_line})
        for index, source in enumerate(trusted_sources)
    ]
    names = [name for source in sources for name in source.values()]
    if len(set(names)) < len(names):
        raise BadInput("trusted_sources: one is there twice; leave it out.", argument="trusted_sources")
    return columns[field], FieldPolicy(field, tuple(criterion.value for criterion in criteria), tuple(names))


async def _impact(tx: Connection, column: str, policy: FieldPolicy, limit: int) -> Impact:
    """Whose values the policy changes, with the rows of the first `limit`."""
    sql = survivorship.differences(Customer.table, column, policy, "$1::text[]")
    digest = """md5(coalesce(string_agg(d.id::text || coalesce(d.after::text, ''), ',' order by d.id), ''))"""
    trusted = list(policy.trusted_sources)
    seconds = change_log.LONG_STATEMENT_SECONDS
    async with change_log.long_statement_timeout(tx):
        whole = await tx.fetchrow(
            f"select count(*) as count, {digest} as digest from ({sql}) as d", trusted, timeout=seconds
        )
        assert whole is not None
        first = f"{sql} order by c.id limit $2"
        rows_ = await tx.fetch(first, trusted, limit, timeout=seconds) if whole["count"] else []
    return Impact(whole["count"], whole["digest"], rows_)


def _fingerprint(policy: FieldPolicy, stored: asyncpg.Record | None, impact: Impact) -> str:
    """A digest of what a policy changes."""
    version = None if stored is None else stored["version"]
    plan = [policy.field, list(policy.criteria), list(policy.trusted_sources), version, impact.size, impact.digest]
    return hashlib.sha256(exact_json.dumps(plan).encode()).hexdigest()[:32]


def _shown(row: asyncpg.Record) -> dict[str, object]:
    values = {name: None if row[name] is None else str(row[name]) for name in ("before", "after")}
    return {"customerId": f"{Customer.definition.options['prefix']}_{row['id'].hex}", **values, "source": row["source"]}


async def derive_next(tx: Connection, column: str, after: UUID | None, now: datetime) -> tuple[Sequence[UUID], int]:
    """Derives a column of the next customers behind `after` by its policy; returns their keys, and how many changed."""
    policies = await survivorship.find_policies(tx, Customer.table, [column])
    keys = [row["id"] for row in await tx.fetch(_NEXT, after, MAX_CUSTOMERS)]
    return keys, len(await survivorship.derive(tx, Customer.table, policies, keys, now))


class SurvivorshipPolicyDeletePayload(NamedTuple):
    """The payload of survivorshipPolicyDelete."""

    field: Annotated[str, "The field that has no policy any more; its values stay."]


@command("survivorshipPolicyDelete")
async def delete_policy(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, SurvivorshipPolicy, "The policy."],
    expected_version: Annotated[int | None, "Version of the policy that the deletion is based on."] = None,
    now: datetime,
) -> SurvivorshipPolicyDeletePayload:
    """Deletes a policy. Values stay as they are, and the last one that is written counts from then on."""
    viewer.require("customers:admin")
    row = await rows.lock_row(tx, viewer, SurvivorshipPolicy, id, "id")
    await writer_of(SurvivorshipPolicy).delete(tx, viewer, id, expected_version, now)
    return SurvivorshipPolicyDeletePayload(row["field"])
