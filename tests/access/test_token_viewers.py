"""Whom tokens stand for: members of staff, customers and systems, on every transport, and what they leave behind."""

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from change_workload import wait_until_sequenced
from conftest import CreateDatabase
from token_hub import TokenHub, run_token_hub
from websocket_client import WebSocketClient, open_websocket

from hub import observability

ME = "{ me { viewer { name roles binding expiresAt keyId } staff { number } customer { name } unit { code } } }"
COUNT = "{ customers { totalCount } }"
CREATE = """mutation ($sku: String!) { productCreate(
    input: {sku: $sku, name: "Nail", category: "Iron", unitPrice: "1", currency: "EUR"}, idempotencyKey: "once"
) { product { id } } }"""
LIVE = "subscription { customersLive(first: 1) { customers { nodes { name } } } }"
BOSS: Any = {"realm_access": {"roles": ["crm-boss"]}}
VIEW: Any = {"realm_access": {"roles": ["crm-view"]}}


@pytest.fixture(scope="module")
async def hub(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[TokenHub]:
    async with run_token_hub(await create_database("northwind")) as hub:
        yield hub


async def me(hub: TokenHub, **claims: Any) -> Any:
    """Who comes with a token, or the status and code of its refusal."""
    token = hub.issuer.token(**claims)
    answer = (await hub.post(token, ME)).json()
    return answer["data"]["me"] if "data" in answer else await hub.refusal(token)


async def test_a_member_of_staff_comes_with_unit_and_role(hub: TokenHub) -> None:
    expires = int(time.time()) + 300
    answer = await me(hub, exp=expires)
    unit = await hub.connection.fetchval(
        "select code from staff join org_units on org_units.id = unit_id where number = '1'"
    )
    assert answer["viewer"].pop("expiresAt").startswith(time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(expires)))
    assert answer == {
        "viewer": {"name": "Nancy Davolio", "roles": ["writer"], "binding": "UNIT", "keyId": None},
        "staff": {"number": "1"},
        "customer": None,
        "unit": {"code": unit},
    }


@pytest.mark.parametrize("variant", ["{}\u200b", "{}\u0000", " {}", "{}\u00a0", "\u202e{}"])
async def test_a_text_that_only_looks_like_another_one_stands_for_nobody(hub: TokenHub, variant: str) -> None:
    unmapped = (403, "TOKEN_UNMAPPED")
    assert (await me(hub, aud="shop", sub="AROUT"))["customer"] == {"name": "Around the Horn"}
    assert await me(hub, aud="shop", sub=variant.format("AROUT")) in (unmapped, (401, "TOKEN_MALFORMED"))
    assert await me(hub, aud="hub-by-number", number=variant.format("2"), **BOSS) == unmapped
    assert await me(hub, aud="tills", till=variant.format("eastern")) == unmapped
    assert await me(hub, email=variant.format("Nancy@Northwind.example")) == unmapped


async def test_an_address_in_other_letters_is_another_one(hub: TokenHub) -> None:
    assert (await me(hub, email="NANCY@northwind.EXAMPLE"))["staff"] == {"number": "1"}
    for address in ("nancy@northwind.e\u212aample", "nancy\uff20northwind.example", "nancy@northwind\u3002example"):
        assert await me(hub, email=address) == (403, "TOKEN_UNMAPPED")


async def test_a_viewer_comes_by_number_or_id_and_may_be_unbound(hub: TokenHub) -> None:
    boss = await me(hub, aud="hub-by-number", number="2", **BOSS)
    assert (boss["staff"], boss["unit"], boss["viewer"]["roles"]) == ({"number": "2"}, None, ["admin"])
    key = await hub.connection.fetchval("select id from staff where number = '3'")
    for spelling in (str(key), f"stf_{key.hex}"):
        assert (await me(hub, aud="hub-by-id", staff=spelling))["staff"] == {"number": "3"}


