"""Clock rules: a row's state starts, stops and voids its clocks; acts of levels give tasks and move the row."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from clock_hub import ADVANCE, POLICY, china, open_clock_hub
from conftest import CreateDatabase
from writer_client import HubClient

from hub.db.pool import Pool
from hub.domain.work import policy_changes
from hub.domain.work.clocks import start_clock
from hub.model.clock_rules import ClockRule, clock_rule_faults
from hub.model.subjects import subject_values
from hub.schema.work.tasks import Task
from hub.settings import Settings

CREATE = """mutation ($input: TaskCreateInput!) { taskCreate(input: $input) { task {
    id clocks { nodes { name status dueAt policy { code } } } } } }"""
READ = """query ($id: ID!) { task(id: $id) { status clocks { nodes { status level overdueSeconds goalSeconds policy { code } } }
    moves { nodes { toValue reason actor } } } }"""
DONE = "mutation ($id: ID!) { taskDone(input: {id: $id}) { task { status } } }"
MOVE = "mutation ($input: TaskStatusMoveInput!) { taskStatusMove(input: $input) { task { status } } }"
UPDATE = "mutation ($input: TaskUpdateInput!) { taskUpdate(input: $input) { task { id } } }"
STAFF = "mutation ($input: StaffCreateInput!) { staffCreate(input: $input) { staff { id } } }"
ROLE = "mutation ($input: JobRoleUpsertInput!) { jobRoleUpsert(input: $input) { jobRole { id } } }"
TASKS = "query ($id: ID!) { tasks(filter: {staff: {id: {eq: $id}}}) { nodes { title dueAt origin } } }"
POLICIES = [
    {
        "code": f"{name.lower()}s", "name": name, "entity": "Task", "match": {"type": {"eq": name}}, "position": 10,
        "terms": [{"clock": "HANDLING", "goalSeconds": seconds, "calendar": "china"}], "escalationRules": rules,
    }
    for name, seconds, rules in (
        ("CALL", 3_600, []),
        ("VISIT", 7_200, [
            {"clock": "HANDLING", "level": 1, "atShare": "0.5", "act": "TASK", "role": "HEAD", "text": "Look after it"},
            {"clock": "HANDLING", "level": 2, "atOffsetSeconds": 1_800, "act": "MOVE", "moveTo": "DROPPED"},
        ]),
    )
]  # fmt: skip


@pytest.fixture(scope="module")
async def client(create_database: CreateDatabase, empty_dsn: str) -> AsyncIterator[HubClient]:
    """A hub in China's working time with policies about tasks."""
    async with open_clock_hub(await create_database("migrated")) as client:
        for policy in POLICIES:
            await client.query(POLICY, {"input": policy})
        yield client


@pytest.fixture(scope="module")
async def people(client: HubClient) -> dict[str, str]:
    """The ids of a person and of the head of the unit."""
    unit = (await client.query("{ orgUnits { nodes { id } } }"))["orgUnits"]["nodes"][0]["id"]
    ids = {}
    for number in ("ANA", "BO"):
        created = await client.query(STAFF, {"input": {"number": number, "name": number, "unitId": unit}})
        ids[number] = created["staffCreate"]["staff"]["id"]
    role = {"staffId": ids["BO"], "role": "HEAD", "unitId": unit, "fromAt": "2026-01-01T00:00:00Z"}
    await client.query(ROLE, {"input": role})
    return ids


async def _create(client: HubClient, people: dict[str, str], task_type: str) -> Any:
    created = await client.query(CREATE, {"input": {"type": task_type, "staffId": people["ANA"]}})
    return created["taskCreate"]["task"]


async def _clocks(client: HubClient, task: str) -> list[str]:
    nodes = (await client.query(READ, {"id": task}))["task"]["clocks"]["nodes"]
    return [node["status"] for node in nodes]


async def test_a_state_starts_stops_and_voids_the_clock(client: HubClient, people: dict[str, str]) -> None:
    task = await _create(client, people, "CALL")
    assert task["clocks"]["nodes"] == [
        {"name": "HANDLING", "status": "RUNNING", "dueAt": "2026-02-13T10:00:00+00:00", "policy": {"code": "calls"}}
    ]
    await client.query(DONE, {"id": task["id"]})
    assert await _clocks(client, task["id"]) == ["MET"]
    await client.query(MOVE, {"input": {"id": task["id"], "status": "OPEN"}})
    assert sorted(await _clocks(client, task["id"])) == ["MET", "RUNNING"]
    await client.query(MOVE, {"input": {"id": task["id"], "status": "DROPPED", "reason": "Not needed"}})
    assert sorted(await _clocks(client, task["id"])) == ["MET", "VOID"]


async def test_a_row_that_no_policy_matches_has_no_clock_until_one_does(
    client: HubClient, people: dict[str, str]
) -> None:
    task = await _create(client, people, "OTHER")
    assert task["clocks"]["nodes"] == []
    await client.query(UPDATE, {"input": {"id": task["id"], "type": "CALL"}})
    await client.query(UPDATE, {"input": {"id": task["id"], "type": "VISIT"}})
    read = (await client.query(READ, {"id": task["id"]}))["task"]["clocks"]["nodes"]
    assert [(node["goalSeconds"], node["policy"]) for node in read] == [(7_200, {"code": "visits"})]
    await client.query(DONE, {"id": task["id"]})


