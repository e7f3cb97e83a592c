"""Credentials: granting and ending them, who may decide an amount, and the announcement of their end.

A credential counts from its first moment to its last, which is not one of them."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import asyncpg

from hub.db.pool import Connection
from hub.domain.work.job_roles import head_of
from hub.domain.work.notifications import notify
from hub.errors import BadInput, Forbidden
from hub.model import exact_json, rows
from hub.model.commands import command
from hub.model.subjects import subject_values
from hub.model.timers import timer
from hub.model.writer import writer_of
from hub.schema.organisation.staff import Staff
from hub.schema.work.credentials import Credential, CredentialType
from hub.schema.work.notifications import NotificationType
from hub.viewer import ADMIN, Viewer

NOTICE = timedelta(days=30)  # between the announcement and the end

_COUNTS = "{moment} >= valid_from and {moment} < coalesce(least(valid_until, ended_at), 'infinity')"
_AUTHORITY = f"""
select currency, max("limit") as "limit" from credentials
where staff_id = $1 and type = 'AUTHORITY' and code = $2 and {_COUNTS.format(moment="$3")}
group by currency
"""
_HOLDS = f"""
select exists (
    select from credentials where staff_id = $1 and type = $2 and code = $3 and coalesce(level, 0) >= $5
    and {_COUNTS.format(moment="$4")}
)
"""
_OTHER_GRADE = """
select id, code, valid_from, least(valid_until, ended_at) as ends_at from credentials
where staff_id = $1 and type = 'GRADE'
and tstzrange(valid_from, least(valid_until, ended_at)) && tstzrange($2, $3) order by valid_from limit 1
"""
# Another credential that covers at least the same from the end on: without a gap, with the level, the limit and its currency.
_SUCCESSOR = """
select exists (
    select from credentials as own join credentials as other on other.staff_id = own.staff_id and other.type = own.type
        and other.code = own.code and other.id <> own.id
    where own.id = $1 and other.valid_from <= own.valid_until
        and coalesce(least(other.valid_until, other.ended_at), 'infinity') > own.valid_until
        and coalesce(other.level, 0) >= coalesce(own.level, 0)
        and (own."limit" is null or (other.currency = own.currency and other."limit" >= own."limit"))
)
"""
# Those that relied on a credential that has ended: they are looked at again, unless their end is announced.
_ANNOUNCE_AGAIN = """
update credentials as c set announced_at = null
where c.staff_id = $1 and c.type = $2 and c.code = $3 and c.id <> $4 and c.ended_at is null and c.valid_until > $5
    and c.announced_at is not null
    and not exists (select from notifications as n where n.row_id = c.id and n.type = 'EXPIRY')
"""
_EQUAL = f"""
select id from credentials where staff_id = $1 and type = $2 and code = $3
    and (level, step, "limit", currency, valid_until) is not distinct from ($4, $5, $6, $7, $8)
    and evidence = $9 and {_COUNTS.format(moment="$10")}
