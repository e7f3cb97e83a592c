"""Commands of API keys: mint short-lived ones for customers and staff; create, rotate and revoke any; the rules of edits.

Only those who administer see API keys and run these commands."""

from datetime import datetime, timedelta
from typing import Annotated, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from hub.db.pool import Connection
from hub.db.sql_text import to_sql
from hub.domain.access import api_keys
from hub.domain.access.api_keys import NewKey, left_at
from hub.domain.access.grants import require_administrator_left
from hub.errors import BadInput, NotFound
from hub.model import rows
from hub.model.commands import command
from hub.model.rules import Write, authorizes, checks, validates
from hub.schema.access.api_keys import ApiKey
from hub.schema.customers.customers import Customer
from hub.schema.organisation.staff import Staff
from hub.schema.organisation.units import OrgUnit
from hub.viewer import Viewer

MAX_MINUTES = 24 * 60  # that a minted key lives
MAX_OVERLAP_MINUTES = 7 * 24 * 60  # for which a rotated key opens the API with its old text too

_HAS_ROLES = "select exists (select from role_assignments where staff_id = $1)"
_LEFT_ON = to_sql(sa.select(Staff.c.left_on).where(Staff.c.id == sa.bindparam("staff_id", type_=sa.Uuid)))


class MintPayload(NamedTuple):
    """The payload of customerKeyMint and staffKeyMint."""

    key: Annotated[str, "The key itself; it is shown only once."]
    expires_at: Annotated[datetime, "Time when the key expires."]


@command("customerKeyMint", secret=True)
async def mint_customer_key(
    tx: Connection,
    viewer: Viewer,
    *,
    customer_id: Annotated[UUID, Customer, "The only customer whom the key sees."],
    role: Annotated[str, "Name of its role: reader by default, customer, or another one of `roles`."] = "reader",
    minutes: Annotated[int, "Minutes until the key expires: 1 to 1440, 15 by default."] = 15,
    name: Annotated[str, "Name of the key."] = "minted",
    now: datetime,
) -> MintPayload:
    """Issues a short-lived key bound to one customer: how the backend of a mobile app logs its user in."""
    viewer.require("keys:admin")
    expires_at = now + _lifetime(minutes)
    new_key = NewKey(name, role.lower(), customer_id=customer_id, expires_at=expires_at)
    try:
        return MintPayload(await api_keys.create(tx, viewer, new_key, now), expires_at)
    except NotFound:
        raise rows.not_visible("customer_id") from None


@command("staffKeyMint", secret=True)
async def mint_staff_key(
    tx: Connection,
    viewer: Viewer,
    *,
    staff_id: Annotated[UUID, Staff, "The member of staff whose key it is."],
    role: Annotated[
        str | None,
        "Name of a role that it has beside those of the person; reader if both are missing. `roles` lists them.",
    ] = None,
    minutes: Annotated[int, "Minutes until the key expires: 1 to 1440, 15 by default."] = 15,
    unit_id: Annotated[
        UUID | None, OrgUnit, "The unit whose subtree it sees, instead of the person's own unit."
    ] = None,
    unrestricted: Annotated[bool, "Whether it sees everything, instead of the person's own unit."] = False,
    name: Annotated[str, "Name of the key."] = "minted",
    now: datetime,
) -> MintPayload:
    """Issues a short-lived key of a member of staff. Unless another is named, it sees the subtree of the person's unit."""
    viewer.require("keys:admin")
    expires_at = now + _lifetime(minutes)
    await _require_staff(tx, staff_id, now)
    follows_unit = _follows_unit(unit_id, unrestricted=unrestricted)
    own_role = None if role is None and await tx.fetchval(_HAS_ROLES, staff_id) else (role or "reader").lower()
    new_key = NewKey(name, own_role, unit_id, expires_at=expires_at, staff_id=staff_id, follows_unit=follows_unit)
    return MintPayload(await _create(tx, viewer, new_key, now), expires_at)


class ApiKeyCreatePayload(NamedTuple):
    """The payload of apiKeyCreate."""

    api_key: Annotated[UUID, ApiKey, "The new key."]
    key: Annotated[str, "The key itself; it is shown only once."]


@command("apiKeyCreate", secret=True)
async def create(
    tx: Connection,
    viewer: Viewer,
    *,
    name: Annotated[str, "Name of the key."],
    role: Annotated[str, "Name of its role, such as reader; `roles` lists them."],
    unit_id: Annotated[UUID | None, OrgUnit, "The unit whose subtree is all that it sees."] = None,
    customer_id: Annotated[UUID | None, Customer, "The only customer that it sees."] = None,
    staff_id: Annotated[UUID | None, Staff, "The member of staff whose key it is."] = None,
    unrestricted: Annotated[
        bool, "Whether the key of a member of staff sees everything, instead of the person's own unit."
    ] = False,
    expires_at: Annotated[datetime | None, "Time from which it is refused; never by default."] = None,
    allowed_networks: Annotated[
        list[str] | None, "Networks that it may be used from, like 10.1.0.0/16 or 2001:db8::/32; all by default."
    ] = None,
    source: Annotated[
        str | None, "The system that it is for: what the key writes, this source says. `manual` stands for a person."
    ] = None,
    now: datetime,
) -> ApiKeyCreatePayload:
    """Creates an API key. The key itself is in the payload and stored nowhere."""
    viewer.require("keys:admin")
    if staff_id is not None:
        await _require_staff(tx, staff_id, now)
    new_key = NewKey(
        name,
        role.lower(),
        unit_id,
        customer_id,
        expires_at,
        staff_id=staff_id,
        follows_unit=staff_id is not None and customer_id is None and _follows_unit(unit_id, unrestricted=unrestricted),
        allowed_networks=allowed_networks or (),
        source=source,
    )
    try:
        return ApiKeyCreatePayload(*await api_keys.insert(tx, viewer, new_key, now))
    except (BadInput, NotFound) as error:
        raise _renamed(error) from None


