"""Orders and their items as clients see them."""

from datetime import datetime
from decimal import Decimal

from hub.domain.sales import orders
from hub.engine.catalog.scalars import Money
from hub.model import scopes
from hub.model.commands import verb
from hub.model.declarations import many, one, row


@row(
    orders.Order,
    scope=scopes.customer,
    prefix="ord",
    plural="orders",
    sortable=("placed_at", "total"),
    order=("placed_at", "desc"),
    implements={"TimelineEntry": "placed_at"},
    writes=orders.ORDERS,
)
class Order:
    """What a customer ordered, on what terms, and how far it has come."""

    number: str
    status: orders.OrderStatus
    placed_at: datetime
    required_at: datetime | None
    shipped_at: datetime | None
    currency: str
    net: Money
    freight: Money
    total: Money
    ship_to: str | None
    ship_city: str | None
    ship_country: str | None
    customer = one("customers.Customer", by="customer_id", description="The customer who ordered.")
    contact = one("contacts.Contact", by="contact_id", description="The person who ordered.")
    staff = one("org.Staff", by="staff_id", description="Who took the order.")
    items = many("orders.OrderItem", by="order_id", description="The lines of the order.")
    interactions = many("interactions.Interaction", by="order_id", description="What was said about the order.")


@row(
    orders.OrderItem,
    scope=scopes.customer,
    prefix="itm",
    plural="orderItems",
    sortable=("line",),
    order=("line", "asc"),
    writes=orders.ITEMS,
)
class OrderItem:
    """One line of an order."""

    line: int
    quantity: int
    unit_price: Money
    discount: Decimal
    currency: str
    net: Money
    order = one("orders.Order", by="order_id", description="The order that the line is part of.")
    product = one("products.Product", by="product_id", description="What was ordered.")


status_move = verb("orderStatusMove", orders.status_move, many="ordersStatusMove")
