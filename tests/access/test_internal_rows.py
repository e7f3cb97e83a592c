"""What is about a customer and not for it: the customer's own key finds no trace of it, through whichever door it looks.

Scores, moves between stages, reviews of possible duplicates, and interactions marked internal."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import pytest
import sqlalchemy as sa
from change_workload import wait_until_sequenced
from conftest import CreateDatabase, create_api_key
from socket_hub import SocketHub, run_socket_hub

from hub.model import scopes, statements
from hub.rights import AccessRule, RoleVersion, Verb
from hub.viewer import Role, Viewer

CUSTOMER, UNIT = "Around the Horn", "20852"
NOTE = "secret among us"
RECORD = """mutation ($id: ID!, $direction: Direction!) { interactionRecord(input: {
    customerId: $id, channel: PHONE, direction: $direction, kind: "call.logged", subject: "secret among us", body: "note"
}) { interaction { id } } }"""
SCORE = (
    'mutation ($id: ID!) { scoreRecord(input: {customerId: $id, model: "churn.risk", value: 0.9}) { score { id } } }'
)
MOVE = 'mutation ($id: ID!) { customerStageMove(input: {id: $id, stage: LOYAL, reason: "secret"}) { customer { id } } }'
REVIEW = """insert into identity_reviews (customer_id, other_id, reason)
    select a.id, b.id, 'secret' from customers a join customers b using (unit_id) where a.name = $1 and b.id <> a.id limit 1"""

# Every way to ask about interactions, scores, moves and reviews; %s is the id of a row that is hidden from the key.
QUESTIONS = (
    '{ node(id: "%s") { id } nodes(ids: ["%s"]) { id } }',
    "{ interactions(first: 100) { totalCount stats { count max { occurredAt } } nodes { id subject direction } } }",
    "{ interactions(filter: {direction: {eq: INTERNAL}}) { totalCount stats { count } } }",
    '{ interactions(filter: {id: {eq: "%s"}}) { totalCount } }',
    '{ interactions(filter: {subject: {contains: "secret"}}, first: 5) { totalCount pageInfo { hasNextPage } } }',
    "{ customers(orderBy: [{interactions: {by: COUNT}}]) { nodes { interactions { totalCount stats { count } } } } }",
    "{ customers(filter: {interactions: {some: {direction: {eq: INTERNAL}}}}) { totalCount } }",
    "{ customers(filter: {interactions: {count: {gt: 0}, none: {direction: {eq: INTERNAL}}}}) { totalCount } }",
    "{ customers(filter: {scores: {count: {gt: 0}}}) { totalCount } }",
    '{ customers(filter: {stageMoves: {some: {reason: {contains: "e"}}}}) { totalCount } }',
    "{ customers(orderBy: [{scores: {by: MAX, field: VALUE}}]) { edges { cursor } nodes { scores { totalCount } } } }",
    "{ interactionsGrouped(by: [{field: DIRECTION}]) { totalCount nodes { stats { count } } } }",
    "{ scoresGrouped(by: [{field: MODEL}]) { totalCount nodes { stats { count } } } }",
    "{ customers { nodes { reviews { totalCount } stageMoves { totalCount nodes { reason } } } } }",
    "{ customers { nodes { timeline(first: 100) { totalCount nodes { __typename id at } } } } }",
    "{ customers { nodes { timeline(types: [SCORE, STAGE_MOVE]) { totalCount } } } }",
    "{ orders { nodes { interactions { totalCount } } } }",
    "{ scores { totalCount nodes { id } } stageMoves { totalCount } identityReviews { totalCount nodes { other { id } } } }",
    '{ interaction(id: "%s") { id history { totalCount } } }',
    '{ nodeAsOf(id: "%s", at: "%now") { id } }',
)
CHANGES = """{ changes(first: 100, filter: {types: [INTERACTION, SCORE, STAGE_MOVE, IDENTITY_REVIEW]}) {
    __typename ... on Change { operation entity node { id } } } }"""


class InternalRows(NamedTuple):
    """A hub, the key of a customer, and the customer's id."""

    hub: SocketHub
    key: str
    customer: str


