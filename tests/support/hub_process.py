"""Hubs as processes of their own, so that they can be killed."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


def environment(**given: str) -> dict[str, str]:
    """This process's environment, and settings."""
    return {**os.environ, **given}


async def served(dsn: str, port: int, *command: str, **settings: object) -> Process:
    """A hub that answers; `hub serve` unless another command is given."""
    chosen = {f"HUB_{name.upper()}": str(value) for name, value in settings.items()}
    given = environment(HUB_DATABASE_URL=dsn, **chosen)
    whole = [sys.executable, "-m", "hub", *(command or ("serve",)), "--port", str(port)]
    process = await asyncio.create_subprocess_exec(*whole, cwd=ROOT, env=given, stdout=DEVNULL, stderr=DEVNULL)
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            while not await ready(client):
                assert process.returncode is None, f"hub {whole[3]} ended"
                await asyncio.sleep(0.02)
    except BaseException:
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    return process


async def ready(client: httpx2.AsyncClient) -> bool:
    """Whether a hub answers."""
    try:
        return (await client.get("/readyz")).status_code == 200
    except httpx2.TransportError:
        return False


def resident(pid: int) -> float:
    """MiB of memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


@dataclass
class Hubs:
    """Some hubs on one database, by their ports, which stay the same."""

    dsn: str
    settings: dict[str, object]
    ports: list[int]
    running: dict[int, Process] = field(default_factory=dict)

    async def start(self, port: int) -> None:
        """Starts the one at a port; returns once it answers."""
        self.running[port] = await served(self.dsn, port, **self.settings)

    async def kill(self, port: int) -> None:
        """As if by a fault."""
        await self.end(port, signal.SIGKILL)

    async def end(self, port: int, number: signal.Signals) -> int:
        """Ends the one at a port; its exit code."""
        hub = self.running[port]
        if hub.returncode is None:
            hub.send_signal(number)
        return await hub.wait()

    async def restart(self, port: int, number: signal.Signals = signal.SIGKILL) -> None:
        """Ends the one at a port, and starts it again."""
        await self.end(port, number)
        await self.start(port)


@asynccontextmanager
async def hubs(dsn: str, number: int, **settings: object) -> AsyncIterator[Hubs]:
    """So many, the first one a little before the others, so that it leads."""
    made = Hubs(dsn, settings, [free_port() for _ in range(number)])

    async def begin(port: int, after: float) -> None:
        await asyncio.sleep(after)
        await made.start(port)

    try:
        async with asyncio.TaskGroup() as group:
            for n, port in enumerate(made.ports):
                group.create_task(begin(port, n * 0.3))
        yield made
    finally:
        for port in made.running:
            await made.kill(port)
