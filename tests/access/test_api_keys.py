"""API keys: what opens the hub and what does not, what is stored, what is remembered, and the first key's file."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import httpx2
import pytest
from fake_engine_hub import EXPIRED, KEY, REVOKED, FakeEngineHub, capture_events, key_text, stored_key

from hub import app, keyfile, time_source
from hub.db.pool import Pool
from hub.domain.access import api_keys, key_upkeep
from hub.domain.access.api_keys import NewKey
from hub.errors import BadInput, Forbidden, HubError, NotFound, Unavailable
from hub.settings import Settings
from hub.viewer import ADMIN, Role, Viewer
from hub.web import auth
from hub.web.auth import ApiKeyCache

NOW = datetime(2026, 6, 1, tzinfo=UTC)
READER = NewKey("app", Role.READER)


@pytest.fixture
async def fake_hub() -> AsyncIterator[FakeEngineHub]:
    fake_hub = FakeEngineHub(Settings(key_cache_size=10))
    with capture_events(fake_hub):
        yield fake_hub


class FakeTime:
    """The clocks of the `time` module, which a test may move on."""

    def __init__(self) -> None:
        self.offset = 0.0
        self._started = (time.time(), time.monotonic())

    def time(self) -> float:
        return self._started[0] + self.offset

    def monotonic(self) -> float:
        return self._started[1] + self.offset


@pytest.fixture
def fake_time(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    """Time as the key cache knows it; it stands still until a test moves it."""
    fake_time = FakeTime()
    for module in (auth, time_source):
        monkeypatch.setattr(module, "time", fake_time)
    return fake_time


@pytest.fixture
async def connection(database_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_dsn)
    yield connection
    await connection.close()


async def send_query(fake_hub: FakeEngineHub, authorization: str | None) -> httpx2.Response:
    headers = {} if authorization is None else {"authorization": authorization}
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(fake_hub.app), base_url="http://hub") as client:
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
async def test_what_is_no_living_key_is_refused_by_name(
    fake_hub: FakeEngineHub, authorization: str | None, code: str
) -> None:
    answer = await send_query(fake_hub, authorization)
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (401, code)
    challenge = 'Bearer realm="hub"' + ("" if code == "UNAUTHENTICATED" else ', error="invalid_token"')
    assert answer.headers["www-authenticate"] == challenge
    assert fake_hub.engine.viewers == []


@pytest.mark.parametrize("authorization", [f"Bearer {KEY}", f"bearer  {KEY} ", f"BEARER {KEY}"])
async def test_a_living_key_opens(fake_hub: FakeEngineHub, authorization: str) -> None:
    assert (await send_query(fake_hub, authorization)).status_code == 200
    assert fake_hub.engine.viewers == [Viewer(UUID(int=1), Role.READER)]


async def test_two_authorization_headers_open_nothing(fake_hub: FakeEngineHub) -> None:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(fake_hub.app), base_url="http://hub") as client:
        twice = [("authorization", f"Bearer {KEY}"), ("authorization", f"Bearer {REVOKED}")]
        answer = await client.post("/graphql", json={"query": "{ echo }"}, headers=twice)
    assert answer.status_code == 401


async def test_a_key_appears_in_no_answer_and_no_event(fake_hub: FakeEngineHub) -> None:
    for key in (KEY, REVOKED, key_text("00000009")):
        answer = await send_query(fake_hub, f"Bearer {key}")
        assert key not in answer.text
    assert not any(key in repr(fake_hub.events) for key in (KEY, REVOKED))
    assert [request.key for request in fake_hub.requests] == ["00000001", "", ""]


async def test_those_who_come_at_once_share_one_look_up(fake_hub: FakeEngineHub) -> None:
    answers = await asyncio.gather(*(send_query(fake_hub, f"Bearer {KEY}") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert fake_hub.lookups == ["00000001"]


async def test_the_first_to_ask_may_leave_while_others_wait(fake_hub: FakeEngineHub) -> None:
    first = asyncio.create_task(fake_hub.key_cache.credential(f"Bearer {KEY}".encode()))
    second = asyncio.create_task(fake_hub.key_cache.credential(f"Bearer {KEY}".encode()))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).public_id == "00000001"
    assert fake_hub.lookups == ["00000001"]


async def test_an_unknown_key_is_cached_too(fake_hub: FakeEngineHub) -> None:
    for _ in range(3):
        await send_query(fake_hub, f"Bearer {key_text('00000009')}")
    assert fake_hub.lookups == ["00000009"]


async def test_what_is_not_formed_like_a_key_is_never_looked_up(fake_hub: FakeEngineHub) -> None:
    for key in ("x", "hub_0000000g_" + "a" * 43, "hub_00000001_" + "$" * 43, "'; drop table api_keys; --"):
        await send_query(fake_hub, f"Bearer {key}")
    assert fake_hub.lookups == []


async def test_a_revocation_is_noticed_when_the_cache_entry_expires(fake_time: FakeTime) -> None:
    stored_keys = {"00000001": stored_key("00000001")}

    async def find(public_ids: Sequence[str]) -> list[api_keys.StoredKey]:
        return [stored_keys[public_id] for public_id in public_ids]

    key_cache = ApiKeyCache(find, ttl=0.05, size=10)
    header = f"Bearer {KEY}".encode()
    await key_cache.credential(header)
    stored_keys["00000001"] = replace(stored_keys["00000001"], revoked_at=NOW)
    await key_cache.credential(header)
    fake_time.offset = 0.06
    with pytest.raises(HubError) as caught:
        await key_cache.credential(header)
    assert caught.value.code == "KEY_REVOKED"


async def test_a_key_expires_also_while_it_is_cached(fake_hub: FakeEngineHub, fake_time: FakeTime) -> None:
    expires_at = datetime.fromtimestamp(fake_time.time(), UTC) + timedelta(seconds=0.05)
    fake_hub.stored_keys["00000001"] = stored_key("00000001", expires_at=expires_at)
    assert (await send_query(fake_hub, f"Bearer {KEY}")).status_code == 200
    fake_time.offset = 0.06
    assert (await send_query(fake_hub, f"Bearer {KEY}")).json()["errors"][0]["extensions"]["code"] == "KEY_EXPIRED"
    assert fake_hub.lookups == ["00000001"]


async def test_the_cache_is_bounded_and_retains_frequent_keys(fake_hub: FakeEngineHub, fake_time: FakeTime) -> None:
    for n in range(30):
        await send_query(fake_hub, f"Bearer {KEY}")
        await send_query(fake_hub, f"Bearer {key_text(f'{n + 100:08d}')}")
    assert fake_hub.lookups.count("00000001") == 1
    assert len(fake_hub.key_cache._entries) == 10


async def test_without_a_database_the_hub_says_so(fake_hub: FakeEngineHub) -> None:
    fake_hub.database_down = True
    answer = await send_query(fake_hub, f"Bearer {KEY}")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
    fake_hub.database_down = False
    assert (await send_query(fake_hub, f"Bearer {KEY}")).status_code == 200


async def test_a_database_that_hangs_is_not_waited_for_by_all_to_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "LOOKUP_TIMEOUT", 0.05)
    hangs = True

    async def find(public_ids: Sequence[str]) -> list[api_keys.StoredKey]:
        await asyncio.sleep(60 if hangs else 0)
        return [stored_key(public_id) for public_id in public_ids]

    key_cache = ApiKeyCache(find, ttl=1, size=10)
    with pytest.raises(Unavailable):
        await key_cache.credential(f"Bearer {KEY}".encode())
    hangs = False
    assert (await key_cache.credential(f"Bearer {KEY}".encode())).public_id == "00000001"


async def test_only_a_hash_is_stored(connection: asyncpg.Connection) -> None:
    key = await api_keys.create(connection, ADMIN, READER, NOW)
    row = dict(await connection.fetchrow("select * from api_keys") or {})
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
        "source": None,
        "last_used_at": None,
        "session_of_id": None,
        "previous_hash": None,
        "previous_until": None,
        "staff_id": None,
        "follows_unit": False,
        "allowed_networks": [],
        "version": 1,
        "updated_at": NOW,
    }


async def test_no_two_keys_are_alike(connection: asyncpg.Connection) -> None:
    created = {await api_keys.create(connection, ADMIN, READER, NOW) for _ in range(20)}
    assert {len(str(api_keys.extract_public_id(key))) for key in created} == {16}
    assert len(created) == 20
    assert all(api_keys.KEY_PATTERN.fullmatch(key) for key in created)


async def test_a_key_is_looked_up_with_its_units_path(northwind_dsn: str) -> None:
    tx = await asyncpg.connect(northwind_dsn)
    unit = await tx.fetchrow("select id, code, path::text from org_units where nlevel(path) = 2 limit 1")
    assert unit is not None
    assert await api_keys.find_unit(tx, unit["code"]) == await api_keys.find_unit(tx, str(unit["id"])) == unit["id"]
    key = await api_keys.create(tx, ADMIN, replace(READER, unit_id=unit["id"]), NOW)
    key_record = await api_keys.find_key(tx, key[4:20])
    assert key_record is not None
    assert (key_record.viewer.unit_path, key_record.viewer.binding) == (unit["path"], "unit_subtree")
    await tx.close()


async def test_a_key_goes_with_what_it_is_bound_to(connection: asyncpg.Connection) -> None:
    values = "values ('a', 'A', 'GROUP', 'a')"
    unit = await connection.fetchval(f"insert into org_units (code, name, kind, path) {values} returning id")
    key = await api_keys.create(connection, ADMIN, replace(READER, unit_id=unit), NOW)
    await connection.execute("delete from org_units")
    assert await api_keys.find_key(connection, key[4:20]) is None


async def test_only_long_expired_customer_keys_are_purged(connection: asyncpg.Connection) -> None:
    customer = await connection.fetchval(
        """with unit as (insert into org_units (code, name, kind, path) values ('a', 'A', 'GROUP', 'a') returning id)
        insert into customers (kind, name, unit_id, status, stage, tier)
        select 'PERSON', 'Ada', id, 'ACTIVE', 'PROSPECT', 'STANDARD' from unit returning id"""
    )
    ended, end = NOW + timedelta(minutes=1), NOW + timedelta(days=1)
    minted = [
        await api_keys.create(
            connection, ADMIN, replace(READER, name=name, customer_id=customer, expires_at=moment), NOW
        )
        for name, moment in (("a", ended), ("b", ended), ("c", end))
    ]
    await api_keys.create(connection, ADMIN, replace(READER, name="a partner's", expires_at=ended), NOW)
    await api_keys.create(connection, ADMIN, replace(READER, name="a customer's for ever", customer_id=customer), NOW)
    moment = ended + timedelta(days=7, seconds=1)

    async def names() -> list[str]:
        return [key.name for key in await api_keys.list_keys(connection, ADMIN)]

    assert not await key_upkeep.purge_expired(connection, ended + timedelta(days=7), 10)
    assert await names() == ["a", "b", "c", "a partner's", "a customer's for ever"]
    assert await key_upkeep.purge_expired(connection, moment, 1), "there is another"
    assert await key_upkeep.purge_expired(connection, moment, 1)
    assert not await key_upkeep.purge_expired(connection, moment, 1)
    assert await names() == ["c", "a partner's", "a customer's for ever"]
    assert [await api_keys.find_key(connection, key[4:20]) is None for key in minted] == [True, True, False]


@pytest.mark.parametrize(
    ("new_key", "argument"),
    [
        (replace(READER, unit_id=UUID(int=1), customer_id=UUID(int=1)), "customer"),
        (replace(READER, expires_at=NOW), "expires"),
        (replace(READER, name="a\nb"), "name"),
        (replace(READER, name="a" * 101), "name"),
    ],
)
async def test_an_invalid_key_is_not_created(connection: asyncpg.Connection, new_key: NewKey, argument: str) -> None:
    with pytest.raises(BadInput) as caught:
        await api_keys.create(connection, ADMIN, new_key, NOW)
    assert (caught.value.code, caught.value.argument) == ("KEY_INVALID", argument)


async def test_a_key_is_bound_to_what_there_is(connection: asyncpg.Connection) -> None:
    for new_key, argument in (
        (replace(READER, unit_id=UUID(int=1)), "unit"),
        (replace(READER, customer_id=UUID(int=1)), "customer"),
    ):
        with pytest.raises(NotFound) as caught:
            await api_keys.create(connection, ADMIN, new_key, NOW)
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
async def test_only_who_sees_all_hands_out_keys(connection: asyncpg.Connection, viewer: Viewer) -> None:
    with pytest.raises(Forbidden):
        await api_keys.create(connection, viewer, READER, NOW)
    with pytest.raises(Forbidden):
        await api_keys.revoke(connection, viewer, "00000001", NOW)
    with pytest.raises(Forbidden):
        await api_keys.list_keys(connection, viewer)


async def test_a_revocation_keeps_its_first_time(connection: asyncpg.Connection) -> None:
    key = await api_keys.create(connection, ADMIN, READER, NOW)
    assert await api_keys.revoke(connection, ADMIN, key[4:20], NOW) == NOW
    assert await api_keys.revoke(connection, ADMIN, key[4:20], NOW + timedelta(days=1)) == NOW
    assert [key_record.state(NOW) for key_record in await api_keys.list_keys(connection, ADMIN)] == ["revoked"]
    with pytest.raises(NotFound):
        await api_keys.revoke(connection, ADMIN, "ffffffff", NOW)


async def test_a_real_hub_knows_its_keys_and_when_they_were_used(database_dsn: str) -> None:
    tx = await asyncpg.connect(database_dsn)
    key = await api_keys.create(tx, ADMIN, READER, NOW)
    async with app.lifespan(Settings(), database_dsn) as hub:
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(hub), base_url="http://hub") as client:
            headers = {"authorization": f"Bearer {key}"}
            answer = await client.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
            assert answer.json() == {"data": {"__typename": "Query"}}
            assert (await client.get("/readyz")).json() == {"status": "ready"}
        assert await tx.fetchval("select last_used_at from api_keys") is None
    used = await tx.fetchval("select last_used_at from api_keys")
    assert datetime.now(UTC) - used < timedelta(seconds=30)
    await tx.close()


async def test_an_older_use_does_not_hide_a_newer(connection: asyncpg.Connection) -> None:
    key = await api_keys.create(connection, ADMIN, READER, NOW)
    key_record = await api_keys.find_key(connection, key[4:20])
    assert key_record is not None
    assert key_record.viewer.key_id is not None
    for used_at in (NOW, NOW - timedelta(days=1)):
        await key_upkeep.record_usage(connection, {key_record.viewer.key_id: used_at})
    assert await connection.fetchval("select last_used_at from api_keys") == NOW


async def test_the_first_key_is_created_once_and_stored_for_its_owner(database_dsn: str, tmp_path: Path) -> None:
    pool = await Pool.open(database_dsn, Settings(), as_owner=True)
    folder = tmp_path / "new"
    key, created = await keyfile.ensure(pool, folder, NOW)
    assert (created, await keyfile.ensure(pool, folder, NOW)) == (True, (key, False))
    assert (folder / "key").stat().st_mode & 0o777 == 0o600
    assert (folder / "key").read_text() == f"{key}\n"
    async with pool.connection() as connection:
        await api_keys.revoke(connection, ADMIN, key[4:20], NOW)
    assert await keyfile.ensure(pool, folder, NOW) == (key, False), "a revoked first key is not made again"
    (folder / "key").write_text(key_text("00000001"))
    other, created = await keyfile.ensure(pool, folder, NOW)
    assert created
    assert other != key
    await pool.close()


async def test_a_key_that_cannot_be_stored_is_not_issued(database_dsn: str, tmp_path: Path) -> None:
    pool = await Pool.open(database_dsn, Settings())
    (tmp_path / "file").write_text("")
    with pytest.raises(HubError) as caught:
        await keyfile.ensure(pool, tmp_path / "file", NOW)
    assert caught.value.code == "DATA_DIR_UNUSABLE"
    async with pool.connection() as connection:
        assert await api_keys.list_keys(connection, ADMIN) == []
    await pool.close()
