"""Groups: by columns of linked rows, paged, and ordered by an aggregate or by a part of their key."""

from typing import Any
from uuid import UUID

import asyncpg
import pytest
from conftest import RunQuery, create_api_key

from hub.viewer import Role

DAYS = """query ($first: Int, $after: Cursor, $last: Int, $before: Cursor, $order: [OrderGroupOrderBy!]) {
    ordersGrouped(
        by: {field: PLACED_AT, bucket: DAY}, first: $first, after: $after, last: $last, before: $before, orderBy: $order
    ) {
        totalCount
        edges { cursor node { key { placedAt } stats { count sum { net { amount } } } } }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
}"""


async def read_pages(run_query: RunQuery, order: Any, direction: str = "first") -> tuple[list[Any], list[int]]:
    """All groups of the days, page by page from either end, and the sizes of the pages."""
    cursor, more, end = ("after", "hasNextPage", "endCursor")
    if direction == "last":
        cursor, more, end = ("before", "hasPreviousPage", "startCursor")
    nodes: list[Any] = []
    sizes, variables = [], {direction: 100, "order": order}
    while True:
        page = (await run_query(DAYS, variables))["ordersGrouped"]
        page_nodes = [edge["node"] for edge in page["edges"]]
        nodes = [*nodes, *page_nodes] if direction == "first" else [*page_nodes, *nodes]
        sizes.append(len(page_nodes))
        assert page["totalCount"] == 480
        if not page["pageInfo"][more]:
            return nodes, sizes
        variables[cursor] = page["pageInfo"][end]


@pytest.mark.parametrize("direction", ["first", "last"])
async def test_d6_the_days_of_all_orders_are_read_page_by_page(run_query: RunQuery, direction: str) -> None:
    nodes, sizes = await read_pages(run_query, None, direction)
    days = [node["key"]["placedAt"] for node in nodes]
    assert sizes == [100, 100, 100, 100, 80]
    assert (days, len(set(days))) == (sorted(days), 480)
    assert sum(node["stats"]["count"] for node in nodes) == 830


async def test_d6_days_are_paged_by_their_sum_the_greatest_first(run_query: RunQuery) -> None:
    order = [{"by": "SUM", "field": "NET", "currency": "USD", "direction": "DESC"}]
    nodes, _ = await read_pages(run_query, order)
    sums = [float(node["stats"]["sum"]["net"][0]["amount"]) for node in nodes]
    assert (sums, len(nodes)) == (sorted(sums, reverse=True), 480)
    assert len({node["key"]["placedAt"] for node in nodes}) == 480


async def test_d6_a_refusal_of_a_page_that_is_too_large_says_what_is_possible(expect_error: RunQuery) -> None:
    error = await expect_error("{ ordersGrouped(by: {field: PLACED_AT, bucket: DAY}, first: 300) { totalCount } }")
    message = "first: 300 rows are more than a page holds; give at most 100, then read the next page."
    assert (error["extensions"]["code"], error["message"]) == ("PAGE_LIMIT", message)


async def test_d6_a_cursor_is_valid_for_its_own_grouping_and_order_alone(
    run_query: RunQuery, expect_error: RunQuery
) -> None:
    page = (await run_query(DAYS, {"first": 1}))["ordersGrouped"]["pageInfo"]
    error = await expect_error(DAYS, {"after": page["endCursor"], "order": {"by": "COUNT"}})
    assert (error["extensions"]["code"], error["extensions"]["argument"]) == ("CURSOR_WRONG_LIST", "after")
    other = "query ($after: Cursor) { ordersGrouped(by: {field: STATUS}, after: $after) { totalCount } }"
    assert (await expect_error(other, {"after": page["endCursor"]}))["extensions"]["code"] == "CURSOR_WRONG_LIST"
    assert (await expect_error(DAYS, {"after": "bm9uZQ"}))["extensions"]["code"] == "CURSOR_MALFORMED"


