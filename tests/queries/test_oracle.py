"""The engine against the oracle: operations from a seed, all of the schema under bound keys, and faults planted in the engine."""

import gc
import random
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from uuid import uuid4

import pytest
import random_runs
from conftest import CreateDatabase, execute_sql
from graphql import GraphQLObjectType, GraphQLSchema
from oracle import edge_rows, webhook_rows
from oracle.compare import ComparisonSummary, EngineComparison
from oracle.data import INSIDE_FIELDS, Dataset, is_in_subtree, load
from oracle.engine import open_engine
from oracle.enumerate_operations import enumerate_operations
from oracle.executor import Oracle
from oracle.generate_operation import OperationGenerator
from oracle.injected_faults import INJECTED_FAULTS, InjectedFault
from oracle.roles import role_oracle
from oracle.script import GeneratedOperation

from hub.domain.access.shipped_roles import shipped_roles
from hub.engine.graphql_types.narrowed_schema import narrow
from hub.engine.graphql_types.schema_builder import Schema
from hub.graph import build as build_graph
from hub.rights import CUSTOMER_RIGHTS
from hub.viewer import ADMIN, Role, Viewer

SEED = str(random_runs.seed())
NOW = datetime(1998, 5, 6, tzinfo=UTC)
FEATURE_SHARE = 0.05
ANSWERED_SHARE = 0.8
OPERATIONS_PER_FAULT = 400


@pytest.fixture(scope="module")
def engine_schema() -> Schema:
    return build_graph()


@pytest.fixture(scope="module")
async def dsn(create_database: CreateDatabase, demo_dsn: str) -> str:
    """Northwind, and rows that trip a planner up."""
    new_dsn = await create_database("northwind")
    await edge_rows.add(new_dsn)
    await webhook_rows.add(new_dsn)
    await execute_sql(new_dsn, ADD_HEAD)
    return new_dsn


@pytest.fixture(scope="module")
async def dataset(dsn: str, engine_schema: Schema) -> Dataset:
    return await load(dsn, engine_schema.catalog)


@pytest.fixture(scope="module")
def oracle(engine_schema: Schema, dataset: Dataset) -> Iterator[Oracle]:
    new_oracle = Oracle(engine_schema, dataset)
    # Hundreds of thousands of objects that never go away need not be looked through again and again.
    gc.collect()
    gc.freeze()
    yield new_oracle
    gc.unfreeze()


@pytest.fixture(scope="module")
async def comparison(dsn: str, engine_schema: Schema, oracle: Oracle) -> AsyncIterator[EngineComparison]:
    async with open_engine(dsn, engine_schema) as execute_step:
        yield EngineComparison(oracle, execute_step, NOW)


@pytest.fixture(scope="module")
def comparison_for(
    engine_schema: Schema, oracle: Oracle, comparison: EngineComparison
) -> Callable[[Viewer], EngineComparison]:
    """The comparison by viewer: a customer's own does not know the columns that are not for it, so no document names them."""
    customer_bound = Viewer(None, Role.READER, customer_id=uuid4())
    customers = EngineComparison(role_oracle(oracle, customer_bound, NOW), comparison.execute_step, NOW)
    return lambda viewer: customers if viewer.binding == "customer" else comparison


@pytest.fixture(scope="module")
def operation(oracle: Oracle) -> Callable[[int], GeneratedOperation]:
    """The operations of the seed by number, for a key that sees everything."""
    return cache(OperationGenerator(oracle.graph, oracle.schema, oracle.data, NOW, SEED).operation)


@pytest.fixture(scope="module")
def enumerated_operations(
    comparison_for: Callable[[Viewer], EngineComparison],
) -> Callable[[Viewer], list[GeneratedOperation]]:
    """The operations that ask for all of the schema, by viewer."""
    return cache(lambda viewer: list(enumerate_operations(comparison_for(viewer).oracle, viewer, NOW, SEED)))


def report(tally: ComparisonSummary) -> str:
    return f"seed {SEED}\n" + "\n\n".join(map(str, tally.differences))


def object_type(schema: GraphQLSchema, name: str) -> GraphQLObjectType:
    """The object type of this name."""
    type_ = schema.type_map[name]
    assert isinstance(type_, GraphQLObjectType)
    return type_


def test_a_customers_own_viewer_does_not_know_what_is_about_it_and_not_for_it(engine_schema: Schema) -> None:
    whole, narrowed = (
        {(name, field) for name in schema.catalog.entities for field in object_type(schema.core, name).fields}
        for schema in (engine_schema, narrow(engine_schema, CUSTOMER_RIGHTS))
    )
    inside = {(name, field) for name, fields in INSIDE_FIELDS.items() for field in fields}
    # The other side of a link that it does not know is unknown as well.
    assert whole - narrowed == inside | {("Staff", "customers")}


@random_runs.draws("oracle operations")
async def test_generated_operations_are_answered_as_the_oracle_answers_them(
    comparison: EngineComparison, operation: Callable[[int], GeneratedOperation], draws: int
) -> None:
    tally = await comparison.run(map(operation, range(draws)), ADMIN)
    assert not tally.differences, report(tally)
    assert tally.non_empty >= ANSWERED_SHARE * tally.reading_rows
    if draws >= 500:
        assert {feature: n for feature, n in tally.features.items() if n < FEATURE_SHARE * tally.reading_rows} == {}


