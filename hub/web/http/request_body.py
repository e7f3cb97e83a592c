"""Parses the request of GraphQL over HTTP, from a body or a query string. The engine interprets the operation."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.types import Receive

from hub.engine.request import GraphQLRequest
from hub.errors import BadInput, HubError, LimitExceeded
from hub.model import exact_json
from hub.web.auth import Credential
from hub.web.persisted_queries import ID_PARAMETERS, DocumentFinder

PARAMETERS = ("query", "operationName", "variables", "extensions")


class ClientDisconnected(Exception):
    """The connection was closed before the request had arrived."""


async def read(receive: Receive, content_length: bytes | None, limit: int) -> bytes:
    """Reads the whole body; raises BODY_TOO_LARGE as soon as the declared or the received length exceeds the limit."""
    if content_length is not None and content_length.isdigit() and int(content_length[:20]) > limit:
        raise too_large(limit)
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise too_large(limit)
        if not message.get("more_body", False):
            return b"".join((*chunks, chunk)) if chunks else chunk
        chunks.append(chunk)


def too_large(limit: int) -> HubError:
    """Returns the error for a body of more than `limit` bytes."""
    message = (
        f"The body is larger than {limit} bytes; send a smaller document or smaller variables, or several requests."
    )
    return LimitExceeded(message, code="BODY_TOO_LARGE", extensions={"limit": limit})


def from_body(
    body: bytes, request_id: str, credential: Credential, documents: DocumentFinder, network: str
) -> GraphQLRequest:
    """Parses the operation of a JSON body."""
    parameters = read_json(body, "The body")
    if isinstance(parameters, list):
        raise BadInput(
            "The body is a list; send one operation per request, as an object with `query`.", code="BATCH_UNSUPPORTED"
        )
    if not isinstance(parameters, dict):
        raise _malformed("The body must be a JSON object with `query`.")
    return parse_operation(parameters, request_id, credential, documents, network)


def from_query_string(
    query_string: bytes, request_id: str, credential: Credential, documents: DocumentFinder, network: str
) -> GraphQLRequest:
    """Parses the operation of a GET's parameters; it is read-only."""
    parameters: dict[str, Any] = {}
    try:
        text = query_string.decode("ascii")
        for name, value in parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=100):
            if name in parameters and name in (*PARAMETERS, *ID_PARAMETERS):
                raise _malformed(f"{name} occurs twice; send it once.", name)
            parameters[name] = value
    except UnicodeDecodeError:
        raise _malformed("The query string is not percent-encoded UTF-8.") from None
    except ValueError:
        raise _malformed("The query string has more than 100 parameters.") from None
    for name in ("variables", "extensions"):
        if parameters.get(name):
            parameters[name] = read_json(parameters[name].encode(), name, name)
        else:
            parameters[name] = None
    return parse_operation(parameters, request_id, credential, documents, network, read_only=True)


def read_json(text: bytes, subject: str, argument: str | None = None) -> Any:
    """Parses a JSON text, its numbers exactly; raises BODY_MALFORMED for invalid JSON, duplicate keys or too deep nesting."""
    try:
        value = orjson.loads(text)
        # Most clients write compact JSON. If the text equals our own output, no key is duplicate and no number was rounded;
        # skip the second parse.
        if orjson.dumps(value) != text:
            value = exact_json.loads(text, object_pairs_hook=_unique_keys)
    except orjson.JSONDecodeError as error:
        if "infinity" in error.msg:
            problem = f"{subject} holds a JSON number of more than 308 digits; send it as a string."
            raise _malformed(problem, argument) from None
        raise _malformed(f"{subject} is not JSON in UTF-8: {error}.", argument) from None
    except ValueError:
        raise _malformed(
            f"{subject} holds a number of more than 4,300 digits; send it as a string.", argument
        ) from None
    except (orjson.JSONEncodeError, RecursionError):
        raise _malformed(f"{subject} is nested too deeply.", argument) from None
    return value


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Builds an object and rejects duplicate keys, which JSON parsers resolve differently."""
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise _malformed(f"The key {name[:64]!r} occurs twice in one object; write it once.")
        members[name] = value
    return members


def parse_operation(
    parameters: Mapping[str, Any],
    request_id: str,
    credential: Credential,
    documents: DocumentFinder,
    network: str,
    *,
    read_only: bool = False,
) -> GraphQLRequest:
    """Parses the parameters of GraphQL over HTTP. The payload of a socket's `subscribe` has the same ones.

    `documents` has those that a request names by hash or id, and may leave `query` out.
    `network` is the client's address, empty if it is not known."""
    query, name, variables, extensions = map(parameters.get, PARAMETERS)
    if query is not None and not isinstance(query, str):
        raise _malformed("query must be a string.", "query")
    if name is not None and not isinstance(name, str):
        raise _malformed("operationName must be a string or null.", "operationName")
    if variables is not None and not isinstance(variables, dict):
        raise _malformed("variables must be an object or null.", "variables")
    if extensions is not None and not isinstance(extensions, dict):
        raise _malformed("extensions must be an object or null.", "extensions")
    persisted = extensions.get("persistedQuery") if extensions else None
    if persisted is not None:
        query = documents.by_extension(credential, query, persisted)
    elif not query:
        by_id = documents.by_id(credential, parameters)
        if by_id is None and query is None:
            raise _malformed("query is missing; send the GraphQL document as a string.", "query")
        query = by_id or ""
    if credential.viewer.limits.trusted_only:
        query = documents.require_trusted(query)
    return GraphQLRequest(query, variables, name or None, read_only, None, request_id, None, network)


def _malformed(message: str, argument: str | None = None) -> HubError:
    return BadInput(message, code="BODY_MALFORMED", argument=argument)
