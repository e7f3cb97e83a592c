"""A hub behind a real socket, with an engine of three fields and keys in a dict: for tests of what surrounds them."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from change_workload import WAIT_TIMEOUT
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
from hub.engine.document.documents import InvalidDocument, OperationType
from hub.engine.request import GraphQLRequest, GraphQLResponse
from hub.errors import BadInput, Unavailable
from hub.settings import Settings
from hub.subscriptions.interfaces import MessageSink, OpenSubscription, SubscriptionRejected
from hub.viewer import Role, Viewer
from hub.web import server
from hub.web.asgi import AsgiApp
from hub.web.auth import ApiKeyCache
from hub.web.metrics import Metrics

SCHEMA = build_schema("""
    type Query { echo(text: String): String, wait(seconds: Float): String }
    type Mutation { change: String }
    type Subscription { ticks(count: Int): Int, idle: Int, flood(size: Int): String, broken(how: String): Int }
""")
CREATED = datetime(2026, 1, 1, tzinfo=UTC)


def key_text(public_id: str) -> str:
    return f"hub_{public_id}_{public_id * 5}abc"


KEY = key_text("00000001")
REVOKED = key_text("00000002")
EXPIRED = key_text("00000003")
BEARER = {"authorization": f"Bearer {KEY}"}


def stored_key(public_id: str, **more: Any) -> api_keys.StoredKey:
    viewer = Viewer(UUID(int=int(public_id)), Role.READER)
    values = {"unit_id": None, "created_at": CREATED, "expires_at": None, "revoked_at": None, "last_used_at": None}
    return api_keys.StoredKey(public_id, api_keys.digest(key_text(public_id)), "a key", viewer, **values | more)


@dataclass
class FakeEngine:
    """Runs operations with graphql-core; remembers who asked, and which waits were cut short."""

    viewers: list[Viewer] = field(default_factory=list)
    cancelled: int = 0
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    rollback_seconds: float = 0.0  # that a cancelled operation takes to end

    async def operation_type(self, request: GraphQLRequest, viewer: Viewer) -> OperationType:
        try:
            operation = get_operation_ast(parse(request.query), request.operation_name)
        except GraphQLError as error:
            raise InvalidDocument([error]) from None
        if operation is None:
            raise BadInput("no such operation", code="OPERATION_UNKNOWN")
        return operation.operation.value

    async def execute(self, request: GraphQLRequest, viewer: Viewer) -> GraphQLResponse:
        self.viewers.append(viewer)
        try:
            document = parse(request.query)
        except GraphQLError as error:
            return self._error_response(error, "", "GRAPHQL_SYNTAX")
        errors = validate(SCHEMA, document)
        if errors:
            return self._error_response(errors[0], "", "GRAPHQL_INVALID")
        operation = get_operation_ast(document, request.operation_name)
        if operation is None:
            return self._error_response(GraphQLError("no such operation"), "", "OPERATION_UNKNOWN")
        if operation.operation.value == "subscription":
            return self._error_response(GraphQLError("use a socket"), "subscription", "STREAM_TRANSPORT")
        if request.read_only and operation.operation.value != "query":
            return self._error_response(
                GraphQLError("a GET only reads"), operation.operation.value, "METHOD_NOT_ALLOWED"
            )
        result = execute(
            SCHEMA, document, self, variable_values=request.variables, operation_name=request.operation_name
        )
        result = result if isinstance(result, ExecutionResult) else await result
        if result.data is None and result.errors:
            return self._error_response(result.errors[0], operation.operation.value, "VARIABLE_INVALID")
        name = operation.name.value if operation.name else ""
        body = json.dumps(result.formatted).encode()
        return GraphQLResponse(body, True, operation.operation.value, (("parse", 0.25), ("sql", 1.5)), 1, "", name)

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
            await asyncio.sleep(self.rollback_seconds)
            raise
        return "waited"

    def change(self, _: Any) -> str:
        return "changed"

    def _error_response(self, error: GraphQLError, operation: str, code: str) -> GraphQLResponse:
        body = {"errors": [error.formatted | {"extensions": {"code": code}}]}
        return GraphQLResponse(json.dumps(body).encode(), False, operation, (), 0, code, "")


class FakeSubscription:
    """One subscription of the fake opener; the argument of its field says what it does."""

    def __init__(self, sink: MessageSink, request: GraphQLRequest, viewer: Viewer) -> None:
        self.sink = sink
        self.request = request
        self.viewer = viewer
        self.cancelled = False
        self.close_reasons: list[str] = []
        self.sent = 0
        self.task: asyncio.Task[None] | None = None

    def cancel(self) -> None:
        self.cancelled = True
        if self.task is not None:
            self.task.cancel()

    def close_with_reason(self, reason: str) -> None:
        self.close_reasons.append(reason)
        self.cancel()
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
            await (self.sink.drained() if self.sink.is_backpressured else asyncio.sleep(0))


@dataclass
class FakeSubscriptions:
    """Opens streams that count, idle, flood or break; remembers all of them."""

    opened: list[FakeSubscription] = field(default_factory=list)

    async def open(self, request: GraphQLRequest, viewer: Viewer, sink: MessageSink) -> OpenSubscription:
        operation = get_operation_ast(parse(request.query), request.operation_name)
        assert operation is not None
        node = operation.selection_set.selections[0]
        assert isinstance(node, FieldNode)
        errors = validate(SCHEMA, parse(request.query))
        if errors:
            raise SubscriptionRejected([errors[0].formatted | {"extensions": {"code": "GRAPHQL_INVALID"}}])
        assert SCHEMA.subscription_type is not None
        arguments = get_argument_values(SCHEMA.subscription_type.fields[node.name.value], node)
        ticker = FakeSubscription(sink, request, viewer)
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

    async def _break(self, fault: str, sink: MessageSink) -> None:
        match fault:
            case "refused":
                raise SubscriptionRejected([{"message": "not this", "extensions": {"code": "CURSOR_MALFORMED"}}])
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
class FakeEngineHub:
    """A running hub, and what a test may look at or change."""

    settings: Settings
    engine: FakeEngine = field(default_factory=FakeEngine)
    subscriptions: FakeSubscriptions = field(default_factory=FakeSubscriptions)
    lookups: list[str] = field(default_factory=list)
    events: list[observability.Event] = field(default_factory=list)
    not_ready_reason: str = ""
    database_down: bool = False
    stored_keys: dict[str, api_keys.StoredKey] = field(
        default_factory=lambda: {
            "00000001": stored_key("00000001"),
            "00000002": stored_key("00000002", revoked_at=CREATED),
            "00000003": stored_key("00000003", expires_at=CREATED + timedelta(days=1)),
        }
    )
    key_cache: ApiKeyCache = field(init=False)
    app: AsgiApp = field(init=False)
    metrics: Metrics = field(default_factory=Metrics)
    port: int = 0

    def __post_init__(self) -> None:
        self.key_cache = ApiKeyCache(self._find, ttl=self.settings.key_cache_ttl, size=self.settings.key_cache_size)
        self.app = app.create_app(
            self.settings,
            self.engine,
            self.key_cache,
            self.subscriptions,
            probe_database=self._check,
            metrics=self.metrics,
        )

    @property
    def requests(self) -> list[observability.RequestDone]:
        return [event for event in self.events if isinstance(event, observability.RequestDone)]

    async def _find(self, public_ids: Sequence[str]) -> list[api_keys.StoredKey]:
        self.lookups += public_ids
        await asyncio.sleep(0)
        if self.database_down:
            raise ConnectionRefusedError("the database is down")
        return [self.stored_keys[public_id] for public_id in public_ids if public_id in self.stored_keys]

    async def _check(self) -> None:
        if self.not_ready_reason:
            raise Unavailable(self.not_ready_reason)

    async def send_bytes(self, data: bytes, *, half_close: bool = False) -> bytes:
        """All that comes back for some bytes, until the hub closes the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        if half_close:
            writer.write_eof()
        try:
            async with asyncio.timeout(WAIT_TIMEOUT):
                return await reader.read(-1)
        finally:
            writer.close()


