"""Orders and their items. Amounts keep four decimals and stand beside their currency."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from itertools import count
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from hub.db.sql_text import text
from hub.domain.customers.lookup import BY_IDENTIFIER
from hub.errors import BadInput
from hub.model import scopes, validators, writer
from hub.model.columns import Choice, choice, entity, moment, money, part_of, placed, reference, same_customer
from hub.model.writer import Kind, Part, Tx
from hub.viewer import Viewer


class OrderStatus(Choice):
    DRAFT = "DRAFT", "Being put together."
    PLACED = "PLACED", "Ordered, not yet sent."
    SHIPPED = "SHIPPED", "On its way or delivered."
    CANCELLED = "CANCELLED", "Called off."
    RETURNED = "RETURNED", "Sent back."


Order = entity(
    "orders",
    *placed(),
    sa.Column("number", sa.Text, nullable=False, comment="Number on the order's papers."),
    sa.Column("status", choice(OrderStatus), nullable=False, comment="How far the order has come."),
    sa.Column("placed_at", moment(), nullable=False, comment="When the customer ordered."),
    sa.Column("required_at", moment(), comment="When the goods are due."),
    sa.Column("shipped_at", moment(), comment="When the goods were sent; empty while they wait."),
    sa.Column("currency", sa.Text, nullable=False, comment="ISO 4217 code of the order's amounts."),
    sa.Column("net", money(), nullable=False, comment="Sum of the items, after discounts, before freight."),
    sa.Column("freight", money(), nullable=False, server_default=sa.text("0"), comment="What sending costs."),
    sa.Column(
        "total", money(), sa.Computed("net + freight", persisted=True), nullable=False, comment="Net plus freight."
    ),
    sa.Column("ship_to", sa.Text, comment="Name on the parcel."),
    sa.Column("ship_city", sa.Text, comment="City where the goods go."),
    sa.Column("ship_country", sa.Text, comment="ISO 3166-1 alpha-2 code of the country where the goods go."),
    reference("staff_id", "staff.id", "Who took the order.", nullable=True),
    sa.Column("contact_id", sa.Uuid, comment="The person who ordered."),
    same_customer("contact_id", "contacts"),
    sa.UniqueConstraint("number"),
    sa.UniqueConstraint("id", "customer_id"),
    comment="What a customer ordered, on what terms, and how far it has come.",
)
sa.Index("ix_orders_customer_id_placed_at_id", Order.c.customer_id, Order.c.placed_at, Order.c.id)
sa.Index("ix_orders_placed_at_id", Order.c.placed_at, Order.c.id)
sa.Index("ix_orders_unit_id_placed_at_id", Order.c.unit_id, Order.c.placed_at, Order.c.id)
sa.Index("ix_orders_total_id", Order.c.total, Order.c.id)
sa.Index("ix_orders_staff_id_placed_at_id", Order.c.staff_id, Order.c.placed_at, Order.c.id)
sa.Index("ix_orders_contact_id_placed_at_id", Order.c.contact_id, Order.c.placed_at, Order.c.id)

OrderItem = entity(
    "order_items",
    *part_of("order_id", "orders", "The order that the item is part of."),
    sa.Column("line", sa.Integer, nullable=False, comment="Position on the order's papers, from 1."),
    reference("product_id", "products.id", "What was ordered."),
    sa.Column("quantity", sa.Integer, nullable=False, comment="How many units."),
    sa.Column("unit_price", money(), nullable=False, comment="Agreed price of one unit."),
    sa.Column(
        "discount", sa.Numeric(5, 4), nullable=False, server_default=sa.text("0"), comment="Share taken off, 0 to 1."
    ),
    sa.Column("currency", sa.Text, nullable=False, comment="ISO 4217 code, the order's own."),
    sa.Column(
        "net",
        money(),
        sa.Computed("unit_price * quantity * (1 - discount)", persisted=True),
        nullable=False,
        comment="Quantity times price, less the discount.",
    ),
    sa.UniqueConstraint("order_id", "line"),
    sa.CheckConstraint("quantity > 0", name="quantity_is_positive"),
    sa.CheckConstraint("discount between 0 and 1", name="discount_is_a_share"),
    comment="One line of an order.",
)
sa.Index("ix_order_items_order_id_line_id", OrderItem.c.order_id, OrderItem.c.line, OrderItem.c.id)
sa.Index("ix_order_items_product_id_line_id", OrderItem.c.product_id, OrderItem.c.line, OrderItem.c.id)
sa.Index("ix_order_items_customer_id", OrderItem.c.customer_id)
sa.Index("ix_order_items_line_id", OrderItem.c.line, OrderItem.c.id)

CENT = Decimal("0.0001")
MOST_UNITS = 1_000_000  # of one line
MOST_LINES = 1_000_000  # of one order
CHECKS: Mapping[str, validators.Check] = {
    "number": validators.line,
    "currency": validators.currency,
    "net": validators.amount,
    "freight": validators.amount,
    "ship_to": validators.line,
    "ship_city": validators.line,
    "ship_country": validators.country,
}


def _line(value: int) -> int:
    if not 0 < value <= MOST_LINES:
        raise ValueError(f"lines count from 1; give 1 to {MOST_LINES:,}")
    return value


def _units(value: int) -> int:
    if not 0 < value <= MOST_UNITS:
        raise ValueError(f"give 1 to {MOST_UNITS:,} units")
    return value


def _share(value: Decimal) -> Decimal:
    if not 0 <= value <= 1 or value != round(value, 4):
        raise ValueError("give a share from 0 to 1 of at most four decimals, like 0.15")
    return value


ITEM_CHECKS: Mapping[str, validators.Check] = {
    "line": _line,
    "quantity": _units,
    "unit_price": validators.amount,
    "discount": _share,
}


def line_net(item: Mapping[str, Any]) -> Decimal:
    """What a line comes to, rounded as the database rounds it: quantity × price × (1 − discount), to four decimals."""
    net: Decimal = item["unit_price"] * item["quantity"] * (1 - Decimal(item.get("discount") or 0))
    return net.quantize(CENT, ROUND_HALF_UP)


def _prepared(given: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    found = validators.checked(given, CHECKS)
    items = found.get("items")
    if items:
        if found.get("net") is not None:
            raise BadInput("net: the items say what it is; leave it out.", argument="net")
        found["items"] = _numbered(items)
        found["net"] = _sum(items, at)
    if "customer_id" in found:  # which is given to new orders alone
        found = {"placed_at": at, "net": Decimal(0), **{k: v for k, v in found.items() if v is not None}}
    return found


def _numbered(items: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Items that name no line have the first that are free."""
    taken = {item.get("line") for item in items}
    free = (number for number in count(1) if number not in taken)
    return [item if item.get("line") is not None else {**item, "line": next(free)} for item in items]


