"""Runs migrations on the connection of hub/db/migrate.py, or on HUB_DATABASE_URL when called by hand."""

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
from hub.domain.access import login_links, secrets, trusted_documents
from hub.domain.exchange import import_store
from hub.domain.identity import redirects
from hub.domain.jobs import jobs
from hub.domain.matching import tables as matching_tables
from hub.domain.webhooks import webhooks
from hub.domain.work import clock_calendars, code_counters, working_intervals
from hub.model import idempotency, merge_ledger, projections, test_clock, timers
from hub.model.columns import DENORMALIZED_UNIT, SECRET, UNLOGGED, Ltree, metadata
from hub.model.entity import entity_of
from hub.model.subjects import followers
from hub.settings import Settings

# Imports every table into the metadata before alembic compares it with the database.
TABLES = (
    schema.entities(),
    webhooks.WebhookQueue,
    jobs.JobQueue,
    matching_tables.MatchKeys,
    matching_tables.MatchModels,
    import_store.ImportChunk,
    idempotency.IdempotencyRecord,
    login_links.LoginLink,
    secrets.HubSecret,
    trusted_documents.TrustedDocument,
    working_intervals.WorkingInterval,
    clock_calendars.CalendarEdition,
    code_counters.CodeCounter,
    code_counters.CodeDraw,
    test_clock.TestClockRow,
    timers.TimerFailure,
    projections.ProjectionState,
    redirects.CustomerRedirect,
    merge_ledger.MergeRow,
)

# Tables that only SQL functions and hub/db write.
UNDECLARED = ("alembic_version", "change_", "audit_chain", "audit_checkpoints", "audit_head", "audit_pending")

ischema_names["xid8"] = sa.BigInteger  # a type of the change log, which is not compared
ischema_names["ltree"] = Ltree  # so that alembic knows the type when it meets it in the database


def render(type_: str, item: Any, autogen: AutogenContext) -> str | Literal[False]:
    """Renders the hub's own column types by name, so that a generated migration needs no edits."""
    if type_ == "type" and isinstance(item, Ltree):
        autogen.imports.add("from hub.model.columns import Ltree")
        return "Ltree()"
    if type_ == "type" and isinstance(item, sa.Enum):
        values = ", ".join(repr(value) for value in item.enums)
        return f"sa.Enum({values}, name={item.name!r}, native_enum=False, create_constraint=True, length={item.length})"
    return False


directive_rewriter = rewriter.Rewriter()


def _capture_triggers(name: str) -> list[ops.MigrateOperation]:
    """Returns the statements that create the capture triggers of a table; only tables of captured entities have them."""
    table = metadata.tables.get(name)
    if table is None or "version" not in table.c or not entity_of(table).definition.captured:
        return []
    exceptions = [
        f"insert into change_exceptions values ('{name}', '{column.name}', '{reason}') on conflict do nothing"
        for column in table.c
        for reason in (SECRET, UNLOGGED)
        if column.info.get(reason)
    ]
    return [ops.ExecuteSQLOp(statement) for statement in (*exceptions, f"select hub_capture('{name}')")]


@directive_rewriter.rewrites(ops.CreateTableOp)
def with_triggers(_: object, __: object, table: ops.CreateTableOp) -> list[ops.MigrateOperation]:
    """Adds change capture to a new table of the graph, the triggers that keep copied owners right, and statistics of these."""
    return [
        table,
        *_owner_statistics(table),
        *_denormalization_triggers(table),
        *_capture_triggers(table.table_name),
    ]


@directive_rewriter.rewrites(ops.UpgradeOps)
def with_followers(_: object, __: object, changes: ops.UpgradeOps) -> list[ops.MigrateOperation]:
    """Adds the triggers of rows about rows, where one of the two tables is new."""
    created = {operation.table_name for operation in changes.ops if isinstance(operation, ops.CreateTableOp)}
    pairs = [pair for pair in followers(schema.entities()) if created & {table.name for table in pair}]
    calls = (f"select hub_follow_subject('{pair.subject.name}', '{pair.follower.name}')" for pair in pairs)
    changes.ops.extend(map(ops.ExecuteSQLOp, calls))
    return [changes]


@directive_rewriter.rewrites(ops.DropTableOp)
def without_followers(_: object, __: object, table: ops.DropTableOp) -> list[ops.MigrateOperation]:
    """Takes the triggers away that keep rows of a dropped table right."""
    if table.table_name not in {pair.follower.name for pair in followers(schema.entities())}:
        return [table]
    return [ops.ExecuteSQLOp(f"select hub_unfollow_subjects('{table.table_name}')"), table]


@directive_rewriter.rewrites(ops.ModifyTableOps)
def with_recreated_triggers(_: object, __: object, changes: ops.ModifyTableOps) -> list[ops.MigrateOperation]:
    """When columns are added or dropped, the triggers that compare them are created again."""
    columns = any(isinstance(operation, ops.AddColumnOp | ops.DropColumnOp) for operation in changes.ops)
    return [changes, *(_capture_triggers(changes.table_name) if columns else [])]


def _owner_statistics(table: ops.CreateTableOp) -> list[ops.MigrateOperation]:
    """Tells Postgres that a row's owner says which unit it belongs to, where a table has both."""
    names = {column.name for column in table.columns if isinstance(column, sa.Column)}
    if not {"owner_id", "unit_id"} <= names:
        return []
    name = table.table_name
    statement = f"create statistics st_{name}_owner_id_unit_id (dependencies) on owner_id, unit_id from {name}"
    return [ops.ExecuteSQLOp(statement)]


def _denormalization_triggers(table: ops.CreateTableOp) -> list[ops.MigrateOperation]:
    if not any(isinstance(column, sa.Column) and column.info.get(DENORMALIZED_UNIT) for column in table.columns):
        return []
    return [ops.ExecuteSQLOp(f"select hub_place_triggers('{table.table_name}')")]


def include(item: SchemaItem, name: str | None, type_: str, reflected: bool, compared: SchemaItem | None) -> bool:
    """Excludes tables that are not declared in the code."""
    return not (type_ == "table" and reflected and str(name).startswith(UNDECLARED))


def run(connection: sa.Connection) -> None:
    """Runs the alembic command on one connection, in one transaction."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        compare_type=True,
        compare_server_default=False,
        render_item=render,
        include_object=include,
        process_revision_directives=directive_rewriter,
    )
    with context.begin_transaction():
        context.run_migrations()


async def run_standalone() -> None:
    """Runs `alembic …` from a developer's shell."""
    url = Settings().database_url
    if url is None:
        raise SystemExit("set HUB_DATABASE_URL to the server that alembic is to work on")
    engine = create_async_engine(alchemy_url(url.get_secret_value()))
    async with engine.begin() as connection:
        await connection.run_sync(run)


shared_connection: sa.Connection | None = context.config.attributes.get("connection")
if shared_connection is not None:
    run(shared_connection)
else:
    asyncio.run(run_standalone())
