"""A fast receiver of webhooks, in a process of its own: answers 200 at once, or on paths that begin with /dead never.

It prints its port; for each line of its input, what came since: arrivals, and milliseconds since the times in the bodies."""

import asyncio
import json
import re
import sys
import time
from collections import defaultdict
from typing import cast

import uvloop

STAMP = re.compile(rb'"t": ?(\d+)')
LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
OK_RESPONSE = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"

latencies: defaultdict[str, list[float]] = defaultdict(list)
arrivals: list[float] = []


class ReceiverProtocol(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self.buffer = b""
        self.transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while True:
            headers, separator, rest = self.buffer.partition(b"\r\n\r\n")
            length_match = LENGTH.search(headers)
            length = int(length_match[1]) if length_match else 0
            if not separator or len(rest) < length:
                return
            self.buffer = rest[length:]
            self.record(headers.split(b" ", 2)[1].decode(), rest[:length])

    def record(self, path: str, body: bytes) -> None:
        """One delivery."""
        if path.startswith("/dead"):
            return
        now = time.time_ns()
        arrivals.append(now / 1e9)
        stamp = STAMP.search(body)
        if stamp:
            latencies[path].append((now - int(stamp[1])) / 1e6)
        cast(asyncio.Transport, self.transport).write(OK_RESPONSE)


async def main() -> None:
    """Serves until the input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(ReceiverProtocol, "127.0.0.1", 0, backlog=1_000)
    print(server.sockets[0].getsockname()[1], flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        report = {
            "count": len(arrivals),
            "span": arrivals[-1] - arrivals[0] if arrivals else 0,
            "latencies": dict(latencies),
        }
        arrivals.clear()
        latencies.clear()
        print(json.dumps(report), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
