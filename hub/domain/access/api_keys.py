"""API keys: the text a client holds, and the row that remembers its hash. key_commands.py has the commands of the graph.

Finding the viewer behind a key fast, many times a second, is web/auth.py's."""

import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from hub.db.pool import Connection
from hub.db.sql_text import to_sql
from hub.domain.access import key_limits, roles
from hub.domain.access.grants import require_all_grantable, require_key_within_limits, require_role
from hub.domain.access.unit_subtrees import BINDING_COLUMNS
from hub.errors import BadInput, NotFound
from hub.model.columns import timestamp
from hub.model.statements import compile_statement
from hub.model.validators import ip_networks, source_name
from hub.rights import RoleVersion
from hub.schema.access.api_keys import ApiKey
from hub.schema.access.roles import AccessRole, RoleAssignment
from hub.schema.organisation.staff import Staff
from hub.schema.organisation.units import OrgUnit
from hub.viewer import Role, Viewer

# The shown part was eight digits once: too few for a hub that mints a key at every login. One with t is a token's session.
KEY_PATTERN = re.compile(r"hub_((?:[0-9a-f]{8}){1,2}|t[0-9a-f]{16})_[A-Za-z0-9_-]{43}")
MAX_NAME_LENGTH = 100

KeyState = Literal["living", "revoked", "expired", "left"]


@dataclass(frozen=True, slots=True)
class NewKey:
    """The properties of a key to be issued."""

    name: str
    role: str | None  # name of the role that it has by itself; None: assigned roles only
    unit_id: UUID | None = None
    customer_id: UUID | None = None
    expires_at: datetime | None = None
    session_of: UUID | None = None
    staff_id: UUID | None = None
    follows_unit: bool = False  # whether it is bound to the unit of its member of staff, whichever that is
    allowed_networks: Sequence[str] = ()
    source: str | None = None  # the system that it is for


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A stored key, and the viewer that it stands for."""

    public_id: str
    hash: bytes  # empty where the reader does not compare it
    name: str
    viewer: Viewer
    unit_id: UUID | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    is_session: bool = False
    previous_hash: bytes | None = None
    previous_until: datetime | None = None
    left_at: datetime | None = None  # from when its member of staff is gone
    allowed_networks: tuple[str, ...] = ()
    follows_unit: bool = False
    role_names: tuple[str, ...] = ()

    @property
    def is_leavers(self) -> bool:
        """Whether it was not revoked before its member of staff left."""
        return self.left_at is not None and (self.revoked_at is None or self.revoked_at >= self.left_at)

    def state(self, now: datetime) -> KeyState:
        """Whether the key opens the API at a time."""
        if self.is_leavers and self.left_at is not None and self.left_at <= now:
            return "left"
        if self.revoked_at is not None and self.revoked_at <= now:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "living"


_key = ApiKey.table
_owner = _key.alias()  # the key itself, or the one whose session it is
_unit_id = sa.case((_owner.c.follows_unit, Staff.c.unit_id), else_=_owner.c.unit_id)
_assigned = (
    sa.select(RoleAssignment.c.role_id)
    .where(sa.or_(RoleAssignment.c.key_id == _owner.c.id, RoleAssignment.c.staff_id == _owner.c.staff_id))
    .correlate(_owner)
)
_role_labels = (
    sa.select(AccessRole.c.name + sa.literal_column("':'", sa.Text) + AccessRole.c.digest)
    .where(sa.or_(AccessRole.c.name == _owner.c.role, AccessRole.c.id.in_(_assigned)))
    .correlate(_owner)
)
_OWNED = ("id", "role", "customer_id", "staff_id", "follows_unit", "allowed_networks", "source")
_select_keys = (
    sa.select(
        _key.c.public_id,
        _key.c.previous_until,
        _key.c.name,
        _key.c.created_at,
        _key.c.last_used_at,
        _key.c.session_of_id,
        *(_owner.c[name] for name in _OWNED),
        *key_limits.LIMIT_COLUMNS,
        _owner.c.public_id.label("owner_public_id"),
        _owner.c.name.label("owner_name"),
        sa.func.least(_key.c.revoked_at, _owner.c.revoked_at).label("revoked_at"),
        sa.func.least(_key.c.expires_at, _owner.c.expires_at).label("expires_at"),
        Staff.c.left_on,
        OrgUnit.c.id.label("unit_id"),
        *BINDING_COLUMNS,
        sa.func.array(_role_labels.scalar_subquery()).label("role_labels"),
    )
    .select_from(_key)
    .join(_owner, _owner.c.id == sa.func.coalesce(_key.c.session_of_id, _key.c.id))
    .outerjoin(Staff.table, Staff.c.id == _owner.c.staff_id)
    .outerjoin(OrgUnit.table, OrgUnit.c.id == _unit_id)
    .outerjoin(key_limits.KeyLimit, key_limits.KeyLimit.c.key_id == _owner.c.id)
)
_find_keys = _select_keys.where(_key.c.public_id == sa.func.any(sa.bindparam("public_ids", type_=sa.ARRAY(sa.Text))))
_FIND = to_sql(_find_keys)
_FIND_WITH_HASHES = to_sql(_find_keys.add_columns(_key.c.hash, _key.c.previous_hash))
_LIST = to_sql(_select_keys.order_by(_key.c.id))
# As NewKey has them.
_OWN = ("name", "role", "unit_id", "customer_id", "staff_id", "follows_unit", "expires_at", "source")
_INSERTED = (*_OWN, "public_id", "hash", "session_of_id", "allowed_networks", "created_at", "updated_at")
_INSERT = compile_statement(
    sa.insert(_key).values({name: sa.bindparam(name) for name in _INSERTED}).returning(_key.c.id), _key
)
_now = sa.bindparam("now", type_=timestamp())
_REVOKE = to_sql(
    sa.update(_key)
    .where(_key.c.public_id == sa.bindparam("public_id", type_=sa.Text))
    .values(revoked_at=sa.func.coalesce(_key.c.revoked_at, _now))
    .returning(_key.c.revoked_at)
)
# A trigger keeps the previous hash: the role that serves clients cannot read it.
_ROTATE = to_sql(
    sa.update(_key)
    .where(_key.c.public_id == sa.bindparam("public_id", type_=sa.Text))
    .values(
        previous_until=sa.bindparam("until", type_=timestamp()),
        hash=sa.bindparam("new_hash", type_=sa.LargeBinary),
    )
)
_text_parameter = sa.bindparam("text", type_=sa.Text)
_FIND_UNIT, _FIND_STAFF = (
    to_sql(
        sa.select(code.table.c.id).where(
            sa.or_(sa.cast(code.table.c.id, sa.Text) == _text_parameter, code == _text_parameter)
        )
    )
    for code in (OrgUnit.c.code, Staff.c.number)
)


def digest(key: str) -> bytes:
    """SHA-256 of a key's text, which is what the database stores."""
    return hashlib.sha256(key.encode()).digest()