async def test_levels_give_tasks_and_move_the_row(client: HubClient, people: dict[str, str]) -> None:
    task = await _create(client, people, "VISIT")
    await client.query(ADVANCE, {"to": china("2026-02-14T11:00").isoformat()})
    read = (await client.query(READ, {"id": task["id"]}))["task"]
    assert (read["status"], [node["status"] for node in read["clocks"]["nodes"]]) == ("DROPPED", ["VOID"])
    assert read["clocks"]["nodes"][0]["level"] == 2
    assert read["moves"]["nodes"] == [
        {
            "toValue": "DROPPED",
            "reason": "HANDLING of Task: 30 working minutes after it is due; due 2026-02-14 02:00 UTC.",
            "actor": "timer:clock.escalation",
        }
    ]
    tasks = (await client.query(TASKS, {"id": people["BO"]}))["tasks"]["nodes"]
    assert tasks == [{"title": "Look after it", "dueAt": "2026-02-14T02:00:00+00:00", "origin": "POLICY"}]


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        (ClockRule("handling", runs=("OPEN",), stops=("DONE",)), "capital letters"),
        (ClockRule("HANDLING", column="type", runs=("OPEN",), stops=("DONE",)), "no workflow"),
        (ClockRule("HANDLING", runs=("OPEN",), stops=("CLOSED",)), "CLOSED, which is no state"),
        (ClockRule("HANDLING", runs=("OPEN",), stops=("DONE",), voids=("OPEN",)), "OPEN twice"),
        (ClockRule("HANDLING", runs=("OPEN",)), "never ends"),
    ],
)
def test_a_rule_that_cannot_work_stops_the_start(rule: ClockRule, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(Task.definition.options, "clocks", (rule,))
    assert any(fault in text for text in clock_rule_faults(Task))


async def test_a_new_policy_gives_open_rows_a_clock_that_begins_then(
    client: HubClient, people: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy_changes, "CHANGED", 2)  # several rounds of the timer
    tasks = [(await _create(client, people, "TRAINING"))["id"] for _ in range(5)]
    other = (await _create(client, people, "MEETING"))["id"]
    await client.query(DONE, {"id": tasks[0]})
    created = (await client.query("query ($id: ID!) { task(id: $id) { createdAt } }", {"id": other}))["task"][
        "createdAt"
    ]
    later = (datetime.fromisoformat(created) + timedelta(seconds=1)).isoformat()  # each round is a microsecond later
    assert [await _clocks(client, task) for task in tasks] == [[]] * 5
    match = {"type": {"eq": "TRAINING"}}
    policy = POLICIES[0] | {"code": "trainings", "position": 9, "match": match}
    for _ in range(2):  # the second changes nothing
        await client.query(POLICY, {"input": policy})
        await client.query(ADVANCE, {"to": later})
    assert [await _clocks(client, task) for task in (*tasks, other)] == [[], *[["RUNNING"]] * 4, []]
    started = "query ($id: ID!) { task(id: $id) { clocks { nodes { startedAt policy { code } } } } }"
    read = (await client.query(started, {"id": tasks[1]}))["task"]["clocks"]["nodes"]
    assert [(clock["startedAt"][:19], clock["policy"]) for clock in read] == [(created[:19], {"code": "trainings"})]


async def test_a_policy_that_comes_first_takes_over_open_clocks_and_gives_others_its_levels(
    client: HubClient, people: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy_changes, "CHANGED", 2)  # several rounds of the timer
    created = "query ($id: ID!) { task(id: $id) { createdAt } }"
    tasks = [(await _create(client, people, "CALL"))["id"] for _ in range(4)]
    visit = (await _create(client, people, "VISIT"))["id"]
    now = datetime.fromisoformat((await client.query(created, {"id": visit}))["task"]["createdAt"])
    pool = Pool(client.dsn, Settings(clock="test"))
    async with pool.transaction() as tx:  # a clock of no policy, with a goal of its own
        subject = await subject_values(tx, Task, UUID(tasks[0].removeprefix("tsk_")))
        await start_clock(tx, subject, "EXTRA", now=now, goal=timedelta(hours=2))
    await pool.close()
    rules = [{"clock": "EXTRA", "level": 1, "atShare": "0.5", "role": "STAFF", "text": "Half of it is spent."}]
    first = {"code": "first", "name": "First", "entity": "Task", "match": {"type": {"eq": "CALL"}}, "position": 1}
    terms = [{"clock": "HANDLING", "goalSeconds": 1_800, "calendar": "china"}]
    await client.query(POLICY, {"input": {**first, "terms": terms, "escalationRules": rules}})
    await client.query(ADVANCE, {"to": (now + timedelta(seconds=1)).isoformat()})
    read = "query ($id: ID!) { task(id: $id) { clocks { nodes { name goalSeconds level policy { code } } } } }"
    clocks = [(await client.query(read, {"id": task}))["task"]["clocks"]["nodes"] for task in (*tasks, visit)]
    by_name = [
        {clock["name"]: (clock["goalSeconds"], clock["policy"]["code"]) for clock in of_task} for of_task in clocks
    ]
    assert by_name == [
        {"HANDLING": (1_800, "first"), "EXTRA": (7_200, "first")},
        *[{"HANDLING": (1_800, "first")}] * 3,
        {"HANDLING": (7_200, "visits")},
    ]
    await client.query(ADVANCE, {"to": (now + timedelta(hours=1)).isoformat()})
    levels = (await client.query(read, {"id": tasks[0]}))["task"]["clocks"]["nodes"]
    assert {clock["name"]: clock["level"] for clock in levels}["EXTRA"] == 1
    delete = "mutation ($id: ID!) { slaPolicyDelete(input: {id: $id}) { deletedId } }"
    (policy,) = (await client.query('{ slaPolicies(filter: {code: {eq: "first"}}) { nodes { id } } }'))["slaPolicies"][
        "nodes"
    ]
    await client.query(delete, {"id": policy["id"]})
