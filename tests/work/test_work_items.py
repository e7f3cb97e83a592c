"""Work items through the front door: how they go on, return, end, wait for others, and who sees them."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from conftest import CreateDatabase, create_api_key
from work_people import ADVANCE, CALENDAR, CHINA, OPEN, START, WorkPeople, step, work_people
from writer_client import open_hub_client

from hub.settings import Settings

WITHDRAW = """mutation ($id: ID!) { workItemWithdraw(input: {id: $id, reason: "no need"}) { workItem { status } } }"""
MOVES = """query ($id: ID!) { workItem(id: $id) { moves { nodes { fromValue toValue reason movedBy { name } } } } }"""
WAIT = """mutation ($id: ID!, $after: ID!) { workItemDependencyAdd(input: {id: $id, predecessorId: $after}) {
    workItem { status } } }"""
POLICY = "mutation ($input: SlaPolicyUpsertInput!) { slaPolicyUpsert(input: $input) { created } }"
ORDERS = """{ workItems(filter: {process: {code: {eq: "order"}}}) { nodes {
    title openedBy { name } subject { ... on Customer { id } } step { code } } } }"""
OPENED = "query ($id: ID!) { workItem(id: $id) { openedAt } }"
DUE = """query ($id: ID!) { workItem(id: $id) { steps(first: 1) { nodes {
    dueAt clocks(first: 1) { nodes { dueAt } } } } } }"""
FREE = """mutation ($id: ID!, $after: ID!) { workItemDependencyRemove(input: {id: $id, predecessorId: $after}) {
    workItem { status } } }"""
RULE = """mutation { codeRuleUpsert(input: {name: "items", pattern: "W-{serial:4}", gapless: true}) { created } }"""


@pytest.fixture(scope="module")
async def people(create_database: CreateDatabase, empty_dsn: str) -> AsyncIterator[WorkPeople]:
    """A branch with an account manager, a head and two checkers; a customer of the account manager's."""
    settings = Settings(clock="test", clock_start=START)
    async with open_hub_client(await create_database("migrated"), settings) as client, work_people(client) as people:
        await people.add("ana", "branch")
        await people.add("head", "branch", "HEAD")
        await people.add("cho", "branch", "CHECK")
        await people.add("chi", "branch", "CHECK")
        await people.add("boss", "bank", "CHECK")
        people.customer = await people.add_customer("Mill", "branch", "ana")
        await client.query(RULE)
        check = step("check", "CHECK", "APPROVE", "REJECT", "RETURN", returnsTo="draft")
        await people.describe("paper", step("draft"), check, step("file"), codeRule="items", maxRounds=2)
        yield people


def _steps(item: dict[str, Any]) -> list[tuple[str, int, str, str | None]]:
    nodes = item["steps"]["nodes"]
    return [(node["step"]["code"], node["round"], node["status"], node["decision"]) for node in nodes]


async def test_a_decision_closes_its_step_and_opens_what_follows(people: WorkPeople) -> None:
    opened = await people.open("ana", "paper")
    number = opened.pop("number")
    assert opened == {"id": opened["id"], "status": "OPEN", "round": 1, "step": {"code": "draft"}}
    assert (await people.decide("ana", opened["id"]))["workItem"]["step"] == {"code": "check"}
    assert (await people.decide("cho", opened["id"], "APPROVE"))["outcome"] == "APPROVE"
    ended = await people.decide("ana", opened["id"])
    assert ended == {
        "outcome": "DONE",
        "workStep": {"status": "DECIDED"},
        "workItem": {"status": "DONE", "round": 1, "step": {"code": "file"}},
    }
    item = await people.item(opened["id"])
    assert _steps(item) == [
        ("draft", 1, "DECIDED", "DONE"), ("check", 1, "DECIDED", "APPROVE"), ("file", 1, "DECIDED", "DONE"),
    ]  # fmt: skip
    assert [node["decidedBy"]["name"] for node in item["steps"]["nodes"]] == ["ana", "cho", "ana"]
    next_number = (await people.open("ana", "paper"))["number"]
    assert int(next_number.removeprefix("W-")) == int(number.removeprefix("W-")) + 1
    moves = (await people.client.query(MOVES, {"id": opened["id"]}))["workItem"]["moves"]["nodes"]
    assert moves == [{"fromValue": "OPEN", "toValue": "DONE", "reason": None, "movedBy": {"name": "ana"}}]


