"""Rules of orders: items are numbered and priced, and an order's net follows its items."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from itertools import count
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from hub.db.pool import Connection
from hub.db.sql_text import to_sql
from hub.domain.customers.lookup import IdentifierRef, find_by_identifier
from hub.errors import BadInput
from hub.model import rows, validators
from hub.model.columns import timestamp
from hub.model.rules import Write, after_write, checks, reference, resolves_many, resolves_missing, validates
from hub.model.statements import ColumnValues
from hub.model.writer import writer_of
from hub.schema.sales.orders import Order, OrderItem

ROUNDING = Decimal("0.0001")
MAX_UNITS = 1_000_000  # of one line
MAX_LINES = 1_000_000  # of one order

reference(Order.c.customer_id, "identifier", IdentifierRef, "An identifier of the customer, in place of its id.")(
    find_by_identifier
)


@checks(OrderItem.line)
def _line_number(value: int) -> int:
    if not 0 < value <= MAX_LINES:
        raise ValueError(f"lines count from 1; give 1 to {MAX_LINES:,}")
    return value


@checks(OrderItem.quantity)
def _quantity(value: int) -> int:
    if abs(value) > MAX_UNITS:
        raise ValueError(f"give at most {MAX_UNITS:,} units")
    return value


@checks(OrderItem.discount)
def _discount(value: Decimal) -> Decimal:
    if not 0 <= value <= 1 or value != round(value, 4):
        raise ValueError("give a share from 0 to 1 of at most four decimals, like 0.15")
    return value


def line_net(item: Mapping[str, Any]) -> Decimal:
    """The amount of a line, rounded as the database rounds it: quantity × price × (1 − discount), to four decimals."""
    net: Decimal = item["unit_price"] * item["quantity"] * (1 - Decimal(item.get("discount") or 0))
    return net.quantize(ROUNDING, ROUND_HALF_UP)


@validates(OrderItem)
def _line_amount(write: Write) -> None:
    """The amount of a line must fit its column."""
    item = write.values
    is_priced = item.get("unit_price") is not None and item.get("quantity") is not None
    if is_priced and abs(line_net(item)) >= validators.AMOUNT_LIMIT:
        message = "unit_price: times the quantity it has more than 14 digits before the point; give less."
        raise BadInput(message, argument="unit_price")


@validates(OrderItem)
def _reason_of_a_return(write: Write) -> None:
    """Units that come back and credits have a reason; in an update, the table's check asks for it."""
    _require_reason(write, "a return or a credit", quantity=1, unit_price=0)


@validates(Order)
def _reason_of_a_refund(write: Write) -> None:
    """Money that goes back has a reason. A net that follows from items needs none: each item has its own."""
    _require_reason(write, "a refund", net=0, freight=0)


def _require_reason(write: Write, subject: str, **minimums: int) -> None:
    """Raises BadInput for a new row without a reason that has a value below its minimum."""
    name = _column_below(write.values, **minimums)
    if write.operation == "create" and write.values.get("reason") is None and name is not None:
        raise BadInput(f"{name}: {subject} needs a reason; give `reason`, or a larger value.", argument=name)


def _column_below(values: Mapping[str, Any], **minimums: int) -> str | None:
    """The first column whose value is below its minimum; None if there is none."""
    below = (name for name, minimum in minimums.items() if values.get(name) is not None and values[name] < minimum)
    return next(below, None)


@resolves_missing(Order, reads=False)
async def _net_and_lines(tx: Connection, write: Write) -> dict[str, Any]:
    """The net of a new order is the sum of its items, whose lines are numbered; without items it is as given, else 0."""
    items, net = write.values.get("items"), write.values.get("net")
    if not items:
        return {} if net is not None else {"net": Decimal(0)}
    if net is not None:
        raise BadInput("net: the items say what it is; leave it out.", argument="net")
    items = [_with_reason(item, write.values.get("reason")) for item in _number_lines(items)]
    return {"items": items, "net": _sum_items(items, write)}


def _with_reason(item: Mapping[str, Any], reason: str | None) -> Mapping[str, Any]:
    """The item; a return or a credit without a reason takes the order's."""
    if reason is None or item.get("reason") is not None or _column_below(item, quantity=1, unit_price=0) is None:
        return item
    return {**item, "reason": reason}


