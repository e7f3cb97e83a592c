"""Rows of synthetic customers: customers, identifiers, contacts, contact points and addresses."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

import orjson

from hub.demo import rules
from hub.demo.rows import Batch, sample_id, to_datetime
from hub.demo.synthetic.countries import build_email
from hub.demo.synthetic.customers import PRESENT, CustomerGenerator, GeneratedCustomer, SyntheticName, contact_id
from hub.demo.synthetic.order_totals import OrderTotals
from hub.demo.synthetic.random_draws import draw
from hub.domain.scoring.rfm import QuintileCuts, rfm
from hub.schema.customers.addresses import Address, AddressKind
from hub.schema.customers.contacts import Contact, ContactPoint, PointKind
from hub.schema.customers.customers import Customer, CustomerKind, CustomerStatus, Identifier, IdentifierKind

SOURCE = "synthetic"

STATUSES = (CustomerStatus.ACTIVE,) * 48 + (CustomerStatus.BLOCKED, CustomerStatus.CLOSED)
SEGMENTS = ("retail", "wholesale", "restaurant", "online", "public")

COMMON_COLUMNS = ("customer_id", "created_at", "updated_at")
CUSTOMERS = (
    *("id", "kind", "name", "status", "stage", "tier", "unit_id", "owner_id"),
    *("country", "language", "currency", "attributes", "created_at", "updated_at"),
)
IDENTIFIERS = (*COMMON_COLUMNS, "id", "kind", "value", "normalized", "verified", "source")
CONTACTS = (*COMMON_COLUMNS, "id", "name", "title", "is_primary", "language")
POINTS = (*COMMON_COLUMNS, "id", "contact_id", "kind", "value", "country", "verified", "preferred")
ADDRESSES = (*COMMON_COLUMNS, "id", "contact_id", "kind", "street", "city", "region", "postal_code", "country")

CustomerRowTuple = tuple[object, ...]


def phone_number(customer: GeneratedCustomer, index: int) -> str:
    """Returns a unique phone number in the format of the country."""
    return f"{customer.market.country.dial} {200 + index} {customer.number:07d}"


def customer_email(customer: GeneratedCustomer, name: SyntheticName, index: int) -> str:
    """Returns the e-mail address of a contact of the customer."""
    return build_email(name.words, f"{customer.number}.{index}" if index else f"{customer.number}")


def external_id(customer: GeneratedCustomer) -> str:
    """Returns the customer's number, from 1: the highest is the size of the set."""
    return f"{customer.number + 1:07d}"


