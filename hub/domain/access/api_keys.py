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

from hub.db.sql_text import text
from hub.domain.customers.customers import Customer
from hub.domain.organisation.organisation import OrgUnit
from hub.errors import BadInput, NotFound
from hub.model.columns import Choice, metadata, moment, reference
from hub.viewer import Role, Viewer

# The shown part was eight digits once: too few for a hub that mints a key at every login.
KEY = re.compile(r"hub_((?:[0-9a-f]{8}){1,2})_[A-Za-z0-9_-]{43}")
NAME_LENGTH = 100
MOST_MINUTES = 24 * 60  # that a minted key lives
KEPT_FOR = timedelta(days=7)  # after its end, so that who still shows it is told what it is


class CustomerRole(Choice):
    """What a key that is bound to a customer may do."""

    READER = "READER", "See what is the customer's."
    WRITER = "WRITER", "See it, and write contacts, interactions and consents."


ApiKey = sa.Table(
    "api_keys",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True, server_default=sa.text("uuidv7()"), comment="Unique and for ever."),
    sa.Column("public_id", sa.Text, nullable=False, comment="The part of the key that may be shown, logged and named."),
    sa.Column("hash", sa.LargeBinary, nullable=False, comment="SHA-256 of the whole key; the key itself is not kept."),
    sa.Column("name", sa.Text, nullable=False, comment="What its keeper calls it."),
    sa.Column("role", sa.Text, nullable=False, comment="What it may do: admin, writer or reader."),
    reference("unit_id", "org_units.id", "It sees this unit's subtree only.", nullable=True, ondelete="CASCADE"),
    reference("customer_id", "customers.id", "It sees this customer only.", nullable=True, ondelete="CASCADE"),
    sa.Column("created_at", moment(), nullable=False, server_default=sa.func.now(), comment="When it was issued."),
    sa.Column("expires_at", moment(), comment="From when it is refused; empty for never."),
    sa.Column("revoked_at", moment(), comment="When it was revoked; empty while it lives."),
    sa.Column("last_used_at", moment(), comment="When it was last used, to the minute."),
    sa.UniqueConstraint("public_id"),
    sa.CheckConstraint("octet_length(hash) = 32", name="hash_is_sha256"),
    sa.CheckConstraint("role in ('admin', 'writer', 'reader')", name="role_is_known"),
    sa.CheckConstraint("unit_id is null or customer_id is null", name="one_binding"),
    comment="A key that opens the API. Deleting what it is bound to deletes it: it must never become unbound.",
)
sa.Index("ix_api_keys_unit_id", ApiKey.c.unit_id)
sa.Index("ix_api_keys_customer_id", ApiKey.c.customer_id)


@dataclass(frozen=True, slots=True)
class NewKey:
    """What a key shall be."""

    name: str
    role: Role
    unit_id: UUID | None = None
    customer_id: UUID | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class KeyFound:
    """What the table knows of a key, and the viewer that its holder is."""

    public_id: str
    hash: bytes
    name: str
    viewer: Viewer
    unit_id: UUID | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    def state(self, at: datetime) -> Literal["living", "revoked", "expired"]:
        """Whether the key opens the API at a time."""
        if self.revoked_at is not None and self.revoked_at <= at:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= at else "living"


