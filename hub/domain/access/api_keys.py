"""API keys: the text a client holds, the row that remembers its hash, and the commands that issue and revoke.

Finding the viewer behind a key fast, many times a second, is web/auth.py's."""

import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal, NamedTuple
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from hub.db.pool import Connection
from hub.db.sql_text import to_sql
from hub.errors import BadInput, NotFound
from hub.model.columns import DescribedEnum, foreign_key, metadata, timestamp
from hub.model.commands import command
from hub.schema.customers.customers import Customer
from hub.schema.organisation.units import OrgUnit
from hub.viewer import Role, Viewer

# The shown part was eight digits once: too few for a hub that mints a key at every login.
# That of a session which a token started begins with t, see token_sessions.py.
KEY_PATTERN = re.compile(r"hub_((?:[0-9a-f]{8}){1,2}|t[0-9a-f]{16})_[A-Za-z0-9_-]{43}")
MAX_NAME_LENGTH = 100
MAX_MINUTES = 24 * 60  # that a minted key lives
EXPIRED_KEY_RETENTION = timedelta(days=7)  # after its end, so that a client that still sends it learns that it expired


class CustomerRole(DescribedEnum):
    """Permissions of a key that is bound to a customer."""

    READER = "READER", "Read the customer's data."
    WRITER = "WRITER", "Read the customer's data; write contacts, interactions and consents."


ApiKey = sa.Table(
    "api_keys",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True, server_default=sa.text("uuidv7()"), comment="Unique and for ever."),
    sa.Column("public_id", sa.Text, nullable=False, comment="The part of the key that may be shown, logged and named."),
    sa.Column(
        "hash", sa.LargeBinary, nullable=False, comment="SHA-256 of the whole key; the key itself is not stored."
    ),
    sa.Column("name", sa.Text, nullable=False, comment="Name of the key."),
    sa.Column("role", sa.Text, nullable=False, comment="What it may do: admin, writer or reader."),
    foreign_key("unit_id", "org_units.id", "It sees this unit's subtree only.", nullable=True, ondelete="CASCADE"),
    foreign_key("customer_id", "customers.id", "It sees this customer only.", nullable=True, ondelete="CASCADE"),
    sa.Column("created_at", timestamp(), nullable=False, server_default=sa.func.now(), comment="When it was issued."),
    sa.Column("expires_at", timestamp(), comment="From when it is refused; empty for never."),
    sa.Column("revoked_at", timestamp(), comment="When it was revoked; empty while it lives."),
    sa.Column("last_used_at", timestamp(), comment="When it was last used, to the minute."),
    foreign_key(
        "session_of",
        "api_keys.id",
        "The key whose session it is: it acts as that key and ends with it; empty for a key of its own.",
        nullable=True,
        ondelete="CASCADE",
    ),
    sa.UniqueConstraint("public_id"),
    sa.CheckConstraint("octet_length(hash) = 32", name="hash_is_sha256"),
    sa.CheckConstraint("role in ('admin', 'writer', 'reader')", name="role_is_known"),
    sa.CheckConstraint("unit_id is null or customer_id is null", name="one_binding"),
    comment="A key that opens the API. Deleting what it is bound to deletes it: it must never become unbound.",
)
sa.Index("ix_api_keys_unit_id", ApiKey.c.unit_id)
sa.Index("ix_api_keys_customer_id", ApiKey.c.customer_id)
sa.Index("ix_api_keys_session_of", ApiKey.c.session_of)