@dataclass(frozen=True)
class SyntheticCustomers:
    """Rows for customers by number, with units and staff by index."""

    customers: CustomerGenerator
    totals: OrderTotals
    quintile_cuts: QuintileCuts
    units: Sequence[UUID]
    staff: Sequence[UUID]

    def batches(self, start: int, stop: int) -> list[Batch]:
        customers = [self.customers.customer(number) for number in range(start, stop)]
        return [
            Batch(Customer, CUSTOMERS, [self._customer(customer) for customer in customers]),
            Batch(Identifier, IDENTIFIERS, [row for customer in customers for row in _identifiers(customer)]),
            Batch(Contact, CONTACTS, [row for customer in customers for row in self._contacts(customer)]),
            Batch(ContactPoint, POINTS, [row for customer in customers for row in self._contact_points(customer)]),
            Batch(Address, ADDRESSES, [row for customer in customers for row in self._addresses(customer)]),
        ]

    def _customer(self, customer: GeneratedCustomer) -> CustomerRowTuple:
        country, as_of = customer.market.country, to_datetime(PRESENT)
        _, (status, unknown, *attribute_draws) = draw(f"details:{customer.number}")
        order_summary = self.totals.order_summary(customer.number)
        return (
            customer.id,
            customer.customer_kind,
            customer.name.text,
            STATUSES[status % len(STATUSES)],
            rules.stage(order_summary, bool(self.totals.contacted[customer.number]), as_of),
            rules.tier(rfm(order_summary, self.quintile_cuts, as_of)),
            self.units[customer.outlet],
            None if customer.staff is None else self.staff[customer.staff],
            # The country of one customer in a hundred is unknown.
            country.code if unknown % 100 else None,
            country.language,
            country.currency,
            _attributes(customer, *attribute_draws[:3]),
            customer.created,
            customer.created,
        )

    def _contacts(self, customer: GeneratedCustomer) -> Iterator[CustomerRowTuple]:
        titles, language = customer.market.titles, customer.market.country.language
        jobs, _ = draw(f"jobs:{customer.number}")
        for index in range(customer.contacts):
            title = titles[jobs[index] % len(titles)] if customer.customer_kind is CustomerKind.ORGANISATION else None
            name = self.customers.contact(customer, index).text
            yield (*_common_values(customer), contact_id(customer, index), name, title, index == 0, language)

    def _contact_points(self, customer: GeneratedCustomer) -> Iterator[CustomerRowTuple]:
        for index in range(customer.contacts):
            (without_mail, also, mobile, verified, *_), _ = draw(f"points:{customer.number}:{index}")
            values = []
            if without_mail % 10:
                values.append(
                    (PointKind.EMAIL, customer_email(customer, self.customers.contact(customer, index), index))
                )
            if not values or also % 2:
                values.append((PointKind.MOBILE if mobile % 3 else PointKind.PHONE, phone_number(customer, index)))
            point_contact_id = contact_id(customer, index)
            for point_kind, value in values:
                point_id = sample_id(
                    ContactPoint, f"synthetic:{customer.number}:{index}:{point_kind.value}", customer.created
                )
                country = None if point_kind is PointKind.EMAIL else customer.market.country.code
                yield (
                    *_common_values(customer),
                    point_id,
                    point_contact_id,
                    point_kind,
                    value,
                    country,
                    verified % 4 == 0,
                    point_kind is values[0][0],
                )

    def _addresses(self, customer: GeneratedCustomer) -> Iterator[CustomerRowTuple]:
        market, organisation = customer.market, customer.customer_kind is CustomerKind.ORGANISATION
        (second, kind_draw, *_), location_draws = draw(f"addresses:{customer.number}")
        address_kinds = [AddressKind.MAIN]
        if organisation and second % 2:
            address_kinds.append((AddressKind.SHIPPING, AddressKind.BILLING)[kind_draw % 2])
        for index, address_kind in enumerate(address_kinds):
            street, city, region, code = location_draws[4 * index : 4 * index + 4]
            yield (
                *_common_values(customer),
                sample_id(Address, f"synthetic:{customer.number}:{address_kind.value}", customer.created),
                None if organisation else contact_id(customer, 0),
                address_kind,
                market.streets[street % len(market.streets)],
                market.cities[city % len(market.cities)] if index else customer.city,
                market.regions[region % len(market.regions)],
                market.postal_codes[code % len(market.postal_codes)],
                market.country.code,
            )


def _common_values(customer: GeneratedCustomer) -> tuple[UUID, int, int]:
    """Returns the values of COMMON_COLUMNS."""
    return customer.id, customer.created, customer.created


def _attributes(customer: GeneratedCustomer, segment: int, newsletter: int, age: int) -> str:
    attributes: dict[str, object] = {
        "number": customer.number + 1,
        "segment": SEGMENTS[segment % len(SEGMENTS)],
        "newsletter": newsletter % 3 == 0,
    }
    if customer.customer_kind is CustomerKind.PERSON:
        attributes["birthYear"] = 1940 + age % 66
    else:
        attributes["employees"] = 1 + age % 1000
    return orjson.dumps({SOURCE: attributes}).decode()


def _normalized(identifier_kind: IdentifierKind, value: str) -> str:
    """The normal form of a generated identifier; the general rule would parse a million numbers."""
    if identifier_kind is IdentifierKind.PHONE:
        return value.removeprefix("+").replace(" ", "")
    return value.lower() if identifier_kind is IdentifierKind.EMAIL else value


def _identifiers(customer: GeneratedCustomer) -> Iterator[CustomerRowTuple]:
    (mailed, telephoned, loyal, verified, *_), _ = draw(f"identifiers:{customer.number}")
    values = [(IdentifierKind.EXTERNAL_ID, external_id(customer), True)]
    if mailed % 10 < 6:
        values.append((IdentifierKind.EMAIL, customer_email(customer, customer.name, 0), verified % 2 == 0))
    if telephoned % 10 < 4:
        values.append((IdentifierKind.PHONE, phone_number(customer, 0), verified % 4 == 0))
    if customer.customer_kind is CustomerKind.PERSON and loyal % 10 < 3:
        values.append((IdentifierKind.LOYALTY_ID, f"L{customer.number:07d}", True))
    for identifier_kind, value, proven in values:
        row_id = sample_id(Identifier, f"synthetic:{customer.number}:{identifier_kind.value}", customer.created)
        yield (
            *_common_values(customer),
            row_id,
            identifier_kind,
            value,
            _normalized(identifier_kind, value),
            proven,
            SOURCE,
        )
