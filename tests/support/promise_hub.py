"""A hub that is killed before chosen steps of a story, and all that a subscriber and a webhook received of it.

A step is a mutation. Where it advances the time, the hub is dead while the time passes."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
import orjson
from change_workload import wait_until
from conftest import create_api_key
from hub_process import HubProcesses, run_hubs
from reconnecting_subscriber import ReconnectingSubscriber, run_subscribers
from webhook_client import ReceivedRequest, ReceiverProcess, run_receiver, wait_until_webhooks_idle
from work_people import ADVANCE, WorkPeople, instant, work_people
from writer_client import HubClient

RECORDS = """changes(after: $after, filter: {types: [NOTIFICATION, MOVE, MILESTONE]}) { __typename
    ... on Change { cursor previousCursor operation entityId version node { __typename
        ... on Notification { type text staff { name } notifiedAt }
        ... on Move { fromValue toValue subject { __typename } movedAt }
        ... on Milestone { code state }
    } }"""
SUBSCRIPTION = f"""subscription ($after: Cursor) {{ {RECORDS}
    ... on StreamReady {{ cursor }} ... on StreamProgress {{ cursor }} ... on StreamGap {{ from to reason }} }} }}"""
HOOK = SUBSCRIPTION.replace("($after: Cursor)", "").replace("after: $after, ", "")
CREATE_HOOK = """mutation ($url: String!, $query: String!) {
    webhookCreate(input: {name: "story", url: $url, query: $query}) { webhook { id } } }"""
# A webhook sends the changes of a customer in order, and those of a row that is no customer's.
ORDERING_KEYS = "select row_id, coalesce(customer_id, row_id) as ordering_key from change_log"
RECEIVED = 120  # seconds until everything has been received

IsKilled = Callable[[int], bool]


@dataclass(frozen=True)
class Record:
    """A change as somebody received it: its row, and a line without what differs from run to run."""

    row: UUID
    line: str

    @classmethod
    def from_change(cls, change: Any) -> "Record":
        """The record of a message."""
        node = dict(change["node"])
        line = f"{change['operation']} {node.pop('__typename')} {orjson.dumps(node).decode()}"
        return cls(UUID(change["entityId"].partition("_")[2]), line)


@dataclass(eq=False)
class RecordingSubscriber(ReconnectingSubscriber):
    """A stream of a story's records across reconnects."""

    records: list[Record] = field(default_factory=list)

    def _subscribe_payload(self) -> Any:
        return {"query": SUBSCRIPTION, "variables": {"after": self.cursor}}

    def _on_message(self, message: Any) -> None:
        if message["__typename"] != "Change":
            super()._on_message(message)
            return
        if message["previousCursor"] != self.cursor and self.cursor is not None:
            self.cursor_breaks.append(message)
        self.records.append(Record.from_change(message))
        self.cursor = message["cursor"]


@dataclass
class StepClient(HubClient):
    """A client of a hub that is a process of its own. Before chosen mutations it is killed and started again."""

    hubs: HubProcesses
    http: httpx2.AsyncClient
    is_killed: IsKilled
    steps: int | None = None  # mutations so far; None while the hub is spared
    kills: int = 0

    async def execute(self, query: str, variables: dict[str, Any] | None = None, *, key: str | None = None) -> Any:
        """Returns the whole response."""
        if query.startswith("mutation") and self.steps is not None:
            if self.is_killed(self.steps):
                await self._kill((variables or {}).get("to") if query == ADVANCE else None)
            self.steps += 1
        (port,) = self.hubs.ports
        body, headers = {"query": query, "variables": variables}, {"authorization": f"Bearer {key or self.key}"}
        return (await self.http.post(f"http://127.0.0.1:{port}/graphql", json=body, headers=headers)).json()

    async def _kill(self, moment: str | None) -> None:
        """Kills the hub; the time passes up to a moment before it starts again."""
        (port,) = self.hubs.ports
        await self.hubs.kill(port)
        if moment is not None:
            connection = await asyncpg.connect(self.dsn)
            try:
                await connection.execute("update test_clock set now = $1", datetime.fromisoformat(moment))
            finally:
                await connection.close()
        await self.hubs.start(port)
        self.kills += 1


