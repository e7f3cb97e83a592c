"""Senders of webhooks killed in the middle: everything comes at least once, in each customer's order, few things twice."""

import asyncio
import json
import random
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from time import time
from typing import Any

import asyncpg
import pytest
from change_workload import until
from conftest import NewDatabase, execute
from hub_process import ROOT, environment
from webhook_client import SILENT, UNIT, Posted, Receiver, customer, hooked, hub_on, receiving, renamed

from hub.domain.webhooks.queue import LEASE

ENDPOINTS, CUSTOMERS, KILLS = 5, 40, 5
AT_ONCE = 256  # deliveries that one worker has under way, at most
WAITING = "select count(*)::int from webhook_queue"
LEASED = "select count(*)::int from webhook_queue where lease is not null"
CHANGE = """
update customers set name = 'round ' || $1 where name like 'round %' or name like 'Customer %'
"""


async def worker(dsn: str) -> Process:
    """`hub worker`."""
    given = environment(HUB_DATABASE_URL=dsn, HUB_WEBHOOK_ALLOW="127.0.0.1")
    command = [sys.executable, "-m", "hub", "worker"]
    return await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=given, stdout=DEVNULL, stderr=DEVNULL)


@asynccontextmanager
async def killed_at_last(process: Process) -> AsyncIterator[Process]:
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.fixture
async def dsn(new_database: NewDatabase, empty_dsn: str) -> str:
    made = await new_database("migrated")
    await execute(made, UNIT)
    return made


def taken(posted: list[Posted]) -> dict[str, list[Any]]:
    """The changes that each path has taken, in the order in which they came first."""
    found: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for each in posted:
        if each.action == 200:
            found[each.path].setdefault(each.id, json.loads(each.body)["data"]["changes"])
    return {path: list(changes.values()) for path, changes in found.items()}


async def test_workers_that_are_killed_lose_nothing(dsn: str) -> None:
    again = await _killed(dsn, rounds=4, kills=1)
    assert again <= AT_ONCE


@pytest.mark.soak
async def test_five_killed_workers_repeat_two_of_a_hundred_at_most(dsn: str) -> None:
    again = await _killed(dsn, rounds=125, kills=KILLS)
    assert again <= 0.02 * 125 * CUSTOMERS * ENDPOINTS


async def _killed(dsn: str, rounds: int, kills: int) -> int:
    """How many deliveries came again, of so many changes of each customer; fails when one was lost or out of order."""
    seed = random.randrange(10**9)
    print(f"seed {seed}")
    draw = random.Random(seed)
    async with receiving() as receiver, hub_on(dsn, SILENT) as ask:
        taking = {f"e{n}": _answers(draw, 2 * rounds * CUSTOMERS) for n in range(ENDPOINTS)}
        await receiver.script(**taking)
        for n in range(ENDPOINTS):
            await hooked(ask, receiver.url(f"/e{n}"))
        for n in range(CUSTOMERS):
            await customer(ask, f"Customer {n}")
        rows = await asyncpg.connect(dsn)
        for n in range(rounds - 1):
            await rows.execute(CHANGE, str(n))
        posted = await _sent_in_spite_of(dsn, receiver, rows, draw, kills)
        await rows.close()
    versions = list(range(1, rounds + 1))
    for path, changes in taken(posted).items():
        lanes: defaultdict[str, list[int]] = defaultdict(list)
        for change in changes:
            lanes[change["entityId"]].append(change["version"])
        assert (path, list(lanes.values())) == (path, [versions] * CUSTOMERS)
    counts = Counter((each.path, each.id) for each in posted if each.action == 200)
    assert len(counts) == rounds * CUSTOMERS * ENDPOINTS
    return sum(each - 1 for each in counts.values())


def _answers(draw: random.Random, number: int) -> list[int]:
    """What an endpoint answers: one in ten is a fault, but never the last, which stays."""
    return [*(200 if draw.random() < 0.9 else 500 for _ in range(number)), 200]


async def _sent_in_spite_of(dsn: str, receiver: Receiver, rows: Any, draw: random.Random, kills: int) -> list[Posted]:
    """Kills one worker after the other while they send; leases and retries do not wait for their time, since tests do not."""
    for _ in range(kills):
        async with killed_at_last(await worker(dsn)) as process:
            before = len(await receiver.captured())
            await receiver.until(before + 1, seconds=30)
            await asyncio.sleep(draw.uniform(0.05, 0.4))
            process.send_signal(signal.SIGKILL)
        await rows.execute("update webhook_queue set due_at = now() where due_at > now()")
    async with killed_at_last(await worker(dsn)):
        seen = count()

        async def done() -> bool:
            if next(seen) % 20 == 0:
                await rows.execute("update webhook_queue set due_at = now() where due_at > now() and lease is null")
            return not await rows.fetchval(WAITING)

        await until(done, 120)
    return await receiver.captured()


@pytest.mark.soak
async def test_what_was_posted_and_not_recorded_comes_again_when_the_lease_ends(dsn: str) -> None:
    async with receiving() as receiver, hub_on(dsn, SILENT) as ask:
        await receiver.script(hook=["hang", 200])
        _, secret = await hooked(ask, receiver.url())
        await customer(ask)
        async with killed_at_last(await worker(dsn)) as process:
            (first,) = await receiver.until(1, seconds=30)
            process.send_signal(signal.SIGKILL)
        async with killed_at_last(await worker(dsn)):
            _, second = await receiver.until(2, seconds=60)
        assert (second.id, second.body, second.verified(secret)) == (first.id, first.body, True)
        assert time() - first.at < LEASE.total_seconds() + 5


async def test_a_secret_is_rotated_under_load_and_both_hold(dsn: str) -> None:
    rotate = "mutation ($id: ID!) { webhookSecretRotate(input: {id: $id}) { secret } }"
    async with receiving() as receiver, hub_on(dsn) as ask:
        webhook, secret = await hooked(ask, receiver.url())
        secrets = [secret]
        ada = await customer(ask)
        for n in range(60):
            await renamed(ask, ada, f"Ada {n}")
            if n in (15, 30, 45):
                secrets.append((await ask(rotate, {"id": webhook}))["webhookSecretRotate"]["secret"])
        posted = await receiver.until(61, seconds=30)
    held = [[each.verified(secret) for secret in secrets] for each in posted]
    assert all(each[0] for each in held)  # the oldest holds for a day
    assert held[-1] == [True] * 4
    assert sorted(held) == held  # and each newer one from when it was made
