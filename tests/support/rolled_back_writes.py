"""Mutations that are rolled back, with what they would have changed, and what of it a viewer may not change.

`open_writes` is the entry point; a `Writer` says what one viewer sees, does not see, and may write."""

import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from oracle.data import DataRecord, Dataset, load, public_id, read_json
from oracle.engine import SETTINGS
from oracle.executor import Oracle
from oracle.past import VisiblePast
from row_security import row_security_engine
from statement_counter import StatementCounter, count_statements
from write_policies import install_write_policies

from hub.app import build_graphql_engine
from hub.db.pool import Pool
from hub.db.transaction import NotASingleInsert, Transaction
from hub.engine.catalog.catalog import CatalogEntity
from hub.engine.engine import Engine
from hub.engine.execution import mutations
from hub.engine.request import GraphQLRequest
from hub.graph import build
from hub.viewer import Viewer

ID = re.compile(r"\b[a-z]{3}_[0-9a-f]{32}\b")
TEXTS = {"Customer": "name", "Contact": "name", "Identifier": "value", "Staff": "name", "Interaction": "subject"}
# What rows copy from the customer whose they are, and the triggers' own columns.
COPIED = {"owner_id", "unit_id", "version", "updated_at"}
SUPERSEDED = {"current", "superseded_at"}  # of a row that was current until another one was recorded
TOTALS = {"net", "total"}  # of an order, which follow from its items
REFUSED_BY_POLICY = "REFUSED_BY_POLICY"  # stands for what clients are told of an error that nobody expects
# What the hub writes down about a change of a row that the viewer sees, and whom it tells of it.
RECORDS = {"stage_moves", "identity_reviews", "moves", "notifications", "verifications"}
# Columns of rows about a row that the viewer sees, which follow from its change: what was claimed of it becomes stale.
FOLLOWING = {"verifications": {"status"}}


@dataclass
class WritesDatabase:
    """An engine whose mutations are rolled back, the oracle of its rows, and what the last mutation would have changed."""

    engine: Engine
    oracle: Oracle
    connection: asyncpg.Connection
    now: datetime
    logged: list[Any] = field(default_factory=list)
    reached: Counter[str] = field(default_factory=Counter)
    counter: StatementCounter = field(default_factory=StatementCounter)
    dsn: str = ""
    under_policies: bool = False  # Postgres alone limits the rows

    async def run(self, viewer: Viewer, document: str, **variables: Any) -> tuple[dict[str, Any], int]:
        """Runs an operation; gives its response and the number of its statements."""
        self.logged.clear()
        before = self.counter.statements
        request = GraphQLRequest(document, variables, None, now=self.now)
        try:
            with self.counter.counting_own():
                body: dict[str, Any] = json.loads((await self.engine.execute(request, viewer)).body)
        except Exception as error:
            if not (self.under_policies and is_refused_by_policy(error)):
                raise
            body = {"data": None, "errors": [{"extensions": {"code": REFUSED_BY_POLICY}}]}
        return body, self.counter.statements - before


def is_refused_by_policy(error: BaseException | None) -> bool:
    """Whether Postgres refused a statement for want of rights, which the engine passes on as an error that nobody expects."""
    while error is not None:
        if isinstance(error, asyncpg.InsufficientPrivilegeError):
            return True
        error = error.__cause__ or error.__context__
    return False


