"""Totals of the orders by customer, computed before any row is written.

A customer's row is written before the orders, but its stage and tier depend on all of them."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TypeAlias

from hub.demo.rows import to_datetime
from hub.demo.synthetic import interaction_texts
from hub.demo.synthetic.customers import CustomerGenerator
from hub.demo.synthetic.orders import GeneratedOrder
from hub.domain.scoring.rfm import OrderSummary, QuintileCuts, rfm_cuts

IntegerArray: TypeAlias = "array[int]"


@dataclass(frozen=True)
class OrderTotals:
    """Per customer number: order count, net in ten-thousandths of the own currency, last order, and whether there was contact."""

    customers: CustomerGenerator
    timestamp: int
    orders: IntegerArray
    net: IntegerArray
    last: IntegerArray
    contacted: bytearray

    @classmethod
    def empty(cls, customers: CustomerGenerator, timestamp: int) -> "OrderTotals":
        zeros = [0] * customers.size
        return cls(
            customers, timestamp, array("i", zeros), array("q", zeros), array("q", zeros), bytearray(customers.size)
        )

    def as_of(self, timestamp: int) -> "OrderTotals":
        """Returns a copy of the current state."""
        return replace(self, timestamp=timestamp, orders=self.orders[:], net=self.net[:], last=self.last[:])

    def add(self, order: GeneratedOrder) -> None:
        if order.is_purchase:
            self.orders[order.customer] += 1
            self.last[order.customer] = order.placed_at
            if order.currency == self.customers.market(order.customer).country.currency:
                self.net[order.customer] += order.net
        if not interaction_texts.next_text(order).about_order:
            self.contacted[order.next_customer] = 1

    def order_summary(self, number: int) -> OrderSummary:
        last = self.last[number]
        currency = self.customers.market(number).country.currency
        net = Decimal(self.net[number]).scaleb(-4)
        return OrderSummary(self.orders[number], to_datetime(last) if last else None, net, currency)

    def population(self) -> Iterator[OrderSummary]:
        """Yields the purchases of each customer that existed at the time of the totals."""
        return (self.order_summary(number) for number in range(self.customers.count_at(self.timestamp)))

    def quintile_cuts(self) -> QuintileCuts:
        return rfm_cuts(self.population(), to_datetime(self.timestamp))
