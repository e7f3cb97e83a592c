"""Merges, undos, updates, inserts, identifications and erasures at once: no row is lost, no redirect leads to another."""

import asyncio
import random
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
import random_runs
from change_workload import wait_until_sequenced
from merges import MERGE, UNDO, merge
from writer_client import HubClient

from hub.domain.identity import merging, redirects
from hub.domain.identity.merge_plan import tables_in_order
from hub.model.merge_rules import customer_tables

CREATE = "mutation ($input: CustomerCreateInput!) { customerCreate(input: $input) { customer { id } } }"
CONTACT = "mutation ($input: ContactCreateInput!) { contactCreate(input: $input) { contact { id } } }"
UPDATE = "mutation ($input: CustomerUpdateInput!) { customerUpdate(input: $input) { customer { id } } }"
ERASE = "mutation ($input: CustomerEraseInput!) { customerErase(input: $input) { entries } }"
IDENTIFY = "mutation ($input: IdentifyInput!) { identify(input: $input) { customer { id } } }"
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
FAULTS = {
    "a redirect leads to another": """
        select count(*) from customer_redirects as r join customer_redirects as next on next.merged_id = r.customer_id""",
    "a redirect leads away from a customer that exists": """
        select count(*) from customer_redirects as r join customers as c on c.id = r.merged_id""",
    "a merge has no redirect": """
        select count(*) from merges as m where m.status = 'DONE'
            and not exists (select from customer_redirects as r where r.merged_id = m.merged_key)""",
    "former ids differ from redirects": """
        select count(*) from customers as c where c.former_ids is distinct from array(
            select 'cus_' || replace(r.merged_id::text, '-', '') from customer_redirects as r where r.customer_id = c.id
                order by array_position(c.former_ids, 'cus_' || replace(r.merged_id::text, '-', '')))""",
    "a ledger outlives its merge": """
        select count(*) from merge_rows as l where not exists (
            select from merges as m where m.id = l.merge_id and m.status = 'DONE')""",
    "the feed has a hole": "select max(position) - min(position) + 1 - count(*) from change_order",
    "a row was lost": """
        select count(*) from change_log as l where l.table_name = 'contacts' and l.operation = 'DELETE'
            and not coalesce(l.before ? 'erased', false)""",
}


async def faults(connection: asyncpg.Connection) -> list[str]:
    """What is wrong in the database."""
    problems: list[str] = []
    for name, sql in FAULTS.items():
        if await connection.fetchval(sql):
            problems.append(name)
    for customer_table in customer_tables():
        if customer_table.has_subject:
            orphans = f"""select count(*) from {customer_table.name} as t where t.entity = 'Customer'
                and not exists (select from customers as c where c.id = t.row_id)"""
            if await connection.fetchval(orphans):
                problems.append(f"{customer_table.name} is about nobody")
    return problems


class MergeStory:
    """Operations of one seed, on customers of its own."""

    def __init__(self, client: HubClient, seed: str) -> None:
        self.client = client
        self.random = random.Random(seed)
        self.ids: list[str] = []
        self.merges: list[str] = []

    async def begin(self) -> None:
        for number in range(12):
            created = await self.client.query(CREATE, {"input": {"name": f"c{number}"}})
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
        elif choice < 0.5 and self.merges:
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


async def test_whatever_happens_at_once_leaves_no_trace_of_a_half(
    northwind_client: HubClient, connection: asyncpg.Connection, pytestconfig: pytest.Config
) -> None:
    seeds = random_runs.size("seeds of concurrent merges", pytestconfig)
    operations = random_runs.size("operations of concurrent merges", pytestconfig)
    for number in range(seeds):
        seed = f"{random_runs.seed()} merges {number}"
        story = MergeStory(northwind_client, seed)
        await story.begin()
        for _ in range(operations // AT_ONCE):
            await asyncio.gather(*(story.step() for _ in range(AT_ONCE)))
        await wait_until_sequenced(connection)
        assert await faults(connection) == [], seed
        for merge_id in reversed(story.merges):
            await story.run(UNDO, {"id": merge_id})
        assert await faults(connection) == [], seed
        sql = """select count(*) from contacts as t join customers as c on c.id = t.customer_id
            where t.name = any($1) and t.name <> 'cus_' || replace(c.id::text, '-', '')"""
        undone = "select count(*) from merges where id = any($1) and status = 'DONE'"
        keys = [UUID(merge_id[4:]) for merge_id in story.merges]
        if await connection.fetchval(undone, keys) == 0:  # then every contact is its first customer's again
            assert await connection.fetchval(sql, story.ids) == 0, seed


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
