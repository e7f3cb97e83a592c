"""/graphql over HTTP as a bare ASGI callable: authenticates and parses a request, and sends the engine's response.

GraphQLEndpoint._handle is the whole path of a request. The engine executes the operation."""

import asyncio
import re
from collections.abc import Mapping
from time import perf_counter
from typing import NamedTuple

import orjson
from starlette.types import Receive, Scope, Send

from hub.deadlines import Deadlines
from hub.engine.request import GraphQLRequest, GraphQLResponse, retry_after
from hub.errors import BadInput, HubError, Internal, Unavailable
from hub.model.ip_networks import IpAddress
from hub.observability import InternalFailure, RequestDone, emit
from hub.subscriptions.interfaces import SubscriptionRejected
from hub.web.auth import KeyCredential
from hub.web.client_address import TrustedProxies
from hub.web.context import GatewayContext
from hub.web.http import negotiation, request_body, responses
from hub.web.http.sse import EventStream, open_event_stream
from hub.web.stream_sink import NAME_LENGTH, first_code, new_request_id

PATH = "/graphql"
RECHECK_AFTER = 1.0  # seconds after which a response is sent only if the key is still valid
REQUEST_ID_PATTERN = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class RequestState:
    """The state of one request until its response is sent."""

    __slots__ = (
        "_proxies",
        "_scope",
        "_task",
        "headers",
        "key",
        "media",
        "method",
        "query_string",
        "received",
        "request_id",
        "started_at",
        "timed_out",
    )

    def __init__(self, scope: Scope, proxies: TrustedProxies) -> None:
        self._scope = scope
        self._proxies = proxies
        self.started_at = perf_counter()
        self.method: str = scope["method"]
        self.query_string: bytes = scope["query_string"]
        self.headers = _headers(scope["headers"])
        client_request_id = self.headers.get(b"x-request-id")
        if client_request_id is not None and REQUEST_ID_PATTERN.fullmatch(client_request_id):
            self.request_id = client_request_id.decode()
        else:
            self.request_id = new_request_id()
        self.media = negotiation.JSON
        self.key = ""
        self.received = False
        self.timed_out = False
        self._task = asyncio.current_task()

    def client_address(self) -> IpAddress | None:
        """The address of the client, as far as trusted proxies tell; None if it is not known."""
        client = self._scope.get("client")
        return self._proxies.client_address(client[0] if client else None, self.headers.get(b"x-forwarded-for"))

    def client_network(self) -> str:
        """The same as text; empty if it is not known."""
        client = self._scope.get("client")
        return self._proxies.client_network(client[0] if client else None, self.headers.get(b"x-forwarded-for"))

    def on_timeout(self) -> None:
        """Cancels the request's task when its deadline passes."""
        self.timed_out = True
        if self._task is not None:
            self._task.cancel()


