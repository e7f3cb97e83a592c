"""Entries and exits on the feed: webhooks get each once, also through a rebuild and a merge; `hub projections` rebuilds."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from command_line import RunCommand
from conftest import CreateDatabase
from merges import merge
from segment_hub import SegmentHub, open_segment_hub
from webhook_client import CREATE_WEBHOOK, ReceiverProcess, change, run_receiver, wait_until_webhooks_idle

ENTRIES = """subscription { changes(filter: {types: [SEGMENT_MEMBERSHIP], operations: [CREATE]}) { ... on Change {
    operation node { ... on SegmentMembership { code customer { id } } }
} } }"""


@pytest.fixture(scope="module")
async def hub(create_database: CreateDatabase, empty_dsn: str) -> AsyncIterator[SegmentHub]:
    async with open_segment_hub(await create_database("migrated")) as segment_hub:
        yield segment_hub


@pytest.fixture(scope="module")
async def receiver() -> AsyncIterator[ReceiverProcess]:
    async with run_receiver() as started:
        yield started


async def entries(hub: SegmentHub, receiver: ReceiverProcess) -> Counter[Any]:
    """How often the receiver got each customer's entry."""
    await hub.settle()
    await wait_until_webhooks_idle(hub.connection)
    nodes = [change(request)["node"] for request in await receiver.captured()]
    return Counter(node["customer"]["id"] for node in nodes if node is not None)


async def test_a_webhook_gets_an_entry_once_through_a_rebuild_and_a_merge(
    hub: SegmentHub, receiver: ReceiverProcess, run_command: RunCommand
) -> None:
    await hub.client.query(CREATE_WEBHOOK, {"url": receiver.url(), "query": ENTRIES})
    members = [await hub.create(country="CH") for _ in range(3)]
    await hub.activate("once", {"country": {"eq": "CH"}})
    assert await entries(hub, receiver) == dict.fromkeys(members, 1)
    code, said, errors = await run_command("projections", "rebuild", "customers", HUB_DATABASE_URL=hub.client.dsn)
    assert (code, said) == (0, "customers is built anew by the hub that runs, or the next that starts\n"), errors
    await merge(hub.client, members[0], members[1])
    assert await entries(hub, receiver) == dict.fromkeys(members, 1)
    assert await hub.members("once") == {members[0], members[2]}
    await hub.update(members[0], country="DE")
    assert await hub.members("once") == {members[2]}
    await hub.update(members[0], country="CH")
    assert await entries(hub, receiver) == dict.fromkeys(members, 1) | {members[0]: 2}


async def test_projections_are_listed_and_named(hub: SegmentHub, run_command: RunCommand) -> None:
    await hub.settle()
    code, listed, errors = await run_command("projections", "--json", HUB_DATABASE_URL=hub.client.dsn)
    assert (code, errors) == (0, "")
    (line,) = [line for line in orjson.loads(listed) if line["name"] == "customers"]
    assert (line["error"], line["attempts"]) == (None, 0)
    code, _, errors = await run_command("projections", "rebuild", "no_such", HUB_DATABASE_URL=hub.client.dsn)
    assert (code, "give one of customers, match_keys" in " ".join(errors.split())) == (1, True)
