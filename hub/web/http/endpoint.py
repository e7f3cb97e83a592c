"""/graphql over HTTP, as a bare ASGI callable: who asks, what for, the engine's answer, and how it leaves.

The whole path of a request is GraphQL._answer. What an operation means is the engine's."""

import asyncio
import re
from time import perf_counter
from typing import NamedTuple

import orjson
from starlette.types import Receive, Scope, Send

from hub.engine.engine import Answer, Request
from hub.errors import BadInput, HubError, Internal, Unavailable
from hub.observability import Failed, RequestDone, tell
from hub.subscriptions.interfaces import Refused
from hub.web.context import Desk
from hub.web.http import negotiation, request_body, responses
from hub.web.http.sse import Events, opened
from hub.web.stream_sink import NAME_LENGTH, code_of, new_request_id

PATH = "/graphql"
REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
GONE = 499  # nobody is told; for the log


class Visit:
    """What is known of one request while it is answered."""

    __slots__ = (
        "_task",
        "began",
        "expired",
        "headers",
        "key",
        "media",
        "method",
        "query_string",
        "received",
        "request_id",
    )

    def __init__(self, scope: Scope) -> None:
        self.began = perf_counter()
        self.method: str = scope["method"]
        self.query_string: bytes = scope["query_string"]
        self.headers = _headers(scope["headers"])
        given = self.headers.get(b"x-request-id")
        if given is not None and REQUEST_ID.fullmatch(given):
            self.request_id = given.decode()
        else:
            self.request_id = new_request_id()
        self.media = negotiation.JSON
        self.key = ""
        self.received = False
        self.expired = False
        self._task = asyncio.current_task()

    def expire(self) -> None:
        """Time is over: end the work, wherever it is."""
        self.expired = True
        if self._task is not None:
            self._task.cancel()