@asynccontextmanager
async def open_writes(dsn: str) -> AsyncIterator[WritesDatabase]:
    """An engine on a database, in which nothing is committed during the block."""
    connection = await asyncpg.connect(dsn)
    pool = await Pool.open(dsn, SETTINGS, as_owner=True)
    engine, _, _ = await build_graphql_engine(SETTINGS, pool, pool)
    oracle = Oracle(build(), await load(dsn, build().catalog))
    database = WritesDatabase(engine, oracle, connection, datetime.now(UTC), dsn=dsn)
    last = await connection.fetchval("select coalesce(max(id), 0) from change_log")
    # The log as it is, whatever policies show of it.
    await connection.execute("""
        create function logged_after(bigint) returns setof change_log language sql security definer
        as 'select * from change_log where id > $1 order by id'""")

    async def roll_back(tx: Transaction) -> None:
        tx.raise_if_failed()
        await tx.run("set constraints all immediate")
        query = "select table_name, row_id, operation, changed, before, after from logged_after($1)"
        database.logged += await tx.connection.fetch(query, last)
        await tx.run("rollback")

    async def never(*arguments: object) -> None:
        raise NotASingleInsert

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Transaction, "finish", roll_back)
        patch.setattr(mutations, "execute_single_statement", never)
        with count_statements() as database.counter:
            yield database
    await pool.close()
    await connection.close()


@asynccontextmanager
async def under_policies(database: WritesDatabase, viewer: Viewer) -> AsyncIterator[WritesDatabase]:
    """The same rows with an engine for one viewer that relies on policies alone."""
    async with row_security_engine(database.dsn, viewer, SETTINGS, install_write_policies) as engine:
        yield replace(database, engine=engine, reached=Counter(), under_policies=True)


@dataclass(frozen=True)
class Effect:
    """A change that a mutation would have made, with the row before and after as the oracle holds rows."""

    entity: CatalogEntity
    row_id: UUID
    operation: str
    changed: frozenset[str]
    before: DataRecord | None
    after: DataRecord | None

    @property
    def images(self) -> list[DataRecord]:
        """The row before and after, as far as there are both."""
        return [image for image in (self.before, self.after) if image is not None]

    def __str__(self) -> str:
        return f"{self.operation} {self.entity.table.name} {self.row_id} {sorted(self.changed)}"


