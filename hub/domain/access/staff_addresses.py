"""Who may change the e-mail address of a member of staff: tokens are recognised by it, so it opens what the person may do."""

from uuid import UUID

import sqlalchemy as sa

from hub.db.pool import Connection
from hub.db.sql_text import to_sql
from hub.domain.access import coverage, roles
from hub.errors import Forbidden
from hub.model.rules import Write, before_update
from hub.schema.organisation.staff import Staff

_EMAIL = to_sql(sa.select(Staff.c.email).where(Staff.c.id == sa.bindparam("staff", type_=sa.Uuid)))


@before_update(Staff)
async def require_no_more_roles(tx: Connection, staff_id: UUID, write: Write) -> None:
    """Raises Forbidden for the address of a person whose assigned roles grant more than the viewer has."""
    if "email" not in write.values or write.viewer.administers:
        return
    if await tx.fetchval(_EMAIL, staff_id) == write.values["email"]:
        return
    held = await roles.roles_of_staff(tx, staff_id, [])
    if any(coverage.excess(write.viewer.all_roles, role) is not None for role in held):
        message = "email: the person has roles that grant more than this key has; ask an administrator to change it."
        raise Forbidden(message, argument="email")
