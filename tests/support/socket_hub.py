"""A whole hub behind a real socket, in this event loop, and subscribers of it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx2
from change_workload import WAIT_TIMEOUT, wait_until, wait_until_sequenced
from conftest import create_api_key
from websocket_client import PROTOCOL
from websockets.asyncio.client import ClientConnection, connect

from hub.app import lifespan
from hub.db.pool import Connection
from hub.settings import Settings
from hub.web import server


@dataclass
class SocketSubscription:
    """One subscription on a socket of its own."""

    socket: ClientConnection

    async def next_message(self) -> Any:
        """What comes next, whatever it is."""
        async with asyncio.timeout(WAIT_TIMEOUT):
            return json.loads(await self.socket.recv())

    async def next_root(self) -> Any:
        """The root field of the next answer."""
        message = await self.next_message()
        assert message["type"] == "next", message
        assert "errors" not in message["payload"], message
        (root,) = message["payload"]["data"].values()
        return root

    async def is_silent(self, seconds: float) -> bool:
        """Whether nothing comes for so long."""
        try:
            async with asyncio.timeout(seconds):
                await self.socket.recv()
        except TimeoutError:
            return True
        return False


@dataclass
class SocketHub:
    """A hub to subscribe to; `connection` writes past it."""

    port: int
    dsn: str
    key: str
    connection: Connection
    http_server: server.HttpServer

    @asynccontextmanager
    async def subscribe(
        self, query: str, variables: dict[str, Any] | None = None, *, key: str | None = None
    ) -> AsyncIterator[SocketSubscription]:
        """A subscription, as admin unless a key is given."""
        address = f"ws://127.0.0.1:{self.port}/graphql"
        async with connect(
            address, subprotocols=[PROTOCOL], compression=None, ping_interval=None, max_size=None
        ) as socket:
            payload = {"authorization": f"Bearer {key or self.key}"}
            await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
            assert json.loads(await socket.recv()) == {"type": "connection_ack"}
            body = {"query": query, "variables": variables}
            await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": body}))
            yield SocketSubscription(socket)

    async def query(self, query: str, variables: dict[str, Any] | None = None, *, key: str | None = None) -> Any:
        """The data of a query or a mutation, over HTTP."""
        async with httpx2.AsyncClient(verify=False, timeout=WAIT_TIMEOUT) as client:
            body = {"query": query, "variables": variables}
            headers = {"authorization": f"Bearer {key or self.key}"}
            response = (await client.post(f"http://127.0.0.1:{self.port}/graphql", json=body, headers=headers)).json()
        assert "errors" not in response, response["errors"]
        return response["data"]

    async def customer_id(self, name: str) -> str:
        """The id of a customer."""
        return f"cus_{(await self.connection.fetchval('select id from customers where name = $1', name)).hex}"


async def wait_until_streams_idle(hub: SocketHub) -> None:
    """Waits until nobody is subscribed and every change has its position: the next subscription begins behind all of them."""

    async def has_no_sockets() -> bool:
        return hub.http_server.connection_registry.open_sockets == 0

    await wait_until(has_no_sockets)
    await wait_until_sequenced(hub.connection)


async def set_stage(hub: SocketHub, name: str, stage: str) -> None:
    """Writes past the hub."""
    await hub.connection.execute("update customers set stage = $1 where name = $2", stage, name)


@asynccontextmanager
async def run_socket_hub(dsn: str, **overrides: Any) -> AsyncIterator[SocketHub]:
    """A hub on a free port of loopback."""
    settings = Settings(port=0, **overrides)
    connection = await asyncpg.connect(dsn)
    try:
        async with lifespan(settings, dsn) as app:
            listener = server.bind(settings)
            listener.listen(1000)
            http_server = server.create_server(app, settings)
            task = asyncio.create_task(http_server.serve([listener]))
            try:
                yield SocketHub(listener.getsockname()[1], dsn, await create_api_key(dsn), connection, http_server)
            finally:
                http_server.should_exit = True
                await task
    finally:
        await connection.close()
