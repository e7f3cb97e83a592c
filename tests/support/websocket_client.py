"""Clients of the hub's WebSocket: a polite one, by a library, and a raw one that sends any bytes."""

import asyncio
import json
import os
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from change_workload import WAIT_TIMEOUT
from fake_engine_hub import BEARER, FakeEngineHub
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

PROTOCOL = Subprotocol("graphql-transport-ws")
TEXT, BINARY, CONTINUED, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10


class WebSocketClient:
    """Speaks graphql-transport-ws."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def send(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))

    async def init(self, payload: dict[str, Any] | None = None) -> None:
        await self.send(type="connection_init", payload=payload or BEARER)
        assert await self.receive() == {"type": "connection_ack"}

    async def subscribe(self, name: str, query: str, **more: Any) -> None:
        await self.send(type="subscribe", id=name, payload={"query": query, **more})

    async def receive(self) -> Any:
        async with asyncio.timeout(WAIT_TIMEOUT):
            return json.loads(await self.socket.recv())

    async def wait_closed(self) -> tuple[int, str]:
        """How the hub closes the socket; messages that come before are dropped."""
        async with asyncio.timeout(WAIT_TIMEOUT):
            with suppress(ConnectionClosed):
                while True:
                    await self.socket.recv()
        return self.socket.close_code or 0, self.socket.close_reason or ""

    async def receive_until_closed(self) -> list[Any]:
        """All messages until then."""
        messages = []
        try:
            while True:
                messages.append(await self.receive())
        except ConnectionClosed:
            return messages


@asynccontextmanager
async def open_websocket(
    hub: FakeEngineHub | int, *, protocols: Sequence[str] = (PROTOCOL,), init: bool = True, **headers: str
) -> AsyncIterator[WebSocketClient]:
    """A client, and its key shown unless it shall not be."""
    port = hub if isinstance(hub, int) else hub.port
    address = f"ws://127.0.0.1:{port}/graphql"
    offered = [Subprotocol(protocol) for protocol in protocols]
    async with connect(
        address, subprotocols=offered or None, additional_headers=headers, compression=None, ping_interval=None
    ) as socket:
        client = WebSocketClient(socket)
        if init:
            await client.init()
        yield client


def handshake(path: str = "/graphql", **headers: str) -> bytes:
    """The bytes of a request for a WebSocket; an empty header is left out."""
    header_fields = {
        "host": "hub",
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        "sec-websocket-version": "13",
        "sec-websocket-protocol": PROTOCOL,
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in header_fields.items() if value)
    return f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode()


def encode_frame(
    payload: bytes | str = b"", opcode: int = TEXT, *, fin: bool = True, mask: bool = True, bits: int = 0
) -> bytes:
    """The bytes of one frame of a client."""
    data = payload.encode() if isinstance(payload, str) else payload
    header = bytes(((0x80 if fin else 0) | bits | opcode,))
    mask_bit = 0x80 if mask else 0
    if len(data) < 126:
        header += bytes((mask_bit | len(data),))
    elif len(data) < 65_536:
        header += struct.pack("!BH", mask_bit | 126, len(data))
    else:
        header += struct.pack("!BQ", mask_bit | 127, len(data))
    if not mask:
        return header + data
    key = os.urandom(4)
    repeated_key = (key * (len(data) // 4 + 1))[: len(data)]
    masked = (int.from_bytes(data, "big") ^ int.from_bytes(repeated_key, "big")).to_bytes(len(data), "big")
    return header + key + masked


def encode_message(**content: Any) -> bytes:
    """The bytes of one message."""
    return encode_frame(json.dumps(content))


INIT = encode_message(type="connection_init", payload=BEARER)


class RawWebSocketClient:
    """Sends any bytes, and reads frames."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def read_frame(self) -> tuple[int, bytes]:
        """The next frame."""
        async with asyncio.timeout(WAIT_TIMEOUT):
            first, second = await self.reader.readexactly(2)
            length = second & 0x7F
            if length == 126:
                (length,) = struct.unpack("!H", await self.reader.readexactly(2))
            elif length == 127:
                (length,) = struct.unpack("!Q", await self.reader.readexactly(8))
            return first & 0x0F, await self.reader.readexactly(length)

    async def wait_closed(self) -> tuple[int, str]:
        """How the hub closes the socket."""
        while True:
            opcode, payload = await self.read_frame()
            if opcode == CLOSE:
                return int.from_bytes(payload[:2], "big"), payload[2:].decode()


@asynccontextmanager
async def open_raw_websocket(
    hub: FakeEngineHub, sent: bytes = b"", *, limit: int = 65_536
) -> AsyncIterator[RawWebSocketClient]:
    """A socket whose handshake is done, and some bytes behind it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.port, limit=limit)
    try:
        writer.write(handshake())
        async with asyncio.timeout(WAIT_TIMEOUT):
            response_head = await reader.readuntil(b"\r\n\r\n")
        assert response_head.startswith(b"HTTP/1.1 101 "), response_head
        writer.write(sent)
        yield RawWebSocketClient(reader, writer)
    finally:
        writer.close()


def next_of(name: str, payload: Any) -> dict[str, Any]:
    """The message that carries a result."""
    return {"id": name, "type": "next", "payload": payload}


def complete(name: str) -> dict[str, Any]:
    """The message that ends an operation."""
    return {"id": name, "type": "complete"}


def status_and_code(answer: bytes) -> tuple[int, str]:
    """What a refused handshake is answered: the HTTP status and the code of its error."""
    response_head, _, body = answer.partition(b"\r\n\r\n")
    return int(response_head.split()[1]), json.loads(body)["errors"][0]["extensions"]["code"]
