"""A hub behind a real socket, with an engine of three fields and keys in a dict: for tests of what surrounds them."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from graphql import (
    ExecutionResult,
    FieldNode,
    GraphQLError,
    build_schema,
    execute,
    get_argument_values,
    get_operation_ast,
    parse,
    validate,
)

from hub import app, observability
from hub.domain.access import api_keys
from hub.engine.document.documents import DocumentError, Kind
from hub.engine.engine import Answer, Request
from hub.errors import BadInput, Unavailable
from hub.settings import Settings
from hub.subscriptions.interfaces import Refused, Sink, Stream
from hub.viewer import Role, Viewer
from hub.web import server
from hub.web.asgi import Site
from hub.web.auth import Keyring
from hub.web.metrics import Metrics

SCHEMA = build_schema("""
    type Query { echo(text: String): String, wait(seconds: Float): String }
    type Mutation { change: String }
    type Subscription { ticks(count: Int): Int, idle: Int, flood(size: Int): String, broken(how: String): Int }
""")
CREATED = datetime(2026, 1, 1, tzinfo=UTC)


def key_text(shown: str) -> str:
    return f"hub_{shown}_{shown * 5}abc"


KEY = key_text("00000001")
REVOKED = key_text("00000002")
EXPIRED = key_text("00000003")
BEARER = {"authorization": f"Bearer {KEY}"}


def stored(shown: str, **more: Any) -> api_keys.KeyFound:
    viewer = Viewer(UUID(int=int(shown)), Role.READER)
    values = {"unit_id": None, "created_at": CREATED, "expires_at": None, "revoked_at": None, "last_used_at": None}
    return api_keys.KeyFound(shown, api_keys.digest(key_text(shown)), "a key", viewer, **values | more)


@dataclass
class Engine:
    """Runs operations with graphql-core; remembers who asked, and which waits were cut short."""

    viewers: list[Viewer] = field(default_factory=list)
    cancelled: int = 0
    waiting: asyncio.Event = field(default_factory=asyncio.Event)

    def kind(self, request: Request) -> Kind:
        try:
            operation = get_operation_ast(parse(request.query), request.operation_name)
        except GraphQLError as error:
            raise DocumentError([error]) from None
        if operation is None:
            raise BadInput("no such operation", code="OPERATION_UNKNOWN")
        return operation.operation.value

    async def execute(self, request: Request, viewer: Viewer) -> Answer:
        self.viewers.append(viewer)
        try:
            document = parse(request.query)
        except GraphQLError as error:
            return self._refused(error, "", "GRAPHQL_SYNTAX")
        errors = validate(SCHEMA, document)
        if errors:
            return self._refused(errors[0], "", "GRAPHQL_INVALID")
        operation = get_operation_ast(document, request.operation_name)
        if operation is None:
            return self._refused(GraphQLError("no such operation"), "", "OPERATION_UNKNOWN")
        if operation.operation.value == "subscription":
            return self._refused(GraphQLError("use a socket"), "subscription", "STREAM_TRANSPORT")
        if request.read_only and operation.operation.value != "query":
            return self._refused(GraphQLError("a GET only reads"), operation.operation.value, "METHOD_NOT_ALLOWED")
        result = execute(
            SCHEMA, document, self, variable_values=request.variables, operation_name=request.operation_name
        )
        result = result if isinstance(result, ExecutionResult) else await result
        if result.data is None and result.errors:
            return self._refused(result.errors[0], operation.operation.value, "VARIABLE_INVALID")
        name = operation.name.value if operation.name else ""
        body = json.dumps(result.formatted).encode()
        return Answer(body, True, operation.operation.value, (("parse", 0.25), ("sql", 1.5)), 1, "", name)

    def echo(self, _: Any, text: str = "") -> str:
        if text == "break":
            raise SystemError("the secret inside")
        return text

    async def wait(self, _: Any, seconds: float) -> str:
        self.waiting.set()
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return "waited"

    def change(self, _: Any) -> str:
        return "changed"

    def _refused(self, error: GraphQLError, operation: str, code: str) -> Answer:
        told = {"errors": [error.formatted | {"extensions": {"code": code}}]}
        return Answer(json.dumps(told).encode(), False, operation, (), 0, code, "")


class Ticker:
    """One stream of the fake room that publishes; the argument of its field says what it does."""

    def __init__(self, sink: Sink, request: Request, viewer: Viewer) -> None:
        self.sink = sink
        self.request = request
        self.viewer = viewer
        self.stopped = False
        self.cuts: list[str] = []
        self.sent = 0
        self.task: asyncio.Task[None] | None = None

    def stop(self) -> None:
        self.stopped = True
        if self.task is not None:
            self.task.cancel()

    def cut(self, reason: str) -> None:
        self.cuts.append(reason)
        self.stop()
        self.sink.send(b'{"data":{"gap":"%s"}}' % reason.encode(), None)
        self.sink.end()

    def tick(self) -> None:
        self.sent += 1
        self.sink.send(b'{"data":{"ticks":%d}}' % self.sent, b"c%d" % self.sent)

    async def flood(self, size: int) -> None:
        message = json.dumps({"data": {"flood": "x" * size}}).encode()
        while True:
            self.sink.send(message, None)
            self.sent += 1
            await (self.sink.room() if self.sink.full else asyncio.sleep(0))


@dataclass
class Tickers:
    """Opens streams that count, idle, flood or break; remembers all of them."""

    opened: list[Ticker] = field(default_factory=list)

    async def open(self, request: Request, viewer: Viewer, sink: Sink) -> Stream:
        operation = get_operation_ast(parse(request.query), request.operation_name)
        assert operation is not None
        node = operation.selection_set.selections[0]
        assert isinstance(node, FieldNode)
        errors = validate(SCHEMA, parse(request.query))
        if errors:
            raise Refused([errors[0].formatted | {"extensions": {"code": "GRAPHQL_INVALID"}}])
        assert SCHEMA.subscription_type is not None
        arguments = get_argument_values(SCHEMA.subscription_type.fields[node.name.value], node)
        ticker = Ticker(sink, request, viewer)
        self.opened.append(ticker)
        match node.name.value:
            case "ticks":
                for _ in range(arguments["count"]):
                    ticker.tick()
                sink.end()
            case "flood":
                ticker.task = asyncio.create_task(ticker.flood(arguments["size"]))
            case "broken":
                await self._break(arguments["how"], sink)
        return ticker

    async def _break(self, how: str, sink: Sink) -> None:
        match how:
            case "refused":
                raise Refused([{"message": "not this", "extensions": {"code": "CURSOR_MALFORMED"}}])
            case "unavailable":
                raise Unavailable("not now")
            case "fault":
                raise RuntimeError("the secret inside")
            case "slow":
                await asyncio.sleep(60)
            case "later":
                sink.send(b'{"data":{"broken":1}}', None)
                sink.end([{"message": "no more", "extensions": {"code": "UNAVAILABLE"}}])


@dataclass
class Hub:
    """A running hub, and what a test may look at or change."""

    settings: Settings
    engine: Engine = field(default_factory=Engine)
    streams: Tickers = field(default_factory=Tickers)
    looked_up: list[str] = field(default_factory=list)
    told: list[observability.Record] = field(default_factory=list)
    unready: str = ""
    database_down: bool = False
    stored: dict[str, api_keys.KeyFound] = field(
        default_factory=lambda: {
            "00000001": stored("00000001"),
            "00000002": stored("00000002", revoked_at=CREATED),
            "00000003": stored("00000003", expires_at=CREATED + timedelta(days=1)),
        }
    )
    ring: Keyring = field(init=False)
    app: Site = field(init=False)
    metrics: Metrics = field(init=False)
    port: int = 0

    def __post_init__(self) -> None:
        self.metrics = Metrics()
        self.ring = Keyring(self._find, ttl=self.settings.key_cache_ttl, size=self.settings.key_cache_size)
        self.app = app.build(
            self.settings, self.engine, self.ring, self.streams, check=self._check, metrics=self.metrics
        )

    @property
    def requests(self) -> list[observability.RequestDone]:
        return [record for record in self.told if isinstance(record, observability.RequestDone)]

    async def _find(self, shown: Sequence[str]) -> list[api_keys.KeyFound]:
        self.looked_up += shown
        await asyncio.sleep(0)
        if self.database_down:
            raise ConnectionRefusedError("the database is down")
        return [self.stored[each] for each in shown if each in self.stored]

    async def _check(self) -> None:
        if self.unready:
            raise Unavailable(self.unready)

    async def raw(self, sent: bytes, *, half_close: bool = False) -> bytes:
        """All that comes back for some bytes, until the hub closes the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(sent)
        if half_close:
            writer.write_eof()
        try:
            return await reader.read(-1)
        finally:
            writer.close()


