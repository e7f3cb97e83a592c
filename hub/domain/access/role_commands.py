"""Commands of administrators: roles, and who has them. A change takes effect within seconds, also on what is open."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, NamedTuple, Protocol
from uuid import UUID

from hub.db.pool import Connection
from hub.domain.access import roles
from hub.domain.access.grants import (
    begin_administration,
    require_administrator_left,
    require_grantable,
    require_removable,
    require_within_limits,
)
from hub.domain.access.role_inputs import (
    RoleBudgetInput,
    RoleRuleInput,
    RuleChecker,
    invalid,
    read_budget,
    read_rules,
)
from hub.domain.access.sample_holders import sample_holder
from hub.domain.access.shipped_roles import explicit_rules, shipped_roles
from hub.errors import BadInput, NotFound
from hub.model import rows, validators
from hub.model.commands import Injected, command
from hub.rights import RoleVersion
from hub.schema.access.api_keys import ApiKey
from hub.schema.access.roles import AccessRole, RoleAssignment
from hub.schema.organisation.staff import Staff
from hub.viewer import Viewer

NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
ALL_COMMANDS = ["*"]
MAX_RULES = 200

_HOLDERS = """
select (select count(*) from role_assignments where role_id = $1) + (select count(*) from api_keys where role = $2)
"""
_USED_BY = """
select 'key_' || replace(k.id::text, '-', '') as id from api_keys as k
where k.session_of_id is null and k.revoked_at is null
    and (k.role = $2 or exists (select from role_assignments as a where a.role_id = $1 and a.key_id = k.id))
