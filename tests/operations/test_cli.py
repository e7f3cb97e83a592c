"""The command line as people and tools use it: output, exit codes, start and stop."""

import asyncio
import json
import os
import re
import signal
import stat
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import httpx2
import pytest
from command_line import RunCommand
from conftest import CreateDatabase, create_api_key
from limited_keys import limit_key

from hub import doctor
from hub.client_limits import CostBudget
from hub.domain.access import api_keys, login_links
from hub.domain.access.key_limits import LimitChanges
from hub.errors import Misconfigured
from hub.settings import Settings
from hub.viewer import ADMIN
from hub.web import server


@asynccontextmanager
async def started_hub(*arguments: str, **settings: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, list[str]]]:
    """Yields a serving hub, and the lines that it printed until it was ready."""
    hub = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hub", *arguments, "--port", "0"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if not name.startswith("HUB_")} | settings,
    )
    assert hub.stdout is not None
    lines: list[str] = []
    try:
        while not lines or not lines[-1].startswith("Live"):
            async with asyncio.timeout(60):
                line = (await hub.stdout.readline()).decode()
            assert line, (await hub.communicate())[1].decode()
            lines.append(line.rstrip("\n"))
        yield hub, lines
    finally:
        if hub.returncode is None:
            hub.kill()
        await hub.communicate()


async def test_up_makes_all_that_is_missing_once(database_dsn: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with started_hub("up", "--data", str(data), HUB_DATABASE_URL=database_dsn) as (hub, lines):
        key, login, page, live = lines
        assert key.startswith("key  hub_")
        assert page.startswith("GraphiQL  http://127.0.0.1:")
        assert (data / "key").read_text() == key.removeprefix("key  ") + "\n"
        assert stat.S_IMODE((data / "key").stat().st_mode) == 0o600
        base = page.removeprefix("GraphiQL  ").removesuffix("/graphiql")
        assert live == f"Live  {base}/live"
        assert re.fullmatch(rf"Login  {re.escape(base)}/graphiql#link=[\w-]{{43}}", login)
        async with httpx2.AsyncClient(base_url=base) as client:
            assert (await client.get("/readyz")).status_code == 200
            headers = {"authorization": f"Bearer {key.removeprefix('key  ')}"}
            answer = await client.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
            assert answer.json() == {"data": {"__typename": "Query"}}
            link = login.partition("#link=")[2]
            session_key = (await client.post("/graphiql/session", json={"link": link})).json()["key"]
            headers = {"authorization": f"Bearer {session_key}"}
            assert (await client.post("/graphql", json={"query": "{ __typename }"}, headers=headers)).status_code == 200
        hub.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            output, errors = await hub.communicate()
        assert (hub.returncode, output) == (0, b"")
        log_events = [json.loads(line) for line in errors.splitlines()]
        events = [event["event"] for event in log_events]
        assert events.count("leadership_acquired") == 1
        assert [event for event in events if event != "leadership_acquired"] == [
            "ready",
            "request",
            "request",
            "stopping",
        ]
        assert [secret.encode() in errors for secret in (key.removeprefix("key  "), link, session_key)] == [False] * 3
    async with started_hub("up", "--data", str(data), HUB_DATABASE_URL=database_dsn) as (hub, lines):
        assert [line.split()[0] for line in lines] == ["Login", "GraphiQL", "Live"]
        async with httpx2.AsyncClient() as client:
            assert [(await client.get(line.split()[1])).status_code for line in lines] == [200, 200, 200]
        hub.send_signal(signal.SIGINT)
        async with asyncio.timeout(20):
            await hub.wait()
        assert hub.returncode == 0


async def test_several_workers_answer_share_budgets_and_stop_together(database_dsn: str, tmp_path: Path) -> None:
    environment = {"HUB_DATABASE_URL": database_dsn, "HUB_DATA_DIR": str(tmp_path), "HUB_WORKERS": "2"}
    async with started_hub("up", **environment) as (hub, lines):
        base = lines[-1].removeprefix("Live  ").removesuffix("/live")
        async with httpx2.AsyncClient(base_url=base, timeout=120) as client:
            for _ in range(10):
                assert (await client.get("/readyz", headers={"connection": "close"})).status_code == 200
            key = await create_api_key(database_dsn)
            await limit_key(database_dsn, key, LimitChanges(CostBudget(12, 0.001)))
            headers = {"authorization": f"Bearer {key}", "connection": "close"}
            operation = {"query": "{ __typename }"}
            responses = await asyncio.gather(
                *(client.post("/graphql", json=operation, headers=headers) for _ in range(24))
            )
        assert Counter(response.status_code for response in responses) == {200: 12, 429: 12}
        hub.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            await hub.wait()
        assert hub.returncode == 0


async def test_a_key_is_created_listed_and_revoked(run_command: RunCommand, database_dsn: str) -> None:
    create = ("key", "create", "--role", "reader", "--name", "app", "--expires", "90d")
    code, key, errors = await run_command(*create, HUB_DATABASE_URL=database_dsn)
    assert (code, errors) == (0, "")
    assert api_keys.KEY_PATTERN.fullmatch(key.removesuffix("\n"))
    code, listed, _ = await run_command("key", "list")
    assert code == 0
    assert [part in listed for part in (key[4:20], "app", "reader", "living", key[21:-1])] == [True] * 4 + [False]
    code, said, _ = await run_command("key", "revoke", key[4:20])
    assert (code, said.startswith(f"{key[4:20]} is revoked since ")) == (0, True)
    assert "revoked" in (await run_command("key", "list"))[1]


async def test_a_lost_link_is_printed_anew(run_command: RunCommand, database_dsn: str) -> None:
    code, _, errors = await run_command("link", HUB_DATABASE_URL=database_dsn)
    assert (code, "create one with `hub key create`" in errors) == (1, True)
    key = (await run_command("key", "create", "--role", "admin"))[1].strip()
    code, printed, errors = await run_command("link", "--key", key[4:20], "--port", "8123")
    assert (code, errors) == (0, "")
    token = re.fullmatch(r"http://127\.0\.0\.1:8123/graphiql#link=([\w-]{43})\n", printed)
    assert token is not None
    connection = await asyncpg.connect(database_dsn)
    session = await login_links.start_session(connection, token[1], datetime.now(UTC))
    assert (await api_keys.list_keys(connection, ADMIN))[-1].public_id == session.key[4:20]
    await connection.close()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["key", "create", "--role", "king"], 2, "role: there is no role 'king'"),
        (["key", "create", "--role", "reader", "--expires", "soon"], 2, "--expires: 'soon' is not a time"),
        (["key", "create", "--role", "reader", "--expires", "1999-01-01"], 2, "expires: 1999-01-01"),
        (["key", "create", "--role", "reader", "--expires", "9999-12-31T23:59:59-14:00"], 2, "--expires: '9999-12-31T"),
        (["key", "create", "--role", "reader", "--customer", "Ana"], 2, "--customer: 'Ana' is not an id"),
        (["key", "create", "--role", "reader", "--unit", "NOWHERE"], 1, "no unit has the id or code 'NOWHERE'"),
        (["key", "revoke", "ffffffff"], 1, "no key has the id 'ffffffff'"),
        (["dance"], 2, "No such command 'dance'"),
        (["up", "--port", "70000"], 2, "HUB_PORT: 70000"),
        (["serve", "--workers", "0"], 2, "HUB_WORKERS: 0"),
    ],
)
async def test_an_error_is_printed_without_a_traceback(
    run_command: RunCommand, database_dsn: str, arguments: list[str], code: int, said: str
) -> None:
    exit_code, output, errors = await run_command(*arguments, HUB_DATABASE_URL=database_dsn)
    assert (exit_code, output, said in errors, "Traceback" in errors) == (code, "", True, False)


