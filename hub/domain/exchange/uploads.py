"""Files that clients send to be imported: in parts, each stored as it comes, so that a client goes on where it was cut off."""

from collections.abc import AsyncIterator
from typing import NamedTuple
from uuid import UUID

from hub.db.pool import Pool
from hub.domain.exchange import import_store
from hub.domain.exchange.import_store import CHUNK, StoredFile
from hub.domain.exchange.imports import file_name
from hub.domain.jobs.queue import job_owner
from hub.errors import BadInput, LimitExceeded, NotFound
from hub.schema.jobs.jobs import Job
from hub.viewer import Viewer

PATH = "/imports"


class Upload(NamedTuple):
    """How far a file has come: its id, the bytes that are stored, all its bytes, if they were announced, and its name."""

    id: UUID
    received: int
    size: int | None
    name: str


class Uploads:
    """The files of one database."""

    def __init__(self, pool: Pool, limit: int, count_limit: int) -> None:
        self._pool = pool
        self._limit = limit
        self._count_limit = count_limit

    async def start(self, viewer: Viewer, name: str | None, size: int | None) -> Upload:
        """Begins a file; raises Forbidden for a viewer who starts no imports, LimitExceeded for a large or a further one."""
        Job.require(viewer, "create")
        owner, shown_name = job_owner(viewer), file_name(name)
        self._require_fit(size or 0)
        async with self._pool.transaction() as tx:
            await import_store.require_room(tx, owner, self._count_limit)
            return Upload(await import_store.create_file(tx, owner, shown_name, size), 0, size, shown_name)

    async def waiting(self, viewer: Viewer) -> list[Upload]:
        """The files of the viewer's key that no import reads yet, the oldest first."""
        async with self._pool.transaction() as tx:
            files = await import_store.waiting_files(tx, job_owner(viewer), self._count_limit)
        return [Upload(key, file.received, file.size, file.name) for key, file in files.items() if file.job_id is None]

    async def delete(self, viewer: Viewer, key: UUID) -> None:
        """Deletes a file of the viewer's key that no import reads yet; raises NotFound."""
        async with self._pool.transaction() as tx:
            _require_own(await import_store.lock_file(tx, key), viewer)
            await import_store.delete_file(tx, key)

    async def find(self, viewer: Viewer, key: UUID) -> Upload:
        """How far a file of the viewer's key has come; raises NotFound."""
        async with self._pool.transaction() as tx:
            file = _require_own(await import_store.lock_file(tx, key), viewer)
        return Upload(key, file.received, file.size, file.name)

    async def add(self, viewer: Viewer, key: UUID, offset: int, parts: AsyncIterator[bytes]) -> Upload:
        """Adds parts behind the bytes that are stored, which `offset` counts; raises BadInput UPLOAD_OFFSET for another number.

        A part is stored once a mebibyte of it has come, and at the end."""
        buffer = bytearray()
        async for part in parts:
            buffer += part
            while len(buffer) >= CHUNK:
                offset = await self._store(viewer, key, offset, bytes(buffer[:CHUNK]))
                del buffer[:CHUNK]
        offset = await self._store(viewer, key, offset, bytes(buffer))
        return await self.find(viewer, key)

    async def _store(self, viewer: Viewer, key: UUID, offset: int, content: bytes) -> int:
        async with self._pool.transaction() as tx:
            file = _require_own(await import_store.lock_file(tx, key), viewer)
            if file.received != offset:
                message = f"Upload-Offset: {file.received} bytes are stored; go on there."
                extensions = {"received": file.received}
                raise BadInput(message, code="UPLOAD_OFFSET", argument="Upload-Offset", extensions=extensions)
            total = offset + len(content)
            self._require_fit(total)
            if file.size is not None and total > file.size:
                message = f"Upload-Length: {file.size} bytes were announced, and more came; begin again."
                raise BadInput(message, code="UPLOAD_OFFSET", argument="Upload-Length")
            return await import_store.add_content(tx, key, offset, content) if content else offset

    def _require_fit(self, size: int) -> None:
        if size > self._limit:
            message = f"The file is larger than {self._limit:,} bytes (HUB_UPLOAD_LIMIT); compress it, or split it."
            raise LimitExceeded(message, code="BODY_TOO_LARGE", extensions={"limit": self._limit})


def _require_own(file: StoredFile | None, viewer: Viewer) -> StoredFile:
    if file is None or file.owner != job_owner(viewer) or file.job_id is not None:
        raise NotFound("id: this key is sending no such file, or it was imported already.", argument="id")
    return file