order by valid_from limit 1
"""
_PERSON = "select name, unit_id from staff where id = $1"


class CredentialGrantPayload(NamedTuple):
    """The payload of credentialGrant."""

    credential: Annotated[UUID, Credential, "The new credential."]


class CredentialEndPayload(NamedTuple):
    """The payload of credentialEnd."""

    credential: Annotated[UUID, Credential, "The credential as it is now."]


@command("credentialGrant", bulk_name="credentialsGrant")
async def grant_credential(
    tx: Connection,
    viewer: Viewer,
    *,
    staff_id: Annotated[UUID, Staff, "The person who gets it; nobody grants anything to themselves."],
    type: Annotated[CredentialType, "Type of the credential."],
    code: Annotated[
        str, "Code of the grade, the certificate, or of what may be decided: letters, digits, underscores."
    ],
    level: Annotated[int | None, "Level of a grade, 0 or more."] = None,
    step: Annotated[int | None, "Step within the level, 0 or more."] = None,
    limit: Annotated[
        Decimal | None, "Greatest amount that an authority may decide; without: what has no amount."
    ] = None,
    currency: Annotated[str | None, "ISO 4217 code of the limit's currency."] = None,
    valid_from: Annotated[datetime | None, "First moment at which it counts; now if left out."] = None,
    valid_until: Annotated[datetime | None, "Moment from which it no longer counts."] = None,
    evidence: Annotated[dict[str, Any] | None, "Proof as a JSON object."] = None,
    replaces_id: Annotated[
        UUID | None, Credential, "The person's credential of this type that ends when it begins."
    ] = None,
    now: datetime,
) -> CredentialGrantPayload:
    """Grants a grade, a certificate or authority to a member of staff whom the key reads about. Authority begins now or later.

    Without effect where it would begin now and the person has an equal one that counts now."""
    Credential.require(viewer, "create")
    _require_another_person(viewer, staff_id)
    begins_at = valid_from or now
    columns = {
        "code": code,
        "level": level,
        "step": step,
        "limit": limit,
        "currency": currency,
        "evidence": evidence or {},
    }
    row = writer_of(Credential).canonical(columns) | {"staff_id": staff_id, "type": type}
    row |= {"valid_from": begins_at, "valid_until": valid_until, "granted_by_id": viewer.staff_id}
    _check_values(row, now)
    await rows.require_visible(tx, viewer, Staff, staff_id, "staff_id")
    if replaces_id is not None:
        await _replace(tx, viewer, replaces_id, row, now)
    elif valid_from is None and (equal := await _find_equal(tx, viewer, row, now)) is not None:
        return CredentialGrantPayload(equal)
    if type == CredentialType.GRADE:
        await _require_free(tx, viewer, row)
    key = await _insert(tx, viewer, row, columns, now)
    return CredentialGrantPayload(key)


@command("credentialEnd")
async def end_credential(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, Credential, "The credential."],
    reason: Annotated[str, "Why it ends, in one line."],
    now: datetime,
) -> CredentialEndPayload:
    """Ends a credential before its term: it no longer counts from now on, or never if it has not begun."""
    Credential.require(viewer, "update")
    stored = await rows.lock_row(tx, viewer, Credential, id, "id")
    _require_another_person(viewer, stored["staff_id"], argument="id")
    checked = writer_of(Credential).canonical({"reason": reason})
    if _last_moment(dict(stored)) is not None and _last_moment(dict(stored)) <= now:
        message = f"id: the credential ended at {_last_moment(dict(stored)).isoformat()}; there is nothing to end."
        raise BadInput(message, code="MOVE_INVALID", argument="id")
    values = checked | {"ended_at": max(now, stored["valid_from"])}
    await rows.update_row(tx, viewer, Credential, id, values, now, fields=("ended_at", "reason"))
    await tx.execute(_ANNOUNCE_AGAIN, stored["staff_id"], stored["type"], stored["code"], id, now)
    return CredentialEndPayload(id)


async def authority(tx: Connection, staff_id: UUID, code: str, *, now: datetime) -> dict[str | None, Decimal | None]:
    """The greatest amount that the person may decide under a code at a moment, by currency; empty for no authority.

    The key None, with None, stands for authority without a limit, which decides what has no amount."""
    limits = await tx.fetch(_AUTHORITY, staff_id, code, now)
    return {row["currency"]: row["limit"] for row in limits}


async def has_authority(
    tx: Connection, staff_id: UUID, code: str, amount: Decimal | None, currency: str | None, *, now: datetime
) -> bool:
    """Whether the person may decide an amount under a code at a moment. Without an amount, any authority will do."""
    limits = await authority(tx, staff_id, code, now=now)
    if amount is None:
        return bool(limits)
    limit = limits.get(currency) if currency is not None else None
    return limit is not None and abs(amount) <= limit


async def require_authority(
    tx: Connection, staff_id: UUID, code: str, amount: Decimal | None, currency: str | None, *, now: datetime
) -> None:
    """Raises Forbidden AUTHORITY_LIMIT unless the person may decide the amount under the code."""
    if not await has_authority(tx, staff_id, code, amount, currency, now=now):
        # No amount: the key may not see the item's.
        scope = "" if amount is None else " up to the amount"
        message = f"The person has no authority {code}{scope} now; let somebody decide who has it."
        raise Forbidden(message, code="AUTHORITY_LIMIT", extensions={"authority": code})


async def holds(
    tx: Connection, staff_id: UUID, type: CredentialType, code: str, *, level: int = 0, now: datetime
) -> bool:
    """Whether the person has a credential of this type and code, of the level or above, at a moment."""
    return bool(await tx.fetchval(_HOLDS, staff_id, type.value, code, now, level))


@timer(
    "credential.expiry",
    Credential.c.valid_until,
    condition=Credential.c.announced_at.is_(None) & Credential.c.ended_at.is_(None),
    early=NOTICE,
)
async def announce_expiry(tx: Connection, key: UUID, now: datetime) -> None:
    """Announces the end of a credential, unless another covers at least the same from then on."""
    stored = await rows.lock_row(tx, ADMIN, Credential, key, "id")
    moment = max(now, stored["created_at"])
    await rows.update_row(tx, ADMIN, Credential, key, {"announced_at": moment}, moment)
    ends_at = stored["valid_until"]
    if ends_at <= moment or await tx.fetchval(_SUCCESSOR, key):
        return
    subject = await subject_values(tx, Credential, key)
    person = await tx.fetchrow(_PERSON, stored["staff_id"])
    assert person is not None  # the credential goes with the person
    name = f"{stored['type']} {stored['code']}"
    end = f"ends at {ends_at:%Y-%m-%d %H:%M} UTC"
    words = {"type": NotificationType.EXPIRY, "now": moment}
    await notify(tx, subject, staff_ids=[stored["staff_id"]], text=f"Your {name} {end}.", **words)
    superior = await head_of(tx, person["unit_id"], now=moment, besides=stored["staff_id"])
    if superior is not None:
        await notify(tx, subject, staff_ids=[superior], text=f"{person['name']}: {name} {end}.", **words)


def _require_another_person(viewer: Viewer, staff_id: UUID, argument: str = "staff_id") -> None:
    """Raises Forbidden for one's own credentials, and for callers who do not read about people."""
    if viewer.staff_id == staff_id:
        message = f"{argument}: nobody grants or ends their own credentials; let somebody else do it."
        raise Forbidden(message, code="DUAL_CONTROL", argument=argument)
    if not viewer.reads_people:
        message = f"{argument}: this key reads about no people but its own; use a key of a head or an administrator."
        raise Forbidden(message, argument=argument)


