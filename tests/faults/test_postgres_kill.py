"""The embedded Postgres and its owner are killed in every order: no commit is lost, and the server comes back."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import asyncpg
import pytest
from postgres_process import eventually, fetch_value, postmaster_pid

from hub.errors import Misconfigured
from hub.postgres import ensure, pidfile, supervisor

ROOT = Path(__file__).resolve().parents[2]
OWNER_SCRIPT = """
import sys
from pathlib import Path
from hub.postgres import ensure
with ensure(Path(sys.argv[1]), durable=False) as started:
    print(started.dsn, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def remove_cluster(tmp_path: Path) -> Iterator[None]:
    """Removes the cluster of each test, because it takes 40 MB."""
    yield
    shutil.rmtree(tmp_path)


def start_owner(data: Path) -> tuple[subprocess.Popen[str], str]:
    """Yields a process that owns a running server with one row, and the server's address."""
    hub = subprocess.Popen(
        [sys.executable, "-c", OWNER_SCRIPT, data], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert hub.stdout is not None
    dsn = hub.stdout.readline().strip()
    fetch_value(dsn, "create table if not exists fact (n int)")
    fetch_value(dsn, "insert into fact values (42)")
    return hub, dsn


def stop_owner(hub: subprocess.Popen[str], number: signal.Signals) -> None:
    hub.send_signal(number)
    hub.communicate()


def server_log(data: Path) -> str:
    return (data / "postgres.log").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux signals a child that its parent died")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_postgres_stops_cleanly_when_its_owner_is_killed(tmp_path: Path, number: signal.Signals) -> None:
    hub, dsn = start_owner(tmp_path)
    fetch_value(dsn, "insert into fact select generate_series(1, 100000)")
    stop_owner(hub, number)
    with ensure(tmp_path, durable=False) as started:
        assert started.owned
        assert fetch_value(started.dsn, "select count(*) from fact") == 100_001
    assert "received fast shutdown request" in server_log(tmp_path)
    assert "was not properly shut down" not in server_log(tmp_path)


def is_restarted(dsn: str, folder: Path, killed: int) -> bool:
    """Whether a server other than the killed one answers."""
    return is_answering(dsn) and postmaster_pid(folder) != killed


def test_the_owner_restarts_a_killed_postgres_at_the_same_address(tmp_path: Path) -> None:
    notices: list[str] = []
    with ensure(tmp_path, durable=False, notice=notices.append) as started:
        fetch_value(started.dsn, "create table fact as select generate_series(1, 100000) as n")
        for _ in range(3):
            killed = postmaster_pid(tmp_path)
            os.kill(killed, signal.SIGKILL)
            assert eventually(partial(is_restarted, started.dsn, tmp_path, killed))
        assert fetch_value(started.dsn, "select count(*) from fact") == 100_000
    assert notices[1:] == ["Postgres ended unexpectedly (exit -9)", "Postgres has ended; starting it again"] * 3
    assert server_log(tmp_path).count("automatic recovery in progress") == 3
    assert pidfile.process_owner(killed, tmp_path / "pg") == "nobody's"


def is_answering(dsn: str) -> bool:
    try:
        return bool(fetch_value(dsn, "select true"))
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False


def test_the_next_start_recovers_when_both_were_killed(tmp_path: Path) -> None:
    hub, dsn = start_owner(tmp_path)
    fetch_value(dsn, "insert into fact select generate_series(1, 100000)")
    hub.send_signal(signal.SIGSTOP)
    os.kill(postmaster_pid(tmp_path), signal.SIGKILL)
    stop_owner(hub, signal.SIGKILL)
    with ensure(tmp_path, durable=False) as started:
        assert started.owned
        assert fetch_value(started.dsn, "select count(*) from fact") == 100_001
    assert server_log(tmp_path).count("automatic recovery in progress") == 1


def test_another_hub_takes_over_postgres_when_its_owner_is_killed(tmp_path: Path) -> None:
    hub, dsn = start_owner(tmp_path)
    with ensure(tmp_path, durable=False) as attached:
        assert (attached.owned, attached.dsn) == (False, dsn)
        stop_owner(hub, signal.SIGKILL)
        assert eventually(lambda: attached.owned and is_answering(dsn))
        assert fetch_value(dsn, "select n from fact") == 42


def test_the_owner_stops_restarting_a_server_that_cannot_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "MAX_FAILED_STARTS", 1)
    notices: list[str] = []
    with ensure(tmp_path, durable=False, notice=notices.append):
        with (tmp_path / "pg" / "postgresql.conf").open("a") as configuration:
            configuration.write("work_mem = lots\n")
        os.kill(postmaster_pid(tmp_path), signal.SIGKILL)
        assert eventually(lambda: len(notices) == 4)
    assert notices[3].startswith("Postgres ended 2 times in a row, last: ")
    assert 'invalid value for parameter "work_mem": "lots"' in notices[3]


def test_an_interrupted_initdb_is_repeated_at_the_next_start(tmp_path: Path) -> None:
    hub = subprocess.Popen([sys.executable, "-c", OWNER_SCRIPT, tmp_path], cwd=ROOT, stdin=subprocess.PIPE)
    assert eventually(lambda: (tmp_path / "pg.new" / "PG_VERSION").exists())
    hub.kill()
    hub.communicate()
    with ensure(tmp_path, durable=False) as started:
        assert fetch_value(started.dsn, "select 1") == 1
    assert not (tmp_path / "pg.new").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_full_disk_is_reported(tmp_path: Path) -> None:
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
