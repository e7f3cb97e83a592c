"""Login links and the sessions that they start: nobody else gets a key, and a link that was used opens nothing."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest
from conftest import CreateDatabase, create_api_key
from fake_engine_hub import serve_app
from pydantic import SecretStr
from websocket_client import open_websocket

from hub import launch, observability
from hub.app import lifespan
from hub.domain.access import api_keys, key_upkeep, login_links
from hub.errors import BadInput
from hub.settings import Settings
from hub.viewer import ADMIN, Role

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
SESSION = "/graphiql/session"
TYPENAME = {"query": "{ __typename }"}


@dataclass
class LinkedHub:
    """A hub on a database of its own, its admin key, and connections to both."""

    client: httpx2.AsyncClient
    connection: asyncpg.Connection
    key: str
    port: int

    async def link(self, now: datetime | None = None, key: str | None = None) -> str:
        """A new link's token."""
        return await login_links.create(self.connection, ADMIN, (key or self.key)[4:20], now or datetime.now(UTC))

    async def session_key(self, token: str | None = None, key: str | None = None) -> str:
        """The key of a new session."""
        answer = await self.client.post(SESSION, json={"link": token or await self.link(key=key)})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["key"])

    async def query(self, key: str, body: dict[str, Any] = TYPENAME) -> tuple[int, Any]:
        """The status and the JSON of the answer to a query."""
        answer = await self.client.post("/graphql", json=body, headers={"authorization": f"Bearer {key}"})
        return answer.status_code, answer.json()


