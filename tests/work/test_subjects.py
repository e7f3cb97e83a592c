"""Rows about other rows: links in both directions, who sees them, and what becomes of them when their subject changes."""

from typing import Any
from uuid import UUID

import pytest
from conftest import create_api_key, execute_sql
from people import people_who_do_not_see
from writer_client import HubClient

from hub.viewer import Role

TEAM = "mutation ($input: TeamCreateInput!) { teamCreate(input: $input) { team { id } } }"
MOVE = """mutation ($input: TeamStatusMoveInput!) { teamStatusMove(input: $input) {
    team { status allowedMoves moves { nodes { name } } }
    move { entity column fromValue toValue name reason audience customer { id } unit { code }
        subject { __typename ... on Team { code } } }
} }"""
MOVES = '{ moves(filter: {reason: {startsWith: "%s"}}) { nodes { reason subject { ... on Team { code } } } } }'


async def _units(client: HubClient) -> dict[str, str]:
    return {
        unit["code"]: unit["id"]
        for unit in (await client.query("{ orgUnits { nodes { id code } } }"))["orgUnits"]["nodes"]
    }


async def _team(client: HubClient, code: str, unit_id: str) -> str:
    team = {"code": code, "name": code, "type": "SALES", "unitId": unit_id}
    return str((await client.query(TEAM, {"input": team}))["teamCreate"]["team"]["id"])


async def _end(client: HubClient, team: str, reason: str) -> Any:
    return (await client.query(MOVE, {"input": {"id": team, "status": "ENDED", "reason": reason}}))["teamStatusMove"]


def _key(id: str) -> UUID:
    return UUID(id.partition("_")[2])


async def test_a_row_about_a_row_links_in_both_directions(northwind_client: HubClient) -> None:
    units = await _units(northwind_client)
    code, unit_id = next(iter(units.items()))
    moved = await _end(northwind_client, await _team(northwind_client, "both", unit_id), "both ways")
    assert moved["team"] == {"status": "ENDED", "allowedMoves": ["ACTIVE"], "moves": {"nodes": [{"name": "ENDED"}]}}
    assert moved["move"] == {
        "entity": "Team",
        "column": "status",
        "fromValue": "ACTIVE",
        "toValue": "ENDED",
        "name": "ENDED",
        "reason": "both ways",
        "audience": "UNIT",
        "customer": None,
        "unit": {"code": code},
        "subject": {"__typename": "Team", "code": "both"},
    }
    teams = '{ teams(filter: {moves: {some: {reason: {eq: "both ways"}}}}) { nodes { code } } }'
    assert (await northwind_client.query(teams))["teams"]["nodes"] == [{"code": "both"}]


async def test_it_is_seen_where_its_subject_belongs_and_follows_it(northwind_client: HubClient) -> None:
    units = await _units(northwind_client)
    (first, first_id), (second, second_id) = list(units.items())[-2:]
    team = await _team(northwind_client, "follows", first_id)
    await _end(northwind_client, team, "follows it")
    keys = {u: await create_api_key(northwind_client.dsn, Role.READER, unit_id=_key(units[u])) for u in (first, second)}
    seen = [{"reason": "follows it", "subject": {"code": "follows"}}]

    async def shown(unit: str) -> Any:
        return (await northwind_client.query(MOVES % "follows", key=keys[unit]))["moves"]["nodes"]

    assert (await shown(first), await shown(second)) == (seen, [])
    change = "mutation ($input: TeamUpdateInput!) { teamUpdate(input: $input) { team { moves { nodes { unit { code } } } } } }"
    changed = await northwind_client.query(change, {"input": {"id": team, "unitId": second_id}})
    assert changed["teamUpdate"]["team"]["moves"]["nodes"] == [{"unit": {"code": second}}]
    assert (await shown(first), await shown(second)) == ([], seen)


async def test_it_goes_with_its_subject(northwind_client: HubClient) -> None:
    units = await _units(northwind_client)
    team = await _team(northwind_client, "goes", next(iter(units.values())))
    await _end(northwind_client, team, "goes away")
    await northwind_client.query(
        "mutation ($input: TeamDeleteInput!) { teamDelete(input: $input) { deletedId } }", {"input": {"id": team}}
    )
    assert (await northwind_client.query(MOVES % "goes"))["moves"]["nodes"] == []


@pytest.mark.parametrize(
    ("audience", "sees"),
    [
        ("CUSTOMER", {"unit", "customer"}),
        ("INSIDE", {"unit"}),
        ("UNIT", {"unit"}),
        ("ASSIGNEE", {"unit", "person"}),
        ("PERSON", {"person"}),
    ],
)
async def test_the_audience_decides_who_sees_it(northwind_client: HubClient, audience: str, sees: set[str]) -> None:
    (customer,) = (await northwind_client.query("{ customers(first: 1) { nodes { id unit { id } } } }"))["customers"][
        "nodes"
    ]
    person = (await people_who_do_not_see(northwind_client, customer["id"]))[0]
    team = await _team(northwind_client, f"audience_{audience.lower()}", customer["unit"]["id"])
    reason = f"audience {audience}"
    await _end(northwind_client, team, reason)
    await execute_sql(
        northwind_client.dsn,
        f"update moves set audience = '{audience}', customer_id = '{_key(customer['id'])}',"
        f" staff_id = '{_key(person.id)}' where reason = '{reason}'",
    )
    dsn, unit, own = northwind_client.dsn, _key(customer["unit"]["id"]), _key(customer["id"])
    keys = {
        "unit": await create_api_key(dsn, Role.READER, unit_id=unit),
        "customer": await create_api_key(dsn, Role.READER, customer_id=own),
        "person": person.key,
        "unbound": await create_api_key(dsn, Role.READER),
        "admin": northwind_client.key,
    }
    seen = {
        name for name, key in keys.items() if (await northwind_client.query(MOVES % reason, key=key))["moves"]["nodes"]
    }
    assert seen == sees | {"admin"} | (set() if audience == "PERSON" else {"unbound"})
