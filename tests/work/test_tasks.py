"""Tasks through the front door: defaults, what is recorded when they are done, reminders, and who has which."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import pytest
from conftest import CreateDatabase, create_api_key
from people import ActingPerson, people_who_do_not_see, person_of
from writer_client import HubClient, open_hub_client

from hub.settings import Settings

START = datetime(2026, 3, 2, 1, tzinfo=UTC)
CREATE = """mutation ($input: TaskCreateInput!) { taskCreate(input: $input) {
    task { id type category title status dueAt minutes origin staff { number } unit { code } customer { name } }
} }"""
DONE = """mutation ($input: TaskDoneInput!) { taskDone(input: $input) {
    task { id type title status result minutes doneAt interaction { id } allowedMoves }
    interaction { kind channel direction subject body occurredAt staff { number } customer { name } }
} }"""
CUSTOMER = '{ customerBy(identifier: {kind: EXTERNAL_ID, value: "QUICK"}) { id unit { id code } } }'
ADVANCE = "mutation ($to: DateTime!) { testClockAdvance(input: {to: $to}) { fired } }"


@pytest.fixture(scope="module")
async def client(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[HubClient]:
    settings = Settings(clock="test", clock_start=START)
    async with open_hub_client(await create_database("northwind"), settings) as client:
        yield client


@pytest.fixture(scope="module")
async def nancy(client: HubClient) -> ActingPerson:
    return await person_of(client, "1", role="writer")


async def test_a_task_is_its_creators_and_called_after_its_type(client: HubClient, nancy: ActingPerson) -> None:
    created = (await client.query(CREATE, {"input": {"type": "CALL"}}, key=nancy.key))["taskCreate"]["task"]
    assert created.pop("id").startswith("tsk_")
    assert created == {
        "type": "CALL",
        "category": "INTERNAL",
        "title": "Call",
        "status": "OPEN",
        "dueAt": None,
        "minutes": None,
        "origin": "PERSON",
        "staff": {"number": "1"},
        "unit": {"code": nancy.unit},
        "customer": None,
    }


async def test_a_visit_that_nobody_planned_takes_three_fields(client: HubClient, nancy: ActingPerson) -> None:
    customer = (await client.query(CUSTOMER))["customerBy"]
    visit = {"customerId": customer["id"], "type": "VISIT", "result": "They want samples."}
    done = (await client.query(DONE, {"input": visit}, key=nancy.key))["taskDone"]
    task = done["task"]
    assert (task["title"], task["status"], task["result"]) == ("Visit", "DONE", "They want samples.")
    assert (task["doneAt"], done["interaction"], task["allowedMoves"]) == ("2026-03-02T01:00:00+00:00", None, ["OPEN"])


async def test_what_came_of_a_task_can_be_an_interaction(client: HubClient, nancy: ActingPerson) -> None:
    customer = (await client.query(CUSTOMER))["customerBy"]
    planned = {"customerId": customer["id"], "type": "CALL", "title": "Prices", "dueAt": "2026-03-02T09:00:00Z"}
    task = (await client.query(CREATE, {"input": planned}, key=nancy.key))["taskCreate"]["task"]
    assert (task["category"], task["unit"]) == ("SALES", {"code": customer["unit"]["code"]})
    done = {"id": task["id"], "result": "Agreed.", "minutes": 20, "channel": "PHONE", "doneAt": "2026-03-02T00:30:00Z"}
    answer = (await client.query(DONE, {"input": done}, key=nancy.key))["taskDone"]
    assert answer["interaction"] == {
        "kind": "task.call",
        "channel": "PHONE",
        "direction": "OUTBOUND",
        "subject": "Prices",
        "body": "Agreed.",
        "occurredAt": "2026-03-02T00:30:00+00:00",
        "staff": {"number": "1"},
        "customer": task["customer"],
    }
    assert (answer["task"]["minutes"], answer["task"]["doneAt"]) == (20, "2026-03-02T00:30:00+00:00")
    again = await client.error(DONE, {"input": done}, key=nancy.key)
    assert (again["code"], again["argument"]) == ("MOVE_INVALID", "input.id")


@pytest.mark.parametrize(
    ("done", "code", "argument"),
    [
        ({}, "ARGUMENT_MISSING", "input.id"),
        ({"type": "OTHER", "channel": "PHONE"}, "VALUE_INVALID", "input.channel"),
        ({"type": "OTHER", "minutes": -1}, "VALUE_INVALID", "input.minutes"),
        ({"type": "OTHER", "doneAt": "2026-03-03T00:00:00Z"}, "VALUE_INVALID", "input.doneAt"),
        ({"type": "OTHER", "title": " "}, "VALUE_INVALID", "input.title"),
    ],
)
async def test_what_cannot_be_done_is_refused(
    client: HubClient, nancy: ActingPerson, done: dict[str, object], code: str, argument: str
) -> None:
    error = await client.error(DONE, {"input": done}, key=nancy.key)
    assert (error["code"], error["argument"]) == (code, argument)


async def test_a_system_says_whose_task_it_is(client: HubClient, nancy: ActingPerson) -> None:
    error = await client.error(CREATE, {"input": {"type": "CALL"}})
    assert (error["code"], error["argument"]) == ("PERSON_NEEDED", "input.staffId")
    error = await client.error(DONE, {"input": {"type": "VISIT", "result": "They want samples."}})
    assert (error["code"], error.get("argument")) == ("PERSON_NEEDED", None)  # it takes no other person
    task = (await client.query(CREATE, {"input": {"staffId": nancy.id}}))["taskCreate"]["task"]
    assert (task["type"], task["title"], task["staff"]) == ("OTHER", "Task", {"number": "1"})


async def test_a_task_moves_with_its_customer_and_its_person(client: HubClient, nancy: ActingPerson) -> None:
    other = (await client.query("{ orgUnits(filter: {kind: {eq: OUTLET}}, first: 1) { nodes { id code } } }"))[
        "orgUnits"
    ]
    (unit,) = other["nodes"]
    customer = (await client.query(CUSTOMER))["customerBy"]
    inputs = [{"customerId": customer["id"], "staffId": nancy.id}, {"staffId": nancy.id}]
    about, bare = [(await client.query(CREATE, {"input": task}))["taskCreate"]["task"]["id"] for task in inputs]
    units = "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Task { unit { code } } } }"
    move = "mutation ($input: CustomerAssignInput!) { customerAssign(input: $input) { customer { id } } }"
    await client.query(move, {"input": {"id": customer["id"], "unitId": unit["id"]}})
    nodes = (await client.query(units, {"ids": [about, bare]}))["nodes"]
    assert [node["unit"]["code"] for node in nodes] == [unit["code"], nancy.unit]
    await client.query(move, {"input": {"id": customer["id"], "unitId": customer["unit"]["id"]}})


async def test_the_person_is_reminded_once_when_an_open_task_is_due(client: HubClient, nancy: ActingPerson) -> None:
    tasks = [{"title": title, "dueAt": "2026-03-03T01:00:00Z"} for title in ("Reminded", "Done before", "Moved")]
    ids = [(await client.query(CREATE, {"input": task}, key=nancy.key))["taskCreate"]["task"]["id"] for task in tasks]
    await client.query(DONE, {"input": {"id": ids[1]}}, key=nancy.key)
    update = "mutation ($input: TaskUpdateInput!) { taskUpdate(input: $input) { task { id } } }"
    await client.query(update, {"input": {"id": ids[2], "dueAt": "2026-03-04T01:00:00Z"}}, key=nancy.key)
    await client.query(ADVANCE, {"to": "2026-03-03T02:00:00Z"})
    seen = """{ notifications(filter: {text: {startsWith: "Due"}}, orderBy: {field: NOTIFIED_AT}) {
        nodes { type text notifiedAt staff { number } } } }"""
    first = {
        "type": "DUE",
        "text": "Due: Reminded",
        "notifiedAt": "2026-03-03T01:00:00+00:00",
        "staff": {"number": "1"},
    }
    assert (await client.query(seen, key=nancy.key))["notifications"]["nodes"] == [first]
    await client.query(ADVANCE, {"to": "2026-03-05T02:00:00Z"})
    nodes = (await client.query(seen, key=nancy.key))["notifications"]["nodes"]
    assert nodes == [first, first | {"text": "Due: Moved", "notifiedAt": "2026-03-04T01:00:00+00:00"}]
    moves = "query ($id: ID!) { task(id: $id) { moves { nodes { fromValue toValue movedAt movedBy { number } } } } }"
    done = {"fromValue": "OPEN", "toValue": "DONE", "movedAt": "2026-03-02T01:00:00+00:00", "movedBy": {"number": "1"}}
    assert (await client.query(moves, {"id": ids[1]}))["task"]["moves"]["nodes"] == [done]


HANDLING = """mutation { slaPolicyUpsert(input: {code: "visits", name: "Visits", entity: "Task",
    match: {title: {eq: "Far away"}}, terms: [{clock: "HANDLING", goalSeconds: 3600}]}) { created } }"""
RELATED = """query ($id: ID!) { task(id: $id) {
    moves { nodes { toValue } } clocks { nodes { status } } } }"""
LISTED = """{ moves(first: 100) { nodes { subject { ... on Task { id } } } }
    clocks(first: 100) { nodes { subject { ... on Task { id } } } } }"""
ME = """{ me {
    tasks(orderBy: {field: CREATED_AT}, first: 100) { totalCount nodes { id } }
    notifications(orderBy: {field: NOTIFIED_AT}, first: 100) { nodes { id } }
} }"""
EVERYTHING = """{
    tasks(orderBy: {field: CREATED_AT}, first: 100) { nodes { id staff { number } unit { code } } }
    notifications(orderBy: {field: NOTIFIED_AT}, first: 100) { nodes { id staff { number unit { code } } } }
}"""
PROCESS = """mutation { processUpsert(input: {code: "trial", name: "Trial", type: APPROVAL, about: "Customer", steps: [
    {code: "begin", name: "Begin", addressee: OPENER, decisions: [DONE], allowsOpener: true}
]}) { created } }"""
OPEN = """mutation ($input: WorkItemOpenInput!) { workItemOpen(input: $input) { workItem {
    steps { nodes { id addressee { number } workingUnit { code } } } } } }"""
STEPS = "{ me { workSteps { nodes { id } } } }"
JOB_ROLE = "mutation ($input: JobRoleUpsertInput!) { jobRoleUpsert(input: $input) { jobRole { id } } }"
UNIT = "query ($code: String!) { orgUnits(filter: {code: {eq: $code}}) { nodes { id } } }"


async def _work(client: HubClient, key: str) -> tuple[list[str], list[str]]:
    """The ids of the tasks and notifications of who asks."""
    me = (await client.query(ME, key=key))["me"]
    assert me["tasks"]["totalCount"] == len(me["tasks"]["nodes"])
    return [node["id"] for node in me["tasks"]["nodes"]], [node["id"] for node in me["notifications"]["nodes"]]


async def test_a_member_has_own_work_a_head_that_of_the_unit_and_a_customer_none(
    client: HubClient, nancy: ActingPerson
) -> None:
    andrew = await person_of(client, "2")
    janet = await person_of(client, "3")
    for person in (andrew, janet):
        task = {"staffId": person.id, "title": f"Of {person.number}", "dueAt": "2026-03-06T01:00:00Z"}
        await client.query(CREATE, {"input": task})
    await client.query(ADVANCE, {"to": "2026-03-06T02:00:00Z"})
    rows = await client.query(EVERYTHING)
    tasks, notifications = rows["tasks"]["nodes"], rows["notifications"]["nodes"]
    for person in (nancy, andrew, janet):
        own = [row["id"] for row in tasks if row["staff"]["number"] == person.number]
        read = [row["id"] for row in notifications if row["staff"]["number"] == person.number]
        assert own
        assert await _work(client, person.key) == (own, read)
    (unit,) = (await client.query(UNIT, {"code": nancy.unit}))["orgUnits"]["nodes"]
    role = {"staffId": janet.id, "role": "HEAD", "unitId": unit["id"], "toAt": "2026-03-07T00:00:00Z"}
    await client.query(JOB_ROLE, {"input": role})
    visible = (await client.query(EVERYTHING, key=janet.key))["tasks"]["nodes"]
    headed = [row["id"] for row in visible if row["staff"]["number"] == "3" or row["unit"]["code"] == nancy.unit]
    seen = [row["id"] for row in notifications if row["staff"]["number"] == "3"]
    assert await _work(client, janet.key) == (headed, seen)
    leading = await person_of(client, "3", bound=False)
    unbound = [row["id"] for row in tasks if row["staff"]["number"] == "3" or row["unit"]["code"] == nancy.unit]
    assert len(unbound) > len([row for row in tasks if row["staff"]["number"] == "3"])
    assert (await _work(client, leading.key))[0] == unbound
    administering = await person_of(client, "3", role="admin", bound=False)
    listed = [
        row["id"]
        for row in notifications
        if row["staff"]["number"] == "3" or row["staff"]["unit"]["code"] == nancy.unit
    ]
    assert await _work(client, administering.key) == (unbound, listed)
    await client.query(ADVANCE, {"to": "2026-03-07T01:00:00Z"})  # Janet leads it no longer
    own = [row["id"] for row in tasks if row["staff"]["number"] == "3"]
    assert (await _work(client, leading.key))[0] == own
    assert await _work(client, client.key) == ([], [])
    customer = UUID((await client.query(CUSTOMER))["customerBy"]["id"].partition("_")[2])
    assert await _work(client, await create_api_key(client.dsn, "reader", customer_id=customer)) == ([], [])


async def test_a_step_is_the_work_of_its_addressee_and_of_the_head_of_its_unit(client: HubClient) -> None:
    nancy, robert, laura = [await person_of(client, number, bound=False) for number in ("1", "7", "8")]
    customer = (await client.query(CUSTOMER))["customerBy"]
    await client.query(PROCESS)
    item = {"process": "trial", "subjectId": customer["id"], "title": "A trial"}
    opened = (await client.query(OPEN, {"input": item}, key=nancy.key))["workItemOpen"]["workItem"]
    (step,) = opened["steps"]["nodes"]
    assert step["addressee"] == {"number": "1"}
    (unit,) = (await client.query(UNIT, {"code": step["workingUnit"]["code"]}))["orgUnits"]["nodes"]
    await client.query(JOB_ROLE, {"input": {"staffId": robert.id, "role": "HEAD", "unitId": unit["id"]}})
    lists = [
        (await client.query(STEPS, key=person.key))["me"]["workSteps"]["nodes"] for person in (nancy, robert, laura)
    ]
    assert lists == [[{"id": step["id"]}], [{"id": step["id"]}], []]


async def test_a_person_of_another_unit_sees_the_task_with_its_moves_and_clocks(client: HubClient) -> None:
    customer = (await client.query(CUSTOMER))["customerBy"]
    person, other = (await people_who_do_not_see(client, customer["id"]))[:2]
    await client.query(HANDLING)
    task = {"customerId": customer["id"], "staffId": person.id, "title": "Far away"}
    created = (await client.query(CREATE, {"input": task}))["taskCreate"]["task"]
    await client.query(DONE, {"input": {"id": created["id"], "result": "Done."}})
    shown = (await client.query(RELATED, {"id": created["id"]}, key=person.key))["task"]
    assert shown == {"moves": {"nodes": [{"toValue": "DONE"}]}, "clocks": {"nodes": [{"status": "MET"}]}}
    answers = [await client.query(LISTED, key=key) for key in (person.key, other.key, client.key)]
    counts = [
        [
            sum(node["subject"] == {"id": created["id"]} for node in answer[root]["nodes"])
            for root in ("moves", "clocks")
        ]
        for answer in answers
    ]
    assert counts == [[1, 1], [0, 0], [1, 1]]
    assert (await client.query(RELATED, {"id": created["id"]}, key=other.key))["task"] is None
