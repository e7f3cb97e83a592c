"""What was and what changes, for shipped and random roles: `history`, `asOf`, `changes` and what a webhook would send.

Rows are edited, moved, handed over, deleted and made again, all from a seed; plain walks over the log say what each may see."""

import json
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import random_runs
from change_workload import wait_until_sequenced
from conftest import CreateDatabase
from matrix_viewers import drawn, random_viewers, shipped_viewers
from oracle import edge_rows
from oracle.compare import parse_body, value_differences
from oracle.data import load
from oracle.executor import Oracle
from oracle.past import LoggedRecord, VisiblePast, load_log
from random_edits import RandomEdits

from hub.app import build_graphql_engine
from hub.changefeed.cursors import ChangeCursors
from hub.changefeed.feed import ChangeFeed, ChangeHeader
from hub.changefeed.sequencer import Sequencer
from hub.db.pool import Pool
from hub.domain.access.shipped_roles import shipped_roles
from hub.engine.catalog.catalog import CatalogEntity
from hub.engine.catalog.scalars import encode_id
from hub.engine.engine import Engine
from hub.engine.request import GraphQLRequest
from hub.graph import build
from hub.settings import Settings
from hub.viewer import Viewer
from hub.webhooks.documents import WebhookDocuments, concerns_webhook

SEED = str(random_runs.seed())
EDITS, MOMENTS, MAX_ALIASES = 300, 2, 90


@dataclass
class PastDatabase:
    """An edited database: an engine on it, the oracle of its rows now, the log, rows that changed, and moments of its past."""

    engine: Engine
    pool: Pool
    oracle: Oracle
    log: list[LoggedRecord]
    edited: dict[str, list[UUID]]
    moments: list[datetime]
    now: datetime
    headers: dict[int, ChangeHeader]


async def edit_rows(connection: asyncpg.Connection, rng: random.Random) -> list[datetime]:
    """Edits rows of every type; gives moments between edits."""
    edits, moments = await RandomEdits(connection, rng).load(), []
    for number in range(EDITS):
        await edits.edit()
        if number % 50 == 30:
            moments.append(await edits.moment())
    return moments


