"""Rows of made-up customers: themselves, what they are known by, whom to ask there, and where they are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

import orjson

from hub.demo import rules
from hub.demo.rows import Batch, ident, moment
from hub.demo.synthetic.countries import mail
from hub.demo.synthetic.customers import PRESENT, Account, Accounts, Name, contact_id
from hub.demo.synthetic.order_totals import Ledger
from hub.demo.synthetic.random_draws import draw
from hub.domain.customers.contacts import Address, AddressKind, Contact, ContactPoint, PointKind
from hub.domain.customers.customers import (
    Customer,
    CustomerKind,
    CustomerStatus,
    Identifier,
    IdentifierKind,
    normalized,
)
from hub.domain.scoring.scores import Cuts, rfm

SOURCE = "synthetic"

STATUSES = (CustomerStatus.ACTIVE,) * 48 + (CustomerStatus.BLOCKED, CustomerStatus.CLOSED)
SEGMENTS = ("retail", "wholesale", "restaurant", "online", "public")

OWN = ("customer_id", "created_at", "updated_at")
CUSTOMERS = (
    *("id", "kind", "name", "status", "stage", "tier", "unit_id", "owner_id"),
    *("country", "language", "currency", "attributes", "created_at", "updated_at"),
)
IDENTIFIERS = (*OWN, "id", "kind", "value", "normalized", "verified", "source")
CONTACTS = (*OWN, "id", "name", "title", "is_primary", "language")
POINTS = (*OWN, "id", "contact_id", "kind", "value", "country", "verified", "preferred")
ADDRESSES = (*OWN, "id", "contact_id", "kind", "street", "city", "region", "postal_code", "country")

Row = tuple[object, ...]


def telephone(account: Account, index: int) -> str:
    """Like a number of the country, and nobody else's."""
    return f"{account.market.country.dial} {200 + index} {account.number:07d}"


def address(account: Account, name: Name, index: int) -> str:
    """The e-mail address of someone at the customer."""
    return mail(name.words, f"{account.number}.{index}" if index else f"{account.number}")


def external_id(account: Account) -> str:
    """The customer's number from 1, so that the highest tells how many there are."""
    return f"{account.number + 1:07d}"


@dataclass(frozen=True)
class People:
    """Rows for customers by number, placed in units and with staff by index."""

    accounts: Accounts
    ledger: Ledger
    cuts: Cuts
    units: Sequence[UUID]
    staff: Sequence[UUID]

    def batches(self, start: int, stop: int) -> list[Batch]:
        accounts = [self.accounts.account(number) for number in range(start, stop)]
        return [
            Batch(Customer, CUSTOMERS, [self._customer(account) for account in accounts]),
            Batch(Identifier, IDENTIFIERS, [row for account in accounts for row in _identifiers(account)]),
            Batch(Contact, CONTACTS, [row for account in accounts for row in self._contacts(account)]),
            Batch(ContactPoint, POINTS, [row for account in accounts for row in self._points(account)]),
            Batch(Address, ADDRESSES, [row for account in accounts for row in self._addresses(account)]),
        ]

    def _customer(self, account: Account) -> Row:
        country, at = account.market.country, moment(PRESENT)
        _, (status, unknown, *facts) = draw(f"details:{account.number}")
        bought = self.ledger.bought(account.number)
        return (
            account.id,
            account.kind,
            account.name.text,
            STATUSES[status % len(STATUSES)],
            rules.stage(bought, bool(self.ledger.contacted[account.number]), at),
            rules.tier(rfm(bought, self.cuts, at)),
            self.units[account.outlet],
            None if account.staff is None else self.staff[account.staff],
            # Of one customer in a hundred the country is not known.
            country.code if unknown % 100 else None,
            country.language,
            country.currency,
            _attributes(account, *facts[:3]),
            account.created,
            account.created,
        )

    def _contacts(self, account: Account) -> Iterator[Row]:
        titles, language = account.market.titles, account.market.country.language
        jobs, _ = draw(f"jobs:{account.number}")
        for index in range(account.contacts):
            title = titles[jobs[index] % len(titles)] if account.kind is CustomerKind.ORGANISATION else None
            name = self.accounts.contact(account, index).text
            yield (*_own(account), contact_id(account, index), name, title, index == 0, language)

    def _points(self, account: Account) -> Iterator[Row]:
        for index in range(account.contacts):
            (without_mail, also, mobile, verified, *_), _ = draw(f"points:{account.number}:{index}")
            values = []
            if without_mail % 10:
                values.append((PointKind.EMAIL, address(account, self.accounts.contact(account, index), index)))
            if not values or also % 2:
                values.append((PointKind.MOBILE if mobile % 3 else PointKind.PHONE, telephone(account, index)))
            of = contact_id(account, index)
            for kind, value in values:
                point_id = ident(ContactPoint, f"synthetic:{account.number}:{index}:{kind.value}", account.created)
                country = None if kind is PointKind.EMAIL else account.market.country.code
                yield (*_own(account), point_id, of, kind, value, country, verified % 4 == 0, kind is values[0][0])

    def _addresses(self, account: Account) -> Iterator[Row]:
        market, organisation = account.market, account.kind is CustomerKind.ORGANISATION
        (second, kind_of, *_), places = draw(f"addresses:{account.number}")
        kinds = [AddressKind.MAIN]
        if organisation and second % 2:
            kinds.append((AddressKind.SHIPPING, AddressKind.BILLING)[kind_of % 2])
        for index, kind in enumerate(kinds):
            street, city, region, code = places[4 * index : 4 * index + 4]
            yield (
                *_own(account),
                ident(Address, f"synthetic:{account.number}:{kind.value}", account.created),
                None if organisation else contact_id(account, 0),
                kind,
                market.streets[street % len(market.streets)],
                market.cities[city % len(market.cities)] if index else account.city,
                market.regions[region % len(market.regions)],
                market.postal_codes[code % len(market.postal_codes)],
                market.country.code,
            )


def _own(account: Account) -> tuple[UUID, int, int]:
    """The values of OWN."""
    return account.id, account.created, account.created


def _attributes(account: Account, segment: int, newsletter: int, age: int) -> str:
    facts: dict[str, object] = {
        "number": account.number + 1,
        "segment": SEGMENTS[segment % len(SEGMENTS)],
        "newsletter": newsletter % 3 == 0,
    }
    if account.kind is CustomerKind.PERSON:
        facts["birthYear"] = 1940 + age % 66
    else:
        facts["employees"] = 1 + age % 1000
    return orjson.dumps({SOURCE: facts}).decode()


def _identifiers(account: Account) -> Iterator[Row]:
    (mailed, telephoned, loyal, verified, *_), _ = draw(f"identifiers:{account.number}")
    values = [(IdentifierKind.EXTERNAL_ID, external_id(account), True)]
    if mailed % 10 < 6:
        values.append((IdentifierKind.EMAIL, address(account, account.name, 0), verified % 2 == 0))
    if telephoned % 10 < 4:
        values.append((IdentifierKind.PHONE, telephone(account, 0), verified % 4 == 0))
    if account.kind is CustomerKind.PERSON and loyal % 10 < 3:
        values.append((IdentifierKind.LOYALTY_ID, f"L{account.number:07d}", True))
    for kind, value, proven in values:
        row_id = ident(Identifier, f"synthetic:{account.number}:{kind.value}", account.created)
        yield (*_own(account), row_id, kind, value, normalized(kind, value), proven, SOURCE)
