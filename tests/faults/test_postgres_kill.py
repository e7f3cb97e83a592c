"""The embedded Postgres and its owner, killed without warning in every order: no commit is lost, all comes back."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from hub.errors import Misconfigured
from hub.postgres import ensure, pidfile, supervisor

ROOT = Path(__file__).resolve().parents[2]
OWNER = """
import sys
from pathlib import Path
from hub.postgres import ensure
with ensure(Path(sys.argv[1]), durable=False) as started:
    print(started.dsn, flush=True)
    sys.stdin.read()
"""


def ask(dsn: str, statement: str) -> Any:
    async def answer() -> Any:
        connection = await asyncpg.connect(dsn)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(answer())


@pytest.fixture(autouse=True)
def swept(tmp_path: Path) -> Iterator[None]:
    """A cluster is 40 MB: too much for every test to leave one behind."""
    yield
    shutil.rmtree(tmp_path)


def owner(data: Path) -> tuple[subprocess.Popen[str], str]:
    """A hub of its own, with a running server that holds one row; and its address."""
    hub = subprocess.Popen(
        [sys.executable, "-c", OWNER, data], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert hub.stdout is not None
    dsn = hub.stdout.readline().strip()
    ask(dsn, "create table if not exists fact (n int)")
    ask(dsn, "insert into fact values (42)")
    return hub, dsn


def end(hub: subprocess.Popen[str], number: signal.Signals) -> None:
    hub.send_signal(number)
    hub.communicate()


def eventually(true: Callable[[], bool], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)
    return true()


def postmaster(data: Path) -> int:
    running = pidfile.read(data / "pg")
    assert running is not None
    return running.pid


def log(data: Path) -> str:
    return (data / "postgres.log").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_when_its_owner_is_killed_it_stops_cleanly_and_starts_again(tmp_path: Path, number: signal.Signals) -> None:
    hub, dsn = owner(tmp_path)
    ask(dsn, "insert into fact select generate_series(1, 100000)")
    end(hub, number)
    with ensure(tmp_path, durable=False) as started:
        assert started.owned
        assert ask(started.dsn, "select count(*) from fact") == 100_001
    assert "received fast shutdown request" in log(tmp_path)
    assert "was not properly shut down" not in log(tmp_path)


def back(dsn: str, folder: Path, killed: int) -> bool:
    """Whether another server than the killed one answers."""
    return answers(dsn) and postmaster(folder) != killed


def test_when_it_is_killed_its_owner_starts_it_again_at_the_same_address(tmp_path: Path) -> None:
    told: list[str] = []
    with ensure(tmp_path, durable=False, notice=told.append) as started:
        ask(started.dsn, "create table fact as select generate_series(1, 100000) as n")
        for _ in range(3):
            killed = postmaster(tmp_path)
            os.kill(killed, signal.SIGKILL)
            assert eventually(partial(back, started.dsn, tmp_path, killed))
        assert ask(started.dsn, "select count(*) from fact") == 100_000
    assert told[1:] == ["Postgres ended unbidden (exit -9)", "Postgres has ended; starting it again"] * 3
    assert log(tmp_path).count("automatic recovery in progress") == 3
    assert pidfile.whose(killed, tmp_path / "pg") == "nobody's"


def answers(dsn: str) -> bool:
    try:
        return bool(ask(dsn, "select true"))
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False


def test_when_both_are_killed_the_next_start_recovers(tmp_path: Path) -> None:
    hub, dsn = owner(tmp_path)
    ask(dsn, "insert into fact select generate_series(1, 100000)")
    hub.send_signal(signal.SIGSTOP)
    os.kill(postmaster(tmp_path), signal.SIGKILL)
    end(hub, signal.SIGKILL)
    with ensure(tmp_path, durable=False) as started:
        assert started.owned
        assert ask(started.dsn, "select count(*) from fact") == 100_001
    assert log(tmp_path).count("automatic recovery in progress") == 1


def test_when_its_owner_is_killed_another_hub_that_uses_it_takes_over(tmp_path: Path) -> None:
    hub, dsn = owner(tmp_path)
    with ensure(tmp_path, durable=False) as attached:
        assert (attached.owned, attached.dsn) == (False, dsn)
        end(hub, signal.SIGKILL)
        assert eventually(lambda: attached.owned and answers(dsn))
        assert ask(dsn, "select n from fact") == 42


def test_a_server_that_cannot_be_started_again_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "ATTEMPTS", 1)
    told: list[str] = []
    with ensure(tmp_path, durable=False, notice=told.append):
        with (tmp_path / "pg" / "postgresql.conf").open("a") as configuration:
            configuration.write("work_mem = lots\n")
        os.kill(postmaster(tmp_path), signal.SIGKILL)
        assert eventually(lambda: len(told) == 4)
    assert told[3].startswith("Postgres ended 2 times in a row, last: ")
    assert 'invalid value for parameter "work_mem": "lots"' in told[3]


def test_a_cluster_whose_making_was_killed_is_made_at_the_next_start(tmp_path: Path) -> None:
    hub = subprocess.Popen([sys.executable, "-c", OWNER, tmp_path], cwd=ROOT, stdin=subprocess.PIPE)
    assert eventually(lambda: (tmp_path / "pg.new" / "PG_VERSION").exists())
    hub.kill()
    hub.communicate()
    with ensure(tmp_path, durable=False) as started:
        assert ask(started.dsn, "select 1") == 1
    assert not (tmp_path / "pg.new").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_full_disk_is_said_to_be_full(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(small)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine lets nobody mount")
    try:
        with pytest.raises(Misconfigured, match="No space left on device") as caught:
            ensure(small / "data")
        assert caught.value.code == "POSTGRES_FAILED"
        assert not (small / "data" / "pg").exists()
    finally:
        subprocess.run(["umount", small], check=True)
