"""The engine against the oracle: operations from a seed, all of the schema under bound keys, and faults planted in the engine.

HUB_ORACLE_SEED replays a run, HUB_ORACLE_OPERATIONS makes it shorter or longer."""

import gc
import os
import random
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import pytest
from conftest import NewDatabase
from oracle import edge_rows, webhook_rows
from oracle.compare import Comparison, Tally
from oracle.data import Data, load, within
from oracle.engine import engine_on
from oracle.enumerate_operations import walk
from oracle.executor import Oracle
from oracle.generate_operation import Generator
from oracle.injected_faults import PLANTED, Plant

from hub import schema
from hub.engine.graphql_types.schema_builder import Graph
from hub.viewer import ADMIN, Role, Viewer

SEED = os.environ.get("HUB_ORACLE_SEED", "1998")
OPERATIONS = int(os.environ.get("HUB_ORACLE_OPERATIONS", "2000"))
AT = datetime(1998, 5, 6, tzinfo=UTC)
FEATURE_SHARE = 0.05
FOUND_SHARE = 0.8
PLANTED_OPERATIONS = 400


@pytest.fixture(scope="module")
def graph() -> Graph:
    return schema.build()


@pytest.fixture(scope="module")
async def dsn(new_database: NewDatabase, demo_dsn: str) -> str:
    """Northwind, and rows that trip a planner up."""
    made = await new_database("northwind")
    await edge_rows.add(made)
    await webhook_rows.add(made)
    return made


@pytest.fixture(scope="module")
async def data(dsn: str, graph: Graph) -> Data:
    return await load(dsn, graph.catalog)


@pytest.fixture(scope="module")
def oracle(graph: Graph, data: Data) -> Iterator[Oracle]:
    made = Oracle(graph, data)
    # Hundreds of thousands of objects that never go away need not be looked through again and again.
    gc.collect()
    gc.freeze()
    yield made
    gc.unfreeze()


@pytest.fixture(scope="module")
async def comparison(dsn: str, graph: Graph, oracle: Oracle) -> AsyncIterator[Comparison]:
    async with engine_on(dsn, graph) as ask:
        yield Comparison(oracle, ask, AT)


def generator(comparison: Comparison, seed: str = SEED) -> Generator:
    oracle = comparison.oracle
    return Generator(oracle.graph, oracle.schema, oracle.data, AT, seed)


def told(tally: Tally) -> str:
    return f"seed {SEED}\n" + "\n\n".join(map(str, tally.differences))


async def test_generated_operations_are_answered_as_the_oracle_answers_them(comparison: Comparison) -> None:
    made = generator(comparison)
    tally = await comparison.run((made.operation(number) for number in range(OPERATIONS)), ADMIN)
    assert not tally.differences, told(tally)
    assert tally.answered >= FOUND_SHARE * tally.operations
    if OPERATIONS >= 500:
        assert {each: n for each, n in tally.features.items() if n < FEATURE_SHARE * tally.operations} == {}


def bound(data: Data, which: str) -> Viewer:
    """A key's viewer: one bound to a leaf of the unit tree, to a unit above it, or to one customer."""
    chance = random.Random(f"{SEED} {which}")
    if which == "customer":
        owners = {each["customer_id"] for each in data.rows["Order"]} & {
            each["customer_id"] for each in data.rows["Contact"]
        }
        return Viewer(None, Role.READER, customer_id=chance.choice(sorted(owners)))
    units = {each["id"]: each for each in data.rows["OrgUnit"]}
    parents = {each["parent_id"] for each in units.values()}
    owning = [units[each["unit_id"]] for each in data.rows["Customer"]]
    path = chance.choice(
        sorted(u["path"] for u in owning if (u["id"] in parents) is (which == "region") and u["parent_id"])
    )
    below = tuple(key for key, unit in units.items() if within(unit["path"], path))
    return Viewer(None, Role.READER, unit_path=path, unit_ids=below)


@pytest.mark.parametrize("which", ["leaf", "region", "customer"])
async def test_a_bound_key_sees_all_of_the_schema_as_the_oracle_cuts_it(comparison: Comparison, which: str) -> None:
    viewer = bound(comparison.oracle.data, which)
    tally = await comparison.run(walk(comparison.oracle, viewer, AT, SEED), viewer)
    assert not tally.differences, told(tally)


@pytest.mark.parametrize("which", ["leaf", "region", "customer"])
async def test_generated_operations_of_a_bound_key_are_answered_as_the_oracle_answers_them(
    comparison: Comparison, which: str
) -> None:
    viewer = bound(comparison.oracle.data, which)
    made = Generator(
        comparison.oracle.graph, comparison.oracle.schema, comparison.oracle.data.seen_by(viewer), AT, which
    )
    tally = await comparison.run((made.operation(number) for number in range(OPERATIONS // 10)), viewer)
    assert not tally.differences, told(tally)


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.name)
async def test_a_planted_fault_is_found(
    dsn: str, graph: Graph, oracle: Oracle, plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant.patch(monkeypatch)
    viewer = bound(oracle.data, plant.binding) if plant.binding else ADMIN
    made = Generator(graph, oracle.schema, oracle.data.seen_by(viewer), AT, SEED)
    operations = walk(oracle, viewer, AT, SEED) if plant.binding else map(made.operation, range(PLANTED_OPERATIONS))
    async with engine_on(dsn, graph) as ask:
        tally = await Comparison(oracle, ask, AT).run(operations, viewer, most=1, shrink=False)
    assert tally.differences, f"{plant.name} was not noticed in {tally.operations} operations"
