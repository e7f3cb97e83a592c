"""The commands as people and tools use them: what is printed where, exit codes, starting and stopping."""

import asyncio
import json
import os
import signal
import socket
import stat
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from hub.domain import keys

Run = Callable[..., asyncio.Task[tuple[int, str, str]]]


def environment(**more: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("HUB_")} | more


async def process(*arguments: str, **settings: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hub", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(**settings),
    )


async def run(*arguments: str, **settings: str) -> tuple[int | None, str, str]:
    """Exit code, output and errors of a command that ends."""
    started = await process(*arguments, **settings)
    output, errors = await asyncio.wait_for(started.communicate(), 60)
    return started.returncode, output.decode(), errors.decode()


@asynccontextmanager
async def started(*arguments: str, **settings: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, list[str]]]:
    """A hub that serves, and the lines that it had printed until then."""
    hub = await process(*arguments, "--port", "0", **settings)
    assert hub.stdout is not None
    lines: list[str] = []
    try:
        while not lines or not lines[-1].startswith("GraphiQL"):
            line = (await asyncio.wait_for(hub.stdout.readline(), 60)).decode()
            assert line, (await hub.communicate())[1].decode()
            lines.append(line.rstrip("\n"))
        yield hub, lines
    finally:
        if hub.returncode is None:
            hub.kill()
        await hub.communicate()


