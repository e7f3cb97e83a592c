"""Subscribers are told all that was acknowledged, whoever writes how, and the oracle that says so finds who loses something."""

import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from change_reader import placed
from conftest import NewDatabase
from delivery_workload import played
from reconnecting_subscriber import subscribed
from socket_hub import Streaming, streaming

from hub.db import change_positions
from hub.db.change_positions import Moved
from hub.db.pool import Connection
from hub.subscriptions.change_streams import ChangeGroup, Subscriber
from hub.web.websocket.operation import Operation

Plant = Callable[[pytest.MonkeyPatch, int], None]

SUBSCRIBERS = 4
PLACE = """
with placed as (
    insert into change_order select coalesce((select max(position) from change_order), 0) + row_number() over (order by {0}), id
    from change_log where {1} returning id
)
select count(*) as changes, max(id) as last, pg_current_snapshot()::text as snapshot, 0 as drawn, null as xid, 0.0 as age
from placed
"""
BY_SEQUENCE = PLACE.format("id", "id > (select coalesce(max(id), 0) from change_order)")
BY_TRANSACTION = PLACE.format(
    "transaction_id, id",
    "transaction_id < pg_snapshot_xmin(pg_current_snapshot()) and id not in (select id from change_order)",
)


@pytest.fixture
def seed() -> int:
    """Printed by pytest when the test fails."""
    drawn = random.randrange(10**6)
    print("seed", drawn)
    return drawn


@pytest.fixture(scope="module")
async def shared(new_database: NewDatabase, empty_dsn: str) -> AsyncIterator[Streaming]:
    async with streaming(await new_database("migrated")) as made:
        yield made


@pytest.fixture
async def hub(shared: Streaming) -> Streaming:
    """A hub that has nothing more to tell."""
    await placed(shared.rows)
    return shared


async def faults(hub: Streaming, seed: int, *, transactions: int = 10, **given: Any) -> set[str]:
    """What the oracle finds."""
    async with subscribed(SUBSCRIBERS, [hub.port], hub.key) as subscribers:
        return (
            await played(hub.dsn, [hub.port], hub.key, subscribers, seed=seed, transactions=transactions, **given)
        ).faults()


async def test_everybody_is_told_everything_in_one_order(hub: Streaming, seed: int) -> None:
    assert await faults(hub, seed) == set()


async def test_so_is_who_falls_behind_now_and_then(hub: Streaming, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    _stumbling(monkeypatch, seed)
    assert await faults(hub, seed) == set()


# -- the oracle finds what it is there for ----------------------------------------------------------------------------------


def _stumbling(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Every client seems not to keep up now and then."""
    draw = random.Random(seed)
    monkeypatch.setattr(Operation, "full", property(lambda _: draw.random() < 0.1))


def _skipping(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Whoever does not keep up is told what is new, and never what came before that."""
    read_on = Subscriber.read_on

    def skip(self: Subscriber) -> None:
        group = self._group
        if self._ready:
            group.keeping_up.add(self)
        else:
            read_on(self)

    _stumbling(monkeypatch, seed)
    monkeypatch.setattr(Subscriber, "read_on", skip)


def _hiding(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """One message in fifty is sent to nobody, as if it had been."""
    draw, deliver = random.Random(seed), ChangeGroup.deliver

    def some(self: ChangeGroup, those: set[Subscriber], position: int, message: bytes) -> None:
        if draw.random() > 0.02:
            deliver(self, those, position, message)
            return
        for each in those:
            each.previous = self.desk.feed.cursor(position)

    monkeypatch.setattr(ChangeGroup, "deliver", some)


@pytest.mark.parametrize(
    ("statement", "expected"), [(BY_SEQUENCE, {"lost"}), (BY_TRANSACTION, {"row out of order", "overtaken"})]
)
async def test_the_oracle_finds_a_wrong_order(
    database: str, seed: int, statement: str, expected: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def move(connection: Connection, *_: Any, **__: Any) -> Moved:
        found = await connection.fetchrow(statement)
        assert found is not None
        return Moved(*found.values())

    monkeypatch.setattr(change_positions, "move", move)
    async with streaming(database) as hub:
        assert expected <= await faults(hub, seed, transactions=120)


@pytest.mark.parametrize(("plant", "other"), [(_skipping, "another order"), (_hiding, "chain broken")])
async def test_the_oracle_finds_a_hub_that_keeps_messages_back(
    hub: Streaming, seed: int, plant: Plant, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch, seed)
    assert await faults(hub, seed, patience=1.0) == {"lost", other}


async def test_the_oracle_finds_an_acknowledgement_before_the_commit(hub: Streaming, seed: int) -> None:
    assert "lost" in await faults(hub, seed, early=True)