def _check_values(row: Mapping[str, Any], now: datetime) -> None:
    """Raises BadInput for values that do not fit together."""
    if row["type"] == CredentialType.AUTHORITY and row["valid_from"] < now:
        message = "valid_from: authority begins now or later, for nobody has decided by it before; give no past moment."
        raise BadInput(message, argument="valid_from")
    if (row["limit"] is None) is not (row["currency"] is None):
        name = "currency" if row["currency"] is None else "limit"
        message = f"{name}: a limit and its currency stand together; give both, or neither."
        raise BadInput(message, code="ARGUMENT_MISSING", argument=name)
    is_authority, is_grade = row["type"] == CredentialType.AUTHORITY, row["type"] == CredentialType.GRADE
    if row["limit"] is not None and not is_authority:
        raise BadInput("limit: only an AUTHORITY has one; leave it out.", argument="limit")
    for name in ("level", "step"):
        if row[name] is not None and not is_grade:
            raise BadInput(f"{name}: only a GRADE has one; leave it out.", argument=name)
        if row[name] is not None and not 0 <= row[name] <= 1_000:
            raise BadInput(f"{name}: {row[name]} lies outside 0 to 1,000; give another.", argument=name)
    if row["valid_until"] is not None and row["valid_until"] <= row["valid_from"]:
        message = "valid_until: it would end before it begins; give a later moment, or leave it out."
        raise BadInput(message, argument="valid_until")


def _last_moment(stored: Mapping[str, Any]) -> Any:
    """The moment from which a stored credential no longer counts; None for none."""
    ends = [moment for moment in (stored["valid_until"], stored["ended_at"]) if moment is not None]
    return min(ends, default=None)


async def _replace(tx: Connection, viewer: Viewer, key: UUID, row: Mapping[str, Any], now: datetime) -> None:
    """Ends the credential that a new one replaces at the moment when that begins."""
    stored = await rows.lock_row(tx, viewer, Credential, key, "replaces_id")
    if (stored["staff_id"], stored["type"]) != (row["staff_id"], row["type"]):
        message = (
            "replaces_id: it is another person's, or of another type; name one that the new one takes the place of."
        )
        raise BadInput(message, argument="replaces_id")
    ends_at = _last_moment(dict(stored))
    if stored["valid_from"] > row["valid_from"] or (ends_at is not None and ends_at < row["valid_from"]):
        message = (
            "replaces_id: it does not count when the new one begins; leave it out, or let that begin within its term."
        )
        raise BadInput(message, argument="replaces_id")
    values = {"ended_at": row["valid_from"], "reason": f"Replaced by {row['type']} {row['code']}."}
    await rows.update_row(tx, viewer, Credential, key, values, now, fields=("ended_at",))


async def _insert(
    tx: Connection, viewer: Viewer, row: Mapping[str, Any], columns: Collection[str], now: datetime
) -> UUID:
    """Stores a credential whose named columns are `columns`; raises BadInput OVERLAP for a second grade."""
    try:
        key = await rows.insert_row(tx, viewer, Credential, row, now, fields=columns)
    except asyncpg.ExclusionViolationError as error:  # somebody else has just granted a grade
        raise _overlap("has one") from error
    await rows.require_visible(tx, viewer, Credential, key, "staff_id")
    return key


async def _find_equal(tx: Connection, viewer: Viewer, row: Mapping[str, Any], now: datetime) -> UUID | None:
    """The key of a credential that the viewer sees, counts now and says the same."""
    names = ("staff_id", "type", "code", "level", "step", "limit", "currency", "valid_until")
    values = (row[name] for name in names)
    key: UUID | None = await tx.fetchval(_EQUAL, *values, exact_json.dumps(row["evidence"]), now)
    return key if key is not None and await rows.can_see(tx, viewer, Credential.table, key) else None


async def _require_free(tx: Connection, viewer: Viewer, row: Mapping[str, Any]) -> None:
    """Raises BadInput OVERLAP if the person has another grade in the term of the new one; names it if the viewer sees it."""
    other = await tx.fetchrow(_OTHER_GRADE, row["staff_id"], row["valid_from"], row["valid_until"])
    if other is not None:
        if not await rows.can_see(tx, viewer, Credential.table, other["id"]):
            raise _overlap("has one")
        until = "" if other["ends_at"] is None else f" to {other['ends_at'].isoformat()}"
        raise _overlap(f"has {other['code']} from {other['valid_from'].isoformat()}{until}")


def _overlap(fault: str) -> BadInput:
    message = f"valid_from: the person {fault}, and one grade counts at a time; name it in replacesId, or begin later."
    return BadInput(message, code="OVERLAP", argument="valid_from")
