"""`hub export --changes`: files of the change feed, each change in exactly one of them, whatever stops the writer."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import duckdb
import pytest
from change_workload import wait_until_sequenced
from command_line import RunCommand
from conftest import CreateDatabase
from hub_process import environment
from writer_client import HubClient, open_hub_client

from hub.errors import HubError
from hub.jobs import change_files
from hub.jobs.partial_file import require_replaceable

SCRIPT = Path(__file__).parents[1] / "support" / "dying_writer.py"
PRICES = "update products set unit_price = unit_price + 1 where id in (select id from products order by sku limit {})"
CREATE = """mutation ($sku: String!) {
    productCreate(input: {sku: $sku, name: "N", category: "C", unitPrice: "1", currency: "EUR"}) { product { id } }
}"""
LOCK = "import fcntl, sys\nfile = open(sys.argv[1], 'w')\nfcntl.flock(file, 2)\nprint(flush=True)\ninput()"


Run = Callable[..., Awaitable[tuple[int, str, str]]]


@dataclass
class ChangeExporter:
    """A hub whose changes are exported, and what the test sees of both."""

    client: HubClient
    connection: Any

    async def run_dying(self, folder: Path, file: int, moment: str) -> int:
        """Runs the command in a process that kills itself at the file; returns its exit code."""
        command = (str(SCRIPT), str(file), moment, "-o", str(folder))
        environ = environment(HUB_DATABASE_URL=self.client.dsn, HUB_DATA_DIR=str(folder.parent))
        process = await asyncio.create_subprocess_exec(sys.executable, *command, stderr=PIPE, env=environ)
        _, errors = await process.communicate()
        assert process.returncode is not None
        assert not errors, errors.decode()
        return process.returncode

    async def write(self, products: int) -> None:
        """Changes products, and waits until the changes have positions."""
        await self.connection.execute(PRICES.format(products))
        await wait_until_sequenced(self.connection)

    async def positions(self) -> list[int]:
        """The positions of the feed."""
        return [
            row["position"]
            for row in await self.connection.fetch("select position from change_order order by position")
        ]


@pytest.fixture(scope="module")
async def exporter(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[ChangeExporter]:
    async with open_hub_client(await create_database("northwind")) as client:
        connection = await asyncpg.connect(client.dsn)
        yield ChangeExporter(client, connection)
        await connection.close()


@pytest.fixture
def run(exporter: ChangeExporter, run_command: RunCommand, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command for a folder; returns its exit code, output and errors."""
    monkeypatch.setattr(change_files, "FILE_ROWS", 100)
    monkeypatch.setattr(change_files, "PAGE", 30)

    async def run(folder: Path, *arguments: str) -> tuple[int, str, str]:
        command = ("export", "--changes", "-o", str(folder), "--json", *arguments)
        return await run_command(*command, HUB_DATABASE_URL=exporter.client.dsn)

    return run


def read_positions(folder: Path, files: str = "read_parquet") -> list[int]:
    """The positions of all changes in the files, as DuckDB reads them."""
    suffix = "parquet" if files == "read_parquet" else "jsonl.zst"
    query = f"select position from {files}('{folder}/day=*/*.{suffix}') order by position"
    return [position for (position,) in duckdb.execute(query).fetchall()]


def names(folder: Path) -> set[str]:
    """The names of the files that a reader sees."""
    return {path.name for path in folder.glob("day=*/[!.]*")}


