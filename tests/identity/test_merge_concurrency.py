"""Merges, undos, splits, updates, inserts, identifications and erasures at once: no row is lost, no redirect leads to another."""

import asyncio
import random
import re
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
import random_runs
from change_workload import wait_until_sequenced
from merge_faults import faults
from merges import MERGE, UNDO, Rows, merge, rows_of, undo, without_stamps
from writer_client import HubClient

from hub.domain.identity import merging, redirects, unmerging
from hub.domain.identity.merge_plan import tables_in_order
from hub.model.mover_undo import restore_values

CREATE = "mutation ($input: CustomerCreateInput!) { customerCreate(input: $input) { customer { id } } }"
CONTACT = "mutation ($input: ContactCreateInput!) { contactCreate(input: $input) { contact { id } } }"
UPDATE = "mutation ($input: CustomerUpdateInput!) { customerUpdate(input: $input) { customer { id } } }"
ERASE = "mutation ($input: CustomerEraseInput!) { customerErase(input: $input) { entries } }"
IDENTIFY = "mutation ($input: IdentifyInput!) { identify(input: $input) { customer { id } } }"
IDENTIFIERS = "query ($id: ID!) { customer(id: $id) { identifiers(first: 5) { nodes { id } } } }"
SPLIT = """mutation ($input: CustomerSplitInput!) { customerSplit(input: $input) {
    parted { id } merge { id } fingerprint reasons } }"""
# What a clash with another operation may answer. Anything else is a fault.
EXPECTED = {
    "NOT_FOUND",
    "MERGE_CHANGED",
    "MERGE_SUPERSEDED",
    "MERGE_EXPIRED",
    "MERGE_BLOCKED",
    "VALUE_INVALID",
    "UNAVAILABLE",
}
AT_ONCE = 8


class MergeStory:
    """Operations of one seed, on customers of its own."""

    def __init__(self, client: HubClient, seed: str) -> None:
        self.client = client
        self.random = random.Random(seed)
        self.ids: list[str] = []
        self.merges: list[str] = []

    async def begin(self) -> None:
        for number in range(12):
            identifier = {"kind": "EMAIL", "value": f"{uuid4().hex}@who.example.org", "source": "crm"}
            values = {"name": f"c{number}", "identifiers": [identifier]}
            created = await self.client.query(CREATE, {"input": values})
            key = str(created["customerCreate"]["customer"]["id"])
            self.ids.append(key)
            await self.client.query(CONTACT, {"input": {"customerId": key, "name": key}})

    async def run(self, document: str, value: dict[str, Any]) -> Any:
        """The data of an operation; None for one that clashes with another."""
        answer = await self.client.execute(document, {"input": value})
        if "errors" not in answer:
            return answer["data"]
        code = answer["errors"][0]["extensions"]["code"]
        assert code in EXPECTED, answer
        return None

    async def step(self) -> None:
        choice = self.random.random()
        one, other = self.random.sample(self.ids, 2)
        if choice < 0.3:
            names = {"survivorId": one, "mergedId": other}
            plan = await self.run(MERGE, names | {"dryRun": True})
            if plan is not None and not plan["customersMerge"]["reasons"]:
                done = await self.run(MERGE, names | {"fingerprint": plan["customersMerge"]["fingerprint"]})
                if done is not None:
                    self.merges.append(done["customersMerge"]["merge"]["id"])
        elif choice < 0.38:
            await self.split(one)
        elif choice < 0.55 and self.merges:
            await self.run(UNDO, {"id": self.random.choice(self.merges[-4:])})
        elif choice < 0.7:
            await self.run(UPDATE, {"id": one, "language": self.random.choice(["de", "fr", "ja"])})
        elif choice < 0.85:
            await self.run(CONTACT, {"customerId": one, "name": "new"})
        elif choice < 0.97:
            identifiers = [{"kind": "EMAIL", "value": f"{self.random.choice(self.ids)}@who.example.org"}]
            await self.run(IDENTIFY, {"identifiers": identifiers, "source": "shop"})
        else:
            await self.run(ERASE, {"id": one})

    async def split(self, customer: str) -> None:
        """Parts some identifiers of a customer."""
        row = (await self.client.query(IDENTIFIERS, {"id": customer}))["customer"]
        nodes = [] if row is None else row["identifiers"]["nodes"]
        if not nodes:
            return
        chosen = self.random.sample(nodes, self.random.randint(1, len(nodes)))
        values = {"id": customer, "identifierIds": [node["id"] for node in chosen]}
        plan = await self.run(SPLIT, values | {"dryRun": True})
        if plan is not None and not plan["customerSplit"]["reasons"]:
            done = await self.run(SPLIT, values | {"fingerprint": plan["customerSplit"]["fingerprint"]})
            if done is not None:
                self.merges.append(done["customerSplit"]["merge"]["id"])
                self.ids.append(done["customerSplit"]["parted"]["id"])


