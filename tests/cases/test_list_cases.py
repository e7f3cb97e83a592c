"""Lists: further sort keys, subtrees, conditions on attributes, fields against fields, and intervals of every time zone."""

from typing import Any

import asyncpg
import pytest
from conftest import create_api_key
from writer_client import HubClient

from hub.viewer import Role

GROUPS = """query ($bucket: TimeBucket!, $zone: String!, $filter: OrderFilter) {
    ordersGrouped(by: [{field: PLACED_AT, bucket: $bucket, timezone: $zone}], filter: $filter) {
        nodes { key { placedAt } stats { count min { placedAt } } }
    }
}"""


async def insert_orders(connection: asyncpg.Connection, prefix: str, moments: list[str]) -> None:
    """Places an order at each moment; their numbers begin with the prefix."""
    insert = """insert into orders (customer_id, unit_id, number, status, placed_at, currency, net, freight)
        select id, unit_id, $1, 'PLACED', $2::text::timestamptz, 'EUR', 1, 0 from customers order by id limit 1"""
    for index, moment in enumerate(moments):
        await connection.execute(insert, f"{prefix}-{index}", moment)


async def grouped(northwind_client: HubClient, prefix: str, bucket: str, zone: str) -> list[tuple[str, int]]:
    """Key and count of each group of the orders whose number begins with the prefix."""
    variables = {"bucket": bucket, "zone": zone, "filter": {"number": {"startsWith": prefix}}}
    nodes = (await northwind_client.query(GROUPS, variables))["ordersGrouped"]["nodes"]
    assert all(node["key"]["placedAt"] <= node["stats"]["min"]["placedAt"] for node in nodes)
    return [(node["key"]["placedAt"][:16], node["stats"]["count"]) for node in nodes]


@pytest.mark.parametrize(
    ("bucket", "zone", "moments", "groups"),
    [
        (
            "DAY",
            "Atlantic/Azores",
            ["2025-10-25T23:30Z", "2025-10-26T00:30Z", "2025-10-26T01:30Z", "2025-10-26T02:30Z", "2025-10-27T01:00Z"],
            [("2025-10-25T00:00", 1), ("2025-10-26T00:00", 3), ("2025-10-27T01:00", 1)],
        ),
        # Cuba's clocks were set back on the first day of a month.
        ("WEEK", "Atlantic/Azores", ["2025-10-26T00:30Z", "2025-10-27T00:30Z"], [("2025-10-20T00:00", 2)]),
        (
            "MONTH",
            "America/Havana",
            ["2020-11-01T04:30Z", "2020-11-01T05:30Z", "2020-11-02T05:30Z"],
            [("2020-11-01T04:00", 3)],
        ),
        ("DAY", "America/Havana", ["2020-11-01T04:30Z", "2020-11-01T05:30Z"], [("2020-11-01T04:00", 2)]),
        # Clocks that skip midnight: the day begins when the clock is changed.
        (
            "DAY",
            "America/Sao_Paulo",
            ["2018-11-04T02:30Z", "2018-11-04T03:30Z"],
            [("2018-11-03T03:00", 1), ("2018-11-04T03:00", 1)],
        ),
        # Clocks that go back across midnight: the evening is longer, and midnight is the second one.
        (
            "DAY",
            "America/Asuncion",
            ["2024-03-24T02:30Z", "2024-03-24T03:30Z", "2024-03-24T04:30Z"],
            [("2024-03-23T03:00", 2), ("2024-03-24T04:00", 1)],
        ),
        # A day that does not exist.
        (
            "DAY",
            "Pacific/Apia",
            ["2011-12-30T09:30Z", "2011-12-30T10:30Z"],
            [("2011-12-29T10:00", 1), ("2011-12-30T10:00", 1)],
        ),
        # Newfoundland's clocks were set back a minute after midnight, so that the evening before went on.
        (
            "DAY",
            "America/St_Johns",
            ["2008-11-02T02:30:30Z", "2008-11-02T02:45Z", "2008-11-02T03:30Z"],
            [("2008-11-01T02:30", 1), ("2008-11-02T02:30", 2)],
        ),
        # Half an hour: the hour of the change has two parts, as an hour that is repeated has.
        (
            "HOUR",
            "Australia/Lord_Howe",
            ["2025-04-05T14:15Z", "2025-04-05T14:45Z", "2025-04-05T15:10Z", "2025-04-05T15:40Z"],
            [("2025-04-05T14:00", 2), ("2025-04-05T15:00", 1), ("2025-04-05T15:30", 1)],
        ),
        (
            "HOUR",
            "Australia/Lord_Howe",
            ["2025-10-04T15:10Z", "2025-10-04T15:40Z", "2025-10-04T16:10Z"],
            [("2025-10-04T14:30", 1), ("2025-10-04T15:30", 1), ("2025-10-04T16:00", 1)],
        ),
        (
            "HOUR",
            "Europe/Berlin",
            ["2025-10-26T00:30Z", "2025-10-26T01:30Z"],
            [("2025-10-26T00:00", 1), ("2025-10-26T01:00", 1)],
        ),
        (
            "HOUR",
            "Asia/Kolkata",
            ["2025-10-26T00:15Z", "2025-10-26T00:45Z"],
            [("2025-10-25T23:30", 1), ("2025-10-26T00:30", 1)],
        ),
    ],
)
async def test_t1_an_interval_begins_where_its_first_row_may_be(
    northwind_client: HubClient,
    connection: asyncpg.Connection,
    bucket: str,
    zone: str,
    moments: list[str],
    groups: list[tuple[str, int]],
) -> None:
    prefix = f"{bucket} {zone} {moments[0]}"
    await insert_orders(connection, prefix, moments)
    assert await grouped(northwind_client, prefix, bucket, zone) == groups