def _headers(given: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Headers by name. What is given twice is one list, which no header of which two make no sense then fits."""
    headers: dict[bytes, bytes] = {}
    for name, value in given:
        headers[name] = headers[name] + b", " + value if name in headers else value
    return headers


class Reply(NamedTuple):
    """What goes out, and what of the engine's answer is told."""

    status: int
    body: bytes
    headers: responses.Headers
    answer: Answer
    events: Events | None = None  # instead of the body


NOTHING = Answer(body=b"", executed=False, operation="", timings=(), statements=0, code="", name="")
TYPES = {
    negotiation.JSON: b"application/json; charset=utf-8",
    negotiation.RESPONSE: b"application/graphql-response+json; charset=utf-8",
}
UNWELL = {"UNAVAILABLE": 503, "INTERNAL": 500}
UNACCEPTABLE = (
    "Accept names no type that can be produced; accept application/graphql-response+json or application/json, "
    "or text/event-stream for a stream of answers."
)


class GraphQL:
    """The endpoint. One for the process; it keeps nothing of a request."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.engine = desk.engine
        self.keyring = desk.keyring
        self.settings = desk.settings
        self.cors = responses.Cors(desk.settings.allowed_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit = Visit(scope)
        status = 0
        # asyncio.timeout does the same for four times the price.
        deadline = asyncio.get_running_loop().call_later(self.settings.request_timeout, visit.expire)
        try:
            reply = await self._answer(visit, receive)
        except HubError as error:
            reply = _refusal(error)
        except Refused as refused:
            reply = _stream_refusal(refused)
        except (request_body.ClientGone, asyncio.CancelledError):
            if visit.expired:
                reply = _refusal(self._late(visit))
            else:
                # The client hung up, and hears nothing; or the hub stops and its patience is over.
                status = GONE
                reply = _refusal(Unavailable("The hub is stopping; try again."))._replace(answer=NOTHING)
        except Exception as error:
            tell(Failed(visit.request_id, "answering a request", error))
            message = f"The hub failed; tell its keeper the request id {visit.request_id}."
            reply = _refusal(Internal(message, extensions={"requestId": visit.request_id}))
        deadline.cancel()
        if reply.events is None:
            await self._send(visit, reply, scope, send)
        else:
            await reply.events.run(self._common(visit), scope, send)
        if reply.events is None or reply.answer is not NOTHING:
            tell(_done(visit, status or reply.status, reply.answer))

    async def _answer(self, visit: Visit, receive: Receive) -> Reply:
        headers = visit.headers
        if visit.method == "OPTIONS":
            return Reply(
                204, b"", [(b"allow", responses.METHODS), *self.cors.preflight(headers.get(b"origin"))], NOTHING
            )
        accepted = negotiation.answer_type(headers.get(b"accept"))
        events = negotiation.accepts_events(headers.get(b"accept"))
        if accepted is None and not events:
            raise BadInput(UNACCEPTABLE, code="NOT_ACCEPTABLE")
        visit.media = accepted or negotiation.JSON
        if visit.method not in ("GET", "POST"):
            message = f"{visit.method} is not possible here; use POST, or GET to read."
            raise BadInput(message, code="METHOD_NOT_ALLOWED", extensions={"allow": responses.METHODS.decode()})
        credential = await self.keyring.credential(headers.get(b"authorization"))
        visit.key = credential.public_id
        if visit.method == "GET":
            request = request_body.from_query_string(visit.query_string, visit.request_id)
        else:
            request = await self._posted(visit, receive)
        visit.received = True
        if events and self.desk.is_stream(request):
            resume = headers.get(b"last-event-id", b"").decode("latin-1")
            stream = await opened(self.desk, request._replace(resume=resume or None), credential)
            return Reply(200, b"", [], NOTHING, stream)
        answer = await self.engine.execute(request, credential.viewer)
        if accepted is None and answer.executed:
            return Reply(200, b"", [], answer, Events.of(self.desk, request, answer.body))
        return _reply(answer, accepted or negotiation.RESPONSE)

    async def _posted(self, visit: Visit, receive: Receive) -> Request:
        headers = visit.headers
        if (
            not negotiation.is_json(headers.get(b"content-type"))
            or headers.get(b"content-encoding", b"identity") != b"identity"
        ):
            message = "The body must be application/json in UTF-8, uncompressed; say so in Content-Type."
            raise BadInput(message, code="MEDIA_TYPE_UNSUPPORTED")
        received = await request_body.read(receive, headers.get(b"content-length"), self.settings.body_limit)
        return request_body.from_body(received, visit.request_id)

    def _late(self, visit: Visit) -> HubError:
        seconds = self.settings.request_timeout
        if visit.received:
            message = f"The request could not be answered within {seconds:g} s; ask for less, or try again."
            return Unavailable(message, code="REQUEST_TIMEOUT")
        return BadInput(f"The request had not arrived after {seconds:g} s; send it faster.", code="REQUEST_TIMEOUT")

    def _common(self, visit: Visit) -> responses.Headers:
        """The headers of every answer."""
        headers = [(b"x-request-id", visit.request_id.encode()), *responses.SAFE]
        return headers if visit.method == "OPTIONS" else headers + self.cors.headers(visit.headers.get(b"origin"))

    async def _send(self, visit: Visit, reply: Reply, scope: Scope, send: Send) -> None:
        sent = reply.body
        headers = [*self._common(visit), *reply.headers]
        if sent:
            headers.append((b"content-type", TYPES[visit.media]))
            headers.append(responses.VARY)
            if len(sent) >= self.settings.compress_from and negotiation.accepts_gzip(
                visit.headers.get(b"accept-encoding")
            ):
                sent = await responses.gzip(sent)
                headers.append((b"content-encoding", b"gzip"))
            if reply.answer.timings:
                headers.append((b"server-timing", _server_timing(reply.answer.timings)))
        if visit.method != "OPTIONS":
            headers.append((b"content-length", b"%d" % len(sent)))
        if not visit.received and (reply.status == 408 or b"expect" in visit.headers):
            # The rest of the body may never come, so the connection cannot serve another request.
            headers.append(responses.CLOSE)
        await responses.respond(scope, send, reply.status, headers, sent)


def _refusal(error: HubError) -> Reply:
    told = responses.error_body(error)
    return Reply(
        responses.status_of(error), told, responses.headers_of(error), NOTHING._replace(body=told, code=error.code)
    )


def _stream_refusal(refused: Refused) -> Reply:
    code = code_of(refused.errors)
    told = orjson.dumps({"errors": refused.errors})
    answer = NOTHING._replace(body=told, operation="subscription", code=code)
    return Reply(UNWELL.get(code, responses.STATUS.get(code, 400)), told, [], answer)


def _reply(answer: Answer, accepted: bytes) -> Reply:
    if answer.executed:
        return Reply(200, answer.body, [], answer)
    if answer.code == "METHOD_NOT_ALLOWED":
        return Reply(405, answer.body, [(b"allow", b"POST")], answer)
    # The older media type reports what is wrong with an operation under 200; what is wrong with us, under no type.
    status = UNWELL.get(answer.code, 400 if accepted is negotiation.RESPONSE else 200)
    return Reply(status, answer.body, [(b"retry-after", b"1")] if status == 503 else [], answer)


def _server_timing(timings: tuple[tuple[str, float], ...]) -> bytes:
    return ", ".join([f"{name};dur={ms:.3f}" for name, ms in timings]).encode()


def _done(visit: Visit, status: int, answer: Answer) -> RequestDone:
    # By position: naming nine fields costs as much as counting the request.
    return RequestDone(
        visit.request_id,
        answer.operation,
        answer.name[:NAME_LENGTH],
        status,
        answer.code,
        visit.key,
        perf_counter() - visit.began,
        answer.statements,
        answer.timings,
    )
