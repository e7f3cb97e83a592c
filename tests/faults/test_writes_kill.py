"""Many clients use one idempotency key while the hub or its database is killed: one effect, identical responses."""

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import random_runs
from conftest import create_api_key
from hub_process import HubProcess, free_port, start_hub
from migrated_folders import migrated_server

from hub.postgres import pidfile

CLIENTS, KILLS = 32, 3
CREATE_PRODUCT = """mutation ($sku: String!, $key: String) {
    productCreate(input: {sku: $sku, name: "Nail", category: "Iron", unitPrice: "1", currency: "EUR"}, idempotencyKey: $key) {
        product { id sku createdAt }
    }
}"""


async def post_until_answered(url: str, key: str, variables: dict[str, Any]) -> Any:
    """Sends a request until it is answered; returns the response."""
    async with httpx2.AsyncClient(timeout=20) as client:
        while True:
            try:
                body = {"query": CREATE_PRODUCT, "variables": variables}
                response = await client.post(url, json=body, headers={"authorization": f"Bearer {key}"})
                if response.status_code == 200 and response.json().get("data"):
                    return response.json()
            except httpx2.TransportError:
                pass
            await asyncio.sleep(0.02)


async def assert_one_effect(
    folder: Path, copied: Path, kill: Callable[[HubProcess, str, int], Awaitable[HubProcess]]
) -> None:
    """Runs rounds of clients, each with one idempotency key, and calls `kill` during them."""
    draw = random.Random(random_runs.seed())
    with migrated_server(folder, copied) as server:
        dsn, key, port = server.dsn, await create_api_key(server.dsn), free_port()
        hub = await start_hub(dsn, port)
        try:
            for number in range(KILLS):
                variables = {"sku": f"S-{number}", "key": f"k-{number}"}
                url = f"http://127.0.0.1:{port}/graphql"
                requests = [asyncio.create_task(post_until_answered(url, key, variables)) for _ in range(CLIENTS)]
                await asyncio.sleep(draw.uniform(0.005, 0.08))
                hub = await kill(hub, dsn, port)
                responses = await asyncio.gather(*requests)
                assert responses == [responses[0]] * CLIENTS
                connection = await asyncpg.connect(dsn)
                assert await connection.fetchval("select count(*) from products where sku = $1", variables["sku"]) == 1
                await connection.close()
        finally:
            hub.kill()
            await hub.wait()


async def test_when_the_hub_is_killed(tmp_path: Path, migrated_folder: Path) -> None:
    async def kill(hub: HubProcess, dsn: str, port: int) -> HubProcess:
        hub.send_signal(signal.SIGKILL)
        await hub.wait()
        return await start_hub(dsn, port)

    await assert_one_effect(tmp_path, migrated_folder, kill)


async def test_when_postgres_is_killed(tmp_path: Path, migrated_folder: Path) -> None:
    async def kill(hub: HubProcess, dsn: str, port: int) -> HubProcess:
        running = pidfile.read(tmp_path / "pg")
        assert running is not None
        os.kill(running.pid, signal.SIGKILL)
        return hub

    await assert_one_effect(tmp_path, migrated_folder, kill)
