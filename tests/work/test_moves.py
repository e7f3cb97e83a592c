"""Moves of every workflow: concurrent ones take turns, and `allowedMoves` says what a key may do now."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import pytest
from conftest import CreateDatabase, create_api_key, execute_sql
from oracle import edge_rows
from random_runs import draws
from writer_client import HubClient, open_hub_client

from hub import schema
from hub.model.moves import WorkflowColumn, workflow_column
from hub.model.workflows import Workflow
from hub.settings import Settings
from hub.viewer import Role

TEAMS = "{ teams(first: 2) { nodes { id code allowedMoves } } }"
MOVE = "mutation ($input: TeamStatusMoveInput!) { teamStatusMove(input: $input) { team { id } } }"
ROLE = "mutation ($input: RoleUpsertInput!) { roleUpsert(input: $input) { created } }"
ALSO_MOVER = """insert into role_assignments (role_id, key_id)
    select r.id, k.id from roles as r, api_keys as k where r.name = 'team_mover' and k.public_id = '{key}'"""
ALL_ACTIVE = "update teams set status = 'ACTIVE'"


class Outcome(NamedTuple):
    """What a move came to: the state after it, or the code of its refusal with the moves that were possible."""

    state: str | None
    code: str | None = None
    possible: frozenset[str] = frozenset()


@pytest.fixture(scope="module")
async def moving_client(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[HubClient]:
    """A hub with rows of every workflow in every state."""
    dsn = await create_database("northwind")
    await edge_rows.add(dsn, count=20)
    async with open_hub_client(dsn, Settings(request_timeout=120)) as client:
        yield client


def _workflow_columns() -> list[WorkflowColumn]:
    return [
        workflow_column(entity, column)
        for entity in schema.entities()
        for column in entity.definition.workflow_columns
        if "moves_of" not in entity.definition.options
    ]


def _plain_moves(state: Workflow) -> list[Workflow]:
    """The moves that a client may make without more than a reason."""
    moves = state.moves().items()
    return [t for t, step in moves if not (step.by_hub or step.guarded or step.needs or step.takes)]


def _serial(state: Workflow, targets: Sequence[Workflow]) -> tuple[Outcome, ...]:
    """What becomes of moves that come one after the other."""
    outcomes = []
    for target in targets:
        possible = {t for t, step in state.moves().items() if not step.by_hub}
        if target in possible:
            state = target
            outcomes.append(Outcome(target.value))
        else:
            outcomes.append(Outcome(None, "MOVE_INVALID", frozenset(t.value for t in possible)))
    return tuple(outcomes)


async def _move(client: HubClient, where: WorkflowColumn, key: UUID, target: Workflow) -> Outcome:
    name = where.entity.definition.name
    field = f"{name[0].lower()}{name[1:]}"
    title = where.column.replace("_", " ").title().replace(" ", "")
    values = {"id": f"{where.entity.definition.options['prefix']}_{key.hex}", where.column: target.value}
    if where.history is not None:
        values["reason"] = "at once"
    mutation = (
        f"mutation ($input: {name}{title}MoveInput!) {{ {field}{title}Move(input: $input) {{ {field} {{ id }} }} }}"
    )
    response = await client.execute(mutation, {"input": values})
    if "errors" not in response:
        return Outcome(target.value)
    (error,) = response["errors"]
    assert error["extensions"]["code"] == where.code, error
    named = {state.value for state in where.workflow if f" {state.value}" in error["message"].partition(";")[2]}
    if where.is_shared:
        assert set(error["extensions"]["allowedMoves"]) == named, error
    return Outcome(None, "MOVE_INVALID", frozenset(named))


@draws("concurrent moves")
async def test_of_two_conflicting_moves_one_wins_and_the_other_learns_what_is_possible(
    moving_client: HubClient, draws: int, seed: int
) -> None:
    rng, moved = random.Random(seed), 0
    wheres = [where for where in _workflow_columns() if any(map(_plain_moves, where.workflow))]
    connection = await asyncpg.connect(moving_client.dsn)
    try:
        for number in range(draws):
            where = wheres[number % len(wheres)]
            table, column = where.entity.table.name, where.column
            key = await connection.fetchval(f"select id from {table} order by random() limit 1")
            if key is None:
                continue
            state = rng.choice(list(where.workflow))
            targets = rng.sample([*_plain_moves(state), *where.workflow], 2)
            targets = [target for target in targets if target in _plain_moves(state) or target not in state.moves()]
            try:
                await connection.execute(f"update {table} set {column} = $2 where id = $1", key, state.value)
            except asyncpg.IntegrityConstraintViolationError:
                continue  # the row is in a state that the database itself keeps
            outcomes = await asyncio.gather(*(_move(moving_client, where, key, target) for target in targets))
            orders = {_serial(state, targets), _serial(state, targets[::-1])[::-1]}
            assert tuple(outcomes) in orders, (where, state, targets, outcomes)
            moved += sum(outcome.state is not None for outcome in outcomes)
            stored = await connection.fetchval(f"select {column} from {table} where id = $1", key)
            assert stored in {state.value, *(outcome.state for outcome in outcomes)}
        assert moved > draws // 4
    finally:
        await connection.close()


async def test_allowed_moves_are_those_of_the_key_that_asks(moving_client: HubClient) -> None:
    await execute_sql(moving_client.dsn, ALL_ACTIVE)
    reader, writer = [await create_api_key(moving_client.dsn, role) for role in (Role.READER, Role.WRITER)]
    shown = [
        (await moving_client.query(TEAMS, key=key))["teams"]["nodes"][0]["allowedMoves"] for key in (reader, writer)
    ]
    assert shown == [[], ["ENDED"]]


async def test_roles_say_in_which_rows_a_key_may_move(moving_client: HubClient) -> None:
    await execute_sql(moving_client.dsn, ALL_ACTIVE)
    own, other = (await moving_client.query(TEAMS))["teams"]["nodes"]
    mine = {"code": {"eq": own["code"]}}
    rules: dict[str, list[dict[str, Any]]] = {
        "team_reader": [{"entity": name, "verbs": ["READ"]} for name in ("Team", "Move")],
        "team_mover": [{"entity": "Team", "verbs": ["READ", "UPDATE"], "rowFilter": mine}],
    }
    for name, entries in rules.items():
        await moving_client.query(ROLE, {"input": {"name": name, "rules": entries}})
    key = await create_api_key(moving_client.dsn, "team_reader")
    await execute_sql(moving_client.dsn, ALSO_MOVER.format(key=key.split("_")[1]))
    allowed = {
        team["code"]: team["allowedMoves"] for team in (await moving_client.query(TEAMS, key=key))["teams"]["nodes"]
    }
    assert allowed == {own["code"]: ["ENDED"], other["code"]: []}
    error = await moving_client.error(MOVE, {"input": {"id": other["id"], "status": "ENDED", "reason": "no"}}, key=key)
    assert error["code"] == "FORBIDDEN"


async def test_a_move_tells_how_long_the_row_stayed_and_how_much_of_that_was_working_time(
    moving_client: HubClient,
) -> None:
    calendar = """mutation { calendarUpsert(input: {code: "nine_to_ten", name: "Nine to ten", timezone: "UTC",
        weekly: {mon: ["00:00-24:00"], tue: ["00:00-24:00"], wed: ["00:00-24:00"], thu: ["00:00-24:00"],
            fri: ["00:00-24:00"], sat: ["00:00-24:00"], sun: ["00:00-24:00"]}}) { calendar { id } } }"""
    calendar_id = (await moving_client.query(calendar))["calendarUpsert"]["calendar"]["id"]
    await execute_sql(moving_client.dsn, ALL_ACTIVE)
    team = (await moving_client.query(TEAMS))["teams"]["nodes"][0]["id"]
    key = UUID(team.partition("_")[2])
    await execute_sql(
        moving_client.dsn,
        f"""delete from moves where row_id = '{key}';
        update teams set created_at = now() - interval '2 hours' where id = '{key}';
        insert into clocks (entity, row_id, audience, name, status, calendar_id, calendar_version, goal_seconds, spent,
            started_at, running_since, own_goal)
        values ('Team', '{key}', 'UNIT', 'EDGE', 'RUNNING', '{UUID(calendar_id.partition("_")[2])}', 1, 60, 0,
            now(), now(), true)""",
    )
    ended = "mutation ($input: TeamStatusMoveInput!) { teamStatusMove(input: $input) { move { stayed worked } } }"
    move = await moving_client.query(ended, {"input": {"id": team, "status": "ENDED", "reason": "time"}})
    stayed, worked = move["teamStatusMove"]["move"].values()
    assert 7_200 <= stayed < 7_800
    assert worked in (stayed, stayed + 1)  # fractions of a second are cut off the one and rounded in the other
