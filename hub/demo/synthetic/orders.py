"""Synthetic orders and the interactions between them: each is a function of its number, from 0, in order of time.

The number of orders grows with the number of customers. One order in ten comes from a key account (every 500th customer); the
others come more often from old customers, and never from one customer in five."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hub.demo.synthetic.countries import Market
from hub.demo.synthetic.customers import BEGIN, PRESENT, CustomerGenerator
from hub.demo.synthetic.random_draws import draw, draw_skewed
from hub.schema.sales.orders import OrderStatus

ORDERS_PER_CUSTOMER = 5
KEY_ACCOUNTS = 500
SPAN = PRESENT - BEGIN
DAY = 86_400_000
RECENT = PRESENT - 30 * DAY

ITEM_COUNTS = (1,) * 4 + (2,) * 6 + (3,) * 3 + (4,) * 2 + (5,)
SHIPPED_STATUSES = (OrderStatus.SHIPPED, OrderStatus.RETURNED)
DISCOUNTS = (0, 0, 0, 0, 5, 10, 15, 25)  # percent
FOREIGN_CURRENCY = "USD"  # the currency of one order in forty, in any market


class GeneratedItem(NamedTuple):
    """One item; the price is in hundredths, the discount in percent."""

    product: int
    quantity: int
    price: int
    discount: int

    @property
    def net(self) -> int:
        """The exact amount in ten-thousandths."""
        return self.price * self.quantity * (100 - self.discount)


class GeneratedOrder(NamedTuple):
    """A synthetic order, and the customer of the next interaction."""

    number: int
    customer: int
    placed_at: int
    required_at: int
    shipped_at: int | None
    status: OrderStatus
    online: bool
    currency: str
    items: Sequence[GeneratedItem]
    net: int
    freight: int
    next_text_draw: int  # selects the next text
    next_customer: int  # and its customer, unless it is about the order
    next_at: int

    @property
    def is_purchase(self) -> bool:
        """Whether it counts as a purchase: neither a draft nor cancelled."""
        return self.status not in (OrderStatus.DRAFT, OrderStatus.CANCELLED)

    @property
    def days_late(self) -> int:
        return 0 if self.shipped_at is None else max(0, self.shipped_at // DAY - self.required_at // DAY)


@dataclass(frozen=True)
class OrderGenerator:
    """The orders of a set of customers, from a price list in US cents."""

    customers: CustomerGenerator
    prices: Sequence[int]

    @property
    def size(self) -> int:
        return self.customers.size * ORDERS_PER_CUSTOMER

    def placed_at(self, number: int) -> int:
        # With the square root, orders grow linearly, like customers.
        return BEGIN + int(SPAN * math.sqrt((number + 1) / (self.size + 1)))

    def orders_between(self, start: int, stop: int) -> Iterator[GeneratedOrder]:
        return (self.order(number) for number in range(start, stop))

    def order(self, number: int) -> GeneratedOrder:
        (buyer, other, wait, pause, first, _), narrow = draw(f"order:{number}")
        key, foreign, step, count, fate, slow, due, freight, online, text_draw, *rest = narrow
        placed_at = self.placed_at(number)
        customer_count = self.customers.count_at(placed_at)
        customer = _key_account(buyer, customer_count) if key % 10 == 0 else _regular_customer(buyer, customer_count)
        market = self.customers.market(customer)
        abroad = foreign % 40 == 0
        amounts = rest[: 2 * ITEM_COUNTS[count % len(ITEM_COUNTS)]]
        items = self._items(first, 1 + step % 6, amounts, None if abroad else market)
        net = sum(item.net for item in items)
        # One order in twenty takes weeks longer than the others.
        shipped_at = placed_at + DAY // 2 + wait % (9 * DAY) + (20 * DAY if slow % 20 == 0 else 0)
        status = _status(fate % 1000, placed_at, shipped_at)
        return GeneratedOrder(
            number,
            customer,
            placed_at,
            (placed_at // DAY + 7 + due % 22) * DAY,
            shipped_at if status in SHIPPED_STATUSES else None,
            status,
            online % 10 < 4,
            FOREIGN_CURRENCY if abroad else market.country.currency,
            items,
            net,
            net * (2 + freight % 10) // 10_000 * 100,
            text_draw,
            other % customer_count,
            min(placed_at + pause % (20 * DAY), PRESENT),
        )

    def _items(self, first: int, step: int, amounts: Sequence[int], market: Market | None) -> list[GeneratedItem]:
        """Returns one line per two draws, each with another product, at the market's prices or in US dollars."""
        products = len(self.prices)
        start = draw_skewed(first, products)
        items = []
        for index in range(0, len(amounts), 2):
            product = (start + index // 2 * step) % products
            cents = self.prices[product]
            price = cents if market is None else market.price(cents)
            quantity, discount = 1 + amounts[index] % 50, DISCOUNTS[amounts[index + 1] % len(DISCOUNTS)]
            items.append(GeneratedItem(product, quantity, price, discount))
        return items


def _key_account(buyer: int, customer_count: int) -> int:
    return buyer % -(-customer_count // KEY_ACCOUNTS) * KEY_ACCOUNTS


def _regular_customer(buyer: int, customer_count: int) -> int:
    """Returns the customer of an order; customers whose numbers end in 3 or 7 never order, their neighbours do."""
    number = draw_skewed(buyer, customer_count)
    return number - 1 if number % 10 in (3, 7) else number


def _status(fate: int, placed_at: int, shipped_at: int) -> OrderStatus:
    """Returns the order's status at the present; `fate` is below 1000."""
    if placed_at > RECENT and fate < 50:
        return OrderStatus.DRAFT
    if fate < 25:
        return OrderStatus.CANCELLED
    if shipped_at > PRESENT:
        return OrderStatus.PLACED
    return OrderStatus.RETURNED if fate < 35 else OrderStatus.SHIPPED
