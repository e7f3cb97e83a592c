"""What is printed from code is fresh, and the tables, their migrations and the schema say all that they should."""

from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import asyncpg
import pytest
import sqlalchemy as sa
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
)
from sqlalchemy.ext.asyncio import create_async_engine

from hub import errors, schema, settings
from hub.db import migrate
from hub.engine.graphql_types.schema_builder import Graph
from hub.model.columns import PLACED, metadata

INDEXES = "select schemaname, indexname, indexdef from pg_indexes where schemaname in ('twin', 'public')"
ROOT = Path(__file__).parents[2]
BASICS = {"id": sa.Uuid, "version": sa.Integer, "created_at": sa.DateTime, "updated_at": sa.DateTime}
TRIGGERS = "select tgrelid::regclass::text, tgname from pg_trigger where tgname in ('place', 'move')"


@pytest.fixture(scope="module")
def graph() -> Graph:
    return schema.build()


def tables() -> list[sa.Table]:
    """The tables of the graph."""
    return [each.table for each in schema.declarations()]


def owned() -> list[sa.Table]:
    """Those whose rows belong to a customer."""
    return [each.table for each in schema.declarations() if each.scope.name == "customer"]


def test_the_sdl_is_what_the_declarations_say(graph: Graph) -> None:
    printed = (ROOT / "schema" / "schema.graphql").read_text("utf-8")
    assert printed == graph.strawberry.as_str() + "\n", "run: make golden"


@pytest.mark.parametrize(
    ("page", "printed"),
    [("settings.md", settings.markdown), ("errors.md", errors.markdown)],
    ids=["settings", "errors"],
)
def test_a_page_is_what_the_code_says(page: str, printed: Callable[[], str]) -> None:
    assert (ROOT / "docs" / page).read_text("utf-8") == printed(), "run: make golden"


def _described(of: GraphQLNamedType) -> Iterator[tuple[str, str | None]]:
    yield of.name, of.description
    if isinstance(of, GraphQLObjectType | GraphQLInterfaceType):
        for name, field in of.fields.items():
            yield f"{of.name}.{name}", field.description
            yield from ((f"{of.name}.{name}({given}:)", each.description) for given, each in field.args.items())
    elif isinstance(of, GraphQLInputObjectType):
        yield from ((f"{of.name}.{name}", each.description) for name, each in of.fields.items())
    elif isinstance(of, GraphQLEnumType):
        yield from ((f"{of.name}.{name}", each.description) for name, each in of.values.items())


def test_everything_public_is_described(graph: Graph) -> None:
    public = (each for name, each in graph.core.type_map.items() if not name.startswith("__"))
    places = chain.from_iterable(_described(each) for each in public)
    bare = [name for name, description in places if not (description or "").strip()]
    assert not bare, bare


async def test_the_migrations_make_the_tables_that_the_code_has(empty_dsn: str) -> None:
    await migrate.check(empty_dsn)


async def test_the_migrations_make_the_indexes_that_the_code_has(empty_dsn: str) -> None:
    """Alembic does not look at which rows an index lists."""
    engine = create_async_engine(empty_dsn.replace("postgresql://", "postgresql+asyncpg://", 1))
    async with engine.connect() as connection:
        await connection.execute(sa.text("create schema twin"))
        await connection.execute(sa.text("set local search_path = twin, public"))
        await connection.run_sync(metadata.create_all, checkfirst=False)
        rows = (await connection.execute(sa.text(INDEXES))).all()
        await connection.rollback()
    await engine.dispose()
    twins = {name: made.replace(" ON twin.", " ON public.") for place, name, made in rows if place == "twin"}
    assert twins == {name: made for place, name, made in rows if place == "public" and name in twins}


async def test_a_table_whose_rows_are_placed_has_the_triggers_that_do_it(empty_dsn: str) -> None:
    connection = await asyncpg.connect(empty_dsn)
    try:
        found = {tuple(each) for each in await connection.fetch(TRIGGERS)}
    finally:
        await connection.close()
    placed = [each.name for each in metadata.tables.values() if any(column.info.get(PLACED) for column in each.c)]
    assert found == {(table, trigger) for table in placed for trigger in ("place", "move")}


def test_every_row_has_a_key_a_version_and_two_times() -> None:
    columns = [(table.name, table.c.get(name), kind) for table in tables() for name, kind in BASICS.items()]
    faults = [name for name, column, kind in columns if column is None or column.nullable or not _is(column, kind)]
    assert not faults, faults


def _is(column: sa.Column[object], kind: type[sa.types.TypeEngine[object]]) -> bool:
    return isinstance(column.type, kind) and (not isinstance(column.type, sa.DateTime) or column.type.timezone)


def test_every_row_of_a_customer_names_it() -> None:
    faults = [each.name for each in owned() if "customer_id" not in each.c or each.c.customer_id.nullable]
    assert not faults, faults


def test_two_rows_of_a_customer_are_joined_by_a_key_that_names_it() -> None:
    keys = [(table, key) for table in owned() for key in table.foreign_key_constraints]
    faults = [
        f"{table.name}: {', '.join(key.columns.keys())} → {key.referred_table.name}"
        for table, key in keys
        if key.referred_table in owned() and "customer_id" not in key.columns
    ]
    assert not faults, faults
