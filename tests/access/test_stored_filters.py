"""Stored filters of roles: faults are named by their path, a start plans them anew, an edit says who uses them."""

from typing import Any

import asyncpg
import pytest
from conftest import create_api_key
from test_role_writes import key_id
from test_roles import ASSIGN_ONLY
from writer_client import HubClient, open_hub_client

from hub.observability import Event, StoredFilterBroken, add_handler

UPSERT = "mutation ($input: RoleUpsertInput!) { roleUpsert(input: $input) { created usedBy } }"
TIME = "a role's rows cannot depend on the time; compare with fixed times."
VIEWERS = "the viewer's own are $staff, $units and $customer."
COUNTS = "{ customers { totalCount } orders { totalCount } }"


@pytest.mark.parametrize(
    ("row_filter", "path", "fault"),
    [
        ({"owner": {"id": {"eq": "$stafff"}}}, ".owner.id.eq", f"'$stafff' is unknown; {VIEWERS}"),
        ({"unit": {"id": {"in": ["$units", "$unit"]}}}, ".unit.id.in", f"'$unit' is unknown; {VIEWERS}"),
        ({"unit": {"id": {"eq": "$units"}}}, ".unit.id.eq", 'compare with `in: ["$units"]`'),
        ({"owner": {"id": {"eq": "ME"}}}, ".owner.id.eq", "ME stands in queries only; write $staff here."),
        ({"createdAt": {"withinLast": "P3D"}}, "", TIME),
        ({"or": [{"orders": {"some": {"placedAt": {"olderThan": "P3D"}}}}]}, "", TIME),
        ({"nme": {"eq": "Ana"}}, "", "unknown field 'nme'. Did you mean 'name' or 'not'?"),
        ({"owner": {"id": {"eq": f"cus_{'0' * 32}"}}}, ".owner.id.eq", "give the id of a Staff, stf_…"),
    ],
)
async def test_a_fault_of_a_filter_is_named_by_its_path(
    northwind_client: HubClient, row_filter: Any, path: str, fault: str
) -> None:
    rule = {"entity": "Customer", "verbs": ["READ"], "rowFilter": row_filter}
    error = await northwind_client.error(UPSERT, {"input": {"name": "faulty", "rules": [rule]}})
    argument = f"input.rules[0].rowFilter{path}"
    assert (error["argument"], error["message"].startswith(f"{argument}: ")) == (argument, True)
    assert fault in error["message"]


async def test_an_edit_of_a_role_says_who_uses_it(northwind_client: HubClient, connection: asyncpg.Connection) -> None:
    rule = {"entity": "Customer", "verbs": ["READ"], "rowFilter": {"country": {"eq": "DE"}}}
    role: dict[str, Any] = {"name": "used", "rules": [rule]}
    assert await northwind_client.query(UPSERT, {"input": role}) == {"roleUpsert": {"created": True, "usedBy": []}}
    own, assigned = await create_api_key(northwind_client.dsn, "used"), await create_api_key(northwind_client.dsn)
    staff = f"stf_{(await connection.fetchval('select id from staff order by id limit 1')).hex}"
    holders = [await key_id(northwind_client, own), await key_id(northwind_client, assigned), staff]
    for holder in ({"keyId": holders[1]}, {"staffId": staff}):
        await northwind_client.query(ASSIGN_ONLY, {"input": {"role": "used", **holder}})
    dry = {"input": {**role, "dryRun": True}}
    assert (await northwind_client.query(UPSERT, dry))["roleUpsert"]["usedBy"] == sorted(holders)


async def test_a_start_reports_a_filter_that_cannot_be_planned_any_more(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    """As if a field was renamed: its rule grants nothing from then on, and the other rule of the role stands."""
    by_country = {"entity": "Customer", "verbs": ["READ"], "rowFilter": {"country": {"eq": "DE"}}}
    role = {"name": "renamed", "rules": [by_country, {"entity": "Order", "verbs": ["READ"]}]}
    await northwind_client.query(UPSERT, {"input": role})
    key = await create_api_key(northwind_client.dsn, "renamed")
    assert (await northwind_client.query(COUNTS, key=key))["customers"]["totalCount"] == 11
    await connection.execute(
        """update role_rules set row_filter = '{"land": {"eq": "DE"}}'
        where entity = 'Customer' and role_id = (select id from roles where name = 'renamed')"""
    )
    # Processes load a role once for each digest, and the new schema comes with a new process.
    await connection.execute("update roles set digest = md5(digest) || md5(name) where name = 'renamed'")
    events: list[Event] = []
    remove_handler = add_handler(events.append)
    try:
        async with open_hub_client(northwind_client.dsn) as restarted:
            (report,) = (event for event in events if isinstance(event, StoredFilterBroken))
            assert report.rule.startswith("role renamed, Customer: filter: ")
            assert "unknown field 'land'" in report.rule
            response = await restarted.execute(COUNTS, key=key)
            assert [error["extensions"]["code"] for error in response["errors"]] == ["FIELD_UNKNOWN"]
            orders = await restarted.query("{ orders { totalCount } }", key=key)
            assert orders["orders"]["totalCount"] == 830
    finally:
        remove_handler()