async def test_d6_groups_without_a_value_come_last_and_are_paged_over(run_query: RunQuery) -> None:
    query = """query ($after: Cursor, $direction: SortDirection) {
        ordersGrouped(by: {field: SHIPPED_AT, bucket: YEAR}, first: 2, after: $after,
            orderBy: {key: {field: SHIPPED_AT}, direction: $direction}) {
            nodes { key { shippedAt } stats { count } }
            pageInfo { endCursor hasNextPage hasPreviousPage }
        }
    }"""
    years: dict[str, list[Any]] = {"ASC": [], "DESC": []}
    for direction, keys in years.items():
        first = (await run_query(query, {"direction": direction}))["ordersGrouped"]
        variables = {"direction": direction, "after": first["pageInfo"]["endCursor"]}
        second = (await run_query(query, variables))["ordersGrouped"]
        assert (first["pageInfo"]["hasNextPage"], second["pageInfo"]["hasNextPage"]) == (True, False)
        assert (first["pageInfo"]["hasPreviousPage"], second["pageInfo"]["hasPreviousPage"]) == (False, True)
        keys += [node["key"]["shippedAt"] and node["key"]["shippedAt"][:4] for node in first["nodes"] + second["nodes"]]
    assert years == {"ASC": ["1996", "1997", "1998", None], "DESC": ["1998", "1997", "1996", None]}


# -- columns of linked rows ---------------------------------------------------------------------------------------------


async def test_the_best_staff_members_by_their_sales(run_query: RunQuery) -> None:
    data = await run_query("""{
        ordersGrouped(
            by: [{link: {staff: {field: ID}}}, {link: {staff: {field: NAME}}}], first: 3
            orderBy: {by: SUM, field: NET, currency: "USD", direction: DESC}
        ) { totalCount nodes { key { staff { id name number } status } stats { count sum { net { amount } } } } }
    }""")
    groups = data["ordersGrouped"]
    names = [(node["key"]["staff"]["name"], node["stats"]["count"]) for node in groups["nodes"]]
    assert (groups["totalCount"], names) == (
        9,
        [("Margaret Peacock", 156), ("Janet Leverling", 127), ("Nancy Davolio", 123)],
    )
    key = groups["nodes"][0]["key"]
    assert (key["staff"]["id"][:4], key["staff"]["number"], key["status"]) == ("stf_", None, None)


LARGEST = """
select customers.country, products.category, count(*) as rows from order_items
join orders on orders.id = order_id join customers on customers.id = orders.customer_id
join products on products.id = product_id
group by 1, 2 order by 3 desc, 2, 1 limit 5
"""


async def fetch_rows(dsn: str, sql: str) -> list[tuple[Any, ...]]:
    """The rows of a statement, read past the hub."""
    connection = await asyncpg.connect(dsn)
    try:
        return [tuple(record) for record in await connection.fetch(sql)]
    finally:
        await connection.close()


async def test_a_column_two_links_away_and_one_of_the_row_make_one_key(run_query: RunQuery, demo_dsn: str) -> None:
    query = """{ orderItemsGrouped(
        by: [{link: {order: {link: {customer: {field: COUNTRY}}}}}, {link: {product: {field: CATEGORY}}}], first: 5
        orderBy: [{by: COUNT, direction: DESC}, {key: {link: {product: {field: CATEGORY}}}}]
    ) { nodes { key { order { customer { country } staff { id } } product { category } }  stats { count } } } }"""
    nodes = (await run_query(query))["orderItemsGrouped"]["nodes"]
    assert nodes == [
        {
            "key": {
                "order": {"customer": {"country": country}, "staff": None},
                "product": {"category": category},
            },
            "stats": {"count": count},
        }
        for country, category, count in await fetch_rows(demo_dsn, LARGEST)
    ]


async def test_rows_behind_a_hidden_or_an_absent_link_are_one_group(run_query: RunQuery, demo_dsn: str) -> None:
    query = """{ customersGrouped(by: {link: {unit: {link: {parent: {field: CODE}}}}}) {
        nodes { key { unit { parent { code } } } }
    } }"""
    nodes = (await run_query(query))["customersGrouped"]["nodes"]
    codes = [node["key"]["unit"]["parent"]["code"] for node in nodes]
    assert codes == ["eastern", "northern", "southern", "western", None]
    one = (await run_query('{ customerBy(identifier: {kind: EXTERNAL_ID, value: "QUICK"}) { id } }'))["customerBy"][
        "id"
    ]
    key = await create_api_key(demo_dsn, Role.READER, customer_id=UUID(one.partition("_")[2]))
    nodes = (await run_query(query, key=key))["customersGrouped"]["nodes"]
    assert nodes == [{"key": {"unit": {"parent": {"code": None}}}}]


