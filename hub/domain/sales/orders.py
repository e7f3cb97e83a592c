"""Orders and their items. Amounts keep four decimals and stand beside their currency."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from itertools import count
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from hub.db.pool import Connection
from hub.db.sql_text import to_sql
from hub.domain.customers.lookup import CUSTOMER_BY_IDENTIFIER
from hub.errors import BadInput
from hub.model import scopes, validators, writer
from hub.model.columns import (
    DescribedEnum,
    child_of,
    customer_and_unit_columns,
    entity_table,
    enum_column,
    foreign_key,
    money,
    same_customer_fk,
    timestamp,
)
from hub.model.writer import EntityWriter, NestedRows
from hub.viewer import Viewer


class OrderStatus(DescribedEnum):
    DRAFT = "DRAFT", "Being put together."
    PLACED = "PLACED", "Ordered, not yet sent."
    SHIPPED = "SHIPPED", "On its way or delivered."
    CANCELLED = "CANCELLED", "Called off."
    RETURNED = "RETURNED", "Sent back."


Order = entity_table(
    "orders",
    *customer_and_unit_columns(),
    sa.Column("number", sa.Text, nullable=False, comment="Number on the order's papers."),
    sa.Column("status", enum_column(OrderStatus), nullable=False, comment="How far the order has come."),
    sa.Column("placed_at", timestamp(), nullable=False, comment="When the customer ordered."),
    sa.Column("required_at", timestamp(), comment="When the goods are due."),
    sa.Column("shipped_at", timestamp(), comment="When the goods were sent; empty while they wait."),
    sa.Column("currency", sa.Text, nullable=False, comment="ISO 4217 code of the order's amounts."),
    sa.Column("net", money(), nullable=False, comment="Sum of the items, after discounts, before freight."),
    sa.Column("freight", money(), nullable=False, server_default=sa.text("0"), comment="What sending costs."),
    sa.Column(
        "total", money(), sa.Computed("net + freight", persisted=True), nullable=False, comment="Net plus freight."
    ),
    sa.Column("ship_to", sa.Text, comment="Name on the parcel."),
    sa.Column("ship_city", sa.Text, comment="City where the goods go."),
    sa.Column("ship_country", sa.Text, comment="ISO 3166-1 alpha-2 code of the country where the goods go."),
    foreign_key("staff_id", "staff.id", "Who took the order.", nullable=True),
    sa.Column("contact_id", sa.Uuid, comment="The person who ordered."),
    same_customer_fk("contact_id", "contacts"),
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

OrderItem = entity_table(
    "order_items",
    *child_of("order_id", "orders", "The order that the item is part of."),
    sa.Column("line", sa.Integer, nullable=False, comment="Position on the order's papers, from 1."),
    foreign_key("product_id", "products.id", "What was ordered."),
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

ROUNDING = Decimal("0.0001")
MAX_UNITS = 1_000_000  # of one line
MAX_LINES = 1_000_000  # of one order
ORDER_CHECKS: Mapping[str, validators.ValueCheck] = {
    "number": validators.single_line,
    "currency": validators.currency,
    "net": validators.non_negative_amount,
    "freight": validators.non_negative_amount,
    "ship_to": validators.single_line,
    "ship_city": validators.single_line,
    "ship_country": validators.country,
}


def _line_number(value: int) -> int:
    if not 0 < value <= MAX_LINES:
        raise ValueError(f"lines count from 1; give 1 to {MAX_LINES:,}")
    return value


def _quantity(value: int) -> int:
    if not 0 < value <= MAX_UNITS:
        raise ValueError(f"give 1 to {MAX_UNITS:,} units")
    return value


def _discount(value: Decimal) -> Decimal:
    if not 0 <= value <= 1 or value != round(value, 4):
        raise ValueError("give a share from 0 to 1 of at most four decimals, like 0.15")
    return value


ITEM_CHECKS: Mapping[str, validators.ValueCheck] = {
    "line": _line_number,
    "quantity": _quantity,
    "unit_price": validators.non_negative_amount,
    "discount": _discount,
}


def line_net(item: Mapping[str, Any]) -> Decimal:
    """What a line comes to, rounded as the database rounds it: quantity × price × (1 − discount), to four decimals."""
    net: Decimal = item["unit_price"] * item["quantity"] * (1 - Decimal(item.get("discount") or 0))
    return net.quantize(ROUNDING, ROUND_HALF_UP)


def _validate_order(column_values: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    checked = validators.check_values(column_values, ORDER_CHECKS)
    items = checked.get("items")
    if items:
        if checked.get("net") is not None:
            raise BadInput("net: the items say what it is; leave it out.", argument="net")
        checked["items"] = _number_lines(items)
        checked["net"] = _sum_items(items, now)
    if "customer_id" in checked:  # which is given to new orders alone
        checked = {
            "placed_at": now,
            "net": Decimal(0),
            **{name: value for name, value in checked.items() if value is not None},
        }
    return checked


def _number_lines(items: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Items that name no line have the first that are free."""
    taken = {item.get("line") for item in items}
    free = (number for number in count(1) if number not in taken)
    return [item if item.get("line") is not None else {**item, "line": next(free)} for item in items]


def _sum_items(items: Sequence[Mapping[str, Any]], now: datetime) -> Decimal:
    """What the items come to. Each is looked at first: the order that it is part of is stored before it."""
    net = Decimal(0)
    for index, item in enumerate(items):
        try:
            net += line_net(_validate_item(item, now))
        except BadInput as error:
            raise writer.prefix_error(f"items[{index}]", error) from None
    if net >= validators.AMOUNT_LIMIT:
        raise BadInput("items: together they have more than 14 digits before the point; give less.", argument="items")
    return net