@dataclass
class Story:
    """What happens, and the lines that are expected of it, in the order of the feed."""

    people: WorkPeople
    expected: list[str] = field(default_factory=list)
    moment: str = ""  # now, as the API writes it

    @property
    def client(self) -> HubClient:
        """The client whose mutations are the steps."""
        return self.people.client

    async def advance(self, local: str) -> None:
        """Moves the time on to a moment of 2026 in China."""
        await self.people.advance(local)
        self.moment = instant(local)

    def notified(self, type: str, text: str, *names: str, moment: str | None = None) -> None:
        """Expects a notification to each of these people: now, or at a moment as the API writes it."""
        notified_at = moment or self.moment
        for name in names:
            node = {"type": type, "text": text, "staff": {"name": name}, "notifiedAt": notified_at}
            self._expect("Notification", node)

    def moved(self, subject: str, *states: str, times: int = 1, moment: str | None = None) -> None:
        """Expects moves of a row through these states, so many times."""
        for old, new in [*pairwise(states)] * times:
            about = {"__typename": subject}
            node = {"fromValue": old, "toValue": new, "subject": about, "movedAt": moment or self.moment}
            self._expect("Move", node)

    def reached(self, code: str, state: str, operation: str = "UPDATE") -> None:
        """Expects a milestone to be in a state."""
        self._expect("Milestone", {"code": code, "state": state}, operation)

    def _expect(self, type_name: str, node: dict[str, Any], operation: str = "CREATE") -> None:
        self.expected.append(f"{operation} {type_name} {orjson.dumps(node).decode()}")


@dataclass
class ReceivedStory:
    """What was received of a story."""

    lines: list[str]  # of the subscriber
    streams: tuple[
        dict[UUID, list[str]], dict[UUID, list[str]]
    ]  # of the subscriber and of the webhook, by ordering key
    cursor_breaks: list[Any]


@asynccontextmanager
async def open_story(dsn: str, start: datetime, is_killed: IsKilled) -> AsyncIterator[Story]:
    """A hub with a test clock, a subscriber and a webhook; at the end, each has received what the story expects."""
    key = await create_api_key(dsn)
    settings = {"clock": "test", "clock_start": start.isoformat(), "clock_allow": 1, "webhook_allow": "127.0.0.1"}
    no_reuse = httpx2.Limits(max_keepalive_connections=0)
    async with (
        run_receiver() as receiver,
        run_hubs(dsn, 1, **settings) as hubs,
        httpx2.AsyncClient(timeout=60, limits=no_reuse) as http,
    ):
        client = StepClient(dsn, None, key, hubs, http, is_killed)  # type: ignore[arg-type]  # no hub in this process
        subscriber = RecordingSubscriber(hubs.ports, key)
        async with work_people(client) as people, run_subscribers([subscriber]):
            await client.query(CREATE_HOOK, {"url": receiver.url(), "query": HOOK})
            story = Story(people, moment=start.isoformat())
            yield story
            received = await _receive(story, subscriber, receiver)
    assert received.lines == story.expected
    assert received.cursor_breaks == []
    subscribed, delivered = received.streams
    assert delivered == subscribed


async def _receive(story: Story, subscriber: RecordingSubscriber, receiver: ReceiverProcess) -> ReceivedStory:
    """What both have received once it is as much as the story expects."""
    connection, count = story.people.connection, len(story.expected)

    async def has_everything() -> bool:
        return len(subscriber.records) >= count

    await wait_until(has_everything, RECEIVED)
    await wait_until_webhooks_idle(connection, seconds=RECEIVED)
    keys = {row["row_id"]: row["ordering_key"] for row in await connection.fetch(ORDERING_KEYS)}
    streams = tuple(_by_key(records, keys) for records in (subscriber.records, _delivered(await receiver.captured())))
    lines = [record.line for record in subscriber.records]
    return ReceivedStory(lines, (streams[0], streams[1]), subscriber.cursor_breaks)


def _delivered(requests: Sequence[ReceivedRequest]) -> list[Record]:
    """What a webhook was sent, in the order of arrival; one that is sent again after a kill counts once, by its id."""
    first: dict[str, ReceivedRequest] = {}
    for request in requests:
        if request.action == 200:
            first.setdefault(request.id, request)
    return [Record.from_change(json.loads(request.body)["data"]["changes"]) for request in first.values()]


def _by_key(records: Sequence[Record], keys: dict[UUID, UUID]) -> dict[UUID, list[str]]:
    """The lines of each ordering key, in their order."""
    streams: dict[UUID, list[str]] = {}
    for record in records:
        streams.setdefault(keys[record.row], []).append(record.line)
    return streams
