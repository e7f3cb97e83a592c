"""Trusted documents: loaded from the manifests of three builds, sent by id over every transport, enforced per key."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from hashlib import md5, sha1, sha256
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest
from change_workload import wait_until
from command_line import RunCommand
from conftest import CreateDatabase, create_api_key
from limited_keys import BudgetHub, limit_key, run_budget_hub
from webhook_client import CREATE_WEBHOOK
from websocket_client import open_websocket

from hub.domain.access import trusted_documents
from hub.domain.access.key_limits import LimitChanges
from hub.domain.access.manifests import Manifest, parse_manifest
from hub.errors import HubError
from hub.settings import Settings
from hub.viewer import ADMIN

QUERY = "query Names { customers(first: 1) { nodes { name } } }"
ALIEN = "query Others { customers(first: 1) { nodes { id } } }"
MUTATION = 'mutation Refuse { customerUpdate(input: {id: "cus_1", name: "x"}) { customer { id } } }'
STREAM = "subscription Stages { changes(filter: {types: [CUSTOMER]}) { ... on StreamReady { __typename } } }"
LIVE = "subscription Live { customersLive(first: 1) { customers { nodes { name } } } }"
DOCUMENTS = (QUERY, MUTATION, STREAM, LIVE)
NAMES = {"customers": {"nodes": [{"name": "Alfreds Futterkiste"}]}}


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def apollo(*texts: str) -> dict[str, Any]:
    operations = [
        {"id": digest(text), "name": text.split()[1], "type": text.split()[0], "body": text} for text in texts
    ]
    return {"format": "apollo-persisted-query-manifest", "version": 1, "operations": operations}


def hashed(*texts: str) -> dict[str, Any]:
    return {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest(texts[0])}}}


async def load(dsn: str, name: str, *texts: str) -> None:
    manifest = parse_manifest(json.dumps(apollo(*texts)).encode(), name)
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            await trusted_documents.load(connection, ADMIN, name, manifest, datetime.now(UTC))
    finally:
        await connection.close()


@pytest.fixture(scope="module")
async def hub(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[BudgetHub]:
    dsn = await create_database("northwind")
    await load(dsn, "web", *DOCUMENTS)
    async with run_budget_hub(dsn) as hub:
        yield hub


@pytest.fixture(scope="module")
async def strict_key(hub: BudgetHub) -> str:
    """A key that runs trusted documents only."""
    key = await create_api_key(hub.hub.dsn)
    await limit_key(hub.hub.dsn, key, LimitChanges(trusted_only=True))
    return key


async def send(hub: BudgetHub, key: str, body: Any, **headers: str) -> httpx2.Response:
    async with httpx2.AsyncClient(timeout=60) as client:
        address = f"http://127.0.0.1:{hub.hub.port}/graphql"
        return await client.post(address, json=body, headers={"authorization": f"Bearer {key}", **headers})


async def get(hub: BudgetHub, key: str, **parameters: str) -> httpx2.Response:
    async with httpx2.AsyncClient(timeout=60) as client:
        address = f"http://127.0.0.1:{hub.hub.port}/graphql"
        return await client.get(address, params=parameters, headers={"authorization": f"Bearer {key}"})


def code(response: httpx2.Response) -> str:
    (error,) = response.json()["errors"]
    return str(error["extensions"]["code"])


@pytest.mark.parametrize(
    "parameters", [{"query": QUERY}, *({n: digest(QUERY)} for n in ("documentId", "id", "doc_id"))]
)
async def test_a_trusted_document_runs_by_its_text_and_by_its_id(
    hub: BudgetHub, strict_key: str, parameters: dict[str, str]
) -> None:
    for body in (parameters, {"query": None} | parameters, {"query": ""} | parameters):
        assert (await send(hub, strict_key, body)).json()["data"] == NAMES
        assert (await send(hub, hub.hub.key, body)).json()["data"] == NAMES, "of any key"
    assert (await get(hub, strict_key, **parameters)).json()["data"] == NAMES


async def test_apollos_hash_runs_without_registration(hub: BudgetHub, strict_key: str) -> None:
    for key in (strict_key, hub.hub.key):
        for body in (hashed(QUERY), hashed(QUERY) | {"query": QUERY}):
            assert (await send(hub, key, body)).json()["data"] == NAMES
        assert (await get(hub, key, extensions=json.dumps(hashed(QUERY)["extensions"]))).json()["data"] == NAMES
        assert code(await send(hub, key, hashed(QUERY) | {"query": ALIEN})) == "PERSISTED_QUERY_INVALID"


@pytest.mark.parametrize(
    "body",
    [
        {"query": ALIEN},
        {"query": QUERY + " "},
        {"query": f"{QUERY} {ALIEN}", "operationName": "Others"},
        {"query": "{ __schema { queryType { name } } }"},
        {"query": "{ __typename }"},
        {"query": ALIEN, "documentId": digest(QUERY)},
        {"documentId": digest(ALIEN)},
        {"id": 1},
        {"query": ALIEN, **hashed(ALIEN)},
        hashed(ALIEN),
    ],
)
async def test_any_other_document_is_refused_where_it_is_enforced(
    hub: BudgetHub, strict_key: str, body: dict[str, Any]
) -> None:
    for accept in ("application/json", "application/graphql-response+json", "text/event-stream"):
        refused = await send(hub, strict_key, body, accept=accept)
        assert (refused.status_code, code(refused)) == (403, "DOCUMENT_UNTRUSTED")
    parameters = {name: value if isinstance(value, str) else json.dumps(value) for name, value in body.items()}
    assert code(await get(hub, strict_key, **parameters)) == "DOCUMENT_UNTRUSTED"


async def test_an_untrusted_document_is_not_registered_by_its_hash(hub: BudgetHub, strict_key: str) -> None:
    registered = {"query": ALIEN, **hashed(ALIEN)}
    assert code(await send(hub, strict_key, registered)) == "DOCUMENT_UNTRUSTED"
    assert "data" in (await send(hub, hub.hub.key, registered)).json()
    assert "data" in (await send(hub, hub.hub.key, hashed(ALIEN))).json()
    assert code(await send(hub, strict_key, hashed(ALIEN))) == "DOCUMENT_UNTRUSTED"


async def test_sockets_and_event_streams_enforce_it_too(hub: BudgetHub, strict_key: str) -> None:
    async with open_websocket(hub.hub.port, init=False) as socket:
        await socket.init({"authorization": f"Bearer {strict_key}"})
        for payload in ({"query": ALIEN}, {"query": "subscription { changes { __typename } }"}, {"id": "unknown"}):
            await socket.send(type="subscribe", id="a", payload=payload)
            message = await socket.receive()
            assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", "DOCUMENT_UNTRUSTED")
        await socket.send(type="subscribe", id="a", payload={"id": digest(QUERY)})
        assert (await socket.receive())["payload"]["data"] == NAMES
        assert (await socket.receive())["type"] == "complete"
        await socket.send(type="subscribe", id="b", payload={"documentId": digest(STREAM)})
        assert (await socket.receive())["payload"]["data"] == {"changes": {"__typename": "StreamReady"}}
    events = await send(hub, strict_key, {"documentId": digest(QUERY)}, accept="text/event-stream")
    assert "Alfreds" in events.text


async def test_an_unknown_id_is_named_where_nothing_is_enforced(hub: BudgetHub) -> None:
    refused = await send(hub, hub.hub.key, {"documentId": "nowhere"})
    assert (refused.status_code, code(refused)) == (400, "DOCUMENT_UNKNOWN")
    assert refused.json()["errors"][0]["extensions"]["argument"] == "documentId"
    assert code(await get(hub, hub.hub.key, id="nowhere")) == "DOCUMENT_UNKNOWN"
    twice = f"documentId={digest(QUERY)}&documentId=b"
    async with httpx2.AsyncClient() as client:
        address = f"http://127.0.0.1:{hub.hub.port}/graphql?{twice}"
        answer = await client.get(address, headers={"authorization": f"Bearer {hub.hub.key}"})
    assert code(answer) == "BODY_MALFORMED"


async def test_a_get_by_id_still_reads_only(hub: BudgetHub, strict_key: str) -> None:
    assert code(await get(hub, strict_key, documentId=digest(MUTATION))) == "METHOD_NOT_ALLOWED"


async def test_the_document_of_a_webhook_must_be_trusted_too(hub: BudgetHub) -> None:
    await load(hub.hub.dsn, "backend", CREATE_WEBHOOK)
    key = await create_api_key(hub.hub.dsn)
    await limit_key(hub.hub.dsn, key, LimitChanges(trusted_only=True))

    async def error(query: str) -> str:
        variables = {"url": "https://127.0.0.1/hook", "query": query}
        (fault,) = (await send(hub, key, {"query": CREATE_WEBHOOK, "variables": variables})).json()["errors"]
        return str(fault["extensions"]["code"])

    async def is_loaded() -> bool:
        return await error(STREAM) == "WEBHOOK_INVALID"  # the address is private; the document is fine

    await wait_until(is_loaded)  # without a restart
    assert await error("subscription { changes { ... on Change { operation } } }") == "DOCUMENT_UNTRUSTED"


# -- manifests ----------------------------------------------------------------------------------------------------------


def parsed(value: Any) -> Manifest:
    return parse_manifest(json.dumps(value).encode(), "manifest.json")


def test_the_formats_of_apollo_relay_and_graphql_codegen_are_recognized() -> None:
    relay = {md5(text.encode(), usedforsecurity=False).hexdigest(): text for text in DOCUMENTS}
    codegen = {sha1(text.encode(), usedforsecurity=False).hexdigest(): text for text in DOCUMENTS}
    manifests = [parsed(apollo(*DOCUMENTS)), parsed(relay), parsed(codegen), parsed({"names": QUERY})]
    assert [manifest.format for manifest in manifests] == ["Apollo", "Relay", "graphql-codegen", "ids and texts"]
    assert [len(manifest.documents) for manifest in manifests] == [4, 4, 4, 1]
    assert {document.text for manifest in manifests for document in manifest.documents} == set(DOCUMENTS)
    assert manifests[0].documents[0].id == digest(QUERY)


@pytest.mark.parametrize(
    "value",
    [
        [],
        {},
        "text",
        {"format": "apollo-persisted-query-manifest", "version": 2, "operations": []},
        {"format": "apollo-persisted-query-manifest", "version": 1, "operations": [1]},
        {"format": "apollo-persisted-query-manifest", "version": 1, "operations": [{"id": "a"}]},
        {"operations": [{"id": "a", "body": QUERY}]},
        {"a": 1},
        {"a": ""},
        {"": QUERY},
        {"a" * 201: QUERY},
        {"a": "\0"},
    ],
)
def test_another_file_is_refused(value: Any) -> None:
    with pytest.raises(HubError, match="manifest") as error:
        parsed(value)
    assert error.value.code == "MANIFEST_INVALID"


# -- the command line ---------------------------------------------------------------------------------------------------


async def test_the_command_line_loads_lists_and_removes_manifests(
    database_dsn: str, run_command: RunCommand, tmp_path: Path
) -> None:
    file = tmp_path / "app.json"

    async def run(*arguments: str) -> tuple[int, str]:
        exit_code, output, errors = await run_command("documents", *arguments, HUB_DATABASE_URL=database_dsn)
        return exit_code, output or errors.splitlines()[-1]  # warnings come before the error

    file.write_text(json.dumps(apollo(QUERY, STREAM)))
    assert await run("load", str(file)) == (0, "app.json: 2 documents (Apollo), 2 of them new\n")
    file.write_text(json.dumps({digest(QUERY): QUERY, "live": LIVE}))
    assert await run("load", str(file), "--name", "ios") == (0, "ios: 2 documents (ids and texts), 1 of them new\n")
    rows = json.loads((await run("list", "--json"))[1])
    assert [(row["manifest"], row["documents"]) for row in rows] == [("app.json", 2), ("ios", 2)]
    file.write_text(json.dumps({"live": QUERY}))
    conflict = "hub: manifest: the id 'live' stands for another document of 'ios'; use hashes as ids."
    assert await run("load", str(file)) == (1, conflict)
    file.write_text(json.dumps({"live": LIVE, "broken": "{ nothing }"}))
    exit_code, text = await run("load", str(file))
    assert (exit_code, "1 of 2 documents cannot run here, so none is loaded. broken: " in text) == (1, True)
    shared = "app.json: 2 documents removed; 1 of them stay, because another manifest has them\n"
    assert await run("remove", "app.json") == (0, shared)
    assert await _ids_of(database_dsn) == {digest(QUERY), "live"}
    assert await run("remove", "ios") == (0, "ios: 2 documents removed\n")
    assert (await run("remove", "ios"))[0] == 1
    assert (await run("load", str(tmp_path / "absent.json")))[0] == 1


async def _ids_of(dsn: str) -> set[str]:
    """The ids that a process knows."""
    connection = await asyncpg.connect(dsn)
    try:
        documents = trusted_documents.TrustedDocuments()
        await documents.refresh(connection)
        return {id for id in (digest(QUERY), digest(STREAM), "live") if documents.text(id) is not None}
    finally:
        await connection.close()


async def test_the_command_line_limits_a_key(database_dsn: str, run_command: RunCommand) -> None:
    key = (await create_api_key(database_dsn)).split("_")[1]

    async def run(*arguments: str) -> tuple[int, str]:
        exit_code, output, errors = await run_command("key", "limit", *arguments, HUB_DATABASE_URL=database_dsn)
        return exit_code, output or errors.splitlines()[-1]  # warnings come before the error

    limited = f"{key}: budget 5,000 points, 50 per second; any document\n"
    assert await run(key, "--capacity", "5000", "--refill", "50") == (0, limited)
    both = f"{key}: budget 5,000 points, 50 per second; trusted documents only\n"
    assert await run(key, "--trusted") == (0, both)
    assert await run(key) == (0, both)
    assert await run(key, "--capacity", "0", "--untrusted") == (0, f"{key}: budget none of its own; any document\n")
    assert (await run("0000000000000000"))[0] == 1
    for refill in ("0", "-1", "nan", "inf"):
        assert (await run(key, "--capacity", "1", "--refill", refill))[0] == 2


async def test_manifests_of_the_settings_are_loaded_at_start(
    create_database: CreateDatabase, demo_dsn: str, tmp_path: Path
) -> None:
    file = tmp_path / "web.json"
    file.write_text(json.dumps(apollo(QUERY)))
    assert Settings(trusted_documents=(file,)).trusted_documents == (file,)
    async with run_budget_hub(await create_database("northwind"), trusted_documents=(file,)) as hub:
        assert (await send(hub, hub.hub.key, {"documentId": digest(QUERY)})).json()["data"] == NAMES