async def test_a_return_opens_another_round_until_the_last_one(people: WorkPeople) -> None:
    item = (await people.open("ana", "paper"))["id"]
    await people.decide("ana", item)
    refused = await people.refuse("cho", item, "RETURN", note=None)
    assert (refused["code"], refused["argument"]) == ("ARGUMENT_MISSING", "input.note")
    returned = await people.decide("cho", item, "RETURN", note="The balance is missing.")
    assert returned["workItem"] == {"status": "OPEN", "round": 2, "step": {"code": "draft"}}
    await people.decide("ana", item)
    limit = await people.refuse("cho", item, "RETURN")
    assert (limit["code"], limit["argument"], limit["rounds"]) == ("RETURN_LIMIT", "input.decision", 2)
    rejected = await people.decide("cho", item, "REJECT")
    assert (rejected["outcome"], rejected["workItem"]["status"]) == ("REJECT", "REJECTED")
    assert _steps(await people.item(item)) == [
        ("draft", 1, "DECIDED", "DONE"), ("check", 1, "DECIDED", "RETURN"),
        ("draft", 2, "DECIDED", "DONE"), ("check", 2, "DECIDED", "REJECT"),
    ]  # fmt: skip
    late = await people.client.error(WITHDRAW, {"id": item}, key=people.token("ana"))
    assert late["code"] == "MOVE_INVALID"


async def test_the_opener_and_the_head_withdraw(people: WorkPeople) -> None:
    for name in ("ana", "head"):
        item = (await people.open("ana", "paper"))["id"]
        refused = await people.client.error(WITHDRAW, {"id": item}, key=people.token("cho"))
        assert refused["code"] == "FORBIDDEN"
        withdrawn = await people.client.query(WITHDRAW, {"id": item}, key=people.token(name))
        assert withdrawn["workItemWithdraw"]["workItem"] == {"status": "WITHDRAWN"}
        assert _steps(await people.item(item)) == [("draft", 1, "SKIPPED", None)]
        moves = (await people.client.query(MOVES, {"id": item}))["workItem"]["moves"]["nodes"]
        assert [(move["toValue"], move["reason"], move["movedBy"]["name"]) for move in moves] == [
            ("WITHDRAWN", "no need", name)
        ]


async def test_items_go_on_by_the_revision_that_opened_them(people: WorkPeople) -> None:
    await people.describe("short", step("one"), step("two"))
    item = (await people.open("ana", "short"))["id"]
    await people.describe("short", step("other"))
    assert (await people.decide("ana", item))["workItem"]["step"] == {"code": "two"}
    assert (await people.open("ana", "short"))["step"] == {"code": "other"}
    await people.describe("short", step("other"), status="RETIRED")
    gone = await people.client.error(
        OPEN,
        {"input": {"process": "short", "subjectId": people.customer, "title": "x"}},
        key=people.token("ana"),
    )
    assert (gone["code"], gone["argument"]) == ("NOT_FOUND", "input.process")


async def test_steps_of_a_group_are_open_together(people: WorkPeople) -> None:
    groups = {"groupName": "papers"}
    back = {"decisions": ["DONE", "RETURN"], "returnsTo": "start"}
    await people.describe(
        "group", step("start"), step("a", **groups), step("b", "CHECK", **groups, **back), step("end")
    )
    item = (await people.open("ana", "group"))["id"]
    await people.decide("ana", item)
    assert [node["step"]["code"] for node in await people.open_steps(item)] == ["a", "b"]
    await people.decide("cho", item, "RETURN")
    await people.decide("ana", item)
    await people.decide("ana", item)
    assert (await people.item(item))["step"] == {"code": "b"}
    await people.decide("cho", item)
    assert _steps(await people.item(item)) == [
        ("start", 1, "DECIDED", "DONE"), ("a", 1, "SKIPPED", None), ("b", 1, "DECIDED", "RETURN"),
        ("start", 2, "DECIDED", "DONE"), ("a", 2, "DECIDED", "DONE"), ("b", 2, "DECIDED", "DONE"),
        ("end", 2, "OPEN", None),
    ]  # fmt: skip


