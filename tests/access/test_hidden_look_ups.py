"""Filters that name a hidden row read as much as those that name an absent one: nothing that belongs to it."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from conftest import CreateDatabase
from golden_documents import GoldenEngine, open_golden_engine
from test_rights import MINE, OF_MY_CUSTOMERS, role, viewer

from hub.engine.request import GraphQLRequest
from hub.rights import AccessRule
from hub.viewer import ADMIN, Role, Viewer

# Filters by the variable `v`, one value or a list, of rows that belong to what it names.
CUSTOMER, CUSTOMERS, ORDER, NUMBER, NAME, IDENTIFIER = "customer", "customers", "order", "number", "name", "identifier"
LOOK_UPS = {
    "eq": ("orders", CUSTOMER, "{customer: {id: {eq: $v}}}"),
    "in": ("orders", CUSTOMERS, "{customer: {id: {in: $v}}}"),
    "eq and more": ("orders", CUSTOMER, '{customer: {and: [{name: {ne: "x"}}, {id: {eq: $v}}]}}'),
    "or outside": ("orders", CUSTOMER, '{or: [{number: {eq: "none"}}, {customer: {id: {eq: $v}}}]}'),
    "or inside": ("orders", CUSTOMER, '{customer: {or: [{id: {eq: $v}}, {id: {eq: $v}, name: {ne: "x"}}]}}'),
    "or and more": ("orders", CUSTOMER, '{customer: {name: {ne: "x"}, or: [{id: {eq: $v}}, {id: {in: [$v]}}]}}'),
    "name": ("orders", NAME, "{customer: {name: {eq: $v}}}"),
    "one of names": ("orders", NAME, "{customer: {name: {in: [$v]}}}"),
    "behind two links": ("orderItems", CUSTOMER, "{order: {customer: {id: {eq: $v}}}}"),
    "number": ("orderItems", NUMBER, "{order: {number: {eq: $v}}}"),
    "contacts": ("contacts", CUSTOMER, "{customer: {id: {eq: $v}}}"),
    "some": ("customers", ORDER, "{orders: {some: {id: {eq: $v}}}}"),
    "some number": ("customers", NUMBER, "{orders: {some: {number: {eq: $v}}}}"),
    "some in": ("customers", ORDER, "{orders: {some: {id: {in: [$v]}}}}"),
    "count": ("customers", ORDER, "{orders: {where: {id: {eq: $v}, items: {some: {line: {gt: 0}}}}, count: {gt: 0}}}"),
}
TYPES = {CUSTOMER: "ID!", CUSTOMERS: "[ID!]!", ORDER: "ID!", NUMBER: "String!", NAME: "String!"}
ROOTS = {
    "count": "query ($v: %s) { %s(filter: %s) { totalCount } }",
    "page": "query ($v: %s) { %s(first: 20, filter: %s) { nodes { id } } }",
}
NEGATIONS = {
    "not": "{not: {customer: {id: {eq: $v}}}}",
    "none": "{not: {customer: {id: {in: [$v]}}}}",
    "ne": "{customer: {id: {ne: $v}}}",
}
AGENT = role(
    AccessRule("Customer", row_filter=MINE),
    AccessRule("Contact", row_filter=OF_MY_CUSTOMERS),
    AccessRule("Identifier", row_filter=OF_MY_CUSTOMERS),
    AccessRule("Order", row_filter=OF_MY_CUSTOMERS),
    AccessRule("OrderItem", row_filter=f'{{"order": {OF_MY_CUSTOMERS}}}'),
)
BIG_CUSTOMER = """
select c.id, c.name, c.unit_id, c.owner_id, (array_agg(o.id order by o.number))[1] as order_id,
    (array_agg(o.number order by o.number))[1] as number,
    (select min(value) from identifiers where customer_id = c.id and kind = 'EXTERNAL_ID') as identifier
