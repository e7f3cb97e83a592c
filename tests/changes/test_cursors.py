"""Cursors of changes: sealed and opened, and gone on from or refused after the database was copied, restored or swept."""

import asyncio
import base64
import shutil
from pathlib import Path

import pytest
from change_workload import INSERT_PRODUCT, open_connections, wait_until
from conftest import CreateDatabase, RunQuery
from migrated_folders import migrated_server

from hub.changefeed.cursors import ChangeCursors, resume_position
from hub.changefeed.sequencer import Sequencer
from hub.db import change_positions
from hub.db.change_positions import FeedState
from hub.db.pool import Connection
from hub.engine.cursors import list_fingerprint, sign, signing_key
from hub.errors import BadInput
from hub.postgres import ensure
from hub.settings import Settings

SECRET = b"s" * 32
CURSORS = ChangeCursors(SECRET)
# Epoch 7 gave the positions up to 10, epoch 8 none, epoch 9 those from 11 on; those before 5 are gone.
FEED_STATE = FeedState(epoch=9, last_position=20, least_position=5, epoch_ends={7: 10, 8: 10})


# -- the text ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("epoch", "position"), [(1, 0), (2**48 - 1, 2**63 - 1)])
def test_a_cursor_holds_its_epoch_and_position_in_43_letters(epoch: int, position: int) -> None:
    text = CURSORS.encode(epoch, position)
    assert (len(text), CURSORS.decode(text, "after")) == (43, (epoch, position))


def list_cursor() -> str:
    """What a list's cursor is, if its keys are as long as what a cursor of changes holds."""
    fingerprint, keys = list_fingerprint("a list"), b'["12345678"]  '
    return base64.urlsafe_b64encode(fingerprint + sign(signing_key(SECRET, fingerprint), keys) + keys).decode()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "CURSOR_MALFORMED"),
        ("no cursor", "CURSOR_MALFORMED"),
        ("é" * 40, "CURSOR_MALFORMED"),
        (CURSORS.encode(1, 2)[:-1], "CURSOR_MALFORMED"),
        (CURSORS.encode(1, 2)[:-1] + "_", "CURSOR_MALFORMED"),
        (CURSORS.encode(1, 2) + "AAAA", "CURSOR_MALFORMED"),
        (ChangeCursors(b"t" * 32).encode(1, 2), "CURSOR_MALFORMED"),
        (list_cursor(), "CURSOR_WRONG_LIST"),
    ],
)
def test_another_text_is_no_cursor_of_changes(text: str, code: str) -> None:
    with pytest.raises(BadInput) as refusal:
        CURSORS.decode(text, "after")
    assert (refusal.value.code, refusal.value.argument) == (code, "after")


async def test_a_cursor_of_changes_is_none_of_a_list(demo_dsn: str, expect_error: RunQuery) -> None:
    async with open_connections(demo_dsn, 1) as (connection,):
        secret = await connection.fetchval("select value from secrets where name = 'cursors'")
    text = ChangeCursors(secret).encode(1, 2)
    error = await expect_error(f'{{ customers(first: 1, after: "{text}") {{ totalCount }} }}')
    assert error["extensions"]["code"] == "CURSOR_WRONG_LIST"


# -- what becomes of it -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("epoch", "position"), [(9, 20), (9, 11), (9, 4), (7, 10), (8, 10), (7, 4)])
def test_a_cursor_that_still_holds_is_gone_on_from(epoch: int, position: int) -> None:
    assert resume_position(FEED_STATE, epoch, position) == position


@pytest.mark.parametrize(
    ("epoch", "position", "code"),
    [
        (9, 21, "CURSOR_AHEAD"),
        (9, 3, "CURSOR_EXPIRED"),
        (7, 3, "CURSOR_EXPIRED"),
        (7, 11, "CURSOR_FORKED"),
        (8, 11, "CURSOR_FORKED"),
        (6, 4, "CURSOR_FORKED"),
        (6, 3, "CURSOR_FORKED"),
    ],
)
def test_a_cursor_that_does_not_is_refused(epoch: int, position: int, code: str) -> None:
    with pytest.raises(BadInput) as refusal:
        resume_position(FEED_STATE, epoch, position)
    assert (refusal.value.code, refusal.value.argument) == (code, "after")
    assert str(refusal.value).startswith("after: ")
    assert str(refusal.value).endswith("read the rows again, then continue from a new cursor.")


@pytest.mark.parametrize(("position", "epoch"), [(0, 7), (10, 7), (11, 9), (20, 9)])
def test_a_position_is_of_the_epoch_that_gave_it(position: int, epoch: int) -> None:
    assert FEED_STATE.epoch_of(position) == epoch


# -- databases --------------------------------------------------------------------------------------------------------------


