"""The documents of tests/golden, and an engine to run them on: one feature each, for whoever checks something of all of them."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from conftest import key_for

from hub import schema
from hub.changefeed.cursors import Cursors
from hub.changefeed.feed import Feed
from hub.db.pool import Pool
from hub.domain.access import api_keys
from hub.engine.engine import Answer, Engine, Request
from hub.model.idempotency import Memory
from hub.settings import Settings
from hub.viewer import ADMIN, Role, Viewer

FOLDER = Path(__file__).parents[1] / "golden"
AT = datetime(1998, 5, 6, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Document:
    """A document and what its first line, a comment with a JSON object, says of it.

    `viewer` is {"unit": code} or {"customer": id}; `statements` is 1, and one more for each resolver of keys and level."""

    name: str
    text: str
    variables: dict[str, Any] = field(default_factory=dict)
    operation: str | None = None
    viewer: dict[str, str] = field(default_factory=dict)
    statements: int = 1

    @property
    def request(self) -> Request:
        return Request(self.text, self.variables, self.operation, at=AT)


def read(path: Path) -> Document:
    """The document in a file."""
    text = path.read_text()
    first, _, rest = text.partition("\n")
    told = json.loads(first.removeprefix("# ")) if first.startswith("# {") else {}
    return Document(path.stem, rest if told else text, **told)


DOCUMENTS = [read(path) for path in sorted(FOLDER.glob("*.graphql"))]


@dataclass(frozen=True, slots=True)
class Sent:
    """A statement as it was sent to Postgres; `fresh` ones are planned for these very arguments."""

    text: str
    arguments: Sequence[Any]
    fresh: bool


class Recorder(Pool):
    """A pool that remembers what it was asked."""

    def __init__(self, dsn: str, settings: Settings) -> None:
        super().__init__(dsn, settings)
        self.sent: list[Sent] = []

    async def fetch_json(self, text: str, arguments: Sequence[Any], *, fresh: bool = False) -> bytes:
        self.sent.append(Sent(text, arguments, fresh))
        return await super().fetch_json(text, arguments, fresh=fresh)


@dataclass(frozen=True, slots=True)
class Asked:
    """An engine on one database, with a secret that makes cursors the same at every run."""

    engine: Engine
    pool: Recorder
    dsn: str

    async def answer(self, document: Document) -> tuple[Answer, list[Sent]]:
        """A document's answer, and the statements that were sent for it."""
        viewer = await self._viewer(**document.viewer)
        self.pool.sent = []
        return await self.engine.execute(document.request, viewer), self.pool.sent

    async def _viewer(self, unit: str | None = None, customer: str | None = None) -> Viewer:
        if unit is None and customer is None:
            return ADMIN
        async with self.pool.connection() as connection:
            unit_id = await api_keys.unit_named(connection, unit) if unit else None
            customer_id = UUID(customer.removeprefix("cus_")) if customer else None
            key = await key_for(self.dsn, Role.READER, unit_id=unit_id, customer_id=customer_id)
            found = await api_keys.find(connection, str(api_keys.public_id(key)))
        assert found is not None
        return found.viewer


@asynccontextmanager
async def asked(dsn: str) -> AsyncIterator[Asked]:
    """An engine on a database."""
    settings = Settings()
    pool = await Recorder.open(dsn, settings)
    assert isinstance(pool, Recorder)
    try:
        yield Asked(
            Engine(
                schema.build(),
                pool,
                settings,
                b"a secret of the tests",
                Memory(),
                Feed(pool, Cursors(b"a secret of the tests")),
            ),
            pool,
            dsn,
        )
    finally:
        await pool.close()