async def test_roles_as_data_narrow_what_a_token_sees(hub: TokenHub) -> None:
    token = hub.issuer.token(aud="hub-by-number", number="1", realm_access={"roles": ["crm-own"]})
    owned = await hub.connection.fetchval(
        "select count(*) from customers where owner_id = (select id from staff where number = '1')"
    )
    assert await hub.query(token, COUNT) == {"customers": {"totalCount": owned}}
    assert (await hub.query(token, ME))["me"]["viewer"]["roles"] == ["agent"]


async def test_a_role_that_is_assigned_to_the_person_counts_too_and_ends_at_once(hub: TokenHub) -> None:
    token = hub.issuer.token(aud="hub-by-number", number="4", realm_access=None)
    assert await hub.refusal(token) == (403, "TOKEN_UNMAPPED")
    await hub.connection.execute(
        """insert into role_assignments (role_id, staff_id)
        select roles.id, staff.id from roles, staff where roles.name = 'agent' and number = '4'"""
    )
    assert (await hub.query(token, ME))["me"]["viewer"]["roles"] == ["agent"]
    async with open_websocket(hub.port, init=False) as socket:
        await open_live(socket, token)
        await hub.connection.execute("delete from role_assignments")
        close_code, reason = await socket.wait_closed()
    assert (close_code, reason.partition(":")[0]) == (4403, "TOKEN_UNMAPPED")


async def test_a_customer_comes_alone(hub: TokenHub) -> None:
    token = hub.issuer.token(aud="shop", sub="QUICK")
    assert (await me(hub, aud="shop", sub="QUICK"))["customer"] == {"name": "QUICK-Stop"}
    assert await hub.query(token, COUNT) == {"customers": {"totalCount": 1}}
    key = await hub.connection.fetchval("select id from customers where name = 'QUICK-Stop'")
    by_id = await me(hub, aud="app", account={"customer": f"cus_{key.hex}"})
    assert (by_id["customer"], by_id["viewer"]["roles"]) == ({"name": "QUICK-Stop"}, ["writer"])


async def test_an_address_of_two_customers_is_nobodys_until_one_has_proven_it(hub: TokenHub) -> None:
    insert = """insert into identifiers (customer_id, kind, value, normalized, source, verified)
        select id, 'EMAIL', 'Buyer@Shop.example', 'buyer@shop.example', $2, $3 from customers where name = $1"""
    await hub.connection.execute(insert, "QUICK-Stop", "one", False)
    first = {"aud": "mail", "email": "BUYER@shop.example"}
    assert (await me(hub, **first))["customer"] == {"name": "QUICK-Stop"}
    await hub.connection.execute(insert, "Ernst Handel", "two", False)
    assert await me(hub, **first) == (403, "TOKEN_UNMAPPED")
    await hub.connection.execute("update identifiers set verified = true where source = 'two' and kind = 'EMAIL'")
    assert (await me(hub, **first))["customer"] == {"name": "Ernst Handel"}


async def test_a_system_has_roles_and_perhaps_a_unit(hub: TokenHub) -> None:
    system = await me(hub, aud="systems", sub="till-7", email=None, **VIEW)
    assert (system["staff"], system["unit"], system["viewer"]["binding"]) == (None, None, "UNRESTRICTED")
    assert (system["viewer"]["name"], system["viewer"]["roles"]) == ("till-7", ["reader"])
    unit = await hub.connection.fetchrow("select id, code from org_units order by path desc limit 1")
    assert unit is not None
    for spelling in (unit["code"], f"unt_{unit['id'].hex}"):
        assert (await me(hub, aud="tills", till=spelling))["unit"] == {"code": unit["code"]}


