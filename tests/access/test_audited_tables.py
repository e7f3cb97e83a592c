"""What the change log does not capture is recorded all the same: keys' limits, trusted documents, links, sessions, secrets."""

import json
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest
from audit_reader import wait_for_entry, wait_until_chained
from command_line import RunCommand
from conftest import create_api_key
from writer_client import HubClient

from hub.domain.access import api_keys
from hub.viewer import Role

LAST = """
select e.kind, e.actor, e.network, t.entity, t.row_ids[1] as row_id, t.operation, t.fields, t.times
from audit_entries as e join audit_targets as t on t.entry_id = e.id
where t.entity = $1 order by t.id desc limit $2
"""


async def last_targets(connection: asyncpg.Connection, table: str, count: int = 1) -> list[tuple[Any, ...]]:
    """The latest targets of a table, newest first, once everything is chained."""
    await wait_until_chained(connection)
    return [tuple(row) for row in await connection.fetch(LAST, table, count)]


async def key_row(connection: asyncpg.Connection, key: str) -> str:
    """The id of a key's row in the graph."""
    key_id = await connection.fetchval("select id from api_keys where public_id = $1", api_keys.extract_public_id(key))
    return f"key_{key_id.hex}"


async def test_every_change_of_a_keys_limits_is_recorded(
    northwind_client: HubClient, connection: asyncpg.Connection, run_command: RunCommand
) -> None:
    key = await create_api_key(northwind_client.dsn, Role.READER)
    row, id = await key_row(connection, key), str(api_keys.extract_public_id(key))
    actor = "db:" + await connection.fetchval("select session_user")
    columns = ["cost_capacity", "cost_refill", "trusted_only"]
    changes = [
        (("--capacity", "100"), "CREATE", columns),
        (("--capacity", "200"), "UPDATE", ["cost_capacity"]),
        (("--capacity", "200"), None, []),
        (("--trusted",), "UPDATE", ["trusted_only"]),
        (("--capacity", "0", "--untrusted"), "DELETE", columns),
    ]
    expected = []
    for options, operation, fields in changes:
        code, _, errors = await run_command("key", "limit", id, *options, HUB_DATABASE_URL=northwind_client.dsn)
        assert (code, errors) == (0, "")
        expected += [("KEY", actor, None, "key_limits", row, operation, fields, 1)] if operation else []
    assert await last_targets(connection, "key_limits", 9) == expected[::-1]


async def test_documents_are_recorded_by_manifest(
    northwind_client: HubClient, connection: asyncpg.Connection, run_command: RunCommand, tmp_path: Path
) -> None:
    documents = {f"{number:032x}": f"query Q{number} {{ products {{ totalCount }} }}" for number in range(3)}
    (tmp_path / "build.json").write_text(json.dumps(documents))
    load = ("documents", "load", str(tmp_path / "build.json"), "--name", "shop")
    for command in (load, load, ("documents", "remove", "shop")):
        code, _, errors = await run_command(*command, HUB_DATABASE_URL=northwind_client.dsn)
        assert (code, errors) == (0, "")
    targets = await last_targets(connection, "trusted_documents", 9)
    assert [(target[0], *target[4:6], target[7]) for target in targets] == [
        ("PERMISSION", "shop", "DELETE", 3),
        ("PERMISSION", "shop", "CREATE", 3),
    ]


async def test_direct_sql_is_recorded(northwind_client: HubClient, connection: asyncpg.Connection) -> None:
    statements = {
        "insert into trusted_documents (id, manifest, text, loaded_at) values ('a', 'm', '{ a }', now())": ["CREATE"],
        "update trusted_documents set text = '{ b }' where id = 'a'": ["UPDATE"],
        "update trusted_documents set text = '{ b }' where text = '{ b }'": [],
        "update trusted_documents set id = 'b' where id = 'a'": ["CREATE", "DELETE"],
        "delete from trusted_documents where id = 'b'": ["DELETE"],
        "delete from trusted_documents where id = 'a'": [],
    }
    recorded = {}
    for statement in statements:
        await wait_until_chained(connection)
        before = await connection.fetchval("select number from audit_head")
        await connection.execute(statement)
        await wait_until_chained(connection)
        rows = await connection.fetch(
            "select t.operation from audit_targets as t where entity = 'trusted_documents'"
            " and entry_id > lpad(to_hex($1::bigint), 32, '0')::uuid order by t.operation",
            before,
        )
        recorded[statement] = [operation for (operation,) in rows]
    assert recorded == statements


async def test_many_rows_are_several_entries(northwind_client: HubClient, connection: asyncpg.Connection) -> None:
    await connection.execute("""
        insert into trusted_documents (id, manifest, text, loaded_at)
        select 'many' || n, 'build ' || n, '{ a }', now() from generate_series(1, 2500) as n
        """)
    await wait_until_chained(connection)
    rows = await connection.fetch("""
        select count(*) from audit_targets where entity = 'trusted_documents' and row_ids[1] like 'build %'
        group by entry_id order by entry_id
        """)
    assert [count for (count,) in rows] == [1000, 1000, 500]


async def test_nobody_empties_a_table_without_a_trace(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    for table in ("key_limits", "trusted_documents", "login_links", "webhook_secrets", "secrets", "token_sessions"):
        with pytest.raises(asyncpg.PostgresError, match="not truncated"):
            await connection.execute(f"truncate {table} cascade")


async def test_a_link_and_its_session_are_the_work_of_its_key(
    northwind_client: HubClient, connection: asyncpg.Connection, run_command: RunCommand
) -> None:
    row = await key_row(connection, northwind_client.key)
    actor = f"key:{api_keys.extract_public_id(northwind_client.key)}"
    arguments = ("link", "--key", str(api_keys.extract_public_id(northwind_client.key)))
    code, output, errors = await run_command(*arguments, HUB_DATABASE_URL=northwind_client.dsn)
    assert code == 0, errors
    link = output.split("#link=")[1].split()[0]
    session = await post_session(northwind_client, {"link": link})
    used, created = await last_targets(connection, "login_links", 2)
    assert (used[:6], created[4:6]) == (("KEY", actor, "127.0.0.1", "login_links", row, "DELETE"), (row, "CREATE"))
    assert link not in str(await connection.fetch("select * from audit_targets"))
    started = await wait_for_entry(
        northwind_client,
        kind={"eq": "KEY"},
        targets={"some": {"entity": {"eq": "ApiKey"}, "operation": {"eq": "CREATE"}}},
    )
    assert (started["actor"], started["network"]) == (actor, "127.0.0.1")
    assert session.startswith("hub_")


async def post_session(hub_client: HubClient, body: dict[str, str]) -> str:
    """The key of a session that a hub starts for a link or a credential."""
    transport = httpx2.ASGITransport(app=hub_client.app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://hub") as client:
        response = await client.post("/graphiql/session", json=body)
    assert response.status_code == 200, response.text
    key: str = response.json()["key"]
    return key
