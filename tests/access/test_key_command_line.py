"""`hub key` for keys of staff, allowed networks and rotation; texts that are no UTF-8."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from command_line import RunCommand

from hub.domain.access import api_keys

NO_UTF8 = "caf\udce9"  # as Python reads the bytes `caf\xe9` of a command line


async def _listed(run_command: RunCommand) -> list[dict[str, Any]]:
    code, output, _ = await run_command("key", "list", "--json")
    assert code == 0
    rows: list[dict[str, Any]] = json.loads(output)
    return rows


async def test_a_persons_key_is_created_and_listed(run_command: RunCommand, northwind_dsn: str) -> None:
    connection = await asyncpg.connect(northwind_dsn)
    person = await connection.fetchrow(
        "select s.id, u.path::text from staff as s join org_units as u on u.id = s.unit_id where s.number = '1'"
    )
    assert person is not None
    networks = ("--network", "10.1.0.0/16", "--network", "::ffff:192.0.2.0/120")
    create = ("key", "create", "--role", "writer", "--name", "Nancy's", "--staff", "1", *networks)
    code, key, _ = await run_command(*create, HUB_DATABASE_URL=northwind_dsn)
    assert code == 0
    (row,) = await _listed(run_command)
    assert (row["id"], row["unit"], row["staff"]) == (key[4:20], person["path"], f"stf_{person['id'].hex}")
    assert (row["networks"], row["state"], row["previousUntil"]) == ("10.1.0.0/16 192.0.2.0/24", "living", None)
    code, _, _ = await run_command(
        "key", "create", "--role", "reader", "--staff", f"stf_{person['id'].hex}", "--unrestricted"
    )
    assert (code, (await _listed(run_command))[1]["unit"]) == (0, None)
    await connection.execute("update staff set left_on = $1", datetime.now(UTC).date() - timedelta(days=1))
    assert [row["state"] for row in await _listed(run_command)] == ["left", "left"]
    await connection.close()


async def test_a_key_is_rotated_by_name(run_command: RunCommand, database_dsn: str) -> None:
    create = ("key", "create", "--role", "reader", "--name", "app")
    old = (await run_command(*create, HUB_DATABASE_URL=database_dsn))[1].strip()
    code, new, _ = await run_command("key", "rotate", "app", "--overlap", "2h")
    assert (code, new[:20], new.strip() == old) == (0, old[:20], False)
    (row,) = await _listed(run_command)
    until = datetime.fromisoformat(row["previousUntil"])
    assert timedelta(minutes=119) < until - datetime.now(UTC) <= timedelta(hours=2)
    code, _, _ = await run_command("key", "rotate", old[4:20], "--overlap", "0m")
    assert (code, (await _listed(run_command))[0]["previousUntil"]) == (0, None)
    connection = await asyncpg.connect(database_dsn)
    previous = await connection.fetchval("select previous_hash from api_keys where public_id = $1", old[4:20])
    assert previous == api_keys.digest(new.strip())
    await connection.close()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["key", "rotate", "ffffffff"], 1, "no key has the id 'ffffffff'"),
        (["key", "rotate", "ffffffff", "--overlap", "8d"], 2, "--overlap: '8d' is not a duration"),
        (["key", "rotate", "ffffffff", "--overlap", "soon"], 2, "--overlap: 'soon' is not a duration"),
        (["key", "create", "--role", "reader", "--staff", "4711"], 1, "no member of staff has the id or number '4711'"),
        (
            ["key", "create", "--role", "reader", "--network", "10.0.0.1/8"],
            2,
            "networks: '10.0.0.1/8' names an address",
        ),
        (["key", "create", "--role", "reader", "--unrestricted"], 2, "--unrestricted: it stands with --staff"),
        (["key", "revoke", NO_UTF8], 1, r"key: 'caf\xe9' is no text in UTF-8"),
        (["key", "rotate", NO_UTF8], 1, r"key: 'caf\xe9' is no text in UTF-8"),
        (["key", "create", "--role", "reader", "--name", NO_UTF8], 1, r"name: 'caf\xe9' is no text in UTF-8"),
        (["key", "create", "--role", "reader", "--network", NO_UTF8], 1, r"network: 'caf\xe9' is no text in UTF-8"),
        (["link", "--key", NO_UTF8], 1, r"key: 'caf\xe9' is no text in UTF-8"),
    ],
)
async def test_an_error_is_one_line(
    run_command: RunCommand, database_dsn: str, arguments: list[str], code: int, said: str
) -> None:
    exit_code, output, errors = await run_command(*arguments, HUB_DATABASE_URL=database_dsn)
    assert (exit_code, output) == (code, "")
    assert said in errors
    assert "unexpectedly" not in errors
