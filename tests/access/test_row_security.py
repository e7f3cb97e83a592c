"""Without the engine's predicates and with row-level security: viewers see what they see today, and no foreign row."""

import json
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from conftest import CreateDatabase
from row_security import row_security_engine

from hub import graph
from hub.app import build_graphql_engine
from hub.db.pool import Pool
from hub.engine.engine import Engine
from hub.engine.request import GraphQLRequest
from hub.settings import Settings
from hub.viewer import Role, Viewer

VIEWERS = ("unit_subtree", "single_unit", "customer")


@pytest.fixture(scope="module")
async def dsn(create_database: CreateDatabase, demo_dsn: str) -> str:
    return await create_database("northwind")


async def viewer_of(dsn: str, binding: str) -> Viewer:
    """A viewer of this binding that sees some rows."""
    connection = await asyncpg.connect(dsn)
    try:
        row = await connection.fetchrow("""
            select u.path::text as path, array(
                select id from org_units where path <@ u.path order by path
            ) as ids, (select min(id::text)::uuid from customers where unit_id = u.id) as customer_id
            from org_units as u where exists (select from customers where unit_id = u.id) and exists (
                select from customers where unit_id <> all(array(select id from org_units where path <@ u.path))
            ) order by nlevel(path), path limit 1""")
        assert row is not None
        inner = await connection.fetchval("select path::text from org_units where id = $1", row["ids"][-1])
        parent = await connection.fetchrow(
            """
            select p.path::text as path, array(select id from org_units where path <@ p.path order by path) as ids
            from org_units as p where p.path @> text2ltree($1) and nlevel(p.path) = nlevel(text2ltree($1)) - 1""",
            inner,
        )
    finally:
        await connection.close()
    if binding == "customer":
        return Viewer(UUID(int=1), Role.READER, customer_id=row["customer_id"])
    if binding == "single_unit":
        return Viewer(UUID(int=2), Role.READER, inner, (row["ids"][-1],))
    assert parent is not None
    return Viewer(UUID(int=3), Role.READER, parent["path"], tuple(parent["ids"]))


def documents() -> list[str]:
    """A count and the ids of every root list, with one list below each row of customers."""
    texts = ["{ changes(first: 100) { ... on Change { id } } }"]
    for entity in graph.build().catalog.entities.values():
        plural = entity.declaration.plural
        texts.append(f"{{ {plural}(first: 100) {{ totalCount nodes {{ id }} }} }}")
    texts.append(
        "{ customers(first: 20) { nodes { name orders(first: 50) { totalCount nodes { number items { totalCount } } } } } }"
    )
    texts.append("{ customers(filter: {orders: {some: {number: {isNull: false}}}}) { totalCount } }")
    return texts


async def answers(engine: Engine, viewer: Viewer) -> dict[str, Any]:
    """The data of every document."""
    data_by_text: dict[str, Any] = {}
    for text in documents():
        response = json.loads((await engine.execute(GraphQLRequest(text, None, None), viewer)).body)
        data_by_text[text] = response.get("data", response)
    return data_by_text


@pytest.mark.parametrize("binding", VIEWERS)
async def test_row_level_security_alone_shows_no_foreign_row(dsn: str, binding: str) -> None:
    viewer = await viewer_of(dsn, binding)
    pool = await Pool.open(dsn, Settings(), as_owner=True)
    try:
        engine, _, _ = await build_graphql_engine(Settings(), pool, pool)
        expected = await answers(engine, viewer)
        everything = await answers(engine, Viewer(None, Role.ADMIN))
        async with row_security_engine(dsn, viewer) as bare_engine:
            assert await answers(bare_engine, viewer) == expected
    finally:
        await pool.close()
    assert expected != everything
    assert any(text.startswith("{ customers(") and answer["customers"] for text, answer in expected.items())


async def test_without_policies_the_harness_would_show_foreign_rows(dsn: str) -> None:
    viewer = await viewer_of(dsn, "customer")
    async with row_security_engine(dsn, viewer) as bare_engine:
        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute("alter table customers disable row level security")
            response = await bare_engine.execute(GraphQLRequest("{ customers { totalCount } }", None, None), viewer)
            assert json.loads(response.body) == {"data": {"customers": {"totalCount": 91}}}
        finally:
            await connection.execute("alter table customers enable row level security")
            await connection.close()
