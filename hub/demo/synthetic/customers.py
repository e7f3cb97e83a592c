"""Synthetic customers: every value is a function of the customer's number, from 0, and of the size of the set."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import NamedTuple
from uuid import UUID

from hub.demo.rows import sample_id, to_milliseconds
from hub.demo.synthetic.countries import Market, markets
from hub.demo.synthetic.random_draws import draw, draw_skewed
from hub.schema.customers.contacts import Contact
from hub.schema.customers.customers import Customer, CustomerKind

BEGIN = to_milliseconds(datetime(2021, 1, 1, tzinfo=UTC))
PRESENT = to_milliseconds(datetime(2026, 1, 1, tzinfo=UTC))
YEAR_BEFORE = to_milliseconds(datetime(2025, 1, 1, tzinfo=UTC))
NEWCOMERS = (PRESENT - BEGIN) * 9 // 10  # no customer is created after that

STAFF_PER_OUTLET = 2

# Three of every thousand customers have these names, so that a search for them finds someone in every set.
REGULARS = {11: ("CN", "小明", "王"), 12: ("ES", "José", "García"), 13: ("US", "Mary", "Johnson")}


class SyntheticName(NamedTuple):
    """The name of a person or a company, and the two words that it consists of."""

    text: str
    words: tuple[str, str]


class GeneratedCustomer(NamedTuple):
    """A synthetic customer, with the values that orders and interactions need."""

    number: int
    id: UUID
    created: int
    customer_kind: CustomerKind
    market: Market
    name: SyntheticName
    city: str
    outlet: int
    staff: int | None
    contacts: int


@dataclass(frozen=True)
class CustomerGenerator:
    """The customers of a set of `size`; each belongs to one of `outlets`."""

    size: int
    outlets: int

    def created(self, number: int) -> int:
        return BEGIN + NEWCOMERS * number // self.size

    def count_at(self, timestamp: int) -> int:
        """Returns the number of customers that exist at a time: those with lower numbers."""
        return min(self.size, (timestamp - BEGIN) * self.size // NEWCOMERS + 1)

    def market(self, number: int) -> Market:
        return markets()[self._market_indexes[number]]

    @cached_property
    def _market_indexes(self) -> bytes:
        """The index of each customer's market, one byte each; cached because it is read often."""
        index_by_country = {market.country.code: index for index, market in enumerate(markets())}
        regular_indexes = {number: index_by_country[code] for number, (code, _, _) in REGULARS.items()}
        count = len(markets())
        return bytes(
            regular_indexes[number % 1000]
            if number % 1000 in regular_indexes
            else draw(f"market:{number}")[0][0] % count
            for number in range(self.size)
        )

    def customer(self, number: int) -> GeneratedCustomer:
        (outlet, *_), (kind_draw, city, staff, contacts, *names) = draw(f"customer:{number}")
        market = self.market(number)
        created = self.created(number)
        outlet = draw_skewed(outlet, self.outlets)
        regular = REGULARS.get(number % 1000)
        if regular is None and kind_draw % 10 < 4:
            name, contacts = company_name(market, names), 2 + contacts % 4
            customer_kind = CustomerKind.ORGANISATION
        else:
            name, contacts = person_name(market, names), 1 + contacts % 5 // 4
            customer_kind = CustomerKind.PERSON
        if regular is not None:
            _, first_name, surname = regular
            name = SyntheticName(market.full_name(first_name, surname), (first_name, surname))
        return GeneratedCustomer(
            number,
            sample_id(Customer, f"synthetic:{number}", created),
            created,
            customer_kind,
            market,
            name,
            market.cities[city % len(market.cities)],
            outlet,
            # One customer in twenty has no owner.
            outlet * STAFF_PER_OUTLET + staff % STAFF_PER_OUTLET if staff % 20 else None,
            contacts,
        )

    def contact(self, customer: GeneratedCustomer, index: int) -> SyntheticName:
        """Returns a customer's first contact; for a natural person, the customer."""
        if index == 0 and customer.customer_kind is CustomerKind.PERSON:
            return customer.name
        return person_name(customer.market, draw(f"contact:{customer.number}:{index}")[1])


def contact_id(customer: GeneratedCustomer, index: int) -> UUID:
    return sample_id(Contact, f"synthetic:{customer.number}:{index}", customer.created)


def person_name(market: Market, names: Sequence[int]) -> SyntheticName:
    gender = names[0] % 2
    first_names, surnames = market.first_names[gender], market.surnames[gender]
    words = first_names[names[1] % len(first_names)], surnames[names[2] % len(surnames)]
    return SyntheticName(market.full_name(*words), words)


def company_name(market: Market, names: Sequence[int]) -> SyntheticName:
    surnames = market.surnames[1]
    words = surnames[names[0] % len(surnames)], surnames[names[1] % len(surnames)]
    city = market.cities[names[2] % len(market.cities)]
    return SyntheticName(market.country.company.format(a=words[0], b=words[1], city=city), words)
