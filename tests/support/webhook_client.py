"""Tests' side of webhooks: the receiver's process, a hub that may send to it, and what a webhook is made with."""

import asyncio
import base64
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from asgi_client import post_query
from change_workload import WAIT_TIMEOUT, open_connections, wait_until
from conftest import RunQuery, create_api_key

from hub.app import lifespan
from hub.db.pool import Connection
from hub.domain.webhooks.webhooks import WEBHOOK_TABLE_NAMES
from hub.settings import Settings
from hub.webhooks import signing

RECEIVER_SCRIPT = Path(__file__).with_name("webhook_receiver.py")
CHANGES = """subscription { changes(filter: {types: [CUSTOMER]}) { ... on Change {
    cursor previousCursor operation entityId version node { ... on Customer { name version } }
} } }"""
RESEND = "mutation ($id: ID!) { webhookDeliveryResend(input: {id: $id}) { webhookDelivery { id status } } }"
RESUME = "mutation ($id: ID!) { webhookResume(input: {id: $id}) { webhook { id } } }"
WEBHOOK_STATE = "query ($id: ID!) { webhook(id: $id) { status statusReason } }"
CREATE_WEBHOOK = """mutation ($url: String!, $query: String!, $variables: JSON, $after: String, $wait: Int) {
    webhookCreate(input: {
        name: "hook", url: $url, query: $query, variables: $variables, after: $after, coalesceSeconds: $wait
    }) { secret webhook { id status } }
}"""
INSERT_UNIT = "insert into org_units (code, name, kind, path) values ('all', 'All', 'GROUP', 'all')"
ALLOW_LOCALHOST = Settings(webhook_allow=("127.0.0.1",))
WEBHOOKS_OFF = Settings(webhooks=False, webhook_allow=("127.0.0.1",))


@dataclass(frozen=True)
class ReceivedRequest:
    """A request that the receiver captured."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    received_at: float
    action: Any

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def has_valid_signature(self, secret: str, clock: Callable[[], datetime] | None = None) -> bool:
        """Whether a secret, as it was told, has signed it; the sender may have a clock of its own."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        return signing.verify(key, self.headers, self.body, clock().timestamp() if clock else self.received_at)


def change(request: ReceivedRequest) -> Any:
    """The change that a delivery carries."""
    return json.loads(request.body)["data"]["changes"]


def names(requests: Sequence[ReceivedRequest]) -> list[str]:
    """The customers' names that deliveries carry."""
    return [change(request)["node"]["name"] for request in requests]


def in_feed_order(requests: Sequence[ReceivedRequest]) -> list[ReceivedRequest]:
    """Deliveries sorted by id, which follows the change feed. The hub itself orders only those of one customer."""
    return sorted(requests, key=lambda request: request.id)


class ReceiverProcess:
    """A process that captures what is posted."""

    def __init__(self, process: Process, port: int, http_client: httpx2.AsyncClient) -> None:
        self.process = process
        self.port = port
        self._client = http_client

    def url(self, path: str = "/hook") -> str:
        """An address of it."""
        return f"http://127.0.0.1:{self.port}{path}"

    async def set_actions(self, **actions: Sequence[Any]) -> None:
        """Begins anew, and says what to do with what is posted to each path, which is named without its slash."""
        body = {f"/{path}": list(path_actions) for path, path_actions in actions.items()}
        (await self._client.put(self.url("/"), json=body)).raise_for_status()

    async def captured(self, path: str | None = None) -> list[ReceivedRequest]:
        """What was posted, in order."""
        items = (await self._client.get(self.url("/"))).json()
        requests = [ReceivedRequest(**request | {"body": base64.b64decode(request["body"])}) for request in items]
        return [request for request in requests if path in (None, request.path)]

    async def wait_for_requests(
        self, count: int, path: str | None = None, seconds: float = WAIT_TIMEOUT
    ) -> list[ReceivedRequest]:
        """What was posted, once it is that much."""
        requests: list[ReceivedRequest] = []

        async def are_enough() -> bool:
            requests[:] = await self.captured(path)
            return len(requests) >= count

        await wait_until(are_enough, seconds)
        return requests


@asynccontextmanager
async def run_receiver(port: int = 0) -> AsyncIterator[ReceiverProcess]:
    """A receiver, killed at the end."""
    process = await asyncio.create_subprocess_exec(sys.executable, str(RECEIVER_SCRIPT), str(port), stdout=PIPE)
    assert process.stdout is not None
    async with httpx2.AsyncClient(verify=False) as client:
        try:
            yield ReceiverProcess(process, int(await process.stdout.readline()), client)
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()


