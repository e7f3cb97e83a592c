"""Tests' side of webhooks: the receiver's process, a hub that may send to it, and what a webhook is made with."""

import asyncio
import base64
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
from change_workload import until
from conftest import Ask, key_for, posted

from hub.app import running
from hub.settings import Settings
from hub.webhooks import signing

SCRIPT = Path(__file__).with_name("webhook_receiver.py")
CHANGES = """subscription { changes(filter: {types: [CUSTOMER]}) { ... on Change {
    cursor previousCursor operation entityId version node { ... on Customer { name version } }
} } }"""
CREATE = """mutation ($url: String!, $query: String!, $variables: JSON, $after: String, $wait: Int) {
    webhookCreate(input: {
        name: "hook", url: $url, query: $query, variables: $variables, after: $after, coalesceSeconds: $wait
    }) { secret webhook { id status } }
}"""
UNIT = "insert into org_units (code, name, kind, path) values ('all', 'All', 'GROUP', 'all')"
LOCAL = Settings(webhook_allow=("127.0.0.1",))
SILENT = Settings(webhooks=False)


@dataclass(frozen=True)
class Posted:
    """A request that the receiver captured."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float
    action: Any

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str, clock: Callable[[], datetime] | None = None) -> bool:
        """Whether a secret, as it was told, has signed it; the sender may have a clock of its own."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        return signing.verified(key, self.headers, self.body, clock().timestamp() if clock else self.at)


class Receiver:
    """A process that captures what is posted."""

    def __init__(self, process: Process, port: int, client: httpx2.AsyncClient) -> None:
        self.process = process
        self.port = port
        self._client = client

    def url(self, path: str = "/hook") -> str:
        """An address of it."""
        return f"http://127.0.0.1:{self.port}{path}"

    async def script(self, **actions: Sequence[Any]) -> None:
        """Begins anew, and says what to do with what is posted to each path, which is named without its slash."""
        told = {f"/{path}": list(each) for path, each in actions.items()}
        (await self._client.put(self.url("/"), json=told)).raise_for_status()

    async def captured(self, path: str | None = None) -> list[Posted]:
        """What was posted, in order."""
        found = (await self._client.get(self.url("/"))).json()
        told = [Posted(**each | {"body": base64.b64decode(each["body"])}) for each in found]
        return [each for each in told if path in (None, each.path)]

    async def until(self, count: int, path: str | None = None, seconds: float = 10.0) -> list[Posted]:
        """What was posted, once it is that much."""
        found: list[Posted] = []

        async def there_are() -> bool:
            found[:] = await self.captured(path)
            return len(found) >= count

        await until(there_are, seconds)
        return found


@asynccontextmanager
async def receiving(port: int = 0) -> AsyncIterator[Receiver]:
    """A receiver, killed at the end."""
    process = await asyncio.create_subprocess_exec(sys.executable, str(SCRIPT), str(port), stdout=PIPE)
    assert process.stdout is not None
    async with httpx2.AsyncClient() as client:
        try:
            yield Receiver(process, int(await process.stdout.readline()), client)
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()


class Clock:
    """Time as the sender knows it: the real one, and what it was moved on by."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def reach(self, moment: datetime) -> None:
        """Moves on to a moment, if it is still to come."""
        self.ahead += max(moment - self(), timedelta())


class Refused(AssertionError):
    """What was asked came back with errors."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(errors)
        self.errors = errors


@asynccontextmanager
async def hub_on(dsn: str, settings: Settings = LOCAL) -> AsyncIterator[Ask]:
    """Asks a hub that may send to this machine; gives the data, or fails with the errors."""
    admin = await key_for(dsn)
    async with (
        running(settings, dsn) as app,
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://hub") as client,
    ):

        async def ask(query: str, variables: dict[str, Any] | None = None, *, key: str = admin) -> Any:
            answer = await posted(client, query, variables, key)
            if "errors" in answer:
                raise Refused(answer["errors"])
            return answer["data"]

        yield ask


QUIET = """
set hub.capture = off; delete from webhook_queue; update webhooks set status = 'PAUSED', status_reason = 'The test is over.'
"""


async def hooked(ask: Ask, url: str, query: str = CHANGES, **more: Any) -> tuple[str, str]:
    """A new webhook's id and secret."""
    made = (await ask(CREATE, {"url": url, "query": query, **more}))["webhookCreate"]
    return made["webhook"]["id"], made["secret"]


async def customer(ask: Ask, name: str = "Ada") -> str:
    """A new customer's id."""
    create = "mutation ($name: String!) { customerCreate(input: {kind: PERSON, name: $name}) { customer { id } } }"
    made: str = (await ask(create, {"name": name}))["customerCreate"]["customer"]["id"]
    return made


async def renamed(ask: Ask, id: str, name: str) -> None:
    """Gives a customer another name."""
    await ask(
        "mutation ($id: ID!, $name: String!) { customerUpdate(input: {id: $id, name: $name}) { customer { id } } }",
        {"id": id, "name": name},
    )