async def test_sorting_by_the_time_of_the_last_edit(northwind_client: HubClient) -> None:
    lists = (
        "customers",
        "contacts",
        "contactPoints",
        "addresses",
        "identifiers",
        "identityReviews",
        "orders",
        "products",
    )
    for name in (*lists, "staffMembers", "orgUnits", "webhooks"):
        query = f"{{ {name}(orderBy: [{{field: UPDATED_AT, direction: DESC}}], first: 5) {{ nodes {{ updatedAt }} }} }}"
        times = [node["updatedAt"] for node in (await northwind_client.query(query))[name]["nodes"]]
        assert times == sorted(times, reverse=True)
    product = (await northwind_client.query("{ products(last: 1) { nodes { id } } }"))["products"]["nodes"][0]["id"]
    edit = "mutation ($input: ProductUpdateInput!) { productUpdate(input: $input) { product { id } } }"
    await northwind_client.query(edit, {"input": {"id": product, "packaging": "in a crate"}})
    latest = "{ products(orderBy: {field: UPDATED_AT, direction: DESC}, first: 1) { nodes { id } } }"
    assert (await northwind_client.query(latest))["products"]["nodes"] == [{"id": product}]


@pytest.mark.parametrize(
    "name", ["interactions", "scores", "stageMoves", "orderItems", "webhookDeliveries", "webhookAttempts"]
)
async def test_rows_that_are_written_often_are_not_sorted_by_edits(northwind_client: HubClient, name: str) -> None:
    error = (await northwind_client.execute(f"{{ {name}(orderBy: {{field: UPDATED_AT}}) {{ totalCount }} }}"))[
        "errors"
    ][0]
    assert "UPDATED_AT" in error["message"]


