"""Hubs as processes of their own, so that they can be killed."""

import asyncio
import atexit
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import httpx2

ROOT = Path(__file__).resolve().parents[2]
FORK_SERVER_SCRIPT = Path(__file__).with_name("fork_server.py")


def free_port() -> int:
    """A port of loopback on which nobody listens, below those that the system gives to outgoing connections."""
    while True:
        port = random.SystemRandom().randrange(12_000, 32_000)
        with socket.socket() as bound, suppress(OSError):
            bound.bind(("127.0.0.1", port))
            return port


def environment(**variables: str) -> dict[str, str]:
    """This process's environment, and settings."""
    return {**os.environ, **variables}


class ForkServer:
    """Starts hubs as forks of one warm process, see fork_server.py; it ends with this process at the latest."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="hub-fork-")
        self._socket = str(Path(self._folder.name) / "socket")
        command = [sys.executable, str(FORK_SERVER_SCRIPT), self._socket]
        bare = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
        self._process = subprocess.Popen(command, cwd=ROOT, env=bare, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"
        atexit.register(self.stop)

    def stop(self) -> None:
        self._process.communicate()
        self._folder.cleanup()

    async def start(self, *arguments: str, env: dict[str, str]) -> "HubProcess":
        """A hub with these arguments of the command line, in this environment."""
        reader, writer = await asyncio.open_unix_connection(self._socket)
        request = {"arguments": arguments, "environment": env, "folder": str(ROOT)}
        writer.write(json.dumps(request).encode() + b"\n")
        return HubProcess(int(await reader.readline()), reader, writer)


class HubProcess:
    """A hub that the fork server started; like asyncio's Process."""

    def __init__(self, pid: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._writer = writer
        self._end = asyncio.create_task(self._read_end(reader))

    async def _read_end(self, reader: asyncio.StreamReader) -> int:
        self.returncode = int(await reader.readline())
        self._writer.close()
        return self.returncode

    async def wait(self) -> int:
        """Its exit code, once it has ended."""
        return await asyncio.shield(self._end)

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Ends all of it at once: the process that serves, and its worker."""
        family = [self.pid, *children(self.pid)] if self.returncode is None else []
        for process_id in family:
            with suppress(ProcessLookupError):
                os.kill(process_id, signal.SIGKILL)


fork_server = cache(ForkServer)


async def start_hub(dsn: str, port: int, *command: str, **settings: object) -> HubProcess:
    """A hub that answers; `hub serve` unless another command is given."""
    setting_variables = {f"HUB_{name.upper()}": str(value) for name, value in settings.items()}
    env = environment(HUB_DATABASE_URL=dsn, **setting_variables)
    arguments = [*(command or ("serve",)), "--port", str(port)]
    process = await fork_server().start(*arguments, env=env)
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            while not await is_ready(client):
                assert process.returncode is None, f"hub {arguments[0]} ended"
                await asyncio.sleep(0.02)
    except BaseException:
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    return process


async def is_ready(http_client: httpx2.AsyncClient) -> bool:
    """Whether a hub answers."""
    try:
        return (await http_client.get("/readyz")).status_code == 200
    except httpx2.TransportError:
        return False


def children(pid: int) -> list[int]:
    """The processes that a process has started; of a hub, its worker. Python's own helper is none."""
    try:
        tasks = Path(f"/proc/{pid}/task").iterdir()
        ids = [child for task in tasks for child in (task / "children").read_text().split()]
        return [int(child) for child in ids if b"resource_tracker" not in Path(f"/proc/{child}/cmdline").read_bytes()]
    except FileNotFoundError:
        return []


def resident_mib(pid: int) -> float:
    """MiB of memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


@dataclass
class HubProcesses:
    """Some hubs on one database, by their ports, which stay the same."""

    dsn: str
    settings: dict[str, object]
    ports: list[int]
    processes: dict[int, HubProcess] = field(default_factory=dict)

    async def start(self, port: int) -> None:
        """Starts the one at a port; returns once it answers."""
        self.processes[port] = await start_hub(self.dsn, port, **self.settings)

    async def kill(self, port: int) -> None:
        """As if by a fault."""
        await self.stop(port, signal.SIGKILL)

    async def stop(self, port: int, signal_number: signal.Signals) -> int:
        """Ends the one at a port; its exit code."""
        hub = self.processes[port]
        if signal_number == signal.SIGKILL:
            hub.kill()
        else:
            hub.send_signal(signal_number)
        return await hub.wait()

    async def restart(self, port: int, signal_number: signal.Signals = signal.SIGKILL) -> None:
        """Ends the one at a port, and starts it again."""
        await self.stop(port, signal_number)
        await self.start(port)


@asynccontextmanager
async def run_hubs(dsn: str, count: int, **settings: object) -> AsyncIterator[HubProcesses]:
    """So many, the first one a little before the others, so that it leads."""
    processes = HubProcesses(dsn, settings, [free_port() for _ in range(count)])

    async def start_after(port: int, delay: float) -> None:
        await asyncio.sleep(delay)
        await processes.start(port)

    try:
        async with asyncio.TaskGroup() as group:
            for n, port in enumerate(processes.ports):
                group.create_task(start_after(port, n * 0.3))
        yield processes
    finally:
        for port in processes.processes:
            await processes.kill(port)
