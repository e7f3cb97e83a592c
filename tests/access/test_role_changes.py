"""Changes of roles reach what is open: requests, sockets, event streams and webhooks; broken filters grant nothing."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from change_workload import WAIT_TIMEOUT, wait_until
from command_line import RunCommand
from conftest import CreateDatabase, create_api_key
from socket_hub import SocketHub, SocketSubscription, run_socket_hub
from webhook_client import ReceiverProcess, run_receiver

UPSERT = "mutation ($input: RoleUpsertInput!) { roleUpsert(input: $input) { created } }"
CUSTOMERS = "{ customers(first: 100) { totalCount nodes { name country } } }"
CHANGES = (
    "subscription { changes(filter: {types: [CUSTOMER]}) { ... on Change { node { ... on Customer { name } } } } }"
)
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
    async with hub.subscribe(CHANGES, key=key) as stream:
        await wait_until_ready(stream)
        await rename(hub, "Alfreds Futterkiste", "Alfreds")
        assert await next_name(stream) == "Alfreds"
        await change_role(hub, name, only("FR"))
        await rename(hub, "Alfreds", "Alfreds Futterkiste")
        messages = [await stream.next_message()]
        while messages[-1]["type"] == "next":
            messages.append(await stream.next_message())
        assert "PERMISSIONS_CHANGED" in json.dumps(messages)
    async with hub.subscribe(CHANGES, key=key) as stream:  # the German customer is hidden now
        await wait_until_ready(stream)
        await rename(hub, "Alfreds Futterkiste", "Alfreds")
        await rename(hub, "Blondesddsl père et fils", "Blondes")
        assert await next_name(stream) == "Blondes"


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
            answer = (await client.post(url, json=body, headers=headers)).json()
        (error,) = answer["errors"]

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
    key = await create_api_key(hub.dsn, "analyst")
    code, _, errors = await run_command("role", "assign", "from-file", "--key", key.split("_")[1], "--replace")
    assert (code, "Traceback" in errors) == (0, False)
    customers = (await hub.query(CUSTOMERS, key=key))["customers"]["nodes"]
    assert {row["country"] for row in customers} == {"DE"}
    code, output, _ = await run_command("role", "list")
    assert any(line.split("\t")[0] == "from-file" and line.split("\t")[4] == "1" for line in output.splitlines())
    code, _, errors = await run_command("role", "assign", "nobody", "--key", key.split("_")[1])
    assert (code, errors.splitlines()[-1]) == (1, "hub: role: there is no role 'nobody'; `roles` lists them.")
