"""A hub with customers who may be one, and what brings its candidates up to date at once."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg
from writer_client import HubClient, open_hub_client

from hub.domain.matching.candidates import rebuild
from hub.settings import Settings

NUMBERS = itertools.count()
START = datetime(2026, 2, 13, 9, tzinfo=UTC)
UNIT = """mutation ($input: OrgUnitCreateInput!) { orgUnitCreate(input: $input) { orgUnit { id } } }"""
CREATE = "mutation ($input: CustomerCreateInput!) { customerCreate(input: $input) { customer { id version } } }"
ADDRESS = "mutation ($input: AddressCreateInput!) { addressCreate(input: $input) { address { id } } }"
CANDIDATES = """query ($filter: MatchCandidateFilter) { matchCandidates(first: 50, filter: $filter) { nodes {
    id version score reasons status remindsAt modelVersion customer { id name } other { id name }
} } }"""
DECIDE = """mutation ($input: MatchCandidateDecideInput!) { matchCandidateDecide(input: $input) {
    matchCandidate { status version remindsAt decidedAt decidedBy { id } } customer { id name } merge { id status } job { id }
} }"""
IDENTIFY = """mutation ($input: IdentifyInput!) { identify(input: $input) {
    outcome reasons customer { id name bornOn } } }"""
ANY_CANDIDATE = "{ matchCandidates(first: 50) { nodes { id status } } }"


@dataclass
class MatchingHub:
    """A hub, its units, and shorthands for what tests do with customers."""

    client: HubClient
    units: dict[str, str]

    async def create(self, name: str, *, unit: str = "east", street: str = "", **fields: Any) -> str:
        """A customer; `email` and `phone` are identifiers, reported by a system of its own, and `street` an address."""
        identifiers = [
            {"kind": word, "value": fields.pop(word.lower()), "source": f"shop {next(NUMBERS)}"}
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


async def pair(hub: MatchingHub, name: str, **fields: Any) -> tuple[str, str]:
    """Two records of one customer, with one day of birth and one address."""
    shared = {"bornOn": f"19{50 + len(name)}-{len(name):02d}-{ord(name[0]) % 28 + 1:02d}", "street": f"{name}weg 1"}
    first = await hub.create(f"{name[:3]}a {name}", **{**shared, **fields})
    return first, await hub.create(f"{name[:3]}a {name}", **{**shared, **fields})


async def decide(hub: MatchingHub, candidate: Any, decision: str, **fields: Any) -> Any:
    """Decides a candidate; returns the payload."""
    data = await hub.client.query(DECIDE, {"input": {"id": candidate["id"], "decision": decision, **fields}})
    return data["matchCandidateDecide"]


async def identified(hub: MatchingHub, source: str, identifier: dict[str, Any], **traits: Any) -> Any:
    """The payload of identify, for a customer of the east."""
    traits = {"unitId": hub.units["east"], **traits}
    values = {"identifiers": [identifier], "source": source, "traits": traits}
    return (await hub.client.query(IDENTIFY, {"input": values}))["identify"]
