"""A hub with a test clock, customers in segments, and what compares kept memberships with computed ones."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
from change_workload import wait_until
from writer_client import HubClient, open_hub_client

from hub.db.pool import Connection
from hub.domain.segments.evaluation import refresh_segments
from hub.model.projections import registered_projections
from hub.settings import Settings

PROJECTION = "customers"
SETTLE_SECONDS = 20
NUMBERS = itertools.count()
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
UNIT = 'mutation { orgUnitCreate(input: {code: "east", name: "East", kind: GROUP}) { orgUnit { id } } }'
CUSTOMER = "mutation ($input: CustomerCreateInput!) { customerCreate(input: $input) { customer { id } } }"
UPDATE_CUSTOMER = "mutation ($input: CustomerUpdateInput!) { customerUpdate(input: $input) { customer { id } } }"
ORDER = "mutation ($input: OrderCreateInput!) { orderCreate(input: $input) { order { id } } }"
INTERACTION = "mutation ($input: InteractionRecordInput!) { interactionRecord(input: $input) { interaction { id } } }"
CREATE = "mutation ($input: SegmentCreateInput!) { segmentCreate(input: $input) { segment { id status } } }"
CHANGE = "mutation ($input: SegmentUpdateInput!) { segmentUpdate(input: $input) { segment { id } usedBy } }"
PREVIEW = """mutation ($input: SegmentPreviewInput!) { segmentPreview(input: $input) {
    customers complete matching enterCount leaveCount entering leaving entriesRead usedBy
} }"""
ACTIVATE = "mutation ($id: ID!) { segmentActivate(input: {id: $id}) { segment { status computedAt } } }"
ARCHIVE = "mutation ($id: ID!) { segmentArchive(input: {id: $id}) { segment { status } } }"
ADVANCE = "mutation ($to: DateTime!) { testClockAdvance(input: {to: $to}) { fired failed } }"
MEMBERS = """query ($code: String!) { customers(first: 100, filter: {segments: {some: {code: {eq: $code}}}}) { nodes { id } } }"""
MEMBERSHIPS = """query ($filter: SegmentMembershipFilter) { segmentMemberships(first: 100, filter: $filter) { nodes {
    code since until because customer { id } member { id }
} } }"""
_UNFINISHED = """
select exists (
        select from change_order as o join change_log as l on l.id = o.id, projections as p
        where p.name = $1 and o.position > p.position and l.table_name = any($2)
    )
    or exists (select from change_log as c where not exists (select from change_order as o where o.id = c.id))
    or exists (select from segments where computes_at is not null)
