"""Who may grant what: nobody more than they have, and never so that no administrator is left."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from hub.db.locks import AdvisoryLock
from hub.db.pool import Connection
from hub.domain.access import roles
from hub.errors import BadInput, Forbidden
from hub.rights import BUILT_IN_ROLES, AccessRule, RoleVersion
from hub.viewer import Viewer

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


async def begin_administration(tx: Connection, viewer: Viewer) -> None:
    """Raises Forbidden unless the viewer administers; changes of roles and their holders take turns from then on."""
    viewer.require("roles:admin")
    await tx.execute(_LOCK)


async def require_administrator_left(tx: Connection, viewer: Viewer, argument: str, now: datetime) -> None:
    """Raises BadInput if no key administers any more. The operator of the machine, who has no key, can always make one."""
    if viewer.key_id is not None and not await tx.fetchval(_HAS_ADMINISTRATOR, now):
        message = f"{argument}: no administrator would be left; give another unbound key a role that administers first."
        raise BadInput(message, code="ROLE_LAST_ADMIN", argument=argument)


async def require_role(tx: Connection, viewer: Viewer, name: str | None, staff_id: UUID | None) -> None:
    """Raises BadInput for a role that does not exist, and Forbidden where a new key would have more than the viewer.

    A key has the named role and those of its member of staff."""
    if name is not None and name not in BUILT_IN_ROLES and await roles.find_role(tx, name) is None:
        message = f"role: there is no role {name[:63]!r}; `hub role list` shows them."
        raise BadInput(message, code="KEY_INVALID", argument="role")
    if name is not None and name in BUILT_IN_ROLES and staff_id is None:
        require_grantable(viewer, BUILT_IN_ROLES[name])
        return
    require_all_grantable(viewer, await roles.roles_of_staff(tx, staff_id, [] if name is None else [name]))


def require_all_grantable(viewer: Viewer, held: Sequence[RoleVersion]) -> None:
    """Raises Forbidden where one of these roles grants more than the viewer has."""
    for role in held:
        require_grantable(viewer, role)


def require_grantable(viewer: Viewer, role: RoleVersion) -> None:
    """Raises Forbidden for a role that grants more than the viewer has."""
    excess = _excess(viewer.all_roles, role)
    if excess is not None:
        message = f"The role {role.name} grants more than this key has ({excess}); use a key that has it."
        raise Forbidden(message, extensions={"scope": "roles:admin"})


def _excess(held: Sequence[RoleVersion], role: RoleVersion) -> str | None:
    """What a role grants beyond those that are held; None for nothing."""
    if any(own.rules is None and own.writes and own.administers for own in held):
        return None
    if role.rules is None:
        return "every type" if not any(own.rules is None for own in held) or role.writes else None
    if role.administers and not any(own.administers for own in held):
        return "administration"
    if role.introspects and not any(own.introspects for own in held):
        return "the schema"
    freely = {name for own in held for name in own.run or ()}
    if role.run is not None and not role.run <= freely:
        return f"the command {min(role.run - freely)}"
    for rule in role.rules.values():
        own_rules = [own.rules[rule.entity] for own in held if own.rules is not None and rule.entity in own.rules]
        if not any(_covers(own_rule, rule) for own_rule in own_rules):
            return rule.entity
    return None


def _covers(own: AccessRule, rule: AccessRule) -> bool:
    """Whether a rule grants nothing beyond another rule of the same type."""
    if not rule.verbs <= own.verbs or own.row_filter not in (None, rule.row_filter):
        return False
    if own.aggregate_only and not rule.aggregate_only:
        return False
    if own.fields is not None and (rule.fields is None or not rule.fields <= own.fields):
        return False
    hidden = {(name, mask) for name, mask in own.masks if rule.fields is None or name in rule.fields}
    if not hidden <= rule.masks:
        return False
    writable = rule.fields if rule.writable is None else rule.writable
    if writable is None:
        return own.writable is None
    masked = {name for name, _ in rule.masks} if rule.writable is None else set()
    return all(own.may_write(name) for name in writable - masked)
