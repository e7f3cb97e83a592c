"""Every mutation, for shipped and random roles: an id of a hidden row is an id of no row, and no hidden row changes.

Inputs are drawn from the schema that each viewer knows. Nothing is committed: the log is read and all is rolled back."""

import json
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import random_runs
from conftest import CreateDatabase
from matrix_viewers import drawn, random_viewers, shipped_viewers
from mutation_inputs import ABSENT_KEY, MutationInput, MutationInputs
from oracle import edge_rows
from oracle.data import DataRecord, Dataset, load, public_id, read_json
from oracle.executor import Oracle
from oracle.past import VisiblePast
from statement_counter import StatementCounter, count_statements

from hub.app import build_graphql_engine
from hub.db.pool import Pool
from hub.db.transaction import NotASingleInsert, Transaction
from hub.domain.access.shipped_roles import shipped_roles
from hub.engine.catalog.catalog import CatalogEntity
from hub.engine.engine import Engine
from hub.engine.execution import mutations
from hub.engine.request import GraphQLRequest
from hub.graph import build
from hub.rights import RoleVersion, Verb
from hub.settings import Settings
from hub.viewer import Viewer

SEED = str(random_runs.seed())
ID = re.compile(r"\b[a-z]{3}_[0-9a-f]{32}\b")
TEXTS = {"Customer": "name", "Contact": "name", "Identifier": "value", "Staff": "name", "Interaction": "subject"}
# What rows copy from the customer whose they are, and the triggers' own columns.
COPIED = {"owner_id", "unit_id", "version", "updated_at"}
RECORDS = {"stage_moves", "identity_reviews"}  # what the hub writes down about a change of a visible customer
NOT_DRAWN = {"webhookDryRun", "customerErase"}  # the first writes nothing; the second is for administrators


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

    async def run(self, viewer: Viewer, document: str, **variables: Any) -> tuple[dict[str, Any], int]:
        """Runs an operation; gives its response and the number of its statements."""
        self.logged.clear()
        before = self.counter.statements
        request = GraphQLRequest(document, variables, None, now=self.now)
        body: dict[str, Any] = json.loads((await self.engine.execute(request, viewer)).body)
        return body, self.counter.statements - before


