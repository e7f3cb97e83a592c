"""Made-up customers: what each is, as a function of the customer's number, from 0, and of the size of the set."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import NamedTuple
from uuid import UUID

from hub.demo.rows import ident, milliseconds
from hub.demo.synthetic.countries import Market, markets
from hub.demo.synthetic.random_draws import draw, early
from hub.domain.customers.contacts import Contact
from hub.domain.customers.customers import Customer, CustomerKind

BEGIN = milliseconds(datetime(2021, 1, 1, tzinfo=UTC))
PRESENT = milliseconds(datetime(2026, 1, 1, tzinfo=UTC))
YEAR_BEFORE = milliseconds(datetime(2025, 1, 1, tzinfo=UTC))
NEWCOMERS = (PRESENT - BEGIN) * 9 // 10  # after that long nobody new comes

STAFF_PER_OUTLET = 2

# Three of every thousand customers have these names, so that a search for them finds someone in every set.
REGULARS = {11: ("CN", "小明", "王"), 12: ("ES", "José", "García"), 13: ("US", "Mary", "Johnson")}


class Name(NamedTuple):
    """A person's or a company's name, and the two words that it is made of."""

    text: str
    words: tuple[str, str]


class Account(NamedTuple):
    """A made-up customer: what orders and interactions need to know of it as well."""

    number: int
    id: UUID
    created: int
    kind: CustomerKind
    market: Market
    name: Name
    city: str
    outlet: int
    staff: int | None
    contacts: int


@dataclass(frozen=True)
class Accounts:
    """The customers of a set of `size`, each of whom belongs to one of so many `outlets`."""

    size: int
    outlets: int

    def created(self, number: int) -> int:
        return BEGIN + NEWCOMERS * number // self.size

    def known(self, at: int) -> int:
        """How many customers there are at a moment: those with lower numbers."""
        return min(self.size, (at - BEGIN) * self.size // NEWCOMERS + 1)

    def market(self, number: int) -> Market:
        return markets()[self._places[number]]

    @cached_property
    def _places(self) -> bytes:
        """The index of each customer's market, a byte each: asked for so often that it is kept."""
        of_country = {market.country.code: place for place, market in enumerate(markets())}
        regular = {number: of_country[code] for number, (code, _, _) in REGULARS.items()}
        count = len(markets())
        return bytes(
            regular[number % 1000] if number % 1000 in regular else draw(f"market:{number}")[0][0] % count
            for number in range(self.size)
        )

    def account(self, number: int) -> Account:
        (outlet, *_), (kind, city, staff, contacts, *names) = draw(f"customer:{number}")
        market = self.market(number)
        created = self.created(number)
        outlet = early(outlet, self.outlets)
        regular = REGULARS.get(number % 1000)
        if regular is None and kind % 10 < 4:
            name, contacts = company(market, names), 2 + contacts % 4
            kind_of = CustomerKind.ORGANISATION
        else:
            name, contacts = person_in(market, names), 1 + contacts % 5 // 4
            kind_of = CustomerKind.PERSON
        if regular is not None:
            _, given, surname = regular
            name = Name(market.full_name(given, surname), (given, surname))
        return Account(
            number,
            ident(Customer, f"synthetic:{number}", created),
            created,
            kind_of,
            market,
            name,
            market.cities[city % len(market.cities)],
            outlet,
            # One customer in twenty is nobody's.
            outlet * STAFF_PER_OUTLET + staff % STAFF_PER_OUTLET if staff % 20 else None,
            contacts,
        )

    def contact(self, account: Account, index: int) -> Name:
        """A natural person is their own first contact."""
        if index == 0 and account.kind is CustomerKind.PERSON:
            return account.name
        return person_in(account.market, draw(f"contact:{account.number}:{index}")[1])


def contact_id(account: Account, index: int) -> UUID:
    return ident(Contact, f"synthetic:{account.number}:{index}", account.created)


def person_in(market: Market, names: Sequence[int]) -> Name:
    gender = names[0] % 2
    given, surnames = market.given[gender], market.surnames[gender]
    words = given[names[1] % len(given)], surnames[names[2] % len(surnames)]
    return Name(market.full_name(*words), words)


def company(market: Market, names: Sequence[int]) -> Name:
    surnames = market.surnames[1]
    words = surnames[names[0] % len(surnames)], surnames[names[1] % len(surnames)]
    city = market.cities[names[2] % len(market.cities)]
    return Name(market.country.company.format(a=words[0], b=words[1], city=city), words)
