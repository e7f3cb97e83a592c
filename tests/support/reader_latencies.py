"""How long one reader waits for its answers, while something else goes on."""

import asyncio
import time
from typing import Any

import httpx2


async def latencies(
    port: int, key: str, query: str, row_id: str, seconds: float, until: "asyncio.Task[Any] | None" = None
) -> list[float]:
    """The seconds of reads of one row, about fifty a second, one after the other: for some time, or until a task has ended."""
    taken = []
    headers = {"authorization": f"Bearer {key}"}
    body = {"query": query, "variables": {"id": row_id}}
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers) as client:
        end = time.perf_counter() + seconds
        while not until.done() if until is not None else time.perf_counter() < end:
            begun = time.perf_counter()
            assert "errors" not in (await client.post("/graphql", json=body)).json()
            taken.append(time.perf_counter() - begun)
            await asyncio.sleep(0.02)
    return taken
