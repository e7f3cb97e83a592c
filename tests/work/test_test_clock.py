"""The test clock through the front door: time stands still, moves on when asked, and timers fire on the way."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from command_line import RunCommand
from conftest import CreateDatabase, create_api_key, execute_sql
from writer_client import HubClient, open_hub_client

from hub import settings as settings_module
from hub import timer_loop
from hub.db.pool import Connection, Pool
from hub.errors import Misconfigured
from hub.settings import Settings
from hub.viewer import Role

START = datetime(2026, 3, 2, 1, tzinfo=UTC)
ADVANCE = "mutation ($to: DateTime!) { testClockAdvance(input: {to: $to}) { now fired failed } }"
UPSERT = """mutation ($code: String!) { calendarUpsert(input: {
    code: $code, name: "Week", timezone: "Asia/Shanghai", weekly: {mon: ["09:00-12:00"]}
}) { calendar { createdAt coversUntil extendsAt } } }"""
HORIZON = (
    "query ($code: String!) { calendars(filter: {code: {eq: $code}}) { nodes { coversUntil extendsAt updatedAt } } }"
)

DAILY_REPORT = """
insert into reports (owner, name, title, period, timezone, document, sections, per, status, starts_on, closes_at, created_at,
    updated_at)
select public_id, 'daily', 'Daily', 'DAY', 'UTC', '{ __typename }', '{}', 'NONE', 'ACTIVE', '2026-03-03', '2026-03-04',
    '2026-03-03', '2026-03-03' from api_keys where name = 'brief admin'