from customers c join orders o on o.customer_id = c.id where %s group by c.id order by count(*) desc, c.id limit 1
"""


@dataclass(frozen=True, slots=True)
class LookUps:
    """An engine, and rows by who sees them."""

    harness: GoldenEngine
    rows: Mapping[str, asyncpg.Record]
    viewers: Mapping[str, Viewer]

    def value(self, subject: str, state: str) -> Any:
        """The value that names a row: `visible`, `hidden` or `absent`."""
        row = self.rows["visible" if state == "visible" else "hidden"]
        absent = state == "absent"
        customer = f"cus_{uuid4().hex if absent else row['id'].hex}"
        if subject == CUSTOMERS:
            return [customer, f"cus_{uuid4().hex}"]
        names = {
            CUSTOMER: customer,
            ORDER: f"ord_{uuid4().hex if absent else row['order_id'].hex}",
            NUMBER: row["number"] + "0" * absent,
            NAME: row["name"] + " none" * absent,
            IDENTIFIER: row["identifier"] + "0" * absent,
        }
        return names[subject]

    async def plan(self, query: str, value: Any, who: Viewer) -> dict[str, Any]:
        """How Postgres runs a query by its indexes, as on tables that are large."""
        text, arguments = self.harness.engine.explain(GraphQLRequest(query, {"v": value}, None), who)
        async with self.harness.pool.connection() as connection, connection.transaction():
            await connection.execute("set local enable_seqscan = off")
            explained = await connection.fetchval(
                f"explain (analyze, buffers, timing off, format json) {text}", *arguments
            )
        plan: dict[str, Any] = json.loads(explained)[0]["Plan"]
        return plan

    async def answer(self, query: str, value: Any, who: Viewer) -> Any:
        """The data of a query."""
        response = await self.harness.engine.execute(GraphQLRequest(query, {"v": value}, None), who)
        return json.loads(response.body)["data"]


@pytest.fixture(scope="module")
async def look_ups(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[LookUps]:
    async with open_golden_engine(await create_database("northwind")) as harness:
        async with harness.pool.connection() as connection:
            await connection.execute("vacuum analyze")
            visible = await connection.fetchrow(BIG_CUSTOMER % "true")
            assert visible is not None
            unit, owner = visible["unit_id"], visible["owner_id"]
            hidden = await connection.fetchrow(BIG_CUSTOMER % "c.unit_id <> $1 and c.owner_id <> $2", unit, owner)
            assert hidden is not None
            path = await connection.fetchval("select path::text from org_units where id = $1", unit)
        in_unit = Viewer(None, Role.READER, unit_path=path, unit_ids=(unit,))
        in_units = Viewer(None, Role.READER, unit_path=path, unit_ids=(unit, UUID(int=0)))
        own = Viewer(None, Role.READER, customer_id=visible["id"])
        viewers = {"unit": in_unit, "subtree": in_units, "customer": own, "agent": viewer(AGENT, staff=owner)}
        yield LookUps(harness, {"visible": visible, "hidden": hidden}, viewers)


def buffers(plan: Mapping[str, Any]) -> int:
    """The pages that a plan read."""
    return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])


def rows_read(plan: Mapping[str, Any], relation: str) -> float:
    """The rows of a table that a plan read, also those that it threw away."""
    own = 0.0
    if plan.get("Relation Name") == relation:
        own = (float(plan["Actual Rows"]) + float(plan.get("Rows Removed by Filter", 0))) * float(plan["Actual Loops"])
    return own + sum(rows_read(part, relation) for part in plan.get("Plans", ()))


def loops(plan: Mapping[str, Any], relation: str) -> float:
    """How often a plan looked into a table."""
    own = float(plan["Actual Loops"]) if plan.get("Relation Name") == relation else 0.0
    return own + sum(loops(part, relation) for part in plan.get("Plans", ()))


@pytest.mark.parametrize("binding", ["unit", "subtree", "customer", "agent"])
@pytest.mark.parametrize("name", LOOK_UPS)
async def test_a_filter_that_names_a_hidden_row_reads_what_an_absent_one_does(
    look_ups: LookUps, name: str, binding: str
) -> None:
    root, subject, condition = LOOK_UPS[name]
    who = look_ups.viewers[binding]
    for template in ROOTS.values():
        query = template % (TYPES[subject], root, condition)
        absent, hidden = [
            await look_ups.plan(query, look_ups.value(subject, state), who) for state in ("absent", "hidden")
        ]
        # The hidden row itself, and what shows that it is hidden: one look-up of an index.
        assert buffers(hidden) - buffers(absent) <= 5
        table = {"orderItems": "order_items"}.get(root, root)
        assert rows_read(hidden, table) <= rows_read(absent, table) + (table == "customers")
        answers = [await look_ups.answer(query, look_ups.value(subject, state), who) for state in ("absent", "hidden")]
        assert answers[0] == answers[1]


BY_IDENTIFIER = "query ($v: String!) { customerBy(identifier: {kind: EXTERNAL_ID, value: $v}) { id } }"


@pytest.mark.parametrize("binding", ["unit", "subtree", "customer", "agent"])
async def test_an_identifier_of_a_hidden_customer_takes_as_many_look_ups_as_one_of_nobody(
    look_ups: LookUps, binding: str
) -> None:
    who = look_ups.viewers[binding]
    absent, hidden = [
        await look_ups.plan(BY_IDENTIFIER, look_ups.value(IDENTIFIER, state), who) for state in ("absent", "hidden")
    ]
    assert buffers(hidden) - buffers(absent) <= 2  # the identifier, and the customer where the index does not say whose
    assert loops(hidden, "customers") == loops(absent, "customers") > 0
    answers = [
        await look_ups.answer(BY_IDENTIFIER, look_ups.value(IDENTIFIER, state), who) for state in ("absent", "hidden")
    ]
    assert answers == [{"customerBy": None}] * 2
    shown = await look_ups.answer(BY_IDENTIFIER, look_ups.value(IDENTIFIER, "visible"), who)
    assert shown == {"customerBy": {"id": look_ups.value(CUSTOMER, "visible")}}


@pytest.mark.parametrize("binding", ["unit", "subtree", "customer", "agent"])
@pytest.mark.parametrize("name", LOOK_UPS)
async def test_such_a_filter_finds_what_belongs_to_a_visible_row(look_ups: LookUps, name: str, binding: str) -> None:
    root, subject, condition = LOOK_UPS[name]
    query, value = ROOTS["count"] % (TYPES[subject], root, condition), look_ups.value(subject, "visible")
    answer = await look_ups.answer(query, value, look_ups.viewers[binding])
    assert answer == await look_ups.answer(query, value, ADMIN)
    assert answer[root]["totalCount"] > 0


@pytest.mark.parametrize("name", NEGATIONS)
async def test_a_row_that_is_hidden_excludes_nothing(look_ups: LookUps, name: str) -> None:
    query = ROOTS["count"] % ("ID!", "orders", NEGATIONS[name])
    everything = "query ($v: ID) { orders(filter: {or: [{customer: {id: {eq: $v}}}, {}]}) { totalCount } }"
    for who in look_ups.viewers.values():
        answers = [await look_ups.answer(query, look_ups.value(CUSTOMER, state), who) for state in ("absent", "hidden")]
        assert answers[0] == answers[1] == await look_ups.answer(everything, look_ups.value(CUSTOMER, "absent"), who)


@pytest.mark.parametrize("name", LOOK_UPS)
async def test_who_sees_every_row_joins_it_without_a_look_up(look_ups: LookUps, name: str) -> None:
    root, subject, condition = LOOK_UPS[name]
    request = GraphQLRequest(
        ROOTS["page"] % (TYPES[subject], root, condition), {"v": look_ups.value(subject, "visible")}, None
    )
    text, _ = look_ups.harness.engine.explain(request, ADMIN)
    assert "array((SELECT" not in text
    assert " = (SELECT" not in text