@pytest.mark.parametrize(
    "claims",
    [
        {"email": "nobody@northwind.example"},
        {"email": None},
        {"email": ["nancy@northwind.example"]},
        {"email": "no address"},
        {"email_verified": False},
        {"email_verified": None},
        {"realm_access": {"roles": ["admin", "crm-unknown"]}},
        {"realm_access": {"roles": [["crm-agent"], None]}},
        {"realm_access": None},
        {"aud": "shop", "sub": "NOBODY"},
        {"aud": "app"},
        {"aud": "app", "account": {"customer": "cus_1"}},
        {"aud": "app", "account": {"customer": "00000000-0000-0000-0000-000000000000"}},
        {"aud": "hub-by-number", "number": 2},
        {"aud": "hub-by-number", "number": "' or true --"},
        {"aud": "hub-by-id", "staff": "x"},
        {"aud": "tills", "till": "nowhere"},
        {"aud": "tills"},
    ],
    ids=str,
)
async def test_a_token_that_stands_for_nobody_is_refused(hub: TokenHub, claims: dict[str, Any]) -> None:
    assert await me(hub, **claims) == (403, "TOKEN_UNMAPPED")


async def test_whoever_shares_an_address_is_nobody_and_whoever_has_left_is_refused(hub: TokenHub) -> None:
    token = hub.issuer.token(email="steven@northwind.example")
    set_email = "update staff set email = 'Steven@northwind.example' where number = any($1)"
    await hub.connection.execute(set_email, ["5"])
    assert (await hub.query(token, ME))["me"]["staff"] == {"number": "5"}
    await hub.connection.execute(set_email, ["6"])
    assert await hub.refusal(token) == (403, "TOKEN_UNMAPPED")
    await hub.connection.execute("update staff set email = null where number = '6'")
    assert (await hub.query(token, ME))["me"]["staff"] == {"number": "5"}
    await hub.connection.execute("update staff set left_on = '2020-01-01' where number = '5'")
    assert await hub.refusal(token) == (403, "TOKEN_STAFF_LEFT")


async def test_changes_name_the_tokens_bearer_and_idempotency_keys_are_the_bearers(hub: TokenHub) -> None:
    first, second, other = (
        hub.issuer.token(aud="systems", sub=sub, jti=jti, **BOSS)
        for sub, jti in (("auth0|7' \n", "1"), ("auth0|7' \n", "2"), ("auth0|8", "3"))
    )
    created = await hub.query(first, CREATE, {"sku": "T-1"})
    assert await hub.query(second, CREATE, {"sku": "T-1"}) == created
    assert await hub.query(other, CREATE, {"sku": "T-2"}) != created
    await wait_until_sequenced(hub.connection)
    actors = await hub.connection.fetch(
        "select distinct actor from change_log where table_name = 'products' and actor ~ '^token:'"
    )
    prefix = "token:https://login.example/realms/hub|auth0|"
    assert {row["actor"] for row in actors} == {f"{prefix}7%27%20%0A", f"{prefix}8"}


async def test_a_token_owns_no_webhook(hub: TokenHub) -> None:
    create = """mutation { webhookCreate(input: {
        name: "x", url: "https://example.com", query: "subscription { changes { __typename } }"
    }) { webhook { id } } }"""
    token = hub.issuer.token(aud="systems", **BOSS)
    (error,) = (await hub.post(token, create)).json()["errors"]
    assert error["extensions"]["code"] == "KEY_REQUIRED"
    assert "with a key" in error["message"]


async def test_logs_hold_no_token(hub: TokenHub) -> None:
    events: list[observability.Event] = []
    remove_handler = observability.add_handler(events.append)
    token = hub.issuer.token(sub="person@private.example")
    try:
        await hub.query(token, COUNT)
        await hub.refusal(token[:-9])
        async with open_websocket(hub.port, init=False) as socket:
            await socket.init({"authorization": token})
    finally:
        remove_handler()
    requests = [event for event in events if isinstance(event, observability.RequestDone)]
    assert [request.key[:6] for request in requests] == ["token:", ""]
    assert [part in repr(events) for part in (token, token.split(".")[1], token.split(".")[2], "private")] == [
        False
    ] * 4


