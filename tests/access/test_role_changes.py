"""Changes of roles reach what is open: requests, sockets, event streams and webhooks; broken filters grant nothing."""

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx2
import pytest
from change_workload import WAIT_TIMEOUT, wait_until
from command_line import RunCommand
from conftest import CreateDatabase, create_api_key
from socket_hub import SocketHub, SocketSubscription, run_socket_hub
from webhook_client import CREATE_WEBHOOK, WEBHOOK_STATE, ReceiverProcess, names, run_receiver

from hub import schema
from hub.domain.access import roles

UPSERT = "mutation ($input: RoleUpsertInput!) { roleUpsert(input: $input) { created } }"
CUSTOMERS = "{ customers(first: 100) { totalCount nodes { name country } } }"
CHANGES = (
    "subscription { changes(filter: {types: [CUSTOMER]}) { ... on Change { node { ... on Customer { name } } } } }"
)
STREAM = """subscription { changes(filter: {types: [CUSTOMER]}) {
    __typename ... on StreamReady { cursor } ... on StreamGap { reason } ... on Change { node { ... on Customer { name } } }
} }"""
NAME = "mutation ($id: ID!, $name: String!) { customerUpdate(input: {id: $id, name: $name}) { customer { id } } }"
NUMBERS = iter(range(1000))


