"""POST /imports sends a file to be imported, PATCH adds to one that was cut off, HEAD says how far it has come, DELETE drops it.

The headers are those of resumable uploads: `Upload-Length` for the whole, `Upload-Offset` for what is stored."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from hub.domain.exchange.uploads import PATH, Upload, Uploads
from hub.errors import BadInput, HubError, LimitExceeded, NotFound
from hub.viewer import Viewer
from hub.web.auth import Credentials
from hub.web.client_address import TrustedProxies
from hub.web.http.request_body import ClientDisconnected
from hub.web.page_sessions import PageClient, answering_errors

MAX_DIGITS = 15


class ImportUploads:
    """The handlers of uploads."""

    def __init__(self, uploads: Uploads, key_cache: Credentials, proxies: TrustedProxies, patience: float) -> None:
        self._uploads = uploads
        self._key_cache = key_cache
        self._proxies = proxies
        self._patience = patience

    async def post(self, request: Request) -> Response:
        """Begins a file, with as much of it as the body has: `{"uploadId": …, "received": …}`."""
        viewer = await self._viewer(request)
        size = _number(request, "Upload-Length")
        upload = await self._uploads.start(viewer, request.query_params.get("name"), size)
        try:
            upload = await self._uploads.add(viewer, upload.id, 0, self._parts(request))
        except HubError as error:
            error.extensions = {**error.extensions, "uploadId": str(upload.id)}
            raise
        return _response(upload, 201)

    async def patch(self, request: Request) -> Response:
        """Adds the body behind what is stored, which `Upload-Offset` must be."""
        viewer, key = await self._viewer(request), _upload_id(request)
        offset = _number(request, "Upload-Offset")
        if offset is None:
            message = "Upload-Offset: say how many bytes are stored; HEAD tells."
            raise BadInput(message, code="ARGUMENT_MISSING", argument="Upload-Offset")
        return _response(await self._uploads.add(viewer, key, offset, self._parts(request)), 200)

    async def get(self, request: Request) -> Response:
        """How far a file has come."""
        return _response(await self._uploads.find(await self._viewer(request), _upload_id(request)), 200)

    async def list(self, request: Request) -> Response:
        """The files that no import reads yet."""
        return JSONResponse([_body(upload) for upload in await self._uploads.waiting(await self._viewer(request))])

    async def delete(self, request: Request) -> Response:
        """Deletes a file that no import reads yet."""
        await self._uploads.delete(await self._viewer(request), _upload_id(request))
        return Response(None, 204)

    async def _viewer(self, request: Request) -> Viewer:
        authorization = request.headers.get("authorization")
        encoded = authorization.encode("latin-1") if authorization else None
        return (await self._key_cache.credential(encoded, PageClient(request, self._proxies))).viewer

    async def _parts(self, request: Request) -> AsyncIterator[bytes]:
        """The parts of the body; what came before a client went away is stored."""
        stream = request.stream()
        while True:
            try:
                async with asyncio.timeout(self._patience):
                    part = await anext(stream, None)
            except (ClientDisconnect, ClientDisconnected):
                return
            except TimeoutError:
                message = f"No part of the file came for {self._patience:g} s; go on with PATCH where HEAD says."
                raise LimitExceeded(message, code="REQUEST_TIMEOUT") from None
            if part is None:
                return
            yield part


def _number(request: Request, header: str) -> int | None:
    text = request.headers.get(header)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > MAX_DIGITS:
        raise BadInput(f"{header}: {text[:40]!r} is no number of bytes.", argument=header)
    return int(text)


def _upload_id(request: Request) -> UUID:
    try:
        return UUID(request.path_params["id"])
    except ValueError:
        raise NotFound(
            "id: this is not the id of an upload; send the one that POST /imports gave.", argument="id"
        ) from None


def _response(upload: Upload, status: int) -> Response:
    headers = {"Upload-Offset": str(upload.received)}
    if upload.size is not None:
        headers["Upload-Length"] = str(upload.size)
    return JSONResponse(_body(upload), status, headers)


def _body(upload: Upload) -> dict[str, object]:
    return {"uploadId": str(upload.id), "name": upload.name, "received": upload.received, "size": upload.size}


def routes(uploads: Uploads, key_cache: Credentials, proxies: TrustedProxies, patience: float) -> list[BaseRoute]:
    """Returns the routes of uploads; `patience` is how many seconds a client may take for one part."""
    handlers = ImportUploads(uploads, key_cache, proxies, patience)

    async def handle_all(request: Request) -> Response:
        return await (handlers.post if request.method == "POST" else handlers.list)(request)

    async def handle(request: Request) -> Response:
        by_method = {"PATCH": handlers.patch, "DELETE": handlers.delete}
        return await by_method.get(request.method, handlers.get)(request)

    return [
        Route(PATH, answering_errors(handle_all), methods=["GET", "HEAD", "POST"]),
        Route(PATH + "/{id}", answering_errors(handle), methods=["GET", "HEAD", "PATCH", "DELETE"]),
    ]
