"""Orders and their items as clients see them."""

from datetime import datetime
from decimal import Decimal

from hub.domain.sales import orders
from hub.engine.catalog.scalars import MoneyAmount
from hub.model import scopes
from hub.model.commands import command
from hub.model.declarations import graphql_type, to_many, to_one


@graphql_type(
    orders.Order,
    scope=scopes.customer_owned,
    prefix="ord",
    plural="orders",
    sortable=("placed_at", "total"),
    order=("placed_at", "desc"),
    implements={"TimelineEntry": "placed_at"},
    writer=orders.ORDER_WRITER,
)
class Order:
    """What a customer ordered, on what terms, and how far it has come."""

    number: str
    status: orders.OrderStatus
    placed_at: datetime
    required_at: datetime | None
    shipped_at: datetime | None
    currency: str
    net: MoneyAmount
    freight: MoneyAmount
    total: MoneyAmount
    ship_to: str | None
    ship_city: str | None
    ship_country: str | None
    customer = to_one("customers.Customer", by="customer_id", description="The customer who ordered.")
    contact = to_one("contacts.Contact", by="contact_id", description="The person who ordered.")
    staff = to_one("org.Staff", by="staff_id", description="Who took the order.")
    items = to_many("orders.OrderItem", by="order_id", description="The lines of the order.")
    interactions = to_many("interactions.Interaction", by="order_id", description="What was said about the order.")


@graphql_type(
    orders.OrderItem,
    scope=scopes.customer_owned,
    prefix="itm",
    plural="orderItems",
    sortable=("line",),
    order=("line", "asc"),
    writer=orders.ORDER_ITEM_WRITER,
)
class OrderItem:
    """One line of an order."""

    line: int
    quantity: int
    unit_price: MoneyAmount
    discount: Decimal
    currency: str
    net: MoneyAmount
    order = to_one("orders.Order", by="order_id", description="The order that the line is part of.")
    product = to_one("products.Product", by="product_id", description="What was ordered.")


status_move = command("orderStatusMove", orders.status_move, bulk_name="ordersStatusMove")