def bound_viewer(dataset: Dataset, which: str) -> Viewer:
    """A key's viewer: one bound to a leaf of the unit tree, to a unit above it, or to one customer."""
    rng = random.Random(f"{SEED} {which}")
    if which == "customer":
        owners = {row["customer_id"] for row in dataset.rows["Order"]} & {
            row["customer_id"] for row in dataset.rows["Contact"]
        }
        return Viewer(None, Role.READER, customer_id=rng.choice(sorted(owners)))
    units = {row["id"]: row for row in dataset.rows["OrgUnit"]}
    parents = {row["parent_id"] for row in units.values()}
    owning = [units[row["unit_id"]] for row in dataset.rows["Customer"]]
    path = rng.choice(
        sorted(u["path"] for u in owning if (u["id"] in parents) is (which == "region") and u["parent_id"])
    )
    below = tuple(key for key, unit in units.items() if is_in_subtree(unit["path"], path))
    return Viewer(None, Role.READER, unit_path=path, unit_ids=below)


@random_runs.draws("percent of the walk of a bound key")
@pytest.mark.parametrize("which", ["leaf", "region", "customer"])
async def test_a_bound_key_sees_all_of_the_schema_as_the_oracle_cuts_it(
    oracle: Oracle,
    comparison_for: Callable[[Viewer], EngineComparison],
    enumerated_operations: Callable[[Viewer], list[GeneratedOperation]],
    which: str,
    draws: int,
) -> None:
    viewer = bound_viewer(oracle.data, which)
    tally = await comparison_for(viewer).run(random_runs.spread(enumerated_operations(viewer), draws, which), viewer)
    assert not tally.differences, report(tally)


@random_runs.draws("oracle operations of a bound key")
@pytest.mark.parametrize("which", ["leaf", "region", "customer"])
async def test_generated_operations_of_a_bound_key_are_answered_as_the_oracle_answers_them(
    oracle: Oracle, comparison_for: Callable[[Viewer], EngineComparison], which: str, draws: int
) -> None:
    viewer = bound_viewer(oracle.data, which)
    comparison = comparison_for(viewer)
    operation_generator = OperationGenerator(
        comparison.oracle.graph, comparison.oracle.schema, comparison.oracle.data.visible_to(viewer), NOW, which
    )
    tally = await comparison.run((operation_generator.operation(number) for number in range(draws)), viewer)
    assert not tally.differences, report(tally)


LATER = datetime(2026, 6, 1, tzinfo=UTC)  # job roles hold then
HEAD_SINCE = datetime(2026, 5, 1, tzinfo=UTC)


OWN_LISTS = ("tasks", "workSteps", "notifications")
# The person to whom most steps are addressed leads the unit in which most are done.
ADD_HEAD = """insert into job_roles (staff_id, role, unit_id, from_at)
select (select mode() within group (order by addressee_id) from work_steps), 'HEAD',
    (select mode() within group (order by working_unit_id) from work_steps), '2026-05-01Z'"""


def asking_viewer(dataset: Dataset, which: str) -> Viewer:
    """The viewer of a member of staff, of one who leads a unit, of one with a key of a unit, or of a customer."""
    rows, manager = dataset.rows, (shipped_roles()["manager"],)
    if which == "customer":
        return bound_viewer(dataset, "customer")
    (leader,) = [row["staff_id"] for row in rows["JobRole"] if row["role"] == "HEAD" and row["from_at"] == HEAD_SINCE]
    if which == "head":
        return Viewer(None, Role.READER, staff_id=leader, roles=manager)
    several = {row["id"] for row in rows["WorkStep"] if row["addressee_id"] is None}
    having = [{row["staff_id"] for row in rows["Task"]}, {row["addressee_id"] for row in rows["WorkStep"]}]
    notified = {row["staff_id"] for row in rows["Notification"] if row["row_id"] in several}
    member = min(notified.intersection(*having) - {leader})
    if which == "member":
        return Viewer(None, Role.WRITER, staff_id=member)
    return replace(bound_viewer(dataset, "region"), staff_id=member, roles=manager)


@pytest.mark.parametrize("which", ["member", "head", "unit", "customer"])
async def test_me_is_answered_as_the_oracle_answers_it(
    oracle: Oracle, comparison: EngineComparison, which: str
) -> None:
    viewer = asking_viewer(oracle.data, which)
    own = EngineComparison(role_oracle(oracle, viewer, LATER), comparison.execute_step, LATER)
    operations = [o for o in enumerate_operations(own.oracle, viewer, LATER, SEED) if o.label.startswith("me ")]
    tally = await own.run(operations, viewer)
    assert not tally.differences, report(tally)
    counted = "{ me { %s } }" % " ".join(f"{name} {{ totalCount }}" for name in OWN_LISTS)  # noqa: UP031
    counts = own.oracle.answer(counted, None, viewer, LATER).data["me"]
    if which != "unit":  # what a drawn unit has differs
        assert [bool(counts[name]["totalCount"]) for name in OWN_LISTS] == [which != "customer"] * 3


@pytest.mark.parametrize("plant", INJECTED_FAULTS, ids=lambda plant: plant.name)
async def test_an_injected_fault_is_detected(
    dsn: str,
    engine_schema: Schema,
    oracle: Oracle,
    operation: Callable[[int], GeneratedOperation],
    comparison_for: Callable[[Viewer], EngineComparison],
    enumerated_operations: Callable[[Viewer], list[GeneratedOperation]],
    plant: InjectedFault,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    viewer = bound_viewer(oracle.data, plant.binding) if plant.binding else ADMIN
    revealing = enumerated_operations(viewer) if plant.binding else map(operation, range(OPERATIONS_PER_FAULT))
    plant.patch(monkeypatch)
    async with open_engine(dsn, engine_schema) as execute_step:
        tally = await EngineComparison(comparison_for(viewer).oracle, execute_step, NOW).run(
            revealing, viewer, max_differences=1, shrink=False
        )
    assert tally.differences, f"{plant.name} was not noticed in {tally.operations} operations"
