"""Rows of made-up orders, their items, what was said, and the scores that come of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

from hub.demo.rows import Batch, ident, moment, order_ref
from hub.demo.synthetic import interaction_texts
from hub.demo.synthetic.customers import Account, contact_id
from hub.demo.synthetic.interaction_texts import Word
from hub.demo.synthetic.order_totals import Ledger
from hub.demo.synthetic.orders import Deal, Deals
from hub.domain.customers.customers import Customer
from hub.domain.engagement.interactions import Interaction
from hub.domain.sales.orders import Order, OrderItem
from hub.domain.scoring.scores import Cuts, Score, rfm

ORDERS = (
    *(
        "id",
        "customer_id",
        "unit_id",
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
    *("id", "customer_id", "unit_id", "channel", "direction", "kind", "subject", "body", "occurred_at"),
    *("staff_id", "order_id", "contact_id", "created_at", "updated_at"),
)
SCORES = (
    *("id", "customer_id", "model", "value", "band", "reasons", "computed_at", "superseded_at"),
    *("version", "created_at", "updated_at"),
)

Row = tuple[Any, ...]
OCCURRED = INTERACTIONS.index("occurred_at")


@dataclass(frozen=True)
class Helper:
    """A member of staff of the set."""

    id: UUID
    number: str
    name: str
    email: str


@dataclass(frozen=True)
class Trade:
    """Rows for orders by number, of products, units and staff by index."""

    deals: Deals
    products: Sequence[UUID]
    units: Sequence[UUID]
    staff: Sequence[Helper]

    def batches(self, start: int, stop: int) -> list[Batch]:
        orders: list[Row] = []
        items: list[Row] = []
        interactions: list[Row] = []
        for deal in self.deals.between(start, stop):
            account = self.deals.accounts.account(deal.customer)
            order_id = ident(Order, f"synthetic:{deal.number}", deal.placed)
            orders.append(self._order(deal, account, order_id))
            items += self._items(deal, account, order_id)
            interactions += self._interactions(deal, account, order_id)
        interactions.sort(key=lambda row: row[OCCURRED])
        return [
            Batch(Order, ORDERS, orders),
            Batch(OrderItem, ITEMS, items),
            Batch(Interaction, INTERACTIONS, interactions),
        ]

    def _helper(self, deal: Deal, account: Account) -> Helper:
        """The customer's own, or for a customer who is nobody's, whoever is free."""
        return self.staff[deal.number % len(self.staff) if account.staff is None else account.staff]

    def _order(self, deal: Deal, account: Account, order_id: UUID) -> Row:
        return (
            order_id,
            account.id,
            self.units[account.outlet],
            _number(deal),
            deal.status,
            deal.placed,
            deal.required,
            deal.shipped,
            deal.currency,
            Decimal(deal.net).scaleb(-4),
            Decimal(deal.freight).scaleb(-4),
            account.name.text,
            account.city,
            account.market.country.code,
            None if deal.online else self._helper(deal, account).id,
            contact_id(account, deal.number % account.contacts),
            1 if deal.shipped is None else 2,
            deal.placed,
            deal.shipped or deal.placed,
        )

    def _items(self, deal: Deal, account: Account, order_id: UUID) -> Iterator[Row]:
        for number, line in enumerate(deal.lines, 1):
            yield (
                ident(OrderItem, f"synthetic:{deal.number}:{number}", deal.placed),
                account.id,
                order_id,
                number,
                self.products[line.product],
                line.quantity,
                Decimal(line.price).scaleb(-2),
                Decimal(line.discount).scaleb(-2),
                deal.currency,
                deal.placed,
                deal.placed,
            )

    def _interactions(self, deal: Deal, account: Account, order_id: UUID) -> Iterator[Row]:
        yield self._interaction(interaction_texts.first(deal), deal.placed, deal, account, order_id)
        word = interaction_texts.following(deal)
        when = deal.next_at if deal.shipped is None or word in interaction_texts.OTHERS else deal.shipped
        other = account if word.about_order else self.deals.accounts.account(deal.next_customer)
        yield self._interaction(word, when, deal, other, order_id)

    def _interaction(self, word: Word, when: int, deal: Deal, account: Account, order_id: UUID) -> Row:
        helper, contact = self._helper(deal, account), deal.number % account.contacts
        told = {
            "number": _number(deal),
            "order": order_ref(order_id),
            "staff": helper.name,
            "contact": self.deals.accounts.contact(account, contact).text,
            "city": account.city,
            "days": deal.days_late,
        }
        return (
            ident(Interaction, f"synthetic:{deal.number}:{word.kind}", when),
            account.id,
            self.units[account.outlet],
            word.channel,
            word.direction,
            word.kind,
            word.subject.format_map(told),
            word.body.format_map(told),
            when,
            helper.id if "{staff}" in word.body else None,
            order_id if word.about_order else None,
            contact_id(account, contact) if "{contact}" in word.body else None,
            when,
            when,
        )


def score_rows(ledger: Ledger, cuts: Cuts, numbers: range, superseded: int | None) -> Iterator[Row]:
    """The scores of customers by number, as of the ledger's moment."""
    at = moment(ledger.at)
    for number in numbers:
        customer_id = ident(Customer, f"synthetic:{number}", ledger.accounts.created(number))
        for verdict in rfm(ledger.bought(number), cuts, at):
            yield (
                ident(Score, f"synthetic:{number}:{verdict.model}", ledger.at),
                customer_id,
                verdict.model,
                verdict.value,
                str(verdict.band),
                orjson.dumps(verdict.reasons).decode(),
                ledger.at,
                superseded,
                1 if superseded is None else 2,
                ledger.at,
                superseded or ledger.at,
            )


def _number(deal: Deal) -> str:
    return f"S{deal.number + 1:08d}"
