"""Inputs of the work module that no form sends: each is refused by name and leaves nothing behind, or is stored as it is."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from conftest import CreateDatabase
from staff_keys import START, Organisation, StaffKey, open_organisation

from hub.db.pool import Pool
from hub.domain.access import api_keys
from hub.domain.work import clocks
from hub.model.subjects import subject_values
from hub.schema.customers.customers import Customer
from hub.settings import Settings
from hub.viewer import ADMIN

WEEK = {"mon": ["09:00-12:00"]}
CALENDAR = {"code": "office", "name": "Office", "timezone": "Asia/Shanghai", "weekly": WEEK}
POLICY = {"code": "care", "name": "Care", "entity": "Customer", "terms": [{"clock": "CONTACT", "goalSeconds": 3600}]}
RULE = {"clock": "CONTACT", "level": 1, "atShare": "0.5", "role": "HEAD"}
EXACT = "12345678901234567890123456789.0001"
CREATE = "mutation ($input: CustomerCreateInput!) { customerCreate(input: $input) { customer { id } } }"
ROLE = "mutation ($input: RoleUpsertInput!) { roleUpsert(input: $input) { role { name } } }"


@pytest.fixture(scope="module")
async def bank(create_database: CreateDatabase, empty_dsn: str) -> AsyncIterator[Organisation]:
    async with open_organisation(await create_database("migrated")) as organisation:
        yield organisation


@pytest.fixture(scope="module")
async def zhang(bank: Organisation) -> StaffKey:
    return await bank.hire("Zhang")


def _mutation(name: str) -> str:
    return f"mutation ($input: {name[0].upper()}{name[1:]}Input!) {{ {name}(input: $input) {{ __typename }} }}"


async def _refusal(bank: Organisation, name: str, values: dict[str, Any], key: str | None = None) -> tuple[str, str]:
    error = await bank.client.error(_mutation(name), {"input": values}, key=key)
    return error["code"], error["argument"].removeprefix("input.")


@pytest.mark.parametrize("value", [[], ["mon"], "mon", 5, True])
async def test_json_that_is_no_object_is_refused_wherever_one_is_needed(
    bank: Organisation, zhang: StaffKey, value: Any
) -> None:
    commands: list[tuple[str, str, dict[str, Any]]] = [
        ("calendarUpsert", "weekly", CALENDAR),
        ("slaPolicyUpsert", "match", POLICY),
        ("codesDraw", "values", {"rule": "none"}),
        ("credentialGrant", "evidence", {"staffId": zhang.staff_id, "type": "AUTHORITY", "code": "LOAN"}),
    ]
    for name, argument, values in commands:
        assert await _refusal(bank, name, values | {argument: value}) == ("VALUE_INVALID", argument)
    rule = {"entity": "Customer", "verbs": ["READ"], "rowFilter": value}
    refusal = await _refusal(bank, "roleUpsert", {"name": "big", "description": "Big ones.", "rules": [rule]})
    assert refusal == ("VALUE_INVALID", "rules[0].rowFilter")


@pytest.mark.parametrize("text", ["", "two\nlines", "x" * 201])
async def test_a_levels_text_that_cannot_be_leaves_the_policy_as_it_was(bank: Organisation, text: str) -> None:
    await bank.client.query(_mutation("slaPolicyUpsert"), {"input": POLICY | {"escalationRules": [RULE]}})
    policy = """{ slaPolicies(filter: {code: {eq: "care"}}) { nodes {
        version terms { nodes { version } } escalationRules { nodes { version text } } } } }"""
    before = await bank.client.query(policy)
    refusal = await _refusal(
        bank, "slaPolicyUpsert", POLICY | {"escalationRules": [RULE, RULE | {"level": 2, "text": text}]}
    )
    assert refusal == ("VALUE_INVALID", "escalationRules[1].text")
    assert await bank.client.query(policy) == before


@pytest.mark.parametrize("number", [EXACT, "1000000000000000000000000000000"])
async def test_filters_hold_numbers_of_any_size_exactly(bank: Organisation, number: str) -> None:
    """A number that no double holds, written as JSON number: stored filters and filters of roles have all its digits."""
    match = f"{{annualRevenue: {{gt: {number}}}}}"
    store = f"""mutation {{ slaPolicyUpsert(input: {{code: "exact", name: "Exact", entity: "Customer", match: {match}
        terms: [{{clock: "CONTACT", goalSeconds: 60}}]}}) {{ slaPolicy {{ match }} }} }}"""
    grant = f"""mutation {{ roleUpsert(input: {{name: "exact", description: "Exact.", rules: [
        {{entity: "Customer", verbs: [READ], rowFilter: {match}}}]}}) {{ role {{ rules {{ nodes {{ rowFilter }} }} }} }} }}"""
    await bank.client.query(store)
    await bank.client.query(grant)
    for table, column in (("sla_policies", "match"), ("role_rules", "row_filter")):
        stored = await bank.connection.fetchval(
            f"select {column} ->> 'annualRevenue' from {table} where {column} ? 'annualRevenue'"
        )
        assert stored == f'{{"gt": {number}}}'


async def test_a_calendar_that_begins_after_its_horizon_names_the_first_day(bank: Organisation) -> None:
    assert await _refusal(bank, "calendarUpsert", CALENDAR | {"startsOn": "2050-01-01"}) == (
        "VALUE_INVALID",
        "startsOn",
    )
    await bank.client.query(
        _mutation("calendarUpsert"), {"input": CALENDAR | {"startsOn": "2050-01-01", "endsOn": "2051-01-01"}}
    )


async def test_a_role_of_no_unit_and_no_team_is_refused_by_name(bank: Organisation, zhang: StaffKey) -> None:
    error = await bank.client.error(_mutation("jobRoleUpsert"), {"input": {"staffId": zhang.staff_id, "role": "HEAD"}})
    assert (error["code"], error["argument"]) == ("VALUE_INVALID", "input.unitId")


async def test_a_customer_sees_no_clock_about_itself(bank: Organisation, zhang: StaffKey) -> None:
    values = {"name": "Linhai Paper", "unitId": zhang.unit_id}
    created = await bank.client.query(CREATE, {"input": values}, key=zhang.key)
    customer = UUID(created["customerCreate"]["customer"]["id"].removeprefix("cus_"))
    new_key = api_keys.NewKey(name="own", role="customer", customer_id=customer)
    own_key = await api_keys.create(bank.connection, ADMIN, new_key, now=START)
    pool = Pool(bank.client.dsn, Settings(pool_size=1))
    async with pool.transaction() as tx:
        subject = await subject_values(tx, Customer, customer)
        await clocks.start_clock(tx, subject, "CONTACT", now=START, goal=timedelta(hours=4))
    await pool.close()
    document = """{ clocks { totalCount } customers(filter: {clocks: {some: {name: {eq: "CONTACT"}}}}) { totalCount }
        all: customers { nodes { clocks { totalCount nodes { status } } } } }"""
    seen = await bank.client.query(document, key=own_key)
    assert json.dumps(seen).count('"totalCount": 0') == 3
    assert (await bank.client.query("{ clocks { nodes { name } } }", key=zhang.key))["clocks"]["nodes"] == [
        {"name": "CONTACT"}
    ]


async def test_an_agent_has_its_own_tasks_and_sees_nobody_elses(bank: Organisation, zhang: StaffKey) -> None:
    chen, liu = await bank.hire("Chen", role="agent"), await bank.hire("Liu", role="agent")
    create = "mutation ($input: TaskCreateInput!) { taskCreate(input: $input) { task { id } } }"
    for person in (chen, liu):
        values = {"type": "CALL", "title": f"For {person.staff_id}", "staffId": person.staff_id}
        await bank.client.query(create, {"input": values}, key=zhang.key)
    created = await bank.client.query(create, {"input": {"type": "VISIT"}}, key=chen.key)
    done = """mutation ($id: ID!) { taskDone(input: {id: $id, result: "Ordered."}) { task { status } } }"""
    task = created["taskCreate"]["task"]["id"]
    assert (await bank.client.query(done, {"id": task}, key=chen.key))["taskDone"]["task"] == {"status": "DONE"}
    assert (await bank.client.error(done, {"id": task}, key=liu.key))["code"] == "NOT_FOUND"
    seen = await bank.client.query(
        "{ tasks { nodes { title } } staffMembers(filter: {tasks: {some: {type: {eq: VISIT}}}}) { totalCount } }",
        key=liu.key,
    )
    assert seen == {"tasks": {"nodes": [{"title": f"For {liu.staff_id}"}]}, "staffMembers": {"totalCount": 0}}


async def test_a_refusal_names_its_argument_once(bank: Organisation, zhang: StaffKey) -> None:
    customer = (await bank.client.query(CREATE, {"input": {"name": "Acme", "unitId": zhang.unit_id}}))["customerCreate"]
    values = {"customerId": customer["customer"]["id"], "staffId": zhang.staff_id, "fromAt": "2020-01-01T00:00:00Z"}
    error = await bank.client.error(_mutation("assignmentSucceed"), {"input": values})
    assert error["message"] == "input.fromAt: it would have begun before now; give a later time, or none."
