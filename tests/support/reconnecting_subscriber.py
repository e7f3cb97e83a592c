"""A subscriber that survives restarts of hubs: it reconnects to any of several after its last cursor and records all messages.

delivery_workload.py checks them."""

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
from change_workload import wait_until
from websocket_client import PROTOCOL
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage

CHANGES = """subscription ($after: Cursor) { changes(after: $after, filter: {types: [PRODUCT, CUSTOMER]}) {
    __typename
    ... on Change {
        cursor previousCursor entityId version node { ... on Product { token: name } ... on Customer { token: name } }
    }
    ... on StreamReady { cursor } ... on StreamProgress { cursor } ... on StreamGap { from to reason }
} }"""
TOKEN_LENGTH = 60  # characters of it that are stored
RECONNECT_DELAY = 0.1  # seconds between two attempts
HANDSHAKE_TIMEOUT = 5.0  # for a hub that accepts the connection and does not answer
TRANSIENT_CODES = {"CURSOR_AHEAD", "UNAVAILABLE", "STATEMENT_TIMEOUT", "REQUEST_TIMEOUT", "STREAM_ENDED"}
SOCKET_ERRORS = (OSError, TimeoutError, ConnectionClosed, InvalidHandshake, InvalidMessage)

PauseAfterMessage = Callable[[], Awaitable[None]]


class ReceivedChange(NamedTuple):
    """A change as a subscriber received it."""

    cursor: str
    row: UUID
    version: int
    token: str


class ResumeRejected(Exception):
    """The hub rejected the subscriber's cursor for good."""


async def _no_pause() -> None:
    """A subscriber without a delay."""


@dataclass(eq=False)
class ReconnectingSubscriber:
    """One stream of changes across reconnects. `pace` is awaited after each message."""

    ports: Sequence[int]
    key: str
    pace: PauseAfterMessage = _no_pause
    receive_buffer: int | None = None  # receive buffer in bytes
    cursor: str | None = None
    changes: list[ReceivedChange] = field(default_factory=list)
    received_at: list[float] = field(default_factory=list)  # the time of that
    cursor_breaks: list[Any] = field(default_factory=list)  # messages whose previousCursor does not match
    end_reasons: Counter[str] = field(default_factory=Counter)  # how connections and streams ended
    gaps: list[float] = field(default_factory=list)  # seconds from each disconnect until the stream resumed
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    socket: ClientConnection | None = None
    _lost_at: float | None = None

    async def run(self) -> None:
        """Runs forever; raises Refused when its cursor is rejected for good."""
        for port in cycle(self.ports):
            try:
                await self._run_connection(port)
            except SOCKET_ERRORS as error:
                self._record_end(_end_reason(error))
            await asyncio.sleep(RECONNECT_DELAY)

    async def until_ready(self, seconds: float = 60.0) -> None:
        """Waits until the catch-up is complete."""
        async with asyncio.timeout(seconds):
            await self.ready.wait()

    async def wait_resumed(self, seconds: float = 20.0) -> None:
        """Waits until the stream has resumed."""

        async def is_resumed() -> bool:
            return self._lost_at is None

        await wait_until(is_resumed, seconds)

    async def disconnect(self) -> None:
        """Closes its socket and reconnects at once."""
        if self.socket is not None:
            self._record_end("left")
            await self.socket.close()

    async def _run_connection(self, port: int) -> None:
        async with connect(
            f"ws://127.0.0.1:{port}/graphql",
            sock=await self._create_socket(port),
            subprotocols=[PROTOCOL],
            compression=None,
            ping_interval=None,
            open_timeout=HANDSHAKE_TIMEOUT,
            close_timeout=0.1,
            max_size=None,
        ) as self.socket:
            await _send(self.socket, type="connection_init", payload={"authorization": f"Bearer {self.key}"})
            async with asyncio.timeout(HANDSHAKE_TIMEOUT):
                await self.socket.recv()
            await _send(self.socket, type="subscribe", id="1", payload=self._subscribe_payload())
            async for text in self.socket:
                message = orjson.loads(text)
                if message["type"] == "complete":
                    self._record_end("complete")
                    async with asyncio.timeout(HANDSHAKE_TIMEOUT):
                        await self.socket.wait_closed()
                    self.end_reasons[str(self.socket.close_code)] += 1
                    return
                if message["type"] == "error":
                    self._on_error(message["payload"])
                    return
                if self._lost_at is not None:
                    self.gaps.append(monotonic() - self._lost_at)
                    self._lost_at = None
                (root,) = message["payload"]["data"].values()
                self._on_message(root)
                await self.pace()

    async def _create_socket(self, port: int) -> Socket | None:
        """Returns a socket with a receive buffer set before it connects; None for the default."""
        if self.receive_buffer is None:
            return None
        sock = Socket()
        sock.setsockopt(SOL_SOCKET, SO_RCVBUF, self.receive_buffer)
        sock.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        except OSError:
            sock.close()
            raise
        return sock

    def _on_error(self, errors: Any) -> None:
        code = errors[0]["extensions"]["code"]
        self._record_end(code)
        if code not in TRANSIENT_CODES:
            raise ResumeRejected(errors)

    def _subscribe_payload(self) -> Any:
        return {"query": CHANGES, "variables": {"after": self.cursor}}

    def _on_message(self, message: Any) -> None:
        typename = message["__typename"]
        if typename == "StreamGap":
            self.end_reasons[message["reason"]] += 1
            if message["from"] != message["to"] or message["from"] != self.cursor:
                self.cursor_breaks.append(message)
            self.cursor = message["to"]
            return
        if typename == "Change":
            if message["previousCursor"] != self.cursor and self.cursor is not None:
                self.cursor_breaks.append(message)
            row = UUID(message["entityId"].partition("_")[2])
            self.changes.append(
                ReceivedChange(message["cursor"], row, message["version"], message["node"]["token"][:TOKEN_LENGTH])
            )
            self.received_at.append(time())
        elif typename == "StreamReady":
            self.ready.set()
        self.cursor = message["cursor"]

    def _record_end(self, reason: str) -> None:
        """Interruptions are measured from the first of several disconnects."""
        self.end_reasons[reason] += 1
        if self._lost_at is None:
            self._lost_at = monotonic()


def _end_reason(error: Exception) -> str:
    """Returns how a connection ended: its close code, or else the error."""
    if isinstance(error, ConnectionClosed):
        return str(error.rcvd.code) if error.rcvd is not None else "broken"
    return "refused" if isinstance(error, OSError) else type(error).__name__


async def _send(socket: ClientConnection, **message: Any) -> None:
    await socket.send(json.dumps(message))


@asynccontextmanager
async def run_subscribers(subscribers: Sequence[ReconnectingSubscriber]) -> AsyncIterator[None]:
    """Runs subscribers in the block; fails if one is rejected for good."""
    tasks = [asyncio.create_task(subscriber.run()) for subscriber in subscribers]
    try:
        await asyncio.gather(*(subscriber.until_ready() for subscriber in subscribers))
        yield
        await asyncio.gather(*(task for task in tasks if task.done()))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def open_subscribers(
    count: int, ports: Sequence[int], key: str, *, pace: PauseAfterMessage = _no_pause
) -> AsyncIterator[list[ReconnectingSubscriber]]:
    """Yields `count` subscribers of all changes from now on, spread over the ports."""
    subscribers = [
        ReconnectingSubscriber([*ports[n % len(ports) :], *ports[: n % len(ports)]], key, pace) for n in range(count)
    ]
    async with run_subscribers(subscribers):
        yield subscribers
