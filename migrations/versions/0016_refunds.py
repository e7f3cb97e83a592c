"""Reasons of refunds and returns: an order and its items may go below zero where they have one.

Adding a nullable column changes the catalog only; the checks are verified by one scan of each table. `orders` and
`order_items` are locked ACCESS EXCLUSIVE until the transaction ends. Rows below zero that were written with SQL get a reason."""

from collections.abc import Sequence

from alembic import op

revision: str = "0016"
down_revision: str | None = "0015"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

ORDER_REASON = "Reason of a refund or a return, in one line; a net or a freight below zero needs one."
ITEM_REASON = (
    "Reason of a return or a credit, in one line; a quantity below one or a price below zero needs one. "
    "An item that is created with its order takes the order's."
)
# Table, column, comment before and after.
COMMENTS = (
    (
        "orders",
        "net",
        "Sum of the items, after discounts, before freight.",
        "Sum of the items, after discounts, before freight, to four decimals in every currency; below zero for a refund.",
    ),
    (
        "orders",
        "freight",
        "Cost of sending.",
        "Cost of sending, to four decimals in every currency; below zero where it is refunded.",
    ),
    ("orders", "total", "Net plus freight.", "Net plus freight, to four decimals in every currency."),
    ("order_items", "quantity", "Number of units.", "Number of units; below zero for units that come back."),
    (
        "order_items",
        "unit_price",
        "Agreed price of one unit.",
        "Agreed price of one unit, to four decimals in every currency; below zero for a credit.",
    ),
    (
        "order_items",
        "net",
        "Quantity times price, less the discount.",
        "Quantity times price, less the discount, to four decimals in every currency.",
    ),
    (
        "products",
        "unit_price",
        "List price of one unit.",
        "List price of one unit, to four decimals in every currency.",
    ),
)
UNKNOWN = "Recorded before reasons were."


def upgrade() -> None:
    for table, text in (("orders", ORDER_REASON), ("order_items", ITEM_REASON)):
        op.execute(f"alter table {table} add column reason text")
        _comment(table, "reason", text)
        op.execute(f"select hub_capture('{table}')")
    op.execute(f"update orders set reason = '{UNKNOWN}' where freight < 0")
    op.execute(f"update order_items set reason = '{UNKNOWN}' where unit_price < 0")
    op.execute("alter table order_items drop constraint ck_order_items_quantity_is_positive")
    _check("orders", "freight_below_zero_has_a_reason", "freight >= 0 or reason is not null")
    _check("order_items", "quantity_below_one_has_a_reason", "quantity > 0 or reason is not null")
    _check("order_items", "unit_price_below_zero_has_a_reason", "unit_price >= 0 or reason is not null")
    for table, column, _, comment in COMMENTS:
        _comment(table, column, comment)


def downgrade() -> None:
    for table, column, comment, _ in COMMENTS:
        _comment(table, column, comment)
    op.execute("alter table order_items add constraint ck_order_items_quantity_is_positive check (quantity > 0)")
    for table in ("orders", "order_items"):
        op.execute(f"alter table {table} drop column reason")
        op.execute(f"select hub_capture('{table}')")


def _check(table: str, name: str, condition: str) -> None:
    op.execute(f"alter table {table} add constraint ck_{table}_{name} check ({condition})")


def _comment(table: str, column: str, comment: str) -> None:
    op.execute("comment on column {}.{} is '{}'".format(table, column, comment.replace("'", "''")))