union all
select 'stf_' || replace(a.staff_id::text, '-', '') from role_assignments as a where a.role_id = $1 and a.staff_id is not null
order by id limit 1000
"""
_REMOVE = "delete from roles where id = $1"
_FIND_KEY = "select role, session_of_id is not null as is_session from api_keys where id = $1"
_SET_OWN_ROLE = "update api_keys set role = $2 where id = $1"
_ASSIGN = """
insert into role_assignments (role_id, key_id, staff_id, created_at, updated_at) values ($1, $2, $3, $4, $4)
on conflict do nothing
"""
_FIND_ASSIGNMENT = "select id from role_assignments where role_id = $1 and (key_id = $2 or staff_id = $3)"
_UNASSIGN = "delete from role_assignments where role_id = $1 and (key_id = $2 or staff_id = $3) returning id"
_ASSIGNED = """
select r.name from role_assignments as a join roles as r on r.id = a.role_id where a.key_id = $1 or a.staff_id = $2
"""
_UNASSIGN_OTHERS = "delete from role_assignments where role_id <> $1 and (key_id = $2 or staff_id = $3)"


class RolePlanner(RuleChecker, Protocol):
    """Checks roles, and explains what their lists cost; RoleChecker in hub/engine/roles/checks.py implements it."""

    async def explain(self, tx: Connection, role: RoleVersion, holder: Viewer) -> Sequence[dict[str, Any]]:
        """The plan of each list that a holder reads: type, list, entries that Postgres reads, and whether that is bounded."""


class RoleUpsertPayload(NamedTuple):
    """The payload of roleUpsert."""

    role: Annotated[UUID | None, AccessRole, "The role as it is now; empty for a dry run of a new one."]
    created: Annotated[bool, "Whether the role is new."]
    plans: Annotated[
        list[dict[str, object]],
        "For each list: its `type`, its name, the index `entries` that a page of 50 takes, whether they are `bounded`, and for"
        " a filter how many rows it `matches` for one holder, up to 1,000.",
    ]
    used_by: Annotated[list[str], "Ids of the keys and members of staff that have the role, at most 1,000."]


@command("roleUpsert")
async def upsert_role(
    tx: Connection,
    viewer: Viewer,
    *,
    name: Annotated[str, "Name of the role, in small letters, digits, - and _."],
    description: Annotated[str | None, "Whom the role is for, in one line."] = None,
    copy_of: Annotated[str | None, "Name of a role whose rules a new role begins with, such as a shipped one."] = None,
    rules: Annotated[
        list[RoleRuleInput] | None,
        "All its rules. With `copyOf`, those that differ. A type without a rule does not exist for the role.",
    ] = None,
    run: Annotated[
        list[str] | None, 'The commands that it may run, whatever they write; ["*"] for those that its rules imply.'
    ] = None,
    administers: Annotated[
        bool | None, "Whether it manages keys and roles, with a key that is bound to nothing."
    ] = None,
    introspects: Annotated[bool | None, "Whether it reads the schema."] = None,
    trusted_only: Annotated[bool | None, "Whether its keys may send only documents that are registered."] = None,
    budget: Annotated[RoleBudgetInput | None, "How much its keys may ask for."] = None,
    expected_version: Annotated[int | None, "The version that the edit is based on."] = None,
    dry_run: Annotated[bool, "Whether to check and explain the role only."] = False,
    unbounded: Annotated[bool, "Whether lists are accepted that may read a large part of a table."] = False,
    now: datetime,
    role_planner: Injected[RolePlanner],
) -> RoleUpsertPayload:
    """Creates a role, or changes one; what is left out stays. Refuses a role whose lists would read large parts of a table.

    A shipped role cannot be changed: make a copy of it under another name."""
    await begin_administration(tx, viewer)
    stored = await _changeable_role(tx, name, copy_of, expected_version)
    role = await _base(tx, viewer, name, stored, copy_of)
    role = _with_rules(role, rules, role_planner, add=copy_of is not None)
    role = _with_commands(role, run, role_planner)
    role = _with_flags(role, administers, introspects, trusted_only)
    role = role if budget is None else replace(role, budget=read_budget(budget))
    role = replace(role, version=int(roles.digest_of(role)[:15], 16))
    require_grantable(viewer, role)
    require_within_limits(viewer, role)
    plans = list(await role_planner.explain(tx, role, await sample_holder(tx, role)))
    _require_bounded(role, plans, accepted=unbounded)
    used_by = [] if stored is None else [row["id"] for row in await tx.fetch(_USED_BY, stored.key, name)]
    if dry_run:
        return RoleUpsertPayload(None if stored is None else stored.key, stored is None, plans, used_by)
    key = await _store(tx, role, description, stored, now)
    await require_administrator_left(tx, viewer, "administers", now)
    return RoleUpsertPayload(key, stored is None, plans, used_by)


async def _store(
    tx: Connection, role: RoleVersion, description: str | None, stored: roles.StoredRole | None, now: datetime
) -> UUID:
    text = validators.check_values({"description": description}, {"description": validators.single_line})["description"]
    return await roles.store_role(tx, role, text or (None if stored is None else stored.description), now)


def _with_rules(
    role: RoleVersion, rules: Sequence[RoleRuleInput] | None, checker: RuleChecker, *, add: bool
) -> RoleVersion:
    """The role with other rules; with `add`, beside those of other types that it has."""
    if rules is None:
        return role
    if len(rules) > MAX_RULES:
        raise invalid("rules", f"give at most {MAX_RULES} rules")
    read = read_rules(rules, checker)
    return replace(role, rules={**(role.rules or {}), **read} if add else read)


def _with_commands(role: RoleVersion, run: list[str] | None, checker: RuleChecker) -> RoleVersion:
    """The role with other commands that it may run."""
    if run is None:
        return role
    checker.check_commands([] if run == ALL_COMMANDS else run, "run")
    return replace(role, run=None if run == ALL_COMMANDS else frozenset(run))


def _with_flags(
    role: RoleVersion, administers: bool | None, introspects: bool | None, trusted_only: bool | None
) -> RoleVersion:
    return replace(
        role,
        administers=role.administers if administers is None else administers,
        introspects=role.introspects if introspects is None else introspects,
        trusted_only=role.trusted_only if trusted_only is None else trusted_only,
    )


async def _changeable_role(
    tx: Connection, name: str, copy_of: str | None, expected_version: int | None
) -> roles.StoredRole | None:
    """The role that is to be changed; None for a new one. Raises BadInput for one that cannot be."""
    if not NAME.fullmatch(name) or name == roles.NO_ROLE.name:
        fault = "a name begins with a small letter and goes on with small letters, digits, - and _, 63 at most"
        raise invalid("name", fault)
    stored = await roles.find_role(tx, name)
    if stored is not None and stored.is_shipped:
        message = f'name: {name} comes with the hub and follows it; give the copy another name, with copyOf: "{name}".'
        raise BadInput(message, code="ROLE_SHIPPED", argument="name")
    if stored is not None and copy_of is not None:
        raise invalid("copy_of", f"{name} exists already; leave copyOf out, or give another name")
    if expected_version is not None and (stored is None or stored.row_version != expected_version):
        message = "expected_version: the role was changed or removed since; read it again."
        raise BadInput(message, code="VERSION_CONFLICT", argument="expected_version")
    return stored


async def _base(
    tx: Connection, viewer: Viewer, name: str, stored: roles.StoredRole | None, copy_of: str | None
) -> RoleVersion:
    """What an edit starts from: the stored role, a copy of another one, or a role that grants nothing."""
    if stored is not None:
        require_grantable(viewer, stored.version)
        return stored.version
    if copy_of is None:
        return RoleVersion(name, 0, rules={}, introspects=False)
    original = (await _existing(tx, copy_of, "copy_of")).version
    return replace(original, name=name, rules=explicit_rules(original), writes=False, administers=False)


async def _existing(tx: Connection, name: str, argument: str) -> roles.StoredRole:
    role = await roles.find_role(tx, name)
    if role is None:
        raise NotFound(f"{argument}: there is no role {name[:63]!r}; `roles` lists them.", argument=argument)
    return role


def _require_bounded(role: RoleVersion, plans: Sequence[dict[str, Any]], *, accepted: bool) -> None:
    """Raises BadInput if a list would read a large part of a table, unless that is accepted.

    Rules of shipped roles are accepted: a copy reads no more than the original."""
    shipped = {
        (name, rule.row_filter) for part in shipped_roles().values() for name, rule in (part.rules or {}).items()
    }
    own = {name for name, rule in (role.rules or {}).items() if (name, rule.row_filter) not in shipped}
    lists = [plan for plan in plans if not plan["bounded"] and plan["type"] in own]
    if lists and not accepted:
        worst = max(lists, key=lambda plan: int(plan["entries"]))
        message = (
            f"rules: {worst['list']} would read about {worst['entries']:,} entries for 50 rows; filter by what an index"
            " has, such as the owner or the unit, or accept it with `unbounded`."
        )
        raise BadInput(message, code="ROLE_UNBOUNDED", argument="rules", extensions={"plans": list(plans)})


class RoleRemovePayload(NamedTuple):
    """The payload of roleRemove."""

    name: Annotated[str, "Name of the role that was removed."]


@command("roleRemove")
async def remove_role(
    tx: Connection,
    viewer: Viewer,
    *,
    name: Annotated[str, "Name of the role."],
    now: datetime,
) -> RoleRemovePayload:
    """Removes a role that nobody has. Shipped roles stay."""
    await begin_administration(tx, viewer)
    role = await _existing(tx, name, "name")
    if role.is_shipped:
        raise BadInput(f"name: {name} comes with the hub and stays.", code="ROLE_SHIPPED", argument="name")
    require_removable(viewer, role.version)
    holders = await tx.fetchval(_HOLDERS, role.key, name)
    if holders:
        message = f"name: {holders} keys or members of staff have the role {name}; take it from them first."
        raise BadInput(message, code="IN_USE", argument="name", extensions={"holders": holders})
    await tx.execute(_REMOVE, role.key)
    return RoleRemovePayload(name)


class RoleAssignPayload(NamedTuple):
    """The payload of roleAssign."""

    role: Annotated[UUID, AccessRole, "The role."]
    role_assignment: Annotated[
        UUID | None, RoleAssignment, "The assignment; empty if the key has the role by itself already."
    ]


@command("roleAssign")
async def assign_role(
    tx: Connection,
    viewer: Viewer,
    *,
    role: Annotated[str, "Name of the role."],
    key_id: Annotated[UUID | None, ApiKey, "The API key."] = None,
    staff_id: Annotated[UUID | None, Staff, "The member of staff, all of whose keys get it."] = None,
    replace: Annotated[bool, "Whether it takes the place of all roles that the key or the person has by now."] = False,
    now: datetime,
) -> RoleAssignPayload:
    """Gives a role to an API key or to a member of staff. Several roles add up: each grants what its rules say."""
    await begin_administration(tx, viewer)
    stored = await _existing(tx, role, "role")
    require_grantable(viewer, stored.version)
    require_within_limits(viewer, stored.version)
    own_role = await _require_holder(tx, viewer, key_id, staff_id)
    if replace:
        await _require_others_removable(tx, viewer, role, own_role, key_id, staff_id)
        await tx.execute(_UNASSIGN_OTHERS, stored.key, key_id, staff_id)
        if key_id is not None:
            await tx.execute(_SET_OWN_ROLE, key_id, role if own_role == role else None)
    if own_role != role:
        await tx.execute(_ASSIGN, stored.key, key_id, staff_id, now)
    await require_administrator_left(tx, viewer, "replace", now)
    assignment = await tx.fetchval(_FIND_ASSIGNMENT, stored.key, key_id, staff_id)
    return RoleAssignPayload(stored.key, assignment)


class RoleUnassignPayload(NamedTuple):
    """The payload of roleUnassign."""

    role: Annotated[UUID, AccessRole, "The role."]


@command("roleUnassign")
async def unassign_role(
    tx: Connection,
    viewer: Viewer,
    *,
    role: Annotated[str, "Name of the role."],
    key_id: Annotated[UUID | None, ApiKey, "The API key."] = None,
    staff_id: Annotated[UUID | None, Staff, "The member of staff."] = None,
    now: datetime,
) -> RoleUnassignPayload:
    """Takes a role from an API key or from a member of staff; a key without a role sees nothing."""
    await begin_administration(tx, viewer)
    stored = await _existing(tx, role, "role")
    require_removable(viewer, stored.version)
    own_role = await _require_holder(tx, viewer, key_id, staff_id)
    removed = await tx.fetchval(_UNASSIGN, stored.key, key_id, staff_id)
    if own_role == role:
        await tx.execute(_SET_OWN_ROLE, key_id, None)
    elif removed is None:
        raise NotFound(
            f"role: there is no such holder of the role {role}; `roleAssignments` lists them.", argument="role"
        )
    await require_administrator_left(tx, viewer, "role", now)
    return RoleUnassignPayload(stored.key)


async def _require_holder(tx: Connection, viewer: Viewer, key_id: UUID | None, staff_id: UUID | None) -> str | None:
    """Raises an error unless one holder is named and exists; returns the role that a key has by itself."""
    if (key_id is None) == (staff_id is None):
        message = "key_id: give either a key or a member of staff (staffId)."
        raise BadInput(message, code="ARGUMENT_MISSING", argument="key_id")
    if staff_id is not None:
        await rows.require_visible(tx, viewer, Staff, staff_id, "staff_id")
        return None
    row = await tx.fetchrow(_FIND_KEY, key_id)
    if row is None:
        raise rows.not_visible("key_id")
    if row["is_session"]:
        message = "key_id: it is a session, which has the roles of its key; name that key."
        raise BadInput(message, code="KEY_INVALID", argument="key_id")
    own_role: str | None = row["role"]
    return own_role


async def _require_others_removable(
    tx: Connection, viewer: Viewer, role: str, own_role: str | None, key_id: UUID | None, staff_id: UUID | None
) -> None:
    """Raises Forbidden for another role of the holder that the viewer may not take away."""
    names = {row["name"] for row in await tx.fetch(_ASSIGNED, key_id, staff_id)} | ({own_role} if own_role else set())
    for name in sorted(names - {role}):
        stored = await roles.find_role(tx, name)
        if stored is not None:
            require_removable(viewer, stored.version)
