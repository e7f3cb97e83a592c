"""Members of staff as viewers: who they are, the unit that they see, and whether they still work here."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from hub import client_limits
from hub.db.pool import Connection
from hub.db.sql_text import to_sql
from hub.domain.access import roles
from hub.domain.access.api_keys import left_at
from hub.schema.organisation.staff import Staff
from hub.schema.organisation.units import OrgUnit
from hub.viewer import Role, Viewer

_subtree = OrgUnit.table.alias()
_unit_ids = (  # the unit itself first
    sa.select(_subtree.c.id)
    .where(_subtree.c.path.op("<@")(OrgUnit.c.path))
    .order_by(_subtree.c.path)
    .correlate(OrgUnit.table)
)
_FIND = to_sql(
    sa.select(
        Staff.c.name,
        Staff.c.left_on,
        sa.cast(OrgUnit.c.path, sa.Text).label("unit_path"),
        sa.func.array(_unit_ids.scalar_subquery()).label("unit_ids"),
    )
    .select_from(Staff.table)
    .join(OrgUnit.table, OrgUnit.c.id == Staff.c.unit_id)
    .where(Staff.c.id == sa.bindparam("staff_id", type_=sa.Uuid))
)


async def staff_viewer(
    tx: Connection,
    staff_id: UUID,
    role_names: Sequence[str],
    now: datetime,
    *,
    unrestricted: bool = False,
    expires_at: datetime | None = None,
) -> Viewer | None:
    """The viewer of a member of staff without a key: bound to the person's unit, unless `unrestricted`.

    It has the named roles and those that the person was assigned.
    None for a person who is unknown or has left; `expires_at` is the end of what proves the person's identity."""
    row = await tx.fetchrow(_FIND, staff_id)
    if row is None:
        return None
    end = left_at(row["left_on"])
    if end is not None and end <= now:
        return None
    held = await roles.roles_of_staff(tx, staff_id, role_names)
    return Viewer(
        None,
        roles.built_in(held) or Role.READER,
        unit_path=None if unrestricted else row["unit_path"],
        unit_ids=() if unrestricted else tuple(row["unit_ids"]),
        staff_id=staff_id,
        name=row["name"],
        roles=() if roles.built_in(held) else held,
        limits=client_limits.combine(client_limits.NO_LIMITS, held),
        expires_at=min((moment for moment in (expires_at, end) if moment is not None), default=None),
    )