async def test_a_writer_that_is_killed_twice_leaves_every_change_once(
    exporter: ChangeExporter, run: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "changes"
    await exporter.write(70)
    for _ in range(6):
        await exporter.write(77)
    seen: list[set[str]] = []
    for moment in ("before", "after"):
        assert await exporter.run_dying(folder, 2, moment) == -9
        seen.append(names(folder))
    assert (len(seen[0]), len(seen[1])) == (1, 3)
    await exporter.write(5)
    code, output, errors = await run(folder)
    assert code == 0, errors
    assert seen[0] < seen[1] < names(folder)
    assert read_positions(folder) == await exporter.positions()
    assert not list(folder.rglob("*.part"))
    count = duckdb.execute(f"select count(*) from read_parquet('{folder}/**/*.parquet')").fetchone()
    assert count == (len(await exporter.positions()),)

    # The next run writes nothing, and what comes later once, whether or not it names the cursor of the last run.
    cursor = json.loads(output)[0]["cursor"]
    code, output, _ = await run(folder, "--after", cursor)
    assert json.loads(output) == [{"files": 0, "changes": 0, "cursor": cursor}]
    await exporter.write(3)
    assert (await run(folder, "--after", cursor))[0] == 0
    assert read_positions(folder) == await exporter.positions()


async def test_json_lines_hold_the_images(exporter: ChangeExporter, run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "changes"
    await exporter.client.query(CREATE, {"sku": "IMAGE"})
    await exporter.write(1)
    assert (await run(folder, "--format", "JSONL"))[0] == 0
    assert read_positions(folder, "read_json") == await exporter.positions()
    query = f"""select operation, entity, "after".name, actor from read_json('{folder}/day=*/*.zst')
        where "after".sku = 'IMAGE' and operation = 'CREATE'"""
    ((operation, entity, name, actor),) = duckdb.execute(query).fetchall()
    assert (operation, entity, name) == ("CREATE", "Product", "N")
    assert actor.startswith("key:")


async def test_an_empty_folder_begins_after_the_cursor(exporter: ChangeExporter, run: Run, tmp_path: Path) -> None:
    await exporter.write(4)
    _, output, _ = await run(tmp_path / "all")
    cursor = json.loads(output)[0]["cursor"]
    before = await exporter.positions()
    await exporter.write(6)
    assert (await run(tmp_path / "later", "--after", cursor))[0] == 0
    assert read_positions(tmp_path / "later") == [p for p in await exporter.positions() if p > before[-1]]


async def test_where_changes_would_be_missing_nothing_is_written(
    exporter: ChangeExporter, run: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "changes"
    await exporter.write(1)
    assert (await run(folder))[0] == 0
    files = names(folder)
    await exporter.write(2)
    cursor = json.loads((await run(tmp_path / "other"))[1])[0]["cursor"]
    await exporter.write(2)
    code, _, errors = await run(folder, "--after", cursor)
    assert (code, "changes would be missing" in errors) == (1, True)
    for target in (folder, tmp_path / "new" / "folder"):
        code, _, errors = await run(target, "--after", "nonsense")
        assert (code, "after" in errors) == (1, True)
    assert (names(folder), (tmp_path / "new").exists()) == (files, False)


EPOCH = """
insert into change_epochs (epoch, origin, began, at)
select 7, 'restarted', (select max(position) from change_order), clock_timestamp()
"""


async def test_a_restart_of_the_database_leaves_every_change_once(
    exporter: ChangeExporter, run: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "changes"
    await exporter.write(3)
    cursor = json.loads((await run(folder))[1])[0]["cursor"]
    files = names(folder)
    await exporter.connection.execute(EPOCH)
    await exporter.write(2)
    code, _, errors = await run(folder, "--after", cursor)
    assert code == 0, errors
    assert files < names(folder)
    assert {name.split("-")[1] for name in names(folder) - files} == {f"{7:012x}"}
    assert read_positions(folder) == await exporter.positions()


async def test_a_second_writer_is_refused(exporter: ChangeExporter, run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "changes"
    await exporter.write(1)
    assert (await run(folder))[0] == 0
    locked = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LOCK, str(folder / ".lock"), stdin=PIPE, stdout=PIPE
    )
    assert locked.stdout is not None
    await locked.stdout.readline()
    code, _, errors = await run(folder)
    assert (code, "another process" in errors) == (1, True)
    await locked.communicate(b"\n")
    assert (await run(folder))[0] == 0


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(HubError) as raised:
        require_replaceable(tmp_path, "-o")
    assert (raised.value.code, raised.value.argument) == ("FILE_INVALID", "-o")