@contextmanager
def capture_events(hub: FakeEngineHub) -> Iterator[None]:
    removals = [observability.add_handler(hub.events.append), observability.add_handler(hub.metrics)]
    try:
        yield
    finally:
        for remove in removals:
            remove()


@asynccontextmanager
async def serve_app(asgi_app: AsgiApp, settings: Settings) -> AsyncIterator[int]:
    """A site behind a socket, in this event loop; gives the port, which is a free one of loopback."""
    listener = server.bind(with_free_port(settings))
    listener.listen(100)
    port = listener.getsockname()[1]
    uvicorn_server = server.create_server(asgi_app, settings)
    task = asyncio.create_task(uvicorn_server.serve([listener]))
    try:
        yield port
    finally:
        uvicorn_server.should_exit = True
        await task


@asynccontextmanager
async def run_fake_engine_hub(**settings: Any) -> AsyncIterator[FakeEngineHub]:
    """A hub on a free port of loopback, in this event loop."""
    hub = FakeEngineHub(Settings(**settings))
    with capture_events(hub):
        async with serve_app(hub.app, hub.settings) as hub.port:
            yield hub


def with_free_port(settings: Settings) -> Settings:
    return settings.model_copy(update={"port": 0})


def post_bytes(query: str, **headers: str) -> bytes:
    """The bytes of one POST."""
    body = json.dumps({"query": query}).encode()
    header_fields = {
        "host": "hub",
        "content-type": "application/json",
        **BEARER,
        "content-length": str(len(body)),
        **headers,
    }
    return (
        b"POST /graphql HTTP/1.1\r\n"
        + "".join(f"{n}: {v}\r\n" for n, v in header_fields.items()).encode()
        + b"\r\n"
        + body
    )


async def send_without_end(writer: asyncio.StreamWriter) -> int:
    """Sends bytes until the connection breaks, 200 MB at most; returns their number."""
    sent = 0
    with suppress(ConnectionError):
        while sent < 200_000_000:
            writer.write(b"x" * 1_000_000)
            sent += 1_000_000
            await writer.drain()
    return sent


async def until(condition: Callable[[], Any]) -> None:
    """Returns once a condition holds, or raises TimeoutError."""
    async with asyncio.timeout(WAIT_TIMEOUT):
        while True:
            if condition():
                return
            await asyncio.sleep(0.005)


__all__ = [
    "BEARER",
    "EXPIRED",
    "KEY",
    "REVOKED",
    "FakeEngineHub",
    "capture_events",
    "post_bytes",
    "replace",
    "run_fake_engine_hub",
    "send_without_end",
    "serve_app",
    "stored_key",
    "until",
]
