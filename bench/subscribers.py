"""Many subscribers in one process, `python -m bench.subscribers`: told on standard input what to do, answers on standard output.

It shares the machine with what it measures, so it does little: it notes when bytes came, and looks into them when asked."""

import gc
import json
import os
import re
import select
import socket
import sys
import time
from collections.abc import Iterator
from itertools import cycle
from typing import Any

STAMP = re.compile(rb'"t": ?(\d+)')
HANDSHAKE = (
    "GET /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
)
CONNECT_BATCH = 200  # connections opened at the same time
READ_SIZE = 65_536  # bytes read at once
POLL_DELAY = (
    0.001  # seconds between looks at all sockets, which count as latency; waking up for each message would cost more
)


def frame(message: Any) -> bytes:
    """A client's text frame, masked with zeros."""
    data = json.dumps(message).encode()
    length = bytes((0x80 | len(data),)) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2)
    return b"\x81" + length + b"\0\0\0\0" + data


class SubscriberClients:
    """All sockets, with one subscription each."""

    def __init__(self, port: int, query: str) -> None:
        self._port = port
        self._query = query
        self._poll = select.epoll()
        self._sockets: list[socket.socket] = []
        self._joining: dict[int, bytes] = {}  # by the socket's number: what it sends next
        self._received: list[tuple[int, bytes]] = []

    def connect(self, subscriptions: Iterator[tuple[int, str, Any]]) -> None:
        """Opens them, and returns when every stream is ready; raises ConnectionError when the hub refuses one."""
        for _, key, variables in subscriptions:
            self._open(key, variables)
            while len(self._joining) >= CONNECT_BATCH:
                self._advance_handshakes()
        while self._joining:
            self._advance_handshakes()

    def _open(self, key: str, variables: Any) -> None:
        connection = socket.create_connection(("127.0.0.1", self._port))
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
        """Notes what comes until there is a line of input."""
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
        """Milliseconds from each moment that the writer put into a row to that row's arrival, the least first."""
        received, self._received = self._received, []
        return sorted(
            (received_at - int(stamp[1])) / 1e6 for received_at, data in received for stamp in STAMP.finditer(data)
        )


def main() -> None:
    """Joins, then listens between two lines of input."""
    gc.disable()  # looking through all that came would hold up what comes
    instructions = json.loads(sys.stdin.readline())
    clients = SubscriberClients(instructions["port"], instructions["query"])
    started_at = time.monotonic()
    clients.connect(zip(range(instructions["number"]), cycle(instructions["keys"]), cycle(instructions["variables"])))
    print(json.dumps({"connected": time.monotonic() - started_at}), flush=True)
    while True:
        clients.receive()
        if not sys.stdin.readline():
            return
        latencies = clients.latencies()
        percentiles = (
            {str(per_mille): latencies[int(len(latencies) * per_mille / 1000)] for per_mille in (500, 900, 990, 999)}
            if latencies
            else {}
        )
        print(
            json.dumps(
                {"delivered": len(latencies), "percentiles": percentiles, "most": latencies[-1] if latencies else None}
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
