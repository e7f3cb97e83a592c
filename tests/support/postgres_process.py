"""A test's own Postgres, seen from outside: its process, and queries for synchronous tests."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg

from hub.postgres import pidfile


def fetch_value(dsn: str, statement: str) -> Any:
    """Returns the single value of a statement, run on a new connection."""

    async def fetch() -> Any:
        connection = await asyncpg.connect(dsn)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(fetch())


def postmaster_pid(data_directory: Path) -> int:
    """Returns the postmaster's process id."""
    running = pidfile.read(data_directory / "pg")
    assert running is not None
    return running.pid


def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Waits up to `seconds` for a condition; returns whether it holds."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()