"""
IDS = "query ($code: String!) { calendars(filter: {code: {eq: $code}}) { nodes { id } } }"
AS_OF = "query ($id: ID!, $at: DateTime!) { nodeAsOf(id: $id, at: $at) { ... on Calendar { name } } }"
HISTORY = "query ($id: ID!) { node(id: $id) { ... on Calendar { history { nodes { at operation } } } } }"


@asynccontextmanager
async def pool_of(dsn: str, settings: Settings) -> AsyncIterator[Connection]:
    """A connection as the hub opens them with these settings."""
    pool = Pool(dsn, settings)
    try:
        async with pool.connection() as connection:
            yield connection
    finally:
        await pool.close()


@pytest.fixture(scope="module")
async def clock_client(create_database: CreateDatabase, empty_dsn: str) -> AsyncIterator[HubClient]:
    """A hub whose time begins in March 2026."""
    settings = Settings(clock="test", clock_start=START)
    async with open_hub_client(await create_database("migrated"), settings) as client:
        yield client


async def _advance(client: HubClient, moment: str) -> Any:
    return (await client.query(ADVANCE, {"to": moment}))["testClockAdvance"]


async def test_time_stands_still_until_it_is_advanced(clock_client: HubClient) -> None:
    first = (await clock_client.query(UPSERT, {"code": "first"}))["calendarUpsert"]["calendar"]
    assert first == {
        "createdAt": "2026-03-02T01:00:00+00:00",
        "coversUntil": "2029-12-31T16:00:00+00:00",
        "extendsAt": "2026-12-31T16:00:00+00:00",
    }
    assert await _advance(clock_client, "2026-03-02T01:30:00Z") == {
        "now": "2026-03-02T01:30:00+00:00",
        "fired": 0,
        "failed": 0,
    }
    second = (await clock_client.query(UPSERT, {"code": "second"}))["calendarUpsert"]["calendar"]
    assert second["createdAt"] == "2026-03-02T01:30:00+00:00"
    error = await clock_client.error(ADVANCE, {"to": "2026-03-02T01:29:59Z"})
    assert (error["code"], error["argument"]) == ("VALUE_INVALID", "input.to")


async def test_what_is_due_on_the_way_fires_as_of_its_own_moment(clock_client: HubClient) -> None:
    await clock_client.query(UPSERT, {"code": "rolling"})
    async with open_hub_client(clock_client.dsn, Settings(clock="test")) as other:  # two processes, one clock
        advanced = await _advance(clock_client, "2028-06-01T00:00:00Z")
        (calendar,) = (await other.query(HORIZON, {"code": "rolling"}))["calendars"]["nodes"]
        assert calendar == {
            "coversUntil": "2031-12-31T16:00:00+00:00",
            "extendsAt": "2028-12-31T16:00:00+00:00",
            "updatedAt": "2027-12-31T16:00:00+00:00",
        }
        assert advanced["now"] == "2028-06-01T00:00:00+00:00"
        again = (await other.query(UPSERT, {"code": "other"}))["calendarUpsert"]["calendar"]
        assert again["createdAt"] == "2028-06-01T00:00:00+00:00"
    assert await _advance(clock_client, "2028-06-01T00:00:00Z") == {
        "now": "2028-06-01T00:00:00+00:00",
        "fired": 0,
        "failed": 0,
    }


async def test_keys_end_by_the_test_clock(clock_client: HubClient) -> None:
    create = """mutation ($expires: DateTime!) { apiKeyCreate(input: {name: "short", role: "reader", expiresAt: $expires}) {
        key } }"""
    created = await clock_client.query(create, {"expires": "2028-06-02T00:00:00Z"})
    key = created["apiKeyCreate"]["key"]
    query = "{ calendars { totalCount } }"
    assert "errors" not in await clock_client.execute(query, key=key)
    await _advance(clock_client, "2028-06-02T00:00:00Z")
    response = await clock_client.execute(query, key=key)
    assert response["errors"][0]["extensions"]["code"] == "KEY_EXPIRED"


async def test_the_past_is_read_by_the_test_clock(clock_client: HubClient) -> None:
    created = (await clock_client.query(UPSERT, {"code": "past"}))["calendarUpsert"]["calendar"]["createdAt"]
    now = datetime.fromisoformat(created)
    earlier, later = ((now + step).isoformat() for step in (-timedelta(seconds=1), timedelta(hours=1)))
    (calendar,) = (await clock_client.query(IDS, {"code": "past"}))["calendars"]["nodes"]
    await _advance(clock_client, later)
    await clock_client.query('mutation { calendarUpsert(input: {code: "past", name: "Renamed"}) { created } }')
    before, after = now + timedelta(minutes=59), now + timedelta(hours=1)
    names = [
        (await clock_client.query(AS_OF, {"id": calendar["id"], "at": moment.isoformat()}))
        for moment in (before, after)
    ]
    assert [answer["nodeAsOf"] for answer in names] == [{"name": "Week"}, {"name": "Renamed"}]
    history = (await clock_client.query(HISTORY, {"id": calendar["id"]}))["node"]["history"]["nodes"]
    assert history == [{"at": later, "operation": "UPDATE"}, {"at": created, "operation": "CREATE"}]
    assert (await clock_client.query(AS_OF, {"id": calendar["id"], "at": earlier})) == {"nodeAsOf": None}
    await _advance(clock_client, (now + timedelta(days=40)).isoformat())  # no real time has passed
    long_ago = await clock_client.query(AS_OF, {"id": calendar["id"], "at": before.isoformat()})
    assert long_ago == {"nodeAsOf": {"name": "Week"}}
    tomorrow = (now + timedelta(days=41)).isoformat()
    assert (await clock_client.error(AS_OF, {"id": calendar["id"], "at": tomorrow}))["code"] == "VALUE_INVALID"


async def test_a_row_that_sql_changes_is_stamped_by_the_test_clock(clock_client: HubClient) -> None:
    created = (await clock_client.query(UPSERT, {"code": "touched"}))["calendarUpsert"]["calendar"]["createdAt"]
    async with pool_of(clock_client.dsn, Settings(clock="test")) as connection:
        stamp = "update calendars set name = 'Touched' where code = 'touched' returning updated_at"
        assert await connection.fetchval(stamp) == datetime.fromisoformat(created)
    async with pool_of(clock_client.dsn, Settings()) as connection:
        stamped = "update calendars set name = 'Real' where code = 'touched' returning updated_at = now()"
        assert await connection.fetchval(stamped) is True


async def test_only_administrators_advance_it(clock_client: HubClient) -> None:
    writer = await create_api_key(clock_client.dsn, Role.WRITER)
    error = await clock_client.error(ADVANCE, {"to": "2030-01-01T00:00:00Z"}, key=writer)
    assert (error["code"], error["scope"]) == ("FORBIDDEN", "clock:admin")


async def test_a_request_that_cannot_advance_the_clock_says_which_timer_holds_it(
    clock_client: HubClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await clock_client.query(UPSERT, {"code": "held"})
    async with pool_of(clock_client.dsn, Settings()) as connection:
        extends_at = await connection.fetchval("select min(extends_at) from calendars")
        async with connection.transaction():
            await connection.execute("select from calendars for update")
            monkeypatch.setattr(timer_loop, "STALL_SECONDS", 0.2)
            error = await clock_client.error(ADVANCE, {"to": (extends_at + timedelta(days=1)).isoformat()})
    assert (error["code"], error["argument"], error["timer"]) == ("CLOCK_NOT_REACHED", "input.to", "calendar.horizon")
    assert error["now"] == error["dueAt"] == extends_at.isoformat()
    monkeypatch.undo()
    assert (await _advance(clock_client, extends_at.isoformat()))["failed"] == 0


async def test_the_real_time_cannot_be_advanced(northwind_client: HubClient) -> None:
    error = await northwind_client.error(ADVANCE, {"to": "2030-01-01T00:00:00Z"})
    assert error["code"] == "CLOCK_NOT_TEST"


def test_a_test_clock_is_refused_where_production_may_be() -> None:
    url: dict[str, Any] = {"clock": "test", "database_url": "postgresql://hub@db.example/hub"}
    with pytest.raises(Misconfigured, match="HUB_CLOCK_ALLOW=1") as refusal:
        settings_module.require_clock_allowed(settings_module.load(**url))
    assert (refusal.value.code, refusal.value.argument) == ("SETTING_INVALID", "HUB_CLOCK")
    settings_module.require_clock_allowed(settings_module.load(**url, clock_allow=True))
    settings_module.require_clock_allowed(settings_module.load(clock="test"))


async def test_the_command_line_advances_it(database_dsn: str, run_command: RunCommand) -> None:
    settings = {"HUB_DATABASE_URL": database_dsn, "HUB_CLOCK": "test", "HUB_CLOCK_START": "2026-03-02T09:00:00+08:00"}
    refused = await run_command("clock", "show", **settings)
    assert refused[0] == 2
    assert "HUB_CLOCK_ALLOW=1" in refused[2]
    shown = await run_command("clock", "show", "--json", HUB_CLOCK_ALLOW="1")
    assert orjson.loads(shown[1]) == [{"now": "2026-03-02T01:00:00Z", "clock": "test"}]
    by_duration = await run_command("clock", "advance", "PT30M", "--json")
    assert orjson.loads(by_duration[1]) == [{"now": "2026-03-02T01:30:00Z", "fired": 0, "failed": 0}]
    to_a_time = await run_command("clock", "advance", "--to", "2026-03-03T09:00:00+08:00", "--json")
    assert orjson.loads(to_a_time[1]) == [{"now": "2026-03-03T01:00:00Z", "fired": 0, "failed": 0}]
    await run_command("key", "create", "--role", "reader", "--name", "brief", "--expires", "1h")
    (key,) = [key for key in orjson.loads((await run_command("key", "list", "--json"))[1]) if key["name"] == "brief"]
    await run_command("key", "create", "--role", "admin", "--name", "brief admin")
    times = ("2026-03-03T01:00:00Z", "2026-03-03T02:00:00Z", "living")
    assert (key["created"], key["expires"], key["state"]) == times
    assert (await run_command("clock", "advance", "soon"))[0] == 2
    assert (await run_command("clock", "advance"))[0] == 2
    assert (await run_command("clock", "advance", "--to", "2026-03-01T00:00:00Z"))[0] == 1
    await execute_sql(database_dsn, DAILY_REPORT)  # its facts are a query, which the command runs itself
    reports = await run_command("clock", "advance", "--to", "2026-03-05T09:00:00+08:00", "--json")
    assert orjson.loads(reports[1]) == [{"now": "2026-03-05T01:00:00Z", "fired": 4, "failed": 0}]
    report = await run_command("doctor", "--json")
    (clock,) = [check for check in orjson.loads(report[1]) if check["name"] == "clock"]
    assert (clock["ok"], clock["problem"]) == (True, "the database has a test clock, at 2026-03-05T01:00:00Z")
    real = await run_command("clock", "advance", "PT1H", HUB_CLOCK="real")
    assert (real[0], "HUB_CLOCK=test" in real[2]) == (1, True)
