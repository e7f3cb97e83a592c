"""API keys: what opens the hub and what does not, what is stored, what is remembered, and the first key's file."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import httpx2
import pytest
from fake_engine_hub import EXPIRED, KEY, REVOKED, Hub, heard, key_text, stored

from hub import app, keyfile
from hub.db.pool import Pool
from hub.domain.access import api_keys
from hub.domain.access.api_keys import NewKey
from hub.errors import BadInput, Forbidden, HubError, NotFound, Unavailable
from hub.settings import Settings
from hub.viewer import ADMIN, Role, Viewer
from hub.web import auth
from hub.web.auth import Keyring

NOW = datetime(2026, 6, 1, tzinfo=UTC)
READER = NewKey("app", Role.READER)


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    made = Hub(Settings(key_cache_size=10))
    with heard(made):
        yield made


@pytest.fixture
async def tx(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


async def asked(hub: Hub, authorization: str | None) -> httpx2.Response:
    headers = {} if authorization is None else {"authorization": authorization}
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(hub.app), base_url="http://hub") as client:
        return await client.post("/graphql", json={"query": "{ echo }"}, headers=headers)


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, "UNAUTHENTICATED"),
        ("", "UNAUTHENTICATED"),
        ("Bearer", "UNAUTHENTICATED"),
        (f"Basic {KEY}", "UNAUTHENTICATED"),
        (KEY, "UNAUTHENTICATED"),
        (f"Bearer {KEY} {KEY}", "UNAUTHENTICATED"),
        ("Bearer x", "KEY_UNKNOWN"),
        ("Bearer hub_00000001_", "KEY_UNKNOWN"),
        (f"Bearer {KEY[:-1]}d", "KEY_UNKNOWN"),
        (f"Bearer {KEY}d", "KEY_UNKNOWN"),
        (f"Bearer {KEY.upper()}", "KEY_UNKNOWN"),
        (f"Bearer {key_text('00000009')}", "KEY_UNKNOWN"),
        (f"Bearer {REVOKED}", "KEY_REVOKED"),
        (f"Bearer {EXPIRED}", "KEY_EXPIRED"),
    ],
)
async def test_what_is_no_living_key_is_refused_by_name(hub: Hub, authorization: str | None, code: str) -> None:
    answer = await asked(hub, authorization)
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (401, code)
    challenge = 'Bearer realm="hub"' + ("" if code == "UNAUTHENTICATED" else ', error="invalid_token"')
    assert answer.headers["www-authenticate"] == challenge
    assert hub.engine.viewers == []


@pytest.mark.parametrize("authorization", [f"Bearer {KEY}", f"bearer  {KEY} ", f"BEARER {KEY}"])
async def test_a_living_key_opens(hub: Hub, authorization: str) -> None:
    assert (await asked(hub, authorization)).status_code == 200
    assert hub.engine.viewers == [Viewer(UUID(int=1), Role.READER)]


async def test_two_authorization_headers_open_nothing(hub: Hub) -> None:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(hub.app), base_url="http://hub") as client:
        twice = [("authorization", f"Bearer {KEY}"), ("authorization", f"Bearer {REVOKED}")]
        answer = await client.post("/graphql", json={"query": "{ echo }"}, headers=twice)
    assert answer.status_code == 401


async def test_a_key_is_nowhere_told(hub: Hub) -> None:
    for key in (KEY, REVOKED, key_text("00000009")):
        answer = await asked(hub, f"Bearer {key}")
        assert key not in answer.text
    assert not any(key in repr(hub.told) for key in (KEY, REVOKED))
    assert [request.key for request in hub.requests] == ["00000001", "", ""]


async def test_those_who_come_at_once_share_one_look_up(hub: Hub) -> None:
    answers = await asyncio.gather(*(asked(hub, f"Bearer {KEY}") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert hub.looked_up == ["00000001"]


async def test_the_first_to_ask_may_leave_while_others_wait(hub: Hub) -> None:
    first = asyncio.create_task(hub.ring.credential(f"Bearer {KEY}".encode()))
    second = asyncio.create_task(hub.ring.credential(f"Bearer {KEY}".encode()))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).public_id == "00000001"
    assert hub.looked_up == ["00000001"]


async def test_an_unknown_key_is_remembered_too(hub: Hub) -> None:
    for _ in range(3):
        await asked(hub, f"Bearer {key_text('00000009')}")
    assert hub.looked_up == ["00000009"]


async def test_what_is_not_formed_like_a_key_is_never_looked_up(hub: Hub) -> None:
    for key in ("x", "hub_0000000g_" + "a" * 43, "hub_00000001_" + "$" * 43, "'; drop table api_keys; --"):
        await asked(hub, f"Bearer {key}")
    assert hub.looked_up == []


async def test_a_revocation_is_noticed_when_the_memory_ends() -> None:
    known = {"00000001": stored("00000001")}

    async def find(shown: Sequence[str]) -> list[api_keys.KeyFound]:
        return [known[each] for each in shown]

    ring = Keyring(find, ttl=0.05, size=10)
    header = f"Bearer {KEY}".encode()
    await ring.credential(header)
    known["00000001"] = replace(known["00000001"], revoked_at=NOW)
    await ring.credential(header)
    await asyncio.sleep(0.06)
    with pytest.raises(HubError) as caught:
        await ring.credential(header)
    assert caught.value.code == "KEY_REVOKED"


async def test_a_key_expires_also_while_it_is_remembered(hub: Hub) -> None:
    hub.stored["00000001"] = stored("00000001", expires_at=datetime.now(UTC) + timedelta(seconds=0.05))
    assert (await asked(hub, f"Bearer {KEY}")).status_code == 200
    await asyncio.sleep(0.06)
    assert (await asked(hub, f"Bearer {KEY}")).json()["errors"][0]["extensions"]["code"] == "KEY_EXPIRED"
    assert hub.looked_up == ["00000001"]


async def test_the_memory_is_bounded_and_keeps_who_comes_often(hub: Hub) -> None:
    for n in range(30):
        await asked(hub, f"Bearer {KEY}")
        await asked(hub, f"Bearer {key_text(f'{n + 100:08d}')}")
    assert hub.looked_up.count("00000001") == 1
    assert len(hub.ring._known) == 10


async def test_without_a_database_the_hub_says_so(hub: Hub) -> None:
    hub.database_down = True
    answer = await asked(hub, f"Bearer {KEY}")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
    hub.database_down = False
    assert (await asked(hub, f"Bearer {KEY}")).status_code == 200


async def test_a_database_that_hangs_is_not_waited_for_by_all_to_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "PATIENCE", 0.05)
    hangs = True

    async def find(shown: Sequence[str]) -> list[api_keys.KeyFound]:
        await asyncio.sleep(60 if hangs else 0)
        return [stored(each) for each in shown]

    ring = Keyring(find, ttl=1, size=10)
    with pytest.raises(Unavailable):
        await ring.credential(f"Bearer {KEY}".encode())
    hangs = False
    assert (await ring.credential(f"Bearer {KEY}".encode())).public_id == "00000001"


async def test_only_a_hash_is_stored(tx: asyncpg.Connection) -> None:
    key = await api_keys.create(tx, ADMIN, READER, NOW)
    row = dict(await tx.fetchrow("select * from api_keys") or {})
    assert row.pop("id").version == 7
    assert row == {
        "public_id": key[4:20],
        "hash": api_keys.digest(key),
        "name": "app",
        "role": "reader",
        "unit_id": None,
        "customer_id": None,
        "created_at": NOW,
        "expires_at": None,
        "revoked_at": None,
        "last_used_at": None,
    }


async def test_no_two_keys_are_alike(tx: asyncpg.Connection) -> None:
    made = {await api_keys.create(tx, ADMIN, READER, NOW) for _ in range(20)}
    assert {len(str(api_keys.public_id(key))) for key in made} == {16}
    assert len(made) == 20
    assert all(api_keys.KEY.fullmatch(key) for key in made)


async def test_a_key_is_found_with_its_units_path(northwind: str) -> None:
    tx = await asyncpg.connect(northwind)
    unit = await tx.fetchrow("select id, code, path::text from org_units where nlevel(path) = 2 limit 1")
    assert unit is not None
    assert await api_keys.unit_named(tx, unit["code"]) == await api_keys.unit_named(tx, str(unit["id"])) == unit["id"]
    key = await api_keys.create(tx, ADMIN, replace(READER, unit_id=unit["id"]), NOW)
    found = await api_keys.find(tx, key[4:20])
    assert found is not None
    assert (found.viewer.unit_path, found.viewer.binding) == (unit["path"], "unit")
    await tx.close()


async def test_a_key_goes_with_what_it_is_bound_to(tx: asyncpg.Connection) -> None:
    values = "values ('a', 'A', 'GROUP', 'a')"
    unit = await tx.fetchval(f"insert into org_units (code, name, kind, path) {values} returning id")
    key = await api_keys.create(tx, ADMIN, replace(READER, unit_id=unit), NOW)
    await tx.execute("delete from org_units")
    assert await api_keys.find(tx, key[4:20]) is None


async def test_only_customers_keys_that_ended_long_ago_are_forgotten(tx: asyncpg.Connection) -> None:
    customer = await tx.fetchval(
        """with unit as (insert into org_units (code, name, kind, path) values ('a', 'A', 'GROUP', 'a') returning id)
        insert into customers (kind, name, unit_id, status, stage, tier)
        select 'PERSON', 'Ada', id, 'ACTIVE', 'PROSPECT', 'STANDARD' from unit returning id"""
    )
    ended, end = NOW + timedelta(minutes=1), NOW + timedelta(days=1)
    minted = [
        await api_keys.create(tx, ADMIN, replace(READER, name=name, customer_id=customer, expires_at=at), NOW)
        for name, at in (("a", ended), ("b", ended), ("c", end))
    ]
    await api_keys.create(tx, ADMIN, replace(READER, name="a partner's", expires_at=ended), NOW)
    await api_keys.create(tx, ADMIN, replace(READER, name="a customer's for ever", customer_id=customer), NOW)
    at = ended + timedelta(days=7, seconds=1)

    async def names() -> list[str]:
        return [each.name for each in await api_keys.every(tx, ADMIN)]

    assert not await api_keys.forget(tx, ended + timedelta(days=7), 10)
    assert await names() == ["a", "b", "c", "a partner's", "a customer's for ever"]
    assert await api_keys.forget(tx, at, 1), "there is another"
    assert await api_keys.forget(tx, at, 1)
    assert not await api_keys.forget(tx, at, 1)
    assert await names() == ["c", "a partner's", "a customer's for ever"]
    assert [await api_keys.find(tx, each[4:20]) is None for each in minted] == [True, True, False]


@pytest.mark.parametrize(
    ("wanted", "argument"),
    [
        (replace(READER, unit_id=UUID(int=1), customer_id=UUID(int=1)), "customer"),
        (replace(READER, expires_at=NOW), "expires"),
        (replace(READER, name="a\nb"), "name"),
        (replace(READER, name="a" * 101), "name"),
    ],
)
async def test_a_key_that_makes_no_sense_is_not_made(tx: asyncpg.Connection, wanted: NewKey, argument: str) -> None:
    with pytest.raises(BadInput) as caught:
        await api_keys.create(tx, ADMIN, wanted, NOW)
    assert (caught.value.code, caught.value.argument) == ("KEY_INVALID", argument)


async def test_a_key_is_bound_to_what_there_is(tx: asyncpg.Connection) -> None:
    for wanted, argument in (
        (replace(READER, unit_id=UUID(int=1)), "unit"),
        (replace(READER, customer_id=UUID(int=1)), "customer"),
    ):
        with pytest.raises(NotFound) as caught:
            await api_keys.create(tx, ADMIN, wanted, NOW)
        assert caught.value.argument == argument


@pytest.mark.parametrize(
    "viewer",
    [
        Viewer(None, Role.READER),
        Viewer(None, Role.WRITER),
        Viewer(None, Role.ADMIN, unit_path="group.west"),
        Viewer(None, Role.ADMIN, customer_id=UUID(int=1)),
    ],
)
async def test_only_who_sees_all_hands_out_keys(tx: asyncpg.Connection, viewer: Viewer) -> None:
    with pytest.raises(Forbidden):
        await api_keys.create(tx, viewer, READER, NOW)
    with pytest.raises(Forbidden):
        await api_keys.revoke(tx, viewer, "00000001", NOW)
    with pytest.raises(Forbidden):
        await api_keys.every(tx, viewer)


async def test_a_revocation_keeps_its_first_time(tx: asyncpg.Connection) -> None:
    key = await api_keys.create(tx, ADMIN, READER, NOW)
    assert await api_keys.revoke(tx, ADMIN, key[4:20], NOW) == NOW
    assert await api_keys.revoke(tx, ADMIN, key[4:20], NOW + timedelta(days=1)) == NOW
    assert [found.state(NOW) for found in await api_keys.every(tx, ADMIN)] == ["revoked"]
    with pytest.raises(NotFound):
        await api_keys.revoke(tx, ADMIN, "ffffffff", NOW)


async def test_a_real_hub_knows_its_keys_and_when_they_were_used(database: str) -> None:
    tx = await asyncpg.connect(database)
    key = await api_keys.create(tx, ADMIN, READER, NOW)
    async with app.running(Settings(), database) as hub:
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(hub), base_url="http://hub") as client:
            headers = {"authorization": f"Bearer {key}"}
            answer = await client.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
            assert answer.json() == {"data": {"__typename": "Query"}}
            assert (await client.get("/readyz")).json() == {"status": "ready"}
        assert await tx.fetchval("select last_used_at from api_keys") is None
    used = await tx.fetchval("select last_used_at from api_keys")
    assert datetime.now(UTC) - used < timedelta(seconds=30)
    await tx.close()


async def test_an_older_use_does_not_hide_a_newer(tx: asyncpg.Connection) -> None:
    key = await api_keys.create(tx, ADMIN, READER, NOW)
    found = await api_keys.find(tx, key[4:20])
    assert found is not None
    assert found.viewer.key_id is not None
    for at in (NOW, NOW - timedelta(days=1)):
        await api_keys.mark_used(tx, {found.viewer.key_id: at})
    assert await tx.fetchval("select last_used_at from api_keys") == NOW


async def test_the_first_key_is_made_once_and_kept_for_its_owner(database: str, tmp_path: Path) -> None:
    pool = await Pool.open(database, Settings())
    folder = tmp_path / "new"
    key, made = await keyfile.ensure(pool, folder, NOW)
    assert (made, await keyfile.ensure(pool, folder, NOW)) == (True, (key, False))
    assert (folder / "key").stat().st_mode & 0o777 == 0o600
    assert (folder / "key").read_text() == f"{key}\n"
    async with pool.connection() as connection:
        await api_keys.revoke(connection, ADMIN, key[4:20], NOW)
    assert await keyfile.ensure(pool, folder, NOW) == (key, False), "a revoked first key is not made again"
    (folder / "key").write_text(key_text("00000001"))
    other, made = await keyfile.ensure(pool, folder, NOW)
    assert made
    assert other != key
    await pool.close()


async def test_a_key_that_cannot_be_kept_is_not_issued(database: str, tmp_path: Path) -> None:
    pool = await Pool.open(database, Settings())
    (tmp_path / "file").write_text("")
    with pytest.raises(HubError) as caught:
        await keyfile.ensure(pool, tmp_path / "file", NOW)
    assert caught.value.code == "DATA_DIR_UNUSABLE"
    async with pool.connection() as connection:
        assert await api_keys.every(connection, ADMIN) == []
    await pool.close()
