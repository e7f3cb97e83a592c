"""First contact on the command line: which hub a command means, what it refuses, and what it says at its start."""

import json
import signal
import subprocess
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from command_line import RunCommand
from conftest import CreateDatabase, with_database

from hub.db import migrate
from hub.domain.access import api_keys, shipped_roles
from hub.postgres import PostgresServer, ensure
from hub.postgres.__main__ import main as run_client_program

ROOT = Path(__file__).parents[2]
NO_HUB = "there is no hub in "
LOOKING = (
    ("key", "create", "--role", "reader"),
    ("key", "list"),
    ("key", "revoke", "0123456789abcdef"),
    ("serve",),
    ("worker",),
    ("migrate",),
)


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A data directory with tables, whose server runs."""
    with ensure(tmp_path_factory.mktemp("embedded") / "data", durable=False) as server:
        yield server


@pytest.fixture(autouse=True)
def no_signal_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run in a thread, where Python sets no signal handlers."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)


@pytest.fixture
def folder(run_command: RunCommand, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty current directory; no data directory is named."""
    folder = tmp_path / "current"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("HUB_DATA_DIR")
    return folder


def paths_in(folder: Path) -> list[Path]:
    """Everything in a folder, at any depth."""
    return sorted(folder.rglob("*"))


def take_failure_file(errors: str) -> tuple[str, int]:
    """The text and the mode of the file that an error names; removes it."""
    file = Path(errors.rpartition(" ")[2].strip().removesuffix(")"))
    text, mode = file.read_text(), file.stat().st_mode
    file.unlink()
    return text, mode


@pytest.mark.parametrize("names", [(".hub",), ("hub-data",), (".hub", "hub-data")], ids=" and ".join)
async def test_s2_a_key_is_created_in_the_hub_that_is_there(
    run_command: RunCommand, folder: Path, embedded: PostgresServer, names: tuple[str, ...]
) -> None:
    await migrate.upgrade(embedded.dsn)
    for name in reversed(names):
        (folder / name).symlink_to(embedded.data_dir if name == names[0] else folder)
    code, key, errors = await run_command("key", "create", "--role", "reader", "--name", "-".join(names))
    assert (code, api_keys.extract_public_id(key.strip()) is None) == (0, False)
    hint = "hub: using .hub; hub-data exists too: choose with --data or HUB_DATA_DIR.\n"
    assert errors == (hint if len(names) == 2 else "")
    assert {path.name for path in paths_in(folder)} == set(names)
    code, listed, _ = await run_command("key", "list", "--data", names[0])
    assert (code, key[4:20] in listed) == (0, True)


@pytest.mark.parametrize("command", LOOKING, ids=" ".join)
@pytest.mark.parametrize("data", [(), ("--data", "no/such/hub")], ids=["default", "mistyped"])
async def test_s2_where_there_is_no_hub_a_command_says_so_and_creates_nothing(
    run_command: RunCommand, folder: Path, command: tuple[str, ...], data: tuple[str, ...]
) -> None:
    code, output, errors = await run_command(*command, *data)
    *_, path = ".hub", *data
    remedy = "; name its directory with --data or HUB_DATA_DIR, or create one with `hub up`"
    assert (code, output, errors) == (1, "", f"hub: {NO_HUB}{folder / path}{remedy}\n")
    assert paths_in(folder) == []


async def test_s2_doctor_says_in_one_line_that_there_is_no_hub(run_command: RunCommand, folder: Path) -> None:
    code, output, _ = await run_command("doctor", "--data", "no/such/hub")
    problems = [line for line in output.splitlines() if line.startswith("problem")]
    assert (code, len(problems), NO_HUB in problems[0]) == (1, 1, True)
    assert paths_in(folder) == []


