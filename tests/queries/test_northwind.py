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