@pytest.mark.parametrize("payload", ["Authorization", "authToken", "headers", "bare"])
async def test_a_socket_takes_a_token_wherever_it_takes_a_key(hub: TokenHub, payload: str) -> None:
    token = hub.issuer.token()
    payloads: dict[str, dict[str, Any]] = {
        "Authorization": {"Authorization": f"Bearer {token}"},
        "authToken": {"authToken": token},
        "headers": {"headers": {"authorization": f"Bearer {token}"}},
        "bare": {"authorization": token},
    }
    async with open_websocket(hub.port, init=False) as socket:
        await socket.init(payloads[payload])
        await socket.subscribe("1", ME)
        answer = await socket.receive()
    assert answer["payload"]["data"]["me"]["staff"] == {"number": "1"}


async def test_a_refused_token_closes_the_socket_with_its_code(hub: TokenHub) -> None:
    for token, code in (
        (hub.issuer.token(exp=1), "TOKEN_EXPIRED"),
        (hub.issuer.token(email="nobody@x.example"), "TOKEN_UNMAPPED"),
    ):
        async with open_websocket(hub.port, init=False) as socket:
            await socket.send(type="connection_init", payload={"authorization": f"Bearer {token}"})
            close_code, reason = await socket.wait_closed()
        assert (close_code, reason.partition(":")[0]) == (4403, code)


async def open_live(socket: WebSocketClient, token: str) -> None:
    await socket.init({"authorization": f"Bearer {token}"})
    await socket.subscribe("1", LIVE)
    assert (await socket.receive())["type"] == "next"


async def test_a_socket_and_its_live_queries_end_when_the_token_expires(hub: TokenHub) -> None:
    expires = int(time.time()) + 2
    async with open_websocket(hub.port, init=False) as socket:
        await open_live(socket, hub.issuer.token(exp=expires))
        error = await socket.receive()
        assert (error["type"], error["payload"][0]["extensions"]["code"]) == ("error", "TOKEN_EXPIRED")
        close_code, reason = await socket.wait_closed()
    assert (close_code, reason.partition(":")[0]) == (4403, "TOKEN_EXPIRED")
    assert time.time() >= expires


async def test_a_stream_of_events_ends_when_the_token_expires(hub: TokenHub) -> None:
    headers = {"accept": "text/event-stream", "authorization": f"Bearer {hub.issuer.token(exp=int(time.time()) + 2)}"}
    async with hub.client.stream("POST", "/graphql", json={"query": LIVE}, headers=headers) as answer:
        text = (await answer.aread()).decode()
    assert '"totalCount"' not in text
    assert text.index("event: next") < text.index("TOKEN_EXPIRED") < text.index("event: complete")


async def test_a_socket_ends_when_its_bearer_leaves(hub: TokenHub) -> None:
    await hub.connection.execute("update staff set email = 'laura@northwind.example' where number = '8'")
    async with open_websocket(hub.port, init=False) as socket:
        await open_live(socket, hub.issuer.token(email="laura@northwind.example"))
        await hub.connection.execute("update staff set left_on = '2020-01-01' where number = '8'")
        close_code, reason = await socket.wait_closed()
    assert (close_code, reason.partition(":")[0]) == (4403, "TOKEN_STAFF_LEFT")


async def test_streams_are_closed_when_their_bearer_gets_other_rights(hub: TokenHub) -> None:
    await hub.connection.execute("update staff set email = 'anne@northwind.example' where number = '9'")
    async with open_websocket(hub.port, init=False) as socket:
        await open_live(socket, hub.issuer.token(email="anne@northwind.example"))
        await hub.connection.execute(
            "update staff set unit_id = (select id from org_units where parent_id is null) where number = '9'"
        )
        messages = [await socket.receive()]
        while messages[-1]["type"] == "next":
            messages.append(await socket.receive())
    assert messages[-1]["payload"][0]["extensions"]["reason"] == "PERMISSIONS_CHANGED"
