"""A fast receiver of webhooks in its own process. It answers 200 at once, or never on paths that begin with /dead.

It prints its port. For every line of its input it prints the arrivals since the last line and their latencies.
"""

import asyncio
import json
import re
import sys
import time
from collections import defaultdict
from typing import Any, cast

import uvloop

from bench.children import HOST
from bench.latency import timestamp_latencies

CONTENT_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
OK_RESPONSE = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
BACKLOG = 1_000
DEAD_PATH = "/dead"


class Arrivals:
    """The deliveries since the last report: their number, and their latencies in milliseconds by path."""

    def __init__(self) -> None:
        self._count = 0
        self._latencies: defaultdict[str, list[float]] = defaultdict(list)

    def add(self, path: str, body: bytes) -> None:
        """Count one delivery."""
        self._count += 1
        self._latencies[path] += timestamp_latencies(body, time.time_ns())

    def report(self) -> dict[str, Any]:
        """The report as JSON data; the next one starts empty."""
        report = {"count": self._count, "latencies": dict(self._latencies)}
        self._count = 0
        self._latencies.clear()
        return report


class ReceiverProtocol(asyncio.Protocol):
    """One connection."""

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._buffer = b""
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            headers, separator, rest = self._buffer.partition(b"\r\n\r\n")
            length_match = CONTENT_LENGTH.search(headers)
            length = int(length_match[1]) if length_match else 0
            if not separator or len(rest) < length:
                return
            self._buffer = rest[length:]
            self._record(headers.split(b" ", 2)[1].decode(), rest[:length])

    def _record(self, path: str, body: bytes) -> None:
        """Count a delivery and answer it, unless its path is dead."""
        if path.startswith(DEAD_PATH):
            return
        self._arrivals.add(path, body)
        cast(asyncio.Transport, self._transport).write(OK_RESPONSE)


async def main() -> None:
    """Serve until the input ends."""
    arrivals = Arrivals()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: ReceiverProtocol(arrivals), HOST, 0, backlog=BACKLOG)
    print(server.sockets[0].getsockname()[1], flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(arrivals.report()), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
