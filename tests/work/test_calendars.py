"""Calendars through the front door: working time, due moments, holidays, exceptions, horizons and changes."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from conftest import CreateDatabase, create_api_key, execute_sql
from writer_client import HubClient, open_hub_client

from hub.domain.work.public_holidays import RELEASE
from hub.viewer import Role

CHINA: dict[str, Any] = {
    "code": "cn",
    "name": "China",
    "timezone": "Asia/Shanghai",
    "weekly": {day: ["09:00-12:00", "13:30-18:00"] for day in ("mon", "tue", "wed", "thu", "fri")},
    "country": "CN",
    "startsOn": "2024-01-01",
    "endsOn": "2029-12-31",
}
UPSERT = """mutation ($input: CalendarUpsertInput!) { calendarUpsert(input: $input) {
    created calendar { id code version publishedUntil coversFrom coversUntil extendsAt exceptions }
} }"""
DUE = """query ($code: String!, $from: DateTime!, $seconds: Int!) {
    calendars(filter: {code: {eq: $code}}) { nodes { dueAt(from: $from, seconds: $seconds) } } }"""
WORKED = """query ($code: String!, $from: DateTime!, $to: DateTime!) {
    calendars(filter: {code: {eq: $code}}) { nodes { workingTime(from: $from, to: $to) } } }"""
CREDIT_HOURS = (15, 15, 7.5, 15, 15, 3.75, 7.5, 3.75, 3.75)
CREDIT_ENDS = (
    "03-03 18:00", "03-05 18:00", "03-06 18:00", "03-10 18:00", "03-12 18:00",
    "03-13 14:15", "03-16 14:15", "03-16 18:00", "03-17 14:15",
)  # fmt: skip


@pytest.fixture(scope="module")
async def work_client(create_database: CreateDatabase, empty_dsn: str) -> AsyncIterator[HubClient]:
    """A hub with the calendar of China, Monday to Friday 09:00–12:00 and 13:30–18:00."""
    async with open_hub_client(await create_database("migrated")) as client:
        await client.query(UPSERT, {"input": CHINA})
        yield client


def _instant(local: str) -> str:
    """A moment of 2026 in China as the API writes it: `02-13 17:00`."""
    moment = datetime.fromisoformat(f"2026-{local}+08:00")
    return moment.astimezone(UTC).isoformat()


async def _due(client: HubClient, local: str, hours: float, code: str = "cn") -> str:
    variables = {"code": code, "from": _instant(local), "seconds": int(hours * 3600)}
    ((calendar,),) = [(await client.query(DUE, variables))["calendars"]["nodes"]]
    return str(calendar["dueAt"])


async def _upsert(client: HubClient, code: str, values: dict[str, Any]) -> Any:
    return (await client.query(UPSERT, {"input": {**values, "code": code}}))["calendarUpsert"]


async def test_sixteen_hours_from_friday_evening_end_behind_the_spring_festival(work_client: HubClient) -> None:
    assert await _due(work_client, "02-13 17:00", 16) == _instant("02-24 18:00")
    days = """{ calendars(filter: {code: {eq: "cn"}}) { nodes {
        open: isWorkday(day: "2026-02-14") closed: isWorkday(day: "2026-02-23") lunch: isOpen(moment: "2026-02-24T04:30:00Z")
        days(filter: {day: {gte: "2026-02-14", lte: "2026-02-28"}}, first: 20) { nodes { day source spans } } } } }"""
    ((calendar,),) = [(await work_client.query(days))["calendars"]["nodes"]]
    festival = calendar.pop("days")["nodes"]
    assert calendar == {"open": True, "closed": False, "lunch": False}
    assert [(day["day"][-2:], day["source"]) for day in festival] == [
        ("14", "WORKDAY"), *((str(day), "HOLIDAY") for day in (16, 17, 18, 19, 20, 23)), ("28", "WORKDAY"),
    ]  # fmt: skip
    assert {tuple(day["spans"]) for day in festival} == {(), ("09:00-12:00", "13:30-18:00")}


async def test_nine_goals_one_after_the_other_end_when_they_should(work_client: HubClient) -> None:
    moment, ends = "03-02 09:00", []
    for hours in CREDIT_HOURS:
        due = datetime.fromisoformat(await _due(work_client, moment, hours)) + timedelta(hours=8)
        ends.append(moment := f"{due:%m-%d %H:%M}")
    assert tuple(ends) == CREDIT_ENDS
    assert await _due(work_client, "03-10 10:00", 15) == _instant("03-12 10:00")


async def test_working_time_is_counted_between_moments_and_backwards(work_client: HubClient) -> None:
    variables = {"code": "cn", "from": _instant("02-13 17:00"), "to": _instant("02-24 18:00")}
    there = await work_client.query(WORKED, variables)
    back = await work_client.query(WORKED, variables | {"from": variables["to"], "to": variables["from"]})
    assert there == {"calendars": {"nodes": [{"workingTime": 57600.0}]}}
    assert back == {"calendars": {"nodes": [{"workingTime": -57600.0}]}}


async def test_moments_beyond_the_horizon_are_errors_of_their_fields(work_client: HubClient) -> None:
    beyond = {"code": "cn", "from": "2029-12-31T00:00:00Z", "seconds": 10**9}
    for query, variables, argument in (
        (DUE, beyond, "from"),
        (DUE, beyond | {"from": "2030-01-01T00:00:00Z", "seconds": 0}, "from"),
        (WORKED, {"code": "cn", "from": "2029-01-01T00:00:00Z", "to": "2031-01-01T00:00:00Z"}, "to"),
        (WORKED, {"code": "cn", "from": "2019-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "from"),
    ):
        response = await work_client.execute(query, variables)
        assert [*response["data"]["calendars"]["nodes"][0].values()] == [None]
        assert response["errors"][0]["extensions"] == {"code": "CALENDAR_HORIZON", "argument": argument}
    response = await work_client.execute(DUE, beyond | {"seconds": -1})
    assert response["errors"][0]["extensions"] == {"code": "VALUE_INVALID", "argument": "seconds"}


@pytest.mark.parametrize(
    ("change", "code", "argument"),
    [
        ({"weekly": {}}, "CALENDAR_EMPTY", "weekly"),
        ({"weekly": {"sun": []}}, "CALENDAR_EMPTY", "weekly"),
        ({"weekly": {"son": ["09:00-10:00"]}}, "VALUE_INVALID", "weekly"),
        ({"weekly": {"mon": "09:00-10:00"}}, "VALUE_INVALID", "weekly.mon"),
        ({"weekly": {"mon": ["9-10"]}}, "VALUE_INVALID", "weekly.mon"),
        ({"weekly": {"mon": ["22:00-06:00"]}}, "VALUE_INVALID", "weekly.mon"),
        ({"weekly": {"mon": ["09:00-12:00", "11:59-13:00"]}}, "VALUE_INVALID", "weekly.mon"),
        ({"weekly": {"mon": ["00:00-24:01"]}}, "VALUE_INVALID", "weekly.mon"),
        ({"weekly": {"mon": [9]}}, "VALUE_INVALID", "weekly.mon"),
        ({"timezone": "Mars/Olympus"}, "TIMEZONE_UNKNOWN", "timezone"),
        ({"timezone": "EST5EDT4"}, "TIMEZONE_UNKNOWN", "timezone"),
        ({"country": "ZZ"}, "VALUE_INVALID", "country"),
        ({"subdivision": "XX"}, "VALUE_INVALID", "subdivision"),
        ({"country": "", "subdivision": "BY"}, "VALUE_INVALID", "subdivision"),
        ({"endsOn": "2023-12-31"}, "VALUE_INVALID", "endsOn"),
        ({"endsOn": "2101-12-31"}, "VALUE_INVALID", "endsOn"),
        ({"startsOn": "1969-12-31"}, "VALUE_INVALID", "startsOn"),
        ({"rolling": True}, "VALUE_INVALID", "rolling"),
        ({"name": None}, "ARGUMENT_MISSING", "name"),
        ({"days": [{"day": "2026-01-01", "spans": ["1-2"], "reason": "no"}]}, "VALUE_INVALID", "days[0].spans"),
        ({"days": [{"day": "2026-01-01", "spans": [], "reason": "a"}] * 2}, "VALUE_INVALID", "days[1].day"),
        ({"days": [{"day": "2030-01-01", "spans": [], "reason": "late"}]}, "CALENDAR_HORIZON", "days"),
        ({"days": [{"day": "2023-12-31", "spans": [], "reason": "early"}]}, "CALENDAR_HORIZON", "days"),
        ({"expectedVersion": 1}, "NOT_FOUND", "expectedVersion"),
    ],
)
async def test_a_calendar_that_cannot_be_is_refused(
    work_client: HubClient, change: dict[str, Any], code: str, argument: str
) -> None:
    error = await work_client.error(UPSERT, {"input": {**CHINA, "code": "none", **change}})
    assert (error["code"], error["argument"]) == (code, f"input.{argument}")


async def test_equal_input_changes_nothing(work_client: HubClient) -> None:
    await _upsert(work_client, "twice", CHINA)
    again = await _upsert(work_client, "twice", CHINA)
    assert (again["created"], again["calendar"]["version"]) == (False, 1)
    changes = """{ calendars(filter: {code: {eq: "twice"}}) { nodes { history { totalCount }
        days(first: 1) { nodes { version } } } } }"""
    assert (await work_client.query(changes))["calendars"]["nodes"] == [
        {"history": {"totalCount": 1}, "days": {"nodes": [{"version": 1}]}}
    ]


async def test_own_exceptions_win_and_leave_again(work_client: HubClient) -> None:
    own = [
        {"day": "2026-02-17", "spans": ["10:00-11:00"], "reason": "Inventory"},
        {"day": "2026-02-14", "spans": [], "reason": "We stay closed"},
    ]
    calendar = (await _upsert(work_client, "own", CHINA | {"days": own}))["calendar"]
    assert (calendar["exceptions"]["2026-02-17"], calendar["exceptions"]["2026-02-14"]) == (["10:00-11:00"], [])
    assert await _due(work_client, "02-13 17:00", 2, "own") == _instant("02-17 11:00")
    await _upsert(work_client, "own", {"name": "Still with exceptions"})
    assert await _due(work_client, "02-13 17:00", 2, "own") == _instant("02-17 11:00")
    await _upsert(work_client, "own", {"days": []})
    assert await _due(work_client, "02-13 17:00", 2, "own") == _instant("02-14 10:00")


async def test_without_its_country_a_calendar_has_no_holidays(work_client: HubClient) -> None:
    await _upsert(work_client, "bare", CHINA)
    calendar = (await _upsert(work_client, "bare", {"country": ""}))["calendar"]
    assert (calendar["exceptions"], calendar["publishedUntil"]) == ({}, None)
    assert await _due(work_client, "02-13 17:00", 2, "bare") == _instant("02-16 10:00")


async def test_an_edit_that_is_based_on_an_older_version_is_refused(work_client: HubClient) -> None:
    await _upsert(work_client, "edits", CHINA)
    await _upsert(work_client, "edits", {"weekly": {"mon": ["08:00-12:00"]}})
    error = await work_client.error(UPSERT, {"input": {"code": "edits", "weekly": {"tue": []}, "expectedVersion": 1}})
    assert (error["code"], error["argument"]) == ("CALENDAR_EMPTY", "input.weekly")
    late = {"code": "edits", "weekly": {"tue": ["08:00-12:00"]}, "expectedVersion": 1}
    error = await work_client.error(UPSERT, {"input": late})
    assert (error["code"], error["currentVersion"]) == ("VERSION_CONFLICT", 2)


async def test_a_horizon_that_no_one_fixed_moves_on(work_client: HubClient) -> None:
    rolling = {name: value for name, value in CHINA.items() if name not in ("startsOn", "endsOn")}
    calendar = (await _upsert(work_client, "rolling", rolling))["calendar"]
    year = datetime.now(UTC).year
    assert calendar["coversUntil"] == f"{year + 3}-12-31T16:00:00+00:00"
    assert calendar["extendsAt"] == f"{year}-12-31T16:00:00+00:00"
    fixed = (await _upsert(work_client, "rolling", {"endsOn": "2027-06-30"}))["calendar"]
    assert (fixed["coversUntil"], fixed["extendsAt"]) == ("2027-06-30T16:00:00+00:00", None)
    again = (await _upsert(work_client, "rolling", {"rolling": True}))["calendar"]
    assert again["coversUntil"] == calendar["coversUntil"]
    beyond = [{"day": f"{year + 4}-01-01", "spans": [], "reason": "It would be forgotten."}]
    assert (await work_client.error(UPSERT, {"input": {"code": "rolling", "days": beyond}}))[
        "code"
    ] == "CALENDAR_HORIZON"


async def test_holidays_of_an_older_release_are_renewed_at_the_start(work_client: HubClient) -> None:
    before = (await _upsert(work_client, "release", CHINA))["calendar"]
    await execute_sql(
        work_client.dsn,
        """update calendars set holidays_release = '0.1', exceptions = '{}' where code = 'release';
        delete from calendar_days where calendar_id = (select id from calendars where code = 'release');""",
    )
    async with open_hub_client(work_client.dsn) as other:
        query = """{ calendars(filter: {code: {eq: "release"}}) { nodes { exceptions holidaysRelease
            days(filter: {day: {eq: "2026-02-23"}}) { totalCount } } } }"""
        assert (await other.query(query))["calendars"]["nodes"] == [
            {"exceptions": before["exceptions"], "holidaysRelease": RELEASE, "days": {"totalCount": 1}}
        ]


async def test_every_key_reads_calendars_and_only_unbound_writers_change_them(work_client: HubClient) -> None:
    reader = await create_api_key(work_client.dsn, Role.READER)
    response = await work_client.query(DUE, {"code": "cn", "from": _instant("02-24 09:00"), "seconds": 60}, key=reader)
    assert response["calendars"]["nodes"] == [{"dueAt": _instant("02-24 09:01")}]
    for code in ("cn", "new"):
        error = await work_client.error(UPSERT, {"input": {**CHINA, "code": code}}, key=reader)
        assert (error["code"], error["scope"]) == ("FORBIDDEN", "calendars:write")


async def test_a_removed_calendar_leaves_no_working_intervals(work_client: HubClient) -> None:
    calendar = (await _upsert(work_client, "gone", CHINA))["calendar"]
    remove = "mutation ($id: ID!) { calendarDelete(input: {id: $id}) { deletedId } }"
    removed = await work_client.query(remove, {"id": calendar["id"]})
    assert removed == {"calendarDelete": {"deletedId": calendar["id"]}}
    connection = await asyncpg.connect(work_client.dsn)
    try:
        count = "select count(*) from working_intervals where calendar_id = $1"
        assert await connection.fetchval(count, UUID(calendar["id"].removeprefix("cal_"))) == 0
    finally:
        await connection.close()
