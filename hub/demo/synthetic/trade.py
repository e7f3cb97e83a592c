"""Rows of synthetic orders, items and interactions, and the scores derived from them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

from hub.demo.rows import Batch, order_api_id, sample_id, to_datetime
from hub.demo.synthetic import interaction_texts
from hub.demo.synthetic.customers import GeneratedCustomer, contact_id
from hub.demo.synthetic.interaction_texts import InteractionText
from hub.demo.synthetic.order_totals import OrderTotals
from hub.demo.synthetic.orders import GeneratedOrder, OrderGenerator
from hub.domain.scoring.rfm import QuintileCuts, rfm
from hub.schema.customers.customers import Customer
from hub.schema.engagement.interactions import Interaction
from hub.schema.sales.orders import Order, OrderItem
from hub.schema.scoring.scores import Score

ORDERS = (
    *(
        "id",
        "customer_id",
        "unit_id",
        "owner_id",
        "number",
        "status",
        "placed_at",
        "required_at",
        "shipped_at",
        "currency",
        "net",
        "freight",
    ),
    *("ship_to", "ship_city", "ship_country", "staff_id", "contact_id", "version", "created_at", "updated_at"),
)
ITEMS = (
    *("id", "customer_id", "order_id", "line", "product_id", "quantity", "unit_price", "discount", "currency"),
    *("created_at", "updated_at"),
)
INTERACTIONS = (
    *("id", "customer_id", "unit_id", "owner_id", "channel", "direction", "kind", "subject", "body", "occurred_at"),
    *("staff_id", "order_id", "contact_id", "created_at", "updated_at"),
)
SCORES = (
    *("id", "customer_id", "model", "value", "band", "reasons", "computed_at", "superseded_at"),
    *("version", "created_at", "updated_at"),
)

OrderRowTuple = tuple[Any, ...]
OCCURRED_AT_INDEX = INTERACTIONS.index("occurred_at")


@dataclass(frozen=True)
class GeneratedStaff:
    """A member of staff of the synthetic set."""

    id: UUID
    number: str
    name: str
    email: str


@dataclass(frozen=True)
class SyntheticOrders:
    """Rows for orders by number, with products, units and staff by index."""

    order_generator: OrderGenerator
    products: Sequence[UUID]
    units: Sequence[UUID]
    staff: Sequence[GeneratedStaff]

    def batches(self, start: int, stop: int) -> list[Batch]:
        orders: list[OrderRowTuple] = []
        items: list[OrderRowTuple] = []
        interactions: list[OrderRowTuple] = []
        for order in self.order_generator.orders_between(start, stop):
            customer = self.order_generator.customers.customer(order.customer)
            order_id = sample_id(Order, f"synthetic:{order.number}", order.placed_at)
            orders.append(self._order(order, customer, order_id))
            items += self._items(order, customer, order_id)
            interactions += self._interactions(order, customer, order_id)
        interactions.sort(key=lambda row: row[OCCURRED_AT_INDEX])
        return [
            Batch(Order, ORDERS, orders),
            Batch(OrderItem, ITEMS, items),
            Batch(Interaction, INTERACTIONS, interactions),
        ]

    def _staff_member(self, order: GeneratedOrder, customer: GeneratedCustomer) -> GeneratedStaff:
        """Returns the customer's owner, or any member of staff for a customer without one."""
        return self.staff[order.number % len(self.staff) if customer.staff is None else customer.staff]

    def _owner(self, customer: GeneratedCustomer) -> UUID | None:
        return None if customer.staff is None else self.staff[customer.staff].id

    def _order(self, order: GeneratedOrder, customer: GeneratedCustomer, order_id: UUID) -> OrderRowTuple:
        return (
            order_id,
            customer.id,
            self.units[customer.outlet],
            self._owner(customer),
            _order_number(order),
            order.status,
            order.placed_at,
            order.required_at,
            order.shipped_at,
            order.currency,
            Decimal(order.net).scaleb(-4),
            Decimal(order.freight).scaleb(-4),
            customer.name.text,
            customer.city,
            customer.market.country.code,
            None if order.online else self._staff_member(order, customer).id,
            contact_id(customer, order.number % customer.contacts),
            1 if order.shipped_at is None else 2,
            order.placed_at,
            order.shipped_at or order.placed_at,
        )

    def _items(self, order: GeneratedOrder, customer: GeneratedCustomer, order_id: UUID) -> Iterator[OrderRowTuple]:
        for number, item in enumerate(order.items, 1):
            yield (
                sample_id(OrderItem, f"synthetic:{order.number}:{number}", order.placed_at),
                customer.id,
                order_id,
                number,
                self.products[item.product],
                item.quantity,
                Decimal(item.price).scaleb(-2),
                Decimal(item.discount).scaleb(-2),
                order.currency,
                order.placed_at,
                order.placed_at,
            )

    def _interactions(
        self, order: GeneratedOrder, customer: GeneratedCustomer, order_id: UUID
    ) -> Iterator[OrderRowTuple]:
        yield self._interaction(interaction_texts.order_text(order), order.placed_at, order, customer, order_id)
        text = interaction_texts.next_text(order)
        occurred_at = (
            order.next_at if order.shipped_at is None or text in interaction_texts.OTHERS else order.shipped_at
        )
        counterpart = customer if text.about_order else self.order_generator.customers.customer(order.next_customer)
        yield self._interaction(text, occurred_at, order, counterpart, order_id)

    def _interaction(
        self,
        text: InteractionText,
        occurred_at: int,
        order: GeneratedOrder,
        customer: GeneratedCustomer,
        order_id: UUID,
    ) -> OrderRowTuple:
        staff_member, contact = self._staff_member(order, customer), order.number % customer.contacts
        placeholders = {
            "number": _order_number(order),
            "order": order_api_id(order_id),
            "staff": staff_member.name,
            "contact": self.order_generator.customers.contact(customer, contact).text,
            "city": customer.city,
            "days": order.days_late,
        }
        return (
            sample_id(Interaction, f"synthetic:{order.number}:{text.interaction_kind}", occurred_at),
            customer.id,
            self.units[customer.outlet],
            self._owner(customer),
            text.channel,
            text.direction,
            text.interaction_kind,
            text.subject.format_map(placeholders),
            text.body.format_map(placeholders),
            occurred_at,
            staff_member.id if "{staff}" in text.body else None,
            order_id if text.about_order else None,
            contact_id(customer, contact) if "{contact}" in text.body else None,
            occurred_at,
            occurred_at,
        )


def score_rows(
    totals: OrderTotals, quintile_cuts: QuintileCuts, numbers: range, superseded_at: int | None
) -> Iterator[OrderRowTuple]:
    """Returns the scores of customers by number, at the time of the totals."""
    as_of = to_datetime(totals.timestamp)
    for number in numbers:
        customer_id = sample_id(Customer, f"synthetic:{number}", totals.customers.created(number))
        for model_score in rfm(totals.order_summary(number), quintile_cuts, as_of):
            yield (
                sample_id(Score, f"synthetic:{number}:{model_score.model}", totals.timestamp),
                customer_id,
                model_score.model,
                model_score.value,
                str(model_score.band),
                orjson.dumps(model_score.reasons).decode(),
                totals.timestamp,
                superseded_at,
                1 if superseded_at is None else 2,
                totals.timestamp,
                superseded_at or totals.timestamp,
            )


def _order_number(order: GeneratedOrder) -> str:
    return f"S{order.number + 1:08d}"
