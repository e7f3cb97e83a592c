"""Reports through the front door: issued at the end of periods, written, checked, sealed by a digest, and corrected."""

import hashlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from conftest import CreateDatabase
from people import ActingPerson, person_of
from writer_client import HubClient, open_hub_client

from hub.settings import Settings

START = datetime(2026, 3, 2, 1, tzinfo=UTC)  # Monday, 09:00 in Shanghai
ADVANCE = "mutation ($to: DateTime!) { testClockAdvance(input: {to: $to}) { fired } }"
UPSERT = """mutation ($input: ReportUpsertInput!) { reportUpsert(input: $input) {
    created report { id version name status statusReason startsOn closesAt } } }"""
ISSUES = """query ($name: String!) { reportIssues(filter: {name: {eq: $name}}, orderBy: {field: STARTS_ON}, first: 100) {
    nodes { id startsOn endsOn revision status facts fault sections note digest issuedAt staff { number } unit { code }
        submitter { number } checker { number } replaces { id } corrections { nodes { id } }
        moves(orderBy: {field: MOVED_AT}) { nodes { toValue } } }
} }"""
SUBMIT = "mutation ($input: ReportSubmitInput!) { reportSubmit(input: $input) { reportIssue { id status digest } } }"
CHECK = "mutation ($input: ReportCheckInput!) { reportCheck(input: $input) { reportIssue { id status digest } } }"
CORRECT = (
    "mutation ($input: ReportCorrectInput!) { reportCorrect(input: $input) { reportIssue { id status revision } } }"
)
COUNT = "query ($from: DateTime!, $to: DateTime!) { orders(filter: {placedAt: {gte: $from, lt: $to}}) { totalCount } }"
OWN_TASKS = """query ($subject: ID!, $from: DateTime!, $to: DateTime!) {
    tasks(filter: {staff: {id: {eq: $subject}}, doneAt: {gte: $from, lt: $to}}) { nodes { title } } }"""


