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
HEAD = (
    "GET /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
)
AT_ONCE = 200  # connections opened at the same time
MOST = 65_536  # bytes read at once
NAP = 0.001  # seconds between looks at all sockets, which count as latency; waking up for each message would cost more


def frame(message: Any) -> bytes:
    """A client's text frame, masked with zeros."""
    data = json.dumps(message).encode()
    length = bytes((0x80 | len(data),)) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2)
    return b"\x81" + length + b"\0\0\0\0" + data


class Subscribers:
    """All sockets, with one subscription each."""

    def __init__(self, port: int, query: str) -> None:
        self._port = port
        self._query = query
        self._poll = select.epoll()
        self._sockets: list[socket.socket] = []
        self._joining: dict[int, bytes] = {}  # by the socket's number: what it sends next
        self._came: list[tuple[int, bytes]] = []

    def join(self, each: Iterator[tuple[int, str, Any]]) -> None:
        """Opens them, and returns when every stream is ready; raises ConnectionError when the hub refuses one."""
        for _, key, variables in each:
            self._open(key, variables)
            while len(self._joining) >= AT_ONCE:
                self._greet()
        while self._joining:
            self._greet()

    def _open(self, key: str, variables: Any) -> None:
        made = socket.create_connection(("127.0.0.1", self._port))
        made.sendall(HEAD.encode() + frame({"type": "connection_init", "payload": {"authorization": f"Bearer {key}"}}))
        made.setblocking(False)
        self._poll.register(made, select.EPOLLIN)
        self._sockets.append(made)
        payload = {"query": self._query, "variables": variables}
        self._joining[made.fileno()] = frame({"type": "subscribe", "id": "1", "payload": payload})

    def _greet(self) -> None:
        for number, _ in self._poll.poll():
            data = os.read(number, MOST)
            if not data:
                raise ConnectionError("the hub closed the socket")
            if b"connection_ack" in data:
                os.write(number, self._joining[number])
            if b"StreamReady" in data:
                self._joining.pop(number, None)

    def listen(self) -> None:
        """Notes what comes until there is a line of input."""
        told = sys.stdin.fileno()
        self._poll.register(told, select.EPOLLIN)
        try:
            while True:
                for number, _ in self._poll.poll(maxevents=len(self._sockets) + 1):
                    if number == told:
                        return
                    data = os.read(number, MOST)
                    if not data:
                        raise ConnectionError("the hub closed a socket")
                    self._came.append((time.time_ns(), data))
                time.sleep(NAP)
        finally:
            self._poll.unregister(told)

    def take(self) -> list[float]:
        """Milliseconds from each moment that the writer put into a row to that row's arrival, the least first."""
        came, self._came = self._came, []
        return sorted((at - int(found[1])) / 1e6 for at, data in came for found in STAMP.finditer(data))


def main() -> None:
    """Joins, then listens between two lines of input."""
    gc.disable()  # looking through all that came would hold up what comes
    told = json.loads(sys.stdin.readline())
    everyone = Subscribers(told["port"], told["query"])
    began = time.monotonic()
    everyone.join(zip(range(told["number"]), cycle(told["keys"]), cycle(told["variables"])))
    print(json.dumps({"connected": time.monotonic() - began}), flush=True)
    while True:
        everyone.listen()
        if not sys.stdin.readline():
            return
        taken = everyone.take()
        at = {str(part): taken[int(len(taken) * part / 1000)] for part in (500, 900, 990, 999)} if taken else {}
        print(json.dumps({"delivered": len(taken), "at": at, "most": taken[-1] if taken else None}), flush=True)


if __name__ == "__main__":
    main()