@dataclass(frozen=True)
class Writer:
    """A viewer, what it sees, and what it does not."""

    database: WritesDatabase
    viewer: Viewer
    past: VisiblePast
    visible: Dataset
    hidden: dict[str, list[DataRecord]]
    hidden_ids: frozenset[str]
    hidden_texts: frozenset[str]

    @staticmethod
    def of_viewer(database: WritesDatabase, viewer: Viewer) -> "Writer":
        """The viewer over all rows of the database."""
        past = VisiblePast(database.oracle, (), viewer, database.now)
        visible, whole = past.oracle.data.visible_to(viewer), database.oracle.data
        shown = {
            record["id"]
            for name, records in visible.rows.items()
            if not past.catalog.entities[name].aggregate_only
            for record in records
        } | {viewer.staff_id}  # who asks knows itself
        hidden = {name: [row for row in rows if row["id"] not in shown] for name, rows in whole.rows.items()}
        return Writer(
            database,
            viewer,
            past,
            visible,
            hidden,
            frozenset(public_id(whole, row) for rows in hidden.values() for row in rows) - mentioned_ids(visible.rows),
            frozenset(hidden_texts(hidden, visible.rows)),
        )

    async def effects(self) -> list[Effect]:
        """What the last mutation would have done."""
        entities = {entity.table.name: entity for entity in self.database.oracle.graph.catalog.with_past_rows}
        return [
            Effect(
                entity,
                record["row_id"],
                record["operation"],
                frozenset(record["changed"]),
                await self._image(entity, record["row_id"], record["before"]),
                await self._image(entity, record["row_id"], record["after"]),
            )
            for record in self.database.logged
            if (entity := entities.get(record["table_name"])) is not None
        ]

    async def _image(self, entity: CatalogEntity, row_id: UUID, text: str | None) -> DataRecord | None:
        """A row of the log as the oracle holds rows; one that was erased as it was before."""
        if text is None:
            return None
        if json.loads(text).get("erased"):
            return self.database.oracle.data.get(entity.name, row_id)
        columns = ", ".join(f'"{c.name}"' + ("::text" if str(c.type) == "LTREE" else "") for c in entity.table.c)
        query = f"select {columns} from jsonb_populate_record(null::{entity.table.name}, $1::jsonb)"
        record = await self.database.connection.fetchrow(query, text)
        assert record is not None
        json_columns = {column.name for column in entity.table.c if str(column.type) in ("JSONB", "JSON")}
        values = {n: read_json(v) if n in json_columns and isinstance(v, str) else v for n, v in record.items()}
        return {"$type": entity.name, **values}

    def sees(self, image: DataRecord | None) -> bool:
        """Whether the viewer sees the row as it is in the image."""
        entity = self.past.catalog.entities.get(image["$type"]) if image else None
        return entity is not None and not entity.aggregate_only and self.past.shown(entity, image) is not None

    def is_record(self, effect: Effect) -> bool:
        """Whether the hub writes the row itself, about a row that the viewer sees or about none."""
        return effect.entity.table.name in RECORDS and (
            (effect.after or {}).get("row_id") is None or self.is_about_visible(effect)
        )

    def is_about_visible(self, effect: Effect) -> bool:
        """Whether the row is about one that the viewer sees."""
        about = (effect.after or {}).get("row_id")
        return any(self.visible.get(name, about) is not None for name in self.visible.rows)

    def follows(self, effect: Effect) -> bool:
        """Whether nothing changes but what follows from the change of a row that the viewer sees."""
        columns = FOLLOWING.get(effect.entity.table.name, set())
        return effect.operation == "UPDATE" and effect.changed <= columns | COPIED and self.is_about_visible(effect)

    def foreign(self, effects: Iterable[Effect]) -> list[str]:
        """The effects on rows that the viewer does not see."""
        effects = list(effects)
        created = {effect.row_id for effect in effects if effect.before is None}
        deleted = [effect for effect in effects if effect.operation == "DELETE"]
        # What belongs to a row that the viewer deletes goes with it, whether the viewer sees it or not.
        gone = {effect.row_id for effect in deleted} if any(self.sees(effect.before) for effect in deleted) else set()
        foreign = []
        for effect in effects:
            if effect.before is not None and effect.row_id not in created and not self.sees(effect.before):
                derived = COPIED | (TOTALS if effect.entity.name == "Order" else set())
                copied = effect.operation == "UPDATE" and effect.changed - emptied_columns(effect, gone) <= derived
                if not copied and not self.follows(effect) and not (effect.operation == "DELETE" and gone):
                    foreign.append(f"{effect}: it was hidden")
            new_parent = effect.after is not None and any(
                v in created for k, v in effect.after.items() if k != "id" and isinstance(v, UUID)
            )
            if effect.before is None and not new_parent and not self.is_record(effect) and not self.sees(effect.after):
                foreign.append(f"{effect}: it is hidden")
        return foreign


def emptied_columns(effect: Effect, gone: Collection[UUID]) -> set[str]:
    """The columns that named a deleted row before, and name none after."""
    before, after = effect.before or {}, effect.after or {}
    return {name for name in effect.changed if before.get(name) in gone and after.get(name) is None}


def mentioned_ids(rows: Mapping[str, Iterable[DataRecord]]) -> set[str]:
    """The ids that stand in texts of rows."""
    values = (value for records in rows.values() for row in records for value in row.values() if isinstance(value, str))
    return {row_id for value in values for row_id in ID.findall(value)}


def hidden_texts(hidden: Mapping[str, Iterable[DataRecord]], visible: Mapping[str, Iterable[DataRecord]]) -> set[str]:
    """The texts of hidden rows that stand in no value of a visible row."""
    values = (value for records in visible.values() for row in records for value in row.values())
    shown = "\n".join({str(value) for value in values if isinstance(value, str | list | dict)})
    return {text for text in texts(hidden) if text not in shown}


def texts(rows: Mapping[str, Iterable[DataRecord]]) -> set[str]:
    """The names and texts of rows that are long enough to know them again."""
    values = (row.get(column) for name, column in TEXTS.items() for row in rows.get(name, ()))
    return {value for value in values if isinstance(value, str) and len(value) > 7}
