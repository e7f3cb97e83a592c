"""Scores that are kept current equal a computation from nothing, and reasons add up: over random models, writes and times."""

import random
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import random_runs
from conftest import CreateDatabase
from scoring_hub import ScoringHub, open_scoring_hub

from hub.model import exact_json

CUSTOMERS = 12
MOVE_STAGE = """mutation ($id: ID!, $to: Stage!) {
    customerStageMove(input: {customerId: $id, to: $to, reason: "drawn"}) { customer { id } } }"""
CANCEL = "mutation ($id: ID!) { orderStatusMove(input: {id: $id, to: CANCELLED}) { order { id } } }"
DELETE = "mutation ($id: ID!) { interactionDelete(input: {id: $id}) { deletedId } }"
OVERRIDE = "mutation ($input: ScoreOverrideInput!) { scoreOverride(input: $input) { score { id } } }"
MERGE = """mutation ($input: CustomersMergeInput!) { customersMerge(input: $input) { fingerprint customer { id } } }"""
ERASE = "mutation ($id: ID!) { customerErase(input: {id: $id}) { entries } }"
SUMS = """
select s.value, s.reasons::text as reasons from scores as s where s.score_model_id is not null
"""
MATCHES: dict[str, tuple[dict[str, Any], ...]] = {
    "Interaction": (
        {"kind": {"eq": "visit"}},
        {"direction": {"eq": "INBOUND"}},
        {"order": {"status": {"eq": "PLACED"}}},
    ),
    "Order": ({"status": {"ne": "CANCELLED"}}, {"net": {"gte": "100"}}, {"customer": {"stage": {"eq": "ACTIVE"}}}),
    "Score": ({"model": {"eq": "nps"}}, {"model": {"eq": "drawn.0"}, "current": {"eq": True}}),
    "Customer": ({"stage": {"in": ["ACTIVE", "LOYAL"]}}, {"orders": {"count": {"gte": 2}}}),
}


def random_rule(rng: random.Random, number: int, first_model: bool) -> dict[str, Any]:
    """A rule of any measure, over any type."""
    entity = rng.choice([*MATCHES, "Order", "Interaction"])
    matches = MATCHES[entity][:1] if entity == "Score" and first_model else MATCHES[entity]
    rule: dict[str, Any] = {
        "name": f"rule{number}",
        "entity": entity,
        "points": str(Decimal(rng.randint(-99999, 99999)) / 7)[:7],
    }
    if entity == "Score" or rng.random() < 0.7:
        rule["match"] = rng.choice(matches)
    if rng.random() < 0.4:
        rule["maxPoints"] = str(rng.randint(1, 30_000))
    if entity == "Customer" or rule.get("match") == MATCHES["Score"][1]:
        return rule
    if rng.random() < 0.6:
        rule["windowDays"] = rng.randint(1, 40)
    measure = rng.choice(("COUNT", "SUM", "AVERAGE", "SHARE", "DECAY"))
    if measure == "DECAY":
        rule["halfLifeDays"] = rng.randint(1, 9)
    elif measure == "SHARE":
        rule["shareOf"] = MATCHES["Score"][0] if entity == "Score" else {"customer": {"stage": {"ne": "LOST"}}}
        if rng.random() < 0.5:
            rule["withoutRows"] = "0.25"
    elif measure != "COUNT" and entity in ("Order", "Score"):
        column = "net" if entity == "Order" else "value"
        rule |= {"measure": measure, "columnName": column, **({"currency": "EUR"} if entity == "Order" else {})}
    return rule


@pytest.fixture
async def hub(create_database: CreateDatabase, empty_dsn: str) -> AsyncIterator[ScoringHub]:
    async with open_scoring_hub(await create_database("migrated")) as scoring_hub:
        yield scoring_hub


