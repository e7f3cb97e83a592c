"""Cursors of changes: sealed and opened, and gone on from or refused after the database was copied, restored or swept."""

import asyncio
import base64
import shutil
from pathlib import Path

import pytest
from change_workload import ADD, connected, until
from conftest import Ask, NewDatabase

from hub.changefeed.cursors import Cursors, resumed
from hub.changefeed.sequencer import Sequencer
from hub.db import change_positions, migrate
from hub.db.change_positions import Standing
from hub.db.pool import Connection
from hub.engine.cursors import key_of, mark_of, seal
from hub.errors import BadInput
from hub.postgres import ensure
from hub.settings import Settings

SECRET = b"s" * 32
CURSORS = Cursors(SECRET)
# Epoch 7 gave the positions up to 10, epoch 8 none, epoch 9 those from 11 on; those before 5 are gone.
STANDING = Standing(epoch=9, head=20, least_position=5, ended={7: 10, 8: 10})


# -- the text ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("epoch", "position"), [(1, 0), (2**48 - 1, 2**63 - 1)])
def test_a_cursor_holds_its_epoch_and_position_in_40_letters(epoch: int, position: int) -> None:
    text = CURSORS.sealed(epoch, position)
    assert (len(text), CURSORS.opened(text, "after")) == (40, (epoch, position))


def list_cursor() -> str:
    """What a list's cursor is, if its keys are as long as what a cursor of changes holds."""
    mark, keys = mark_of("a list"), b'["12345678"]  '
    return base64.urlsafe_b64encode(mark + seal(key_of(SECRET, mark), keys) + keys).decode()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "CURSOR_MALFORMED"),
        ("no cursor", "CURSOR_MALFORMED"),
        ("é" * 40, "CURSOR_MALFORMED"),
        (CURSORS.sealed(1, 2)[:-1], "CURSOR_MALFORMED"),
        (CURSORS.sealed(1, 2)[:-1] + "_", "CURSOR_MALFORMED"),
        (CURSORS.sealed(1, 2) + "AAAA", "CURSOR_MALFORMED"),
        (Cursors(b"t" * 32).sealed(1, 2), "CURSOR_MALFORMED"),
        (list_cursor(), "CURSOR_WRONG_LIST"),
    ],
)
def test_another_text_is_no_cursor_of_changes(text: str, code: str) -> None:
    with pytest.raises(BadInput) as refusal:
        CURSORS.opened(text, "after")
    assert (refusal.value.code, refusal.value.argument) == (code, "after")


async def test_a_cursor_of_changes_is_none_of_a_list(demo_dsn: str, refused: Ask) -> None:
    async with connected(demo_dsn, 1) as (connection,):
        secret = await connection.fetchval("select value from secrets where name = 'cursors'")
    text = Cursors(secret).sealed(1, 2)
    error = await refused(f'{{ customers(first: 1, after: "{text}") {{ totalCount }} }}')
    assert error["extensions"]["code"] == "CURSOR_WRONG_LIST"


# -- what becomes of it -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("epoch", "position"), [(9, 20), (9, 11), (9, 4), (7, 10), (8, 10), (7, 4)])
def test_a_cursor_that_still_holds_is_gone_on_from(epoch: int, position: int) -> None:
    assert resumed(STANDING, epoch, position) == position


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
        resumed(STANDING, epoch, position)
    assert (refusal.value.code, refusal.value.argument) == (code, "after")
    assert str(refusal.value).startswith("after: ")
    assert str(refusal.value).endswith("read the rows anew, then go on from a new cursor.")


@pytest.mark.parametrize(("position", "epoch"), [(0, 7), (10, 7), (11, 9), (20, 9)])
def test_a_position_is_of_the_epoch_that_gave_it(position: int, epoch: int) -> None:
    assert STANDING.epoch_of(position) == epoch


# -- databases --------------------------------------------------------------------------------------------------------------


async def written(dsn: str, number: int, name: str) -> Standing:
    """Where a database stands after some more changes have got their positions."""
    async with connected(dsn, 1) as (connection,), Sequencer(dsn, Settings()).running():
        before = (await change_positions.standing(connection)).head
        for each in range(number):
            await connection.execute(ADD, f"{name} {each}")

        async def stands() -> Standing | None:
            found = await change_positions.standing(connection)
            return found if found.head == before + number else None

        found: Standing = await until(stands)
        return found


