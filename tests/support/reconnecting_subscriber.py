"""A subscriber that outlives hubs: it connects again to any of several, behind its last cursor, and keeps all that it is told.

What that must have been is delivery.py's."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle
from socket import SO_RCVBUF, SOL_SOCKET
from socket import socket as Socket
from time import monotonic, time
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from change_workload import until
from socket_hub import PROTOCOL
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage

CHANGES = """subscription ($after: Cursor) { changes(after: $after, filter: {types: [PRODUCT, CUSTOMER]}) {
    __typename
    ... on Change {
        cursor previousCursor entityId version node { ... on Product { token: name } ... on Customer { token: name } }
    }
    ... on StreamReady { cursor } ... on StreamProgress { cursor } ... on StreamGap { from to reason }
} }"""
TOKEN = 60  # letters of it that are kept
AGAIN = 0.1  # seconds between two attempts
PATIENCE = 5.0  # for a hub that takes the connection and says nothing
PASSING = {"CURSOR_AHEAD", "UNAVAILABLE", "STATEMENT_TIMEOUT", "REQUEST_TIMEOUT", "STREAM_ENDED"}
GONE = (OSError, TimeoutError, ConnectionClosed, InvalidHandshake, InvalidMessage)

Wait = Callable[[], Awaitable[None]]


class Told(NamedTuple):
    """A change as a subscriber was told it."""

    cursor: str
    row: UUID
    version: int
    token: str


class Refused(Exception):
    """The hub will not go on from where the subscriber is, and says that it never will."""


async def _at_once() -> None:
    """A subscriber that keeps up."""


@dataclass(eq=False)
class Subscriber:
    """One stream of changes, whatever becomes of the hubs. `pace` is awaited after each message."""

    ports: Sequence[int]
    key: str
    pace: Wait = _at_once
    window: int | None = None  # bytes that may be on their way to it
    cursor: str | None = None
    told: list[Told] = field(default_factory=list)
    times: list[float] = field(default_factory=list)  # when that was, by the clock
    jumps: list[Any] = field(default_factory=list)  # messages that do not follow the one before
    ends: Counter[str] = field(default_factory=Counter)  # how connections and streams came to their ends
    away: list[float] = field(default_factory=list)  # seconds from each end until the stream went on
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    socket: ClientConnection | None = None
    _lost: float | None = None

    async def run(self) -> None:
        """For ever; raises Refused when the cursor is no good any more."""
        for port in cycle(self.ports):
            try:
                await self._listen(port)
            except GONE as error:
                self._ended(_name(error))
            await asyncio.sleep(AGAIN)

    async def until_ready(self, seconds: float = 60.0) -> None:
        """Waits until what follows is new."""
        async with asyncio.timeout(seconds):
            await self.ready.wait()

    async def again(self, seconds: float = 20.0) -> None:
        """Waits until the stream goes on, if it does not."""

        async def it_does() -> bool:
            return self._lost is None

        await until(it_does, seconds)

    async def leave(self) -> None:
        """Closes its socket, to come back at once."""
        if self.socket is not None:
            self._ended("left")
            await self.socket.close()

    async def _listen(self, port: int) -> None:
        async with connect(
            f"ws://127.0.0.1:{port}/graphql",
            sock=await self._socket(port),
            subprotocols=[PROTOCOL],
            compression=None,
            ping_interval=None,
            open_timeout=PATIENCE,
            close_timeout=0.1,
            max_size=None,
        ) as self.socket:
            await _said(self.socket, type="connection_init", payload={"authorization": f"Bearer {self.key}"})
            async with asyncio.timeout(PATIENCE):
                await self.socket.recv()
            await _said(self.socket, type="subscribe", id="1", payload=self._asked())
            async for text in self.socket:
                message = orjson.loads(text)
                if message["type"] == "complete":
                    self._ended("complete")
                    async with asyncio.timeout(PATIENCE):
                        await self.socket.wait_closed()
                    self.ends[str(self.socket.close_code)] += 1
                    return
                if message["type"] == "error":
                    self._refused(message["payload"])
                    return
                if self._lost is not None:
                    self.away.append(monotonic() - self._lost)
                    self._lost = None
                (told,) = message["payload"]["data"].values()
                self._hear(told)
                await self.pace()

    async def _socket(self, port: int) -> Socket | None:
        """One whose window is set before it connects; None for the usual."""
        if self.window is None:
            return None
        made = Socket()
        made.setsockopt(SOL_SOCKET, SO_RCVBUF, self.window)
        made.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(made, ("127.0.0.1", port))
        except OSError:
            made.close()
            raise
        return made

    def _refused(self, errors: Any) -> None:
        code = errors[0]["extensions"]["code"]
        self._ended(code)
        if code not in PASSING:
            raise Refused(errors)

    def _asked(self) -> Any:
        return {"query": CHANGES, "variables": {"after": self.cursor}}

    def _hear(self, message: Any) -> None:
        kind = message["__typename"]
        if kind == "StreamGap":
            self.ends[message["reason"]] += 1
            if message["from"] != message["to"] or message["from"] != self.cursor:
                self.jumps.append(message)
            self.cursor = message["to"]
            return
        if kind == "Change":
            if message["previousCursor"] != self.cursor and self.cursor is not None:
                self.jumps.append(message)
            row = UUID(message["entityId"].partition("_")[2])
            self.told.append(Told(message["cursor"], row, message["version"], message["node"]["token"][:TOKEN]))
            self.times.append(time())
        elif kind == "StreamReady":
            self.ready.set()
        self.cursor = message["cursor"]

    def _ended(self, how: str) -> None:
        """Seconds are counted from the first of several ends."""
        self.ends[how] += 1
        if self._lost is None:
            self._lost = monotonic()


def _name(error: Exception) -> str:
    """How a connection ended: with what code, if it was closed; else by what."""
    if isinstance(error, ConnectionClosed):
        return str(error.rcvd.code) if error.rcvd is not None else "broken"
    return "refused" if isinstance(error, OSError) else type(error).__name__


async def _said(socket: ClientConnection, **message: Any) -> None:
    await socket.send(json.dumps(message))


@asynccontextmanager
async def running(subscribers: Sequence[Subscriber]) -> AsyncIterator[None]:
    """Subscribers run, and none of them is refused for ever, while the body does."""
    tasks = [asyncio.create_task(each.run()) for each in subscribers]
    try:
        await asyncio.gather(*(each.until_ready() for each in subscribers))
        yield
        await asyncio.gather(*(task for task in tasks if task.done()))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def subscribed(
    number: int, ports: Sequence[int], key: str, *, pace: Wait = _at_once
) -> AsyncIterator[list[Subscriber]]:
    """So many subscribers, spread over the ports, who are told of everything from now on."""
    made = [Subscriber([*ports[n % len(ports) :], *ports[: n % len(ports)]], key, pace) for n in range(number)]
    async with running(made):
        yield made
