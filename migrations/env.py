"""Runs the migration scripts on the connection that hub/db/migrate.py hands over, or on HUB_DATABASE_URL by hand."""

import asyncio
from typing import Any, Literal

import sqlalchemy as sa
from alembic import context
from alembic.autogenerate import rewriter
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.sql.schema import SchemaItem

from hub import schema
from hub.db.migrate import alchemy_url
from hub.domain.access import api_keys, secrets
from hub.model import idempotency
from hub.model.columns import PLACED, Ltree, metadata
from hub.settings import Settings

# Named so that every table stands in the metadata before alembic compares it with the database.
TABLES = (schema.declarations(), idempotency.Kept, api_keys.ApiKey, secrets.Secret)

ischema_names["xid8"] = sa.BigInteger  # of the log of changes, which is not compared
ischema_names["ltree"] = Ltree  # so that alembic knows the type when it meets it in the database


def render(kind: str, item: Any, autogen: AutogenContext) -> str | Literal[False]:
    """The hub's own column types by name, so that a printed migration needs no hand."""
    if kind == "type" and isinstance(item, Ltree):
        autogen.imports.add("from hub.domain.tables import Ltree")
        return "Ltree()"
    if kind == "type" and isinstance(item, sa.Enum):
        values = ", ".join(repr(value) for value in item.enums)
        return f"sa.Enum({values}, name={item.name!r}, native_enum=False, create_constraint=True, length={item.length})"
    return False


printed = rewriter.Rewriter()


def _captures(name: str) -> list[ops.MigrateOperation]:
    """The statement that writes the triggers of a table of the graph: those have a version."""
    known = metadata.tables.get(name)
    return [ops.ExecuteSQLOp(f"select hub_capture('{name}')")] if known is not None and "version" in known.c else []


@printed.rewrites(ops.CreateTableOp)
def with_triggers(_: object, __: object, table: ops.CreateTableOp) -> list[ops.MigrateOperation]:
    """A new table of the graph has its changes captured; rows that are placed in their customer's unit, placed."""
    return [table, *_placing(table), *_captures(table.table_name)]


@printed.rewrites(ops.ModifyTableOps)
def with_columns(_: object, __: object, changes: ops.ModifyTableOps) -> list[ops.MigrateOperation]:
    """When columns come or go, the triggers that compare them are written anew."""
    columns = any(isinstance(each, ops.AddColumnOp | ops.DropColumnOp) for each in changes.ops)
    return [changes, *(_captures(changes.table_name) if columns else [])]


def _placing(table: ops.CreateTableOp) -> list[ops.MigrateOperation]:
    if not any(isinstance(each, sa.Column) and each.info.get(PLACED) for each in table.columns):
        return []
    name, done = table.table_name, "for each row"
    made = (
        f"create trigger place before insert on {name} {done} when (new.unit_id is null) execute function hub_place()"
    )
    moved = f"create trigger move before update of customer_id on {name} {done} execute function hub_place()"
    return [ops.ExecuteSQLOp(made), ops.ExecuteSQLOp(moved)]


def include(item: SchemaItem, name: str | None, kind: str, reflected: bool, compared: SchemaItem | None) -> bool:
    """Leaves out what the database keeps for itself."""
    return not (kind == "table" and reflected and str(name).startswith(("alembic_version", "change_")))


def run(connection: sa.Connection) -> None:
    """Runs what alembic was asked for, on one connection in one transaction."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        compare_type=True,
        compare_server_default=False,
        render_item=render,
        include_object=include,
        process_revision_directives=printed,
    )
    with context.begin_transaction():
        context.run_migrations()


async def by_hand() -> None:
    """`alembic …` on a developer's shell."""
    url = Settings().database_url
    if url is None:
        raise SystemExit("set HUB_DATABASE_URL to the server that alembic is to work on")
    engine = create_async_engine(alchemy_url(url.get_secret_value()))
    async with engine.begin() as connection:
        await connection.run_sync(run)


handed_over: sa.Connection | None = context.config.attributes.get("connection")
if handed_over is not None:
    run(handed_over)
else:
    asyncio.run(by_hand())