async def test_automatic_steps_decide_by_their_criteria(people: WorkPeople) -> None:
    sound = {"exitCriteria": {"country": {"eq": "DE"}}}
    await people.describe(
        "auto", step("log", "AUTO"), step("draft"), step("gate", "AUTO", **sound, returnsTo="draft"), maxRounds=3
    )
    item = (await people.open("ana", "auto"))["id"]
    assert (await people.decide("ana", item))["workItem"] == {"status": "OPEN", "round": 2, "step": {"code": "draft"}}
    await people.decide("ana", item)
    assert (await people.decide("ana", item))["workItem"]["status"] == "REJECTED"
    await people.connection.execute("update customers set country = 'DE'")
    item = (await people.open("ana", "auto"))["id"]
    assert (await people.decide("ana", item))["workItem"]["status"] == "DONE"
    assert [node["decidedBy"] for node in (await people.item(item))["steps"]["nodes"]] == [None, {"name": "ana"}, None]


async def test_an_item_begins_when_what_must_end_first_has_ended(people: WorkPeople) -> None:
    await people.describe("task", step("do"), type="PROGRAMME")
    first, second = [(await people.open("ana", "task"))["id"] for _ in range(2)]
    third = await people.open("ana", "task", predecessorIds=[first, second])
    assert (third["status"], third["step"]) == ("WAITING", None)
    fourth = (await people.open("ana", "task", predecessorIds=[third["id"]]))["id"]
    await people.decide("ana", first)
    assert (await people.item(third["id"]))["status"] == "WAITING"
    ana = people.token("ana")
    circle = await people.client.error(WAIT, {"id": third["id"], "after": fourth}, key=ana)
    assert (circle["code"], circle["argument"]) == ("DEPENDENCY_CYCLE", "input.predecessorId")
    own = await people.client.error(WAIT, {"id": third["id"], "after": third["id"]}, key=ana)
    assert own["code"] == "DEPENDENCY_CYCLE"
    running = await people.client.error(WAIT, {"id": second, "after": first}, key=ana)
    assert (running["code"], running["argument"]) == ("MOVE_INVALID", "input.id")
    await people.client.query(WITHDRAW, {"id": second}, key=ana)
    assert (await people.item(third["id"]))["step"] == {"code": "do"}
    assert (await people.item(fourth))["status"] == "WAITING"
    freed = await people.client.query(FREE, {"id": fourth, "after": third["id"]}, key=ana)
    assert freed["workItemDependencyRemove"]["workItem"] == {"status": "OPEN"}


async def test_opening_is_refused_with_the_argument(people: WorkPeople) -> None:
    valid = {"process": "paper", "subjectId": people.customer, "title": "Loan"}
    unit = f"unt_{people.units['bank'].hex}"
    for change, code, argument in (
        ({"process": "none"}, "NOT_FOUND", "input.process"),
        ({"subjectId": unit}, "ID_WRONG_TYPE", "input.subjectId"),
        ({"subjectId": f"xyz_{'0' * 32}"}, "ID_MALFORMED", "input.subjectId"),
        ({"subjectId": f"cus_{'0' * 32}"}, "NOT_FOUND", "input.subjectId"),
        ({"title": " "}, "VALUE_INVALID", "input.title"),
        ({"amount": "5"}, "ARGUMENT_MISSING", "input.currency"),
        ({"currency": "CNY"}, "ARGUMENT_MISSING", "input.amount"),
        ({"amount": "-1", "currency": "CNY"}, "VALUE_INVALID", "input.amount"),
        ({"predecessorIds": [f"wit_{'0' * 32}"]}, "NOT_FOUND", "input.predecessorIds[0]"),
    ):  # fmt: skip
        error = await people.client.error(OPEN, {"input": valid | change}, key=people.token("ana"))
        assert (error["code"], error["argument"]) == (code, argument)
    system = await people.client.error(OPEN, {"input": valid})
    assert system["code"] == "PERSON_NEEDED"


