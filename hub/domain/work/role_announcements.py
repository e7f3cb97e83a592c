"""Who gets a role is notified of the open steps that wait for it, when the role begins."""

from datetime import datetime
from uuid import UUID

from hub.db.pool import Connection
from hub.domain.work.addressing import addressed
from hub.domain.work.item_flow import ItemFlow, lock_item, notify_of_step
from hub.model import rows
from hub.model.timers import timer
from hub.model.viewer_rows import UNIT_HEAD
from hub.schema.work.job_roles import JobRole
from hub.viewer import ADMIN

MAX_STEPS = 500  # that one beginning role announces

_ANNOUNCED = "update job_roles set announces_at = null where id = $1"
# Open steps for a role in its unit, and those for a unit's head in the units below, of which each is announced once.
_WAITING = """
select distinct on (s.item_id, s.step_id) s.id, s.item_id, s.step_id
from work_steps as s join process_steps as p on p.id = s.step_id
    join org_units as u on u.id = s.working_unit_id join org_units as own on own.id = $1
where s.status = 'OPEN' and (
    s.addressee_id is null and p.addressee = 'ROLE' and p.role = $2 and u.id = own.id
    or p.addressee = 'UNIT_HEAD' and $2 = $4 and u.path <@ own.path
) and not exists (
    select from notifications as n join work_steps as earlier on earlier.id = n.row_id
    where earlier.item_id = s.item_id and earlier.step_id = s.step_id and earlier.round = s.round
        and n.staff_id = $3 and n.type = 'ASSIGNED'
)
order by s.item_id, s.step_id, s.voter limit $5
"""


@timer("job_role.begins", JobRole.c.announces_at)
async def announce_open_steps(tx: Connection, key: UUID, now: datetime) -> None:
    """Notifies the person of open steps that are addressed to the role, and that the person may decide."""
    role = await rows.lock_row(tx, ADMIN, JobRole, key, "id")
    await tx.execute(_ANNOUNCED, key)
    if role["unit_id"] is None or (role["to_at"] is not None and role["to_at"] <= now):
        return
    person = role["staff_id"]
    for step in await tx.fetch(_WAITING, role["unit_id"], role["role"], person, UNIT_HEAD, MAX_STEPS):
        flow = await lock_item(tx, ADMIN, step["item_id"], now)
        if await _is_addressed(flow, step["step_id"], person):
            await notify_of_step(flow, step["id"], flow.rules.by_id[step["step_id"]], [person])


async def _is_addressed(flow: ItemFlow, step_id: UUID, person: UUID) -> bool:
    rule = flow.rules.by_id[step_id]
    reasons = flow.reasons_against(rule)
    addressing = await addressed(flow.tx, rule, flow.item, reasons, flow.now)
    return person in addressing.staff_ids and person not in reasons