async def test_due_dates_sort_with_those_without_one_last(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    await connection.execute("update orders set required_at = null where number in ('10248', '10249')")
    query = """query ($after: Cursor, $direction: SortDirection!) {
        orders(orderBy: {field: REQUIRED_AT, direction: $direction}, first: 100, after: $after) {
            nodes { number requiredAt } pageInfo { endCursor hasNextPage }
        }
    }"""
    rows: list[Any] = []
    page: Any = {"pageInfo": {"endCursor": None, "hasNextPage": True}}
    while page["pageInfo"]["hasNextPage"]:
        variables = {"after": page["pageInfo"]["endCursor"], "direction": "ASC"}
        page = (await northwind_client.query(query, variables))["orders"]
        rows += page["nodes"]
    dates = [row["requiredAt"] for row in rows if row["requiredAt"] is not None]
    assert dates == sorted(dates)
    assert {row["number"] for row in rows[len(dates) :]} >= {"10248", "10249"}
    first = (await northwind_client.query(query, {"after": None, "direction": "DESC"}))["orders"]
    assert first["nodes"][0]["requiredAt"] is None
    second = await northwind_client.query(query, {"after": first["pageInfo"]["endCursor"], "direction": "DESC"})
    assert not {row["number"] for row in first["nodes"]} & {row["number"] for row in second["orders"]["nodes"]}


@pytest.mark.parametrize(("name", "field", "column"), [("orderItems", "NET", "net"), ("scores", "VALUE", "value")])
async def test_amounts_of_items_and_values_of_scores_sort(
    northwind_client: HubClient, name: str, field: str, column: str
) -> None:
    query = f"{{ {name}(orderBy: {{field: {field}, direction: DESC}}, first: 50) {{ nodes {{ {column} }} }} }}"
    values = [float(node[column]) for node in (await northwind_client.query(query))[name]["nodes"]]
    assert values == sorted(values, reverse=True)
    assert values


async def test_under_takes_a_unit_and_all_below_it(northwind_client: HubClient, connection: asyncpg.Connection) -> None:
    query = "query ($filter: CustomerFilter) { customers(filter: $filter) { totalCount } }"
    units = await connection.fetch("select id, path::text as path from org_units order by path")
    below = "select count(*) from customers c join org_units u on u.id = c.unit_id where u.path <@ $1::text::ltree"
    counts = set()
    for unit in units:
        expected = await connection.fetchval(below, unit["path"])
        answer = await northwind_client.query(query, {"filter": {"unit": {"under": f"unt_{unit['id'].hex}"}}})
        assert answer["customers"]["totalCount"] == expected, unit["path"]
        counts.add(expected)
    assert len(counts) > 2
    root = f"unt_{units[0]['id'].hex}"
    every = await northwind_client.query(
        "query ($id: ID) { orgUnits(filter: {under: $id}, first: 100) { totalCount } }", {"id": root}
    )
    assert every["orgUnits"]["totalCount"] == len(units)
    nobody = await northwind_client.query(query, {"filter": {"not": {"unit": {"under": root}}}})
    assert nobody["customers"]["totalCount"] == 0


async def test_under_a_hidden_or_absent_unit_is_nothing(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    root = await connection.fetchval("select id from org_units where parent_id is null")
    leaf = await connection.fetchrow("select id, unit_id from customers where name = 'QUICK-Stop'")
    assert leaf is not None
    key = await create_api_key(northwind_client.dsn, Role.READER, unit_id=leaf["unit_id"])
    query = "query ($id: ID) { customers(filter: {unit: {under: $id}}) { totalCount } }"
    own = await northwind_client.query(query, {"id": f"unt_{leaf['unit_id'].hex}"}, key=key)
    assert own["customers"]["totalCount"] > 0
    for hidden in (f"unt_{root.hex}", "unt_" + "0" * 32):
        assert (await northwind_client.query(query, {"id": hidden}, key=key))["customers"]["totalCount"] == 0
    wrong = await northwind_client.error(query, {"id": f"cus_{leaf['id'].hex}"})
    assert (wrong["code"], wrong["argument"]) == ("ID_WRONG_TYPE", "filter.unit.under")
    null = await northwind_client.error("{ customers(filter: {unit: {under: null}}) { totalCount } }")
    assert (null["code"], null["argument"]) == ("FILTER_INVALID", "filter.unit.under")


async def test_conditions_on_several_attributes_all_hold(
    northwind_client: HubClient, connection: asyncpg.Connection
) -> None:
    stored = {
        "QUICK-Stop": '{"tags": ["vip"], "plan": {"name": "Gold Plus"}}',
        "Around the Horn": '{"plan": {"name": "gold"}}',
    }
    for name, attributes in stored.items():
        await connection.execute("update customers set attributes = $2 where name = $1", name, attributes)
    query = "query ($filter: CustomerFilter) { customers(filter: $filter) { nodes { name } } }"

    async def names(attributes: Any) -> list[str]:
        nodes = (await northwind_client.query(query, {"filter": {"attributes": attributes}}))["customers"]["nodes"]
        return [node["name"] for node in nodes]

    gold, vip = {"path": ["plan", "name"], "contains": "GOLD"}, {"path": ["tags", "0"], "eq": "vip"}
    assert await names([gold]) == ["Around the Horn", "QUICK-Stop"]
    assert await names(gold) == ["Around the Horn", "QUICK-Stop"]
    assert await names([gold, vip]) == ["QUICK-Stop"]
    assert await names([gold, {**vip, "eq": "other"}]) == []
    untagged = '{attributes: [{path: "plan", isNull: false}, {path: "tags", isNull: true}]}'
    assert (await northwind_client.query(f"{{ customers(filter: {untagged}) {{ nodes {{ name }} }} }}"))["customers"][
        "nodes"
    ] == [{"name": "Around the Horn"}]
    wrong = await northwind_client.error(query, {"filter": {"attributes": [gold, {"path": ["a"], "eq": None}]}})
    assert (wrong["code"], wrong["argument"]) == ("FILTER_INVALID", "filter.attributes[1].eq")


@pytest.mark.parametrize(
    ("root", "comparison", "sql"),
    [
        ("orders", "{requiredAt: {lt: SHIPPED_AT}}", "orders where required_at < shipped_at"),
        ("orders", "{requiredAt: {gte: SHIPPED_AT}}", "orders where required_at >= shipped_at"),
        ("orders", "{freight: {gt: NET}}", "orders where freight > net"),
        ("orders", "{shipTo: {ne: SHIP_CITY}}", "orders where ship_to is distinct from ship_city"),
        ("orders", "{shippedAt: {ne: REQUIRED_AT}}", "orders where shipped_at is distinct from required_at"),
        (
            "orders",
            "{requiredAt: {lt: SHIPPED_AT}, net: {gt: FREIGHT}}",
            "orders where required_at < shipped_at and net > freight",
        ),
        ("stageMoves", "{fromStage: {eq: TO_STAGE}}", "stage_moves where from_stage = to_stage"),
        ("contactPoints", "{verified: {eq: PREFERRED}}", "contact_points where verified = preferred"),
        ("identifiers", "{value: {ne: NORMALIZED}}", "identifiers where value <> normalized"),
    ],
)
async def test_a_field_is_compared_with_another(
    northwind_client: HubClient, connection: asyncpg.Connection, root: str, comparison: str, sql: str
) -> None:
    answer = await northwind_client.query(f"{{ {root}(filter: {{compare: {comparison}}}) {{ totalCount }} }}")
    assert answer[root]["totalCount"] == await connection.fetchval(f"select count(*) from {sql}")


async def test_fields_of_another_type_or_of_no_field_are_no_values(northwind_client: HubClient) -> None:
    for comparison, code in (
        ("{requiredAt: {lt: NET}}", "VALUE_INVALID"),
        ("{path: {eq: CODE}}", "ARGUMENT_UNKNOWN"),
        ("{shipTo: {contains: SHIP_CITY}}", "ARGUMENT_UNKNOWN"),
    ):
        error = await northwind_client.error(f"{{ orders(filter: {{compare: {comparison}}}) {{ totalCount }} }}")
        assert error["code"] == code
    null = await northwind_client.error("{ orders(filter: {compare: {requiredAt: {lt: null}}}) { totalCount } }")
    assert (null["code"], null["argument"]) == ("FILTER_INVALID", "filter.compare.requiredAt.lt")


async def test_a_variable_decides_which_fields_are_compared(northwind_client: HubClient) -> None:
    query = (
        "query ($field: OrderDateTimeField) { orders(filter: {compare: {requiredAt: {lt: $field}}}) { totalCount } }"
    )
    late = (await northwind_client.query(query, {"field": "SHIPPED_AT"}))["orders"]["totalCount"]
    assert late > 0
    assert (await northwind_client.query(query, {"field": "PLACED_AT"}))["orders"]["totalCount"] == 0
    some = "{ customers(filter: {orders: {some: {compare: {requiredAt: {lt: SHIPPED_AT}}}}}) { totalCount } }"
    assert 0 < (await northwind_client.query(some))["customers"]["totalCount"] <= late