class ApiKeyRotatePayload(NamedTuple):
    """The payload of apiKeyRotate."""

    api_key: Annotated[UUID, ApiKey, "The key, with all that belongs to it."]
    key: Annotated[str, "The new text of the key; it is shown only once."]
    previous_until: Annotated[datetime, "Time until which the old text opens the API too."]


@command("apiKeyRotate", secret=True)
async def rotate(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, ApiKey, "The key."],
    overlap_minutes: Annotated[
        int, "Minutes for which the old text opens the API beside the new one: 0 to 10080, 60 by default."
    ] = 60,
    now: datetime,
) -> ApiKeyRotatePayload:
    """Gives a key a new text. Its webhooks and sessions go on. The text from an earlier rotation ends at once."""
    viewer.require("keys:admin")
    if not 0 <= overlap_minutes <= MAX_OVERLAP_MINUTES:
        message = f"overlap_minutes: {overlap_minutes} is out of range; give 0 to {MAX_OVERLAP_MINUTES} minutes."
        raise BadInput(message, code="KEY_INVALID", argument="overlap_minutes")
    row = await rows.lock_row(tx, viewer, ApiKey, id, "id")
    overlap = timedelta(minutes=overlap_minutes)
    return ApiKeyRotatePayload(id, await api_keys.rotate(tx, viewer, row["public_id"], overlap, now), now + overlap)


class ApiKeyRevokePayload(NamedTuple):
    """The payload of apiKeyRevoke."""

    api_key: Annotated[UUID, ApiKey, "The key, with the time since when it is revoked."]


@command("apiKeyRevoke")
async def revoke(
    tx: Connection, viewer: Viewer, *, id: Annotated[UUID, ApiKey, "The key."], now: datetime
) -> ApiKeyRevokePayload:
    """Revokes a key for good, with its sessions. Requests are refused and streams end within 5 seconds."""
    viewer.require("keys:admin")
    row = await rows.lock_row(tx, viewer, ApiKey, id, "id")
    await api_keys.revoke(tx, viewer, row["public_id"], now)
    await require_administrator_left(tx, viewer, "id", now)
    return ApiKeyRevokePayload(id)


checks(ApiKey.name)(api_keys.check_name)


@authorizes(ApiKey)
def only_by_who_administers(write: Write) -> None:
    """A key that writes data may not write keys."""
    write.viewer.require("keys:admin")


@validates(ApiKey, stored=True)
def a_dead_key_stays_dead(write: Write) -> None:
    """The time of expiry lies ahead, and neither an expired key nor a session gets another one."""
    if "expires_at" not in write.values or write.stored is None:
        return
    expires_at, stored = write.values["expires_at"], write.stored
    if expires_at is not None and expires_at <= write.now:
        message = f"expires_at: {expires_at.isoformat()} is past; give a time to come, or revoke the key."
        raise BadInput(message, code="KEY_INVALID", argument="expires_at")
    if stored["session_of_id"] is not None:
        message = "expires_at: a session ends when it was to end; revoke it to end it sooner."
        raise BadInput(message, code="KEY_INVALID", argument="expires_at")
    if stored["expires_at"] is not None and stored["expires_at"] <= write.now:
        message = "expires_at: the key has expired; create another one."
        raise BadInput(message, code="KEY_INVALID", argument="expires_at")


def _lifetime(minutes: int) -> timedelta:
    if not 1 <= minutes <= MAX_MINUTES:
        message = f"minutes: {minutes} is out of range; give 1 to {MAX_MINUTES} minutes."
        raise BadInput(message, code="KEY_INVALID", argument="minutes")
    return timedelta(minutes=minutes)


def _follows_unit(unit_id: UUID | None, *, unrestricted: bool) -> bool:
    if unit_id is not None and unrestricted:
        message = "unrestricted: a key that sees everything has no unit; leave one out."
        raise BadInput(message, code="KEY_INVALID", argument="unrestricted")
    return unit_id is None and not unrestricted


async def _require_staff(tx: Connection, staff_id: UUID, now: datetime) -> None:
    """Raises NotFound for an unknown member of staff, and BadInput for one who has left."""
    row = await tx.fetchrow(_LEFT_ON, staff_id)
    if row is None:
        raise rows.not_visible("staff_id")
    end = left_at(row["left_on"])
    if end is not None and end <= now:
        message = (
            f"staff_id: the person left on {row['left_on'].isoformat()}; correct that date, or name another person."
        )
        raise BadInput(message, code="KEY_INVALID", argument="staff_id")


async def _create(tx: Connection, viewer: Viewer, new_key: NewKey, now: datetime) -> str:
    try:
        return await api_keys.create(tx, viewer, new_key, now)
    except (BadInput, NotFound) as error:
        raise _renamed(error) from None


API_NAMES = {
    "unit": "unit_id",
    "customer": "customer_id",
    "staff": "staff_id",
    "expires": "expires_at",
    "networks": "allowed_networks",
}


def _renamed(error: BadInput | NotFound) -> BadInput | NotFound:
    """The error with the argument as the API names it, not as the command line does."""
    name = API_NAMES.get(error.argument or "")
    if name is not None:
        error.message = error.message.replace(f"{error.argument}: ", f"{name}: ", 1)
        error.argument = name
    return error
