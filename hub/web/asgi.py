"""What answers at which path: /graphql bare, since a framework's layers cost it a fifth; the rest through Starlette."""

import asyncio

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from hub.errors import BadInput, HubError, Internal, NotFound
from hub.web.context import Desk
from hub.web.http import responses
from hub.web.http.endpoint import PATH, GraphQL


class Site:
    """The one ASGI callable of the hub, and the desk that its sockets share with it."""

    def __init__(self, desk: Desk, routes: list[BaseRoute]) -> None:
        self.desk = desk
        self._graphql = GraphQL(desk)
        self._rest = Starlette(routes=routes, exception_handlers={HTTPException: _refused, Exception: _failed})
        self._rest.router.redirect_slashes = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == PATH:
            await self._graphql(scope, receive, send)
            return
        try:
            await self._rest(scope, receive, send)
        except asyncio.CancelledError:
            # The client hung up: nothing to tell, and nobody to tell it.
            return


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = request.url.path[:64]
    if error.status_code == 404:
        return _response(NotFound(f"There is nothing at {path!r}; the API is at {PATH}."), 404)
    message = f"{request.method} is not possible at {path!r}."
    return _response(BadInput(message, code="METHOD_NOT_ALLOWED"), error.status_code, dict(error.headers or {}))


def _failed(_: Request, __: Exception) -> Response:
    return _response(Internal("The hub failed; its log says why."), 500)


def _response(error: HubError, status: int, headers: dict[str, str] | None = None) -> Response:
    safe = {name.decode(): value.decode() for name, value in responses.SAFE}
    return Response(responses.error_body(error), status, {**safe, **(headers or {})}, "application/json")
