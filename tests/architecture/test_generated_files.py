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
from hub import graph as hub_graph
from hub.db import migrate
from hub.engine.graphql_types.schema_builder import Schema
from hub.model import subjects
from hub.model.columns import DENORMALIZED_UNIT, metadata

# Facts of the tables in the schemas twin and public: (schema, kind, name, definition).
INDEXES = "select schemaname, 'index', indexname, indexdef from pg_indexes where schemaname in ('twin', 'public')"
COLUMNS = """
select table_.relnamespace::regnamespace::text, 'column', table_.relname || '.' || column_.attname,
    concat_ws(' ', format_type(column_.atttypid, column_.atttypmod), column_.attnotnull, column_.attgenerated,
        pg_get_expr(default_.adbin, default_.adrelid))
from pg_attribute as column_ join pg_class as table_ on table_.oid = column_.attrelid
    left join pg_attrdef as default_ on default_.adrelid = table_.oid and default_.adnum = column_.attnum
where table_.relkind = 'r' and column_.attnum > 0 and not column_.attisdropped
    and table_.relnamespace::regnamespace::text in ('twin', 'public')
"""
CONSTRAINTS = """
select connamespace::regnamespace::text, 'constraint', conrelid::regclass::text || ' ' || conname, pg_get_constraintdef(oid)
from pg_constraint where contype <> 'n' and connamespace::regnamespace::text in ('twin', 'public')
"""
ROOT = Path(__file__).parents[2]
BASICS = {"id": sa.Uuid, "version": sa.Integer, "created_at": sa.DateTime, "updated_at": sa.DateTime}
FOLLOWERS = """
select tgrelid::regclass::text, tgname from pg_trigger
where tgfoid in ('hub_delete_followers'::regproc, 'hub_move_followers'::regproc)
"""
TRIGGERS = "select tgrelid::regclass::text, tgname from pg_trigger where tgname in ('place', 'move')"


@pytest.fixture(scope="module")
def engine_schema() -> Schema:
    return hub_graph.build()


def entity_tables() -> list[sa.Table]:
    """The tables of the graph."""
    return [declaration.table for declaration in hub_graph.declarations()]


def optional_tables() -> set[sa.Table]:
    """Those whose rows may belong to a customer or to none."""
    return {declaration.table for declaration in hub_graph.declarations() if declaration.scope.customer_optional}


def customer_tables() -> list[sa.Table]:
    """Those whose rows belong to a customer."""
    return [
        declaration.table
        for declaration in hub_graph.declarations()
        if declaration.scope.customer_column == "customer_id"
    ]


def test_the_sdl_is_what_the_declarations_say(engine_schema: Schema) -> None:
    printed = (ROOT / "schema" / "schema.graphql").read_text("utf-8")
    assert printed == engine_schema.strawberry.as_str() + "\n", "run: make golden"


@pytest.mark.parametrize(
    ("page", "printed"),
    [("settings.md", settings.markdown), ("errors.md", errors.markdown)],
    ids=["settings", "errors"],
)
def test_a_page_is_what_the_code_says(page: str, printed: Callable[[], str]) -> None:
    assert (ROOT / "docs" / page).read_text("utf-8") == printed(), "run: make golden"


def _described(type_: GraphQLNamedType) -> Iterator[tuple[str, str | None]]:
    yield type_.name, type_.description
    if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
        for name, field in type_.fields.items():
            yield f"{type_.name}.{name}", field.description
            yield from (
                (f"{type_.name}.{name}({argument_name}:)", member.description)
                for argument_name, member in field.args.items()
            )
    elif isinstance(type_, GraphQLInputObjectType):
        yield from ((f"{type_.name}.{name}", member.description) for name, member in type_.fields.items())
    elif isinstance(type_, GraphQLEnumType):
        yield from ((f"{type_.name}.{name}", member.description) for name, member in type_.values.items())


def test_everything_public_is_described(engine_schema: Schema) -> None:
    public = (type_ for name, type_ in engine_schema.core.type_map.items() if not name.startswith("__"))
    descriptions = chain.from_iterable(_described(type_) for type_ in public)
    bare = [name for name, description in descriptions if not (description or "").strip()]
    assert not bare, bare