def _number_lines(items: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The items, with the first free numbers for those that name no line."""
    taken = {item.get("line") for item in items}
    free = (number for number in count(1) if number not in taken)
    return [item if item.get("line") is not None else {**item, "line": next(free)} for item in items]


def _sum_items(items: Sequence[Mapping[str, Any]], write: Write) -> Decimal:
    """The sum of the items. Each is validated first: the order that it is part of is stored before it."""
    net = Decimal(0)
    for index, item in enumerate(items):
        try:
            net += line_net(writer_of(OrderItem).validated(Write("create", item, None, write.viewer, write.now)))
        except BadInput as error:
            raise rows.prefix_error(f"items[{index}]", error) from None
    if abs(net) >= validators.AMOUNT_LIMIT:
        raise BadInput("items: together they have more than 14 digits before the point; give less.", argument="items")
    return net


_ORDERS = sa.any_(sa.bindparam("orders", type_=ARRAY(sa.Uuid)))
_net_of_items = (
    sa.select(sa.func.coalesce(sa.func.sum(OrderItem.c.net), sa.literal_column("0")))
    .where(OrderItem.c.order_id == Order.c.id)
    .scalar_subquery()
)
_UPDATE_NET = to_sql(
    sa.update(Order.table)
    .where(Order.c.id == _ORDERS, Order.c.net != _net_of_items)
    .values(
        net=_net_of_items,
        version=Order.c.version + sa.literal_column("1"),
        updated_at=sa.bindparam("now", type_=timestamp()),
    )
)


_LOCK_ORDERS = to_sql(
    sa.select(Order.c.id).where(Order.c.id == _ORDERS).order_by(Order.c.id).with_for_update(key_share=True)
)
_MAX_LINES = to_sql(
    sa.select(OrderItem.c.order_id, sa.func.max(OrderItem.c.line).label("line"))
    .where(OrderItem.c.order_id == _ORDERS)
    .group_by(OrderItem.c.order_id)
)


async def _lock_and_read_last_lines(tx: Connection, orders: Collection[UUID]) -> dict[UUID, int]:
    """The last lines of orders that have some; the orders are locked, so that two new items do not take the same one."""
    await tx.execute(_LOCK_ORDERS, list(orders))
    return {row["order_id"]: row["line"] for row in await tx.fetch(_MAX_LINES, list(orders))}


@resolves_missing(OrderItem)
async def _assign_line_number(tx: Connection, write: Write) -> dict[str, Any]:
    """The line after the order's last."""
    item = write.values
    if item.get("line") is not None or item.get("order_id") is None:
        return {}
    await rows.require_visible(tx, write.viewer, Order, item["order_id"], "order_id")
    last_lines = await _lock_and_read_last_lines(tx, [item["order_id"]])
    return writer_of(OrderItem).canonical({"line": last_lines.get(item["order_id"], 0) + 1})


@resolves_many(OrderItem)
async def _assign_line_numbers(
    tx: Connection, items: Sequence[ColumnValues], unstored: Collection[UUID]
) -> list[dict[str, Any]]:
    """The lines after the last ones of their orders, one after the other."""
    orders = {item["order_id"] for item in items if item.get("line") is None and item.get("order_id") is not None}
    last_lines = await _lock_and_read_last_lines(tx, orders.difference(unstored)) if orders else {}
    assigned: list[dict[str, Any]] = []
    for item in items:
        columns: dict[str, Any] = {}
        if item.get("order_id") is not None:
            last: int = last_lines.get(item["order_id"], 0)
            if item.get("line") is None:
                columns = writer_of(OrderItem).canonical({"line": last + 1})
            last_lines[item["order_id"]] = max(last, columns["line"] if columns else item["line"])
        assigned.append(columns)
    return assigned


@after_write(OrderItem)
async def _recompute_net(tx: Connection, orders: Sequence[UUID], now: datetime) -> None:
    """An order's net follows its items. It is locked first, since a sum sees only what was committed before it begins."""
    await tx.execute(_LOCK_ORDERS, orders)
    await tx.execute(_UPDATE_NET, now, orders)