def refusal(standing: Standing, epoch: int, position: int) -> str:
    with pytest.raises(BadInput) as refused:
        resumed(standing, epoch, position)
    return refused.value.code


async def test_another_leader_goes_on_with_the_epoch(database: str) -> None:
    first = await written(database, 2, "first")
    assert await written(database, 1, "second") == first._replace(head=3)


async def test_a_database_without_changes_stands_at_nothing(empty_dsn: str) -> None:
    async with connected(empty_dsn, 1) as (connection,):
        assert (await change_positions.standing(connection))[1:] == (0, 1, {})


async def test_a_copy_of_a_database_begins_an_epoch(database: str, new_database: NewDatabase) -> None:
    fork = await written(database, 2, "both")
    copy = await new_database(database.rpartition("/")[2])
    gone = await written(database, 1, "lost")
    kept = await written(copy, 1, "kept")
    assert gone.epoch == fork.epoch != kept.epoch
    assert kept.ended == {**fork.ended, fork.epoch: 2}
    assert resumed(kept, fork.epoch, 2) == 2
    assert refusal(kept, gone.epoch, 3) == "CURSOR_FORKED"
    assert refusal(gone, kept.epoch, 3) == "CURSOR_FORKED"


async def test_files_that_were_put_back_begin_an_epoch(tmp_path: Path) -> None:
    here, kept = tmp_path / "here", tmp_path / "kept"
    try:
        with ensure(here, durable=False) as server:
            await migrate.upgrade(server.dsn)
            fork = await written(server.dsn, 2, "both")
        assert await (await asyncio.create_subprocess_exec("cp", "-a", here, kept)).wait() == 0
        with ensure(here, durable=False) as server:
            lost = await written(server.dsn, 1, "lost")
        shutil.rmtree(here)
        kept.rename(here)
        with ensure(here, durable=False) as server:
            back = await written(server.dsn, 1, "new")
        assert len({fork.epoch, lost.epoch, back.epoch}) == 3
        assert resumed(lost, fork.epoch, 2) == resumed(back, fork.epoch, 2) == 2
        assert refusal(back, lost.epoch, 3) == "CURSOR_FORKED"
    finally:
        shutil.rmtree(tmp_path)


async def test_an_older_clock_leaves_the_newest_epoch_the_newest(database: str) -> None:
    async with connected(database, 1) as (connection,):
        await connection.execute("update change_epochs set at = now() + interval '1 day'")
        await change_positions.begin_epoch(connection)
        begun = await change_positions.standing(connection)
        await change_positions.begin_epoch(connection)
        assert (await change_positions.standing(connection), len(begun.ended)) == (begun, 1)


# -- what follows -----------------------------------------------------------------------------------------------------------


async def test_heads_tell_whom_changes_concern(database: str) -> None:
    standing = await written(database, 3, "row")
    async with connected(database, 1) as (connection,):
        found = await change_positions.heads(connection, 1, 1)
        assert found is not None
        (row,) = await connection.fetch("select id from products where sku = 'row 1'")
        columns = {name: value for name, value in found[0].items() if name not in ("least_position", "changed")}
        assert (len(found), columns) == (
            1,
            {
                "epoch": standing.epoch,
                "position": 2,
                "table_name": "products",
                "row_id": row["id"],
                "customer_id": None,
                "former": None,
                "operation": "CREATE",
            },
        )
        assert await change_positions.heads(connection, 3, 10) == []
        assert await change_positions.heads(connection, 4, 10) is None


async def test_heads_that_are_no_longer_kept_are_told_of(database: str) -> None:
    await written(database, 1, "row")
    async with connected(database, 1) as (connection,):
        await _forget(connection, 3)
        with pytest.raises(BadInput) as refused:
            await change_positions.heads(connection, 1, 10)
        assert refused.value.code == "CURSOR_EXPIRED"
        assert await change_positions.heads(connection, 2, 10) == []


async def _forget(connection: Connection, before: int) -> None:
    await connection.execute("update change_feed set least_position = $1", before)