async def test_up_makes_all_that_is_missing_once(database: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with started("up", "--data", str(data), HUB_DATABASE_URL=database) as (hub, lines):
        key, page = lines
        assert key.startswith("key  hub_")
        assert page.startswith("GraphiQL  http://127.0.0.1:")
        assert (data / "key").read_text() == key.removeprefix("key  ") + "\n"
        assert stat.S_IMODE((data / "key").stat().st_mode) == 0o600
        base = page.removeprefix("GraphiQL  ").removesuffix("/graphiql")
        async with httpx2.AsyncClient(base_url=base) as client:
            assert (await client.get("/readyz")).status_code == 200
            headers = {"authorization": f"Bearer {key.removeprefix('key  ')}"}
            answer = await client.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
            assert answer.json() == {"data": {"__typename": "Query"}}
        hub.send_signal(signal.SIGTERM)
        output, errors = await asyncio.wait_for(hub.communicate(), 20)
        assert (hub.returncode, output) == (0, b"")
        told = [json.loads(line) for line in errors.splitlines()]
        assert [each["event"] for each in told] == ["ready", "request", "stopping"]
        assert key.removeprefix("key  ").encode() not in errors
    async with started("up", "--data", str(data), HUB_DATABASE_URL=database) as (hub, lines):
        assert [line.split()[0] for line in lines] == ["GraphiQL"]
        hub.send_signal(signal.SIGINT)
        await asyncio.wait_for(hub.wait(), 20)
        assert hub.returncode == 0


async def test_the_demo_key_is_shown_to_loopback_alone(database: str, tmp_path: Path) -> None:
    given = {"HUB_DATABASE_URL": database, "HUB_DATA_DIR": str(tmp_path)}
    for host, status in (("127.0.0.1", 200), ("0.0.0.0", 404)):
        async with started("up", "--host", host, **given) as (_, lines):
            base = lines[-1].removeprefix("GraphiQL  ").removesuffix("/graphiql")
            async with httpx2.AsyncClient(base_url=base) as client:
                assert (await client.get("/graphiql/config.json")).status_code == status


async def test_several_workers_answer_and_stop_together(database: str, tmp_path: Path) -> None:
    given = {"HUB_DATABASE_URL": database, "HUB_DATA_DIR": str(tmp_path), "HUB_WORKERS": "2"}
    async with started("up", **given) as (hub, lines):
        base = lines[-1].removeprefix("GraphiQL  ").removesuffix("/graphiql")
        async with httpx2.AsyncClient(base_url=base, timeout=30) as client:
            for _ in range(10):
                assert (await client.get("/readyz", headers={"connection": "close"})).status_code == 200
        hub.send_signal(signal.SIGTERM)
        await asyncio.wait_for(hub.wait(), 20)
        assert hub.returncode == 0


async def test_a_key_is_made_shown_and_revoked(database: str, tmp_path: Path) -> None:
    given = {"HUB_DATABASE_URL": database, "HUB_DATA_DIR": str(tmp_path)}
    code, key, errors = await run("key", "create", "--role", "reader", "--name", "app", "--expires", "90d", **given)
    assert (code, errors) == (0, "")
    assert keys.KEY.fullmatch(key.removesuffix("\n"))
    code, listed, _ = await run("key", "list", **given)
    assert code == 0
    assert [part in listed for part in (key[4:12], "app", "reader", "living", key[13:-1])] == [True] * 4 + [False]
    code, said, _ = await run("key", "revoke", key[4:12], **given)
    assert (code, said.startswith(f"{key[4:12]} is refused since ")) == (0, True)
    assert "revoked" in (await run("key", "list", **given))[1]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["key", "create", "--role", "king"], 2, "Invalid value for '--role'"),
        (["key", "create", "--role", "reader", "--expires", "soon"], 2, "--expires: 'soon' is not a time"),
        (["key", "create", "--role", "reader", "--expires", "1999-01-01"], 2, "expires: 1999-01-01"),
        (["key", "create", "--role", "reader", "--customer", "Ana"], 2, "--customer: 'Ana' is not an id"),
        (["key", "create", "--role", "reader", "--unit", "NOWHERE"], 1, "no unit has the id or code 'NOWHERE'"),
        (["key", "revoke", "ffffffff"], 1, "no key has the id 'ffffffff'"),
        (["key"], 2, ""),
        (["dance"], 2, "No such command 'dance'"),
        (["up", "--port", "70000"], 2, "HUB_PORT: 70000"),
        (["serve", "--workers", "0"], 2, "HUB_WORKERS: 0"),
        (["up", "--host", "203.0.113.7"], 1, "HUB_PORT: cannot listen on 203.0.113.7:8000"),
        (["up", "--host", "no.such.host.invalid"], 1, "HUB_HOST: 'no.such.host.invalid'"),
    ],
)
async def test_a_fault_is_told_in_a_line_without_traceback(
    database: str, tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    ended, output, errors = await run(*arguments, HUB_DATABASE_URL=database, HUB_DATA_DIR=str(tmp_path))
    assert (ended, said in errors, "Traceback" in errors) == (code, True, False)
    assert output == "" or not said


async def test_a_taken_port_is_told(database: str, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, _, errors = await run("up", "--port", port, HUB_DATABASE_URL=database, HUB_DATA_DIR=str(tmp_path))
    assert (code, len(errors.splitlines())) == (1, 1)
    assert errors.startswith(f"hub: HUB_PORT: cannot listen on 127.0.0.1:{port} (Address already in use)")


@pytest.mark.parametrize("command", ["up", "serve", "migrate", "doctor"])
async def test_a_database_that_does_not_answer_is_told_without_its_password(command: str, tmp_path: Path) -> None:
    url = "postgresql://hub:hunter2@127.0.0.1:1/hub"
    code, output, errors = await run(command, HUB_DATABASE_URL=url, HUB_DATA_DIR=str(tmp_path), HUB_PORT="0")
    assert code == 1
    assert "HUB_DATABASE_URL" in output + errors
    assert "hunter2" not in output + errors
    assert "Traceback" not in errors


async def test_a_database_without_tables_is_not_served(server: object, new_database: object, tmp_path: Path) -> None:
    dsn = await new_database("template0")  # type: ignore[operator]
    code, _, errors = await run("serve", "--port", "0", HUB_DATABASE_URL=dsn, HUB_DATA_DIR=str(tmp_path))
    assert (code, "migrations: the database has no tables yet" in errors, "hub migrate" in errors) == (1, True, True)
    assert (await run("migrate", HUB_DATABASE_URL=dsn, HUB_DATA_DIR=str(tmp_path)))[0] == 0
    assert (await run("doctor", HUB_DATABASE_URL=dsn, HUB_DATA_DIR=str(tmp_path), HUB_PORT="0"))[0] == 0


async def test_doctor_names_what_is_wrong(database: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("x")
    (tmp_path / "key").chmod(0o644)
    given = {"HUB_DATABASE_URL": database, "HUB_DATA_DIR": str(tmp_path), "HUB_PORT": "0", "HUB_PROT": "1"}
    code, output, _ = await run("doctor", **given)
    lines = " ".join(output.split())
    assert code == 1
    assert "HUB_PROT: no such setting" in lines
    assert "chmod 600" in lines


async def test_what_is_printed_for_files_is_only_that() -> None:
    for command, first in (("sdl", '"""'), ("settings", "# Settings")):
        code, output, errors = await run(command)
        assert (code, output.startswith(first), errors) == (0, True, "")