class ScoreStory:
    """Random writes to customers whom models score."""

    def __init__(self, hub: ScoringHub, rng: random.Random) -> None:
        self._hub = hub
        self._rng = rng
        self.customers: list[str] = []
        self._orders: list[str] = []
        self._interactions: list[str] = []

    async def write(self) -> None:
        """One write, or a step of the clock."""
        verbs = (self._order, self._interaction, self._record, self._stage, self._cancel, self._delete, self._override)
        if len(self.customers) < CUSTOMERS:
            self.customers.append(await self._hub.create(f"Customer {len(self.customers)}"))
        elif self._rng.random() < 0.04:
            await self._lose_one()
        elif self._rng.random() < 0.04:
            await self._hub.advance(self._hub.now + timedelta(seconds=self._rng.randint(1, 400_000)))
        else:
            await self._rng.choice(verbs)(self._rng.choice(self.customers))

    def _past(self) -> Any:
        return self._hub.now - timedelta(seconds=self._rng.randint(0, 3_000_000))

    async def _order(self, customer: str) -> None:
        net = str(Decimal(self._rng.randint(0, 9_999_999)) / 10_000)
        currency = self._rng.choice(("EUR", "EUR", "CHF"))
        placed_at = self._past() if self._rng.random() < 0.9 else self._hub.now + timedelta(days=self._rng.random() * 9)
        self._orders.append(await self._hub.order(customer, net, placed_at, currency=currency))

    async def _interaction(self, customer: str) -> None:
        values = {"kind": self._rng.choice(("visit", "call")), "direction": self._rng.choice(("INBOUND", "OUTBOUND"))}
        self._interactions.append(await self._hub.interaction(customer, self._past(), **values))

    async def _record(self, customer: str) -> None:
        await self._hub.record(customer, "nps", str(self._rng.randint(0, 10)), computedAt=self._past().isoformat())

    async def _stage(self, customer: str) -> None:
        await self._try(MOVE_STAGE, {"id": customer, "to": self._rng.choice(("ACTIVE", "LOYAL", "LOST", "PROSPECT"))})

    async def _cancel(self, _: str) -> None:
        if self._orders:
            await self._try(CANCEL, {"id": self._rng.choice(self._orders)})

    async def _delete(self, _: str) -> None:
        if self._interactions:
            await self._try(DELETE, {"id": self._rng.choice(self._interactions)})

    async def _override(self, customer: str) -> None:
        override: dict[str, Any] = {"customerId": customer, "model": f"drawn.{self._rng.randint(0, 2)}"}
        if self._rng.random() < 0.6:
            ends = self._hub.now + timedelta(seconds=self._rng.randint(1, 300_000))
            override |= {"value": str(self._rng.randint(-5, 500)), "reason": "drawn", "expiresAt": ends.isoformat()}
        await self._try(OVERRIDE, {"input": override})

    async def _lose_one(self) -> None:
        """A customer becomes part of another one, or is erased."""
        lost = self.customers.pop(self._rng.randrange(len(self.customers)))
        if self._rng.random() < 0.3:
            await self._try(ERASE, {"id": lost})
            return
        pair: dict[str, Any] = {"survivorId": self.customers[0], "mergedId": lost}
        plan = await self._try(MERGE, {"input": {**pair, "dryRun": True}})
        if plan is not None:
            await self._try(MERGE, {"input": {**pair, "fingerprint": plan["customersMerge"]["fingerprint"]}})

    async def _try(self, document: str, variables: dict[str, Any]) -> Any:
        """The data of a write that may be refused, since the row is gone or cannot move so."""
        response = await self._hub.client.execute(document, variables)
        codes = {error["extensions"]["code"] for error in response.get("errors", ())}
        assert "INTERNAL" not in codes, response
        return response.get("data")


@random_runs.draws("writes among which scores are compared")
async def test_stored_scores_equal_computed_ones_and_reasons_add_up(hub: ScoringHub, draws: int) -> None:
    rng = random.Random(f"{random_runs.seed()} scores")
    for number in range(3):
        rules = [random_rule(rng, index, number == 0) for index in range(rng.randint(1, 5))]
        bands = [{"band": f"B{index}", "lower": str(lower)} for index, lower in enumerate((-500, 0, 40, 3_000))]
        await hub.activate(f"drawn.{number}", rules=rules, bands=bands if rng.random() < 0.8 else [])
    cuts = {"recencyDays": [25, 12, 6, 2], "frequency": [1, 2, 4, 6], "monetary": ["10", "300", "900", "2000"]}
    await hub.activate("drawn.rfm", kind="RFM", currency="EUR", rfmCuts=cuts)
    story = ScoreStory(hub, rng)
    for number in range(draws):
        await story.write()
        if number % 50 == 49:
            await compare(hub)
    await hub.advance(hub.now + timedelta(days=15))
    await compare(hub)


async def compare(hub: ScoringHub) -> None:
    """Stored scores are the computed ones, and all reasons add up to the last digit."""
    assert await hub.stored() == await hub.computed()
    for row in await hub.connection.fetch(SUMS):
        assert sum(Decimal(reason["points"]) for reason in exact_json.loads(row["reasons"])) == row["value"]