"""
_STATE = """
select 'projection' as part, name, concat_ws(' ', position, error) as state from projections
union all select 'timer', timer, error from timer_failures
union all select 'segment', code, concat_ws(' ', computes_at, fault) from segments where computes_at is not null
"""
_CURRENT = "select code, customer_id from segment_memberships where until is null order by code, customer_id"


class _RollBack(Exception):
    """Ends the transaction of a comparison."""


@dataclass
class SegmentHub:
    """A hub, a unit, and shorthands for what tests do with customers and segments."""

    client: HubClient
    connection: Connection
    unit: str
    now: datetime = START

    async def create(self, name: str = "Ada", **fields: Any) -> str:
        """A customer of the unit."""
        data = await self.client.query(CUSTOMER, {"input": {"name": name, "unitId": self.unit, **fields}})
        return str(data["customerCreate"]["customer"]["id"])

    async def update(self, customer: str, **fields: Any) -> None:
        """Changes fields of a customer."""
        await self.client.query(UPDATE_CUSTOMER, {"input": {"id": customer, **fields}})

    async def order(self, customer: str, net: str, placed_at: datetime | None = None, **fields: Any) -> str:
        """An order in euros."""
        values = {"customerId": customer, "number": f"n{next(NUMBERS)}", "currency": "EUR", "net": net, **fields}
        values["placedAt"] = (placed_at or self.now).isoformat()
        return str((await self.client.query(ORDER, {"input": values}))["orderCreate"]["order"]["id"])

    async def interaction(self, customer: str, occurred_at: datetime | None = None, **fields: Any) -> None:
        """Something that the customer said."""
        values = {"customerId": customer, "channel": "EMAIL", "direction": "INBOUND", "kind": "visit", **fields}
        values["occurredAt"] = (occurred_at or self.now).isoformat()
        await self.client.query(INTERACTION, {"input": values})

    async def draft(self, code: str, filter: Any = None) -> str:
        """A segment that is not yet in force, or a list."""
        values = {"code": code, "name": code} | ({} if filter is None else {"filter": filter})
        return str((await self.client.query(CREATE, {"input": values}))["segmentCreate"]["segment"]["id"])

    async def activate(self, code: str, filter: Any) -> str:
        """A segment in force, which all customers have been looked at for."""
        segment = await self.draft(code, filter)
        await self.client.query(ACTIVATE, {"id": segment})
        await self.settle()
        return segment

    async def change(self, segment: str, **fields: Any) -> Any:
        """Changes a segment; returns the payload."""
        data = await self.client.query(CHANGE, {"input": {"id": segment, **fields}})
        await self.settle()
        return data["segmentUpdate"]

    async def preview(self, segment: str, **fields: Any) -> Any:
        """What a segment would do."""
        return (await self.client.query(PREVIEW, {"input": {"id": segment, **fields}}))["segmentPreview"]

    async def advance(self, to: datetime) -> None:
        """Moves the time."""
        await self.settle()
        self.now = to
        moved = (await self.client.query(ADVANCE, {"to": to.isoformat()}))["testClockAdvance"]
        assert moved["failed"] == 0
        await self.settle()

    async def settle(self) -> None:
        """Waits until all changes are in the memberships."""
        (followed,) = (projection for projection in registered_projections() if projection.name == PROJECTION)
        tables = sorted(followed.tables)

        async def done() -> bool:
            return not await self.connection.fetchval(_UNFINISHED, PROJECTION, tables)

        try:
            await wait_until(done, SETTLE_SECONDS)
        except TimeoutError:
            raise AssertionError(await self.connection.fetch(_STATE)) from None

    async def members(self, code: str, *, key: str | None = None) -> set[str]:
        """The customers who are in a segment, as a filter of customers finds them."""
        await self.settle()
        data = await self.client.query(MEMBERS, {"code": code}, key=key)
        return {node["id"] for node in data["customers"]["nodes"]}

    async def memberships(self, code: str, *, key: str | None = None) -> list[Any]:
        """Who is or was in a segment, the latest entry first."""
        await self.settle()
        data = await self.client.query(MEMBERSHIPS, {"filter": {"code": {"eq": code}}}, key=key)
        nodes: list[Any] = data["segmentMemberships"]["nodes"]
        return nodes

    async def stored(self) -> list[tuple[Any, ...]]:
        """All current memberships."""
        await self.settle()
        return [tuple(row) for row in await self.connection.fetch(_CURRENT)]

    async def computed(self) -> list[tuple[Any, ...]]:
        """The same as looking at all customers from nothing would have it; it leaves no trace."""
        computed: list[tuple[Any, ...]] = []
        try:
            async with self.connection.transaction():
                await self.connection.execute(
                    "delete from segment_memberships as m using segments as s where s.id = m.segment_id and s.kind = 'FILTER'"
                )
                ids: list[UUID] = [
                    row["id"] for row in await self.connection.fetch("select id from customers order by id")
                ]
                await refresh_segments(self.connection, ids, self.now)
                computed = [tuple(row) for row in await self.connection.fetch(_CURRENT)]
                raise _RollBack
        except _RollBack:
            return computed


@asynccontextmanager
async def open_segment_hub(dsn: str) -> AsyncIterator[SegmentHub]:
    """A hub with one unit and a test clock on an empty database."""
    connection: Connection = await asyncpg.connect(dsn)
    try:
        async with open_hub_client(
            dsn, Settings(clock="test", clock_start=START, webhook_allow=("127.0.0.1",))
        ) as client:
            unit = (await client.query(UNIT))["orgUnitCreate"]["orgUnit"]["id"]
            yield SegmentHub(client, connection, unit)
    finally:
        await connection.close()
