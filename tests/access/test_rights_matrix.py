"""Random roles against the oracle: every root, link, field, figure, group, search and node of what each role may know."""

import gc
import random
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
import random_runs
from conftest import CreateDatabase
from graphql import parse, validate
from oracle import edge_rows
from oracle.compare import ComparisonSummary, EngineComparison, ExecuteStep
from oracle.data import Dataset, load
from oracle.engine import open_engine
from oracle.enumerate_operations import enumerate_operations
from oracle.executor import Oracle
from oracle.roles import hidden_name_documents, random_role, role_oracle
from oracle.script import GeneratedOperation, Step

from hub.engine.catalog.catalog import CatalogEntity
from hub.engine.graphql_types.hidden_members import HiddenMembers
from hub.engine.plan import filters, selections
from hub.engine.plan.predicates import Join
from hub.graph import build
from hub.rights import AccessRule, Mask, RoleVersion
from hub.viewer import Role, Viewer

SEED = str(random_runs.seed())
NOW = datetime(1998, 5, 6, tzinfo=UTC)


@pytest.fixture(scope="module")
async def dsn(create_database: CreateDatabase, demo_dsn: str) -> str:
    new_dsn = await create_database("northwind")
    await edge_rows.add(new_dsn)
    return new_dsn


@pytest.fixture(scope="module")
async def dataset(dsn: str) -> Dataset:
    return await load(dsn, build().catalog)


@pytest.fixture(scope="module")
def oracle(dataset: Dataset) -> Iterator[Oracle]:
    new_oracle = Oracle(build(), dataset)
    gc.collect()
    gc.freeze()
    yield new_oracle
    gc.unfreeze()


@pytest.fixture(scope="module")
async def execute_step(dsn: str) -> AsyncIterator[ExecuteStep]:
    async with open_engine(dsn, build()) as execute:
        yield execute


def viewers(oracle: Oracle, number: int) -> Iterator[Viewer]:
    """A viewer of one role, one of two roles, and one of the first who is bound to a unit."""
    roles = [random_role(index, oracle, NOW, SEED) for index in (2 * number, 2 * number + 1)]
    rng = random.Random(f"{SEED} viewer {number}")
    unit = rng.choice(sorted(oracle.data.rows["OrgUnit"], key=lambda row: row["path"]))
    below = tuple(row["id"] for row in oracle.data.rows["OrgUnit"] if f"{row['path']}.".startswith(f"{unit['path']}."))
    yield viewer(roles[0])
    yield viewer(*roles)
    yield Viewer(None, Role.READER, unit_path=unit["path"], unit_ids=below, roles=(roles[0],))


def viewer(*roles: RoleVersion) -> Viewer:
    return Viewer(None, Role.READER, roles=roles)


def operations(oracle: Oracle, who: Viewer, share: float) -> list[GeneratedOperation]:
    """A share of the operations over the names that the viewer may know."""
    drawn = random.Random(f"{SEED} share")
    enumerated = [op for op in enumerate_operations(oracle, who, NOW, SEED) if drawn.random() < share]
    return [op for op in enumerated if not any(validate(oracle.schema, parse(step.query)) for step in op.steps)]


async def run(oracle: Oracle, execute_step: ExecuteStep, who: Viewer, share: float) -> ComparisonSummary:
    own = role_oracle(oracle, who, NOW)
    return await EngineComparison(own, execute_step, NOW).run(operations(own, who, share), who, shrink=False)


def report(who: Viewer, summary: ComparisonSummary) -> str:
    """The differences, and the rules of the roles that they are for."""
    parts = [f"seed {SEED}"]
    for difference in summary.differences:
        parts += [difference.reason, difference.step.query, repr(difference.step.variables)]
    parts += [str(rule) for role in who.roles for rule in (role.rules or {}).values()]
    return "\n".join(parts)


@random_runs.numbers("pairs of random roles")
async def test_a_role_sees_what_the_oracle_leaves_it(
    oracle: Oracle, execute_step: ExecuteStep, number: int, pytestconfig: pytest.Config
) -> None:
    share = random_runs.size("thousandths of the walk of a random role", pytestconfig) / 1_000
    for who in viewers(oracle, number):
        summary = await run(oracle, execute_step, who, share)
        assert not summary.differences, report(who, summary)
        assert summary.operations


# -- names ----------------------------------------------------------------------------------------------------------------

REFUSALS = {"FIELD_UNKNOWN", "ARGUMENT_UNKNOWN", "VALUE_INVALID"}


async def accepted_names(oracle: Oracle, execute_step: ExecuteStep, who: Viewer) -> list[str]:
    """The documents that name what the roles hide or mask and that are not refused as documents with unknown names."""
    accepted = []
    for query in hidden_name_documents(oracle, who):
        response = await execute_step(Step(query, {}, None), who, NOW)
        codes = {error["extensions"]["code"] for error in response.get("errors", ())}
        if not codes or not codes <= REFUSALS:
            accepted.append(query)
    return accepted


@random_runs.numbers("pairs of random roles")
async def test_what_is_hidden_or_masked_is_unknown_at_every_place(
    oracle: Oracle, execute_step: ExecuteStep, number: int
) -> None:
    for who in viewers(oracle, number):
        assert not await accepted_names(oracle, execute_step, who)


# -- faults that the matrix must find --------------------------------------------------------------------------------------


async def test_a_link_that_skips_its_check_is_noticed(
    oracle: Oracle, execute_step: ExecuteStep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filters, "plan_join", partial(_unchecked_join, filters.plan_join))
    monkeypatch.setattr(selections, "plan_join", filters.plan_join)
    rule = AccessRule("Order", row_filter='{"status": {"eq": "PLACED"}}')
    rules = [AccessRule("Customer"), AccessRule("Identifier"), rule]
    who = viewer(RoleVersion("unchecked", 1, {rule.entity: rule for rule in rules}))
    assert (await run(oracle, execute_step, who, 0.3)).differences


def _unchecked_join(original: Callable[..., Join], *arguments: Any) -> Join:
    return replace(original(*arguments), check_visibility=False)


MASKED = RoleVersion(
    "masked",
    1,
    {
        "Order": AccessRule("Order", masks=frozenset({("net", Mask.NULL)})),
        "Customer": AccessRule("Customer", fields=frozenset({"name", "orders"})),
    },
)


async def test_a_filter_on_a_hidden_column_is_noticed(
    oracle: Oracle, execute_step: ExecuteStep, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = HiddenMembers.keep

    def without_filters(hidden: HiddenMembers, type_name: str, *arguments: Any) -> None:
        if not type_name.endswith("Filter"):
            original(hidden, type_name, *arguments)

    assert not await accepted_names(oracle, execute_step, viewer(MASKED))
    monkeypatch.setattr(HiddenMembers, "keep", without_filters)
    accepted = await accepted_names(oracle, execute_step, viewer(replace(MASKED, version=2)))
    assert any("filter: {tier:" in query for query in accepted)


async def test_an_aggregate_over_masked_values_is_noticed(
    oracle: Oracle, execute_step: ExecuteStep, monkeypatch: pytest.MonkeyPatch
) -> None:
    every_number = property(lambda entity: [c for c in entity.columns.values() if c.scalar.is_number])
    monkeypatch.setattr(CatalogEntity, "aggregable", every_number)
    accepted = await accepted_names(oracle, execute_step, viewer(replace(MASKED, version=3)))
    assert any("stats { sum { net" in query for query in accepted)
