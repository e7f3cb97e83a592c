"""Limits of what may be given or kept, as rows: the latest one that has begun holds, for each type and currency."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, NamedTuple
from uuid import UUID

from hub.db.pool import Connection
from hub.errors import BadInput
from hub.model import rows
from hub.model.commands import command
from hub.model.writer import writer_of
from hub.schema.work.disclosures import DisclosureLimit, DisclosureType
from hub.viewer import Viewer

_LIMIT = """
select per_person from disclosure_limits where type = $1 and currency = $2 and valid_from <= $3
order by valid_from desc limit 1
"""
_CURRENCIES = """
select array_agg(distinct currency order by currency) from disclosure_limits where type = $1 and valid_from <= $2
"""
_LOCK = "select pg_advisory_xact_lock(hashtextextended('disclosure_limits', 0))"
_STORED = "select id, per_person from disclosure_limits where type = $1 and currency = $2 and valid_from = $3"


class DisclosureLimitUpsertPayload(NamedTuple):
    """The payload of disclosureLimitUpsert."""

    disclosure_limit: Annotated[UUID, DisclosureLimit, "The limit as it is now."]
    created: Annotated[bool, "Whether it is new."]


@command("disclosureLimitUpsert", bulk_name="disclosureLimitsUpsert")
async def upsert_limit(
    tx: Connection,
    viewer: Viewer,
    *,
    type: Annotated[DisclosureType, "The disclosures that it is about."],
    currency: Annotated[str, "ISO 4217 code of its currency."],
    valid_from: Annotated[date, "First day on which it holds, until the next one does."],
    per_person: Annotated[Decimal, "Greatest value for each person."],
    now: datetime,
) -> DisclosureLimitUpsertPayload:
    """Sets the limit of a type of disclosures in a currency from a day on. Equal input changes nothing."""
    DisclosureLimit.require(viewer, "create")
    checked = writer_of(DisclosureLimit).canonical({"currency": currency, "per_person": per_person})
    await tx.execute(_LOCK)
    stored = await tx.fetchrow(_STORED, type, checked["currency"], valid_from)
    await rows.require_nameable(tx, viewer, DisclosureLimit, None if stored is None else stored["id"], "type")
    if stored is None:
        row = checked | {"type": type, "valid_from": valid_from}
        return DisclosureLimitUpsertPayload(
            await rows.insert_row(tx, viewer, DisclosureLimit, row, now, fields=row), True
        )
    if stored["per_person"] != checked["per_person"]:
        change = {"per_person": checked["per_person"]}
        await rows.update_row(tx, viewer, DisclosureLimit, stored["id"], change, now, fields=change)
    return DisclosureLimitUpsertPayload(stored["id"], False)


async def limit_on(tx: Connection, type: DisclosureType, currency: str, day: date) -> Decimal | None:
    """The greatest value for each person on a day; None where no limit is known.

    Raises BadInput HOSPITALITY_LIMIT where there are limits in other currencies alone: the value cannot be compared."""
    limit: Decimal | None = await tx.fetchval(_LIMIT, type, currency, day)
    if limit is None:
        currencies = await tx.fetchval(_CURRENCIES, type, day)
        if currencies:
            message = f"currency: the limits are in {' and '.join(currencies)}; give the value in that currency."
            raise BadInput(message, code="HOSPITALITY_LIMIT", argument="currency")
    return limit
