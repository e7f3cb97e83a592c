"""Row-level security in place of the engine's predicates: what Postgres itself shows a viewer. For tests alone.

`row_security_engine` is the entry point: an engine for one viewer that adds no predicate of rows to its statements, on a
database whose policies are compiled from the same rights. Hidden and masked columns stay the engine's."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa

from hub import graph
from hub.app import build_graphql_engine
from hub.db.pool import Pool
from hub.db.sql_text import DIALECT
from hub.domain.access import roles
from hub.domain.customers import identify, lookup
from hub.domain.identity import redirects
from hub.domain.work import calendars, notifications
from hub.engine.engine import Engine
from hub.engine.sql import row_filters
from hub.engine.sql.expressions import AliasGenerator
from hub.engine.sql.history import row_image
from hub.model import scopes, statements
from hub.runtime_login import RUNTIME_ROLE
from hub.settings import Settings
from hub.viewer import Viewer

InstallPolicies = Callable[[asyncpg.Connection, Viewer], Awaitable[None]]


@asynccontextmanager
async def row_security_engine(
    dsn: str, viewer: Viewer, settings: Settings | None = None, *further: InstallPolicies
) -> AsyncIterator[Engine]:
    """Installs the viewer's policies in a database, and yields an engine that relies on them alone.

    `further` installs policies beside those of what is read."""
    settings = settings or Settings()
    connection = await asyncpg.connect(dsn)
    try:
        for install in (install_policies, *further):
            await install(connection, viewer)
    finally:
        await connection.close()
    pool = Pool(dsn, settings, {"hub.viewer": viewer_name(viewer)})
    try:
        with without_predicates(), pytest.MonkeyPatch.context() as patch:
            patch.setattr(roles, "store_shipped_roles", _store_nothing)
            patch.setattr(calendars, "refresh_holidays", _store_nothing)
            engine, _, _ = await build_graphql_engine(settings, pool, pool)
            yield engine
    finally:
        await pool.close()


UNBOUND = "unbound"  # the schema of views of all tables that no policy binds


class UnboundAliases(AliasGenerator):
    """Aliases of views that show all rows: what a role's filter says of a cell, it says whatever its viewer sees."""

    def for_table(self, table: sa.FromClause) -> sa.FromClause:
        """The view of a table under a fresh alias."""
        if not isinstance(table, sa.Table):
            return super().for_table(table)
        columns = (sa.column(column.name, column.type) for column in table.c)
        return sa.table(table.name, *columns, schema=UNBOUND).alias(self.next())


async def _store_nothing(pool: Pool, now: object) -> None:
    """Stands for what a start writes, which the viewer may not."""


@contextmanager
def without_predicates() -> Iterator[None]:
    """Removes every predicate of rows from the statements that are compiled in the block; what cells show stays."""
    with forgetting_statements(), pytest.MonkeyPatch.context() as patch:
        for name in ("visible", "visible_image"):
            patch.setattr(scopes, name, lambda *arguments, **options: None)
        patch.setattr(row_filters, "AliasGenerator", UnboundAliases)
        yield


@contextmanager
def forgetting_statements() -> Iterator[None]:
    """Statements that are compiled in the block are compiled for it, and for nothing after it."""
    _forget_statements()
    try:
        yield
    finally:
        _forget_statements()


def _forget_statements() -> None:
    for module in (statements, lookup, identify, notifications, redirects):
        for member in vars(module).values():
            if hasattr(member, "cache_clear"):
                member.cache_clear()


def viewer_name(viewer: Viewer) -> str:
    """The name that the policies know the viewer by."""
    key = (viewer.key_id, viewer.role, viewer.unit_ids, viewer.customer_id, viewer.staff_id, viewer.role_names)
    return re.sub(r"\W", "", f"v{hash(key):x}")


async def install_policies(connection: asyncpg.Connection, viewer: Viewer) -> None:
    """Shows the role that serves, in sessions whose `hub.viewer` names the viewer, the rows that the viewer may see.

    Each policy asks a function of the owner, whom no policy binds, so that policies do not refer to each other. Without
    `hub.viewer` nothing is shown. Writes are not checked: write_policies.py does that."""
    name, tables = viewer_name(viewer), [declaration.table for declaration in graph.declarations()]
    images = []
    await connection.execute(
        f"create schema if not exists {UNBOUND}; grant usage on schema {UNBOUND} to {RUNTIME_ROLE}"
    )
    for table in tables:
        view = f"{UNBOUND}.{table.name}"
        await connection.execute(f"create or replace view {view} as select * from public.{table.name}")
        await connection.execute(f"grant select on {view} to {RUNTIME_ROLE}")
        condition = scopes.visible(table, table, viewer.rights)
        shown = row_exists(table, viewer, table.c.id == sa.literal_column("row_key"), condition)
        await connection.execute(policy_function(f"rls_{name}_{table.name}", "row_key uuid", shown))
        await _create_policy(connection, table.name, name, f"rls_{name}_{table.name}(id)")
        image = row_image(AliasGenerator(viewer.rights), table, sa.literal_column("image$"))
        image_exists = row_exists(image, viewer, scopes.visible_image(table, image, viewer.rights))
        images.append(
            f"when '{table.name}' then exists (select from (values (before), (after)) as images$ (image$)"
            f" where image$ is not null and {image_exists})"
        )
    condition_of_images = f"case table_name {' '.join(images)} else false end"
    arguments = "table_name text, before jsonb, after jsonb"
    await connection.execute(policy_function(f"rls_{name}_images", arguments, condition_of_images))
    await _create_policy(connection, "change_log", name, f"rls_{name}_images(table_name, before, after)")


async def _create_policy(connection: asyncpg.Connection, table: str, name: str, condition: str) -> None:
    await connection.execute(f"""
        alter table {table} enable row level security;
        drop policy if exists {name} on {table};
        create policy {name} on {table} to {RUNTIME_ROLE} using ({shown_to(name, condition)}) with check (true)""")


def shown_to(name: str, condition: str) -> str:
    """A condition for sessions of one viewer."""
    return f"current_setting('hub.viewer', true) = '{name}' and {condition}"


def policy_function(name: str, argument: str, condition: str) -> str:
    """The statement that defines a condition as a function of the owner, whom no policy binds."""
    return f"""
        create or replace function {name}({argument}) returns boolean
        language sql stable security definer as $$ select {condition} $$"""


def row_exists(rows: sa.FromClause, viewer: Viewer, *conditions: sa.ColumnElement[bool] | None) -> str:
    """The text of whether a row meets all conditions, with the viewer's values in it."""
    present = [condition for condition in conditions if condition is not None]
    query: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(rows).where(*present)
    compiled = query.compile(dialect=DIALECT, compile_kwargs={"render_postcompile": True})
    values = [scopes.viewer_argument(name, viewer) for name in compiled.positiontup or ()]
    text = re.sub(r"\$(\d+)(?=::)", lambda part: _literal(values[int(part[1]) - 1]), str(compiled))
    return f"exists ({text})"


def _literal(value: Any) -> str:
    """A value as SQL; a value of JSON comes as a text."""
    if value is None:
        return "null"
    if isinstance(value, tuple | list):
        items = (str(item).replace("\\", "\\\\").replace('"', '\\"') for item in value)
        return _quoted("{" + ",".join(f'"{item}"' for item in items) + "}")
    return _quoted(str(value))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
