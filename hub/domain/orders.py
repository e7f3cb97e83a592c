"""Orders and their items. Amounts keep four decimals and stand beside their currency."""

import sqlalchemy as sa

from hub.domain.tables import Choice, choice, entity, moment, money, part_of, placed, reference, same_customer


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