@pytest.fixture(scope="module")
async def hub(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[SocketHub]:
    """A hub that looks keys up often, and may send to this machine."""
    often = {"key_cache_ttl": 0.1, "key_recheck_interval": 0.1, "webhook_allow": ("127.0.0.1",)}
    async with run_socket_hub(await create_database("northwind"), **often) as hub:
        yield hub


@pytest.fixture(scope="module")
async def receiver() -> AsyncIterator[ReceiverProcess]:
    async with run_receiver() as started:
        yield started


async def new_role(hub: SocketHub, *entities: str) -> tuple[str, str]:
    """A role that reads and writes some types, and a key that has it."""
    name = f"role-{next(NUMBERS)}"
    await change_role(hub, name, *({"entity": entity, "verbs": ["READ", "CREATE", "UPDATE"]} for entity in entities))
    return name, await create_api_key(hub.dsn, name)


async def change_role(hub: SocketHub, name: str, *rules: dict[str, Any]) -> None:
    """Gives a role other rules."""
    await hub.query(UPSERT, {"input": {"name": name, "rules": list(rules)}})


def only(country: str) -> dict[str, Any]:
    """A rule that reads customers of one country."""
    return {"entity": "Customer", "verbs": ["READ"], "rowFilter": {"country": {"eq": country}}}


async def wait_until_ready(stream: SocketSubscription) -> None:
    """Waits until what follows is new."""
    while (await stream.next_root())["__typename"] != "StreamReady":
        pass


async def next_name(stream: SocketSubscription) -> str:
    """The name in the next change."""
    while (root := await stream.next_root())["__typename"] != "Change":
        pass
    return str(root["node"]["name"])


async def rename(hub: SocketHub, name: str, new_name: str) -> None:
    """Gives a customer another name, as admin."""
    await hub.query(NAME, {"id": await hub.customer_id(name), "name": new_name})


async def test_a_changed_role_holds_for_the_next_requests(hub: SocketHub) -> None:
    name, key = await new_role(hub, "Customer")
    everybody = (await hub.query(CUSTOMERS, key=key))["customers"]["totalCount"]
    await change_role(hub, name, only("DE"))

    async def sees_germans() -> bool:
        customers = (await hub.query(CUSTOMERS, key=key))["customers"]
        return {row["country"] for row in customers["nodes"]} == {"DE"} and customers["totalCount"] < everybody

    await wait_until(sees_germans)


async def test_a_changed_role_ends_open_streams(hub: SocketHub) -> None:
    name, key = await new_role(hub, "Customer")
    async with hub.subscribe(STREAM, key=key) as stream:
        await wait_until_ready(stream)
        await rename(hub, "Alfreds Futterkiste", "Alfreds")
        assert await next_name(stream) == "Alfreds"
        await change_role(hub, name, only("FR"))
        await rename(hub, "Alfreds", "Alfreds Futterkiste")
        messages = [await stream.next_message()]
        while messages[-1]["type"] == "next":
            messages.append(await stream.next_message())
        assert "PERMISSIONS_CHANGED" in json.dumps(messages)
    async with hub.subscribe(STREAM, key=key) as stream:  # the German customer is hidden now
        await wait_until_ready(stream)
        await rename(hub, "Alfreds Futterkiste", "Alfreds")
        await rename(hub, "Blondesddsl père et fils", "Blondes")
        assert await next_name(stream) == "Blondes"


@pytest.mark.parametrize(
    "message", ["... on StreamReady { cursor }", "... on Change { node { ... on Customer { name } } }"]
)
async def test_a_stream_that_selects_no_gap_ends_with_an_error(hub: SocketHub, message: str) -> None:
    document = f"subscription {{ changes(filter: {{types: [CUSTOMER]}}) {{ {message} }} }}"
    name, key = await new_role(hub, "Customer")
    expected = {"code": "STREAM_ENDED", "reason": "PERMISSIONS_CHANGED"}
    async with hub.subscribe(document, key=key) as stream, httpx2.AsyncClient(timeout=WAIT_TIMEOUT) as client:
        headers = {"authorization": f"Bearer {key}", "accept": "text/event-stream"}
        url = f"http://127.0.0.1:{hub.port}/graphql"
        async with client.stream("POST", url, json={"query": document}, headers=headers) as response:
            events = response.aiter_text()
            text = await anext(events)
            await change_role(hub, name, only("FR"))
            last = await stream.next_message()
            while last["type"] == "next":
                last = await stream.next_message()
            assert (last["type"], last["payload"][0]["extensions"]) == ("error", expected)
            async for chunk in events:
                text += chunk
    error, end = text.strip().split("\n\n")[-2:]
    assert json.loads(error.partition("data: ")[2])["errors"][0]["extensions"] == expected
    assert end.startswith("event: complete")


async def test_a_key_whose_role_is_taken_away_reads_nothing(hub: SocketHub) -> None:
    name, key = await new_role(hub, "Customer")
    assert (await hub.query(CUSTOMERS, key=key))["customers"]["totalCount"] > 0
    key_id = await hub.connection.fetchval("select id from api_keys where public_id = $1", key.split("_")[1])
    unassign = "mutation ($input: RoleUnassignInput!) { roleUnassign(input: $input) { role { name } } }"
    await hub.query(unassign, {"input": {"role": name, "keyId": f"key_{key_id.hex}"}})

    async def reads_nothing() -> bool:
        async with httpx2.AsyncClient(timeout=WAIT_TIMEOUT) as client:
            headers = {"authorization": f"Bearer {key}"}
            url = f"http://127.0.0.1:{hub.port}/graphql"
            answer = (await client.post(url, json={"query": CUSTOMERS}, headers=headers)).json()
        return [error["extensions"]["code"] for error in answer.get("errors", ())][:1] == ["FIELD_UNKNOWN"]

    await wait_until(reads_nothing)


async def test_a_role_of_a_person_is_one_of_all_the_persons_keys(hub: SocketHub) -> None:
    staff = await hub.connection.fetchval("select owner_id from customers where owner_id is not null limit 1")
    mint = "mutation ($id: ID!) { staffKeyMint(input: {staffId: $id, unrestricted: true}) { key } }"
    assign = "mutation ($input: RoleAssignInput!) { roleAssign(input: $input) { role { name } } }"
    person = f"stf_{staff.hex}"
    await hub.query(assign, {"input": {"role": "agent", "staffId": person}})
    key = (await hub.query(mint, {"id": person}))["staffKeyMint"]["key"]
    own = await hub.connection.fetchval("select count(*) from customers where owner_id = $1", staff)
    assert (await hub.query(CUSTOMERS, key=key))["customers"]["totalCount"] == own
    await hub.query(assign, {"input": {"role": "reader", "staffId": person, "replace": True}})

    async def sees_everybody() -> bool:
        return bool((await hub.query(CUSTOMERS, key=key))["customers"]["totalCount"] > own)

    await wait_until(sees_everybody)


async def test_a_webhook_follows_the_role_of_its_key(hub: SocketHub, receiver: ReceiverProcess) -> None:
    name, key = await new_role(hub, "Customer", "Webhook")
    created = await hub.query(CREATE_WEBHOOK, {"url": receiver.url(), "query": CHANGES}, key=key)
    webhook = created["webhookCreate"]["webhook"]["id"]
    await rename(hub, "Ernst Handel", "Ernst")
    assert names(await receiver.wait_for_requests(1)) == ["Ernst"]
    await change_role(hub, name, {**only("FR"), "verbs": ["READ"]}, {"entity": "Webhook", "verbs": ["READ", "UPDATE"]})

    async def is_narrowed() -> bool:
        async with httpx2.AsyncClient(timeout=WAIT_TIMEOUT) as client:
            headers, url = {"authorization": f"Bearer {key}"}, f"http://127.0.0.1:{hub.port}/graphql"
            answer = (await client.post(url, json={"query": CUSTOMERS}, headers=headers)).json()
        return all(row["country"] == "FR" for row in answer["data"]["customers"]["nodes"])

    await wait_until(is_narrowed)
    await change_role(hub, name, only("FR"))  # without webhooks

    async def is_paused() -> bool:
        return bool((await hub.query(WEBHOOK_STATE, {"id": webhook}))["webhook"]["status"] == "PAUSED")

    await wait_until(is_paused)
    await rename(hub, "Ernst", "Ernst Handel")
    reason = (await hub.query(WEBHOOK_STATE, {"id": webhook}))["webhook"]["statusReason"]
    assert f"A key with role {name} may not webhooks:write" in reason
    assert len(await receiver.captured()) == 1


async def test_a_retry_sends_nothing_that_the_role_has_lost(hub: SocketHub, receiver: ReceiverProcess) -> None:
    """What waits for a receiver that was down is rendered again with the rights of now."""
    name, key = await new_role(hub, "Customer", "Webhook")
    await receiver.set_actions(retried=[503, 200])
    created = await hub.query(CREATE_WEBHOOK, {"url": receiver.url("/retried"), "query": CHANGES}, key=key)
    webhook = UUID(created["webhookCreate"]["webhook"]["id"].partition("_")[2])
    await rename(hub, "Frankenversand", "Frankens")
    assert names(await receiver.wait_for_requests(1, "/retried")) == ["Frankens"]
    masked = {"entity": "Customer", "verbs": ["READ"], "masks": [{"field": "name", "mask": "INITIAL"}]}
    await change_role(hub, name, masked, {"entity": "Webhook", "verbs": ["READ", "UPDATE"]})

    async def is_rendered_again() -> bool:
        body = await hub.connection.fetchval("select body from webhook_queue where webhook_id = $1", webhook)
        return body is not None and b"F***" in body

    await wait_until(is_rendered_again)
    await hub.connection.execute("update webhook_queue set due_at = now() where webhook_id = $1", webhook)
    assert names(await receiver.wait_for_requests(2, "/retried")) == ["Frankens", "F***"]
    await rename(hub, "Frankens", "Frankenversand")


async def test_a_filter_that_cannot_be_planned_any_more_grants_nothing(hub: SocketHub, run_command: RunCommand) -> None:
    name, key = await new_role(hub, "Customer", "Product")
    await change_role(hub, name, only("DE"), {"entity": "Product", "verbs": ["READ"]})
    broken = json.dumps({"land": {"eq": "DE"}})
    await hub.connection.execute(
        "update role_rules set row_filter = $1 where role_id = (select id from roles where name = $2) and entity = 'Customer'",
        broken,
        name,
    )
    await hub.connection.execute("update roles set digest = md5(digest) where name = $1", name)

    async def is_denied() -> bool:
        async with httpx2.AsyncClient(timeout=WAIT_TIMEOUT) as client:
            headers, url = {"authorization": f"Bearer {key}"}, f"http://127.0.0.1:{hub.port}/graphql"
            answer = (await client.post(url, json={"query": CUSTOMERS}, headers=headers)).json()
        return [error["extensions"]["code"] for error in answer.get("errors", ())][:1] == ["FIELD_UNKNOWN"]

    await wait_until(is_denied)
    assert (await hub.query("{ products { totalCount } }", key=key))["products"]["totalCount"] > 0
    (fault,) = await roles.broken_rules(hub.connection)
    assert fault.startswith(f"role {name}, Customer: filter: Expected value of type 'CustomerFilter'")
    code, output, _ = await run_command("doctor", HUB_DATABASE_URL=hub.dsn)
    assert (code, f"role {name}, Customer" in output, "these rules grant nothing" in output) == (1, True, True)


async def test_an_unbounded_list_is_refused_until_it_is_accepted(hub: SocketHub) -> None:
    statement = """insert into products (sku, name, category, unit_price, currency)
        select 'S' || i, 'P' || i, 'C' || i % 500, i % 1000, 'EUR' from generate_series(1, 20000) as i"""
    await hub.connection.execute(f"set hub.capture = off; {statement}; analyze products")
    rare = {"entity": "Product", "verbs": ["READ"], "rowFilter": {"category": {"eq": "C7"}}}
    role = {"name": "unbounded", "rules": [rare]}
    async with httpx2.AsyncClient(timeout=WAIT_TIMEOUT) as client:
        body = {"query": UPSERT, "variables": {"input": role}}
        headers, url = {"authorization": f"Bearer {hub.key}"}, f"http://127.0.0.1:{hub.port}/graphql"
        (error,) = (await client.post(url, json=body, headers=headers)).json()["errors"]
    (plan,) = error["extensions"]["plans"]
    assert (error["extensions"]["code"], plan["list"], plan["bounded"]) == ("ROLE_UNBOUNDED", "products", False)
    assert plan["entries"] > 10_000
    accepted = await hub.query(UPSERT, {"input": {**role, "unbounded": True}})
    assert accepted == {"roleUpsert": {"created": True}}


async def test_roles_are_applied_and_assigned_from_the_command_line(
    hub: SocketHub, run_command: RunCommand, tmp_path: Any
) -> None:
    file = tmp_path / "role.json"
    file.write_text(json.dumps({"name": "from-file", "rules": [only("DE")]}))
    code, output, _ = await run_command("role", "apply", str(file), HUB_DATABASE_URL=hub.dsn)
    assert (code, output.split("\t")[:2]) == (0, ["Customer", "customers"])
    code, output, _ = await run_command("role", "show", "from-file")
    assert json.loads(output)["rules"] == [only("DE")]
    copy = tmp_path / "copy.json"
    code, output, _ = await run_command("role", "show", "agent", "--as", "sales")
    copy.write_text(output)
    code, output, errors = await run_command("role", "apply", str(copy))
    assert (code, "Customer\tcustomers" in output, errors) == (0, True, "")
    code, output, _ = await run_command("role", "show", "admin", "--as", "no-admin")
    assert (json.loads(output)["administers"], len(json.loads(output)["rules"])) == (False, len(schema.entities()))
    key = await create_api_key(hub.dsn, "analyst")
    code, _, errors = await run_command("role", "assign", "from-file", "--key", key.split("_")[1], "--replace")
    assert (code, "Traceback" in errors) == (0, False)
    customers = (await hub.query(CUSTOMERS, key=key))["customers"]["nodes"]
    assert {row["country"] for row in customers} == {"DE"}
    code, output, _ = await run_command("role", "list")
    assert any(line.split("\t")[0] == "from-file" and line.split("\t")[4] == "1" for line in output.splitlines())
    code, _, errors = await run_command("role", "assign", "nobody", "--key", key.split("_")[1])
    assert (code, errors.splitlines()[-1]) == (1, "hub: role: there is no role 'nobody'; `roles` lists them.")