def extract_public_id(key: str) -> str | None:
    """The part of a well-formed key that may be shown; None for any other text."""
    parts = KEY_PATTERN.fullmatch(key)
    return parts[1] if parts else None


def left_at(left_on: date | None) -> datetime | None:
    """The moment from which a member of staff is gone: the end of the last day of work, in UTC."""
    return None if left_on is None else datetime.combine(left_on, time.min, UTC) + timedelta(days=1)


async def create(tx: Connection, viewer: Viewer, new_key: NewKey, now: datetime) -> str:
    """Issue a key and return its text, which is stored nowhere."""
    return (await insert(tx, viewer, new_key, now))[1]


async def insert(tx: Connection, viewer: Viewer, new_key: NewKey, now: datetime) -> tuple[UUID, str]:
    """Issue a key; returns the id of its row and its text, which is stored nowhere."""
    viewer.require("keys:admin")
    networks = check_new_key(new_key, now)
    held = await require_role(tx, viewer, new_key.role, new_key.staff_id)
    public_id = secrets.token_hex(8)
    key = _text(public_id)
    row = {
        "public_id": public_id,
        "hash": digest(key),
        "session_of_id": new_key.session_of,
        "allowed_networks": networks,
        "created_at": now,
        "updated_at": now,
        **{name: getattr(new_key, name) for name in _OWN},
    }
    try:
        key_id: UUID = await tx.fetchval(_INSERT.text, *_INSERT.bind(row, viewer))
    except asyncpg.ForeignKeyViolationError as error:
        constraint = error.constraint_name or ""
        argument = next((name for name in ("unit", "staff") if f"{name}_id" in constraint), "customer")
        noun = "member of staff" if argument == "staff" else argument
        message = f"{argument}: there is no {noun} with this id; look it up with a key that sees it."
        raise NotFound(message, argument=argument) from None
    if new_key.session_of is None:  # a session has the limits of its key
        await key_limits.inherit(tx, viewer, key_id, held)
    return key_id, key


def _text(public_id: str) -> str:
    return f"hub_{public_id}_{secrets.token_urlsafe(32)}"


def check_new_key(new_key: NewKey, now: datetime) -> list[str]:
    """Raises BadInput for properties that no key can have; returns the networks in their normal form."""
    bound = {
        "unit": new_key.unit_id is not None,
        "customer": new_key.customer_id is not None,
        "staff": new_key.follows_unit,
    }
    if sum(bound.values()) > 1 or (bound["customer"] and new_key.staff_id is not None):
        argument = "customer" if bound["customer"] else "unit"
        message = (
            f"{argument}: a key is bound to one unit, one customer or its member of staff's unit; name one of them."
        )
        raise BadInput(message, code="KEY_INVALID", argument=argument)
    if new_key.expires_at is not None and new_key.expires_at <= now:
        message = f"expires: {new_key.expires_at.isoformat()} is past; give a time to come."
        raise BadInput(message, code="KEY_INVALID", argument="expires")
    try:
        check_name(new_key.name)
    except ValueError as fault:
        raise BadInput(f"name: {fault}.", code="KEY_INVALID", argument="name") from None
    try:
        if new_key.source is not None:
            source_name(new_key.source)
    except ValueError as fault:
        raise BadInput(f"source: {fault}.", code="KEY_INVALID", argument="source") from None
    try:
        return ip_networks(list(new_key.allowed_networks))
    except ValueError as fault:
        raise BadInput(f"networks: {fault}.", code="KEY_INVALID", argument="networks") from None


