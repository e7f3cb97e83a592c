"""A hub with a test clock, customers whom models score, and what compares stored scores with computed ones."""

import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
from change_workload import wait_until
from writer_client import HubClient, open_hub_client

from hub.db.pool import Connection
from hub.domain.scoring.evaluation import refresh_scores
from hub.model.projections import registered_projections
from hub.settings import Settings

PROJECTION = "customers"
NUMBERS = itertools.count()
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
UNIT = """mutation { orgUnitCreate(input: {code: "east", name: "East", kind: GROUP}) { orgUnit { id } } }"""
CUSTOMER = "mutation ($input: CustomerCreateInput!) { customerCreate(input: $input) { customer { id } } }"
ORDER = "mutation ($input: OrderCreateInput!) { orderCreate(input: $input) { order { id } } }"
INTERACTION = "mutation ($input: InteractionRecordInput!) { interactionRecord(input: $input) { interaction { id } } }"
RECORD = "mutation ($input: ScoreRecordInput!) { scoreRecord(input: $input) { score { id } } }"
CREATE = "mutation ($input: ScoreModelCreateInput!) { scoreModelCreate(input: $input) { scoreModel { id revision } } }"
PREVIEW = """mutation ($id: ID!) { scoreModelPreview(input: {id: $id}) {
    customers scored bands moves rowsRead problems notes
} }"""
ACTIVATE = "mutation ($id: ID!) { scoreModelActivate(input: {id: $id}) { scoreModel { status } } }"
ADVANCE = "mutation ($to: DateTime!) { testClockAdvance(input: {to: $to}) { fired failed } }"
SCORES = """query ($filter: ScoreFilter) { scores(first: 100, filter: $filter) { nodes {
    model value band reasons computedAt supersededAt overrideReason expiresAt customer { id } scoreModel { revision }
    evidenceOrders { id } evidenceInteractions { id }
} } }"""
BEHIND = """
select exists (
        select from change_order as o join change_log as l on l.id = o.id, projections as p
        where p.name = $1 and o.position > p.position and l.table_name = any($2)
    )
    or exists (select from change_log as c where not exists (select from change_order as o where o.id = c.id))
    or exists (select from score_models where computes_at is not null)
"""
STATE = """
select 'projection' as part, name, concat_ws(' ', position, error) as state from projections
union all select 'timer', timer, error from timer_failures
union all select 'model', code, computes_at::text from score_models where computes_at is not null
union all select 'position', 'last', max(position)::text from change_order
"""
# Scores that are computed anew have other ids.
CURRENT = """
select customer_id, model, value, band, regexp_replace(reasons::text, 'sco_[0-9a-f]+', 'sco', 'g') as reasons, score_model_id
from scores
where superseded_at is null and score_model_id is not null order by customer_id, model
"""


class _Computed(Exception):
    """Ends the transaction of a comparison."""


@dataclass
class ScoringHub:
    """A hub, a unit, and shorthands for what tests do with customers and models."""

    client: HubClient
    connection: Connection
    unit: str
    now: datetime = START

    async def create(self, name: str = "Ada", **fields: Any) -> str:
        """A customer of the unit."""
        values = {"name": name, "unitId": self.unit, **fields}
        data = await self.client.query(CUSTOMER, {"input": values})
        return str(data["customerCreate"]["customer"]["id"])

    async def order(self, customer: str, net: str, placed_at: datetime | None = None, **fields: Any) -> str:
        """An order in euros."""
        values = {"customerId": customer, "number": f"n{next(NUMBERS)}", "currency": "EUR", "net": net, **fields}
        if placed_at is not None:
            values["placedAt"] = placed_at.isoformat()
        return str((await self.client.query(ORDER, {"input": values}))["orderCreate"]["order"]["id"])

    async def interaction(self, customer: str, occurred_at: datetime | None = None, **fields: Any) -> str:
        """Something that the customer said."""
        values = {"customerId": customer, "channel": "EMAIL", "direction": "INBOUND", "kind": "visit", **fields}
        if occurred_at is not None:
            values["occurredAt"] = occurred_at.isoformat()
        data = await self.client.query(INTERACTION, {"input": values})
        return str(data["interactionRecord"]["interaction"]["id"])

    async def record(self, customer: str, model: str, value: str, **fields: Any) -> None:
        """A score of another system."""
        values = {"customerId": customer, "model": model, "value": value, **fields}
        await self.client.query(RECORD, {"input": values})

    async def draft(self, code: str, **definition: Any) -> str:
        """A revision of a model, as a draft."""
        values = {"code": code, "name": code, **definition}
        return str((await self.client.query(CREATE, {"input": values}))["scoreModelCreate"]["scoreModel"]["id"])

    async def activate(self, code: str, **definition: Any) -> str:
        """A revision of a model in force, which has scored all customers."""
        model = await self.draft(code, **definition)
        await self.client.query(ACTIVATE, {"id": model})
        await self.settle()
        return model

    async def preview(self, model: str) -> Any:
        """What a revision would do."""
        return (await self.client.query(PREVIEW, {"id": model}))["scoreModelPreview"]

    async def advance(self, to: datetime) -> None:
        """Moves the time."""
        self.now = to
        await self.settle()
        moved = (await self.client.query(ADVANCE, {"to": to.isoformat()}))["testClockAdvance"]
        assert moved["failed"] == 0
        await self.settle()

    async def settle(self) -> None:
        """Waits until all changes are in the scores."""

        (followed,) = (projection for projection in registered_projections() if projection.name == PROJECTION)
        tables = sorted(followed.tables)

        async def done() -> bool:
            return not await self.connection.fetchval(BEHIND, PROJECTION, tables)

        try:
            await wait_until(done, 20)
        except TimeoutError:
            raise AssertionError(await self.connection.fetch(STATE)) from None

    async def scores(self, customer: str, model: str, *, past: bool = False) -> list[Any]:
        """A customer's scores of a model, the current one or also those before, the latest first."""
        await self.settle()
        current = {} if past else {"current": {"eq": True}}
        filter_ = {"customer": {"id": {"eq": customer}}, "model": {"eq": model}, **current}
        nodes: list[Any] = (await self.client.query(SCORES, {"filter": filter_}))["scores"]["nodes"]
        return nodes

    async def stored(self) -> list[tuple[Any, ...]]:
        """All scores that the hub keeps current."""
        await self.settle()
        return [tuple(row) for row in await self.connection.fetch(CURRENT)]

    async def computed(self) -> list[tuple[Any, ...]]:
        """The same as a full run from nothing would have it, beside what people have set; it leaves no trace."""
        computed: list[tuple[Any, ...]] = []
        try:
            async with self.connection.transaction():
                await self.connection.execute(
                    "delete from scores where score_model_id is not null and override_reason is null"
                )
                ids: Sequence[UUID] = [
                    r["id"] for r in await self.connection.fetch("select id from customers order by id")
                ]
                await refresh_scores(self.connection, ids, self.now)
                computed = [tuple(row) for row in await self.connection.fetch(CURRENT)]
                raise _Computed
        except _Computed:
            return computed


@asynccontextmanager
async def open_scoring_hub(dsn: str) -> AsyncIterator[ScoringHub]:
    """A hub with one unit and a test clock on an empty database."""
    connection: Connection = await asyncpg.connect(dsn)
    try:
        async with open_hub_client(dsn, Settings(clock="test", clock_start=START)) as client:
            unit = (await client.query(UNIT))["orgUnitCreate"]["orgUnit"]["id"]
            yield ScoringHub(client, connection, unit)
    finally:
        await connection.close()
