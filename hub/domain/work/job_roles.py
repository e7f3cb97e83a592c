"""Job roles: who has a role now, who heads a unit, and giving a role to somebody.

A person who has left the organisation has no role, whatever the rows say."""

from datetime import datetime
from typing import Annotated, NamedTuple
from uuid import UUID

from hub.db.pool import Connection
from hub.errors import BadInput
from hub.model import rows, validators
from hub.model.commands import command
from hub.model.entity import Entity
from hub.model.rules import after_change
from hub.model.succession import succeed
from hub.model.validators import check_values
from hub.schema.organisation.staff import Staff
from hub.schema.organisation.units import OrgUnit
from hub.schema.work.job_roles import JobRole
from hub.schema.work.teams import Team
from hub.viewer import Viewer

# Roles that a unit or team has one of at a time: a new holder follows the former one.
SINGLE_ROLES = frozenset({"HEAD", "CAPTAIN", "CONTACT"})
_HOLDERS = """
select r.staff_id from job_roles as r join staff as s on s.id = r.staff_id
where r.role = $1 and (r.unit_id = $2 or r.team_id = $3) and r.from_at <= $4 and (r.to_at is null or r.to_at > $4)
    and (s.left_on is null or s.left_on >= ($4 at time zone 'utc')::date)
order by r.from_at, r.staff_id
"""
# The nearest unit at or above this one that has a head.
_NEAREST_HEAD = """
select r.staff_id from org_units as own
    join org_units as above on own.path <@ above.path
    join job_roles as r on r.unit_id = above.id and r.role = 'HEAD'
    join staff as s on s.id = r.staff_id
where own.id = $1 and r.from_at <= $2 and (r.to_at is null or r.to_at > $2)
    and (s.left_on is null or s.left_on >= ($2 at time zone 'utc')::date) and r.staff_id is distinct from $3
order by nlevel(above.path) desc limit 1
"""
_HELD = """
select id, from_at, to_at from job_roles
where role = $1 and staff_id = $2 and unit_id is not distinct from $3 and team_id is not distinct from $4
    and from_at <= $5 and (to_at is null or to_at > $5)
"""


_ANNOUNCE = "update job_roles set announces_at = greatest(from_at, $2) where id = $1 and (to_at is null or to_at > $2)"


async def holders(
    tx: Connection, role: str, unit_id: UUID | None = None, team_id: UUID | None = None, *, now: datetime
) -> list[UUID]:
    """The members of staff who have a role of a unit or a team now, longest first; asks no rights."""
    return [row["staff_id"] for row in await tx.fetch(_HOLDERS, role, unit_id, team_id, now)]


async def head_of(tx: Connection, unit_id: UUID | None, *, now: datetime, besides: UUID | None = None) -> UUID | None:
    """The head of the nearest unit, at or above this one, that has a head now; None if none has.

    `besides` is a person who does not count: whose own case the head is asked about."""
    staff_id: UUID | None = await tx.fetchval(_NEAREST_HEAD, unit_id, now, besides)
    return staff_id


class JobRolePayload(NamedTuple):
    """The payload of jobRoleUpsert."""

    job_role: Annotated[UUID, JobRole, "The role as the person has it now."]


@command("jobRoleUpsert", bulk_name="jobRolesUpsert")
async def upsert_job_role(
    tx: Connection,
    viewer: Viewer,
    *,
    staff_id: Annotated[UUID, Staff, "Who gets the role."],
    role: Annotated[str, "Code of the role, in capitals: `HEAD`."],
    unit_id: Annotated[UUID | None, OrgUnit, "The unit whose role it is; give it or the team."] = None,
    team_id: Annotated[UUID | None, Team, "The team whose role it is."] = None,
    from_at: Annotated[datetime | None, "When it begins; now when left out."] = None,
    to_at: Annotated[datetime | None, "When it ends; empty for no end."] = None,
    now: datetime,
) -> JobRolePayload:
    """Gives a member of staff a role of a unit or team; without effect if the person has it then, until that end.

    Of the roles that a unit or team has one of at a time, the former holder's ends when the new one's begins."""
    JobRole.require(viewer, "create")
    role = check_values({"role": role}, {"role": validators.code})["role"]
    if (unit_id is None) is (team_id is None):
        message = "unit_id: a role is of a unit or of a team; give exactly one of unitId and teamId."
        raise BadInput(message, argument="unit_id")
    await rows.require_visible(tx, viewer, Staff, staff_id, "staff_id")
    await rows.require_reference_visible(tx, viewer, JobRole.table, "unit_id", unit_id)
    await rows.require_reference_visible(tx, viewer, JobRole.table, "team_id", team_id)
    begins = from_at or now
    held = await tx.fetchrow(_HELD, role, staff_id, unit_id, team_id, begins)
    if held is not None:
        if held["to_at"] != to_at:
            await rows.update_row(tx, viewer, JobRole, held["id"], {"to_at": to_at}, now, fields=("to_at",))
        return JobRolePayload(held["id"])
    values = {
        "staff_id": staff_id, "role": role, "unit_id": unit_id, "team_id": team_id, "from_at": begins, "to_at": to_at,
    }  # fmt: skip
    if role not in SINGLE_ROLES:
        key = await rows.insert_row(tx, viewer, JobRole, values, now, fields=values)
    else:
        owner = "unit_id" if team_id is None else "team_id"
        key = await succeed(tx, viewer, JobRole, values, now, same=(owner, "role"))
    await announce_role(tx, JobRole, key, now)
    return JobRolePayload(key)


@after_change(JobRole)
async def announce_role(tx: Connection, entity: type[Entity], key: UUID, now: datetime) -> None:
    """Lets the person be notified of the work that waits for the role, once it begins (role_announcements.py)."""
    await tx.execute(_ANNOUNCE, key, now)