def _headers(raw_headers: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Returns the headers by name. Repeated headers are joined to a list, which makes repeated single-value headers invalid."""
    headers: dict[bytes, bytes] = {}
    for name, value in raw_headers:
        headers[name] = headers[name] + b", " + value if name in headers else value
    return headers


def _is_navigation(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a browser opens the address as a page: it asks for HTML, without a key."""
    return b"authorization" not in headers and negotiation.accepts_html(headers.get(b"accept"))


class HttpReply(NamedTuple):
    """The response to send, and the engine's response for the log."""

    status: int
    body: bytes
    headers: responses.HeaderList
    response: GraphQLResponse
    event_stream: EventStream | None = None  # instead of the body


NO_RESPONSE = GraphQLResponse(body=b"", executed=False, operation_type="", timings=(), statements=0, code="", name="")
CONTENT_TYPES = {
    negotiation.JSON: b"application/json; charset=utf-8",
    negotiation.GRAPHQL_RESPONSE: b"application/graphql-response+json; charset=utf-8",
}
# Errors of the hub, not of the operation: they have their own status with application/json, too.
HUB_ERROR_STATUS = {
    code: responses.STATUS_BY_CODE[code]
    for code in ("UNAVAILABLE", "DISK_FULL", "INTERNAL", "OPERATION_LIMIT", "THROTTLED")
}
# The engine rejects these operations with a code; the remedy depends on the transport.
TRANSPORT_ERRORS = {
    code: responses.error_body(BadInput(message, code=code))
    for code, message in {
        "STREAM_TRANSPORT": "A subscription has many responses; use a WebSocket, or send `Accept: text/event-stream`.",
        "METHOD_NOT_ALLOWED": "A mutation is not allowed over GET; use POST.",
    }.items()
}
NOT_ACCEPTABLE = (
    "Accept names no supported media type; accept application/graphql-response+json or application/json, "
    "or text/event-stream for a stream of responses."
)


class GraphQLEndpoint:
    """The endpoint of a process. It holds no state of a request."""

    def __init__(self, context: GatewayContext) -> None:
        self.context = context
        self.engine = context.engine
        self.key_cache = context.key_cache
        self.settings = context.settings
        self.cors = responses.Cors(context.settings.allowed_origins)
        self.pages = context.settings.graphiql
        self.deadlines = Deadlines(context.settings.request_timeout)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = RequestState(scope, self.context.trusted_proxies)
        status = 0
        self.deadlines.add(state, state.started_at)
        try:
            reply = await self._handle(state, receive)
        except HubError as error:
            reply = _error_reply(error)
        except SubscriptionRejected as rejection:
            reply = _rejection_reply(rejection)
        except (request_body.ClientDisconnected, asyncio.CancelledError):
            if state.timed_out:
                reply = _error_reply(self._timeout_error(state))
            else:
                # The client has disconnected, or the hub stops and its drain timeout has passed.
                status = responses.CLIENT_CLOSED_REQUEST
                reply = _error_reply(Unavailable("The hub is stopping; try again."))._replace(response=NO_RESPONSE)
        except Exception as error:
            emit(InternalFailure(state.request_id, "handling a request", error))
            message = f"The hub failed; report the request id {state.request_id} to its operator."
            reply = _error_reply(Internal(message, extensions={"requestId": state.request_id}))
        self.deadlines.remove(state)
        if reply.event_stream is None:
            await self._send(state, reply, scope, send)
        else:
            await reply.event_stream.run(self._common_headers(state), scope, send)
        if reply.event_stream is None or reply.response is not NO_RESPONSE:
            emit(_request_done(state, status or reply.status, reply.response))

    async def _handle(self, state: RequestState, receive: Receive) -> HttpReply:
        headers = state.headers
        if state.method == "OPTIONS":
            requested_headers = headers.get(b"access-control-request-headers")
            preflight = self.cors.preflight(headers.get(b"origin"), requested_headers)
            return HttpReply(204, b"", [(b"allow", responses.ALLOWED_METHODS), *preflight], NO_RESPONSE)
        if state.method == "GET" and self.pages and _is_navigation(headers):
            # Relative, so that the page is reached under any path prefix of a proxy.
            return HttpReply(307, b"", [(b"location", b"graphiql"), responses.VARY], NO_RESPONSE)
        accepted = negotiation.response_type(headers.get(b"accept"))
        accepts_events = negotiation.accepts_events(headers.get(b"accept"))
        if accepted is None and not accepts_events:
            raise BadInput(NOT_ACCEPTABLE, code="NOT_ACCEPTABLE")
        state.media = accepted or negotiation.JSON
        if state.method not in ("GET", "POST"):
            message = f"{state.method} is not allowed here; use POST, or GET for queries."
            raise BadInput(message, code="METHOD_NOT_ALLOWED", extensions={"allow": responses.ALLOWED_METHODS.decode()})
        credential = await self.key_cache.credential(headers.get(b"authorization"), state)
        state.key = credential.public_id
        if state.method == "GET":
            request = request_body.from_query_string(
                state.query_string, state.request_id, credential, self.context.document_finder, state.client_network()
            )
        else:
            request = await self._read_post(state, receive, credential)
        state.received = True
        if b"x-cost-report" in headers:
            request = request._replace(report_cost=True)
        if accepts_events and await self.context.is_subscription(request, credential.viewer):
            resume = headers.get(b"last-event-id", b"").decode("latin-1")
            stream = await open_event_stream(self.context, request._replace(resume=resume or None), credential, state)
            return HttpReply(200, b"", [], NO_RESPONSE, stream)
        response = await self.engine.execute(request, credential.viewer)
        if perf_counter() - state.started_at > RECHECK_AFTER:
            await self.key_cache.credential(headers.get(b"authorization"), state)
        if accepted is None and response.executed:
            return HttpReply(200, b"", [], response, EventStream.for_response(self.context, request, response.body))
        return _reply(response, accepted or negotiation.GRAPHQL_RESPONSE)

    async def _read_post(self, state: RequestState, receive: Receive, credential: KeyCredential) -> GraphQLRequest:
        headers = state.headers
        if (
            not negotiation.is_json(headers.get(b"content-type"))
            or headers.get(b"content-encoding", b"identity") != b"identity"
        ):
            message = "The body must be uncompressed JSON in UTF-8; send `Content-Type: application/json`."
            raise BadInput(message, code="MEDIA_TYPE_UNSUPPORTED")
        received = await request_body.read(receive, headers.get(b"content-length"), self.settings.body_limit)
        documents = self.context.document_finder
        return request_body.from_body(received, state.request_id, credential, documents, state.client_network())

    def _timeout_error(self, state: RequestState) -> HubError:
        seconds = self.settings.request_timeout
        if state.received:
            message = f"The request took longer than {seconds:g} s; ask for less, or try again."
            return Unavailable(message, code="REQUEST_TIMEOUT")
        return BadInput(f"The request had not arrived after {seconds:g} s; send it faster.", code="REQUEST_TIMEOUT")

    def _common_headers(self, state: RequestState) -> responses.HeaderList:
        """Returns the headers of every response."""
        headers = [(b"x-request-id", state.request_id.encode()), *responses.SECURITY_HEADERS]
        return headers if state.method == "OPTIONS" else headers + self.cors.headers(state.headers.get(b"origin"))

    async def _send(self, state: RequestState, reply: HttpReply, scope: Scope, send: Send) -> None:
        content = reply.body
        headers = [*self._common_headers(state), *reply.headers]
        if content:
            headers.append((b"content-type", CONTENT_TYPES[state.media]))
            headers.append(responses.VARY)
            if len(content) >= self.settings.compress_min_bytes and negotiation.accepts_gzip(
                state.headers.get(b"accept-encoding")
            ):
                content = await responses.gzip(content)
                headers.append((b"content-encoding", b"gzip"))
            if reply.response.timings:
                headers.append((b"server-timing", _server_timing(reply.response.timings)))
        if state.method != "OPTIONS":
            headers.append((b"content-length", b"%d" % len(content)))
        if not state.received and (reply.status == 408 or b"expect" in state.headers):
            # The rest of the body may never come, so the connection cannot serve another request.
            headers.append(responses.CLOSE_CONNECTION)
        await responses.send_response(scope, send, reply.status, headers, content)


def _error_reply(error: HubError) -> HttpReply:
    payload = responses.error_body(error)
    return HttpReply(
        responses.status_of(error),
        payload,
        responses.error_headers(error),
        NO_RESPONSE._replace(body=payload, code=error.code),
    )


def _rejection_reply(rejection: SubscriptionRejected) -> HttpReply:
    code = first_code(rejection.errors)
    payload = orjson.dumps({"errors": rejection.errors})
    response = NO_RESPONSE._replace(body=payload, operation_type="subscription", code=code)
    status = responses.STATUS_BY_CODE.get(code, 400)
    seconds = retry_after(rejection.errors[0]) if rejection.errors else 0.0
    return HttpReply(status, payload, responses.retry_headers(status, seconds), response)


def _reply(response: GraphQLResponse, accepted: bytes) -> HttpReply:
    if response.executed:
        return HttpReply(200, response.body, [], response)
    response = response._replace(body=TRANSPORT_ERRORS.get(response.code, response.body))
    if response.code == "METHOD_NOT_ALLOWED":
        return HttpReply(405, response.body, [(b"allow", b"POST")], response)
    # application/json reports errors of an operation with status 200, but errors of the hub with their own status.
    status = HUB_ERROR_STATUS.get(response.code, 400 if accepted is negotiation.GRAPHQL_RESPONSE else 200)
    return HttpReply(status, response.body, responses.retry_headers(status, response.retry_after), response)


def _server_timing(timings: tuple[tuple[str, float], ...]) -> bytes:
    return ", ".join([f"{name};dur={ms:.3f}" for name, ms in timings]).encode()


def _request_done(state: RequestState, status: int, response: GraphQLResponse) -> RequestDone:
    # Positional arguments: nine keywords would cost as much as the metrics handler.
    return RequestDone(
        state.request_id,
        response.operation_type,
        response.name[:NAME_LENGTH],
        status,
        response.code,
        state.key,
        perf_counter() - state.started_at,
        response.statements,
        response.timings,
    )
