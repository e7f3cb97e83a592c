"""Budgets of cost points over HTTP: charged before, settled after, refused with the time to come back.

The clock of the budgets is the tests'."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
import pytest
from change_workload import wait_until
from conftest import CreateDatabase, create_api_key
from limited_keys import BudgetHub, limit_key, run_budget_hub

from hub.client_limits import ClientLimits, CostBudget, combine
from hub.domain.access.key_limits import LimitChanges
from hub.engine.budgets import CostAccount, CostAccounts, ProcessBuckets, payer
from hub.engine.shared_buckets import SharedBuckets
from hub.viewer import Role, Viewer

TEN = "{ customers(first: 10) { nodes { name } } }"
ONE = "{ __typename }"
CREATE = """mutation ($input: ProductCreateInput!) { productCreate(input: $input) { product { sku } } }"""
CREATE_MANY = """mutation ($rows: [ProductCreateInput!]!) { productsCreate(input: {rows: $rows}) {
    results { product { sku } }
} }"""
PRODUCTS = "{ products(first: 1) { nodes { name } } }"
WAITING_FOR_LOCK = "select count(*) from pg_locks where not granted"


@dataclass(frozen=True)
class ExampleRole:
    """The limits of a role."""

    budget: CostBudget | None = None
    trusted_only: bool = False
    introspects: bool = True


@pytest.fixture(scope="module")
async def budgets(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[BudgetHub]:
    patience = {"statement_timeout": 60.0, "lock_timeout": 60.0, "request_timeout": 60.0}
    async with run_budget_hub(await create_database("northwind"), **patience) as hub:
        yield hub


def cost_of(response: httpx2.Response) -> Any:
    body = response.json()
    assert "errors" not in body, body
    return body["extensions"]["cost"]


def error_of(response: httpx2.Response) -> Any:
    (error,) = response.json()["errors"]
    return error["extensions"] | {"message": error["message"]}


def product(sku: str) -> dict[str, str]:
    return {"sku": sku, "name": "Nail", "category": "Iron", "unitPrice": "1", "currency": "EUR"}


async def test_an_operation_is_charged_its_rows_and_settled_to_its_time(budgets: BudgetHub) -> None:
    key = await budgets.create_key(100, 10)
    first = cost_of(await budgets.post(key, TEN))
    assert first == {"requested": 10, "actual": 1, "balance": 99, "capacity": 100, "refillPerSecond": 10}
    budgets.clock.now += 0.05
    assert cost_of(await budgets.post(key, TEN))["balance"] == 98
    budgets.clock.now += 60
    assert cost_of(await budgets.post(key, ONE)) == first | {"requested": 1}


async def test_the_time_of_statements_counts_and_may_leave_a_debt(budgets: BudgetHub) -> None:
    key = await budgets.create_key(100, 10)
    connection = await asyncpg.connect(budgets.hub.dsn)
    try:
        async with asyncio.TaskGroup() as group, connection.transaction():
            await connection.execute("lock table products in access exclusive mode")
            request = group.create_task(budgets.post(key, PRODUCTS))
            await wait_until(lambda: budgets.hub.connection.fetchval(WAITING_FOR_LOCK))
            budgets.clock.now += 0.2996
    finally:
        await connection.close()
    spent = cost_of(request.result())
    assert (spent["requested"], spent["actual"], spent["balance"]) == (1, 300, -199)
    refused = error_of(await budgets.post(key, ONE))
    assert (refused["code"], refused["retryAfter"]) == ("THROTTLED", 20)
    budgets.clock.now += 20
    assert cost_of(await budgets.post(key, ONE))["balance"] == 0


async def test_of_operations_that_arrive_at_once_those_that_wait_are_refused_once_the_first_leaves_a_debt(
    budgets: BudgetHub,
) -> None:
    key = await budgets.create_key(100, 10)
    account = await budgets.account(key)
    never_run = "{ products(first: 1) { nodes { name category } } }"
    connection = await asyncpg.connect(budgets.hub.dsn)
    try:
        async with asyncio.TaskGroup() as group, connection.transaction():
            await connection.execute("lock table products in access exclusive mode")
            requests = [group.create_task(budgets.post(key, never_run)) for _ in range(3)]
            await wait_until(lambda: budgets.hub.connection.fetchval(WAITING_FOR_LOCK))

            async def all_charged() -> bool:
                return account.balance() == 97

            await wait_until(all_charged)
            budgets.clock.now += 0.2996
    finally:
        await connection.close()
    answered, *refused = sorted((task.result() for task in requests), key=lambda response: response.status_code)
    assert cost_of(answered)["balance"] in (-200, -198), "the two that wait have paid, or have their points back"
    assert [(response.status_code, set(response.json())) for response in refused] == [(429, {"errors"})] * 2
    assert sorted(error_of(response)["retryAfter"] for response in refused) == [19.801, 19.901]
    budgets.clock.now += 19.901
    assert cost_of(await budgets.post(key, never_run))["balance"] == 1


async def test_a_client_that_waits_for_the_stated_time_succeeds(budgets: BudgetHub) -> None:
    key = await budgets.create_key(12, 4)
    for balance in (11, 10, 9):
        assert cost_of(await budgets.post(key, TEN))["balance"] == balance
    refused = await budgets.post(key, TEN)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    error = error_of(refused)
    assert error["retryAfter"] == 0.25
    assert error["cost"] == {"requested": 10, "balance": 9, "capacity": 12, "refillPerSecond": 4}
    assert "try again in 0.25 s" in error["message"]
    assert cost_of(await budgets.post(key, ONE))["balance"] == 8, "what is cheap enough runs"
    budgets.clock.now += 0.499
    assert error_of(await budgets.post(key, TEN))["retryAfter"] == 0.001
    budgets.clock.now += 0.001
    assert cost_of(await budgets.post(key, TEN))["balance"] == 9


async def test_retry_after_counts_whole_seconds(budgets: BudgetHub) -> None:
    key = await budgets.create_key(10, 0.5)
    await budgets.post(key, TEN)
    refused = await budgets.post(key, TEN, accept="application/graphql-response+json")
    assert (refused.status_code, refused.headers["retry-after"], error_of(refused)["retryAfter"]) == (429, "2", 2)
    refused = await budgets.post(key, TEN, accept="text/event-stream")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "2")


async def test_an_operation_beyond_the_capacity_can_never_succeed(budgets: BudgetHub) -> None:
    key = await budgets.create_key(9, 100)
    refused = await budgets.post(key, TEN, accept="application/graphql-response+json")
    assert (refused.status_code, "retry-after" in refused.headers) == (400, False)
    error = error_of(refused)
    assert {name: error[name] for name in ("code", "requested", "allowed", "list")} == {
        "code": "COST_ABOVE_BUDGET",
        "requested": 10,
        "allowed": 9,
        "list": "customers",
    }
    assert error["message"].startswith("This key's budget never holds enough for the operation.")
    assert refused.json()["errors"][0]["locations"] == [{"line": 1, "column": 3}]
    assert cost_of(await budgets.post(key, ONE))["balance"] == 8, "nothing was charged"


async def test_a_refused_mutation_writes_nothing_and_all_rows_of_a_bulk_count(budgets: BudgetHub) -> None:
    key = await budgets.create_key(51, 1)
    single = cost_of(await budgets.post(key, CREATE, {"input": product("single")}))
    many = {"rows": [product(f"bulk {number}") for number in range(20)]}
    bulk = cost_of(await budgets.post(key, CREATE_MANY, many))
    assert (single["requested"], bulk["requested"], bulk["balance"]) == (12, 50, 49)
    assert error_of(await budgets.post(key, CREATE_MANY, {"rows": [product("refused")] * 20}))["code"] == "THROTTLED"
    stored = await budgets.hub.connection.fetch("select sku from products where name = 'Nail'")
    assert {row["sku"] for row in stored} == {"single", *(f"bulk {number}" for number in range(20))}


async def test_a_failed_operation_is_charged_for_its_time_alone(budgets: BudgetHub) -> None:
    key = await budgets.create_key(30, 1)
    for query in (TEN.replace("name", "nome"), TEN.replace("10", "1000"), '{ customer(id: "cus_1") { name } }'):
        assert "extensions" not in (await budgets.post(key, query)).json()
    assert cost_of(await budgets.post(key, ONE))["balance"] in (28, 29)


async def test_without_a_budget_only_who_asks_is_shown_the_cost(budgets: BudgetHub) -> None:
    key = await create_api_key(budgets.hub.dsn)
    assert "extensions" not in (await budgets.post(key, TEN)).json()
    asked = await budgets.post(key, TEN, **{"x-cost-report": "1"})
    assert asked.json()["extensions"] == {"cost": {"requested": 10, "actual": 1}}


async def test_keys_have_budgets_of_their_own_but_those_of_one_customer_share_one(budgets: BudgetHub) -> None:
    one, other = [await budgets.create_key(10, 1) for _ in range(2)]
    await budgets.post(one, TEN)
    assert (await budgets.post(one, TEN)).status_code == 429
    assert cost_of(await budgets.post(other, TEN))["balance"] == 9
    customer: UUID = await budgets.hub.connection.fetchval("select id from customers limit 1")
    first, second = [await budgets.create_key(10, 1, Role.READER, customer_id=customer) for _ in range(2)]
    assert cost_of(await budgets.post(first, ONE))["balance"] == 9
    assert cost_of(await budgets.post(second, ONE))["balance"] == 8


async def test_a_changed_budget_applies_at_once_and_none_lifts_it(budgets: BudgetHub) -> None:
    key = await create_api_key(budgets.hub.dsn)
    await limit_key(budgets.hub.dsn, key, LimitChanges(CostBudget(10, 1)))
    await limit_key(budgets.hub.dsn, key, LimitChanges(CostBudget(20, 2)))
    await limit_key(budgets.hub.dsn, key, LimitChanges(trusted_only=False))
    assert cost_of(await budgets.post(key, ONE))["capacity"] == 20
    await limit_key(budgets.hub.dsn, key, LimitChanges(without_budget=True))

    async def has_no_budget() -> bool:
        return "extensions" not in (await budgets.post(key, ONE)).json()

    await wait_until(has_no_budget)


# -- the bucket ---------------------------------------------------------------------------------------------------------


def account(accounts: CostAccounts, number: int, budget: CostBudget | None = None) -> CostAccount:
    own = accounts.account(Viewer(UUID(int=number), Role.READER, limits=ClientLimits(budget)))
    assert own is not None
    return own


def test_a_bucket_refills_to_its_capacity_and_returns_what_was_not_used() -> None:
    now = 0.0
    accounts = CostAccounts(CostBudget(100, 10), ProcessBuckets(), lambda: now)
    own = account(accounts, 1)
    assert [own.try_charge(60), own.try_charge(60), own.balance()] == [True, False, 40]
    own.settle(60, 5)
    assert own.balance() == 95
    own.settle(0, 195)
    assert (own.balance(), own.seconds_until(0), own.seconds_until(50)) == (-100, 10, 15)
    now = 10.0
    assert own.balance() == 0
    now = 1e6
    assert own.balance() == 100


def test_processes_share_a_bucket_by_a_file(tmp_path: Path) -> None:
    now, buckets = 5.0, [SharedBuckets(tmp_path / "budgets") for _ in range(2)]
    one, other = [account(CostAccounts(CostBudget(10, 1), shared, lambda: now), 1) for shared in buckets]
    assert [one.try_charge(6), other.try_charge(6), other.try_charge(4), one.balance()] == [True, False, True, 0]
    other.settle(4, 1)
    now = 7.0
    assert [one.balance(), other.balance()] == [5, 5]
    crowd = [account(one.accounts, number) for number in range(2, 30_000)]
    assert all(member.try_charge(10) for member in crowd), "a new flow has a full bucket"
    assert [member.balance() for member in crowd[-3:]] == [0, 0, 0]
    for shared in buckets:
        shared.close()


def take_all(path: Path, taken: "SimpleQueue[int]") -> None:
    buckets = SharedBuckets(path)
    own = account(CostAccounts(CostBudget(3_000, 1), buckets, lambda: 0.0), 1)
    taken.put(sum(own.try_charge(1) for _ in range(3_000)))
    buckets.close()


def test_processes_that_charge_a_bucket_at_once_take_no_point_twice(tmp_path: Path) -> None:
    fork = get_context("fork")
    taken: SimpleQueue[int] = fork.SimpleQueue()
    processes = [fork.Process(target=take_all, args=(tmp_path / "budgets", taken)) for _ in range(2)]
    for process in processes:
        process.start()
    assert sum(taken.get() for _ in processes) == 3_000
    for process in processes:
        process.join()


def test_a_flow_that_others_crowd_out_starts_with_a_full_bucket() -> None:
    accounts = CostAccounts(CostBudget(10, 1), ProcessBuckets(2), lambda: 0.0)
    for number in (1, 2, 3):
        account(accounts, number).try_charge(4)
    assert [account(accounts, number).balance() for number in (2, 3, 1)] == [6, 6, 10]


def test_work_that_several_share_is_paid_by_the_fullest_account_or_by_nobody() -> None:
    accounts = CostAccounts(None, ProcessBuckets(), lambda: 0.0)
    one, other = account(accounts, 1, CostBudget(10, 1)), account(accounts, 2, CostBudget(20, 1))
    assert payer([one, other, one]) == other
    other.settle(0, 15)
    assert payer([one, other]) == one
    assert payer([one, None]) is None
    assert payer([]) is None


def test_of_several_roles_the_largest_budget_counts_and_the_keys_own_before_all() -> None:
    roles = [ExampleRole(budget=CostBudget(10, 5)), ExampleRole(budget=CostBudget(20, 1))]
    assert combine(ClientLimits(), roles).budget == CostBudget(20, 5)
    assert combine(ClientLimits(), [*roles, ExampleRole()]).budget == CostBudget(20, 5)
    assert combine(ClientLimits(CostBudget(1, 1)), roles).budget == CostBudget(1, 1)
    strict, blind = ExampleRole(trusted_only=True), ExampleRole(introspects=False)
    assert combine(ClientLimits(), [strict, blind]) == ClientLimits(trusted_only=True)
    assert combine(ClientLimits(), [blind]) == ClientLimits(introspects=False)
    assert combine(ClientLimits(trusted_only=True), []) == ClientLimits(trusted_only=True)
