"""The sample data through the front door: the numbers that everyone who knows Northwind knows."""

from conftest import RunQuery

QUICK = '{ customerBy(identifier: {kind: EXTERNAL_ID, value: "QUICK"}) { %s } }'


async def test_quick_stop_has_28_orders_worth_110277(run_query: RunQuery) -> None:
    data = await run_query(QUICK % "orders { totalCount stats { sum { net { amount currency } } } }")
    orders = {"totalCount": 28, "stats": {"sum": {"net": [{"amount": "110277.3050", "currency": "USD"}]}}}
    assert data == {"customerBy": {"orders": orders}}


async def test_all_items_are_worth_1265793(run_query: RunQuery) -> None:
    data = await run_query("{ orderItems { totalCount stats { sum { net { amount } } } } }")
    assert data == {"orderItems": {"totalCount": 2155, "stats": {"sum": {"net": [{"amount": "1265793.0395"}]}}}}


async def test_two_customers_never_ordered(run_query: RunQuery) -> None:
    data = await run_query("{ customers(filter: {orders: {none: {}}}) { totalCount nodes { name } } }")
    names = [{"name": "FISSA Fabrica Inter. Salchichas S.A."}, {"name": "Paris spécialités"}]
    assert data == {"customers": {"totalCount": 2, "nodes": names}}


IDS = """{
    customerBy(identifier: {kind: EXTERNAL_ID, value: "QUICK"}) { id name }
    orders(first: 1) { nodes { id number } }
    products(first: 1) { nodes { id name } }
}"""
OF_ANY_TYPE = "... on Customer { name } ... on Order { number } ... on Product { productName: name }"


async def test_one_document_finds_rows_of_all_types_by_id(run_query: RunQuery) -> None:
    data = await run_query(IDS)
    customer, order, product = data["customerBy"], data["orders"]["nodes"][0], data["products"]["nodes"][0]
    rows = {
        customer["id"]: {"name": customer["name"]},
        order["id"]: {"number": order["number"]},
        product["id"]: {"productName": product["name"]},
    }
    one = f"query ($id: ID!) {{ node(id: $id) {{ {OF_ANY_TYPE} }} }}"
    several = f"query ($ids: [ID!]!) {{ nodes(ids: $ids) {{ {OF_ANY_TYPE} }} }}"
    for id_, row in rows.items():
        assert await run_query(one, {"id": id_}) == {"node": row}
    ids = list(rows)
    for part in (ids[:1], ids[1:2], ids[:2], ids[1:], ids, [ids[2], ids[0], ids[2]]):
        assert await run_query(several, {"ids": part}) == {"nodes": [rows[id_] for id_ in part]}