def _sum(items: Sequence[Mapping[str, Any]], at: datetime) -> Decimal:
    """What the items come to. Each is looked at first: the order that it is part of is stored before it."""
    net = Decimal(0)
    for number, item in enumerate(items):
        try:
            net += line_net(_item(item, at))
        except BadInput as error:
            raise writer.inside(f"items[{number}]", error) from None
    if net >= validators.MOST_AMOUNT:
        raise BadInput("items: together they have more than 14 digits before the point; give less.", argument="items")
    return net


def _item(given: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    found = validators.checked(given, ITEM_CHECKS)
    whole = found.get("unit_price") is not None and found.get("quantity") is not None
    if whole and line_net(found) >= validators.MOST_AMOUNT:
        message = "unit_price: times the quantity it has more than 14 digits before the point; give less."
        raise BadInput(message, argument="unit_price")
    return found


_net = (
    sa.select(sa.func.coalesce(sa.func.sum(OrderItem.c.net), sa.literal_column("0")))
    .where(OrderItem.c.order_id == Order.c.id)
    .scalar_subquery()
)
_SETTLE = text(
    sa.update(Order)
    .where(Order.c.id == sa.bindparam("order", type_=sa.Uuid), Order.c.net != _net)
    .values(net=_net, version=Order.c.version + sa.literal_column("1"), updated_at=sa.bindparam("at", type_=moment()))
)


_HOLD = text(
    sa.select(Order.c.id).where(Order.c.id == sa.bindparam("order", type_=sa.Uuid)).with_for_update(key_share=True)
)


_LAST = text(
    sa.select(sa.func.max(OrderItem.c.line)).where(OrderItem.c.order_id == sa.bindparam("order", type_=sa.Uuid))
)


async def _next_line(tx: Tx, viewer: Viewer, item: Mapping[str, Any]) -> dict[str, Any]:
    """The line after the last of the order, which is locked so that two do not take the same; nothing where one is given."""
    if item.get("line") is not None or item.get("order_id") is None:
        return {}
    await writer.require_seen(tx, viewer, Order, item["order_id"], "order_id")
    await tx.fetchval(_HOLD, item["order_id"])
    last: int = await tx.fetchval(_LAST, item["order_id"]) or 0
    return validators.checked({"line": last + 1}, ITEM_CHECKS)


async def _settle(tx: Tx, order: UUID, at: datetime) -> None:
    """The order's net follows its items: locked first, since a sum sees only what was done before it begins."""
    await tx.fetchval(_HOLD, order)
    await tx.execute(_SETTLE, at, order)


ITEM = ("line", "product_id", "quantity", "unit_price", "discount")
ITEMS = Kind(
    OrderItem,
    subject="orders",
    scope=scopes.customer,
    creates=("order_id", *ITEM),
    updates=ITEM,
    prepare=_item,
    filled=("line",),
    complete=_next_line,
    inherits={"order_id": ("customer_id", "currency")},
    settle=_settle,
    amounts=("unit_price", "quantity", "discount"),
)
SHIPPING = ("required_at", "freight", "ship_to", "ship_city", "ship_country", "staff_id", "contact_id")
ORDERS = Kind(
    Order,
    subject="orders",
    scope=scopes.customer,
    creates=("customer_id", "number", "status", "placed_at", "shipped_at", "currency", "net", *SHIPPING),
    updates=("number", *SHIPPING),
    prepare=_prepared,
    natural=("number",),
    defaults={"status": OrderStatus.PLACED},
    filled=("customer_id", "placed_at", "net"),
    namings={"identifier": BY_IDENTIFIER},
    parts={"items": Part(ITEMS, by="order_id")},
    amounts=("freight", "net"),
)


# From where to where; what has been sent comes back, and what is called off stays so.
ALLOWED: Mapping[OrderStatus, tuple[OrderStatus, ...]] = {
    OrderStatus.DRAFT: (OrderStatus.PLACED, OrderStatus.CANCELLED),
    OrderStatus.PLACED: (OrderStatus.SHIPPED, OrderStatus.CANCELLED),
    OrderStatus.SHIPPED: (OrderStatus.RETURNED,),
    OrderStatus.CANCELLED: (),
    OrderStatus.RETURNED: (),
}


class StatusMoved(NamedTuple):
    """What a move gives."""

    order: Annotated[UUID, Order, "The order as it is now."]


async def status_move(
    tx: Tx,
    viewer: Viewer,
    *,
    id: Annotated[UUID, Order, "The order."],
    status: Annotated[OrderStatus, "How far the order has come."],
    at: datetime,
) -> StatusMoved:
    """Moves an order on: from DRAFT to PLACED, SHIPPED and RETURNED, or to CANCELLED as long as it is not sent."""
    viewer.require("orders:write")
    row = await writer.lock(tx, viewer, Order, id, "id")
    current = OrderStatus[row["status"]]
    if status not in ALLOWED[current]:
        remedy = f"it may become {' or '.join(ALLOWED[current])}" if ALLOWED[current] else "it stays so"
        message = f"status: an order that is {current} does not become {status}; {remedy}."
        raise BadInput(message, code="STATUS_MOVE_INVALID", argument="status")
    shipped = {"shipped_at": at} if status is OrderStatus.SHIPPED and row["shipped_at"] is None else {}
    await writer.change(tx, viewer, Order, id, {"status": status, **shipped}, at)
    return StatusMoved(id)