@pytest.mark.parametrize("contents", ["file", "empty directory", "other cluster", "dangling link"])
async def test_s2_a_directory_of_something_else_is_refused_in_one_line(
    run_command: RunCommand, folder: Path, contents: str
) -> None:
    path = folder / "data"
    match contents:
        case "file":
            path.write_text("x")
        case "dangling link":
            path.symlink_to(folder / "nowhere")
        case _:
            path.mkdir()
            (path / "PG_VERSION").write_text("18\n") if contents == "other cluster" else None
    before = paths_in(folder)
    code, output, errors = await run_command("key", "list", "--data", "data")
    assert (code, output, errors.count("\n"), "Traceback" in errors) == (1, "", 1, False)
    assert paths_in(folder) == before


def test_s2_a_client_program_creates_a_cluster_only_when_asked(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run_client_program([str(tmp_path / "data"), "psql"]) == 1
    assert NO_HUB in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


async def test_s2_a_database_without_tables_is_reported_in_one_line(
    run_command: RunCommand, create_database: CreateDatabase
) -> None:
    dsn = await create_database("template0")
    code, output, errors = await run_command("key", "create", "--role", "reader", HUB_DATABASE_URL=dsn)
    assert (code, output, errors.count("\n")) == (1, "", 1)
    assert errors.startswith("hub: migrations: the database has no tables yet, ")
    assert errors.endswith("; run `hub migrate`.\n")


async def test_s2_an_unexpected_error_is_one_line_and_a_file(
    run_command: RunCommand, database_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("the\nunexpected")

    monkeypatch.setattr(api_keys, "list_keys", fail)
    code, output, errors = await run_command("key", "list", HUB_DATABASE_URL=database_dsn)
    assert (code, output, errors.count("\n")) == (1, "", 1)
    assert errors.startswith("hub: it failed unexpectedly: RuntimeError: the unexpected (the traceback is in /")
    text, mode = take_failure_file(errors)
    assert (text.startswith("Traceback"), mode & 0o077) == (True, 0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("hub:", "hub:hunter2-"), 'the server rejects the password: password authentication failed for user "hub".'),
        (
            ("//hub:", "//ana:hunter2-"),
            'the server rejects the password: password authentication failed for user "ana".',
        ),
        (("/hub_", "/hunter2_"), 'database "hunter2_nowhere" does not exist. Create the database'),
        (("@127.0.0.1", "@nowhere.invalid"), "the name of its host is unknown."),
        (("@127.0.0.1", "x@hunter2/x@127.0.0.1"), "the name of its host is unknown."),
        (("@127.0.0.1:", "@127.0.0.1:1"), "nothing listens at its host and port."),
        (("@127.0.0.1:", "@127.0.0.1:hunter2"), "this is not the URL of a database."),
    ],
    ids=["password", "user", "database", "host", "at sign in the password", "port", "no number"],
)
async def test_s6_a_wrong_database_url_is_reported_with_what_is_wrong(
    run_command: RunCommand, postgres_server: PostgresServer, change: tuple[str, str], said: str
) -> None:
    dsn = with_database(postgres_server.dsn, "hub_nowhere")
    port = dsn.rpartition(":")[2].partition("/")[0]
    url = dsn.replace(f":{port}/", ":1/") if change[1] == "@127.0.0.1:1" else dsn.replace(*change, 1)
    code, output, errors = await run_command("key", "list", HUB_DATABASE_URL=url)
    assert (code, output, errors.count("\n")) == (1, "", 1)
    assert errors.startswith(f"hub: HUB_DATABASE_URL: {said}")
    assert ("hunter2" in errors) == ("does not exist" in said)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("HUB_PROT", "HUB_PORT"),
        ("HUB_DATABSE_URL", "HUB_DATABASE_URL"),
        ("hub_webhooks_allow", "HUB_WEBHOOK_ALLOW"),
        ("HUB_SHOE_SIZE", None),
    ],
)
async def test_s6_a_misspelt_variable_is_named_at_the_start(
    run_command: RunCommand, database_dsn: str, name: str, nearest: str | None
) -> None:
    guess = f"did you mean {nearest}? " if nearest else ""
    warning = f"{name} is no setting and has no effect; {guess}`hub settings` lists all."
    code, _, errors = await run_command("key", "list", HUB_DATABASE_URL=database_dsn, **{name: "1"})
    assert (code, errors) == (0, f"hub: {warning}\n")
    # A server logs it before anything else, here before it finds no database.
    code, _, errors = await run_command("serve", HUB_DATABASE_URL="postgresql://127.0.0.1:1/hub")
    first = json.loads(errors.splitlines()[0])
    assert (code, first["event"], first["text"]) == (1, "settings_warning", warning)


