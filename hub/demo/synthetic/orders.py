"""Made-up orders, and what was said between them: each a function of its number, from 0, in the order of time.

Orders grow more as customers do. One in ten comes from a key account, every 500th customer; the others come from old
customers rather than new ones, and never from one customer in five."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hub.demo.synthetic.countries import Market
from hub.demo.synthetic.customers import BEGIN, PRESENT, Accounts
from hub.demo.synthetic.random_draws import draw, early
from hub.domain.sales.orders import OrderStatus

ORDERS_PER_CUSTOMER = 5
KEY_ACCOUNTS = 500
SPAN = PRESENT - BEGIN
DAY = 86_400_000
RECENT = PRESENT - 30 * DAY

COUNTS = (1,) * 4 + (2,) * 6 + (3,) * 3 + (4,) * 2 + (5,)
SENT = (OrderStatus.SHIPPED, OrderStatus.RETURNED)
DISCOUNTS = (0, 0, 0, 0, 5, 10, 15, 25)  # percent
FOREIGN_CURRENCY = "USD"  # in which one order in forty is placed from wherever


class Line(NamedTuple):
    """One item; the price is in hundredths, the discount in percent."""

    product: int
    quantity: int
    price: int
    discount: int

    @property
    def net(self) -> int:
        """In ten-thousandths, exactly."""
        return self.price * self.quantity * (100 - self.discount)


class Deal(NamedTuple):
    """A made-up order, and whom the next word was exchanged with."""

    number: int
    customer: int
    placed: int
    required: int
    shipped: int | None
    status: OrderStatus
    online: bool
    currency: str
    lines: Sequence[Line]
    net: int
    freight: int
    next_word: int  # decides what is said next
    next_customer: int  # and to whom, unless it is about the order
    next_at: int

    @property
    def counts(self) -> bool:
        """Whether it is a purchase: neither a draft nor called off."""
        return self.status not in (OrderStatus.DRAFT, OrderStatus.CANCELLED)

    @property
    def days_late(self) -> int:
        return 0 if self.shipped is None else max(0, self.shipped // DAY - self.required // DAY)


@dataclass(frozen=True)
class Deals:
    """The orders of a set of customers, from a price list in US cents."""

    accounts: Accounts
    prices: Sequence[int]

    @property
    def size(self) -> int:
        return self.accounts.size * ORDERS_PER_CUSTOMER

    def placed(self, number: int) -> int:
        # The square root lets orders grow linearly, as the customers do.
        return BEGIN + int(SPAN * math.sqrt((number + 1) / (self.size + 1)))

    def between(self, start: int, stop: int) -> Iterator[Deal]:
        return (self.deal(number) for number in range(start, stop))

    def deal(self, number: int) -> Deal:
        (buyer, other, wait, pause, first, _), narrow = draw(f"order:{number}")
        key, foreign, step, count, fate, slow, due, freight, online, word, *rest = narrow
        placed = self.placed(number)
        known = self.accounts.known(placed)
        customer = _key_account(buyer, known) if key % 10 == 0 else _regular(buyer, known)
        market = self.accounts.market(customer)
        abroad = foreign % 40 == 0
        amounts = rest[: 2 * COUNTS[count % len(COUNTS)]]
        lines = self._lines(first, 1 + step % 6, amounts, None if abroad else market)
        net = sum(line.net for line in lines)
        # One order in twenty waits weeks longer than the others.
        shipped = placed + DAY // 2 + wait % (9 * DAY) + (20 * DAY if slow % 20 == 0 else 0)
        status = _status(fate % 1000, placed, shipped)
        return Deal(
            number,
            customer,
            placed,
            (placed // DAY + 7 + due % 22) * DAY,
            shipped if status in SENT else None,
            status,
            online % 10 < 4,
            FOREIGN_CURRENCY if abroad else market.country.currency,
            lines,
            net,
            net * (2 + freight % 10) // 10_000 * 100,
            word,
            other % known,
            min(placed + pause % (20 * DAY), PRESENT),
        )

    def _lines(self, first: int, step: int, amounts: Sequence[int], market: Market | None) -> list[Line]:
        """A line for each two of the amounts, each of another product, at the market's prices or in dollars."""
        products = len(self.prices)
        start = early(first, products)
        lines = []
        for index in range(0, len(amounts), 2):
            product = (start + index // 2 * step) % products
            cents = self.prices[product]
            price = cents if market is None else market.price(cents)
            quantity, discount = 1 + amounts[index] % 50, DISCOUNTS[amounts[index + 1] % len(DISCOUNTS)]
            lines.append(Line(product, quantity, price, discount))
        return lines


def _key_account(buyer: int, known: int) -> int:
    return buyer % -(-known // KEY_ACCOUNTS) * KEY_ACCOUNTS


def _regular(buyer: int, known: int) -> int:
    """Customers whose numbers end in 3 or 7 never order; what would be theirs is their neighbours'."""
    number = early(buyer, known)
    return number - 1 if number % 10 in (3, 7) else number


def _status(fate: int, placed: int, shipped: int) -> OrderStatus:
    """How far the order has come by the present; `fate` is below 1000."""
    if placed > RECENT and fate < 50:
        return OrderStatus.DRAFT
    if fate < 25:
        return OrderStatus.CANCELLED
    if shipped > PRESENT:
        return OrderStatus.PLACED
    return OrderStatus.RETURNED if fate < 35 else OrderStatus.SHIPPED
