"""Senders of webhooks killed in the middle: everything comes at least once, in each customer's order, few things twice."""

import asyncio
import json
import random
import signal
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import time
from typing import Any

import asyncpg
import pytest
import random_runs
from conftest import CreateDatabase, execute_sql
from hub_process import HubProcess, environment, fork_server
from webhook_client import (
    INSERT_UNIT,
    WEBHOOKS_OFF,
    ReceivedRequest,
    ReceiverProcess,
    create_customer,
    create_webhook,
    open_webhook_hub,
    rename_customer,
    run_receiver,
    wait_until_webhooks_idle,
)

from hub.domain.webhooks.queue import LEASE_DURATION

ENDPOINTS, CUSTOMERS, KILLS = 5, 40, 5
MAX_IN_FLIGHT = 256  # deliveries that one worker has under way, at most
RENAME_ALL = """
update customers set name = 'round ' || $1 where name like 'round %' or name like 'Customer %'
"""


async def start_worker(dsn: str) -> HubProcess:
    """`hub worker`."""
    env = environment(HUB_DATABASE_URL=dsn, HUB_WEBHOOK_ALLOW="127.0.0.1")
    return await fork_server().start("worker", env=env)


@asynccontextmanager
async def killed_on_exit(process: HubProcess) -> AsyncIterator[HubProcess]:
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.fixture
async def dsn(create_database: CreateDatabase, empty_dsn: str) -> str:
    created = await create_database("migrated")
    await execute_sql(created, INSERT_UNIT)
    return created


def accepted_changes(requests: list[ReceivedRequest]) -> dict[str, list[Any]]:
    """The changes that each path has taken, in the order in which they came first."""
    changes_by_path: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for request in requests:
        if request.action == 200:
            changes_by_path[request.path].setdefault(request.id, json.loads(request.body)["data"]["changes"])
    return {path: list(changes.values()) for path, changes in changes_by_path.items()}


async def test_killed_workers_lose_nothing(dsn: str) -> None:
    repeated = await _count_repeated(dsn, rounds=4, kills=1)
    assert repeated <= MAX_IN_FLIGHT


@pytest.mark.soak
async def test_five_killed_workers_repeat_at_most_two_percent(dsn: str) -> None:
    repeated = await _count_repeated(dsn, rounds=125, kills=KILLS)
    assert repeated <= 0.02 * 125 * CUSTOMERS * ENDPOINTS


async def _count_repeated(dsn: str, rounds: int, kills: int) -> int:
    """How many deliveries came again, of so many changes of each customer; fails when one was lost or out of order."""
    draw = random.Random(random_runs.seed())
    async with run_receiver() as receiver, open_webhook_hub(dsn, WEBHOOKS_OFF) as run_query:
        actions = {f"e{n}": _response_statuses(draw, 2 * rounds * CUSTOMERS) for n in range(ENDPOINTS)}
        await receiver.set_actions(**actions)
        for n in range(ENDPOINTS):
            await create_webhook(run_query, receiver.url(f"/e{n}"))
        for n in range(CUSTOMERS):
            await create_customer(run_query, f"Customer {n}")
        connection = await asyncpg.connect(dsn)
        for n in range(rounds - 1):
            await connection.execute(RENAME_ALL, str(n))
        requests = await _deliver_despite_kills(dsn, receiver, connection, draw, kills)
        await connection.close()
    versions = list(range(1, rounds + 1))
    for path, changes in accepted_changes(requests).items():
        versions_by_customer: defaultdict[str, list[int]] = defaultdict(list)
        for change in changes:
            versions_by_customer[change["entityId"]].append(change["version"])
        assert (path, list(versions_by_customer.values())) == (path, [versions] * CUSTOMERS)
    counts = Counter((request.path, request.id) for request in requests if request.action == 200)
    assert len(counts) == rounds * CUSTOMERS * ENDPOINTS
    return sum(count - 1 for count in counts.values())


def _response_statuses(draw: random.Random, number: int) -> list[int]:
    """What an endpoint answers: one in ten is a fault, but never the last, which stays."""
    return [*(200 if draw.random() < 0.9 else 500 for _ in range(number)), 200]


async def _deliver_despite_kills(
    dsn: str, receiver: ReceiverProcess, connection: Any, draw: random.Random, kills: int
) -> list[ReceivedRequest]:
    """Kills one worker after the other while they send; leases and retries do not wait for their time, since tests do not."""
    for _ in range(kills):
        async with killed_on_exit(await start_worker(dsn)) as process:
            before = len(await receiver.captured())
            await receiver.wait_for_requests(before + 1, seconds=30)
            await asyncio.sleep(draw.uniform(0.05, 0.4))
            process.send_signal(signal.SIGKILL)
        await connection.execute("update webhook_queue set due_at = now() where due_at > now()")
    async with killed_on_exit(await start_worker(dsn)):
        while await wait_until_webhooks_idle(connection, seconds=120) is not None:
            await connection.execute("update webhook_queue set due_at = now() where due_at > now() and lease is null")
    return await receiver.captured()


@pytest.mark.soak
async def test_unrecorded_deliveries_are_repeated_when_the_lease_expires(dsn: str) -> None:
    async with run_receiver() as receiver, open_webhook_hub(dsn, WEBHOOKS_OFF) as run_query:
        await receiver.set_actions(hook=["hang", 200])
        _, secret = await create_webhook(run_query, receiver.url())
        await create_customer(run_query)
        async with killed_on_exit(await start_worker(dsn)) as process:
            (first,) = await receiver.wait_for_requests(1, seconds=30)
            process.send_signal(signal.SIGKILL)
        async with killed_on_exit(await start_worker(dsn)):
            _, second = await receiver.wait_for_requests(2, seconds=60)
        assert (second.id, second.body, second.has_valid_signature(secret)) == (first.id, first.body, True)
        assert time() - first.received_at < LEASE_DURATION.total_seconds() + 5


async def test_rotated_secrets_overlap_under_load(dsn: str) -> None:
    rotate = "mutation ($id: ID!) { webhookSecretRotate(input: {id: $id}) { secret } }"
    async with run_receiver() as receiver, open_webhook_hub(dsn) as run_query:
        webhook, secret = await create_webhook(run_query, receiver.url())
        secrets = [secret]
        ada = await create_customer(run_query)
        for n in range(60):
            await rename_customer(run_query, ada, f"Ada {n}")
            if n in (15, 30, 45):
                secrets.append((await run_query(rotate, {"id": webhook}))["webhookSecretRotate"]["secret"])
        requests = await receiver.wait_for_requests(61, seconds=30)
    verifications = [[request.has_valid_signature(secret) for secret in secrets] for request in requests]
    assert all(oldest for oldest, *_ in verifications)  # the oldest holds for a day
    assert verifications[-1] == [True] * 4
    assert sorted(verifications) == verifications  # and each newer one from when it was made