@pytest.mark.parametrize(
    ("arguments", "code", "argument", "problem"),
    [
        ("by: {}", "GROUP_INVALID", "by[0]", "either a field or a link"),
        ("by: {field: STATUS, link: {staff: {field: ID}}}", "GROUP_INVALID", "by[0]", "either a field or a link"),
        ("by: {link: {}}", "GROUP_INVALID", "by[0].link", "exactly one link"),
        ("by: {link: {staff: {}}}", "GROUP_INVALID", "by[0].link.staff", "either a field or a link"),
        ("by: {link: {staff: {field: ID}}, bucket: DAY}", "GROUP_INVALID", "by[0].bucket", "behind the link"),
        ("by: {field: ID, bucket: DAY}", "GROUP_INVALID", "by[0].bucket", "ID is no time"),
        ("by: [{link: {staff: {field: ID}}}, {link: {staff: {field: ID}}}]", "GROUP_INVALID", "by", "repeated"),
        (
            "by: {link: {customer: {link: {unit: {link: {parent: {link: {parent: {field: ID}}}}}}}}}",
            "GROUP_INVALID",
            "by[0].link.customer.link.unit.link.parent",
            "at most 3 links",
        ),
        ("by: {field: STATUS}, orderBy: {}", "ORDER_INVALID", "orderBy[0]", "a key or an aggregate"),
        ("by: {field: STATUS}, orderBy: {by: SUM}", "ORDER_INVALID", "orderBy[0]", "every other function needs one"),
        ("by: {field: STATUS}, orderBy: {by: SUM, field: NET}", "CURRENCY_REQUIRED", "orderBy[0].by", "currency"),
        ("by: {field: STATUS}, orderBy: {key: {field: ID}}", "ORDER_INVALID", "orderBy[0].key", "add it to `by`"),
        ("by: {field: STATUS}, orderBy: [{by: COUNT}, {by: COUNT}]", "ORDER_INVALID", "orderBy[1]", "repeated"),
        ("by: {field: STATUS}, first: 1, last: 1", "PAGE_ARGUMENTS", "last", "exclude each other"),
    ],
)
async def test_a_grouping_that_cannot_be_is_refused_with_its_argument(
    expect_error: RunQuery, arguments: str, code: str, argument: str, problem: str
) -> None:
    error = await expect_error(f"{{ ordersGrouped({arguments}) {{ totalCount }} }}")
    assert (error["extensions"]["code"], error["extensions"]["argument"]) == (code, argument)
    assert problem in error["message"]
    assert (error["path"], error["locations"]) == (["ordersGrouped"], [{"line": 1, "column": 3}])


# -- sums of nothing ----------------------------------------------------------------------------------------------------


async def test_d7_the_sum_of_nothing_is_null_in_the_answer_and_in_the_filter(run_query: RunQuery) -> None:
    data = await run_query("""{
        nothing: orderItems(filter: {quantity: {lt: 0}}) { stats { sum { quantity net { amount } } avg { quantity } } }
        isNull: customers(filter: {orders: {sum: {net: {isNull: true}, currency: "USD"}}}) { totalCount }
        zero: customers(filter: {orders: {sum: {net: {eq: 0}, currency: "USD"}}}) { totalCount }
        small: customers(filter: {orders: {sum: {net: {lt: 100.8}, currency: "USD"}}}) { nodes { name } }
        notHundred: customers(filter: {orders: {sum: {net: {ne: 100.8}, currency: "USD"}}}) { totalCount }
        otherCurrency: customers(filter: {orders: {sum: {net: {gte: 0}, currency: "EUR"}}}) { totalCount }
        none: customers(filter: {orders: {count: {eq: 0}}}) { totalCount }
    }""")
    assert data["nothing"]["stats"] == {"sum": {"quantity": None, "net": []}, "avg": {"quantity": None}}
    counts = {name: part["totalCount"] for name, part in data.items() if "totalCount" in part}
    assert counts == {"isNull": 2, "zero": 0, "notHundred": 90, "otherCurrency": 0, "none": 2}
    assert data["small"]["nodes"] == []


async def test_d7_the_sum_of_nothing_sorts_like_the_other_aggregates_of_nothing(run_query: RunQuery) -> None:
    query = '{ customers(last: 2, orderBy: {orders: {by: %s, field: NET, currency: "USD"}, direction: DESC}) { nodes { name } } }'
    lists = [(await run_query(query % function))["customers"]["nodes"] for function in ("SUM", "AVG", "MIN", "MAX")]
    assert {node["name"] for node in lists[0]} == {"FISSA Fabrica Inter. Salchichas S.A.", "Paris spécialités"}
    assert all(nodes == lists[0] for nodes in lists)