@pytest.fixture(scope="module")
async def past(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[PastDatabase]:
    dsn, rng = await create_database("northwind"), random.Random(f"{SEED} edits")
    await edge_rows.add(dsn)
    connection = await asyncpg.connect(dsn)
    pool = await Pool.open(dsn, Settings(cost_limit=10_000_000), as_owner=True)
    try:
        async with Sequencer(dsn, Settings()).running():  # no hub: nothing but the edits writes
            moments = await edit_rows(connection, rng)
            engine, _, _ = await build_graphql_engine(Settings(cost_limit=10_000_000), pool, pool)
            await wait_until_sequenced(connection)
        log = await load_log(connection, build().catalog)
        feed, headers = ChangeFeed(pool, ChangeCursors(b"a secret of the tests")), dict[int, ChangeHeader]()
        while page := await feed.headers_after(max(headers, default=0)):
            headers |= {header.position: header for header in page}
        edited: dict[str, list[UUID]] = {}
        for change in log:
            rows = edited.setdefault(change.entity, [])
            if change.row_id not in rows:
                rows.append(change.row_id)
        oracle = Oracle(build(), await load(dsn, build().catalog))
        yield PastDatabase(engine, pool, oracle, log, edited, moments, datetime.now(UTC), headers)
    finally:
        await pool.close()
        await connection.close()


async def ask(past: PastDatabase, viewer: Viewer, query: str, variables: dict[str, Any] | None = None) -> Any:
    request = GraphQLRequest(query, variables or {}, None, now=past.now)
    body = parse_body((await past.engine.execute(request, viewer)).body)
    assert "errors" not in body, (viewer, query, body["errors"])
    return body["data"]


def check_equal(viewer: Viewer, expected: Any, actual: Any, query: str) -> None:
    difference = next(value_differences(expected, actual, ""), None)
    assert difference is None, f"seed {SEED}\n{difference}\n{query}\n{viewer}\n{json.dumps(actual, default=str)[:3000]}"


async def compare_rows(past: PastDatabase, visible: VisiblePast, entity: CatalogEntity, keys: Sequence[UUID]) -> int:
    """Compares the history of rows, and the rows as they were; counts what showed."""
    leaves, single, shown = visible.leaves(entity), entity.declaration.singular, 0
    rng = random.Random(f"{SEED} {entity.name}")
    for key in keys:
        row_id, parts, expected = encode_id(entity.declaration.prefix, key), [], {}
        for index, moment in enumerate(rng.sample(past.moments, MOMENTS)):
            parts.append(f'at{index}: {single}(id: "{row_id}", asOf: "{moment.isoformat()}") {{ {leaves} }}')
            expected[f"at{index}"] = visible.as_of(entity, key, moment)
        if entity.shows_history:
            changes = f"operation version changedFields at before {{ {leaves} }} after {{ {leaves} }}"
            parts.append(
                f'now: {single}(id: "{row_id}") {{ history(first: 100) {{ totalCount nodes {{ {changes} }} }} }}'
            )
            history = list(visible.history(entity, key))
            is_here = past.oracle.data.get(entity.name, key) is not None and visible.sees_today(entity, key)
            expected["now"] = {"history": {"totalCount": len(history), "nodes": history}} if is_here else None
        query = f"{{ {' '.join(parts)} }}"
        check_equal(visible.viewer, expected, await ask(past, visible.viewer, query), query)
        shown += sum(value is not None for value in expected.values())
    return shown


def batches(entities: Sequence[CatalogEntity]) -> Iterator[list[CatalogEntity]]:
    """The types in parts that have no more columns than a document may have aliases."""
    batch: list[CatalogEntity] = []
    for entity in entities:
        if batch and sum(len(part.columns) for part in [*batch, entity]) > MAX_ALIASES:
            yield batch
            batch = []
        batch.append(entity)
    yield batch


async def compare_changes(past: PastDatabase, visible: VisiblePast, entities: Sequence[CatalogEntity]) -> int:
    """Compares all pages of `changes` of these types; counts the changes."""
    # Fields of the same name differ in type, so each has a response key of its own.
    nodes = " ".join(
        f"... on {entity.name} {{ {' '.join(f'{entity.entity_type}_{name}: {name}' for name in entity.columns)} }}"
        for entity in entities
    )
    selected = f"entity entityId operation version changedFields node {{ {nodes} }}"
    query = f"""query ($after: Cursor) {{ changes(first: 100, after: $after) {{ __typename
        ... on Change {{ cursor {selected} }} ... on StreamReady {{ cursor }} }} }}"""
    types = {entity.entity_type for entity in entities}
    expected = [
        {**change, "node": {f"{change['entity']}_{name}": value for name, value in change["node"].items()}}
        for change in visible.changes()
        if change["entity"] in types
    ]
    actual: list[Any] = []
    after = None
    while not actual or actual[-1]["__typename"] != "StreamReady":
        actual += (await ask(past, visible.viewer, query, {"after": after}))["changes"]
        after = actual[-1]["cursor"]
    changes = [
        {key: value for key, value in message.items() if key not in ("__typename", "cursor")} for message in actual[:-1]
    ]
    check_equal(visible.viewer, expected, changes, query)
    return len(changes)


async def compare_webhook(past: PastDatabase, visible: VisiblePast) -> None:
    """Compares what a webhook of the viewer would send: the messages of the changes that may concern its document."""
    entities = [entity for entity in visible.entities if not entity.declaration.plural.startswith("webhook")]
    nodes = " ".join(f"... on {entity.name} {{ version }}" for entity in entities)
    query = f"subscription {{ changes {{ ... on Change {{ entityId operation node {{ {nodes} }} }} }} }}"
    source = await WebhookDocuments(past.engine).subscription_source(query, None, None, visible.viewer, by_hub=True)
    positions = [change.position for change in past.log if concerns_webhook(source, past.headers[change.position])]
    cursors = [str(position) for position in positions]
    messages = await source.change_messages(past.pool, positions, cursors, "previous", past.now)
    named = {entity.entity_type for entity in entities}
    expected = [
        {
            "entityId": change["entityId"],
            "operation": change["operation"],
            "node": {"version": change["node"]["version"]},
        }
        for change in visible.changes()
        if change["entity"] in named
    ]
    check_equal(visible.viewer, expected, [parse_body(body) for _, body in messages], query)


async def compare(past: PastDatabase, viewer: Viewer, rows: int) -> int:
    """Compares what a viewer sees of the past and of changes; counts what showed."""
    visible = VisiblePast(past.oracle, past.log, viewer, past.now)
    if not visible.entities:
        return 0
    shown = 0
    for batch in batches(visible.entities):
        shown += await compare_changes(past, visible, batch)
    await compare_webhook(past, visible)
    for entity in visible.entities:
        keys = past.edited.get(entity.name, [])
        shown += await compare_rows(past, visible, entity, keys[:rows])
    return shown


@random_runs.values("name", shipped_roles(), ["manager", "agent", "customer"])
async def test_a_shipped_role_sees_the_past_of_what_it_sees(
    past: PastDatabase, name: str, pytestconfig: pytest.Config
) -> None:
    rows = random_runs.size("rows of each type whose past is compared", pytestconfig)
    count = random_runs.size("viewers of a role whose past is compared", pytestconfig)
    viewers = drawn(shipped_viewers(past.oracle, name, SEED), count, SEED)
    assert any([await compare(past, viewer, rows) for viewer in viewers])


@random_runs.numbers("pairs of random roles")
async def test_a_random_role_sees_the_past_of_what_it_sees(
    past: PastDatabase, number: int, pytestconfig: pytest.Config
) -> None:
    rows = random_runs.size("rows of each type whose past is compared", pytestconfig)
    count = random_runs.size("viewers of a role whose past is compared", pytestconfig)
    for viewer in drawn(random_viewers(past.oracle, number, past.now, SEED), count, SEED):
        await compare(past, viewer, rows)
