"""Subscribers are told all that was acknowledged, whoever writes how, and the oracle that says so finds who loses something."""

import random
from collections.abc import AsyncIterator, Callable
from itertools import count
from typing import Any

import pytest
from conftest import CreateDatabase
from delivery_workload import run_delivery_workload
from reconnecting_subscriber import open_subscribers
from socket_hub import SocketHub, run_socket_hub, wait_until_streams_idle

from hub.db import change_positions
from hub.db.change_positions import AssignedBatch
from hub.db.pool import Connection
from hub.subscriptions.change_streams import StreamGroup, StreamSubscriber
from hub.web.websocket.operation import SocketOperation

FaultInjector = Callable[[pytest.MonkeyPatch, int], None]

SUBSCRIBERS = 4
ASSIGN_POSITIONS = """
with assigned as (
    insert into change_order select coalesce((select max(position) from change_order), 0) + row_number() over (order by {0}), id
    from change_log where {1} returning id
)
select count(*) as changes, max(id) as last, pg_current_snapshot()::text as snapshot, 0 as drawn, null as xid, 0.0 as age
from assigned
"""
BY_SEQUENCE = ASSIGN_POSITIONS.format("id", "id > (select coalesce(max(id), 0) from change_order)")
BY_TRANSACTION = ASSIGN_POSITIONS.format(
    "transaction_id, id",
    "transaction_id < pg_snapshot_xmin(pg_current_snapshot()) and id not in (select id from change_order)",
)


@pytest.fixture(scope="module")
async def shared_hub(create_database: CreateDatabase, empty_dsn: str) -> AsyncIterator[SocketHub]:
    async with run_socket_hub(await create_database("migrated")) as hub:
        yield hub


@pytest.fixture
async def socket_hub(shared_hub: SocketHub) -> SocketHub:
    """A hub that has nothing more to tell."""
    await wait_until_streams_idle(shared_hub)
    return shared_hub


async def oracle_faults(socket_hub: SocketHub, seed: int, *, transactions: int = 10, **options: Any) -> set[str]:
    """What the oracle finds."""
    async with open_subscribers(SUBSCRIBERS, [socket_hub.port], socket_hub.key) as subscribers:
        return (
            await run_delivery_workload(
                socket_hub.dsn,
                [socket_hub.port],
                socket_hub.key,
                subscribers,
                seed=seed,
                transactions=transactions,
                **options,
            )
        ).broken_promises()


async def test_every_subscriber_receives_every_change_in_one_order(socket_hub: SocketHub, seed: int) -> None:
    assert await oracle_faults(socket_hub, seed) == set()


async def test_slow_subscribers_receive_every_change_in_order(
    socket_hub: SocketHub, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    _inject_backpressure(monkeypatch, seed)
    assert await oracle_faults(socket_hub, seed) == set()


# -- the oracle finds what it is there for ----------------------------------------------------------------------------------


def _inject_backpressure(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Every client seems not to keep up now and then."""
    rng = random.Random(seed)
    monkeypatch.setattr(SocketOperation, "is_backpressured", property(lambda _: rng.random() < 0.1))


def _inject_skipped_catch_up(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Whoever does not keep up is told what is new, and never what came before that."""
    catch_up = StreamSubscriber.catch_up

    def skip_catch_up(self: StreamSubscriber) -> None:
        group = self._group
        if self._ready_sent:
            group.live_subscribers.add(self)
        else:
            catch_up(self)

    _inject_backpressure(monkeypatch, seed)
    monkeypatch.setattr(StreamSubscriber, "catch_up", skip_catch_up)


def _inject_lost_messages(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Every twentieth message is sent to nobody, as if it had been."""
    numbers, fan_out = count(seed), StreamGroup.fan_out

    def deliver_most(self: StreamGroup, subscribers: set[StreamSubscriber], position: int, message: bytes) -> None:
        if next(numbers) % 20:
            fan_out(self, subscribers, position, message)
            return
        for subscriber in subscribers:
            subscriber.previous_cursor = self.context.feed.cursor(position)

    monkeypatch.setattr(StreamGroup, "fan_out", deliver_most)


@pytest.mark.parametrize(
    ("statement", "expected"), [(BY_SEQUENCE, {"lost"}), (BY_TRANSACTION, {"row out of order", "overtaken"})]
)
async def test_the_oracle_finds_a_wrong_order(
    database_dsn: str, seed: int, statement: str, expected: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def assign_out_of_order(connection: Connection, *_: Any, **__: Any) -> AssignedBatch:
        row = await connection.fetchrow(statement)
        assert row is not None
        return AssignedBatch(*row.values())

    monkeypatch.setattr(change_positions, "assign_positions", assign_out_of_order)
    async with run_socket_hub(database_dsn) as hub:
        assert expected <= await oracle_faults(hub, seed, transactions=120, drain_timeout=3.0)


@pytest.mark.parametrize(
    ("inject", "fault"), [(_inject_skipped_catch_up, "another order"), (_inject_lost_messages, "chain broken")]
)
async def test_the_oracle_finds_a_hub_that_keeps_messages_back(
    socket_hub: SocketHub, seed: int, inject: FaultInjector, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    inject(monkeypatch, seed)
    assert await oracle_faults(socket_hub, seed, drain_timeout=1.0) == {"lost", fault}


async def test_the_oracle_finds_an_acknowledgement_before_the_commit(socket_hub: SocketHub, seed: int) -> None:
    assert "lost" in await oracle_faults(socket_hub, seed, acknowledge_early=True)
