"""Live queries of shipped and random roles while rows change: own ones, foreign ones, and those that enter and leave.

What a change does not wake is not answered again, so it must be as it was: the oracle answers each query anew."""

import random
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
import random_runs
from change_workload import wait_until_sequenced
from conftest import CreateDatabase
from matrix_viewers import drawn, random_viewers, shipped_viewers
from oracle import edge_rows
from oracle.compare import parse_body, value_differences
from oracle.data import load
from oracle.engine import SETTINGS
from oracle.executor import Oracle
from oracle.roles import role_oracle
from random_edits import RandomEdits

from hub.app import build_graphql_engine
from hub.changefeed.cursors import ChangeCursors
from hub.changefeed.feed import ChangeFeed, ChangeHeader
from hub.changefeed.sequencer import Sequencer
from hub.db.pool import Pool
from hub.domain.access.shipped_roles import shipped_roles
from hub.engine.catalog.catalog import Catalog, CatalogEntity
from hub.engine.engine import Engine
from hub.engine.execution.subscriptions import SubscriptionSource
from hub.engine.request import GraphQLRequest
from hub.graph import build
from hub.model.declarations import ToMany, ToOne
from hub.subscriptions.routing import SubscriptionIndex
from hub.viewer import Viewer

SEED = str(random_runs.seed())
EDITS = 12  # between two comparisons


@dataclass
class ChangingDatabase:
    """A database that is edited, an engine on it, and the oracle of its rows after the last edits."""

    dsn: str
    engine: Engine
    pool: Pool
    connection: asyncpg.Connection
    feed: ChangeFeed
    oracle: Oracle
    edits: RandomEdits
    position: int = 0

    async def change(self) -> list[ChangeHeader]:
        """Edits some rows; gives the headers of the changes."""
        for _ in range(EDITS):
            await self.edits.edit()
        await wait_until_sequenced(self.connection)
        headers: list[ChangeHeader] = []
        while page := await self.feed.headers_after(self.position):
            headers += page
            self.position = page[-1].position
        self.oracle.replace_data(await load(self.dsn, build().catalog))
        return headers


