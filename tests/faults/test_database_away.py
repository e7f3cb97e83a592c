"""Postgres killed, stopped and cut off under a hub with writers and subscribers: refused in time, and nothing lost or doubled."""

import asyncio
import os
import random
import signal
import tempfile
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import httpx2
import pytest
from change_workload import until
from conftest import key_for
from delivery_workload import Play, played
from hub_process import Hubs, hubs, resident
from reconnecting_subscriber import subscribed
from tcp_proxy import Proxy, proxied

from hub.db import migrate
from hub.postgres import ensure, pidfile

SUBSCRIBERS, WAITING = 6, 100
BACK, NOTICED = 3.0, 10.0  # seconds until all is as before; until connections that are dead are known to be
REFUSED = {"UNAVAILABLE", "STATEMENT_TIMEOUT"}
LOOK = '{ products(filter: {name: {eq: "none"}}) { totalCount } }'


@dataclass(frozen=True)
class Scale:
    """How much of everything, and in how many seconds a request is refused when the database is away."""

    kills: int
    away: float
    transactions: int
    refused: float
    settings: dict[str, object]


SHORT = Scale(2, 4.0, 5, 2.5, {"statement_timeout": 1})
LONG = Scale(3, 30.0, 300, 6.0, {})


@dataclass(frozen=True)
class Scene:
    """A hub whose way to its own Postgres can be cut."""

    scale: Scale
    folder: Path
    dsn: str
    proxy: Proxy
    hub: Hubs
    key: str
    client: httpx2.AsyncClient

    @property
    def process(self) -> Process:
        """The hub's."""
        return self.hub.running[self.hub.ports[0]]

    async def play(self, seed: int, doing: Any, *, part: bool) -> Play:
        """Writers and subscribers while something is done; some subscribers come back after it if they shall `part`."""
        async with subscribed(SUBSCRIBERS, self.hub.ports, self.key) as told:

            async def do() -> None:
                await asyncio.sleep(0.3)
                await doing
                await self.answers()
                for each in told[: SUBSCRIBERS // 2 if part else 0]:
                    await each.leave()

            meanwhile = asyncio.create_task(do())
            play = await played(
                self.dsn,
                self.hub.ports,
                self.key,
                told,
                seed=seed,
                transactions=self.scale.transactions,
                meanwhile=meanwhile,
            )
            await meanwhile
        return play

    async def ask(self, query: str = LOOK) -> tuple[str, float]:
        """The code that a request is refused with, "" for none; and after how many seconds."""
        began = monotonic()
        answer = (await self.client.post("/graphql", json={"query": query})).json()
        code = answer["errors"][0]["extensions"]["code"] if "errors" in answer else ""
        return code, monotonic() - began

    async def answers(self, seconds: float = BACK) -> None:
        """Waits until requests are answered."""

        async def it_does() -> bool:
            return (await self.ask())[0] == ""

        await until(it_does, seconds)

    async def refuses(self, seconds: float) -> None:
        """While the database is away: many ask at once, again and again, and all are refused in time."""
        end, before = monotonic() + seconds, resident(self.process.pid)
        while monotonic() < end:
            found = await asyncio.gather(*(self.ask() for _ in range(WAITING)))
            assert {code for code, _ in found} <= REFUSED
            assert max(after for _, after in found) < self.scale.refused
        assert resident(self.process.pid) < before + 50


@pytest.fixture(scope="module", params=[SHORT, pytest.param(LONG, marks=pytest.mark.soak)], ids=["short", "long"])
async def scene(request: pytest.FixtureRequest) -> AsyncIterator[Scene]:
    scale: Scale = request.param
    with tempfile.TemporaryDirectory() as folder, ensure(Path(folder), durable=False) as server:
        await migrate.upgrade(server.dsn)
        async with proxied("127.0.0.1", server.port) as proxy:
            through = server.dsn.replace(f":{server.port}/", f":{proxy.port}/")
            async with hubs(through, 1, **scale.settings) as hub:
                key, address = await key_for(server.dsn), f"http://127.0.0.1:{hub.ports[0]}"
                headers = {"authorization": f"Bearer {key}"}
                async with httpx2.AsyncClient(base_url=address, headers=headers, timeout=30) as client:
                    yield Scene(scale, Path(folder), server.dsn, proxy, hub, key, client)


@pytest.fixture
def seed() -> int:
    """Printed by pytest when the test fails."""
    drawn = random.randrange(10**6)
    print("seed", drawn)
    return drawn


async def test_postgres_is_killed_again_and_again(scene: Scene, seed: int) -> None:
    async def kill() -> None:
        for _ in range(scene.scale.kills):
            killed = postmaster(scene.folder)
            os.kill(killed, signal.SIGKILL)
            await until(partial(_another, scene.folder, killed), 20)
            await scene.answers(5.0)

    play = await scene.play(seed, kill(), part=True)
    assert play.faults() == set()
    assert [dict(each.ends) for each in play.subscribers[SUBSCRIBERS // 2 :]] == [{}] * (SUBSCRIBERS // 2)
    assert scene.process.returncode is None


async def test_postgres_is_stopped_for_a_while(scene: Scene, seed: int) -> None:
    async def stop() -> None:
        with stopped(postmaster(scene.folder)):
            await scene.refuses(scene.scale.away)

    play = await scene.play(seed, stop(), part=False)
    assert play.faults() == set()
    assert [dict(each.ends) for each in play.subscribers] == [{}] * SUBSCRIBERS


async def test_the_hub_is_cut_off_and_its_connections_reset(scene: Scene, seed: int) -> None:
    async def cut() -> None:
        scene.proxy.cut()
        try:
            await scene.refuses(scene.scale.away)
        finally:
            scene.proxy.reset()

    play = await scene.play(seed, cut(), part=True)
    assert play.faults() == set()


async def test_connections_die_without_a_word(scene: Scene, seed: int) -> None:
    async def strand() -> None:
        scene.proxy.strand()
        await scene.answers(NOTICED)

    play = await scene.play(seed, strand(), part=False)
    assert play.faults() == set()
    assert [dict(each.ends) for each in play.subscribers] == [{}] * SUBSCRIBERS


def postmaster(folder: Path) -> int:
    running = pidfile.read(folder / "pg")
    assert running is not None
    return running.pid


async def _another(folder: Path, killed: int) -> bool:
    running = pidfile.read(folder / "pg")
    return running is not None and running.pid != killed


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process and all its children stand still."""
    os.kill(pid, signal.SIGSTOP)
    family = [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    try:
        for each in family[1:]:
            os.kill(each, signal.SIGSTOP)
        yield
    finally:
        for each in reversed(family):
            os.kill(each, signal.SIGCONT)