@pytest.fixture(scope="module")
async def writes(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[WritesDatabase]:
    dsn = await create_database("northwind")
    await edge_rows.add(dsn)
    connection = await asyncpg.connect(dsn)
    pool = await Pool.open(dsn, Settings(cost_limit=10_000_000), as_owner=True)
    engine, _, _ = await build_graphql_engine(Settings(cost_limit=10_000_000), pool, pool)
    oracle = Oracle(build(), await load(dsn, build().catalog))
    database = WritesDatabase(engine, oracle, connection, datetime.now(UTC))
    last = await connection.fetchval("select coalesce(max(id), 0) from change_log")

    async def roll_back(tx: Transaction) -> None:
        tx.raise_if_failed()
        await tx.run("set constraints all immediate")
        query = "select table_name, row_id, operation, changed, before, after from change_log where id > $1 order by id"
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


# -- what a viewer may change ---------------------------------------------------------------------------------------------


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
        past = VisiblePast(database.oracle, (), viewer, database.now)
        visible, whole = past.oracle.data.visible_to(viewer), database.oracle.data
        shown = {
            record["id"]
            for name, records in visible.rows.items()
            if not past.catalog.entities[name].aggregate_only
            for record in records
        }
        hidden = {name: [row for row in rows if row["id"] not in shown] for name, rows in whole.rows.items()}
        return Writer(
            database,
            viewer,
            past,
            visible,
            hidden,
            frozenset(public_id(whole, row) for rows in hidden.values() for row in rows),
            frozenset(texts(hidden) - texts(visible.rows)),
        )

    async def image(self, table: str, text: str | None) -> DataRecord | None:
        """A row of the log as the oracle holds rows."""
        if text is None:
            return None
        entity = next(e for e in self.database.oracle.graph.catalog.entities.values() if e.table.name == table)
        columns = ", ".join(f'"{c.name}"' + ("::text" if str(c.type) == "LTREE" else "") for c in entity.table.c)
        query = f"select {columns} from jsonb_populate_record(null::{table}, $1::jsonb)"
        record = await self.database.connection.fetchrow(query, text)
        assert record is not None
        json_columns = {column.name for column in entity.table.c if str(column.type) in ("JSONB", "JSON")}
        values = {n: read_json(v) if n in json_columns and isinstance(v, str) else v for n, v in record.items()}
        return {"$type": entity.name, **values}

    def sees(self, image: DataRecord | None) -> bool:
        """Whether the viewer sees the row as it is in the image."""
        entity = self.past.catalog.entities.get(image["$type"]) if image else None
        return entity is not None and not entity.aggregate_only and self.past.shown(entity, image) is not None

    async def foreign_effects(self) -> list[str]:
        """What the last mutation would have done to rows that the viewer does not see."""
        changes = [
            (
                record,
                await self.image(record["table_name"], record["before"]),
                await self.image(record["table_name"], record["after"]),
            )
            for record in self.database.logged
            if record["table_name"] in {e.table.name for e in self.database.oracle.graph.catalog.with_past_rows}
        ]
        created = {record["row_id"] for record, before, _ in changes if before is None}
        deleted = any(record["operation"] == "DELETE" and self.sees(before) for record, before, _ in changes)
        effects = []
        for record, before, after in changes:
            label = f"{record['operation']} {record['table_name']} {record['row_id']} {record['changed']}"
            if before is not None and record["row_id"] not in created and not self.sees(before):
                copied = record["operation"] == "UPDATE" and set(record["changed"]) <= COPIED
                if not copied and not (record["operation"] == "DELETE" and deleted):
                    effects.append(f"{label}: it was hidden")
            new_parent = after is not None and any(
                v in created for k, v in after.items() if k != "id" and isinstance(v, UUID)
            )
            is_record = record["table_name"] in RECORDS
            if before is None and not new_parent and not is_record and not self.sees(after):
                effects.append(f"{label}: it is hidden")
        return effects


def texts(rows: Mapping[str, Iterable[DataRecord]]) -> set[str]:
    """The names and texts of rows that are long enough to know them again."""
    values = (row.get(column) for name, column in TEXTS.items() for row in rows.get(name, ()))
    return {value for value in values if isinstance(value, str) and len(value) > 7}


# -- the two compared -----------------------------------------------------------------------------------------------------


async def check_mutation(writer: Writer, inputs: MutationInputs, mutation: MutationInput, rng: random.Random) -> None:
    """Runs one mutation, and again with each of its ids replaced by one of a hidden row, and by one of no row."""
    document, database = inputs.document(mutation.root), writer.database
    response, _ = await database.run(writer.viewer, document, input=mutation.value)
    await check_response(writer, mutation.root, mutation.value, response)
    database.reached["done"] += bool(database.logged)
    for path, target in mutation.ids:
        if not writer.hidden.get(target):
            continue
        prefix = database.oracle.graph.catalog.entities[target].declaration.prefix
        ids = (public_id(database.oracle.data, rng.choice(writer.hidden[target])), f"{prefix}_{ABSENT_KEY}")
        answers = []
        for new in ids:
            value = mutation.replaced(path, new)
            answer, statements = await database.run(writer.viewer, document, input=value)
            answers.append((without_volatile(json.dumps(answer).replace(new, "ID")), statements))
            await check_response(writer, mutation.root, value, answer)
            codes = {error["extensions"]["code"] for error in answer.get("errors", ())}
            database.reached["not found"] += "NOT_FOUND" in codes
        where = f"seed {SEED} {mutation.root} {path} {writer.viewer.role_names} {writer.viewer.binding}"
        assert answers[0] == answers[1], f"{where}\n{mutation.value}\n{ids}"


def without_volatile(answer: str) -> str:
    """The response without the ids and times of what was created for it."""
    return re.sub(r'"\d{4}-\d\d-\d\dT[^"]*"', "TIME", ID.sub("ID", answer))


async def check_response(writer: Writer, root: str, value: dict[str, Any], response: dict[str, Any]) -> None:
    """No byte of a hidden row is in the response, no hidden row changes, and no row comes to be hidden."""
    where, text, sent = (
        f"seed {SEED} {root} {value} {writer.viewer}",
        json.dumps(response, ensure_ascii=False),
        json.dumps(value),
    )
    codes = {error["extensions"]["code"] for error in response.get("errors", ())}
    assert codes.isdisjoint({"INTERNAL", "INTERNAL_ERROR"}), f"{where}\n{text}"
    leaked = {row_id for row_id in ID.findall(text) if row_id in writer.hidden_ids} - set(ID.findall(sent))
    assert not leaked, f"{where}\n{text}"
    names = {name for name in writer.hidden_texts if name in text and name not in sent}
    assert not names, f"{where}\n{names}\n{text}"
    effects = await writer.foreign_effects()
    assert not effects, f"{where}\n{effects}\n{text}"


async def check_viewer(database: WritesDatabase, viewer: Viewer, share: float) -> None:
    """Checks a share of the mutations that a viewer knows."""
    rng = random.Random(f"{SEED} writes {viewer.role_names} {viewer.binding}")
    writer = Writer.of_viewer(database, viewer)
    inputs = MutationInputs(writer.past.oracle.schema, database.oracle.graph.catalog, writer.visible, rng)
    for root in inputs.roots():
        if root not in NOT_DRAWN and rng.random() < share:
            await check_mutation(writer, inputs, inputs.draw(root), rng)


def writing(role: RoleVersion, rng: random.Random) -> RoleVersion:
    """The role with verbs of its own for each type."""
    verbs = [
        frozenset({Verb.READ}),
        frozenset(Verb),
        frozenset({Verb.READ, Verb.CREATE}),
        frozenset({Verb.READ, Verb.UPDATE}),
    ]
    rules = {
        name: rule if rule.aggregate_only else replace(rule, verbs=rng.choice(verbs))
        for name, rule in (role.rules or {}).items()
    }
    return RoleVersion(f"{role.name} writes", 1, rules)


@pytest.mark.parametrize("name", [name for name in shipped_roles() if name not in ("admin", "reader", "analyst")])
async def test_a_shipped_role_writes_nothing_foreign(
    writes: WritesDatabase, name: str, pytestconfig: pytest.Config
) -> None:
    share = random_runs.size("thousandths of the mutations of a role", pytestconfig) / 1_000
    count = random_runs.size("viewers of a role", pytestconfig)
    for viewer in drawn(shipped_viewers(writes.oracle, name, SEED), count, SEED):
        await check_viewer(writes, viewer, share)


@random_runs.numbers("pairs of random roles")
async def test_a_random_role_writes_nothing_foreign(
    writes: WritesDatabase, number: int, pytestconfig: pytest.Config
) -> None:
    share = random_runs.size("thousandths of the mutations of a role", pytestconfig) / 1_000
    rng = random.Random(f"{SEED} verbs {number}")
    count = random_runs.size("viewers of a role", pytestconfig)
    for viewer in drawn(random_viewers(writes.oracle, number, writes.now, SEED), count, SEED):
        await check_viewer(writes, replace(viewer, roles=tuple(writing(role, rng) for role in viewer.roles)), share)
    assert writes.reached["not found"] > 0, writes.reached
    assert writes.reached["done"] > 0, writes.reached


# -- reads ----------------------------------------------------------------------------------------------------------------


NODES = """query ($id: ID!, $at: DateTime!) {
    node(id: $id) { id } nodes(ids: [$id]) { id } nodeAsOf(id: $id, at: $at) { id } }"""


def look_ups(entity: CatalogEntity) -> str:
    """A document that looks for one row of a type in every way that takes its id."""
    single, plural = entity.declaration.singular, entity.declaration.plural
    return f"""query ($id: ID!, $at: DateTime!) {{ one: {single}(id: $id) {{ id }}
        listed: {plural}(filter: {{id: {{eq: $id}}}}) {{ totalCount nodes {{ id }} }}
        past: {single}(id: $id, asOf: $at) {{ id }} }}"""


@pytest.mark.parametrize("name", ["manager", "agent", "customer"])
async def test_a_hidden_row_is_no_row_and_takes_as_many_statements(
    writes: WritesDatabase, name: str, pytestconfig: pytest.Config
) -> None:
    looked_for, count = 0, random_runs.size("viewers of a role whose past is compared", pytestconfig)
    bindings = {"unrestricted"} if name != "agent" else set()
    narrow = [viewer for viewer in shipped_viewers(writes.oracle, name, SEED) if viewer.binding not in bindings]
    for viewer in drawn(narrow, count, SEED):
        writer = Writer.of_viewer(writes, viewer)
        for entity in writer.past.entities:
            for row in writer.hidden[entity.name][:1]:
                ids = (public_id(writes.oracle.data, row), f"{entity.declaration.prefix}_{ABSENT_KEY}")
                for document in (look_ups(entity), NODES):
                    at = writes.now.isoformat()
                    await writes.run(viewer, document, id=ids[1], at=at)  # prepares the statement
                    hidden, absent = [await writes.run(viewer, document, id=row_id, at=at) for row_id in ids]
                    assert "errors" not in absent[0], absent
                    assert hidden == absent, (viewer, entity.name, row["id"])
                looked_for += 1
    assert looked_for > 5
