"""Stored roles: from rows to what a viewer may do, and back. Commands are in role_commands.py.

A role's digest is of what it grants. Its version follows from the digest, so that equal roles share their plans."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from hub.client_limits import CostBudget
from hub.db.locks import AdvisoryLock
from hub.db.pool import Connection, Pool
from hub.domain.access.shipped_roles import SHIPPED_ROLES, canonical_json, shipped_roles
from hub.model import exact_json, stored_filters
from hub.observability import StoredFilterBroken, emit
from hub.rights import BUILT_IN_ROLES, AccessRule, Mask, RoleVersion, Verb
from hub.viewer import Role

MAX_CACHED = 1_000  # roles per process
NO_ROLE = RoleVersion("none", 0, rules={}, introspects=False)  # of a key without a role: it sees nothing

_LOAD = """
select r.*,
    coalesce((select jsonb_agg(to_jsonb(u) order by u.entity) from role_rules as u where u.role_id = r.id), '[]') as rules,
    (select jsonb_build_array(b.capacity, b.refill_per_second) from role_budgets as b where b.role_id = r.id) as budget
from roles as r where {condition} order by r.name
"""
_LOAD_LABELS = _LOAD.format(condition="r.name || ':' || r.digest = any($1)")
_LOAD_NAME = _LOAD.format(condition="r.name = $1")
_LOAD_ALL = _LOAD.format(condition="true")
_LABELS_OF_STAFF = """
select name || ':' || digest as label from roles
where name = any($1) or id in (select role_id from role_assignments where staff_id = $2)
"""
_HOLDERS = """
select r.name, (select count(*) from role_assignments as a where a.role_id = r.id)
    + (select count(*) from api_keys as k where k.role = r.name and k.session_of_id is null) as holders from roles as r
"""
_STORE = """
insert into roles (name, description, shipped, writes, unlimited, run, administers, introspects, trusted_only,
    digest, created_at, updated_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)
on conflict (name) do update set description = $2, shipped = $3, writes = $4, unlimited = $5, run = $6, administers = $7,
    introspects = $8, trusted_only = $9, digest = $10