_below = OrgUnit.alias()
_units = (  # the unit itself first
    sa.select(_below.c.id).where(_below.c.path.op("<@")(OrgUnit.c.path)).order_by(_below.c.path).correlate(OrgUnit)
)
_columns = sa.select(
    ApiKey,
    sa.cast(OrgUnit.c.path, sa.Text).label("unit_path"),
    sa.func.array(_units.scalar_subquery()).label("unit_ids"),
).outerjoin(OrgUnit, OrgUnit.c.id == ApiKey.c.unit_id)
_FIND = text(_columns.where(ApiKey.c.public_id == sa.func.any(sa.bindparam("public_ids", type_=sa.ARRAY(sa.Text)))))
_ALL = text(_columns.order_by(ApiKey.c.id))
_INSERT = text(
    sa.insert(ApiKey).values(
        {
            name: sa.bindparam(name)
            for name in ("public_id", "hash", "name", "role", "unit_id", "customer_id", "created_at", "expires_at")
        }
    )
)
_REVOKE = text(
    sa.update(ApiKey)
    .where(ApiKey.c.public_id == sa.bindparam("wanted", type_=sa.Text))
    .values(revoked_at=sa.func.coalesce(ApiKey.c.revoked_at, sa.bindparam("at", type_=moment())))
    .returning(ApiKey.c.revoked_at)
)
_USED = text(
    sa.update(ApiKey)
    .where(ApiKey.c.id == sa.bindparam("key_id", type_=sa.Uuid))
    .values(last_used_at=sa.func.greatest(ApiKey.c.last_used_at, sa.bindparam("at", type_=moment())))
)
_ended = (
    sa.select(ApiKey.c.id)
    .where(ApiKey.c.customer_id.is_not(None), ApiKey.c.expires_at < sa.bindparam("before", type_=moment()))
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_FORGET = text(sa.delete(ApiKey).where(ApiKey.c.id.in_(_ended)))
_UNIT = text(
    sa.select(OrgUnit.c.id).where(
        sa.or_(sa.cast(OrgUnit.c.id, sa.Text) == sa.bindparam("text"), OrgUnit.c.code == sa.bindparam("text"))
    )
)


def digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def public_id(key: str) -> str | None:
    """The part of a well-formed key that may be shown; None for any other text."""
    parts = KEY.fullmatch(key)
    return parts[1] if parts else None


async def create(tx: asyncpg.Connection, viewer: Viewer, wanted: NewKey, at: datetime) -> str:
    """Issue a key and return its text, which is nowhere kept."""
    viewer.require("keys:admin")
    _check(wanted, at)
    shown = secrets.token_hex(8)
    key = f"hub_{shown}_{secrets.token_urlsafe(32)}"
    try:
        await tx.execute(
            _INSERT,
            shown,
            digest(key),
            wanted.name,
            wanted.role.value,
            wanted.unit_id,
            wanted.customer_id,
            at,
            wanted.expires_at,
        )
    except asyncpg.ForeignKeyViolationError as error:
        argument = "unit" if "unit_id" in (error.constraint_name or "") else "customer"
        message = f"{argument}: there is no {argument} with this id; look it up with a key that sees it."
        raise NotFound(message, argument=argument) from None
    return key


class Minted(NamedTuple):
    """What a new key gives."""

    key: Annotated[str, "The key itself; it is told this once."]
    expires_at: Annotated[datetime, "From when it is refused."]


async def mint(
    tx: asyncpg.Connection,
    viewer: Viewer,
    *,
    customer_id: Annotated[UUID, Customer, "The only customer whom the key sees."],
    role: Annotated[CustomerRole, "What it may do."] = CustomerRole.READER,
    minutes: Annotated[int, "For how long it opens the API: 1 to 1440, 15 when left out."] = 15,
    name: Annotated[str, "What its keeper calls it."] = "minted",
    at: datetime,
) -> Minted:
    """Issues a short-lived key bound to one customer: how the backend of a mobile app logs its user in."""
    viewer.require("keys:admin")
    if not 1 <= minutes <= MOST_MINUTES:
        raise BadInput(f"minutes: give 1 to {MOST_MINUTES}.", code="KEY_INVALID", argument="minutes")
    expires_at = at + timedelta(minutes=minutes)
    wanted = NewKey(name, Role(role.lower()), customer_id=customer_id, expires_at=expires_at)
    try:
        return Minted(await create(tx, viewer, wanted, at), expires_at)
    except NotFound:
        raise NotFound(
            "customer_id: there is no such row, or this key may not see it.", argument="customer_id"
        ) from None


def _check(wanted: NewKey, at: datetime) -> None:
    if wanted.unit_id is not None and wanted.customer_id is not None:
        message = "unit, customer: a key is bound to one or the other; leave one out."
        raise BadInput(message, code="KEY_INVALID", argument="customer")
    if wanted.expires_at is not None and wanted.expires_at <= at:
        message = f"expires: {wanted.expires_at.isoformat()} is past; give a time to come."
        raise BadInput(message, code="KEY_INVALID", argument="expires")
    if len(wanted.name) > NAME_LENGTH or not wanted.name.isprintable():
        message = f"name: give at most {NAME_LENGTH} characters, none of them invisible."
        raise BadInput(message, code="KEY_INVALID", argument="name")


async def revoke(tx: asyncpg.Connection, viewer: Viewer, shown: str, at: datetime) -> datetime:
    """Refuse the key from now on; the answer is when that began, also when it was long ago."""
    viewer.require("keys:admin")
    since: datetime | None = await tx.fetchval(_REVOKE, at, shown)
    if since is None:
        raise NotFound(f"id: no key has the id {shown!r}; `hub key list` shows them.", argument="id")
    return since


async def every(tx: asyncpg.Connection, viewer: Viewer) -> list[KeyFound]:
    """All keys in the order in which they were issued."""
    viewer.require("keys:admin")
    return [_found(row) for row in await tx.fetch(_ALL)]


async def find(tx: asyncpg.Connection, shown: str) -> KeyFound | None:
    """The key of this public id; whether the caller holds it is for the caller of this to compare."""
    return next(iter(await find_all(tx, (shown,))), None)


async def find_all(tx: asyncpg.Connection, shown: Sequence[str]) -> list[KeyFound]:
    """The keys of these public ids, in any order; likewise."""
    return [_found(row) for row in await tx.fetch(_FIND, shown)]


async def mark_used(tx: asyncpg.Connection, used: Mapping[UUID, datetime]) -> None:
    """Remember when keys were last used."""
    await tx.executemany(_USED, [(at, key_id) for key_id, at in sorted(used.items())])


async def forget(tx: asyncpg.Connection, at: datetime, most: int) -> bool:
    """Deletes keys of customers that ended long ago: there is one for every login. Whether there may be more."""
    done: str = await tx.execute(_FORGET, at - KEPT_FOR, most)
    return done == f"DELETE {most}"


async def unit_named(tx: asyncpg.Connection, text: str) -> UUID:
    """The unit with this id or code."""
    found: UUID | None = await tx.fetchval(_UNIT, text)
    if found is None:
        raise NotFound(f"unit: no unit has the id or code {text!r}.", argument="unit")
    return found


def _found(row: asyncpg.Record) -> KeyFound:
    bound = (row["unit_path"], tuple(row["unit_ids"]), row["customer_id"])
    viewer = Viewer(row["id"], Role(row["role"]), *bound, row["public_id"])
    same = ("public_id", "hash", "name", "unit_id", "created_at", "expires_at", "revoked_at", "last_used_at")
    return KeyFound(viewer=viewer, **{name: row[name] for name in same})