async def test_whatever_happens_at_once_leaves_no_trace_of_a_half(
    northwind_client: HubClient, connection: asyncpg.Connection, pytestconfig: pytest.Config
) -> None:
    seeds = random_runs.size("seeds of concurrent merges", pytestconfig)
    operations = random_runs.size("operations of concurrent merges", pytestconfig)
    for number in range(seeds):
        seed = f"{random_runs.seed()} merges {number}"
        story = MergeStory(northwind_client, seed)
        await story.begin()
        before = await rows_of(connection, *(UUID(key[4:]) for key in story.ids))
        for _ in range(operations // AT_ONCE):
            await asyncio.gather(*(story.step() for _ in range(AT_ONCE)))
        await wait_until_sequenced(connection)
        assert await faults(connection) == [], seed
        for merge_id in reversed(story.merges):
            await story.run(UNDO, {"id": merge_id})
        assert await faults(connection) == [], seed
        undone = "select count(*) from merges where id = any($1) and status = 'DONE'"
        if await connection.fetchval(undone, [UUID(merge_id[4:]) for merge_id in story.merges]) == 0:
            assert await differing(connection, before) == {}, seed


async def differing(connection: asyncpg.Connection, before: Rows) -> dict[Any, Any]:
    """The rows that are there and not as they were, but for what the story edits: languages, ids that lead to a customer.

    Rows of a customer who was erased are gone; what a source says is edited with the language."""
    ids = {UUID(image.get("customer_id", image["id"])) for image in before.values()}
    after = without_stamps(await rows_of(connection, *ids))
    edited = ("language", "former_ids", "owner_id")
    pairs = {
        key: (
            {n: v for n, v in image.items() if n not in edited},
            {n: v for n, v in after[key].items() if n not in edited},
        )
        for key, image in without_stamps(before).items()
        if key in after and key[0] != "source_records"
    }
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


async def pair(client: HubClient) -> tuple[str, str]:
    story = MergeStory(client, uuid4().hex)
    await story.begin()
    return story.ids[0], story.ids[1]


async def test_a_table_that_is_not_moved_is_noticed(
    northwind_client: HubClient, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = [table for table in tables_in_order() if table.name != "contacts"]
    with monkeypatch.context() as patch:
        patch.setattr(merging, "tables_in_order", lambda: moved)
        await merge(northwind_client, *await pair(northwind_client))
    assert await faults(connection) == ["a row was lost"]
    await connection.execute(
        "update change_log set before = '{\"erased\": true}' where table_name = 'contacts' and operation = 'DELETE'"
    )


async def test_a_chain_of_redirects_is_noticed(
    northwind_client: HubClient, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await pair(northwind_client)
    third, _ = await pair(northwind_client)
    await merge(northwind_client, second, first)
    sql = (
        "select count(*) from customer_redirects as r where $1::uuid is null and $2::uuid is null and $3::uuid is null"
    )
    with monkeypatch.context() as patch:
        patch.setattr(redirects, "_FOLLOW", sql)
        # The foreign key would take the redirect with the customer, so that it is gone instead of leading on.
        await merge(northwind_client, third, second)
    assert await faults(connection) == ["a merge has no redirect", "former ids differ from redirects"]


async def test_an_undo_that_overwrites_a_later_edit_is_noticed(
    northwind_client: HubClient, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await pair(northwind_client)
    await northwind_client.query(UPDATE, {"input": {"id": second, "language": "de"}})
    done = await merge(northwind_client, first, second)
    await northwind_client.query(UPDATE, {"input": {"id": first, "language": "fr"}})
    others = await faults(connection)
    restore = restore_values
    unchanged = re.compile(r" and to_jsonb\(t\.\S+\) is not distinct from nullif\(l\.after -> '\w+', 'null'\)")
    with monkeypatch.context() as patch:
        patch.setattr(unmerging, "restore_values", lambda *arguments: unchanged.sub("", restore(*arguments)))
        await undo(northwind_client, done["merge"]["id"])
    assert set(await faults(connection)) - set(others) == {"an undo overwrote a later edit"}
