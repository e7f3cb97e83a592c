"""Every mutation, for shipped and random roles: an id of a hidden row is an id of no row, and no hidden row changes.

Inputs are drawn from the schema that each viewer knows. Nothing is committed: the log is read and all is rolled back."""

import json
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
import random_runs
import sqlalchemy as sa
from conftest import CreateDatabase
from matrix_viewers import bound, drawn, random_viewers, shipped_viewers
from mutation_inputs import ABSENT_KEY, MutationInput, MutationInputs, entity_of
from oracle import edge_rows
from oracle.data import public_id
from oracle.writable import runs, unwritable_columns
from rolled_back_writes import COPIED, ID, SUPERSEDED, Effect, Writer, WritesDatabase, open_writes, under_policies
from row_security import forgetting_statements

from hub.domain.access.shipped_roles import shipped_roles
from hub.engine.catalog.catalog import CatalogEntity
from hub.model import rows, scopes, statements
from hub.rights import AccessRule, RoleVersion, Verb
from hub.text_case import camel_case
from hub.viewer import Role, Viewer

SEED = str(random_runs.seed())
NOT_DRAWN = {"webhookDryRun", "segmentPreview"}  # they write nothing


@pytest.fixture(scope="module")
async def writes(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[WritesDatabase]:
    dsn = await create_database("northwind")
    await edge_rows.add(dsn)
    async with open_writes(dsn) as database:
        yield database


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
        assert answers[0] == answers[1] or database.under_policies, f"{where}\n{mutation.value}\n{ids}"


def without_volatile(answer: str) -> str:
    """The response without the ids and times of what was created for it."""
    return re.sub(r'"\d{4}-\d\d-\d\dT[^"]*"', "TIME", ID.sub("ID", answer))


async def check_response(writer: Writer, root: str, value: dict[str, Any], response: dict[str, Any]) -> None:
    """No byte of a hidden row is in the response, no hidden row changes, and no row comes to be hidden."""
    where, text, sent = (
        f"seed {SEED} {root} {value} {writer.viewer}",
        json.dumps(response, ensure_ascii=False),
        json.dumps(value, default=str),
    )
    codes = {error["extensions"]["code"] for error in response.get("errors", ())}
    assert codes.isdisjoint({"INTERNAL", "INTERNAL_ERROR"}), f"{where}\n{text}"
    leaked = {row_id for row_id in ID.findall(text) if row_id in writer.hidden_ids} - set(ID.findall(sent))
    assert not leaked, f"{where}\n{text}"
    names = {name for name in writer.hidden_texts if name in text and name not in sent}
    assert not names, f"{where}\n{names}\n{text}"
    effects = await writer.effects()
    foreign = [*writer.foreign(effects), *unwritable(writer, root, value, effects)]
    assert not foreign, f"{where}\n{foreign}\n{text}"


def unwritable(writer: Writer, root: str, value: dict[str, Any], effects: Sequence[Effect]) -> Iterator[str]:
    """The rows of the mutation's type that no rule lets be written so, and their columns that the caller named."""
    entity = entity_of(writer.database.oracle.graph.catalog, root)
    if entity is None or runs(writer.viewer, root):
        return
    named = {name for row in value.get("rows", [value]) for name in row}
    columns = {column for column in map(str, entity.table.c.keys()) if camel_case(column) in named}
    for effect in effects:
        if effect.entity is entity and not effect.changed <= COPIED | SUPERSEDED:
            changed = columns & effect.changed
            for column in unwritable_columns(writer.past, entity, effect.operation, changed, effect.images):
                yield f"{effect}: {column} may not be written"


async def check_viewer(database: WritesDatabase, viewer: Viewer, share: float = 1, only: str = "") -> None:
    """Checks a share of the mutations that a viewer knows, of those whose names begin with `only`."""
    rng = random.Random(f"{SEED} writes {viewer.role_names} {viewer.binding}")
    writer = Writer.of_viewer(database, viewer)
    inputs = MutationInputs(writer.past.oracle.schema, database.oracle.graph.catalog, writer.visible, rng)
    for root in inputs.roots():
        if root not in NOT_DRAWN and root.startswith(only) and rng.random() < share:
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


@random_runs.values("name", shipped_roles())
async def test_a_shipped_role_writes_nothing_foreign(
    writes: WritesDatabase, name: str, pytestconfig: pytest.Config
) -> None:
    share = random_runs.size("thousandths of the mutations of a role", pytestconfig) / 1_000
    count = random_runs.size("viewers of a role", pytestconfig)
    for viewer in drawn(shipped_viewers(writes.oracle, name, SEED), count, SEED):
        await check_viewer(writes, viewer, share)


@pytest.mark.parametrize("root", ["assignmentEnd", "assignmentLock", "reportCheck", "verificationConfirm"])
async def test_a_command_that_reads_more_than_its_row_answers_for_hidden_ones_as_for_none(
    writes: WritesDatabase, root: str
) -> None:
    before, names = writes.reached["not found"], ("Assignment", "ReportIssue", "Verification")
    hiding = AccessRule("", verbs=frozenset(Verb), row_filter='{"version": {"eq": 0}}')
    role = RoleVersion("hiding", 1, {name: replace(hiding, entity=name) for name in names}, run=frozenset({root}))
    await check_viewer(writes, bound(writes.oracle, "nothing", (role,), SEED), only=root)
    assert writes.reached["not found"] > before


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


@random_runs.numbers("pairs of random roles")
async def test_row_level_security_alone_lets_a_role_write_nothing_foreign(
    writes: WritesDatabase, number: int, pytestconfig: pytest.Config
) -> None:
    share = random_runs.size("thousandths of the mutations without predicates", pytestconfig) / 1_000
    rng, shipped = random.Random(f"{SEED} verbs {number}"), list(shipped_roles())[number % len(shipped_roles())]
    count, reached = random_runs.size("viewers of a role", pytestconfig), Counter[str]()
    roles = random_viewers(writes.oracle, number, writes.now, SEED)
    random_ones = [replace(viewer, roles=tuple(writing(role, rng) for role in viewer.roles)) for viewer in roles]
    for viewer in (
        *drawn(random_ones, count, SEED),
        *drawn(shipped_viewers(writes.oracle, shipped, SEED), count, SEED),
    ):
        async with under_policies(writes, viewer) as database:
            await check_viewer(database, viewer, share)
            reached += database.reached
    assert reached["not found"] > 0, reached


# -- faults that the matrix must find --------------------------------------------------------------------------------------


def unit_writer(writes: WritesDatabase) -> Viewer:
    return bound(writes.oracle, "unit", (shipped_roles()["writer"],), SEED)


async def finds(writes: WritesDatabase, viewer: Viewer, only: str, problem: str) -> bool:
    """Whether the checks of mutations find a fault of this sort; others are raised."""
    with forgetting_statements():
        try:
            await check_viewer(writes, viewer, only=only)
        except AssertionError as error:
            if problem not in str(error):
                raise
            return True
    return False


async def test_a_write_that_skips_the_predicate_of_its_row_is_noticed(
    writes: WritesDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer, problem = unit_writer(writes), "it was hidden"
    assert not await finds(writes, viewer, "contactUpdate", problem)
    monkeypatch.setattr(
        statements, "_key_conditions", lambda table, name, *_: [table.c[name] == sa.bindparam("row_key")]
    )
    assert await finds(writes, viewer, "contactUpdate", problem)


async def test_a_new_row_whose_references_are_not_checked_is_noticed(
    writes: WritesDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer, problem, shown = unit_writer(writes), "it is hidden", scopes.shown
    assert not await finds(writes, viewer, "contactCreate", problem)

    def unless_referenced(table: sa.Table, row: sa.FromClause, *rights: Any) -> Any:
        is_reference = isinstance(row, sa.Alias) and row.name == "customer_id$"
        return None if is_reference else shown(table, row, *rights)

    monkeypatch.setattr(scopes, "shown", unless_referenced)
    assert await finds(writes, viewer, "contactCreate", problem)


async def test_a_column_that_is_written_beyond_the_rule_of_its_row_is_noticed(
    writes: WritesDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = frozenset({Verb.READ, Verb.UPDATE})
    narrow = AccessRule("Product", verbs=update, writable=frozenset())
    wide = AccessRule("Product", verbs=update, row_filter='{"sku": {"eq": "no.such.product"}}')
    roles = [RoleVersion(f"rule{index}", 1, {"Product": rule}) for index, rule in enumerate((narrow, wide))]
    viewer, problem = Viewer(None, Role.READER, roles=tuple(roles)), "may not be written"
    assert not await finds(writes, viewer, "product", problem)
    monkeypatch.setattr(rows, "_limited", lambda *arguments: ())
    assert await finds(writes, viewer, "product", problem)


async def test_without_policies_the_harness_would_find_foreign_effects(writes: WritesDatabase) -> None:
    viewer, problem = unit_writer(writes), "it was hidden"
    async with under_policies(writes, viewer) as database:
        assert not await finds(database, viewer, "contact", problem)
        assert database.reached["done"] > 0
        await database.connection.execute("alter table contacts disable row level security")
        try:
            assert await finds(database, viewer, "contactUpdate", problem)
        finally:
            await database.connection.execute("alter table contacts enable row level security")


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
                    moment = writes.now.isoformat()
                    await writes.run(viewer, document, id=ids[1], at=moment)  # prepares the statement
                    hidden, absent = [await writes.run(viewer, document, id=row_id, at=moment) for row_id in ids]
                    assert "errors" not in absent[0], absent
                    assert hidden == absent, (viewer, entity.name, row["id"])
                looked_for += 1
    assert looked_for > 5