@contextmanager
def heard(hub: Hub) -> Iterator[None]:
    ends = [observability.listen(hub.told.append), observability.listen(hub.metrics)]
    try:
        yield
    finally:
        for end in ends:
            end()


@asynccontextmanager
async def served(site: Site, settings: Settings) -> AsyncIterator[int]:
    """A site behind a socket, in this event loop; gives the port, which is a free one of loopback."""
    bound = server.bind(replace_port(settings))
    bound.listen(100)
    port = bound.getsockname()[1]
    running = server.made(site, settings)
    task = asyncio.create_task(running.serve([bound]))
    try:
        yield port
    finally:
        running.should_exit = True
        await task


@asynccontextmanager
async def listening(**settings: Any) -> AsyncIterator[Hub]:
    """A hub on a free port of loopback, in this event loop."""
    hub = Hub(Settings(**settings))
    with heard(hub):
        async with served(hub.app, hub.settings) as hub.port:
            yield hub


def replace_port(settings: Settings) -> Settings:
    return settings.model_copy(update={"port": 0})


def post(query: str, **headers: str) -> bytes:
    """The bytes of one POST."""
    body = json.dumps({"query": query}).encode()
    head = {"host": "hub", "content-type": "application/json", **BEARER, "content-length": str(len(body)), **headers}
    return b"POST /graphql HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in head.items()).encode() + b"\r\n" + body


__all__ = ["BEARER", "EXPIRED", "KEY", "REVOKED", "Hub", "heard", "listening", "post", "replace", "served", "stored"]