def _validate_item(column_values: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    checked = validators.check_values(column_values, ITEM_CHECKS)
    is_priced = checked.get("unit_price") is not None and checked.get("quantity") is not None
    if is_priced and line_net(checked) >= validators.AMOUNT_LIMIT:
        message = "unit_price: times the quantity it has more than 14 digits before the point; give less."
        raise BadInput(message, argument="unit_price")
    return checked


_net_of_items = (
    sa.select(sa.func.coalesce(sa.func.sum(OrderItem.c.net), sa.literal_column("0")))
    .where(OrderItem.c.order_id == Order.c.id)
    .scalar_subquery()
)
_UPDATE_NET = to_sql(
    sa.update(Order)
    .where(Order.c.id == sa.bindparam("order", type_=sa.Uuid), Order.c.net != _net_of_items)
    .values(
        net=_net_of_items,
        version=Order.c.version + sa.literal_column("1"),
        updated_at=sa.bindparam("now", type_=timestamp()),
    )
)


_LOCK_ORDER = to_sql(
    sa.select(Order.c.id).where(Order.c.id == sa.bindparam("order", type_=sa.Uuid)).with_for_update(key_share=True)
)


_MAX_LINE = to_sql(
    sa.select(sa.func.max(OrderItem.c.line)).where(OrderItem.c.order_id == sa.bindparam("order", type_=sa.Uuid))
)


async def _assign_line_number(tx: Connection, viewer: Viewer, item: Mapping[str, Any]) -> dict[str, Any]:
    """The line after the last of the order, which is locked so that two do not take the same; nothing where one is given."""
    if item.get("line") is not None or item.get("order_id") is None:
        return {}
    await writer.require_visible(tx, viewer, Order, item["order_id"], "order_id")
    await tx.fetchval(_LOCK_ORDER, item["order_id"])
    last_line: int = await tx.fetchval(_MAX_LINE, item["order_id"]) or 0
    return validators.check_values({"line": last_line + 1}, ITEM_CHECKS)


async def _recompute_net(tx: Connection, order: UUID, now: datetime) -> None:
    """The order's net follows its items: locked first, since a sum sees only what was done before it begins."""
    await tx.fetchval(_LOCK_ORDER, order)
    await tx.execute(_UPDATE_NET, now, order)


ITEM_COLUMNS = ("line", "product_id", "quantity", "unit_price", "discount")
ORDER_ITEM_WRITER = EntityWriter(
    OrderItem,
    subject="orders",
    scope=scopes.customer_owned,
    creatable=("order_id", *ITEM_COLUMNS),
    updatable=ITEM_COLUMNS,
    check_write=_validate_item,
    server_filled=("line",),
    resolve_missing=_assign_line_number,
    copied_from_parent={"order_id": ("customer_id", "currency")},
    after_write=_recompute_net,
    overflow_columns=("unit_price", "quantity", "discount"),
)
SHIPPING_COLUMNS = ("required_at", "freight", "ship_to", "ship_city", "ship_country", "staff_id", "contact_id")
ORDER_WRITER = EntityWriter(
    Order,
    subject="orders",
    scope=scopes.customer_owned,
    creatable=("customer_id", "number", "status", "placed_at", "shipped_at", "currency", "net", *SHIPPING_COLUMNS),
    updatable=("number", *SHIPPING_COLUMNS),
    check_write=_validate_order,
    unique_keys=("number",),
    defaults={"status": OrderStatus.PLACED},
    server_filled=("customer_id", "placed_at", "net"),
    references={"identifier": CUSTOMER_BY_IDENTIFIER},
    nested={"items": NestedRows(ORDER_ITEM_WRITER, parent_column="order_id")},
    overflow_columns=("freight", "net"),
)


# From where to where; what has been sent comes back, and what is called off stays so.
STATUS_TRANSITIONS: Mapping[OrderStatus, tuple[OrderStatus, ...]] = {
    OrderStatus.DRAFT: (OrderStatus.PLACED, OrderStatus.CANCELLED),
    OrderStatus.PLACED: (OrderStatus.SHIPPED, OrderStatus.CANCELLED),
    OrderStatus.SHIPPED: (OrderStatus.RETURNED,),
    OrderStatus.CANCELLED: (),
    OrderStatus.RETURNED: (),
}


class OrderStatusMovePayload(NamedTuple):
    """What a move gives."""

    order: Annotated[UUID, Order, "The order as it is now."]


async def status_move(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, Order, "The order."],
    status: Annotated[OrderStatus, "How far the order has come."],
    now: datetime,
) -> OrderStatusMovePayload:
    """Moves an order on: from DRAFT to PLACED, SHIPPED and RETURNED, or to CANCELLED as long as it is not sent."""
    viewer.require("orders:write")
    row = await writer.lock_row(tx, viewer, Order, id, "id")
    current = OrderStatus[row["status"]]
    if status not in STATUS_TRANSITIONS[current]:
        remedy = (
            f"it may become {' or '.join(STATUS_TRANSITIONS[current])}"
            if STATUS_TRANSITIONS[current]
            else "it stays so"
        )
        message = f"status: an order that is {current} does not become {status}; {remedy}."
        raise BadInput(message, code="STATUS_MOVE_INVALID", argument="status")
    shipped = {"shipped_at": now} if status is OrderStatus.SHIPPED and row["shipped_at"] is None else {}
    await writer.update_row(tx, viewer, Order, id, {"status": status, **shipped}, now)
    return OrderStatusMovePayload(id)
