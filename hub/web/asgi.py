"""The ASGI application: /graphql without a framework, whose layers would cost it a fifth; other paths through Starlette."""

import asyncio

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from hub.errors import BadInput, HubError, Internal, NotFound
from hub.web.context import GatewayContext
from hub.web.http import responses
from hub.web.http.endpoint import PATH, GraphQLEndpoint


class AsgiApp:
    """The hub's ASGI callable, and the context that its WebSockets share."""

    def __init__(self, context: GatewayContext, routes: list[BaseRoute]) -> None:
        self.context = context
        self._endpoint = GraphQLEndpoint(context)
        self._starlette = Starlette(
            routes=routes, exception_handlers={HTTPException: _http_error, Exception: _internal_error}
        )
        self._starlette.router.redirect_slashes = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == PATH:
            await self._endpoint(scope, receive, send)
            return
        try:
            await self._starlette(scope, receive, send)
        except asyncio.CancelledError:
            # The client has disconnected.
            return


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = request.url.path[:64]
    if error.status_code == 404:
        return _response(NotFound(f"There is nothing at {path!r}; the API is at {PATH}."), 404)
    message = f"{request.method} is not allowed at {path!r}; use the methods of the Allow header."
    return _response(BadInput(message, code="METHOD_NOT_ALLOWED"), error.status_code, dict(error.headers or {}))


def _internal_error(_: Request, __: Exception) -> Response:
    return _response(Internal("The hub failed; its log says why."), 500)


def _response(error: HubError, status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(
        responses.error_body(error), status, {**responses.TEXT_SECURITY_HEADERS, **(headers or {})}, "application/json"
    )
