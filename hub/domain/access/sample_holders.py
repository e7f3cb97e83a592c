"""Holders of a role for whom its lists are explained: the first in the database that its filters let see something."""

from uuid import UUID

from hub.db.pool import Connection
from hub.rights import CUSTOMER, UNITS, RoleVersion
from hub.viewer import Role, Viewer

_STAFF = "select owner_id from customers where owner_id is not null limit 1"
_CUSTOMER = "select id from customers limit 1"
_UNITS = """
select u.id from org_units as u, org_units as top
where u.path <@ top.path and top.id = (select unit_id from customers limit 1) order by u.path
"""


async def sample_holder(tx: Connection, role: RoleVersion) -> Viewer:
    """A holder of the role; bound to a customer or to a unit if its filters say so."""
    filters = " ".join(rule.row_filter or "" for rule in (role.rules or {}).values())
    staff_id = await tx.fetchval(_STAFF)
    customer_id = await tx.fetchval(_CUSTOMER) if CUSTOMER in filters else None
    unit_ids: tuple[UUID, ...] = ()
    if UNITS in filters and customer_id is None:
        unit_ids = tuple(row["id"] for row in await tx.fetch(_UNITS))
    return Viewer(
        None,
        Role.READER,
        unit_path="sample" if unit_ids else None,
        unit_ids=unit_ids,
        customer_id=customer_id,
        staff_id=staff_id or UUID(int=0),
        roles=(role,),
    )