@dataclass(frozen=True, slots=True)
class NewKey:
    """The properties of a key to be issued."""

    name: str
    role: Role
    unit_id: UUID | None = None
    customer_id: UUID | None = None
    expires_at: datetime | None = None
    session_of: UUID | None = None


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A stored key, and the viewer that it stands for."""

    public_id: str
    hash: bytes
    name: str
    viewer: Viewer
    unit_id: UUID | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    is_session: bool = False

    def state(self, now: datetime) -> Literal["living", "revoked", "expired"]:
        """Whether the key opens the API at a time."""
        if self.revoked_at is not None and self.revoked_at <= now:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "living"


_subtree = OrgUnit.table.alias()
_unit_ids = (  # the unit itself first
    sa.select(_subtree.c.id)
    .where(_subtree.c.path.op("<@")(OrgUnit.c.path))
    .order_by(_subtree.c.path)
    .correlate(OrgUnit.table)
)
_owner = ApiKey.alias()  # the key whose session it is
_select_keys = (
    sa.select(
        ApiKey,
        _owner.c.public_id.label("owner_public_id"),
        _owner.c.revoked_at.label("owner_revoked_at"),
        _owner.c.expires_at.label("owner_expires_at"),
        sa.cast(OrgUnit.c.path, sa.Text).label("unit_path"),
        sa.func.array(_unit_ids.scalar_subquery()).label("unit_ids"),
    )
    .select_from(ApiKey)
    .outerjoin(OrgUnit.table, OrgUnit.c.id == ApiKey.c.unit_id)
    .outerjoin(_owner, _owner.c.id == ApiKey.c.session_of)
)
_FIND = to_sql(
    _select_keys.where(ApiKey.c.public_id == sa.func.any(sa.bindparam("public_ids", type_=sa.ARRAY(sa.Text))))
)
_LIST = to_sql(_select_keys.order_by(ApiKey.c.id))
_INSERT = to_sql(
    sa.insert(ApiKey).values(
        {
            name: sa.bindparam(name)
            for name in (
                "public_id",
                "hash",
                "name",
                "role",
                "unit_id",
                "customer_id",
                "created_at",
                "expires_at",
                "session_of",
            )
        }
    )
)
_REVOKE = to_sql(
    sa.update(ApiKey)
    .where(ApiKey.c.public_id == sa.bindparam("public_id", type_=sa.Text))
    .values(revoked_at=sa.func.coalesce(ApiKey.c.revoked_at, sa.bindparam("now", type_=timestamp())))
    .returning(ApiKey.c.revoked_at)
)
_RECORD_USAGE = to_sql(
    sa.update(ApiKey)
    .where(ApiKey.c.id == sa.bindparam("key_id", type_=sa.Uuid))
    .values(last_used_at=sa.func.greatest(ApiKey.c.last_used_at, sa.bindparam("now", type_=timestamp())))
)
_expired = (
    sa.select(ApiKey.c.id)
    .where(
        sa.or_(ApiKey.c.customer_id.is_not(None), ApiKey.c.session_of.is_not(None)),
        ApiKey.c.expires_at < sa.bindparam("before", type_=timestamp()),
    )
    .limit(sa.bindparam("limit", type_=sa.Integer))
)
_PURGE = to_sql(sa.delete(ApiKey).where(ApiKey.c.id.in_(_expired)))
_FIND_UNIT = to_sql(
    sa.select(OrgUnit.c.id).where(
        sa.or_(sa.cast(OrgUnit.c.id, sa.Text) == sa.bindparam("text"), OrgUnit.c.code == sa.bindparam("text"))
    )
)


def digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def extract_public_id(key: str) -> str | None:
    """The part of a well-formed key that may be shown; None for any other text."""
    parts = KEY_PATTERN.fullmatch(key)
    return parts[1] if parts else None


async def create(tx: Connection, viewer: Viewer, new_key: NewKey, now: datetime) -> str:
    """Issue a key and return its text, which is stored nowhere."""
    viewer.require("keys:admin")
    _check_new_key(new_key, now)
    public_id = secrets.token_hex(8)
    key = f"hub_{public_id}_{secrets.token_urlsafe(32)}"
    try:
        await tx.execute(
            _INSERT,
            public_id,
            digest(key),
            new_key.name,
            new_key.role.value,
            new_key.unit_id,
            new_key.customer_id,
            now,
            new_key.expires_at,
            new_key.session_of,
        )
    except asyncpg.ForeignKeyViolationError as error:
        argument = "unit" if "unit_id" in (error.constraint_name or "") else "customer"
        message = f"{argument}: there is no {argument} with this id; look it up with a key that sees it."
        raise NotFound(message, argument=argument) from None
    return key


class MintPayload(NamedTuple):
    """The payload of customerKeyMint."""

    key: Annotated[str, "The key itself; it is shown only once."]
    expires_at: Annotated[datetime, "Time when the key expires."]


@command("customerKeyMint", secret=True)
async def mint_customer_key(
    tx: Connection,
    viewer: Viewer,
    *,
    customer_id: Annotated[UUID, Customer, "The only customer whom the key sees."],
    role: Annotated[CustomerRole, "The permissions of the key."] = CustomerRole.READER,
    minutes: Annotated[int, "Minutes until the key expires: 1 to 1440, 15 by default."] = 15,
    name: Annotated[str, "Name of the key."] = "minted",
    now: datetime,
) -> MintPayload:
    """Issues a short-lived key bound to one customer: how the backend of a mobile app logs its user in."""
    viewer.require("keys:admin")
    if not 1 <= minutes <= MAX_MINUTES:
        raise BadInput(f"minutes: give 1 to {MAX_MINUTES}.", code="KEY_INVALID", argument="minutes")
    expires_at = now + timedelta(minutes=minutes)
    new_key = NewKey(name, Role(role.lower()), customer_id=customer_id, expires_at=expires_at)
    try:
        return MintPayload(await create(tx, viewer, new_key, now), expires_at)
    except NotFound:
        raise NotFound(
            "customer_id: there is no such row, or this key may not see it.", argument="customer_id"
        ) from None


def _check_new_key(new_key: NewKey, now: datetime) -> None:
    if new_key.unit_id is not None and new_key.customer_id is not None:
        message = "unit, customer: a key is bound to one or the other; leave one out."
        raise BadInput(message, code="KEY_INVALID", argument="customer")
    if new_key.expires_at is not None and new_key.expires_at <= now:
        message = f"expires: {new_key.expires_at.isoformat()} is past; give a time to come."
        raise BadInput(message, code="KEY_INVALID", argument="expires")
    if len(new_key.name) > MAX_NAME_LENGTH or not new_key.name.isprintable():
        message = f"name: give at most {MAX_NAME_LENGTH} characters, none of them invisible."
        raise BadInput(message, code="KEY_INVALID", argument="name")


async def revoke(tx: Connection, viewer: Viewer, public_id: str, now: datetime) -> datetime:
    """Refuse the key from now on; the answer is when that began, also when it was long ago."""
    viewer.require("keys:admin")
    revoked_at: datetime | None = await tx.fetchval(_REVOKE, now, public_id)
    if revoked_at is None:
        raise NotFound(f"id: no key has the id {public_id!r}; `hub key list` shows them.", argument="id")
    return revoked_at


async def list_keys(tx: Connection, viewer: Viewer) -> list[StoredKey]:
    """All keys in the order in which they were issued."""
    viewer.require("keys:admin")
    return [_to_stored_key(row) for row in await tx.fetch(_LIST)]


async def find_key(tx: Connection, public_id: str) -> StoredKey | None:
    """The key of this public id; whether the caller holds it is for the caller of this to compare."""
    return next(iter(await find_keys(tx, (public_id,))), None)


async def find_keys(tx: Connection, public_ids: Sequence[str]) -> list[StoredKey]:
    """The keys of these public ids, in any order; likewise."""
    return [_to_stored_key(row) for row in await tx.fetch(_FIND, public_ids)]


async def record_usage(tx: Connection, usage: Mapping[UUID, datetime]) -> None:
    """Remember when keys were last used."""
    await tx.executemany(_RECORD_USAGE, [(used_at, key_id) for key_id, used_at in sorted(usage.items())])


async def purge_expired(tx: Connection, now: datetime, limit: int) -> bool:
    """Deletes keys of customers and sessions that ended long ago: there is one for every login. Whether there may be more."""
    status: str = await tx.execute(_PURGE, now - EXPIRED_KEY_RETENTION, limit)
    return status == f"DELETE {limit}"


async def find_unit(tx: Connection, id_or_code: str) -> UUID:
    """The unit with this id or code."""
    unit_id: UUID | None = await tx.fetchval(_FIND_UNIT, id_or_code)
    if unit_id is None:
        raise NotFound(f"unit: no unit has the id or code {id_or_code!r}.", argument="unit")
    return unit_id


def _to_stored_key(row: asyncpg.Record) -> StoredKey:
    """The key of a row; a session has the viewer of its key, and ends with that key at the latest."""
    session_of = row["session_of"]
    public_id = row["public_id"] if session_of is None else row["owner_public_id"]
    binding = (row["unit_path"], tuple(row["unit_ids"]), row["customer_id"])
    viewer = Viewer(session_of or row["id"], Role(row["role"]), *binding, public_id)
    columns = ("public_id", "hash", "name", "unit_id", "created_at", "last_used_at")
    return StoredKey(
        viewer=viewer,
        expires_at=_earliest(row["expires_at"], row["owner_expires_at"]),
        revoked_at=_earliest(row["revoked_at"], row["owner_revoked_at"]),
        is_session=session_of is not None,
        **{name: row[name] for name in columns},
    )


def _earliest(*times: datetime | None) -> datetime | None:
    return min((time for time in times if time is not None), default=None)