@pytest.mark.parametrize(
    ("host", "code", "said"),
    [
        ("203.0.113.7", "PORT_IN_USE", "HUB_PORT: cannot listen on 203.0.113.7:8000 ("),
        ("no.such.host.invalid", "SETTING_INVALID", "HUB_HOST: 'no.such.host.invalid' is not an address"),
    ],
)
def test_an_address_of_another_machine_is_reported(host: str, code: str, said: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        server.bind(Settings(host=host))
    assert (caught.value.code, caught.value.message.startswith(said)) == (code, True)


def test_a_port_in_use_is_reported() -> None:
    with closing(server.bind(Settings(port=0))) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Misconfigured) as caught:
            server.bind(Settings(port=port))
    assert caught.value.message == (
        f"HUB_PORT: cannot listen on 127.0.0.1:{port} (Address already in use); choose another with --host and --port."
    )


@pytest.mark.parametrize("command", ["migrate", "doctor"])
async def test_an_unreachable_database_is_reported_without_its_password(run_command: RunCommand, command: str) -> None:
    code, output, errors = await run_command(command, HUB_DATABASE_URL="postgresql://hub:hunter2@127.0.0.1:1/hub")
    assert code == 1
    assert "HUB_DATABASE_URL" in output + errors
    assert "hunter2" not in output + errors
    assert "Traceback" not in errors


async def test_a_database_without_tables_is_reported_and_migrated(
    run_command: RunCommand, create_database: CreateDatabase
) -> None:
    dsn = await create_database("template0")
    with pytest.raises(Misconfigured) as caught:
        doctor.require_all_ok(await doctor.check_database(dsn))
    assert caught.value.message.startswith("migrations: the database has no tables yet, this hub needs ")
    assert caught.value.message.endswith("; run `hub migrate`.")
    assert (await run_command("migrate", HUB_DATABASE_URL=dsn))[0] == 0
    assert (await run_command("doctor"))[0] == 0


async def test_doctor_names_what_is_wrong(run_command: RunCommand, database_dsn: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("x")
    (tmp_path / "key").chmod(0o644)
    code, output, _ = await run_command("doctor", HUB_DATABASE_URL=database_dsn, HUB_PROT="1")
    report = " ".join(output.split())
    assert code == 1
    assert "HUB_PROT: no such setting" in report
    assert "chmod 600" in report


async def test_what_is_printed_for_files_is_only_that(run_command: RunCommand) -> None:
    for command, first in (("sdl", '"""'), ("settings", "# Settings"), ("errors", "# Errors")):
        code, output, errors = await run_command(command)
        assert (code, output.startswith(first), errors) == (0, True, "")
