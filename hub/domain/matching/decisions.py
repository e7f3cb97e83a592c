"""Decisions about candidates: one customer, two customers, or later. NOT_SAME holds for ever."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import asyncpg

from hub.db.pool import Connection
from hub.domain.identity.merge_commands import MergeFieldChoice, MergeLimits, MergePayload, merge, require_unblocked
from hub.errors import BadInput
from hub.model import rows
from hub.model.columns import DescribedEnum
from hub.model.commands import Injected, command
from hub.model.timers import timer
from hub.model.versions import require_version
from hub.schema.customers.customers import Customer
from hub.schema.identity.merges import Merge
from hub.schema.jobs.jobs import Job
from hub.schema.matching.match_candidates import MatchCandidate, MatchStatus
from hub.viewer import Viewer

LATER_BY_DEFAULT = timedelta(days=7)
_REOPEN = """
update match_candidates set status = 'OPEN', reminds_at = null, version = version + 1, updated_at = $2
where id = $1 and status = 'LATER'
"""
# Its job has failed, was cancelled, or was undone since.
_REOPEN_ABANDONED = """
update match_candidates as c set status = 'OPEN', version = version + 1, updated_at = $1
where status = 'SAME' and not exists (
    select from job_queue as q where (q.arguments ->> 'survivor', q.arguments ->> 'merged')
        in ((c.customer_id::text, c.other_id::text), (c.other_id::text, c.customer_id::text))
)
"""


class MatchDecision(DescribedEnum):
    """What a person decides about two customers."""

    SAME = "SAME", "They are one customer: the two are merged."
    NOT_SAME = "NOT_SAME", "They are two customers. The hub never asks about the two again."
    LATER = "LATER", "Not now; ask again at `remindsAt`."


class MatchDecidePayload(NamedTuple):
    """The payload of matchCandidateDecide."""

    match_candidate: Annotated[
        UUID | None, MatchCandidate, "The candidate as it is now; none once the two are one customer."
    ]
    customer: Annotated[UUID | None, Customer, "With SAME, the customer who stays."] = None
    merge: Annotated[UUID | None, Merge, "With SAME, the merge; `mergeUndo` takes it back."] = None
    job: Annotated[UUID | None, Job, "With SAME, the job that merges customers with many rows."] = None


@command("matchCandidateDecide", bulk_name="matchCandidatesDecide")
async def decide(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, MatchCandidate, "The candidate."],
    decision: Annotated[MatchDecision, "What the two are."],
    survivor_id: Annotated[
        UUID | None, Customer, "With SAME, which of the two stays; the candidate's `customer` by default."
    ] = None,
    fields: Annotated[
        list[MergeFieldChoice] | None, "With SAME, fields for which somebody chose, as in customersMerge."
    ] = None,
    reminds_at: Annotated[datetime | None, "With LATER, when to ask again; in a week by default."] = None,
    expected_version: Annotated[int | None, "Refuses the decision if the candidate has another version."] = None,
    now: datetime,
    merge_limits: Injected[MergeLimits],
) -> MatchDecidePayload:
    """Decides whether two customers are one. SAME merges them, as `customersMerge` does. The others can be changed."""
    MatchCandidate.require(viewer, "update")
    row = await rows.lock_row(tx, viewer, MatchCandidate, id, "id")
    if survivor_id not in (None, row["customer_id"], row["other_id"]):
        await rows.lock_row(tx, viewer, Customer, survivor_id, "survivor_id")  # its id may be a former one
    pair = _pair(row, decision, survivor_id, fields)
    decided = {"decided_at": now, "decided_by_id": viewer.staff_id}
    values: dict[str, Any] = {
        # A merge takes the candidate away, and an undo brings it back as it was: open.
        "status": MatchStatus[decision.name] if pair is None else MatchStatus.OPEN,
        "reminds_at": _reminder(decision, reminds_at, now),
        **(decided if pair is None else {}),
    }
    if expected_version is not None:
        await require_version(tx, viewer, MatchCandidate, id, values, expected_version)
    await rows.update_row(tx, viewer, MatchCandidate, id, values, now, fields=("status",))
    if pair is None:
        return MatchDecidePayload(id)
    merged = await _merge(tx, viewer, *pair, fields, now, merge_limits)
    if merged.merge is None:
        values = {"status": MatchStatus.SAME, **decided}
        await rows.update_row(tx, viewer, MatchCandidate, id, values, now, fields=("status",))
    return MatchDecidePayload(id if merged.merge is None else None, merged.customer, merged.merge, merged.job)


def _pair(
    row: asyncpg.Record, decision: MatchDecision, survivor_id: UUID | None, fields: Sequence[MergeFieldChoice] | None
) -> tuple[UUID, UUID] | None:
    """The customer who stays and the one who becomes part of it; None where nothing is merged."""
    if decision is not MatchDecision.SAME:
        for name, value in (("survivor_id", survivor_id), ("fields", fields)):
            if value is not None:
                raise BadInput(f"{name}: only SAME merges; leave it out.", argument=name)
        return None
    customers = (row["customer_id"], row["other_id"])
    if survivor_id is None or survivor_id == customers[0]:
        return customers
    if survivor_id != customers[1]:
        raise BadInput("survivor_id: the customer is none of the two; give one of them.", argument="survivor_id")
    return customers[1], customers[0]


async def _merge(
    tx: Connection,
    viewer: Viewer,
    survivor: UUID,
    merged: UUID,
    fields: list[MergeFieldChoice] | None,
    now: datetime,
    merge_limits: MergeLimits,
) -> MergePayload:
    """Merges the two; a person who decides has seen both, so that the plan need not be shown first."""

    async def run(**options: Any) -> MergePayload:
        return await merge(
            tx,
            viewer,
            survivor_id=survivor,
            merged_id=merged,
            fields=fields,
            now=now,
            merge_limits=merge_limits,
            **options,
        )

    try:
        plan = await run(dry_run=True)
        require_unblocked([{name: str(text) for name, text in reason.items()} for reason in plan.reasons])
        return await run(fingerprint=plan.fingerprint)
    except BadInput as error:
        if error.argument in ("merged_id", "survivor_id"):
            error.message = error.message.replace(error.argument, "id", 1)
            error.argument = "id"
        raise


def _reminder(decision: MatchDecision, reminds_at: datetime | None, now: datetime) -> datetime | None:
    if decision is not MatchDecision.LATER:
        if reminds_at is not None:
            raise BadInput("reminds_at: only LATER has a time; leave it out.", argument="reminds_at")
        return None
    if reminds_at is not None and reminds_at <= now:
        raise BadInput("reminds_at: the time has passed; give one that is yet to come.", argument="reminds_at")
    return reminds_at or now + LATER_BY_DEFAULT


@timer("match_candidate.later", MatchCandidate.c.reminds_at)
async def reopen(tx: Connection, key: UUID, now: datetime) -> None:
    """Opens a candidate again whose decision was put off."""
    await tx.execute(_REOPEN, key, now)


async def reopen_abandoned(tx: Connection, now: datetime) -> None:
    """Opens candidates again that a job should have merged, and did not."""
    await tx.execute(_REOPEN_ABANDONED, now)
