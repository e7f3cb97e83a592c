"""Shipped and random roles against the oracle: every root, link, field, figure, group, search and node of what each may know.

The past, changes and live queries of the same viewers stand in test_rights_past.py, their writes in test_rights_writes.py."""

import gc
import random
import re
from collections.abc import AsyncIterator, Callable, Iterator, Set
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
import random_runs
from conftest import CreateDatabase
from graphql import parse, validate
from matrix_viewers import drawn, random_viewers, shipped_viewers
from oracle import edge_rows, webhook_rows
from oracle.compare import ComparisonSummary, EngineComparison, ExecuteStep
from oracle.data import Dataset, load
from oracle.engine import SETTINGS, open_engine, steps_of
from oracle.enumerate_operations import enumerate_operations
from oracle.executor import Oracle
from oracle.hidden_inputs import hidden_input_documents
from oracle.hidden_names import hidden_name_documents
from oracle.roles import role_oracle
from oracle.script import GeneratedOperation, Step
from row_security import row_security_engine

from hub.domain.access.shipped_roles import shipped_roles
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
async def databases(create_database: CreateDatabase, demo_dsn: str) -> tuple[str, str]:
    """A database, and a copy of it for policies."""
    new_dsn = await create_database("northwind")
    await edge_rows.add(new_dsn)
    await webhook_rows.add(new_dsn)
    return new_dsn, await create_database(new_dsn.rpartition("/")[2])


@pytest.fixture(scope="module")
def dsn(databases: tuple[str, str]) -> str:
    return databases[0]


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


def viewers(config: pytest.Config) -> int:
    """How many viewers of a role are tried."""
    return random_runs.size("viewers of a role", config)


def viewer(*roles: RoleVersion) -> Viewer:
    return Viewer(None, Role.READER, roles=roles)


def operations(oracle: Oracle, who: Viewer, share: float) -> list[GeneratedOperation]:
    """A share of the operations over the names that the viewer may know."""
    rng = random.Random(f"{SEED} share")
    enumerated = [op for op in enumerate_operations(oracle, who, NOW, SEED, 1) if rng.random() < share]
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
    for who in drawn(random_viewers(oracle, number, NOW, SEED), viewers(pytestconfig), SEED):
        summary = await run(oracle, execute_step, who, share)
        assert not summary.differences, report(who, summary)
        assert summary.operations


@random_runs.values("name", shipped_roles())
async def test_a_shipped_role_sees_what_the_oracle_leaves_it(
    oracle: Oracle, execute_step: ExecuteStep, name: str, pytestconfig: pytest.Config
) -> None:
    share = random_runs.size("thousandths of the walk of a shipped role", pytestconfig) / 1_000
    for who in drawn(shipped_viewers(oracle, name, SEED), viewers(pytestconfig), SEED):
        summary = await run(oracle, execute_step, who, share)
        assert not summary.differences, report(who, summary)


@random_runs.numbers("pairs of random roles")
async def test_row_level_security_alone_shows_a_role_no_foreign_row(
    oracle: Oracle, databases: tuple[str, str], number: int, pytestconfig: pytest.Config
) -> None:
    share = random_runs.size("thousandths of the walk without predicates", pytestconfig) / 1_000
    shipped = list(shipped_roles())[number % len(shipped_roles())]
    every = (*random_viewers(oracle, number, NOW, SEED), *shipped_viewers(oracle, shipped, SEED))
    for who in drawn(every, 2 * viewers(pytestconfig), SEED):
        async with row_security_engine(databases[1], who, SETTINGS) as engine:
            summary = await run(oracle, steps_of(engine), who, share)
        assert not summary.differences, report(who, summary)


# -- names ----------------------------------------------------------------------------------------------------------------

SUGGESTION = re.compile(r" ?(Did you mean [^?]*\?|The schema lists [^.]*\.)")


async def accepted_names(
    oracle: Oracle, execute_step: ExecuteStep, who: Viewer, share: float = 1, containing: str = ""
) -> list[str]:
    """The documents that name what the roles hide or mask and that are not refused exactly as those with unknown names.

    `containing` is a text that only the documents to be tried have."""
    accepted, rng = [], random.Random(f"{SEED} names")
    for document in (*hidden_name_documents(oracle, who), *hidden_input_documents(oracle, who)):
        if containing in document.query and rng.random() < share:
            known, unknown = [
                await refusal(execute_step, query, who, document.names) for query in (document.query, document.unknown)
            ]
            accepted += [f"{document.query}\n{known}\n{unknown}"] if known is None or known != unknown else []
    return accepted


async def refusal(execute_step: ExecuteStep, query: str, who: Viewer, names: Set[str]) -> Any:
    """The errors of a document without these names, places and suggestions; None where data or a suggestion shows one."""
    response = await execute_step(Step(query, {}, None), who, NOW)
    if response.get("data") is not None:
        return None
    refused = []
    for error in response["errors"]:
        message, name = str(error["message"]), re.compile(r"\b(" + "|".join(sorted(names)) + r")\b")
        # A name that is suggested is one that the viewer knows.
        if any(name.search(part) for part in re.findall(r"Did you mean [^?]*\?", message)):
            return None
        message = re.sub(r"[.,] [Ff]ound:", ". Found:", SUGGESTION.sub("", message)).rstrip(". ")
        message = re.sub(r"\s+", " ", message)  # a longer name may break a line of what was found
        refused.append((name.sub("NAME", message), error["extensions"]["code"], error.get("path")))
    return refused


@random_runs.numbers("pairs of random roles")
async def test_what_is_hidden_or_masked_is_unknown_at_every_place(
    oracle: Oracle, execute_step: ExecuteStep, number: int, pytestconfig: pytest.Config
) -> None:
    share = random_runs.size("thousandths of the names of a random role", pytestconfig) / 1_000
    for who in drawn(random_viewers(oracle, number, NOW, SEED), viewers(pytestconfig), SEED):
        accepted = await accepted_names(oracle, execute_step, who, share)
        assert not accepted, "\n".join(accepted[:5])


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

    assert not await accepted_names(oracle, execute_step, viewer(MASKED), containing="customers(filter: {")
    monkeypatch.setattr(HiddenMembers, "keep", without_filters)
    unnamed = viewer(replace(MASKED, version=2))
    accepted = await accepted_names(oracle, execute_step, unnamed, containing="customers(filter: {")
    assert any("filter: {tier:" in query for query in accepted)


async def test_an_aggregate_over_masked_values_is_noticed(
    oracle: Oracle, execute_step: ExecuteStep, monkeypatch: pytest.MonkeyPatch
) -> None:
    every_number = property(lambda entity: [c for c in entity.columns.values() if c.scalar.is_number])
    monkeypatch.setattr(CatalogEntity, "aggregable", every_number)
    unnamed = viewer(replace(MASKED, version=3))
    accepted = await accepted_names(oracle, execute_step, unnamed, containing="{ orders { stats {")
    assert any("stats { sum { net" in query for query in accepted)
