"""Decisions about candidates: one customer, two customers, or later. NOT_SAME holds for ever."""

from datetime import datetime, timedelta
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from hub.db.pool import Connection
from hub.errors import BadInput
from hub.model import rows
from hub.model.columns import DescribedEnum
from hub.model.commands import command
from hub.model.timers import timer
from hub.model.versions import require_version
from hub.schema.matching.match_candidates import MatchCandidate, MatchStatus
from hub.viewer import Viewer

LATER_BY_DEFAULT = timedelta(days=7)
_REOPEN = """
update match_candidates set status = 'OPEN', reminds_at = null, version = version + 1, updated_at = $2
where id = $1 and status = 'LATER'
"""


class MatchDecision(DescribedEnum):
    """What a person decides about two customers."""

    SAME = "SAME", "They are one customer."
    NOT_SAME = "NOT_SAME", "They are two customers. The hub never asks about the two again."
    LATER = "LATER", "Not now; ask again at `remindsAt`."


class MatchDecidePayload(NamedTuple):
    """The payload of matchCandidateDecide."""

    match_candidate: Annotated[UUID, MatchCandidate, "The candidate as it is now."]


@command("matchCandidateDecide", bulk_name="matchCandidatesDecide")
async def decide(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, MatchCandidate, "The candidate."],
    decision: Annotated[MatchDecision, "What the two are."],
    reminds_at: Annotated[datetime | None, "With LATER, when to ask again; in a week by default."] = None,
    expected_version: Annotated[int | None, "Refuses the decision if the candidate has another version."] = None,
    now: datetime,
) -> MatchDecidePayload:
    """Decides whether two customers are one. A decision can be changed until the two are merged."""
    MatchCandidate.require(viewer, "update")
    await rows.lock_row(tx, viewer, MatchCandidate, id, "id")
    values: dict[str, Any] = {
        "status": MatchStatus[decision.name],
        "reminds_at": _reminder(decision, reminds_at, now),
        "decided_at": now,
        "decided_by_id": viewer.staff_id,
    }
    if expected_version is not None:
        await require_version(tx, viewer, MatchCandidate, id, values, expected_version)
    await rows.update_row(tx, viewer, MatchCandidate, id, values, now, fields=("status",))
    return MatchDecidePayload(id)


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