def check_name(name: str) -> str:
    """The name of a key; raises ValueError for one that is long or hides characters."""
    if len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise ValueError(f"give at most {MAX_NAME_LENGTH} characters, none of them invisible")
    return name


async def revoke(tx: Connection, viewer: Viewer, public_id: str, now: datetime) -> datetime:
    """Refuse the key from now on; the answer is when that began, also when it was long ago."""
    viewer.require("keys:admin")
    revoked_at: datetime | None = await tx.fetchval(_REVOKE, now, public_id)
    if revoked_at is None:
        raise _unknown_key(public_id)
    return revoked_at


async def rotate(tx: Connection, viewer: Viewer, public_id: str, overlap: timedelta, now: datetime) -> str:
    """Give a living key another text, which is stored nowhere; the old text opens the API until the overlap ends.

    The key stays itself: webhooks, sessions and idempotency keys go on. A text from an earlier rotation ends at once."""
    viewer.require("keys:admin")
    stored_key = await find_key(tx, public_id)
    if stored_key is None:
        raise _unknown_key(public_id)
    if stored_key.is_session or stored_key.state(now) != "living":
        message = f"id: {public_id} is a session, is revoked or has expired; create another key."
        raise BadInput(message, code="KEY_INVALID", argument="id")
    require_all_grantable(viewer, stored_key.viewer.all_roles)
    require_key_within_limits(viewer, stored_key.viewer)
    key = _text(public_id)
    await tx.execute(_ROTATE, digest(key), now + overlap, public_id)
    return key


def _unknown_key(public_id: str) -> NotFound:
    return NotFound(f"id: no key has the id {public_id!r}; `hub key list` shows them.", argument="id")


async def list_keys(tx: Connection, viewer: Viewer) -> list[StoredKey]:
    """All keys in the order in which they were issued."""
    viewer.require("keys:admin")
    return await _to_stored_keys(tx, await tx.fetch(_LIST))


async def find_key(tx: Connection, public_id: str, *, with_hashes: bool = False) -> StoredKey | None:
    """The key of this public id; whether the caller holds it is for the caller of this to compare."""
    return next(iter(await find_keys(tx, (public_id,), with_hashes=with_hashes)), None)


async def find_keys(tx: Connection, public_ids: Sequence[str], *, with_hashes: bool = False) -> list[StoredKey]:
    """The keys of these public ids, in any order; likewise. Only the database's owner reads hashes."""
    return await _to_stored_keys(tx, await tx.fetch(_FIND_WITH_HASHES if with_hashes else _FIND, public_ids))


async def find_unit(tx: Connection, id_or_code: str) -> UUID:
    """The unit with this id or code."""
    unit_id: UUID | None = await tx.fetchval(_FIND_UNIT, id_or_code)
    if unit_id is None:
        raise NotFound(f"unit: no unit has the id or code {id_or_code!r}.", argument="unit")
    return unit_id


async def find_staff(tx: Connection, id_or_number: str) -> UUID:
    """The member of staff with this id or personnel number."""
    staff_id: UUID | None = await tx.fetchval(_FIND_STAFF, id_or_number)
    if staff_id is None:
        raise NotFound(f"staff: no member of staff has the id or number {id_or_number!r}.", argument="staff")
    return staff_id


async def _to_stored_keys(tx: Connection, records: Sequence[asyncpg.Record]) -> list[StoredKey]:
    """The keys of rows, with the roles that they have now."""
    versions = await roles.find_versions(tx, {label for row in records for label in row["role_labels"]})
    return [_to_stored_key(row, versions) for row in records]


def _to_stored_key(row: asyncpg.Record, versions: Mapping[str, RoleVersion]) -> StoredKey:
    """The key of a row; a session has the viewer of its key, and ends with that key at the latest."""
    own = [] if row["role"] is None else [row["role"]]
    stored = [versions[label] for label in row["role_labels"] if label in versions]
    held = roles.effective_roles(own, stored)
    viewer = Viewer(
        row["id"],
        roles.built_in(held) or Role.READER,
        row["unit_path"],
        tuple(row["unit_ids"]),
        row["customer_id"],
        row["owner_public_id"],
        row["staff_id"],
        row["owner_name"],
        row["expires_at"],
        roles=() if roles.built_in(held) else held,
        key_source=row["source"] or "",
        limits=key_limits.from_row(row, stored or held),
    )
    same = ("public_id", "name", "unit_id", "created_at", "expires_at", "revoked_at", "last_used_at")
    rotation = ("previous_until", "follows_unit")
    return StoredKey(
        viewer=viewer,
        is_session=row["session_of_id"] is not None,
        left_at=left_at(row["left_on"]),
        allowed_networks=tuple(row["allowed_networks"]),
        hash=row.get("hash", b""),
        previous_hash=row.get("previous_hash"),
        role_names=tuple(role.name for role in held),
        **{name: row[name] for name in (*same, *rotation)},
    )
