"""Many subscribers in one process, `python -m bench.subscribers`: instructions on standard input, reports on standard output.

It shares the machine with the hub, so it does little: it stores the bytes with their arrival, and parses them for a report.
"""

import gc
import json
import os
import select
import socket
import sys
import time
from collections.abc import Iterator
from itertools import cycle
from typing import Any

from bench.children import GRAPHQL_PATH, HOST
from bench.latency import percentile, timestamp_latencies

HANDSHAKE = (
    f"GET {GRAPHQL_PATH} HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
)
CONNECT_BATCH = 200  # connections opened at the same time
READ_SIZE = 65_536  # bytes of one read
# Seconds between reads of all sockets. They count as latency, but a wake-up for every message would cost more CPU.
POLL_DELAY = 0.001
PER_MILLES = (500, 900, 990, 999)  # of the percentiles in a report


def frame(message: Any) -> bytes:
    """A client's WebSocket text frame, masked with zeros."""
    data = json.dumps(message).encode()
    length = bytes((0x80 | len(data),)) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2)
    return b"\x81" + length + b"\0\0\0\0" + data


class SubscriberClients:
    """All sockets; every socket has one subscription."""

    def __init__(self, port: int, query: str) -> None:
        self._port = port
        self._query = query
        self._poll = select.epoll()
        self._sockets: list[socket.socket] = []
        self._joining: dict[int, bytes] = {}  # by the socket's number: its next frame
        self._received: list[tuple[int, bytes]] = []

    def connect(self, subscriptions: Iterator[tuple[int, str, Any]]) -> None:
        """Open all sockets and return when every stream is ready; raises ConnectionError when the hub refuses one."""
        for _, key, variables in subscriptions:
            self._open(key, variables)
            while len(self._joining) >= CONNECT_BATCH:
                self._advance_handshakes()
        while self._joining:
            self._advance_handshakes()

    def _open(self, key: str, variables: Any) -> None:
        connection = socket.create_connection((HOST, self._port))
        connection.sendall(
            HANDSHAKE.encode() + frame({"type": "connection_init", "payload": {"authorization": f"Bearer {key}"}})
        )
        connection.setblocking(False)
        self._poll.register(connection, select.EPOLLIN)
        self._sockets.append(connection)
        payload = {"query": self._query, "variables": variables}
        self._joining[connection.fileno()] = frame({"type": "subscribe", "id": "1", "payload": payload})

    def _advance_handshakes(self) -> None:
        for number, _ in self._poll.poll():
            data = os.read(number, READ_SIZE)
            if not data:
                raise ConnectionError("the hub closed the socket")
            if b"connection_ack" in data:
                os.write(number, self._joining[number])
            if b"StreamReady" in data:
                self._joining.pop(number, None)

    def receive(self) -> None:
        """Store everything that arrives until there is a line of input."""
        stdin_number = sys.stdin.fileno()
        self._poll.register(stdin_number, select.EPOLLIN)
        try:
            while True:
                for number, _ in self._poll.poll(maxevents=len(self._sockets) + 1):
                    if number == stdin_number:
                        return
                    data = os.read(number, READ_SIZE)
                    if not data:
                        raise ConnectionError("the hub closed a socket")
                    self._received.append((time.time_ns(), data))
                time.sleep(POLL_DELAY)
        finally:
            self._poll.unregister(stdin_number)

    def latencies(self) -> list[float]:
        """The milliseconds from the writer's timestamps to their arrivals, since the last call."""
        received, self._received = self._received, []
        return [latency for received_at, data in received for latency in timestamp_latencies(data, received_at)]


def report(latencies: list[float]) -> dict[str, Any]:
    """The number of latencies, their percentiles by per mille, and the greatest."""
    percentiles = {str(per_mille): percentile(latencies, per_mille / 1000) for per_mille in PER_MILLES if latencies}
    return {"delivered": len(latencies), "percentiles": percentiles, "most": max(latencies, default=None)}


def main() -> None:
    """Connect all subscribers, then report the latencies since the last line of input at every line."""
    gc.disable()  # a collection of all stored bytes would delay reads
    instructions = json.loads(sys.stdin.readline())
    clients = SubscriberClients(instructions["port"], instructions["query"])
    started_at = time.monotonic()
    clients.connect(zip(range(instructions["number"]), cycle(instructions["keys"]), cycle(instructions["variables"])))
    print(json.dumps({"connected": time.monotonic() - started_at}), flush=True)
    while True:
        clients.receive()
        if not sys.stdin.readline():
            return
        print(json.dumps(report(clients.latencies())), flush=True)


if __name__ == "__main__":
    main()
