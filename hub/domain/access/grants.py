"""Who may grant what: nobody more than they have, and never so that no administrator is left."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from hub import client_limits
from hub.client_limits import ClientLimits
from hub.db.locks import AdvisoryLock
from hub.db.pool import Connection
from hub.domain.access import coverage, roles
from hub.errors import BadInput, Forbidden
from hub.model.rules import Write, permits_update
from hub.rights import BUILT_IN_ROLES, RoleVersion
from hub.schema.organisation.staff import Staff
from hub.viewer import Viewer

_READDRESSES_HOLDER = """
select exists (
    select from staff as s join role_assignments as a on a.staff_id = s.id where s.id = $1 and s.email is distinct from $2
)
"""
_LOCK = f"select pg_advisory_xact_lock({AdvisoryLock.ROLES})"
# A key that is bound to nothing and has a role that administers, by itself or because it was assigned.
_HAS_ADMINISTRATOR = """
select exists (
    select from api_keys as k
    where k.revoked_at is null and (k.expires_at is null or k.expires_at > $1)
        and k.unit_id is null and k.customer_id is null and k.session_of_id is null and not k.follows_unit
        and (k.role = 'admin' or exists (
            select from roles as r where r.administers and (r.name = k.role or exists (
                select from role_assignments as a where a.role_id = r.id and (a.key_id = k.id or a.staff_id = k.staff_id)
            ))
        ))
)
"""


@permits_update(Staff)
async def only_administrators_readdress_holders_of_roles(tx: Connection, key: UUID, write: Write) -> None:
    """A token may name a person by the e-mail address: whoever writes it gives the person's roles to somebody."""
    if "email" not in write.values or write.viewer.administers:
        return
    if await tx.fetchval(_READDRESSES_HOLDER, key, write.values["email"]):
        message = (
            "email: the person has roles, and tokens may name the person by this address; use a key that administers."
        )
        raise Forbidden(message, argument="email")


async def begin_administration(tx: Connection, viewer: Viewer) -> None:
    """Raises Forbidden unless the viewer administers; changes of roles and their holders take turns from then on."""
    viewer.require("roles:admin")
    await tx.execute(_LOCK)


async def require_administrator_left(tx: Connection, viewer: Viewer, argument: str, now: datetime) -> None:
    """Raises BadInput if no key administers any more. The operator of the machine, who has no key, can always make one."""
    if viewer.key_id is not None and not await tx.fetchval(_HAS_ADMINISTRATOR, now):
        message = f"{argument}: no administrator would be left; give another unbound key a role that administers first."
        raise BadInput(message, code="ROLE_LAST_ADMIN", argument=argument)


async def require_role(
    tx: Connection, viewer: Viewer, name: str | None, staff_id: UUID | None
) -> tuple[RoleVersion, ...]:
    """Raises BadInput for a role that does not exist, and Forbidden where a new key would have more than the viewer.

    Returns the roles of such a key: the named role and those of its member of staff. The viewer's limits are its own too."""
    if name is not None and name not in BUILT_IN_ROLES and await roles.find_role(tx, name) is None:
        message = f"role: there is no role {name[:63]!r}; `hub role list` shows them."
        raise BadInput(message, code="KEY_INVALID", argument="role")
    if name is not None and name in BUILT_IN_ROLES and staff_id is None:
        require_grantable(viewer, BUILT_IN_ROLES[name])
        return (BUILT_IN_ROLES[name],)
    held = await roles.roles_of_staff(tx, staff_id, [] if name is None else [name])
    require_all_grantable(viewer, held)
    return held


def require_all_grantable(viewer: Viewer, held: Sequence[RoleVersion]) -> None:
    """Raises Forbidden where one of these roles grants more than the viewer has."""
    for role in held:
        require_grantable(viewer, role)


def require_grantable(viewer: Viewer, role: RoleVersion) -> None:
    """Raises Forbidden for a role that grants more than the viewer has."""
    _refuse(role, coverage.excess(viewer.all_roles, role))


def require_within_limits(viewer: Viewer, role: RoleVersion) -> None:
    """Raises Forbidden for a role that sets its holders looser limits than the viewer's."""
    _refuse(role, client_limits.excess(viewer.limits, ClientLimits(role.budget, role.trusted_only)))


def require_key_within_limits(viewer: Viewer, other: Viewer) -> None:
    """Raises Forbidden for a key whose limits are looser than the viewer's."""
    excess = client_limits.excess(viewer.limits, other.limits)
    if excess is not None:
        message = f"The key may send more than this key ({excess}); use a key that may."
        raise Forbidden(message, extensions={"scope": "keys:admin"})


def require_removable(viewer: Viewer, role: RoleVersion) -> None:
    """Raises Forbidden for a role that a viewer may not take away: it grants more, or it limits its holder as it does the viewer.

    Whoever is limited by a role would otherwise get rid of the limit."""
    require_grantable(viewer, role)
    if (viewer.limits.trusted_only and role.trusted_only) or (viewer.limits.budget and role.budget):
        message = f"The role {role.name} limits its holders, and this key has such a limit itself; use a key without."
        raise Forbidden(message, extensions={"scope": "roles:admin"})


def _refuse(role: RoleVersion, excess: str | None) -> None:
    if excess is not None:
        message = f"The role {role.name} grants more than this key has ({excess}); use a key that has it."
        raise Forbidden(message, extensions={"scope": "roles:admin"})
