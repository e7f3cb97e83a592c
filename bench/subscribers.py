"""Many subscribers in one process, `python -m bench.subscribers`: told on standard input what to do, answers on standard output.

Reads frames as bytes: the only thing it looks for is the moment that the writer put into the row."""

import asyncio
import json
import re
import sys
import time
from itertools import cycle
from typing import Any, cast

import uvloop

STAMP = re.compile(rb'"t": ?(\d+)')
HEAD = (
    "GET /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
)
AT_ONCE = 200  # connections opened at the same time


def frame(message: Any) -> bytes:
    """A client's text frame, masked with zeros."""
    data = json.dumps(message).encode()
    length = bytes((0x80 | len(data),)) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2)
    return b"\x81" + length + b"\0\0\0\0" + data


class Subscriber(asyncio.Protocol):
    """One socket with one subscription."""

    def __init__(self, key: str, payload: Any, latencies: list[float]) -> None:
        self.sent = [
            frame({"type": "connection_init", "payload": {"authorization": f"Bearer {key}"}}),
            frame({"type": "subscribe", "id": "1", "payload": payload}),
        ]
        self.latencies = latencies
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's, which is no subclass of it
        self.transport.write(HEAD.encode() + self.sent[0])

    def data_received(self, data: bytes) -> None:
        if b"connection_ack" in data:
            self.transport.write(self.sent[1])
        if not self.ready.done() and b"StreamReady" in data:
            self.ready.set_result(None)
        now = time.time_ns()
        for found in STAMP.finditer(data):
            self.latencies.append((now - int(found[1])) / 1e6)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ready.done():
            self.ready.set_exception(ConnectionError("the hub closed the socket"))


async def _main() -> None:
    told = json.loads(sys.stdin.readline())
    latencies: list[float] = []
    loop = asyncio.get_running_loop()
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(key: str, variables: Any) -> None:
        payload = {"query": told["query"], "variables": variables}
        async with gate:
            _, made = await loop.create_connection(
                lambda: Subscriber(key, payload, latencies), "127.0.0.1", told["port"]
            )
            await made.ready

    began = time.monotonic()
    chosen = zip(range(told["number"]), cycle(told["keys"]), cycle(told["variables"]))
    await asyncio.gather(*(one(key, variables) for _, key, variables in chosen))
    print(json.dumps({"connected": time.monotonic() - began}), flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        if line.strip() == "take":
            taken = sorted(latencies)
            latencies.clear()
            at = {str(part): taken[int(len(taken) * part / 1000)] for part in (500, 900, 990, 999)} if taken else {}
            print(json.dumps({"delivered": len(taken), "at": at, "most": taken[-1] if taken else None}), flush=True)


if __name__ == "__main__":
    uvloop.run(_main())
