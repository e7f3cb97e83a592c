"""The load generator: keeps a number of connections busy with prepared requests and takes the time of each answer.

One thread, epoll, no HTTP library: it must cost a small part of what it measures (its own CPU is part of the result).
"""

import gc
import select
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

HEAD_END = b"\r\n\r\n"
LENGTHS = (b"\r\ncontent-length: ", b"\r\nContent-Length: ")
ANSWER = 1 << 20  # the largest answer that is taken, in bytes
POLL = 0.25
COUNTED = "bench-"  # behind it stand 16 digits that are others in every request: an idempotency key
MARK, DIGITS = COUNTED.encode(), 16
GRACE = 20.0  # seconds the answers that are under way may still take


class BadAnswer(Exception):
    """A server answered something that must not be counted."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of the generator found."""

    requests: int
    seconds: float
    latencies: list[float] = field(repr=False)
    generator: float  # CPU seconds of the generator itself

    @property
    def rate(self) -> float:
        return self.requests / self.seconds

    def percentile(self, share: float) -> float:
        """The latency in milliseconds that `share` of the answers did not exceed."""
        ordered = sorted(self.latencies)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1e3


class Connection:
    """One keep-alive connection with one request under way."""

    __slots__ = ("buffer", "have", "sent", "socket", "view", "wanted")

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=5)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.buffer = bytearray(ANSWER)
        self.view = memoryview(self.buffer)
        self.have = self.wanted = 0
        self.sent = 0.0

    def ask(self, request: bytes) -> None:
        self.have = self.wanted = 0
        self.sent = time.perf_counter()
        if self.socket.send(request) != len(request):
            raise BadAnswer("a request did not fit into the socket's buffer")

    def complete(self) -> bool:
        """Take what has come; true when that is the whole answer."""
        count = self.socket.recv_into(self.view[self.have :])
        if count == 0:
            raise BadAnswer(f"the server closed a connection: {bytes(self.buffer[: self.have])[:300]!r}")
        self.have += count
        if not self.wanted:
            self.wanted = self.length()
        return 0 < self.wanted <= self.have

    def length(self) -> int:
        """Bytes of the whole answer, 0 while the head is incomplete."""
        end = self.buffer.find(HEAD_END, 0, self.have)
        if end < 0:
            return 0
        if not self.buffer.startswith(b"HTTP/1.1 200"):
            raise BadAnswer(bytes(self.buffer[: self.have])[:600].decode(errors="replace"))
        for name in LENGTHS:
            at = self.buffer.find(name, 0, end)
            if at >= 0:
                start = at + len(name)
                return end + len(HEAD_END) + int(self.buffer[start : self.buffer.find(b"\r", start)])
        raise BadAnswer("the answer has no Content-Length")

    def check(self) -> None:
        # Inside a JSON string the quotation marks would be escaped, so this finds the key alone.
        if self.buffer.find(b'"errors":', 0, self.have) >= 0:
            raise BadAnswer(bytes(self.buffer[: self.have])[:600].decode(errors="replace"))


def fetch(address: tuple[str, int], request: bytes, patience: float = 30.0) -> bytes:
    """The body of one answer."""
    connection = Connection(address)
    try:
        connection.socket.settimeout(patience)
        connection.ask(request)
        while not connection.complete():
            pass
        connection.check()
        body = bytes(connection.buffer[: connection.have])
        return body[body.index(HEAD_END) + len(HEAD_END) :]
    finally:
        connection.socket.close()


def run(address: tuple[str, int], requests: Sequence[bytes], seconds: float, connections: int = 16) -> Load:
    """Ask for `seconds`, each connection its next request as soon as it has its answer; any fault ends the run."""
    opened: list[Connection] = []
    gc.collect()
    gc.disable()
    try:
        opened.extend(Connection(address) for _ in range(connections))
        return _run({each.socket.fileno(): each for each in opened}, requests, seconds)
    finally:
        gc.enable()
        for each in opened:
            each.socket.close()


def _run(by_file: dict[int, Connection], requests: Sequence[bytes], seconds: float) -> Load:
    poll = select.epoll()
    clock = time.perf_counter
    latencies: list[float] = []
    at = requests[0].find(MARK) + len(MARK) if MARK in requests[0] else 0
    first = time.time_ns()

    def upcoming(turn: int) -> bytes:
        request = requests[turn % len(requests)]
        return b"%b%016x%b" % (request[:at], first + turn, request[at + DIGITS :]) if at else request

    busy, turn, begun, cpu = len(by_file), 0, clock(), time.process_time()
    with poll:
        for number, connection in by_file.items():
            poll.register(number, select.EPOLLIN)
            connection.ask(upcoming(turn))
            turn += 1
        until, last = begun + seconds, begun
        while busy:
            if clock() > until + GRACE:
                raise BadAnswer(f"{busy} answers were still missing {GRACE:.0f} s after the end")
            for number, _ in poll.poll(POLL):
                connection = by_file[number]
                if not connection.complete():
                    continue
                last = clock()
                latencies.append(last - connection.sent)
                connection.check()
                if last < until:
                    connection.ask(upcoming(turn))
                    turn += 1
                else:
                    busy -= 1
    return Load(len(latencies), last - begun, latencies, time.process_time() - cpu)
