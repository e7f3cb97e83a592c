"""Orders and their items. Amounts keep four decimals and stand beside their currency."""

from datetime import datetime
from decimal import Decimal

from hub.model import (
    GLOBAL,
    NOW,
    WITHIN_CUSTOMER,
    Column,
    Entity,
    MoneyAmount,
    PersonalData,
    Workflow,
    copied,
    customer_and_unit,
    field,
    generated,
    state,
    to_one,
    unique,
    validators,
)
from hub.schema.customers.contacts import Contact
from hub.schema.organisation.staff import Staff
from hub.schema.sales.products import Product


class OrderStatus(Workflow):
    DRAFT = "DRAFT", state("Being put together.", to=("PLACED", "CANCELLED"))
    PLACED = "PLACED", state("Ordered, not yet sent.", to=("SHIPPED", "CANCELLED"))
    SHIPPED = "SHIPPED", state("On its way or delivered.", to=("RETURNED",), stamps="shipped_at")
    CANCELLED = "CANCELLED", state("Called off.")
    RETURNED = "RETURNED", state("Sent back.")


class Order(
    Entity,
    prefix="ord",
    owned_by=customer_and_unit("The customer who ordered.", inverse=("orders", "The customer's orders.")),
    subject_of=("Clock", "Notification", "WorkItem"),
    writable_by=("unit",),
    order="-placed_at",
    sortable=("updated_at",),
    identifies=("number",),
    timeline="placed_at",
    checks={"freight_below_zero_has_a_reason": "freight >= 0 or reason is not null"},
    overflow_columns=("freight", "net"),
):
    """A customer's order: its terms and its progress."""

    number: Column[str] = field(
        "Number on the order's papers.",
        unique=GLOBAL,
        check=validators.single_line,
        personal=PersonalData.IDENTIFIER,
    )
    status: Column[OrderStatus] = field(
        "Progress of the order.", default=OrderStatus.PLACED, personal=PersonalData.BEHAVIOUR
    )
    placed_at: Column[datetime] = field(
        "Time when the customer ordered.",
        default=NOW,
        server_filled=True,
        sortable=True,
        writable="create",
        personal=PersonalData.BEHAVIOUR,
    )
    required_at: Column[datetime | None] = field(
        "Time when the goods are due.", sortable=True, null_as="infinity", personal=PersonalData.BEHAVIOUR
    )
    shipped_at: Column[datetime | None] = field(
        "Time when the goods were sent; empty while they wait.", writable="create", personal=PersonalData.BEHAVIOUR
    )
    currency: Column[str] = field(
        "ISO 4217 code of the order's amounts.",
        check=validators.currency,
        writable="create",
        personal=PersonalData.FINANCIAL,
    )
    net: Column[MoneyAmount] = field(
        "Sum of the items, after discounts, before freight, to four decimals in every currency; below zero for a refund.",
        server_filled=True,
        check=validators.amount,
        writable="create",
        personal=PersonalData.FINANCIAL,
    )
    freight: Column[MoneyAmount] = field(
        "Cost of sending, to four decimals in every currency; below zero where it is refunded.",
        server_default=0,
        server_filled=True,
        check=validators.amount,
        personal=PersonalData.FINANCIAL,
    )
    total: Column[MoneyAmount] = generated(
        "Net plus freight, to four decimals in every currency.",
        "net + freight",
        sortable=True,
        personal=PersonalData.FINANCIAL,
    )
    reason: Column[str | None] = field(
        "Reason of a refund or a return, in one line; a net or a freight below zero needs one.",
        check=validators.single_line,
        personal=PersonalData.FREE_TEXT,
    )
    ship_to: Column[str | None] = field("Name on the parcel.", check=validators.single_line, personal=PersonalData.NAME)
    ship_city: Column[str | None] = field(
        "City of the delivery address.", check=validators.single_line, personal=PersonalData.ADDRESS
    )
    ship_country: Column[str | None] = field(
        "ISO 3166-1 alpha-2 code of the country of the delivery address.",
        check=validators.country,
        personal=PersonalData.ADDRESS,
    )
    staff = to_one(
        Staff,
        "The member of staff who took the order.",
        optional=True,
        inverse=("orders", "The orders that the person took."),
    )
    contact = to_one(
        Contact, "The person who ordered.", optional=True, inverse=("orders", "The orders that the person placed.")
    )


class OrderItem(
    Entity,
    prefix="itm",
    part_of=Order,
    inverse=("items", "The lines of the order."),
    parent=("order", "The order that the item is part of."),
    nested=True,
    permission="orders",
    writable_by=("unit",),
    order="line",
    unique=(unique("order_id", "line", among=WITHIN_CUSTOMER),),
    checks={
        "quantity_below_one_has_a_reason": "quantity > 0 or reason is not null",
        "unit_price_below_zero_has_a_reason": "unit_price >= 0 or reason is not null",
        "discount_is_a_share": "discount between 0 and 1",
    },
    overflow_columns=("unit_price", "quantity", "discount"),
):
    """One line of an order."""

    line: Column[int] = field(
        "Position on the order's papers, from 1.", server_filled=True, sortable=True, personal=PersonalData.NOT_PERSONAL
    )
    product = to_one(
        Product, "The product that was ordered.", inverse=("items", "The order lines that name the product.")
    )
    quantity: Column[int] = field(
        "Number of units; below zero for units that come back.", personal=PersonalData.BEHAVIOUR
    )
    unit_price: Column[MoneyAmount] = field(
        "Agreed price of one unit, to four decimals in every currency; below zero for a credit.",
        check=validators.amount,
        personal=PersonalData.FINANCIAL,
    )
    discount: Column[Decimal] = field(
        "Share taken off, 0 to 1.", server_default=0, precision=(5, 4), personal=PersonalData.FINANCIAL
    )
    currency: Column[str] = copied("ISO 4217 code, the order's own.", Order.currency)
    net: Column[MoneyAmount] = generated(
        "Quantity times price, less the discount, to four decimals in every currency.",
        "unit_price * quantity * (1 - discount)",
        sortable=True,
        personal=PersonalData.FINANCIAL,
    )
    reason: Column[str | None] = field(
        "Reason of a return or a credit, in one line; a quantity below one or a price below zero needs one. "
        "An item that is created with its order takes the order's.",
        check=validators.single_line,
        personal=PersonalData.FREE_TEXT,
    )
