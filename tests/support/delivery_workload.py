"""Writers of all kinds and subscribers, and an oracle that compares the writers' responses with each subscriber's messages.

No duplicates are allowed: the cursor advances with each message, so a reconnected subscriber gets nothing twice."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count, cycle
from time import monotonic
from typing import Any
from uuid import UUID

import httpx2
from change_workload import (
    CONNECTION_ERRORS,
    INSERT_PRODUCT,
    ROW_COUNT,
    WRITER_COUNT,
    ChangeLedger,
    ChangeWorkload,
    ReadChange,
    ReconnectingConnection,
    WrittenChange,
    open_connections,
    read_by_position,
    wait_until,
)
from reconnecting_subscriber import ReceivedChange, ReconnectingSubscriber

INSERT_UNIT = (
    """insert into org_units (code, name, kind, path) values ($1, 'All', 'COMPANY', $1::text::ltree) returning id"""
)
CREATE_CUSTOMER = """mutation ($id: ID!, $token: String!, $key: String) {
    written: customerCreate(input: {kind: PERSON, name: $token, unitId: $id}, idempotencyKey: $key) { row: customer { id } } }"""
RENAME_PRODUCT = """mutation ($id: ID!, $token: String!, $key: String) {
    written: productUpdate(input: {id: $id, name: $token}, idempotencyKey: $key) { row: product { id } } }"""
TRANSIENT_CODES = {"UNAVAILABLE", "CONTENDED", "STATEMENT_TIMEOUT", "REQUEST_TIMEOUT"}
GIVE_UP_AFTER = 60.0  # seconds to wait for a hub to come back


class RetryingClient:
    """Sends a request with one idempotency key to one hub after the other until it is answered."""

    def __init__(self, ports: Sequence[int], key: str) -> None:
        self._http = httpx2.AsyncClient(timeout=20, headers={"authorization": f"Bearer {key}"})
        self._ports = cycle(ports)
        self._port = next(self._ports)
        self._last_failure = ""

    async def execute(self, query: str, variables: dict[str, Any]) -> Any:
        """The data."""
        end = monotonic() + GIVE_UP_AFTER
        while monotonic() < end:
            data = await self._attempt({"query": query, "variables": variables})
            if data is not None:
                return data
            self._port = next(self._ports)
            await asyncio.sleep(0.02)
        raise TimeoutError(f"no hub has done it; the last answer: {self._last_failure}")

    async def _attempt(self, body: Any) -> Any:
        """The data, if it was answered."""
        try:
            return self._data(await self._post(body))
        except httpx2.TransportError as error:
            self._last_failure = repr(error)
            return None

    async def _post(self, body: Any) -> httpx2.Response:
        return await self._http.post(f"http://127.0.0.1:{self._port}/graphql", json=body)

    def _data(self, response: httpx2.Response) -> Any:
        body = response.json()
        assert body.get("data") or body["errors"][0]["extensions"]["code"] in TRANSIENT_CODES, body
        self._last_failure = str(body.get("errors"))
        return body.get("data")

    async def close(self) -> None:
        await self._http.aclose()


class SafeRetryClient(RetryingClient):
    """Sends a request without an idempotency key; retries only if the hub did not accept it or is stopping."""

    async def _attempt(self, body: Any) -> Any:
        body["variables"]["key"] = None
        try:
            response = await self._post(body)
        except httpx2.ConnectError:
            return None
        return None if response.status_code == 503 else self._data(response)


@dataclass
class DeliveryWorkload:
    """Writers and subscribers of one database."""

    workload: ChangeWorkload
    subscribers: list[ReconnectingSubscriber]
    client: RetryingClient
    unit: UUID
    started_at: float = field(default_factory=monotonic)

    @property
    def ledger(self) -> ChangeLedger:
        """The responses to the writers."""
        return self.workload.ledger

    async def mutate(self, number: int) -> None:
        """Writes through the hubs, each time with an idempotency key."""
        workload, draw = self.workload, random.Random(f"{self.workload.seed} mutations {number}")
        for turn in count():
            if turn >= workload.transactions and (workload.meanwhile is None or workload.meanwhile.done()):
                return
            token, acknowledged_before = f"{workload.seed}-m{number}-{turn}", len(workload.ledger.acknowledged)
            row = draw.choice(workload.rows)
            query, subject = (
                (CREATE_CUSTOMER, f"unt_{self.unit.hex}") if turn % 2 else (RENAME_PRODUCT, f"prd_{row.hex}")
            )
            response = await self.client.execute(query, {"id": subject, "token": token, "key": token})
            written_row = UUID(response["written"]["row"]["id"].partition("_")[2])
            workload.ledger.acknowledged.append(WrittenChange(written_row, token, acknowledged_before))
            await asyncio.sleep(workload.pause)

    async def wait_until_delivered(self, seconds: float) -> None:
        """Waits until every subscriber has got a last row; all others must have come before it."""
        connection, marker = ReconnectingConnection(self.workload.dsn), f"end {self.workload.seed}"

        async def marker_written() -> bool:
            try:
                await (await connection.get()).fetchval(
                    f"{INSERT_PRODUCT[: INSERT_PRODUCT.index(' returning')]} on conflict do nothing", marker
                )
            except CONNECTION_ERRORS:
                connection.discard()
                return False
            return True

        async def marker_received() -> bool:
            return all(
                marker in (change.token for change in reversed(subscriber.changes[-100:]))
                for subscriber in self.subscribers
            )

        await wait_until(marker_written, 30)
        await connection.close()
        try:
            await wait_until(marker_received, seconds)
        except TimeoutError:
            return  # the oracle reports missing messages

    def broken_promises(self) -> set[str]:
        """Returns the promises that were broken for any subscriber."""
        broken: set[str] = set()
        received = [_before_marker(subscriber.changes, f"end {self.workload.seed}") for subscriber in self.subscribers]
        for subscriber, changes in zip(self.subscribers, received, strict=True):
            reads = [ReadChange(n, change.row, change.version, change.token) for n, change in enumerate(changes, 1)]
            broken |= replace(self.ledger, read=reads).broken_promises()
            broken |= {"chain broken"} if subscriber.cursor_breaks else set()
        return broken | ({"another order"} if any(changes != received[0] for changes in received) else set())

    @property
    def longest_gap(self) -> float:
        """Returns the longest interruption of a stream in seconds."""
        return max((seconds for subscriber in self.subscribers for seconds in subscriber.gaps), default=0.0)


def _before_marker(changes: list[ReceivedChange], marker: str) -> list[ReceivedChange]:
    """The messages before the last row."""
    tokens = [change.token for change in changes]
    return changes[: tokens.index(marker)] if marker in tokens else changes


async def run_delivery_workload(
    dsn: str,
    ports: Sequence[int],
    key: str,
    subscribers: list[ReconnectingSubscriber],
    *,
    seed: int,
    transactions: int = 20,
    writers: int = WRITER_COUNT,
    clients: int = WRITER_COUNT,
    pause: float = 0.0,
    acknowledge_early: bool = False,
    drain_timeout: float = 20.0,
    meanwhile: asyncio.Future[None] | None = None,
    client_type: type[RetryingClient] = RetryingClient,
) -> DeliveryWorkload:
    """Writes with SQL and with mutations until `meanwhile` is done, then waits until every change is delivered."""
    workload = ChangeWorkload(dsn, seed, read_by_position, transactions, acknowledge_early, meanwhile, pause=pause)
    client = client_type(ports, key)
    async with open_connections(dsn, 1) as (first,):
        unit = await first.fetchval(INSERT_UNIT, f"u{seed}")
        workload.rows += [await first.fetchval(INSERT_PRODUCT, f"row {seed}-{n}") for n in range(ROW_COUNT)]
    workload.ledger.acknowledged += [WrittenChange(row, f"row {seed}-{n}", n) for n, row in enumerate(workload.rows)]
    delivery = DeliveryWorkload(workload, subscribers, client, unit)
    try:
        async with asyncio.TaskGroup() as group:
            for n in range(writers):
                group.create_task(workload.write(n))
            for n in range(clients):
                group.create_task(delivery.mutate(n))
    finally:
        await client.close()
    await delivery.wait_until_delivered(drain_timeout)
    return delivery