@pytest.fixture(scope="module")
async def internal_rows(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[InternalRows]:
    async with run_socket_hub(await create_database("northwind"), cost_limit=10_000_000) as hub:
        await hub.connection.execute("delete from interactions where direction = 'INTERNAL'; delete from scores")
        await hub.connection.execute("delete from stage_moves; delete from identity_reviews; truncate change_log")
        customer = await hub.customer_id(CUSTOMER)
        key = await create_api_key(hub.dsn, Role.WRITER, customer_id=UUID(customer.removeprefix("cus_")))
        yield InternalRows(hub, key, customer)


async def answers(internal_rows: InternalRows, row_id: str) -> list[Any]:
    """What the customer's key is told, question by question."""
    moment = datetime.now(UTC).isoformat()
    questions = [question.replace("%s", row_id).replace("%now", moment) for question in QUESTIONS]
    return [await internal_rows.hub.query(question, key=internal_rows.key) for question in (*questions, CHANGES)]


async def test_internal_rows_change_no_answer_to_the_customer(internal_rows: InternalRows) -> None:
    hub, customer = internal_rows.hub, internal_rows.customer
    absent = await answers(internal_rows, f"int_{UUID(int=7).hex}")
    note = await hub.query(RECORD, {"id": customer, "direction": "INTERNAL"})
    score = await hub.query(SCORE, {"id": customer})
    await hub.connection.execute(REVIEW, CUSTOMER)
    note_id, score_id = note["interactionRecord"]["interaction"]["id"], score["scoreRecord"]["score"]["id"]
    assert await answers(internal_rows, note_id) == absent
    assert await hub.query(QUESTIONS[0].replace("%s", score_id), key=internal_rows.key) == {
        "node": None,
        "nodes": [None],
    }
    # The same questions of a key of the unit find all of it, so the questions are good ones.
    unit = await hub.connection.fetchval("select id from org_units where code = $1", UNIT)
    of_unit = internal_rows._replace(key=await create_api_key(hub.dsn, Role.READER, unit_id=unit))
    answers_of_unit = await answers(of_unit, note_id)
    assert NOTE in str(answers_of_unit)
    assert answers_of_unit[0] == {"node": {"id": note_id}, "nodes": [{"id": note_id}]}
    assert [answers_of_unit[17][name]["totalCount"] for name in ("scores", "identityReviews")] == [1, 1]


async def test_a_note_that_becomes_internal_leaves_and_its_past_is_hidden_too(internal_rows: InternalRows) -> None:
    hub, customer, key = internal_rows.hub, internal_rows.customer, internal_rows.key
    recorded = await hub.query(RECORD, {"id": customer, "direction": "INBOUND"}, key=key)
    row_id = recorded["interactionRecord"]["interaction"]["id"]
    asked = f'{{ interaction(id: "{row_id}") {{ id history {{ totalCount }} }} }}'
    assert await hub.query(asked, key=key) == {"interaction": {"id": row_id, "history": {"totalCount": 1}}}
    update = "update interactions set direction = 'INTERNAL' where id = $1"
    await hub.connection.execute(update, UUID(row_id.removeprefix("int_")))
    await wait_until_sequenced(hub.connection)
    assert await hub.query(asked, key=key) == {"interaction": None}
    changes = (await hub.query(CHANGES, key=key))["changes"]
    assert [(c["operation"], c["node"]["id"]) for c in changes if c["__typename"] == "Change"][-1] == ("LEAVE", row_id)


async def test_a_live_answer_is_not_sent_again_for_an_internal_row(internal_rows: InternalRows) -> None:
    hub, customer, key = internal_rows.hub, internal_rows.customer, internal_rows.key
    live = """subscription { interactionsLive(filter: {kind: {eq: "call.logged"}}) {
        interactions { totalCount } } }"""
    async with hub.subscribe(live, key=key) as subscription:
        before = (await subscription.next_root())["interactions"]["totalCount"]
        await hub.query(RECORD, {"id": customer, "direction": "INTERNAL"})
        await hub.query(SCORE, {"id": customer})
        await wait_until_sequenced(hub.connection)
        await hub.query(RECORD, {"id": customer, "direction": "INBOUND"}, key=key)
        assert (await subscription.next_root())["interactions"]["totalCount"] == before + 1


async def test_a_stream_of_changes_is_silent_about_internal_rows(internal_rows: InternalRows) -> None:
    hub, customer, key = internal_rows.hub, internal_rows.customer, internal_rows.key
    stream = "subscription { changes { __typename ... on Change { entity operation node { id } } } }"
    async with hub.subscribe(stream, key=key) as subscription:
        while (await subscription.next_root())["__typename"] != "StreamReady":
            pass
        await hub.query(SCORE, {"id": customer})
        await hub.query(RECORD, {"id": customer, "direction": "INTERNAL"})
        await hub.query(RECORD, {"id": customer, "direction": "OUTBOUND"})
        async with asyncio.timeout(30):
            while (message := await subscription.next_root())["__typename"] != "Change":
                pass
        assert (message["entity"], message["operation"]) == ("INTERACTION", "CREATE")


async def test_what_is_about_a_person_is_read_by_that_person_and_by_who_may_read_about_people(
    internal_rows: InternalRows,
) -> None:
    connection: asyncpg.Connection = internal_rows.hub.connection
    staff = "select id, unit_id from staff where name in ('Anne Dodsworth', 'Nancy Davolio') order by name"
    (anne, annes_unit), (nancy, nancys_unit) = await connection.fetch(staff)
    await connection.execute("create temp table appraisals (id uuid, staff_id uuid)")
    await connection.executemany("insert into appraisals values (uuidv7(), $1)", [(anne,), (nancy,)])
    table = sa.Table("appraisals", sa.MetaData(), sa.Column("id", sa.Uuid), sa.Column("staff_id", sa.Uuid))

    async def sees(viewer: Viewer) -> set[UUID]:
        condition = scopes.person.predicate(table, viewer.rights.binding)
        assert condition is not None
        statement = statements.compile_statement(sa.select(table.c.staff_id).where(condition), table)
        return {record["staff_id"] for record in await connection.fetch(statement.text, *statement.bind({}, viewer))}

    changes_staff = AccessRule("Staff", frozenset({Verb.READ, Verb.UPDATE}))
    manager = RoleVersion("manager", 1, {"Staff": changes_staff})

    def of_unit(roles: tuple[RoleVersion, ...], staff_id: UUID | None = None) -> Viewer:
        return Viewer(None, Role.WRITER, unit_path="x", unit_ids=(annes_unit,), staff_id=staff_id, roles=roles)

    assert annes_unit != nancys_unit
    assert await sees(Viewer(None, Role.ADMIN)) == {anne, nancy}
    assert await sees(Viewer(None, Role.WRITER)) == set()
    assert await sees(Viewer(None, Role.READER, staff_id=nancy)) == {nancy}
    assert await sees(of_unit((), nancy)) == {nancy}
    assert await sees(of_unit((manager,), nancy)) == {anne, nancy}
    assert await sees(of_unit((manager,))) == {anne}
    assert await sees(Viewer(None, Role.ADMIN, customer_id=anne, staff_id=anne)) == set()
