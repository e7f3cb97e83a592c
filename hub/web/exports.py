"""GET /exports/{id} sends the file of an export to the key that started it, in parts if it asks for ranges."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Message, Receive, Scope, Send

from hub.domain.jobs.exports import PATH, ExportFile
from hub.engine.catalog.scalars import decode_id
from hub.errors import BadInput, NotFound
from hub.schema.jobs.exports import ExportCompression, ExportFormat
from hub.viewer import Viewer
from hub.web.auth import Credentials
from hub.web.client_address import TrustedProxies
from hub.web.http import responses
from hub.web.page_sessions import PageClient, answering_errors

FindExport = Callable[[UUID, Viewer], Awaitable[ExportFile]]
MEDIA_TYPES = {
    ExportFormat.CSV: "text/csv; charset=utf-8",
    ExportFormat.JSONL: "application/jsonl",
    ExportFormat.PARQUET: "application/vnd.apache.parquet",
}
COMPRESSED_MEDIA_TYPES = {ExportCompression.GZIP: "application/gzip", ExportCompression.ZSTD: "application/zstd"}


class _PatientFileResponse(FileResponse):
    """A file for a client that may be slow, but not stalled: each part must leave within some seconds."""

    patience = 30.0  # seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(self.patience):
                await send(message)

        try:
            await super().__call__(scope, receive, send_in_time)
        except TimeoutError:
            abort = scope.get("state", {}).get(responses.ABORT_CONNECTION)
            if abort is not None:
                abort()


class ExportDownloads:
    """The handler of downloads."""

    def __init__(
        self, find: FindExport, key_cache: Credentials, proxies: TrustedProxies, folder: Path, patience: float
    ) -> None:
        self._find = find
        self._key_cache = key_cache
        self._proxies = proxies
        self._folder = folder
        self._patience = patience

    async def get(self, request: Request) -> Response:
        """The file; errors say why there is none. The name in the folder comes from the record alone."""
        authorization = request.headers.get("authorization")
        encoded = authorization.encode("latin-1") if authorization else None
        credential = await self._key_cache.credential(encoded, PageClient(request, self._proxies))
        prefix, key = decode_id(request.path_params["id"], "id")
        if prefix != "job":
            raise NotFound("id: this is not the id of a job; give that of an export.", argument="id")
        file = await self._find(key, credential.viewer)
        path = self._folder / file.file_name
        if not path.is_file():
            message = "id: the file is not on this node, or somebody deleted it; let all nodes share HUB_EXPORT_DIR."
            raise BadInput(message, code="EXPORT_EXPIRED", argument="id")
        media_type = COMPRESSED_MEDIA_TYPES.get(file.compression) if file.format is not ExportFormat.PARQUET else None
        response = _PatientFileResponse(
            path,
            media_type=media_type or MEDIA_TYPES[file.format],
            filename=f"export_{file.file_name}",
            headers={"X-Export-Rows": str(file.rows)},
        )
        response.patience = self._patience
        return response


def routes(
    find: FindExport, key_cache: Credentials, proxies: TrustedProxies, folder: Path, patience: float
) -> list[BaseRoute]:
    """Returns the route of downloads; `patience` is how many seconds a client may take for one part."""
    downloads = ExportDownloads(find, key_cache, proxies, folder, patience)
    return [Route(PATH + "{id}", answering_errors(downloads.get), methods=["GET"])]
