"""Ten thousand sockets on one process, and 20,000 deliveries a second: what each costs the hub. A long run.

The delays are told and not judged: here the clients are as slow as the hub."""

import asyncio
import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import uvloop
from fake_engine_hub import FakeEngineHub, until
from websocket_client import INIT, encode_message, handshake

from hub import app
from hub.engine.request import GraphQLRequest
from hub.settings import Settings
from hub.subscriptions.interfaces import MessageSink, OpenSubscription
from hub.viewer import Viewer
from hub.web import server

SOCKETS, TOPICS, COMMITS, SECONDS = 10_000, 100, 200, 10
SUBSCRIBE = encode_message(type="subscribe", id="1", payload={"query": "subscription { idle }"})
PAD = "x" * 200  # a small row
BYTES_PER_SOCKET, MICROSECONDS_PER_DELIVERY = 8_192, 40


@dataclass
class TopicStreams:
    """Streams that listen to one topic each."""

    sinks: list[set[MessageSink]] = field(default_factory=lambda: [set() for _ in range(TOPICS)])
    opened: int = 0

    async def open(self, request: GraphQLRequest, viewer: Viewer, sink: MessageSink) -> OpenSubscription:
        topic = self.sinks[self.opened % TOPICS]
        self.opened += 1
        topic.add(sink)
        return TopicSubscription(topic, sink)

    async def publish(self) -> int:
        """So many commits a second, each to one topic; gives how many messages that was."""
        began, commit, sent = time.perf_counter(), 0, 0
        while commit < COMMITS * SECONDS:
            while commit < min(time.perf_counter() - began, SECONDS) * COMMITS:
                payload = f'{{"data":{{"row":"{PAD}","at":"{time.time():017.6f}"}}}}'.encode()
                for sink in self.sinks[commit % TOPICS]:
                    sink.send(payload, None)
                    sent += 1
                commit += 1
            await asyncio.sleep(0.002)
        return sent


@dataclass
class TopicSubscription:
    """One of them."""

    topic: set[MessageSink]
    sink: MessageSink

    def cancel(self) -> None:
        self.topic.discard(self.sink)

    def close_with_reason(self, reason: str) -> None:
        self.cancel()
        self.sink.end()


def run_server(pipe: Connection) -> None:
    """The process that serves: says its port; then, when asked, what it holds and what publishing cost."""
    uvloop.run(_serve(pipe))


async def _serve(pipe: Connection) -> None:
    settings = Settings(port=0, graphiql=False, socket_limit=SOCKETS, socket_init_total=SOCKETS)
    hub, topics = FakeEngineHub(settings), TopicStreams()
    site = app.create_app(settings, hub.engine, hub.key_cache, topics, probe_database=hub._check)
    bound = server.bind(settings)
    bound.listen(server.BACKLOG)
    running = server.create_server(site, settings)
    task = asyncio.create_task(running.serve([bound]))
    app.freeze_gc()
    pipe.send((bound.getsockname()[1], resident()))
    await asyncio.to_thread(pipe.recv)
    pipe.send((topics.opened, resident()))
    await asyncio.to_thread(pipe.recv)
    before = time.process_time()
    sent = await topics.publish()
    pipe.send((sent, time.process_time() - before, resident()))
    running.should_exit = True
    await task


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


class LatencyClient(asyncio.Protocol):
    """Says hello, shows its key, subscribes, and notes how old each message is."""

    delays: list[float]

    def __init__(self, delays: list[float]) -> None:
        self.delays = delays
        self.sent = [SUBSCRIBE, INIT]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(handshake())

    def data_received(self, data: bytes) -> None:
        if self.sent:
            self.transport.write(self.sent.pop())
            return
        now = time.time()
        self.delays += [now - float(part[:17]) for part in data.split(b'"at":"')[1:]]


@contextmanager
def server_process() -> Iterator[Connection]:
    spawn = get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=run_server, args=(theirs,))
    process.start()
    try:
        yield ours
    finally:
        process.terminate()
        process.join()


@pytest.mark.soak
@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="the machine does not tell of memory in this way")
async def test_ten_thousand_sockets_are_cheap_to_keep_and_to_serve() -> None:
    app._raise_file_limit()
    delays: list[float] = []
    with server_process() as pipe:

        async def report() -> Any:
            return await asyncio.to_thread(pipe.recv)

        port, empty = await report()
        loop = asyncio.get_running_loop()
        for _ in range(SOCKETS):
            await loop.create_connection(lambda: LatencyClient(delays), "127.0.0.1", port)
        await asyncio.sleep(2)
        pipe.send("all are here")
        opened, full = await report()
        assert opened == SOCKETS
        pipe.send("publish")
        sent, seconds, after = await report()
        await until(lambda: len(delays) >= sent)
    delays.sort()
    p99 = delays[len(delays) * 99 // 100]
    memory, cost = (full - empty) / SOCKETS, seconds / sent * 1e6
    numbers = (
        f"{memory:.0f} bytes per socket, {cost:.1f} µs per delivery, {sent / SECONDS:.0f} a second, p99 {p99:.4f} s"
    )
    print(f"\n{numbers}")
    assert sent == SOCKETS // TOPICS * COMMITS * SECONDS
    assert memory < BYTES_PER_SOCKET, numbers
    assert cost < MICROSECONDS_PER_DELIVERY, numbers
    assert after - full < 20_000_000, numbers
