"""Trusted documents: those of the loaded manifests, stored for all processes and held in memory by each.

A key that runs trusted documents alone is refused any other; every key may send a trusted document by its id."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from hub.db.pool import Connection, Pool
from hub.db.sql_text import to_sql
from hub.domain.access.manifests import Manifest, read_manifest
from hub.errors import BadInput, Forbidden, NotFound
from hub.model.columns import metadata, timestamp
from hub.viewer import ADMIN, Viewer

MAX_STORED = 50_000  # documents of all manifests, which every process holds in memory
MAX_STORED_CHARACTERS = 64 * 1024 * 1024
MAX_MANIFEST_NAME = 100
CODE = "MANIFEST_INVALID"

TrustedDocument = sa.Table(
    "trusted_documents",
    metadata,
    sa.Column("id", sa.Text, primary_key=True, comment="The id that clients send in place of the document."),
    sa.Column("manifest", sa.Text, primary_key=True, comment="Name of the manifest that has it."),
    sa.Column("text", sa.Text, nullable=False, comment="The GraphQL document."),
    sa.Column("loaded_at", timestamp(), nullable=False, comment="When it was loaded."),
    comment="Documents of the manifests of clients. A key that is limited to trusted documents runs no others.",
)
_c = TrustedDocument.c
_LIST = to_sql(
    sa.select(
        _c.manifest,
        sa.func.count().label("documents"),
        sa.func.min(_c.loaded_at).label("first_loaded_at"),
        sa.func.max(_c.loaded_at).label("last_loaded_at"),
    )
    .group_by(_c.manifest)
    .order_by(_c.manifest)
)
_documents = sa.select(_c.id, _c.text).distinct()  # whichever manifests have them
_stored = _documents.subquery()
_SIZE = to_sql(
    sa.select(
        sa.func.count(_stored.c.id),
        sa.func.coalesce(sa.func.sum(sa.func.length(_stored.c.text)), sa.literal_column("0")),
    )
)
_STATE = to_sql(sa.select(sa.func.count(_c.id), sa.func.max(_c.loaded_at)))
_ALL = to_sql(_documents.limit(sa.literal_column(str(MAX_STORED))))
_ids = sa.bindparam("ids", type_=sa.ARRAY(sa.Text))
_EXISTING = to_sql(sa.select(_c.id, _c.text, _c.manifest).where(_c.id == sa.func.any(_ids)))
_LOCK = "lock table trusted_documents in share row exclusive mode"
# One statement for a manifest, which is one entry of the audit log.
_INSERT = """
insert into trusted_documents (id, manifest, text, loaded_at)
select id, $1, text, $2 from unnest($3::text[], $4::text[]) as documents (id, text)
"""
_REMOVE = to_sql(
    sa.delete(TrustedDocument).where(_c.manifest == sa.bindparam("manifest", type_=sa.Text)).returning(_c.id)
)
_COUNT_EXISTING = to_sql(sa.select(sa.func.count(sa.distinct(_c.id))).where(_c.id == sa.func.any(_ids)))


class LoadedManifest(NamedTuple):
    """A manifest as it is stored."""

    manifest: str
    documents: int
    first_loaded_at: datetime
    last_loaded_at: datetime


class RemovedManifest(NamedTuple):
    """How many documents a manifest had, and how many of them stay, because other manifests have them too."""

    documents: int
    shared: int


class TrustedDocuments:
    """The trusted documents as one process knows them. `refresh` brings them up to date."""

    def __init__(self) -> None:
        self._by_id: dict[str, str] = {}
        self._texts: frozenset[str] = frozenset()
        self._state: tuple[int, datetime | None] = (0, None)

    def text(self, document_id: str) -> str | None:
        """The document with this id; None if no manifest has it."""
        return self._by_id.get(document_id)

    def __contains__(self, text: str) -> bool:
        """Whether a manifest has exactly this document."""
        return text in self._texts

    def require(self, viewer: Viewer, text: str) -> None:
        """Raises Forbidden if the viewer runs trusted documents alone and this is none."""
        if viewer.limits.trusted_only and text not in self._texts:
            raise untrusted()

    async def refresh(self, connection: Connection) -> None:
        """Reads the documents again if some were loaded or removed."""
        count, loaded_at = await connection.fetchrow(_STATE) or (0, None)
        if (count, loaded_at) != self._state:
            rows = await connection.fetch(_ALL)
            self._by_id = {row["id"]: row["text"] for row in rows}
            self._texts = frozenset(self._by_id.values())
            self._state = (count, loaded_at)


def untrusted() -> Forbidden:
    """The error for a document that no manifest has, sent by a client that may send no other."""
    message = (
        "This key runs only documents of a manifest, and this is none of them; send it as the client's build wrote it,"
        " or load the new manifest with `hub documents load`."
    )
    return Forbidden(message, code="DOCUMENT_UNTRUSTED")


async def load(tx: Connection, viewer: Viewer, name: str, manifest: Manifest, now: datetime) -> int:
    """Adds documents to a manifest, and returns how many of them no manifest had.

    Documents of earlier builds stay, because clients of these builds are still in use. Raises BadInput if an id already
    stands for another document: then two clients would run each other's."""
    viewer.require("keys:admin")
    if not 1 <= len(name) <= MAX_MANIFEST_NAME or not name.isprintable():
        raise BadInput(f"name: give 1 to {MAX_MANIFEST_NAME} visible characters.", code=CODE, argument="name")
    await tx.execute(_LOCK)
    stored = await tx.fetch(_EXISTING, [document.id for document in manifest.documents])
    existing = {row["id"]: row for row in stored}
    texts = {document_id: row["text"] for document_id, row in existing.items()}
    for document in manifest.documents:
        if texts.setdefault(document.id, document.text) != document.text:
            owner = existing[document.id]["manifest"] if document.id in existing else name
            message = (
                f"manifest: the id {document.id[:70]!r} stands for another document of {owner!r}; use hashes as ids."
            )
            raise BadInput(message, code=CODE, argument="manifest")
    added = texts.keys() - {row["id"] for row in stored if row["manifest"] == name}
    if added:
        await tx.execute(_INSERT, name, now, sorted(added), [texts[document_id] for document_id in sorted(added)])
    count, characters = await tx.fetchrow(_SIZE) or (0, 0)
    if count > MAX_STORED or characters > MAX_STORED_CHARACTERS:
        message = (
            f"manifest: with it, {count:,} documents of {characters:,} characters would be stored; {MAX_STORED:,} and"
            f" {MAX_STORED_CHARACTERS:,} are allowed. Remove manifests of clients that nobody uses any more."
        )
        raise BadInput(message, code=CODE, argument="manifest")
    return len(texts.keys() - existing.keys())


