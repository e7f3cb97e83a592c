"""Notifications: one for each person, seen by the person and the unit's people, marked as seen by the person alone."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from conftest import create_api_key
from writer_client import HubClient

from hub.db.pool import Pool
from hub.domain.access import api_keys
from hub.domain.work.notifications import notify
from hub.schema.work.notifications import NotificationType
from hub.settings import Settings
from hub.viewer import ADMIN

START = datetime(2026, 3, 2, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
LIST = "{ notifications { nodes { id text seenAt version staff { id } } } }"
SEEN = "mutation ($input: NotificationsSeenInput!) { notificationsSeen(input: $input) { seen unseen } }"


@dataclass(frozen=True)
class People:
    """Two people of one unit, a head who manages it, and the keys of all three; a customer that one looks after."""

    ana: UUID
    bo: UUID
    keys: dict[str, str]
    customer: UUID
    unit: UUID


async def _key(connection: asyncpg.Connection, role: str, staff: UUID | None, unit: UUID | None = None) -> str:
    new_key = api_keys.NewKey(name="test", role=role, staff_id=staff, unit_id=unit)
    return await api_keys.create(connection, ADMIN, new_key, datetime.now(UTC))


@pytest.fixture(scope="module")
async def people(northwind_client: HubClient, connection: asyncpg.Connection) -> People:
    customer = await connection.fetchval("select id from customers where owner_id is not null order by id limit 1")
    unit = await connection.fetchval("select unit_id from customers where id = $1", customer)
    ana, bo, manager = [
        await connection.fetchval(
            "insert into staff (number, name, unit_id) values ($1, $1, $2) returning id", name, unit
        )
        for name in ("ANA", "BO", "HEAD")
    ]
    keys = {
        "ana": await _key(connection, "agent", ana),
        "bo": await _key(connection, "writer", bo),
        "head": await _key(connection, "manager", manager, unit),
        "reader": await _key(connection, "reader", ana),
        "customer": await create_api_key(northwind_client.dsn, "customer", customer_id=customer),
    }
    return People(ana, bo, keys, customer, unit)


@pytest.fixture(scope="module")
async def pool(northwind_client: HubClient) -> AsyncIterator[Pool]:
    pool = Pool(northwind_client.dsn, Settings(pool_size=1))
    yield pool
    await pool.close()


async def _notify(pool: Pool, people: People, *staff: UUID, text: str, now: datetime = START, **words: Any) -> int:
    subject = {"entity": "Customer", "row_id": people.customer, "customer_id": people.customer, "unit_id": people.unit}
    async with pool.transaction() as tx:
        keys = await notify(tx, subject, staff_ids=staff, type=NotificationType.DUE, text=text, now=now, **words)
    return len(keys)


async def _texts(client: HubClient, people: People, name: str) -> list[str]:
    nodes = (await client.query(LIST, key=people.keys[name]))["notifications"]["nodes"]
    return [node["text"] for node in nodes]


async def test_the_person_and_the_unit_s_head_see_a_notification(
    northwind_client: HubClient, people: People, pool: Pool
) -> None:
    assert await _notify(pool, people, people.ana, people.bo, people.ana, text="A visit is  due.") == 2
    seen = {name: await _texts(northwind_client, people, name) for name in ("ana", "bo", "head")}
    assert seen == {"ana": ["A visit is due."], "bo": ["A visit is due."], "head": ["A visit is due."] * 2}
    refused = await northwind_client.error(LIST, key=people.keys["customer"])
    assert refused["code"] == "FIELD_UNKNOWN"


async def test_only_the_person_marks_it_as_seen(northwind_client: HubClient, people: People, pool: Pool) -> None:
    await _notify(pool, people, people.ana, text="First", now=START + HOUR)
    await _notify(pool, people, people.ana, text="Second", now=START + 2 * HOUR)
    own = (await northwind_client.query(LIST, key=people.keys["ana"]))["notifications"]["nodes"]
    ids = {node["text"]: node["id"] for node in own}
    for name, chosen in (("bo", [ids["First"]]), ("bo", [f"ntf_{'0' * 32}"])):
        error = await northwind_client.error(SEEN, {"input": {"ids": chosen}}, key=people.keys[name])
        assert (error["code"], error["argument"]) == ("NOT_FOUND", "input.ids")
    foreign = await northwind_client.error(SEEN, {"input": {"ids": [ids["First"]]}}, key=people.keys["head"])
    assert foreign["code"] == "NOT_FOUND"
    seen = await northwind_client.query(SEEN, {"input": {"ids": [ids["Second"]] * 2}}, key=people.keys["ana"])
    assert seen["notificationsSeen"] == {"seen": 1, "unseen": len(ids) - 1}
    again = await northwind_client.query(SEEN, {"input": {"ids": [ids["Second"]]}}, key=people.keys["ana"])
    assert again["notificationsSeen"] == {"seen": 0, "unseen": len(ids) - 1}
    until = {"input": {"until": (START + HOUR).isoformat()}}
    all_seen = await northwind_client.query(SEEN, until, key=people.keys["ana"])
    assert all_seen["notificationsSeen"] == {"seen": len(ids) - 1, "unseen": 0}
    own = (await northwind_client.query(LIST, key=people.keys["ana"]))["notifications"]["nodes"]
    assert {node["version"] for node in own} == {2}
    assert None not in [node["seenAt"] for node in own]


@pytest.mark.parametrize(
    ("name", "values", "code"),
    [
        (None, {"until": START.isoformat()}, "PERSON_NEEDED"),
        ("reader", {"until": START.isoformat()}, "FORBIDDEN"),
        ("ana", {}, "VALUE_INVALID"),
        ("ana", {"ids": [], "until": START.isoformat()}, "VALUE_INVALID"),
        ("ana", {"ids": [f"ntf_{number:032x}" for number in range(1_001)]}, "BULK_LIMIT"),
    ],
)
async def test_what_cannot_be_marked_is_refused(
    northwind_client: HubClient, people: People, name: str | None, values: dict[str, Any], code: str
) -> None:
    key = None if name is None else people.keys[name]
    assert (await northwind_client.error(SEEN, {"input": values}, key=key))["code"] == code


async def test_who_has_left_is_not_notified(people: People, pool: Pool, connection: asyncpg.Connection) -> None:
    await connection.execute("update staff set left_on = $2 where id = $1", people.bo, date(2026, 3, 2))
    assert await _notify(pool, people, people.bo, text="On the last day") == 1
    assert await _notify(pool, people, people.bo, text="On the day after", now=START + 24 * HOUR) == 0
    await connection.execute("update staff set left_on = null where id = $1", people.bo)
