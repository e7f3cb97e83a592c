"""A request to the engine and its response, with the time that each stage took."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter
from typing import Any, NamedTuple

import orjson
from graphql import GraphQLError

from hub.engine.document.documents import InvalidDocument, Operation
from hub.engine.document.validation import REMEDIES
from hub.errors import HubError, Throttled
from hub.viewer import Viewer

# The library shows the object around an unknown field in one of two forms, by whether it suggests a name.
UNKNOWN_FIELD = re.compile(r".*? not to include unknown field '\w+'")
NOT_EXECUTED = ("UNAVAILABLE", "DISK_FULL", "THROTTLED")  # codes of errors after which a retry may succeed


class GraphQLRequest(NamedTuple):
    """A client's request. `now` is the request time, by default the hub's; `read_only` refuses mutations.

    `request_id` is written to the change log, and `network`, the client's address, to the audit log; `resume` is where a
    stream continues, in place of its argument `after`. `report_cost` asks for `extensions.cost`."""

    query: str
    variables: dict[str, Any] | None
    operation_name: str | None
    read_only: bool = False
    now: datetime | None = None
    request_id: str = "-"
    resume: str | None = None
    network: str = ""
    report_cost: bool = False


class GraphQLResponse(NamedTuple):
    """The whole JSON response, and what logs and metrics report of it."""

    body: bytes
    executed: bool
    operation_type: str
    timings: tuple[tuple[str, float], ...]
    statements: int
    code: str
    name: str
    retry_after: float = 0.0  # seconds; of a throttled operation
    is_extended: bool = False  # whether the body ends with `extensions`

    def with_extension(self, name: str, value: object) -> "GraphQLResponse":
        """The response with one more member of `extensions`."""
        member = orjson.dumps(name) + b":" + orjson.dumps(value)
        body = self.body[:-2] + b"," if self.is_extended else self.body[:-1] + b',"extensions":{'
        return self._replace(body=body + member + b"}}", is_extended=True)


@dataclass(slots=True)
class StageTimer:
    """The stages of one request and the time that each took, in milliseconds."""

    started: float
    stages: list[tuple[str, float]] = field(default_factory=list)
    statements: int = 0

    def finish_stage(self, name: str) -> None:
        """Ends a stage and begins the next one."""
        finished = perf_counter()
        self.stages.append((name, (finished - self.started) * 1000))
        self.started = finished


def completed_response(body: bytes, operation: Operation, timer: StageTimer) -> GraphQLResponse:
    """The response of an operation that was executed."""
    return GraphQLResponse(
        body, True, operation.operation_type, tuple(timer.stages), timer.statements, "", operation.name
    )


def failed_response(error: HubError, operation: Operation, timer: StageTimer) -> GraphQLResponse:
    """The response of an operation that failed while it was executed; those of NOT_EXECUTED count as not executed.

    An operation that its budget refused when it had waited for its turn was not begun, so it has no `data`."""
    if isinstance(error, Throttled):
        return rejected_response([error.to_graphql()], operation, timer)
    body = orjson.dumps({"data": None, "errors": [error.to_graphql()]})
    executed = error.code not in NOT_EXECUTED
    return GraphQLResponse(
        body,
        executed,
        operation.operation_type,
        tuple(timer.stages),
        timer.statements,
        error.code,
        operation.name,
        retry_after(error.to_graphql()),
    )


def rejected_response(errors: list[Any], operation: Operation | None, timer: StageTimer) -> GraphQLResponse:
    """The response of a request that was refused before its execution; without an operation if none was found."""
    operation_type, name = (operation.operation_type, operation.name) if operation else ("", "")
    code = str(errors[0]["extensions"]["code"])
    return GraphQLResponse(
        orjson.dumps({"errors": errors}),
        False,
        operation_type,
        tuple(timer.stages),
        timer.statements,
        code,
        name,
        retry_after(errors[0]),
    )


def retry_after(error: Mapping[str, Any]) -> float:
    """The seconds after which an error of a response says to try again; 0 if it does not say."""
    return float(error["extensions"].get("retryAfter", 0))


def formatted_errors(invalid: InvalidDocument, viewer: Viewer) -> list[dict[str, Any]]:
    """The errors of a document as a response shows them.

    A viewer that may not read the schema gets no suggestions, which would name its types and fields."""
    return [_formatted_error(error, viewer) for error in invalid.errors]


def _without_suggestion(error: GraphQLError) -> str:
    """The message without names of the schema: a name that resembles one of them is refused as one that resembles none."""
    message, suggestion, _ = error.message.partition(" Did you mean ")
    unknown_field = UNKNOWN_FIELD.match(message)
    if unknown_field is None and not suggestion:
        return message
    remedy = REMEDIES.get(str((error.extensions or {}).get("code")), "")
    return f"{message if unknown_field is None else unknown_field[0] + '.'} {remedy}".rstrip()


def _formatted_error(error: GraphQLError, viewer: Viewer) -> dict[str, Any]:
    formatted = dict(error.formatted)
    if not viewer.can_introspect:
        formatted["message"] = _without_suggestion(error)
    return formatted