@pytest.fixture(scope="module")
async def changing(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[ChangingDatabase]:
    dsn = await create_database("northwind")
    await edge_rows.add(dsn)
    connection = await asyncpg.connect(dsn)
    pool = await Pool.open(dsn, SETTINGS, as_owner=True)
    try:
        async with Sequencer(dsn, SETTINGS).running():
            engine, _, _ = await build_graphql_engine(SETTINGS, pool, pool)
            edits = await RandomEdits(connection, random.Random(f"{SEED} live")).load()
            feed = ChangeFeed(pool, ChangeCursors(b"a secret of the tests"))
            oracle = Oracle(build(), await load(dsn, build().catalog))
            database = ChangingDatabase(dsn, engine, pool, connection, feed, oracle, edits)
            await database.change()
            yield database
    finally:
        await pool.close()
        await connection.close()


@dataclass(eq=False)
class HeldAnswer:
    """A live query with the answer that its subscriber has: a group of the index."""

    source: SubscriptionSource
    query: str
    answer: Any = None
    due: list[ChangeHeader] = field(default_factory=list)

    def enqueue(self, header: ChangeHeader) -> None:
        self.due.append(header)

    def flush(self) -> None:
        """Does nothing: the test answers."""

    def on_fork(self, last_valid_position: int) -> None:
        """Does nothing: positions stay."""

    def on_redirect(self) -> None:
        """Does nothing: no customer is merged."""

    def on_retention_gap(self) -> None:
        """Does nothing: all changes are stored."""

    def keep_alive(self, last_position: int) -> None:
        """Does nothing: nobody waits."""


def selections(catalog: Catalog, entity: CatalogEntity) -> str:
    """The columns of a type, and the rows that its links lead to."""
    parts = list(entity.columns)
    for name, link in entity.links.items():
        if isinstance(link, ToOne):
            parts.append(f"{name} {{ id version }}")
        elif isinstance(link, ToMany) and not catalog.target(link.target).aggregate_only:
            parts.append(f"{name}(first: 3) {{ totalCount nodes {{ id }} }}")
    return " ".join(parts)


def live_queries(catalog: Catalog, rng: random.Random, ids: dict[str, list[str]]) -> Iterator[tuple[str, str, str]]:
    """A list of each type that the viewer sees rows of, and two rows by their ids: root, arguments and selections."""
    for entity in catalog.entities.values():
        if not entity.aggregate_only and entity.captured:
            selected = selections(catalog, entity)
            yield entity.declaration.plural, "(first: 100)", f"{{ totalCount nodes {{ {selected} }} }}"
            for row_id in rng.sample(ids[entity.name], min(2, len(ids[entity.name]))):
                yield entity.declaration.singular, f'(id: "{row_id}")', f"{{ {selected} }}"


async def open_queries(changing: ChangingDatabase, viewer: Viewer, now: datetime) -> list[HeldAnswer]:
    """The live queries of a viewer with their first answers."""
    own = role_oracle(changing.oracle, viewer, now)
    catalog, rng = own.graph.catalog, random.Random(f"{SEED} {viewer.role_names}")
    ids = {
        entity.name: [f"{entity.declaration.prefix}_{row['id'].hex}" for row in changing.oracle.data.rows[entity.name]]
        for entity in catalog.entities.values()
    }
    subscriptions = own.graph.core.subscription_type
    held = []
    for root, arguments, selected in live_queries(catalog, rng, ids):
        if subscriptions is not None and f"{root}Live" in subscriptions.fields:
            document = f"subscription {{ {root}Live{arguments} {{ {root} {selected} }} }}"
            request = GraphQLRequest(document, {}, None, now=now)
            source = await changing.engine.subscription_source(request, viewer)
            held.append(HeldAnswer(source, f"{{ {root}{arguments} {selected} }}"))
    for query in held:
        await answer_again(changing, query, now)
    return held


async def answer_again(changing: ChangingDatabase, held: HeldAnswer, now: datetime) -> None:
    _, body = await held.source.answer(changing.pool, "previous", now)
    held.answer, held.due = parse_body(body), []


def check(changing: ChangingDatabase, viewer: Viewer, held: Sequence[HeldAnswer], woken: int, now: datetime) -> None:
    """Every answer that is held is the oracle's."""
    own = role_oracle(changing.oracle, viewer, now)
    for query in held:
        expected = own.answer(query.query, None, viewer, now)
        assert not expected.errors, (query.query, expected.errors)
        difference = next(value_differences(expected.data, query.answer, ""), None)
        assert difference is None, f"seed {SEED}, {woken} woken\n{difference}\n{query.query}\n{viewer}"


async def compare(changing: ChangingDatabase, viewer: Viewer, rounds: int) -> int:
    """Compares the answers that a viewer's live queries hold, after each round of edits; counts those that were woken."""
    now = datetime.now(UTC)
    held, index, woken = await open_queries(changing, viewer, now), SubscriptionIndex(), 0
    for query in held:
        index.add(query)
    check(changing, viewer, held, woken, now)
    for _ in range(rounds):
        for header in await changing.change():
            for group in index.matching_groups(header):
                group.enqueue(header)
        due = [query for query in held if query.due]
        for query in due:
            await answer_again(changing, query, now)
        woken += len(due)
        check(changing, viewer, held, woken, now)
    return woken


@random_runs.values("name", shipped_roles(), ["manager", "agent", "customer"])
async def test_a_shipped_role_holds_live_answers(
    changing: ChangingDatabase, name: str, pytestconfig: pytest.Config
) -> None:
    rounds = random_runs.size("rounds of edits beside live queries", pytestconfig)
    for viewer in drawn(shipped_viewers(changing.oracle, name, SEED), 1, SEED):
        assert await compare(changing, viewer, rounds) or name == "analyst"


@random_runs.numbers("pairs of random roles")
async def test_a_random_role_holds_live_answers(
    changing: ChangingDatabase, number: int, pytestconfig: pytest.Config
) -> None:
    rounds = random_runs.size("rounds of edits beside live queries", pytestconfig)
    count = random_runs.size("viewers of a role whose past is compared", pytestconfig)
    for viewer in drawn(random_viewers(changing.oracle, number, datetime.now(UTC), SEED), count, SEED):
        await compare(changing, viewer, rounds)