async def test_staff_see_their_unit_s_and_their_own_work_and_customers_none(people: WorkPeople) -> None:
    await people.add("far", "other")
    await people.add("seal", "other", "SEAL")
    await people.describe("sealed", step("draft"), step("seal", "SEAL", unitType="NAMED", unit="other"))
    item = (await people.open("ana", "sealed"))["id"]
    count = """query ($id: ID!) {
        workItem(id: $id) { id steps { totalCount } } workItems { totalCount } workSteps { totalCount } }"""
    hidden = await people.client.query(count, {"id": item}, key=people.token("far"))
    assert hidden == {"workItem": None, "workItems": {"totalCount": 0}, "workSteps": {"totalCount": 0}}
    await people.decide("ana", item)
    seen = await people.client.query(count, {"id": item}, key=people.token("seal"))
    assert seen == {
        "workItem": {"id": item, "steps": {"totalCount": 1}},
        "workItems": {"totalCount": 1},
        "workSteps": {"totalCount": 1},
    }
    own = await create_api_key(people.client.dsn, "customer", customer_id=UUID(people.customer.removeprefix("cus_")))
    names = await people.client.execute("{ customers { nodes { workItems { totalCount } } } }", key=own)
    assert names["errors"][0]["extensions"]["code"] == "FIELD_UNKNOWN"
    assert (await people.client.execute("{ workItems { totalCount } }", key=own))["errors"]
    of_customer = (
        "query ($id: ID!) { customer(id: $id) { workItems(first: 100) { nodes { id subject { __typename } } } } }"
    )
    listed = await people.client.query(of_customer, {"id": people.customer}, key=people.token("head"))
    assert {"id": item, "subject": {"__typename": "Customer"}} in listed["customer"]["workItems"]["nodes"]


async def test_agents_do_the_work_that_is_theirs_whoever_looks_after_the_customer(people: WorkPeople) -> None:
    await people.add("agent", "branch", "AGENT", key_role="agent")
    await people.describe("agents", step("first", "AGENT"), step("second"))
    item = (await people.open("ana", "agents"))["id"]
    assert (await people.decide("agent", item))["workItem"]["step"] == {"code": "second"}
    refused = await people.refuse("agent", item)
    assert refused["code"] == "FORBIDDEN"
    own = (
        """{ workSteps(filter: {step: {code: {eq: "first"}}}) { nodes { step { code } } } customers { totalCount } }"""
    )
    seen = await people.client.query(own, key=people.token("agent"))
    assert seen == {"workSteps": {"nodes": [{"step": {"code": "first"}}]}, "customers": {"totalCount": 0}}


async def test_the_due_time_of_a_step_follows_its_clock_when_the_calendar_changes(people: WorkPeople) -> None:
    office = {**CHINA, "code": "office"}
    await people.client.query(CALENDAR, {"input": office})
    await people.describe("office", step("wait", goalSeconds=3600), calendar="office")
    item = (await people.open("ana", "office"))["id"]

    async def due_times() -> tuple[str, str]:
        shown = (await people.client.query(DUE, {"id": item}))["workItem"]["steps"]["nodes"][0]
        return shown["dueAt"], shown["clocks"]["nodes"][0]["dueAt"]

    before = await due_times()
    opened = datetime.fromisoformat((await people.client.query(OPENED, {"id": item}))["workItem"]["openedAt"])
    closed = [f"{opened + timedelta(days=number):%a}".lower() for number in range(3)]
    weekly = {day: hours for day, hours in CHINA["weekly"].items() if day not in closed}
    await people.client.query(CALENDAR, {"input": office | {"weekly": weekly}})
    await people.client.query(ADVANCE, {"to": (opened + timedelta(seconds=1)).isoformat()})
    after = await due_times()
    assert (before[0], after[0]) == (before[1], after[1])
    assert datetime.fromisoformat(after[0]) >= datetime.fromisoformat(before[0]) + timedelta(days=2)


async def test_an_escalation_of_a_step_orders_work_about_what_the_item_is_about(people: WorkPeople) -> None:
    await people.describe("order", step("do", "CHECK"), type="ORDER")
    await people.describe("slow", step("slowly", goalSeconds=3600))
    rule = {"clock": "STEP", "level": 1, "atShare": "1", "act": "ORDER", "process": "order", "text": "It is late."}
    skip = {"clock": "STEP", "level": 2, "atShare": "1.5", "act": "MOVE", "moveTo": "SKIPPED"}
    policy = {"code": "steps", "name": "Steps", "entity": "WorkStep", "match": {"step": {"code": {"eq": "slowly"}}}}
    await people.client.query(POLICY, {"input": {**policy, "terms": [], "escalationRules": [rule, skip]}})
    item_id = (await people.open("ana", "slow"))["id"]
    item = await people.item(item_id)
    due = datetime.fromisoformat(item["steps"]["nodes"][0]["dueAt"])
    await people.client.query(ADVANCE, {"to": (due + timedelta(days=1)).isoformat()})
    assert len(await people.open_steps(item_id)) == 1  # time alone closes no step
    orders = (await people.client.query(ORDERS))["workItems"]["nodes"]
    assert orders == [
        {"title": "It is late.", "openedBy": None, "subject": {"id": people.customer}, "step": {"code": "do"}}
    ]