async def state_after_writes(dsn: str, number: int, name: str) -> FeedState:
    """Where a database stands after some more changes have got their positions."""
    async with open_connections(dsn, 1) as (connection,), Sequencer(dsn, Settings()).running():
        before = (await change_positions.feed_state(connection)).last_position
        for index in range(number):
            await connection.execute(INSERT_PRODUCT, f"{name} {index}")

        async def state_reached() -> FeedState | None:
            state = await change_positions.feed_state(connection)
            return state if state.last_position == before + number else None

        state: FeedState = await wait_until(state_reached)
        return state


def refusal_code(state: FeedState, epoch: int, position: int) -> str:
    with pytest.raises(BadInput) as refused:
        resume_position(state, epoch, position)
    return refused.value.code


async def test_another_leader_goes_on_with_the_epoch(database_dsn: str) -> None:
    first = await state_after_writes(database_dsn, 2, "first")
    assert await state_after_writes(database_dsn, 1, "second") == first._replace(last_position=3)


async def test_a_database_without_changes_stands_at_nothing(empty_dsn: str) -> None:
    async with open_connections(empty_dsn, 1) as (connection,):
        assert (await change_positions.feed_state(connection))[1:] == (0, 1, {})


async def test_a_copy_of_a_database_begins_an_epoch(database_dsn: str, create_database: CreateDatabase) -> None:
    fork = await state_after_writes(database_dsn, 2, "both")
    copy = await create_database(database_dsn.rpartition("/")[2])
    gone = await state_after_writes(database_dsn, 1, "lost")
    copied = await state_after_writes(copy, 1, "kept")
    assert gone.epoch == fork.epoch != copied.epoch
    assert copied.epoch_ends == {**fork.epoch_ends, fork.epoch: 2}
    assert resume_position(copied, fork.epoch, 2) == 2
    assert refusal_code(copied, gone.epoch, 3) == "CURSOR_FORKED"
    assert refusal_code(gone, copied.epoch, 3) == "CURSOR_FORKED"


async def test_files_that_were_put_back_begin_an_epoch(tmp_path: Path, migrated_folder: Path) -> None:
    here, backup = tmp_path / "here", tmp_path / "kept"
    try:
        with migrated_server(here, migrated_folder) as server:
            fork = await state_after_writes(server.dsn, 2, "both")
        assert await (await asyncio.create_subprocess_exec("cp", "-a", here, backup)).wait() == 0
        with ensure(here, durable=False) as server:
            lost = await state_after_writes(server.dsn, 1, "lost")
        shutil.rmtree(here)
        backup.rename(here)
        with ensure(here, durable=False) as server:
            back = await state_after_writes(server.dsn, 1, "new")
        assert len({fork.epoch, lost.epoch, back.epoch}) == 3
        assert resume_position(lost, fork.epoch, 2) == resume_position(back, fork.epoch, 2) == 2
        assert refusal_code(back, lost.epoch, 3) == "CURSOR_FORKED"
    finally:
        shutil.rmtree(tmp_path)


async def test_an_older_clock_leaves_the_newest_epoch_the_newest(database_dsn: str) -> None:
    async with open_connections(database_dsn, 1) as (connection,):
        await connection.execute("update change_epochs set at = now() + interval '1 day'")
        await change_positions.begin_epoch(connection)
        begun = await change_positions.feed_state(connection)
        await change_positions.begin_epoch(connection)
        assert (await change_positions.feed_state(connection), len(begun.epoch_ends)) == (begun, 1)


# -- what follows -----------------------------------------------------------------------------------------------------------


async def test_headers_say_which_row_and_customer_changes_concern(database_dsn: str) -> None:
    state = await state_after_writes(database_dsn, 3, "row")
    async with open_connections(database_dsn, 1) as (connection,):
        headers = await change_positions.read_headers(connection, 1, 1)
        assert headers is not None
        (row,) = await connection.fetch("select id from products where sku = 'row 1'")
        columns = {name: value for name, value in headers[0].items() if name not in ("least_position", "changed")}
        assert (len(headers), columns) == (
            1,
            {
                "epoch": state.epoch,
                "position": 2,
                "table_name": "products",
                "row_id": row["id"],
                "customer_id": None,
                "former": None,
                "operation": "CREATE",
            },
        )
        assert await change_positions.read_headers(connection, 3, 10) == []
        assert await change_positions.read_headers(connection, 4, 10) is None


async def test_expired_headers_are_refused(database_dsn: str) -> None:
    await state_after_writes(database_dsn, 1, "row")
    async with open_connections(database_dsn, 1) as (connection,):
        await _set_least_position(connection, 3)
        with pytest.raises(BadInput) as refused:
            await change_positions.read_headers(connection, 1, 10)
        assert refused.value.code == "CURSOR_EXPIRED"
        assert await change_positions.read_headers(connection, 2, 10) == []


async def _set_least_position(connection: Connection, before: int) -> None:
    await connection.execute("update change_feed set least_position = $1", before)
