"""A hub with customers who may be one, and what brings its candidates up to date at once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg
from writer_client import HubClient, open_hub_client

from hub.domain.matching.candidates import rebuild
from hub.settings import Settings

START = datetime(2026, 2, 13, 9, tzinfo=UTC)
UNIT = """mutation ($input: OrgUnitCreateInput!) { orgUnitCreate(input: $input) { orgUnit { id } } }"""
CREATE = "mutation ($input: CustomerCreateInput!) { customerCreate(input: $input) { customer { id version } } }"
ADDRESS = "mutation ($input: AddressCreateInput!) { addressCreate(input: $input) { address { id } } }"
CANDIDATES = """query ($filter: MatchCandidateFilter) { matchCandidates(first: 50, filter: $filter) { nodes {
    id version score reasons status remindsAt modelVersion customer { id name } other { id name }
} } }"""
ANY_CANDIDATE = "{ matchCandidates(first: 50) { nodes { id status } } }"


@dataclass
class MatchingHub:
    """A hub, its units, and shorthands for what tests do with customers."""

    client: HubClient
    units: dict[str, str]

    async def create(self, name: str, *, unit: str = "east", street: str = "", **fields: Any) -> str:
        """A customer; `email` and `phone` are identifiers, reported by a system of its own, and `street` an address."""
        identifiers = [
            {"kind": word, "value": fields.pop(word.lower()), "source": f"shop {name} {street}"}
            for word in ("EMAIL", "PHONE", "TAX_ID")
            if word.lower() in fields
        ]
        customer = {"name": name, "unitId": self.units[unit], "identifiers": identifiers, **fields}
        created: str = (await self.client.query(CREATE, {"input": customer}))["customerCreate"]["customer"]["id"]
        if street:
            address = {"customerId": created, "kind": "MAIN", "street": street, "city": "Bremen", "postalCode": "28195"}
            await self.client.query(ADDRESS, {"input": address})
        return created

    async def refresh(self) -> None:
        """Derives all keys and candidates anew, as after a new edition."""
        connection = await asyncpg.connect(self.client.dsn)
        try:
            async with connection.transaction():
                after = await rebuild(connection, None)
            assert after is None
        finally:
            await connection.close()

    async def candidates(self, *customers: str, key: str | None = None) -> list[Any]:
        """The candidates of customers as the key sees them."""
        await self.refresh()
        ids = {"id": {"in": list(customers)}}
        filter_ = {"or": [{"customer": ids}, {"other": ids}]}
        data = await self.client.query(CANDIDATES, {"filter": filter_}, key=key)
        nodes: list[Any] = data["matchCandidates"]["nodes"]
        return nodes


@asynccontextmanager
async def open_matching_hub(dsn: str) -> AsyncIterator[MatchingHub]:
    """A hub with two units and a test clock on an empty database."""
    async with open_hub_client(dsn, Settings(clock="test", clock_start=START)) as client:
        units = {}
        for code in ("east", "west"):
            unit = await client.query(UNIT, {"input": {"code": code, "name": code, "kind": "GROUP"}})
            units[code] = unit["orgUnitCreate"]["orgUnit"]["id"]
        yield MatchingHub(client, units)
