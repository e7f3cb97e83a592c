"""Processes through the front door: revisions, and definitions that could not work."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from conftest import CreateDatabase, create_api_key, execute_sql
from writer_client import HubClient, open_hub_client

from hub.viewer import Role

UPSERT = """mutation ($input: ProcessUpsertInput!) { processUpsert(input: $input) {
    created process { code revision status version steps { nodes { code quorum decisions } } }
} }"""
CALENDAR = """mutation { calendarUpsert(input: {
    code: "office", name: "Office", timezone: "UTC", weekly: {mon: ["09:00-17:00"]}
}) { created } }"""
REVISIONS = '{ processes(filter: {code: {eq: "%s"}}, orderBy: {field: REVISION}) { nodes { revision status } } }'
DRAFT: dict[str, Any] = {"code": "draft", "name": "Draft", "addressee": "OPENER", "decisions": ["DONE"]}
CHECK: dict[str, Any] = {
    "code": "check", "name": "Check", "addressee": "ROLE", "role": "CHECKER", "decisions": ["APPROVE", "REJECT", "RETURN"],
    "returnsTo": "draft", "distinctFrom": ["draft"], "quorum": 5, "majority": "2/3",
}  # fmt: skip
AUTO: dict[str, Any] = {"code": "auto", "name": "Auto", "addressee": "AUTO"}


@pytest.fixture(scope="module")
async def process_client(create_database: CreateDatabase, empty_dsn: str) -> AsyncIterator[HubClient]:
    """A hub with a unit and a calendar."""
    dsn = await create_database("migrated")
    await execute_sql(dsn, "insert into org_units (code, name, kind, path) values ('top', 'Top', 'GROUP', 'top')")
    async with open_hub_client(dsn) as client:
        await client.query(CALENDAR)
        yield client


def _process(code: str, *steps: dict[str, Any], **values: Any) -> dict[str, Any]:
    process = {"code": code, "name": "Paper", "type": "APPROVAL", "about": "Customer", "steps": list(steps)}
    return {"input": process | values}


async def _upsert(client: HubClient, code: str, *steps: dict[str, Any], **values: Any) -> Any:
    return (await client.query(UPSERT, _process(code, *steps, **values)))["processUpsert"]


async def _revisions(client: HubClient, code: str) -> list[tuple[int, str]]:
    nodes = (await client.query(REVISIONS % code))["processes"]["nodes"]
    return [(node["revision"], node["status"]) for node in nodes]


async def test_equal_input_changes_nothing_and_a_changed_one_is_a_new_revision(process_client: HubClient) -> None:
    goal = DRAFT | {"goalSeconds": 3600, "exitCriteria": {"country": {"eq": "DE"}}}
    first = await _upsert(process_client, "paper", goal, CHECK, calendar="office")
    assert first == {
        "created": True,
        "process": {
            "code": "paper", "revision": 1, "status": "ACTIVE", "version": 1, "steps": {"nodes": [
                {"code": "draft", "quorum": 1, "decisions": ["DONE"]},
                {"code": "check", "quorum": 5, "decisions": ["APPROVE", "REJECT", "RETURN"]},
            ]},
        },
    }  # fmt: skip
    assert await _upsert(process_client, "paper", goal, CHECK, calendar="office") == first | {"created": False}
    changed = await _upsert(process_client, "paper", goal, CHECK | {"quorum": 3}, calendar="office")
    assert (changed["created"], changed["process"]["revision"]) == (True, 2)
    assert await _revisions(process_client, "paper") == [(1, "RETIRED"), (2, "ACTIVE")]
    retired = await _upsert(process_client, "paper", goal, CHECK | {"quorum": 3}, calendar="office", status="RETIRED")
    assert (retired["created"], retired["process"]["version"]) == (False, 2)
    again = process_client.error(
        UPSERT, _process("paper", goal, CHECK | {"quorum": 3}, calendar="office", status="DRAFT")
    )
    assert (await again)["code"] == "MOVE_INVALID"


async def test_a_draft_is_changed_as_it_stands_until_it_is_activated(process_client: HubClient) -> None:
    await _upsert(process_client, "plan", DRAFT)
    await _upsert(process_client, "plan", DRAFT, CHECK, status="DRAFT")
    changed = await _upsert(process_client, "plan", DRAFT, AUTO)
    assert (changed["created"], [step["code"] for step in changed["process"]["steps"]["nodes"]]) == (
        False,
        ["draft", "auto"],
    )
    assert await _revisions(process_client, "plan") == [(1, "ACTIVE"), (2, "DRAFT")]
    await _upsert(process_client, "plan", DRAFT, AUTO, status="ACTIVE")
    assert await _revisions(process_client, "plan") == [(1, "RETIRED"), (2, "ACTIVE")]


async def test_an_automatic_step_decides_by_its_criteria(process_client: HubClient) -> None:
    criteria = AUTO | {"exitCriteria": {"country": {"eq": "DE"}}}
    steps = [DRAFT, AUTO | {"code": "log"}, criteria, criteria | {"code": "back", "returnsTo": "draft"}]
    stored = await _upsert(process_client, "self", *steps)
    decisions = [step["decisions"] for step in stored["process"]["steps"]["nodes"]]
    assert decisions == [["DONE"], ["DONE"], ["DONE", "REJECT"], ["DONE", "RETURN"]]


@pytest.mark.parametrize(
    ("steps", "argument", "fault"),
    [
        ([], "steps", "give 1 to 100 steps"),
        ([DRAFT, CHECK | {"code": "draft"}], "steps[1].code", "is the code of an earlier step"),
        ([DRAFT, CHECK | {"returnsTo": "gone"}], "steps[1].returnsTo", "'gone' is no earlier step"),
        ([DRAFT, CHECK | {"returnsTo": "check"}], "steps[1].returnsTo", "'check' is no earlier step"),
        ([CHECK, DRAFT], "steps[0].distinctFrom[0]", "'draft' is no earlier step"),
        ([DRAFT, CHECK | {"returnsTo": None}], "steps[1].returnsTo", "say where RETURN leads"),
        ([DRAFT | {"returnsTo": "draft"}], "steps[0].returnsTo", "add RETURN to the decisions"),
        ([DRAFT | {"decisions": ["REJECT"]}], "steps[0].decisions", "no item could ever leave the step"),
        ([DRAFT | {"decisions": []}], "steps[0].decisions", "no item could ever leave the step"),
        ([DRAFT | {"decisions": ["DONE", "DONE"]}], "steps[0].decisions", "twice"),
        ([DRAFT, CHECK | {"quorum": 0}], "steps[1].quorum", "give 1 to 99 voters"),
        ([DRAFT | {"quorum": 2}], "steps[0].quorum", "addressed to a ROLE"),
        ([DRAFT, CHECK | {"majority": "3/2"}], "steps[1].majority", "is no majority"),
        ([DRAFT, CHECK | {"majority": "0"}], "steps[1].majority", "is no majority"),
        ([DRAFT, CHECK | {"majority": "1/0"}], "steps[1].majority", "is no majority"),
        ([DRAFT, CHECK | {"majority": "1e99999999"}], "steps[1].majority", "is no majority"),
        ([DRAFT, CHECK | {"quorum": 1}], "steps[1].majority", "one person alone decides"),
        ([DRAFT | {"role": "CLERK"}], "steps[0].role", "leave it out"),
        ([DRAFT, CHECK | {"role": None}], "steps[1].role", "name the role"),
        ([DRAFT | {"unitType": "PARENT"}], "steps[0].unitType", "in another unit"),
        ([DRAFT, CHECK | {"unitType": "NAMED"}], "steps[1].unit", "give the unit's code"),
        ([DRAFT, CHECK | {"unit": "top"}], "steps[1].unit", "make it NAMED"),
        ([DRAFT | {"goalSeconds": 60}], "steps[0].calendar", "needs a calendar"),
        ([DRAFT | {"goalSeconds": 0, "calendar": "office"}], "steps[0].goalSeconds", "seconds"),
        ([DRAFT | {"probability": "0.5"}], "steps[0].probability", "only stages of a PIPELINE"),
        ([DRAFT | {"groupName": "a"}, CHECK, AUTO | {"groupName": "a"}], "steps[2].groupName", "side by side"),
        (
            [DRAFT | {"groupName": "a"}, CHECK | {"groupName": "a"}],
            "steps[1].returnsTo",
            "a step of the same group",
        ),
        ([AUTO | {"authority": "credit"}], "steps[0].authority", "nobody decides an AUTO step"),
        ([AUTO | {"decisions": ["DONE"]}], "steps[0].decisions", "follows from its criteria"),
        (
            [AUTO, AUTO | {"code": "loop", "returnsTo": "auto", "exitCriteria": {"country": {"eq": "DE"}}}],
            "steps[1].returnsTo",
            "which would return for ever",
        ),
        ([DRAFT | {"code": "a b"}], "steps[0].code", "no short name"),
        ([DRAFT | {"name": ""}], "steps[0].name", ""),
    ],
)  # fmt: skip
async def test_a_process_that_could_not_work_is_refused(
    process_client: HubClient, steps: list[dict[str, Any]], argument: str, fault: str
) -> None:
    error = await process_client.error(UPSERT, _process("faulty", *steps))
    assert (error["code"], error["argument"]) == ("PROCESS_INVALID", f"input.{argument}")
    assert fault in error["message"]


@pytest.mark.parametrize(
    ("values", "code", "argument"),
    [
        ({"about": "Customr"}, "VALUE_INVALID", "about"),
        ({"codeRule": "none"}, "NOT_FOUND", "codeRule"),
        ({"maxRounds": 0}, "PROCESS_INVALID", "maxRounds"),
        ({"expectedVersion": 1}, "NOT_FOUND", "expectedVersion"),
        ({"steps": [DRAFT | {"goalSeconds": 1, "calendar": "none"}]}, "NOT_FOUND", "steps[0].calendar"),
        ({"steps": [CHECK | {"unitType": "NAMED", "unit": "no", "distinctFrom": [], "decisions": ["DONE"],
            "returnsTo": None}]}, "NOT_FOUND", "steps[0].unit"),
        ({"steps": [DRAFT | {"exitCriteria": {"nme": {"eq": "a"}}}]}, "FILTER_INVALID", "steps[0].exitCriteria"),
        ({"steps": [DRAFT | {"verified": ["nme"]}]}, "FIELD_UNKNOWN", "steps[0].verified[0]"),
    ],
)  # fmt: skip
async def test_what_a_process_refers_to_exists(
    process_client: HubClient, values: dict[str, Any], code: str, argument: str
) -> None:
    error = await process_client.error(UPSERT, _process("loose", DRAFT, **values))
    assert (error["code"], error["argument"]) == (code, f"input.{argument}")


async def test_every_key_reads_processes_and_only_administrators_write_them(process_client: HubClient) -> None:
    await _upsert(process_client, "open", DRAFT)
    reader = await create_api_key(process_client.dsn, Role.READER)
    seen = (await process_client.query(REVISIONS % "open", key=reader))["processes"]["nodes"]
    assert seen == [{"revision": 1, "status": "ACTIVE"}]
    refused = await process_client.error(UPSERT, _process("open", DRAFT), key=reader)
    assert refused["code"] == "FORBIDDEN"


ADD_ROLE = "mutation ($input: RoleUpsertInput!) { roleUpsert(input: $input) { created } }"
ADD_TO_KEY = "mutation ($input: RoleAssignInput!) { roleAssign(input: $input) { role { name } } }"
KEYS = '{ apiKeys(filter: {publicId: {eq: "%s"}}) { nodes { id } } }'


async def test_steps_of_a_process_that_the_roles_only_show_stay(process_client: HubClient) -> None:
    """One role shows all processes, another one writes those of one code."""
    names = ("Process", "ProcessStep", "Calendar", "CodeRule", "OrgUnit")
    shown = [{"entity": name, "verbs": ["READ"]} for name in names]
    own = {"entity": "Process", "verbs": ["READ", "CREATE", "UPDATE"], "rowFilter": {"code": {"eq": "own"}}}
    for name, rules in (("process-readers", shown), ("own-processes", [own])):
        await process_client.query(ADD_ROLE, {"input": {"name": name, "rules": rules}})
    key = await create_api_key(process_client.dsn, "process-readers")
    key_id = (await process_client.query(KEYS % key.split("_")[1]))["apiKeys"]["nodes"][0]["id"]
    await process_client.query(ADD_TO_KEY, {"input": {"role": "own-processes", "keyId": key_id}})
    for code in ("own", "foreign"):
        await _upsert(process_client, code, DRAFT, status="DRAFT")
    changed = await process_client.query(UPSERT, _process("own", DRAFT, AUTO, status="DRAFT"), key=key)
    assert len(changed["processUpsert"]["process"]["steps"]["nodes"]) == 2
    for status in ("DRAFT", "ACTIVE"):
        refused = await process_client.error(UPSERT, _process("foreign", DRAFT, AUTO, status=status), key=key)
        assert refused["code"] == "FORBIDDEN", refused
    assert await _revisions(process_client, "foreign") == [(1, "DRAFT")]
    assert not (await _upsert(process_client, "foreign", DRAFT, status="DRAFT"))["created"]
    steps = '{ processSteps(filter: {process: {code: {eq: "foreign"}}}) { nodes { version code } } }'
    assert (await process_client.query(steps))["processSteps"]["nodes"] == [{"version": 1, "code": "draft"}]
