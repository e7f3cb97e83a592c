"""POST /graphiql/session exchanges a login link, an API key or a token for a session's key; DELETE ends the session.

The page sends the key in the Authorization header. There is no cookie, so no other page can use the session."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from hub.domain.access.login_links import PageSession
from hub.domain.access.token_viewers import TokenSubject
from hub.errors import BadInput, Forbidden, HubError, Internal
from hub.model.exact_json import timestamp_text
from hub.model.ip_networks import IpAddress
from hub.observability import InternalFailure, emit
from hub.viewer import Viewer
from hub.web.auth import Credentials
from hub.web.client_address import TrustedProxies
from hub.web.http import negotiation, request_body, responses
from hub.web.tokens import MAX_TOKEN_BYTES, TokenCredential

PATH = "/graphiql/session"
BODY_LIMIT = MAX_TOKEN_BYTES + 1_024
MISSING = "credential is missing; send an API key or a token, or as link the text after `#link=`."


class SessionStore(Protocol):
    """Where sessions are stored."""

    async def start(self, token: str, network: str) -> PageSession:
        """Exchanges a link's token for a session; raises Forbidden if it is not valid any more.

        `network` is the client's address, as in the methods below."""

    async def start_for_key(self, public_id: str, viewer: Viewer, network: str) -> PageSession:
        """Exchanges a valid API key for a session; raises BadInput for a session's own key."""

    async def start_for_token(
        self, subject: TokenSubject, fingerprint: bytes, viewer: Viewer, expires_at: datetime, network: str
    ) -> PageSession:
        """Exchanges a valid token for a session that ends with it, or with the key that signed it, at the latest."""

    async def end(self, public_id: str, viewer: Viewer, network: str) -> bool:
        """Ends a session by its key's public id; returns False for a key that is no session."""


class PageClient:
    """The sender of a request that Starlette routes."""

    def __init__(self, request: Request, proxies: TrustedProxies) -> None:
        self._request = request
        self._proxies = proxies

    def client_address(self) -> IpAddress | None:
        """Its address, as far as trusted proxies tell; None if it is not known."""
        client, forwarded = self._request.client, self._request.headers.getlist("x-forwarded-for")
        return self._proxies.client_address(client.host if client else None, ",".join(forwarded).encode("latin-1"))

    def network(self) -> str:
        """Its address as the audit log writes it."""
        return str(self.client_address() or "")


class PageSessions:
    """The handlers of the session's path."""

    def __init__(self, store: SessionStore, key_cache: Credentials, proxies: TrustedProxies) -> None:
        self._store = store
        self._key_cache = key_cache
        self._proxies = proxies

    async def post(self, request: Request) -> Response:
        """Starts a session: `{"link": TOKEN}` or `{"credential": KEY OR JWT}` → `{"key": …, "expiresAt": …}`."""
        # Another origin's page can send neither this content type nor read the response; it is refused all the same.
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise Forbidden("Only the hub's own pages start sessions; open the link in a browser.")
        if not negotiation.is_json(request.headers.get("content-type", "").encode("latin-1")):
            raise BadInput("Send `Content-Type: application/json`.", code="MEDIA_TYPE_UNSUPPORTED")
        length = request.headers.get("content-length", "").encode("latin-1")
        body = request_body.read_json(await request_body.read(request.receive, length, BODY_LIMIT), "The body")
        link, credential = (body.get("link"), body.get("credential")) if isinstance(body, dict) else (None, None)
        if isinstance(link, str) and credential is None:
            session = await self._store.start(link, PageClient(request, self._proxies).network())
        elif isinstance(credential, str) and link is None:
            session = await self._start_for(credential, PageClient(request, self._proxies))
        else:
            raise BadInput(MISSING, code="BODY_MALFORMED", argument="credential")
        return JSONResponse({"key": session.key, "expiresAt": timestamp_text(session.expires_at)})

    async def _start_for(self, text: str, client: PageClient) -> PageSession:
        credential = await self._key_cache.credential(b"Bearer " + text.strip().encode(), client)
        if isinstance(credential, TokenCredential):
            expires_at = datetime.fromtimestamp(credential.expires, UTC)
            token, viewer = credential.token, credential.viewer
            return await self._store.start_for_token(
                token.subject, token.fingerprint, viewer, expires_at, client.network()
            )
        return await self._store.start_for_key(credential.public_id, credential.viewer, client.network())

    async def delete(self, request: Request) -> Response:
        """Ends the session whose key the request carries. A key that is no session stays as it is."""
        authorization, client = request.headers.get("authorization"), PageClient(request, self._proxies)
        encoded = authorization.encode("latin-1") if authorization else None
        credential = await self._key_cache.credential(encoded, client)
        if not await self._store.end(credential.public_id, credential.viewer, client.network()):
            raise BadInput("This is no session; revoke a key with `hub key revoke`.", code="KEY_INVALID")
        self._key_cache.forget(credential.digest)
        return Response(None, 204)


def routes(store: SessionStore, key_cache: Credentials, proxies: TrustedProxies) -> list[BaseRoute]:
    """Returns the routes of the session's path."""
    sessions = PageSessions(store, key_cache, proxies)

    async def handle(request: Request) -> Response:
        return await (sessions.post if request.method == "POST" else sessions.delete)(request)

    # One route, so that the Allow header of a refusal names both methods.
    return [Route(PATH, answering_errors(handle), methods=["DELETE", "POST"])]


def answering_errors(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Wraps a handler: errors become responses, and every response is neither cached nor sniffed."""

    async def handle(request: Request) -> Response:
        try:
            response = await handler(request)
        except HubError as error:
            response = _error_response(error)
        except request_body.ClientDisconnected:
            response = Response(None, 400)  # nobody receives it
        except Exception as error:
            emit(InternalFailure("", f"handling {request.url.path[:64]}", error))
            response = _error_response(Internal("The hub failed; its log says why."))
        response.headers.update(responses.TEXT_SECURITY_HEADERS)
        return response

    return handle


def _error_response(error: HubError) -> Response:
    headers = {name.decode(): value.decode() for name, value in responses.error_headers(error)}
    return Response(responses.error_body(error), responses.status_of(error), headers, "application/json")
