"""The documents of tests/golden, one feature each, and an engine to run them."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from conftest import create_api_key

from hub import graph
from hub.changefeed.cursors import ChangeCursors
from hub.changefeed.feed import ChangeFeed
from hub.db.fair_queue import Flow
from hub.db.meter import WorkMeter
from hub.db.pool import Pool
from hub.domain.access import api_keys
from hub.engine.engine import Engine
from hub.engine.request import GraphQLRequest, GraphQLResponse
from hub.model.idempotency import IdempotencyStore
from hub.settings import Settings
from hub.viewer import ADMIN, Role, Viewer

GOLDEN_FOLDER = Path(__file__).parents[1] / "golden"
NOW = datetime(1998, 5, 6, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class GoldenDocument:
    """A document with the options in its first line, a comment with a JSON object.

    `viewer` is {"unit": code} or {"customer": id}; `statements` is 1, plus one per key resolver and level."""

    name: str
    text: str
    variables: dict[str, Any] = field(default_factory=dict)
    operation: str | None = None
    viewer: dict[str, str] = field(default_factory=dict)
    statements: int = 1

    @property
    def request(self) -> GraphQLRequest:
        return GraphQLRequest(self.text, self.variables, self.operation, now=NOW)


def read_document(path: Path) -> GoldenDocument:
    """Reads the document of a file."""
    text = path.read_text()
    first, _, rest = text.partition("\n")
    header = json.loads(first.removeprefix("# ")) if first.startswith("# {") else {}
    return GoldenDocument(path.stem, rest if header else text, **header)


GOLDEN_DOCUMENTS = [read_document(path) for path in sorted(GOLDEN_FOLDER.glob("*.graphql"))]


@dataclass(frozen=True, slots=True)
class SentStatement:
    """A statement as sent to Postgres; with `custom_plan`, planned for its arguments."""

    text: str
    arguments: Sequence[Any]
    custom_plan: bool


class RecordingPool(Pool):
    """A pool that records its statements."""

    def __init__(self, dsn: str, settings: Settings, *, lanes: bool = False, as_owner: bool = False) -> None:
        super().__init__(dsn, settings, lanes=lanes, as_owner=as_owner)
        self.sent: list[SentStatement] = []

    def for_flow(self, flow: Flow, meter: WorkMeter | None = None) -> Pool:
        """Returns itself, so that all statements are recorded."""
        return self

    async def fetch_json(self, text: str, arguments: Sequence[Any], *, custom_plan: bool = False) -> bytes:
        self.sent.append(SentStatement(text, arguments, custom_plan))
        return await super().fetch_json(text, arguments, custom_plan=custom_plan)


@dataclass(frozen=True, slots=True)
class GoldenEngine:
    """An engine on one database, with a fixed secret, so that cursors are reproducible."""

    engine: Engine
    pool: RecordingPool
    dsn: str

    async def run(self, document: GoldenDocument) -> tuple[GraphQLResponse, list[SentStatement]]:
        """Returns a document's response and its statements."""
        viewer = await self._viewer(**document.viewer)
        self.pool.sent = []
        return await self.engine.execute(document.request, viewer), self.pool.sent

    async def _viewer(self, unit: str | None = None, customer: str | None = None) -> Viewer:
        if unit is None and customer is None:
            return ADMIN
        async with self.pool.connection() as connection:
            unit_id = await api_keys.find_unit(connection, unit) if unit else None
            customer_id = UUID(customer.removeprefix("cus_")) if customer else None
            key = await create_api_key(self.dsn, Role.READER, unit_id=unit_id, customer_id=customer_id)
            stored_key = await api_keys.find_key(connection, str(api_keys.extract_public_id(key)))
        assert stored_key is not None
        return stored_key.viewer


@asynccontextmanager
async def open_golden_engine(dsn: str) -> AsyncIterator[GoldenEngine]:
    """Yields an engine on a database."""
    settings = Settings()
    pool = await RecordingPool.open(dsn, settings)
    assert isinstance(pool, RecordingPool)
    try:
        yield GoldenEngine(
            Engine(
                graph.build(),
                pool,
                settings,
                b"a secret of the tests",
                IdempotencyStore(),
                ChangeFeed(pool, ChangeCursors(b"a secret of the tests")),
            ),
            pool,
            dsn,
        )
    finally:
        await pool.close()
