"""The load generator: it keeps connections busy with prepared requests and measures the latency of every answer.

One thread over epoll without an HTTP library, because it must cost a small part of the CPU that it measures.
"""

import gc
import select
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.latency import percentile

HEADERS_END = b"\r\n\r\n"
LENGTHS = (b"\r\ncontent-length: ", b"\r\nContent-Length: ")
MAX_RESPONSE = 1 << 20  # bytes of the largest answer
POLL_INTERVAL = 0.25  # seconds
IDEMPOTENCY_PREFIX = "bench-"  # of an idempotency key; 16 digits follow, which differ in every request
PREFIX_BYTES, DIGITS = IDEMPOTENCY_PREFIX.encode(), 16
RESPONSE_GRACE = 20.0  # seconds for the last answers after the end of a run


class InvalidResponse(Exception):
    """A server returned an answer that must not be counted."""


@dataclass(frozen=True, slots=True)
class LoadResult:
    """The measurements of one run of the generator."""

    requests: int
    seconds: float
    latencies: list[float] = field(repr=False)
    generator_cpu: float  # CPU seconds of the generator itself

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds

    def percentile(self, share: float) -> float:
        """The latency in milliseconds that a share of the answers did not exceed."""
        return percentile(self.latencies, share) * 1e3


class LoadConnection:
    """One keep-alive connection with one request in flight."""

    __slots__ = ("buffer", "expected", "received", "sent", "socket", "view")

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=5)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.buffer = bytearray(MAX_RESPONSE)
        self.view = memoryview(self.buffer)
        self.received = self.expected = 0
        self.sent = 0.0

    def send(self, request: bytes) -> None:
        """Send a request and start its clock; raises InvalidResponse when the socket's buffer is too small."""
        self.received = self.expected = 0
        self.sent = time.perf_counter()
        if self.socket.send(request) != len(request):
            raise InvalidResponse("a request did not fit into the socket's buffer")

    def receive(self) -> bool:
        """Read the available bytes; return True when the answer is complete. Raises InvalidResponse."""
        count = self.socket.recv_into(self.view[self.received :])
        if count == 0:
            raise InvalidResponse(f"the server closed a connection: {bytes(self.buffer[: self.received])[:300]!r}")
        self.received += count
        if not self.expected:
            self.expected = self.response_length()
        return 0 < self.expected <= self.received

    def response_length(self) -> int:
        """Bytes of the whole answer, 0 while the headers are incomplete."""
        end = self.buffer.find(HEADERS_END, 0, self.received)
        if end < 0:
            return 0
        if not self.buffer.startswith(b"HTTP/1.1 200"):
            raise InvalidResponse(bytes(self.buffer[: self.received])[:600].decode(errors="replace"))
        for name in LENGTHS:
            header_start = self.buffer.find(name, 0, end)
            if header_start >= 0:
                start = header_start + len(name)
                return end + len(HEADERS_END) + int(self.buffer[start : self.buffer.find(b"\r", start)])
        raise InvalidResponse("the answer has no Content-Length")

    def require_success(self) -> None:
        """Raise InvalidResponse when the answer has GraphQL errors."""
        # Inside a JSON string the quotation marks would be escaped, so this matches only the key.
        if self.buffer.find(b'"errors":', 0, self.received) >= 0:
            raise InvalidResponse(bytes(self.buffer[: self.received])[:600].decode(errors="replace"))


def fetch(address: tuple[str, int], request: bytes, timeout: float = 30.0) -> bytes:
    """The body of one answer."""
    connection = LoadConnection(address)
    try:
        connection.socket.settimeout(timeout)
        connection.send(request)
        while not connection.receive():
            pass
        connection.require_success()
        body = bytes(connection.buffer[: connection.received])
        return body[body.index(HEADERS_END) + len(HEADERS_END) :]
    finally:
        connection.socket.close()


def run(address: tuple[str, int], requests: Sequence[bytes], seconds: float, connections: int = 16) -> LoadResult:
    """Send requests for some seconds; every connection sends its next request when it has its answer.

    Raises InvalidResponse or OSError at the first fault.
    """
    opened: list[LoadConnection] = []
    gc.collect()
    gc.disable()
    try:
        opened.extend(LoadConnection(address) for _ in range(connections))
        return _run({connection.socket.fileno(): connection for connection in opened}, requests, seconds)
    finally:
        gc.enable()
        for connection in opened:
            connection.socket.close()


def _run(by_file: dict[int, LoadConnection], requests: Sequence[bytes], seconds: float) -> LoadResult:
    poll = select.epoll()
    clock = time.perf_counter
    latencies: list[float] = []
    digits_start = requests[0].find(PREFIX_BYTES) + len(PREFIX_BYTES) if PREFIX_BYTES in requests[0] else 0
    first_number = time.time_ns()

    def next_request(sequence_number: int) -> bytes:
        request = requests[sequence_number % len(requests)]
        return (
            b"%b%016x%b" % (request[:digits_start], first_number + sequence_number, request[digits_start + DIGITS :])
            if digits_start
            else request
        )

    busy, request_number, started_at, cpu = len(by_file), 0, clock(), time.process_time()
    with poll:
        for number, connection in by_file.items():
            poll.register(number, select.EPOLLIN)
            connection.send(next_request(request_number))
            request_number += 1
        deadline, last = started_at + seconds, started_at
        while busy:
            if clock() > deadline + RESPONSE_GRACE:
                raise InvalidResponse(f"{busy} answers were still missing {RESPONSE_GRACE:.0f} s after the end")
            for number, _ in poll.poll(POLL_INTERVAL):
                connection = by_file[number]
                if not connection.receive():
                    continue
                last = clock()
                latencies.append(last - connection.sent)
                connection.require_success()
                if last < deadline:
                    connection.send(next_request(request_number))
                    request_number += 1
                else:
                    busy -= 1
    return LoadResult(len(latencies), last - started_at, latencies, time.process_time() - cpu)
