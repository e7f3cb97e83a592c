"""A hub that exports to a folder of the test's own, and its downloads."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import zstandard
from change_workload import WAIT_TIMEOUT, wait_until
from writer_client import HubClient, open_hub_client

from hub.settings import Settings

CREATE = """mutation ($query: String!, $variables: JSON, $format: ExportFormat, $compression: ExportCompression, $raw: Boolean) {
    exportCreate(input: {query: $query, variables: $variables, format: $format, compression: $compression, raw: $raw}) {
        job { id status }
    }
}"""
READ = "query ($id: ID!) { job(id: $id) { status reason errorCode done total counts result } }"


@dataclass
class ExportHub:
    """A hub that exports to a folder."""

    client: HubClient
    folder: Path
    http: httpx2.AsyncClient

    async def start(self, query: str, *, key: str | None = None, **arguments: Any) -> str:
        """Starts an export; returns the id of its job."""
        created = await self.client.query(CREATE, {"query": query, **arguments}, key=key)
        return str(created["exportCreate"]["job"]["id"])

    async def finish(self, job: str, *, key: str | None = None, seconds: float = WAIT_TIMEOUT) -> dict[str, Any]:
        """The job once it has ended."""

        async def ended() -> Any:
            state = (await self.client.query(READ, {"id": job}, key=key))["job"]
            return state if state["status"] in ("SUCCEEDED", "FAILED", "CANCELLED") else None

        return dict(await wait_until(ended, seconds))

    async def get(self, path: str, *, key: str | None = None, **headers: str) -> httpx2.Response:
        """The response of a download."""
        return await self.http.get(path, headers={"Authorization": f"Bearer {key or self.client.key}", **headers})

    def unpack(self, file: Path, target: Path) -> None:
        """Writes the content of a file that is compressed by Zstandard."""
        with file.open("rb") as packed, target.open("wb") as plain:
            zstandard.ZstdDecompressor().copy_stream(packed, plain)

    async def export(self, query: str, *, key: str | None = None, **arguments: Any) -> bytes:
        """The content of the file of an export."""
        job = await self.finish(await self.start(query, key=key, **arguments), key=key)
        assert job["status"] == "SUCCEEDED", job
        response = await self.get(job["result"]["path"], key=key)
        assert response.status_code == 200, response.text
        assert len(response.content) == job["result"]["bytes"]
        return response.content


@asynccontextmanager
async def open_export_hub(dsn: str, folder: Path) -> AsyncIterator[ExportHub]:
    """Yields a hub on the caller's database that exports to the folder."""
    async with open_hub_client(dsn, Settings(export_dir=folder, export_limit=1_000)) as client:
        transport = httpx2.ASGITransport(app=client.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://hub") as http:
            yield ExportHub(client, folder, http)