returning id
"""
_REMOVE_OTHER_RULES = "delete from role_rules where role_id = $1 and entity <> all($2)"
_STORE_RULE = """
insert into role_rules as u (role_id, entity, verbs, row_filter, fields, writable, masks, aggregate_only, created_at, updated_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
on conflict (role_id, entity) do update set verbs = $3, row_filter = $4, fields = $5, writable = $6, masks = $7,
    aggregate_only = $8
where (u.verbs, u.row_filter, u.fields, u.writable, u.masks, u.aggregate_only)
    is distinct from ($3, $4::jsonb, $5, $6, $7::jsonb, $8)
"""
_STORE_BUDGET = """
insert into role_budgets as b (role_id, capacity, refill_per_second, created_at, updated_at) values ($1, $2, $3, $4, $4)
on conflict (role_id) do update set capacity = $2, refill_per_second = $3
where (b.capacity, b.refill_per_second) is distinct from ($2, $3)
"""
_REMOVE_BUDGET = "delete from role_budgets where role_id = $1"
_SHIPPED_DIGESTS = "select name, digest from roles where shipped or name = any($1)"


class StoredRole:
    """A role as its rows say, with what is no part of its version."""

    __slots__ = ("description", "is_shipped", "key", "label", "row_version", "version")

    def __init__(self, row: asyncpg.Record) -> None:
        self.key: UUID = row["id"]
        self.label = f"{row['name']}:{row['digest']}"
        self.description: str | None = row["description"]
        self.is_shipped: bool = row["shipped"]
        self.row_version: int = row["version"]
        self.version = _to_version(row)


def _to_version(row: asyncpg.Record) -> RoleVersion:
    rules = (_to_rule(rule) for rule in exact_json.loads(row["rules"]))
    return RoleVersion(
        row["name"],
        int(row["digest"][:15], 16),
        None if row["unlimited"] else {rule.entity: rule for rule in rules},
        writes=row["writes"],
        run=None if row["run"] is None else frozenset(row["run"]),
        administers=row["administers"],
        introspects=row["introspects"],
        budget=None if row["budget"] is None else CostBudget(*orjson.loads(row["budget"])),
        trusted_only=row["trusted_only"],
    )


def _to_rule(row: Mapping[str, Any]) -> AccessRule:
    return AccessRule(
        row["entity"],
        frozenset(Verb(verb.lower()) for verb in row["verbs"]),
        None if row["row_filter"] is None else canonical_json(row["row_filter"]),
        None if row["fields"] is None else frozenset(row["fields"]),
        frozenset((name, Mask(mask.lower())) for name, mask in row["masks"].items()),
        row["aggregate_only"],
        None if row["writable"] is None else frozenset(row["writable"]),
    )


def _rule_columns(rule: AccessRule) -> list[Any]:
    """The columns of a rule, from `entity` to `aggregate_only`, as Postgres takes them."""
    return [
        rule.entity,
        [verb.upper() for verb in Verb if verb in rule.verbs],
        rule.row_filter,
        None if rule.fields is None else sorted(rule.fields),
        None if rule.writable is None else sorted(rule.writable),
        canonical_json({name: mask.upper() for name, mask in sorted(rule.masks)}),
        rule.aggregate_only,
    ]


def digest_of(role: RoleVersion) -> str:
    """SHA-256 of what a role grants, in hexadecimal."""
    rules = None if role.rules is None else [_rule_columns(rule) for _, rule in sorted(role.rules.items())]
    run = None if role.run is None else sorted(role.run)
    budget = None if role.budget is None else [role.budget.capacity, role.budget.refill_per_second]
    content = [rules, role.writes, run, role.administers, role.introspects, role.trusted_only, budget]
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


# -- loading ------------------------------------------------------------------------------------------------------------

_cached: OrderedDict[str, RoleVersion] = OrderedDict()


async def find_versions(connection: Connection, labels: Iterable[str]) -> dict[str, RoleVersion]:
    """The roles behind labels (`agent:5f1c…`), without the rules that grant nothing because their filter is broken."""
    versions = {label: _cached[label] for label in labels if label in _cached}
    missing = [label for label in labels if label not in versions]
    if missing:
        for row in await connection.fetch(_LOAD_LABELS, missing):
            role = StoredRole(row)
            versions[role.label] = _cached[role.label] = without_broken_rules(role.version)
        while len(_cached) > MAX_CACHED:
            _cached.popitem(last=False)
    return versions


async def roles_of_staff(
    connection: Connection, staff_id: UUID | None, names: Sequence[str]
) -> tuple[RoleVersion, ...]:
    """The roles of these names, and those that a member of staff was assigned; NO_ROLE for none."""
    rows = await connection.fetch(_LABELS_OF_STAFF, list(names), staff_id)
    versions = await find_versions(connection, [row["label"] for row in rows])
    return effective_roles(names, list(versions.values()))


def without_broken_rules(role: RoleVersion) -> RoleVersion:
    """The role without rules that the hub cannot apply any more: what they granted is denied."""
    if role.rules is None:
        return role
    sound = {name: rule for name, rule in role.rules.items() if fault_of(rule) is None}
    if len(sound) == len(role.rules):
        return role
    return replace(role, rules=sound)


def fault_of(rule: AccessRule) -> str | None:
    """Why the hub cannot apply a rule any more; None for a sound one."""
    return None if rule.row_filter is None else stored_filters.fault(rule.entity, exact_json.loads(rule.row_filter))


async def find_role(connection: Connection, name: str) -> StoredRole | None:
    """The role of this name."""
    row = await connection.fetchrow(_LOAD_NAME, name)
    return None if row is None else StoredRole(row)


async def all_roles(connection: Connection) -> list[StoredRole]:
    """All roles, by name."""
    return [StoredRole(row) for row in await connection.fetch(_LOAD_ALL)]


async def broken_rules(connection: Connection) -> list[str]:
    """The rules whose filter the hub cannot apply any more, each with the reason. Shipped roles follow the hub."""
    rules = [
        (role.version.name, rule)
        for role in await all_roles(connection)
        if not role.is_shipped
        for rule in (role.version.rules or {}).values()
    ]
    faults: dict[tuple[str, str | None], str | None] = {}
    broken = []
    for name, rule in rules:
        filter_of_entity = (rule.entity, rule.row_filter)  # roles often share filters, and planning takes milliseconds
        if filter_of_entity not in faults:
            faults[filter_of_entity] = fault_of(rule)
            await asyncio.sleep(0)  # others wait for the event loop
        if faults[filter_of_entity] is not None:
            broken.append(f"role {name}, {rule.entity}: {faults[filter_of_entity]}")
    return broken


async def report_broken_rules(pool: Pool) -> None:
    """Plans all row filters anew, as a start does, and reports those that this hub cannot apply any more."""
    async with pool.connection() as connection:
        for rule in await broken_rules(connection):
            emit(StoredFilterBroken(rule))


async def count_holders(connection: Connection) -> dict[str, int]:
    """How many keys and members of staff have each role, by its name."""
    return {row["name"]: row["holders"] for row in await connection.fetch(_HOLDERS)}


# -- storing ------------------------------------------------------------------------------------------------------------


async def store_role(
    tx: Connection,
    role: RoleVersion,
    description: str | None,
    now: datetime,
    *,
    shipped: bool = False,
) -> UUID:
    """Stores a role in place of the one that has its name; returns its key."""
    run = None if role.run is None else sorted(role.run)
    flags = (role.writes, role.rules is None, run, role.administers, role.introspects, role.trusted_only)
    key: UUID = await tx.fetchval(_STORE, role.name, description, shipped, *flags, digest_of(role), now)
    rules = role.rules or {}
    await tx.execute(_REMOVE_OTHER_RULES, key, list(rules))
    for _, rule in sorted(rules.items()):
        await tx.execute(_STORE_RULE, key, *_rule_columns(rule), now)
    if role.budget is None:
        await tx.execute(_REMOVE_BUDGET, key)
    else:
        await tx.execute(_STORE_BUDGET, key, role.budget.capacity, int(role.budget.refill_per_second), now)
    return key


async def store_shipped_roles(pool: Pool, now: datetime) -> None:
    """Brings the stored copies of the shipped roles up to date; a role of the organisation's own keeps its name."""
    shipped = shipped_roles()
    expected = {name: digest_of(role) for name, role in shipped.items()}
    async with pool.connection() as connection:
        if await _shipped_digests(connection, shipped) == expected:
            return
    async with pool.transaction() as tx:
        await tx.execute("set local hub.capture = off")  # the hub's own bookkeeping is nobody's change
        await tx.execute(f"select pg_advisory_xact_lock({AdvisoryLock.ROLES})")
        stored = await _shipped_digests(tx, shipped)
        own = {role.version.name for role in await all_roles(tx) if not role.is_shipped}
        for name, role in shipped.items():
            if name not in own and stored.get(name) != expected[name]:
                await store_role(tx, role, SHIPPED_ROLES[name].description, now, shipped=True)


async def _shipped_digests(connection: Connection, roles: Mapping[str, RoleVersion]) -> dict[str, str]:
    return {row["name"]: row["digest"] for row in await connection.fetch(_SHIPPED_DIGESTS, list(roles))}


def effective_roles(own: Sequence[str], stored: Sequence[RoleVersion]) -> tuple[RoleVersion, ...]:
    """The roles of a key, by name; NO_ROLE for none.

    Roles without rules are known by name, also before the first start has stored them. The strongest of them counts."""
    names = {*own, *(role.name for role in stored)}
    built_in = [BUILT_IN_ROLES[role] for role in ("admin", "writer", "reader") if role in names][:1]
    if built_in and built_in[0].writes and built_in[0].administers:
        return tuple(built_in)
    others = sorted((role for role in stored if role.name not in BUILT_IN_ROLES), key=lambda role: role.name)
    return (*built_in, *others) or (NO_ROLE,)


def built_in(held: Sequence[RoleVersion]) -> Role | None:
    """The role without rules that is the only one held, which a viewer names instead of holding it."""
    return Role(held[0].name) if len(held) == 1 and held[0].name in BUILT_IN_ROLES else None