async def list_manifests(tx: Connection, viewer: Viewer) -> list[LoadedManifest]:
    """The loaded manifests by name."""
    viewer.require("keys:admin")
    return [LoadedManifest(**row) for row in await tx.fetch(_LIST)]


async def remove(tx: Connection, viewer: Viewer, name: str) -> RemovedManifest:
    """Removes a manifest, and the documents that no other manifest has; raises NotFound if there is none."""
    viewer.require("keys:admin")
    await tx.execute(_LOCK)
    ids = [row["id"] for row in await tx.fetch(_REMOVE, name)]
    if not ids:
        raise NotFound(f"name: no manifest has the name {name!r}; `hub documents list` shows them.", argument="name")
    return RemovedManifest(len(ids), await tx.fetchval(_COUNT_EXISTING, ids))


async def load_manifests(pool: Pool, paths: Sequence[Path], documents: TrustedDocuments, now: datetime) -> None:
    """Loads manifests, each under its file's name, and then all stored documents.

    Raises BadInput for a file that is no manifest: the hub does not start without documents that its clients need."""
    for path in paths:
        manifest = read_manifest(path)
        async with pool.transaction() as tx:
            await load(tx, ADMIN, path.name, manifest, now)
    async with pool.connection() as connection:
        await documents.refresh(connection)
