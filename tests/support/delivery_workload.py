"""Writers of every kind beside subscribers, and an oracle that compares what the writers were answered with what each was told.

The bound on duplicates is none: a cursor moves on with each message, so who comes back is told nothing twice."""

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
    ADD,
    BROKEN,
    ROWS,
    WRITERS,
    Ledger,
    Line,
    Match,
    Read,
    Written,
    by_position,
    connected,
    until,
)
from reconnecting_subscriber import Subscriber, Told

UNIT = """insert into org_units (code, name, kind, path) values ($1, 'All', 'COMPANY', $1::text::ltree) returning id"""
MAKE = """mutation ($id: ID!, $token: String!, $key: String) {
    made: customerCreate(input: {kind: PERSON, name: $token, unitId: $id}, idempotencyKey: $key) { row: customer { id } } }"""
EDIT = """mutation ($id: ID!, $token: String!, $key: String) {
    made: productUpdate(input: {id: $id, name: $token}, idempotencyKey: $key) { row: product { id } } }"""
PASSING = {"UNAVAILABLE", "CONTENDED", "STATEMENT_TIMEOUT", "REQUEST_TIMEOUT"}
LONGEST = 60.0  # seconds until a hub that does not come back is given up


class Client:
    """Asks one hub after the other, the same thing with the same key, until it is answered."""

    def __init__(self, ports: Sequence[int], key: str) -> None:
        self._http = httpx2.AsyncClient(timeout=20, headers={"authorization": f"Bearer {key}"})
        self._ports = cycle(ports)
        self._port = next(self._ports)

    async def done(self, query: str, variables: dict[str, Any]) -> Any:
        """The data."""
        end = monotonic() + LONGEST
        while monotonic() < end:
            data = await self._asked({"query": query, "variables": variables})
            if data is not None:
                return data
            self._port = next(self._ports)
            await asyncio.sleep(0.02)
        raise TimeoutError("no hub has done it")

    async def _asked(self, sent: Any) -> Any:
        """The data, if it was answered."""
        try:
            return self._answer(await self._posted(sent))
        except httpx2.TransportError:
            return None

    async def _posted(self, sent: Any) -> httpx2.Response:
        return await self._http.post(f"http://127.0.0.1:{self._port}/graphql", json=sent)

    def _answer(self, response: httpx2.Response) -> Any:
        answer = response.json()
        assert answer.get("data") or answer["errors"][0]["extensions"]["code"] in PASSING, answer
        return answer.get("data")

    async def close(self) -> None:
        await self._http.aclose()


class Careful(Client):
    """Asks without a key, and again only where nothing can have been done: the hub was not there, or said that it stops."""

    async def _asked(self, sent: Any) -> Any:
        sent["variables"]["key"] = None
        try:
            response = await self._posted(sent)
        except httpx2.ConnectError:
            return None
        return None if response.status_code == 503 else self._answer(response)


@dataclass
class Play:
    """Who writes and who is told, in one database."""

    match: Match
    subscribers: list[Subscriber]
    client: Client
    unit: UUID
    began: float = field(default_factory=monotonic)

    @property
    def ledger(self) -> Ledger:
        """What writers were answered."""
        return self.match.ledger

    async def mutate(self, who: int) -> None:
        """Writes through the hubs' front door, each time with an idempotency key."""
        match, draw = self.match, random.Random(f"{self.match.seed} mutations {who}")
        for turn in count():
            if turn >= match.transactions and (match.meanwhile is None or match.meanwhile.done()):
                return
            token, known = f"{match.seed}-m{who}-{turn}", len(match.ledger.acknowledged)
            row = draw.choice(match.rows)
            query, subject = (MAKE, f"unt_{self.unit.hex}") if turn % 2 else (EDIT, f"prd_{row.hex}")
            answer = await self.client.done(query, {"id": subject, "token": token, "key": token})
            written = UUID(answer["made"]["row"]["id"].partition("_")[2])
            match.ledger.acknowledged.append(Written(written, token, known))
            await asyncio.sleep(match.pause)

    async def end(self, patience: float) -> None:
        """Waits until everybody was told of a last row, before which all others must have come."""
        line, last = Line(self.match.dsn), f"end {self.match.seed}"

        async def written() -> bool:
            try:
                await (await line.connection()).fetchval(
                    f"{ADD[: ADD.index(' returning')]} on conflict do nothing", last
                )
            except BROKEN:
                line.broken()
                return False
            return True

        async def told() -> bool:
            return all(last in (each.token for each in reversed(sub.told[-100:])) for sub in self.subscribers)

        await until(written, 30)
        await line.close()
        try:
            await until(told, patience)
        except TimeoutError:
            return  # the oracle says what is missing

    def faults(self) -> set[str]:
        """The promises that were broken to any of the subscribers."""
        found: set[str] = set()
        heard = [_until(each.told, f"end {self.match.seed}") for each in self.subscribers]
        for each, told in zip(self.subscribers, heard, strict=True):
            reads = [Read(n, change.row, change.version, change.token) for n, change in enumerate(told, 1)]
            found |= replace(self.ledger, read=reads).faults()
            found |= {"chain broken"} if each.jumps else set()
        return found | ({"another order"} if any(told != heard[0] for told in heard) else set())

    @property
    def away(self) -> float:
        """The longest time in seconds that a subscriber's stream did not go on."""
        return max((seconds for each in self.subscribers for seconds in each.away), default=0.0)


def _until(told: list[Told], last: str) -> list[Told]:
    """What was told before the last row."""
    tokens = [each.token for each in told]
    return told[: tokens.index(last)] if last in tokens else told


async def played(
    dsn: str,
    ports: Sequence[int],
    key: str,
    subscribers: list[Subscriber],
    *,
    seed: int,
    transactions: int = 20,
    writers: int = WRITERS,
    clients: int = WRITERS,
    pause: float = 0.0,
    early: bool = False,
    patience: float = 20.0,
    meanwhile: asyncio.Future[None] | None = None,
    kind: type[Client] = Client,
) -> Play:
    """Writes through statements and through mutations, more until `meanwhile` is done; then waits until all is told."""
    match = Match(dsn, seed, by_position, transactions, early, meanwhile, pause=pause)
    client = kind(ports, key)
    async with connected(dsn, 1) as (first,):
        unit = await first.fetchval(UNIT, f"u{seed}")
        match.rows += [await first.fetchval(ADD, f"row {seed}-{n}") for n in range(ROWS)]
    match.ledger.acknowledged += [Written(row, f"row {seed}-{n}", n) for n, row in enumerate(match.rows)]
    play = Play(match, subscribers, client, unit)
    try:
        async with asyncio.TaskGroup() as group:
            for n in range(writers):
                group.create_task(match.write(n))
            for n in range(clients):
                group.create_task(play.mutate(n))
    finally:
        await client.close()
    await play.end(patience)
    return play
