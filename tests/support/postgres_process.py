"""A Postgres of a test's own, seen from outside: its process, and what it answers to a test that is not async."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg

from hub.postgres import pidfile


def fetch_value(dsn: str, statement: str) -> Any:
    """The one value of a statement, over a connection of its own."""

    async def fetch() -> Any:
        connection = await asyncpg.connect(dsn)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(fetch())


def postmaster_pid(data_directory: Path) -> int:
    """The server's first process."""
    running = pidfile.read(data_directory / "pg")
    assert running is not None
    return running.pid


def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Whether a condition holds before long."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()