async def test_the_migrations_make_the_tables_that_the_code_has(empty_dsn: str) -> None:
    await migrate.check(empty_dsn)


@pytest.mark.parametrize("facts", [INDEXES, COLUMNS, CONSTRAINTS], ids=["indexes", "columns", "constraints"])
async def test_the_migrations_make_what_the_declarations_say(empty_dsn: str, facts: str) -> None:
    """Alembic compares neither the rows that an index lists nor expressions, checks and the actions of keys."""
    engine = create_async_engine(empty_dsn.replace("postgresql://", "postgresql+asyncpg://", 1))
    async with engine.connect() as connection:
        await connection.execute(sa.text("create schema twin"))
        await connection.execute(sa.text("set local search_path = twin, public"))
        await connection.run_sync(metadata.create_all, checkfirst=False)
        rows = (await connection.execute(sa.text(facts))).all()
        await connection.rollback()
    await engine.dispose()
    by_schema: dict[str, dict[str, str]] = {"twin": {}, "public": {}}
    for schema_name, _, name, definition in rows:
        by_schema[schema_name][_unqualified(name)] = _unqualified(definition)
    declared = by_schema["twin"]
    tables = {table.name for table in metadata.tables.values()}
    migrated = {
        name: definition
        for name, definition in by_schema["public"].items()
        if name in declared or name.split(".")[0] in tables
    }
    assert declared == migrated


def _unqualified(definition: str) -> str:
    return definition.replace("twin.", "").replace("public.", "")


async def test_a_table_with_denormalized_keys_has_the_triggers_that_maintain_them(empty_dsn: str) -> None:
    connection = await asyncpg.connect(empty_dsn)
    try:
        triggers = {tuple(record) for record in await connection.fetch(TRIGGERS)}
    finally:
        await connection.close()
    table_names = [
        table.name
        for table in metadata.tables.values()
        if any(column.info.get(DENORMALIZED_UNIT) for column in table.c)
    ]
    assert triggers == {(table, trigger) for table in table_names for trigger in ("place", "move")}


async def test_rows_about_rows_have_the_triggers_that_let_them_follow(empty_dsn: str) -> None:
    connection = await asyncpg.connect(empty_dsn)
    try:
        triggers = {tuple(record) for record in await connection.fetch(FOLLOWERS)}
    finally:
        await connection.close()
    declared: set[tuple[str, str]] = set()
    for subject, follower in subjects.followers(schema.entities()):
        declared.add((subject.name, f"delete_{follower.name}"))
        owners = {"customer_id", "unit_id", "staff_id"}.intersection(subject.c.keys())
        if "audience" in follower.c and owners and subject.name != "customers":
            declared.add((subject.name, f"move_{follower.name}"))
    assert triggers == declared


def test_every_row_has_a_key_a_version_and_two_times() -> None:
    columns = [
        (table.name, table.c.get(name), column_type)
        for table in entity_tables()
        for name, column_type in BASICS.items()
    ]
    faults = [
        name
        for name, column, column_type in columns
        if column is None or column.nullable or not _has_type(column, column_type)
    ]
    assert not faults, faults


def _has_type(column: sa.Column[object], column_type: type[sa.types.TypeEngine[object]]) -> bool:
    return isinstance(column.type, column_type) and (not isinstance(column.type, sa.DateTime) or column.type.timezone)


def test_every_row_of_a_customer_names_it() -> None:
    optional = optional_tables()
    tables = ((table, table.c.get("customer_id")) for table in customer_tables())
    faults = [table.name for table, key in tables if key is None or bool(key.nullable) is not (table in optional)]
    assert not faults, faults


def test_two_rows_of_a_customer_are_joined_by_a_key_that_names_it() -> None:
    tables = [table for table in customer_tables() if table not in optional_tables()]
    keys = [(table, key) for table in tables for key in table.foreign_key_constraints]
    faults = [
        f"{table.name}: {', '.join(key.columns.keys())} → {key.referred_table.name}"
        for table, key in keys
        if key.referred_table in tables and "customer_id" not in key.columns
    ]
    assert not faults, faults