@pytest.fixture(scope="module")
async def client(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[HubClient]:
    settings = Settings(clock="test", clock_start=START)
    async with open_hub_client(await create_database("northwind"), settings) as client:
        yield client


@pytest.fixture(scope="module")
async def nancy(client: HubClient) -> ActingPerson:
    return await person_of(client, "1")


@pytest.fixture(scope="module")
async def andrew(client: HubClient) -> ActingPerson:
    return await person_of(client, "2", bound=False)


async def _issues(client: HubClient, name: str, key: str | None = None) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = (await client.query(ISSUES, {"name": name}, key=key))["reportIssues"]["nodes"]
    return nodes


def _digest(name: str, issue: dict[str, Any], subject: str, replaces: str | None = None) -> str:
    """The digest as docs/work.md describes it."""
    content = {
        "report": name,
        "startsOn": issue["startsOn"],
        "endsOn": issue["endsOn"],
        "subject": subject.partition("_")[2],
        "revision": issue["revision"],
        "replaces": replaces,
        "facts": issue["facts"],
        "sections": issue["sections"],
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


async def test_a_report_of_facts_is_issued_and_sealed_when_its_period_ends(client: HubClient) -> None:
    report = {"name": "orders_of_the_day", "period": "DAY", "timezone": "Asia/Shanghai", "document": COUNT}
    first = (await client.query(UPSERT, {"input": report}))["reportUpsert"]
    assert (first["created"], first["report"]["startsOn"], first["report"]["closesAt"]) == (
        True, "2026-03-02", "2026-03-02T16:00:00+00:00",
    )  # fmt: skip
    again = (await client.query(UPSERT, {"input": report}))["reportUpsert"]
    assert again == {"created": False, "report": first["report"]}
    await client.query(ADVANCE, {"to": "2026-03-04T15:59:59Z"})
    issues = await _issues(client, "orders_of_the_day")
    assert [(issue["startsOn"], issue["endsOn"], issue["status"], issue["issuedAt"]) for issue in issues] == [
        ("2026-03-02", "2026-03-02", "ISSUED", "2026-03-02T16:00:00+00:00"),
        ("2026-03-03", "2026-03-03", "ISSUED", "2026-03-03T16:00:00+00:00"),
    ]
    assert [issue["facts"] for issue in issues] == [{"orders": {"totalCount": 0}}] * 2
    for issue in issues:
        assert issue["digest"] == _digest("orders_of_the_day", issue, first["report"]["id"])
    connection = await asyncpg.connect(client.dsn)
    try:
        for change in ("update report_issues set note = 'x'", "delete from report_issues"):
            with pytest.raises(asyncpg.RestrictViolationError):
                await connection.execute(f"{change} where status = 'ISSUED'")
    finally:
        await connection.close()


async def test_a_daily_log_is_written_checked_and_keeps_its_digest_when_it_is_corrected(
    client: HubClient, nancy: ActingPerson, andrew: ActingPerson
) -> None:
    log = {
        "name": "daily_log", "period": "DAY", "timezone": "Asia/Shanghai", "per": "STAFF", "document": OWN_TASKS,
        "sections": ["results", "experience"], "subjects": {"number": {"in": ["1", "3"]}},
    }  # fmt: skip
    await client.query(ADVANCE, {"to": "2026-03-04T15:59:59Z"})
    await client.query(UPSERT, {"input": log})
    done = 'mutation { taskDone(input: {type: CALL, title: "Prices"}) { task { id } } }'
    await client.query(done, key=nancy.key)
    await client.query(ADVANCE, {"to": "2026-03-05T15:59:59Z"})
    issues = {issue["staff"]["number"]: issue for issue in await _issues(client, "daily_log")}
    assert {number: issue["facts"] for number, issue in issues.items()} == {
        "1": {"tasks": {"nodes": [{"title": "Prices"}]}},
        "3": {"tasks": {"nodes": []}},
    }
    own = await _issues(client, "daily_log", key=nancy.key)
    assert [(issue["staff"]["number"], issue["status"]) for issue in own] == [("1", "OPEN")]
    texts = {"results": "One call.", "experience": "Call early."}
    submit = {"id": own[0]["id"], "sections": texts}
    issued = (await client.query(SUBMIT, {"input": submit}, key=nancy.key))["reportSubmit"]["reportIssue"]
    assert issued["status"] == "ISSUED"
    (before,) = await _issues(client, "daily_log", key=nancy.key)
    assert before["digest"] == _digest("daily_log", before, nancy.id)
    correct = {"id": before["id"], "reason": "A visit was left out."}
    opened = (await client.query(CORRECT, {"input": correct}, key=nancy.key))["reportCorrect"]["reportIssue"]
    assert (opened["status"], opened["revision"]) == ("OPEN", 2)
    taken = await client.error(CORRECT, {"input": correct}, key=nancy.key)
    assert taken["code"] == "ALREADY_EXISTS"
    submit = {"id": opened["id"], "sections": texts | {"results": "One call, one visit."}}
    early = await client.error(SUBMIT, {"input": submit}, key=nancy.key)
    assert (early["code"], early["argument"]) == ("REPORT_FACTS_MISSING", "input.id")
    await client.query(ADVANCE, {"to": "2026-03-05T15:59:59Z"})
    await client.query(SUBMIT, {"input": submit}, key=nancy.key)
    first, second = await _issues(client, "daily_log", key=nancy.key)
    assert first == before | {"corrections": {"nodes": [{"id": second["id"]}]}}
    assert (second["replaces"], second["note"]) == ({"id": first["id"]}, "A visit was left out.")
    assert second["digest"] == _digest("daily_log", second, nancy.id, replaces=first["digest"])


CALENDAR = """mutation { calendarUpsert(input: {code: "cn", name: "Office", timezone: "Asia/Shanghai", country: "CN", weekly: {
    mon: ["09:00-12:00", "13:30-18:00"], tue: ["09:00-12:00", "13:30-18:00"], wed: ["09:00-12:00", "13:30-18:00"],
    thu: ["09:00-12:00", "13:30-18:00"], fri: ["09:00-12:00", "13:30-18:00"]}}) { created } }"""
JOB_ROLE = "mutation ($input: JobRoleUpsertInput!) { jobRoleUpsert(input: $input) { jobRole { id } } }"
ANDREWS_UNIT = '{ orgUnits(filter: {code: {eq: "northwind"}}) { nodes { id } } }'
CLOCKS = "query ($id: ID!) { reportIssue(id: $id) { clocks { nodes { name status dueAt } } checker { number } } }"


async def test_a_form_is_due_in_working_time_and_checked_by_the_head_of_the_unit(
    client: HubClient, nancy: ActingPerson, andrew: ActingPerson
) -> None:
    await client.query(CALENDAR)
    (unit,) = (await client.query(ANDREWS_UNIT))["orgUnits"]["nodes"]
    await client.query(JOB_ROLE, {"input": {"staffId": andrew.id, "role": "HEAD", "unitId": unit["id"]}})
    form = {
        "name": "week_of_nancy", "title": "The week", "period": "WEEK", "timezone": "Asia/Shanghai", "per": "STAFF",
        "sections": ["plan"], "subjects": {"number": {"eq": "1"}}, "dueAfterSeconds": 4 * 3600, "calendar": "cn",
        "checkedBy": "HEAD",
    }  # fmt: skip
    await client.query(UPSERT, {"input": form})
    await client.query(ADVANCE, {"to": "2026-03-08T16:00:00Z"})  # Monday, 00:00 in Shanghai
    (issue,) = await _issues(client, "week_of_nancy", key=nancy.key)
    assert (issue["startsOn"], issue["endsOn"], issue["facts"]) == ("2026-03-02", "2026-03-08", None)
    clocks = (await client.query(CLOCKS, {"id": issue["id"]}, key=nancy.key))["reportIssue"]["clocks"]["nodes"]
    assert clocks == [{"name": "REPORT", "status": "RUNNING", "dueAt": "2026-03-09T06:30:00+00:00"}]
    listed = """{ notifications(filter: {text: {contains: "The week"}}, orderBy: {field: NOTIFIED_AT}) { nodes { text } } }"""
    (assigned,) = (await client.query(listed, key=nancy.key))["notifications"]["nodes"]
    assert assigned["text"] == "To be written: The week of 2026-03-02, due 2026-03-09 06:30 UTC"
    submit = {"id": issue["id"], "sections": {"plan": "Visit three customers."}}
    early = await client.error(CHECK, {"input": {"id": issue["id"]}}, key=andrew.key)
    assert (early["code"], early["argument"]) == ("MOVE_INVALID", "input.id")
    submitted = (await client.query(SUBMIT, {"input": submit}, key=nancy.key))["reportSubmit"]["reportIssue"]
    assert (submitted["status"], submitted["digest"]) == ("SUBMITTED", None)
    stopped = (await client.query(CLOCKS, {"id": issue["id"]}, key=nancy.key))["reportIssue"]
    assert stopped["clocks"]["nodes"][0]["status"] == "MET"
    seen = (await client.query(CLOCKS, {"id": issue["id"]}, key=andrew.key))["reportIssue"]
    assert seen["checker"] == {"number": "2"}
    own = await client.error(CHECK, {"input": {"id": issue["id"]}}, key=nancy.key)
    assert own["code"] == "FORBIDDEN"
    silent = await client.error(CHECK, {"input": {"id": issue["id"], "accepted": False}}, key=andrew.key)
    assert (silent["code"], silent["argument"]) == ("ARGUMENT_MISSING", "input.note")
    returned = {"id": issue["id"], "accepted": False, "note": "Which customers?"}
    assert (await client.query(CHECK, {"input": returned}, key=andrew.key))["reportCheck"]["reportIssue"][
        "status"
    ] == "OPEN"
    again = (await client.query(CLOCKS, {"id": issue["id"]}, key=nancy.key))["reportIssue"]["clocks"]["nodes"]
    assert sorted((clock["status"], clock["dueAt"]) for clock in again) == [
        ("MET", "2026-03-09T06:30:00+00:00"),
        ("RUNNING", "2026-03-09T06:30:00+00:00"),  # four hours from its return, at midnight
    ]
    submit["sections"]["plan"] = "Visit QUICK-Stop."
    await client.query(SUBMIT, {"input": submit}, key=nancy.key)
    checked = (await client.query(CHECK, {"input": {"id": issue["id"], "note": "Good."}}, key=andrew.key))[
        "reportCheck"
    ]
    assert checked["reportIssue"]["status"] == "ISSUED"
    (issued,) = await _issues(client, "week_of_nancy", key=nancy.key)
    assert [move["toValue"] for move in issued["moves"]["nodes"]] == [
        "SUBMITTED", "OPEN", "SUBMITTED", "CHECKED", "ISSUED",
    ]  # fmt: skip
    assert issued["digest"] == _digest("week_of_nancy", issued, nancy.id)


@pytest.mark.parametrize(
    ("change", "code", "argument"),
    [
        ({"period": None}, "ARGUMENT_MISSING", "input.period"),
        ({"document": "", "sections": []}, "ARGUMENT_MISSING", "input.document"),
        ({"document": "{ nothing }"}, "FIELD_UNKNOWN", "input.document"),
        (
            {"document": "mutation { notificationsSeen(input: {ids: []}) { seen } }"},
            "METHOD_NOT_ALLOWED",
            "input.document",
        ),
        ({"document": "subscription { customersLive { cursor } }"}, "STREAM_TRANSPORT", "input.document"),
        (
            {"document": "{ __schema { types { description fields { description } } } }"},
            "REPORT_LIMIT",
            "input.document",
        ),
        ({"timezone": "Mars/Base"}, "TIMEZONE_UNKNOWN", "input.timezone"),
        ({"sections": ["a b"]}, "VALUE_INVALID", "input.sections[0]"),
        ({"sections": ["a", "a"]}, "VALUE_INVALID", "input.sections"),
        ({"subjects": {"number": {"eq": "1"}}}, "VALUE_INVALID", "input.subjects"),
        ({"per": "STAFF", "subjects": {"shoe": {"eq": "1"}}}, "FILTER_INVALID", "input.subjects"),
        ({"variables": {"from": "x"}}, "VALUE_INVALID", "input.variables.from"),
        ({"dueAfterSeconds": 1}, "ARGUMENT_MISSING", "input.calendar"),
        ({"checkedBy": "HEAD"}, "VALUE_INVALID", "input.checkedBy"),
        ({"calendar": "none"}, "VALUE_INVALID", "input.calendar"),
    ],
)
async def test_a_report_that_could_not_be_issued_is_refused(
    client: HubClient, change: dict[str, Any], code: str, argument: str
) -> None:
    report = {"name": "refused", "period": "DAY", "document": COUNT} | change
    report = {name: value for name, value in report.items() if value is not None}
    error = await client.error(UPSERT, {"input": report})
    assert (error["code"], error["argument"]) == (code, argument)


async def test_a_report_pauses_with_its_key_and_makes_up_for_missed_periods_when_it_resumes(client: HubClient) -> None:
    systems = await person_of(client, "3", bound=False)
    report = {"name": "paused", "period": "DAY", "document": COUNT}
    await client.query(UPSERT, {"input": report}, key=systems.key)
    taken = await client.error(UPSERT, {"input": report}, key=(await person_of(client, "4", bound=False)).key)
    assert taken["code"] == "NOT_FOUND"
    pause = report | {"active": False}
    assert (await client.query(UPSERT, {"input": pause}))["reportUpsert"]["report"]["status"] == "PAUSED"
    await client.query(ADVANCE, {"to": "2026-03-11T12:00:00Z"})
    assert await _issues(client, "paused") == []
    resumed = (await client.query(UPSERT, {"input": report | {"active": True}}))["reportUpsert"]["report"]
    assert (resumed["status"], resumed["statusReason"]) == ("ACTIVE", None)
    await client.query(ADVANCE, {"to": "2026-03-11T12:00:00Z"})
    assert [issue["startsOn"] for issue in await _issues(client, "paused")] == [
        "2026-03-08",
        "2026-03-09",
        "2026-03-10",
    ]
