"""Sessions that a person starts by showing a key or a token: what they are, and that they end."""

import time
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import httpx2
import pytest
from conftest import CreateDatabase
from token_hub import TokenHub, refusal_of, run_token_hub
from token_issuer import rsa_key
from websocket_client import open_websocket

from hub.domain.access import token_sessions

SESSION = "/graphiql/session"
ME = "{ me { viewer { name roles expiresAt } staff { number } } }"


@pytest.fixture(scope="module")
async def hub(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[TokenHub]:
    async with run_token_hub(await create_database("northwind")) as hub:
        yield hub


async def start(hub: TokenHub, credential: str) -> httpx2.Response:
    return await hub.client.post(SESSION, json={"credential": credential})


async def end(hub: TokenHub, key: str) -> httpx2.Response:
    return await hub.client.delete(SESSION, headers={"authorization": f"Bearer {key}"})


async def test_a_key_is_exchanged_for_a_session_with_its_rights(hub: TokenHub) -> None:
    answer = await start(hub, f" {hub.admin_key}\n")
    key = answer.json()["key"]
    assert (answer.status_code, answer.headers["cache-control"], key == hub.admin_key) == (200, "no-store", False)
    assert "set-cookie" not in answer.headers
    assert (await hub.query(key, ME))["me"]["viewer"]["roles"] == ["admin"]
    assert refusal_of(await start(hub, key)) == (400, "KEY_INVALID")  # sessions do not beget sessions
    assert (await end(hub, key)).status_code == 204
    assert await hub.refusal(key) == (401, "KEY_REVOKED")
    assert await hub.query(hub.admin_key, "{ __typename }") == {"__typename": "Query"}


async def test_a_token_is_exchanged_for_a_session_that_ends_with_it(hub: TokenHub) -> None:
    expires = int(time.time()) + 100
    token = hub.issuer.token(exp=expires)
    session = (await start(hub, token)).json()
    assert datetime.fromisoformat(session["expiresAt"]).timestamp() == expires
    viewer = await hub.query(session["key"], ME)
    assert viewer == await hub.query(token, ME)
    assert viewer["me"]["staff"] == {"number": "1"}
    assert refusal_of(await start(hub, session["key"])) == (400, "KEY_INVALID")
    assert refusal_of(await start(hub, hub.issuer.token(exp=1))) == (401, "TOKEN_EXPIRED")
    assert refusal_of(await start(hub, "hub_x")) == (401, "KEY_UNKNOWN")


async def test_a_sessions_end_takes_effect_at_once_and_on_its_sockets(hub: TokenHub) -> None:
    key = (await start(hub, hub.issuer.token())).json()["key"]
    async with open_websocket(hub.port, init=False) as socket:
        await socket.init({"authorization": f"Bearer {key}"})
        assert (await end(hub, key)).status_code == 204
        assert await hub.refusal(key) == (401, "KEY_REVOKED")
        close_code, reason = await socket.wait_closed()
    assert (close_code, reason.partition(":")[0]) == (4403, "KEY_REVOKED")
    assert refusal_of(await end(hub, key)) == (401, "KEY_REVOKED")
    assert refusal_of(await end(hub, hub.issuer.token())) == (400, "KEY_INVALID")


async def test_a_session_follows_its_bearer(hub: TokenHub) -> None:
    await hub.connection.execute("update staff set email = 'laura@northwind.example' where number = '8'")
    key = (await start(hub, hub.issuer.token(email="laura@northwind.example"))).json()["key"]
    assert (await hub.query(key, ME))["me"]["staff"] == {"number": "8"}
    await hub.connection.execute("update staff set left_on = '2020-01-01' where number = '8'")
    assert await hub.refusal(key) == (401, "KEY_STAFF_LEFT")
    await hub.connection.execute("update staff set left_on = null, email = null where number = '8'")
    assert await hub.refusal(key) == (401, "KEY_REVOKED")  # the session is nobody's


async def test_a_session_ends_with_the_key_that_signed_its_token(hub: TokenHub) -> None:
    issuer, new = hub.rotating, rsa_key("second")
    key = (await start(hub, issuer.token())).json()["key"]
    async with open_websocket(hub.port, init=False) as socket:
        await socket.init({"authorization": f"Bearer {key}"})
        issuer.keys[:] = [new]
        assert (await hub.post(issuer.token(new), ME)).status_code == 200  # the hub reads the keys again
        assert await hub.refusal(key) == (401, "KEY_REVOKED")
        close_code, reason = await socket.wait_closed()
    assert (close_code, reason.partition(":")[0]) == (4403, "KEY_REVOKED")


async def test_a_session_goes_on_while_its_issuer_is_down(hub: TokenHub) -> None:
    key = (await start(hub, hub.failing.token())).json()["key"]
    hub.failing.status = 503
    assert (await hub.post(hub.failing.token(rsa_key("other")), ME)).status_code == 503
    assert (await hub.query(key, ME))["me"]["viewer"]["roles"] == ["writer"]


async def test_a_session_holds_no_token_and_is_purged(hub: TokenHub) -> None:
    token = hub.issuer.token(sub="purged")
    key = (await start(hub, token)).json()["key"]
    row = await hub.connection.fetchrow("select * from token_sessions where subject = 'purged'")
    assert row is not None
    assert [part in str(dict(row)) for part in (key, key[22:], *token.split("."))] == [False] * 5
    for days, left in ((6, 1), (8, 0)):
        now = row["expires_at"] + timedelta(days=days)
        await token_sessions.purge_expired(hub.connection, now, 1_000)
        count = await hub.connection.fetchval("select count(*) from token_sessions where subject = 'purged'")
        assert count == left


@pytest.mark.parametrize("body", [{}, {"credential": 1}, {"credential": "x", "link": "x"}, ["x"], {"credential": None}])
async def test_a_session_needs_one_text(hub: TokenHub, body: object) -> None:
    assert refusal_of(await hub.client.post(SESSION, json=body)) == (400, "BODY_MALFORMED")


async def test_another_page_starts_no_session(hub: TokenHub) -> None:
    for headers in ({"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}):
        answer = await hub.client.post(SESSION, json={"credential": hub.admin_key}, headers=headers)
        assert refusal_of(answer) == (403, "FORBIDDEN")