@pytest.fixture(scope="module")
async def hub(create_database: CreateDatabase, empty_dsn: str) -> AsyncIterator[LinkedHub]:
    dsn = await create_database("migrated")
    connection = await asyncpg.connect(dsn)
    settings = Settings(key_cache_ttl=0, key_recheck_interval=0.2)
    async with (
        lifespan(settings, dsn) as app,
        serve_app(app, settings) as port,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        yield LinkedHub(client, connection, await create_api_key(dsn), port)
    await connection.close()


def code(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["errors"][0]["extensions"]["code"]


async def test_s1_no_page_hands_out_a_key_and_a_link_works_once(hub: LinkedHub) -> None:
    for path in ("/graphiql/config.json", SESSION):
        for headers in ({}, {"host": "localhost"}, {"x-forwarded-for": "192.0.2.7"}, {"sec-fetch-site": "same-origin"}):
            answer = await hub.client.get(path, headers=headers)
            assert answer.status_code in (404, 405)
            assert "hub_" not in answer.text
    token = await hub.link()
    answer = await hub.client.post(SESSION, json={"link": token})
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert "set-cookie" not in answer.headers
    session = answer.json()
    assert sorted(session) == ["expiresAt", "key"]
    lifetime = datetime.fromisoformat(session["expiresAt"]) - datetime.now(UTC)
    assert timedelta(hours=11) < lifetime < timedelta(hours=12)
    assert session["key"] != hub.key
    assert await hub.query(session["key"]) == (200, {"data": {"__typename": "Query"}})
    assert code(await hub.client.post(SESSION, json={"link": token})) == (403, "LINK_INVALID")


async def test_x1_the_admin_key_is_printed_once_and_a_new_link_at_every_start(
    database_dsn: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "serve_processes", lambda *_: None)
    monkeypatch.setattr(launch, "logging_events", lambda *_: nullcontext())
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    settings = Settings(database_url=SecretStr(database_dsn), data_dir=tmp_path, port=0)
    printed = []
    for _ in range(2):
        await asyncio.to_thread(launch.up, settings)
        printed.append(capfd.readouterr())
    first, second = (output.out.splitlines() for output in printed)
    key = (tmp_path / "key").read_text().strip()
    assert [line.partition("  ")[0] for line in first] == ["key", "Login", "GraphiQL", "Live"]
    assert first[0] == f"key  {key}"
    assert [line.partition("  ")[0] for line in second] == ["Login", "GraphiQL", "Live"]
    assert first[1].partition("#link=")[2] != second[0].partition("#link=")[2]
    assert [key in output for output in (printed[1].out, printed[0].err, printed[1].err)] == [False] * 3
    await asyncio.to_thread(launch.up, settings.model_copy(update={"graphiql": False}))
    assert capfd.readouterr().out == ""
    connection = await asyncpg.connect(database_dsn)
    assert await connection.fetchval("select count(*) from login_links") == 2  # nothing could follow a third
    await connection.close()


async def test_x1_logs_hold_no_key_and_no_link(hub: LinkedHub) -> None:
    events: list[observability.Event] = []
    remove_handler = observability.add_handler(events.append)
    try:
        token = await hub.link()
        key = await hub.session_key(token)
        await hub.client.post(SESSION, json={"link": token})
        await hub.query(key)
        await hub.query(key[:-1])
        async with open_websocket(hub.port, init=False) as socket:
            await socket.init({"authToken": key})
    finally:
        remove_handler()
    assert len([event for event in events if isinstance(event, observability.RequestDone)]) >= 2
    assert [secret in repr(events) for secret in (token, key, key[21:], hub.key)] == [False] * 4


async def test_s1_concurrent_uses_of_a_link_start_one_session(hub: LinkedHub) -> None:
    token = await hub.link()
    answers = await asyncio.gather(*(hub.client.post(SESSION, json={"link": token}) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [403] * 7


async def test_s1_a_link_expires_and_is_deleted(hub: LinkedHub) -> None:
    now = datetime.now(UTC)
    expired = await hub.link(now - login_links.LINK_LIFETIME)
    assert code(await hub.client.post(SESSION, json={"link": expired})) == (403, "LINK_INVALID")
    living = await hub.link(now - login_links.LINK_LIFETIME + timedelta(minutes=1))
    assert await hub.session_key(living)
    await hub.link()
    assert await hub.connection.fetchval("select count(*) from login_links where expires_at <= now()") == 0


async def test_s1_only_hashes_are_stored(hub: LinkedHub) -> None:
    token = await hub.link()
    rows = await hub.connection.fetch("select * from login_links")
    assert token.encode() not in b"".join(row["hash"] for row in rows)
    assert {len(row["hash"]) for row in rows} == {32}
    key = await hub.session_key(token)
    stored = await hub.connection.fetchrow("select * from api_keys where public_id = $1", key[4:20])
    assert stored is not None
    assert (stored["hash"], key in str(stored)) == (api_keys.digest(key), False)


@pytest.mark.parametrize(
    ("content", "headers", "expected"),
    [
        (b'{"link": "%s"}', {"content-type": "text/plain"}, (415, "MEDIA_TYPE_UNSUPPORTED")),
        (b"link=%s", {"content-type": "application/x-www-form-urlencoded"}, (415, "MEDIA_TYPE_UNSUPPORTED")),
        (b'{"link": "%s"}', {"sec-fetch-site": "cross-site"}, (403, "FORBIDDEN")),
        (b'{"link": "%s"}', {"sec-fetch-site": "same-site"}, (403, "FORBIDDEN")),
        (b'{"link": ["%s"]}', {}, (400, "BODY_MALFORMED")),
        (b'["%s"]', {}, (400, "BODY_MALFORMED")),
        (b'{"link": "%s"', {}, (400, "BODY_MALFORMED")),
        (b'{"link": "%s "}', {}, (403, "LINK_INVALID")),
        (b'{"link": ""}', {}, (403, "LINK_INVALID")),
        (b'{"link": "%s", "more": "' + b"x" * 20_000 + b'"}', {}, (413, "BODY_TOO_LARGE")),
    ],
)
async def test_s1_a_request_that_is_not_the_pages_uses_nothing_up(
    hub: LinkedHub, content: bytes, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    token = await hub.link()
    body = content.replace(b"%s", token.encode())
    answer = await hub.client.post(SESSION, content=body, headers={"content-type": "application/json", **headers})
    assert code(answer) == expected
    assert await hub.session_key(token)


async def test_s1_another_origin_gets_no_leave_to_ask(hub: LinkedHub) -> None:
    headers = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    answer = await hub.client.options(SESSION, headers=headers)
    assert answer.status_code == 405
    assert [name for name in answer.headers if name.startswith("access-control")] == []


async def test_s1_a_session_acts_as_its_key_and_is_listed(hub: LinkedHub) -> None:
    key = await hub.session_key()
    stored = {stored_key.public_id: stored_key for stored_key in await api_keys.list_keys(hub.connection, ADMIN)}
    session, owner = stored[key[4:20]], stored[hub.key[4:20]]
    assert (session.name, session.is_session, owner.is_session) == (f"session of {hub.key[4:20]}", True, False)
    assert session.viewer == owner.viewer
    with pytest.raises(BadInput, match="is a session"):
        await hub.link(key=key)


async def test_s1_a_session_has_no_more_rights_and_no_longer_life_than_its_key(hub: LinkedHub) -> None:
    now = datetime.now(UTC)
    new_key = api_keys.NewKey("a reader", Role.READER, expires_at=now + timedelta(hours=1))
    reader = await api_keys.create(hub.connection, ADMIN, new_key, now)
    key = await hub.session_key(key=reader)
    session = await api_keys.find_key(hub.connection, key[4:20])
    assert session is not None
    assert (session.viewer.role, session.expires_at) == (Role.READER, now + timedelta(hours=1))
    await api_keys.revoke(hub.connection, ADMIN, reader[4:20], now)
    assert (await hub.query(key))[0] == 401
    assert code(await hub.client.post(SESSION, json={"link": "x" * 43})) == (403, "LINK_INVALID")


async def test_s1_a_link_of_a_revoked_key_opens_nothing(hub: LinkedHub) -> None:
    now = datetime.now(UTC)
    other = await api_keys.create(hub.connection, ADMIN, api_keys.NewKey("other", Role.ADMIN), now)
    token = await hub.link(key=other)
    await api_keys.revoke(hub.connection, ADMIN, other[4:20], now)
    assert code(await hub.client.post(SESSION, json={"link": token})) == (403, "LINK_INVALID")


async def test_s1_a_session_ends_itself_and_its_sockets(hub: LinkedHub) -> None:
    key, other = await hub.session_key(), await hub.session_key()
    headers = {"authorization": f"Bearer {key}"}
    async with open_websocket(hub.port, init=False) as socket:
        await socket.init({"authorization": f"Bearer {key}"})
        assert (await hub.client.delete(SESSION, headers=headers)).status_code == 204
        close_code, reason = await socket.wait_closed()
    assert (close_code, reason.partition(":")[0]) == (4403, "KEY_REVOKED")
    assert (await hub.query(key))[1]["errors"][0]["extensions"]["code"] == "KEY_REVOKED"
    assert (await hub.query(other))[0] == 200
    assert code(await hub.client.delete(SESSION, headers=headers)) == (401, "KEY_REVOKED")


async def test_s1_a_key_that_is_no_session_is_not_ended(hub: LinkedHub) -> None:
    answer = await hub.client.delete(SESSION, headers={"authorization": f"Bearer {hub.key}"})
    assert code(answer) == (400, "KEY_INVALID")
    assert (await hub.query(hub.key))[0] == 200
    assert code(await hub.client.delete(SESSION)) == (401, "UNAUTHENTICATED")


async def test_s1_ended_sessions_are_purged(hub: LinkedHub) -> None:
    key = await hub.session_key()
    end = datetime.now(UTC) + login_links.SESSION_LIFETIME
    await key_upkeep.purge_expired(hub.connection, end + timedelta(days=6), 1_000)
    assert await api_keys.find_key(hub.connection, key[4:20]) is not None
    await key_upkeep.purge_expired(hub.connection, end + timedelta(days=8), 1_000)
    assert await api_keys.find_key(hub.connection, key[4:20]) is None
    assert await api_keys.find_key(hub.connection, hub.key[4:20]) is not None


async def test_s1_the_allow_header_of_the_sessions_path_names_both_methods(hub: LinkedHub) -> None:
    answer = await hub.client.get(SESSION)
    assert (answer.status_code, {name.strip() for name in answer.headers["allow"].split(",")}) == (
        405,
        {"DELETE", "POST"},
    )
