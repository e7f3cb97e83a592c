"""Posts to a hub in this process by the ASGI protocol itself: the whole web layer without a socket and an HTTP library."""

import asyncio
import json
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp

HTTP_SCOPE = {
    "type": "http",
    "asgi": {"version": "3.0"},
    "http_version": "1.1",
    "scheme": "http",
    "root_path": "",
    "server": ("hub", 80),
    "client": ("127.0.0.1", 123),
}


@dataclass
class AsgiResponse:
    """A whole response; names of headers are lower case."""

    status_code: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes = b""

    @property
    def text(self) -> str:
        return self.content.decode()

    def json(self) -> Any:
        return json.loads(self.content)


async def post(app: ASGIApp, content: bytes, headers: Mapping[str, str]) -> AsgiResponse:
    """Posts a body to /graphql; the client stays connected."""
    messages = [{"type": "http.request", "body": content, "more_body": False}]
    response, is_complete = AsgiResponse(), asyncio.Event()

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop()
        await is_complete.wait()
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            response.status_code = message["status"]
            response.headers = {name.decode(): value.decode() for name, value in message.get("headers", ())}
        else:
            response.content += message.get("body", b"")
            if not message.get("more_body"):
                is_complete.set()

    raw_headers = [(b"host", b"hub"), (b"content-length", str(len(content)).encode())]
    raw_headers += [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    target = {"method": "POST", "path": "/graphql", "raw_path": b"/graphql", "query_string": b""}
    await app({**HTTP_SCOPE, **target, "headers": raw_headers}, receive, send)
    return response


async def post_query(app: ASGIApp, query: str, variables: dict[str, Any] | None, key: str) -> Any:
    """The JSON answer to a query that a key asks."""
    body = json.dumps({"query": query, "variables": variables}, ensure_ascii=False).encode(errors="surrogatepass")
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json", "accept": "*/*"}
    return (await post(app, body, headers)).json()