async def test_s6_versions_are_printed(run_command: RunCommand, folder: Path) -> None:
    assert await run_command("--version") == (0, f"hub {metadata.version('hub')}\n", "")
    code, output, errors = await run_command("version", "--json")
    assert (code, errors, [row["part"] for row in json.loads(output)]) == (
        0,
        "",
        ["hub", "python", "postgres", "revision"],
    )
    assert paths_in(folder) == []


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("hub key ", ["create", "list", "rotate", "revoke", "limit"]),
        ("hub key create --role ", list(shipped_roles.SHIPPED_ROLES)),
        ("hub key list --js", ["--json"]),
    ],
)
async def test_s6_the_shell_completes_commands(run_command: RunCommand, typed: str, offered: list[str]) -> None:
    count = len(typed.split()) - (not typed.endswith(" "))
    completing = {"_HUB_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(count)}
    code, output, _ = await run_command(**completing)
    assert (code, output.split()) == (0, offered)


async def test_s6_keys_are_listed_for_programs(run_command: RunCommand, database_dsn: str) -> None:
    names = ("a name that is longer than any column of a terminal that is eighty characters wide", "tab\tin it")
    ids = [
        (await run_command("key", "create", "--role", "reader", "--name", names[0], HUB_DATABASE_URL=database_dsn))[1][
            4:20
        ]
    ]
    code, output, errors = await run_command("key", "list")
    assert (code, errors, [line.split("\t")[:3] for line in output.splitlines()]) == (
        0,
        "",
        [[ids[0], names[0], "reader"]],
    )
    code, output, errors = await run_command("key", "list", "--json")
    (row,) = json.loads(output)
    assert (code, errors, row["id"], row["name"], row["state"]) == (0, "", ids[0], names[0], "living")
    assert (row["unit"], row["customer"], row["expires"], row["lastUsed"]) == (None, None, None, None)
    code, output, _ = await run_command("key", "revoke", names[0])
    assert (code, output.startswith(f"{ids[0]} is revoked since ")) == (0, True)


async def test_s6_a_name_of_several_keys_revokes_none(run_command: RunCommand, database_dsn: str) -> None:
    create = ("key", "create", "--role", "reader", "--name", "twin")
    keys = [(await run_command(*create, HUB_DATABASE_URL=database_dsn))[1][4:20] for _ in range(2)]
    code, output, errors = await run_command("key", "revoke", "twin")
    assert (code, output) == (1, "")
    assert errors == f"hub: 2 living keys have the name 'twin'; give one of the ids {', '.join(keys)}.\n"


@pytest.mark.parametrize(("command", "field"), [("settings", "variable"), ("errors", "code"), ("doctor", "name")])
async def test_s6_lists_are_printed_as_json(
    run_command: RunCommand, database_dsn: str, command: str, field: str
) -> None:
    _, output, _ = await run_command(command, "--json", HUB_DATABASE_URL=database_dsn)
    assert len({row[field] for row in json.loads(output)}) > 5


def test_s4_the_demo_installs_no_tool_of_development(tmp_path: Path) -> None:
    def commands(target: str) -> list[str]:
        make = ("make", "--dry-run", "--silent", target, f"VENV={tmp_path / 'venv'}", "PYTHON=python3")
        lines = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
        return [line for line in lines if "install.py" in line]

    assert commands("demo") == ["python3 install.py"]
    assert commands("test") == ["python3 install.py", "python3 install.py --dev"]
