"""Who has bought how much: the orders of the set summed up by customer, before any row is written.

A customer's row, which comes before the orders, tells stage and tier, and these depend on all of them."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TypeAlias

from hub.demo.rows import moment
from hub.demo.synthetic import interaction_texts
from hub.demo.synthetic.customers import Accounts
from hub.demo.synthetic.orders import Deal
from hub.domain.scoring.scores import Bought, Cuts, rfm_cuts

Numbers: TypeAlias = "array[int]"


@dataclass(frozen=True)
class Ledger:
    """By customer number: orders, net in ten-thousandths of the own currency, the last order, and if there was contact."""

    accounts: Accounts
    at: int
    orders: Numbers
    net: Numbers
    last: Numbers
    contacted: bytearray

    @classmethod
    def empty(cls, accounts: Accounts, at: int) -> "Ledger":
        zeros = [0] * accounts.size
        return cls(accounts, at, array("i", zeros), array("q", zeros), array("q", zeros), bytearray(accounts.size))

    def as_of(self, at: int) -> "Ledger":
        """A copy of what was entered so far, to stand for that moment."""
        return replace(self, at=at, orders=self.orders[:], net=self.net[:], last=self.last[:])

    def enter(self, deal: Deal) -> None:
        if deal.counts:
            self.orders[deal.customer] += 1
            self.last[deal.customer] = deal.placed
            if deal.currency == self.accounts.market(deal.customer).country.currency:
                self.net[deal.customer] += deal.net
        if not interaction_texts.following(deal).about_order:
            self.contacted[deal.next_customer] = 1

    def bought(self, number: int) -> Bought:
        last = self.last[number]
        currency = self.accounts.market(number).country.currency
        net = Decimal(self.net[number]).scaleb(-4)
        return Bought(self.orders[number], moment(last) if last else None, net, currency)

    def population(self) -> Iterator[Bought]:
        """What each customer that was known at the ledger's moment had bought."""
        return (self.bought(number) for number in range(self.accounts.known(self.at)))

    def cuts(self) -> Cuts:
        return rfm_cuts(self.population(), moment(self.at))