class MovableClock:
    """Time as the sender knows it: the real one, and what it was moved on by."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def move_to(self, moment: datetime) -> None:
        """Moves on to a moment, if it is still to come."""
        self.offset += max(moment - self(), timedelta())


class QueryFailed(AssertionError):
    """What was asked came back with errors."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(errors)
        self.errors = errors


async def refused(run_query: RunQuery, call: str, **variables: Any) -> str:
    """The code and the message of the one error."""
    with pytest.raises(QueryFailed) as error:
        await run_query(call, variables)
    (graphql_error,) = error.value.errors
    return f"{graphql_error['extensions']['code']} {graphql_error['message']}"


@asynccontextmanager
async def open_webhook_hub(dsn: str, settings: Settings = ALLOW_LOCALHOST) -> AsyncIterator[RunQuery]:
    """Asks a hub that may send to this machine; gives the data, or fails with the errors."""
    admin_key = await create_api_key(dsn)
    async with lifespan(settings, dsn) as app:

        async def query_data(query: str, variables: dict[str, Any] | None = None, *, key: str = admin_key) -> Any:
            response = await post_query(app, query, variables, key)
            if "errors" in response:
                raise QueryFailed(response["errors"])
            return response["data"]

        yield query_data


ACTIVE_QUEUE = "webhook_queue as q join webhooks as w on w.id = q.webhook_id and w.status = 'ACTIVE'"
# A webhook sends a customer's changes in order: only the first is due, whatever the due times of those behind it.
IS_FIRST = """q.position = (
    select min(f.position) from webhook_queue as f
    where f.webhook_id = q.webhook_id and f.ordering_key = q.ordering_key and f.due_at is not null
)"""
# In one snapshot: a delivery in flight or due, a change without a position, or a webhook that has not read up to the last
# change. Changes of the webhook tables count for none of them.
IS_BUSY = f"""
select exists (select from {ACTIVE_QUEUE} where q.lease is not null or q.due_at <= $1 and {IS_FIRST}) or exists (
    select from change_log as l
    where l.table_name <> all($2) and not exists (select from change_order as o where o.id = l.id)
) or exists (
    select from webhook_progress as p join webhooks as w on w.id = p.webhook_id and w.status = 'ACTIVE'
    where p.position < (
        select max(o.position) from change_order as o join change_log as l on l.id = o.id where l.table_name <> all($2)
    )
)
"""
NEXT_DUE = f"select min(q.due_at) from {ACTIVE_QUEUE} where q.lease is null and {IS_FIRST}"
STOP_WEBHOOKS_SQL = """
set hub.capture = off; delete from webhook_queue; update webhooks set status = 'PAUSED', status_reason = 'The test is over.'
"""


def utc_now() -> datetime:
    """The real time."""
    return datetime.now(UTC)


async def wait_until_webhooks_idle(
    connection: Connection, clock: Callable[[], datetime] = utc_now, seconds: float = WAIT_TIMEOUT
) -> datetime | None:
    """Waits until every committed change is read and sent and nothing is due; gives the next due time.

    An empty queue proves nothing: the changes that fill it may not be read yet."""

    async def is_idle() -> bool:
        return not await connection.fetchval(IS_BUSY, clock(), list(WEBHOOK_TABLE_NAMES))

    await wait_until(is_idle, seconds)
    due: datetime | None = await connection.fetchval(NEXT_DUE)
    return due


async def stop_webhooks(dsn: str, clock: Callable[[], datetime] = utc_now) -> None:
    """Pauses a test's webhooks once they are idle, so that the next test receives nothing of them."""
    async with open_connections(dsn, 1) as (connection,):
        await wait_until_webhooks_idle(connection, clock)
        await connection.execute(STOP_WEBHOOKS_SQL)


async def create_webhook(run_query: RunQuery, url: str, query: str = CHANGES, **more: Any) -> tuple[str, str]:
    """A new webhook's id and secret."""
    payload = (await run_query(CREATE_WEBHOOK, {"url": url, "query": query, **more}))["webhookCreate"]
    return payload["webhook"]["id"], payload["secret"]


async def create_customer(run_query: RunQuery, name: str = "Ada") -> str:
    """A new customer's id."""
    create = "mutation ($name: String!) { customerCreate(input: {kind: PERSON, name: $name}) { customer { id } } }"
    customer_id: str = (await run_query(create, {"name": name}))["customerCreate"]["customer"]["id"]
    return customer_id


async def rename_customer(run_query: RunQuery, id: str, name: str) -> None:
    """Gives a customer another name."""
    await run_query(
        "mutation ($id: ID!, $name: String!) { customerUpdate(input: {id: $id, name: $name}) { customer { id } } }",
        {"id": id, "name": name},
    )
