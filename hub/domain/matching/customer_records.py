"""Reads customers as records to compare, with everything that they are known and reached by."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from uuid import UUID

import asyncpg

from hub.db.pool import Connection
from hub.domain.matching.records import MAX_VALUES, MatchAddress, MatchRecord, match_address, match_record
from hub.model import validators
from hub.schema.customers.customers import CustomerKind

_CUSTOMERS = "select id, kind, name, born_on, country from customers where id = any($1)"
_IDENTIFIERS = """
select customer_id, kind, normalized as value, null as country from identifiers
where customer_id = any($1) and kind in ('EMAIL', 'PHONE', 'TAX_ID', 'LOYALTY_ID')
union all
select c.customer_id, case p.kind when 'EMAIL' then 'EMAIL_POINT' else 'PHONE_POINT' end, p.value, p.country
from contacts as c join contact_points as p on p.contact_id = c.id
where c.customer_id = any($1) and p.kind in ('EMAIL', 'PHONE', 'MOBILE')
order by 2, 3
"""
_ADDRESSES = """
select customer_id, street, city, postal_code, country from addresses where customer_id = any($1)
order by (kind <> 'MAIN'), id
"""


async def read_records(tx: Connection, customers: Sequence[UUID]) -> dict[UUID, MatchRecord]:
    """The records of those of the customers who exist."""
    keys = list(customers)
    rows = await tx.fetch(_CUSTOMERS, keys)
    values: dict[UUID, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    countries = {row["id"]: row["country"] for row in rows}
    for row in await tx.fetch(_IDENTIFIERS, keys):
        value = _comparable(row, countries.get(row["customer_id"]))
        if value is not None:
            values[row["customer_id"]][row["kind"].removesuffix("_POINT")].append(value)
    addresses: dict[UUID, list[MatchAddress]] = defaultdict(list)
    for row in await tx.fetch(_ADDRESSES, keys):
        addresses[row["customer_id"]].append(
            match_address(row["street"], row["city"], row["postal_code"], row["country"])
        )
    return {row["id"]: _record(row, values[row["id"]], addresses[row["id"]]) for row in rows}


def _record(row: asyncpg.Record, values: Mapping[str, Iterable[str]], addresses: Sequence[MatchAddress]) -> MatchRecord:
    born_on = row["born_on"]
    return match_record(
        row["id"],
        row["name"],
        is_organisation=row["kind"] == CustomerKind.ORGANISATION,
        born_on="" if born_on is None else f"{born_on:%Y%m%d}",
        emails=values.get("EMAIL", ()),
        phones=values.get("PHONE", ()),
        tax_ids=values.get("TAX_ID", ()),
        loyalty_ids=values.get("LOYALTY_ID", ()),
        addresses=addresses[:MAX_VALUES],
    )


def _comparable(row: asyncpg.Record, country: str | None) -> str | None:
    """The normal form of a value; None for what is no e-mail address or telephone number."""
    value: str = row["value"]
    if row["kind"] == "EMAIL_POINT":
        return value.strip().lower() if "@" in value else None
    if row["kind"] == "PHONE_POINT":
        return _phone(value, row["country"] or country)
    return value


@lru_cache(maxsize=16_384)
def _phone(value: str, country: str | None) -> str | None:
    try:
        return validators.phone_identifier(value, country)
    except ValueError:
        return None
