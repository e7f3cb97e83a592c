"""A whole hub behind a real socket, in this event loop, and subscribers of it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx2
from conftest import key_for
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from hub.app import running
from hub.settings import Settings
from hub.web import server

PROTOCOL = Subprotocol("graphql-transport-ws")
PATIENCE = 8.0


@dataclass
class Subscription:
    """One subscription on a socket of its own."""

    socket: ClientConnection

    async def message(self) -> Any:
        """What comes next, whatever it is."""
        async with asyncio.timeout(PATIENCE):
            return json.loads(await self.socket.recv())

    async def next(self) -> Any:
        """The root field of the next answer."""
        found = await self.message()
        assert found["type"] == "next", found
        assert "errors" not in found["payload"], found
        (root,) = found["payload"]["data"].values()
        return root

    async def quiet(self, seconds: float) -> bool:
        """Whether nothing comes for so long."""
        try:
            async with asyncio.timeout(seconds):
                await self.socket.recv()
        except TimeoutError:
            return True
        return False


@dataclass
class Streaming:
    """A hub to subscribe to; `rows` writes past it."""

    port: int
    dsn: str
    key: str
    rows: "asyncpg.Connection[asyncpg.Record]"
    serving: server.Server

    @asynccontextmanager
    async def subscribed(
        self, query: str, variables: dict[str, Any] | None = None, *, key: str | None = None
    ) -> AsyncIterator[Subscription]:
        """A subscription, as admin unless a key is given."""
        address = f"ws://127.0.0.1:{self.port}/graphql"
        async with connect(
            address, subprotocols=[PROTOCOL], compression=None, ping_interval=None, max_size=None
        ) as socket:
            payload = {"authorization": f"Bearer {key or self.key}"}
            await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
            assert json.loads(await socket.recv()) == {"type": "connection_ack"}
            sent = {"query": query, "variables": variables}
            await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": sent}))
            yield Subscription(socket)

    async def ask(self, query: str, variables: dict[str, Any] | None = None, *, key: str | None = None) -> Any:
        """The data of a query or a mutation, over HTTP."""
        async with httpx2.AsyncClient(timeout=20) as client:
            sent = {"query": query, "variables": variables}
            headers = {"authorization": f"Bearer {key or self.key}"}
            answer = (await client.post(f"http://127.0.0.1:{self.port}/graphql", json=sent, headers=headers)).json()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    async def id_of(self, name: str) -> str:
        """The id of a customer."""
        return f"cus_{(await self.rows.fetchval('select id from customers where name = $1', name)).hex}"


async def set_stage(hub: Streaming, name: str, stage: str) -> None:
    """Writes past the hub."""
    await hub.rows.execute("update customers set stage = $1 where name = $2", stage, name)


@asynccontextmanager
async def streaming(dsn: str, **given: Any) -> AsyncIterator[Streaming]:
    """A hub on a free port of loopback."""
    settings = Settings(port=0, **given)
    rows = await asyncpg.connect(dsn)
    try:
        async with running(settings, dsn) as app:
            bound = server.bind(settings)
            bound.listen(1000)
            serving = server.made(app, settings)
            task = asyncio.create_task(serving.serve([bound]))
            try:
                yield Streaming(bound.getsockname()[1], dsn, await key_for(dsn), rows, serving)
            finally:
                serving.should_exit = True
                await task
    finally:
        await rows.close()
