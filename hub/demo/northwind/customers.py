"""Northwind's customers as rows, with what they are known by, whom to ask there, their seats and their scores.

Each has one contact and one address. Who has an owner belongs to one of the owner's territories (facts.py says which),
who has none to the root. Language and currency are the country's of today, whatever the orders are in."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from hub.demo import rules
from hub.demo.northwind.organisation import ROOT, Organisation
from hub.demo.northwind.source import COUNTRIES, PRESENT, YEAR_BEFORE, Facts, Record
from hub.demo.rows import Batch, batch, ident, milliseconds
from hub.domain.customers.contacts import Address, AddressKind, Contact, ContactPoint, PointKind
from hub.domain.customers.customers import (
    Customer,
    CustomerKind,
    CustomerStatus,
    Identifier,
    IdentifierKind,
    normalized,
)
from hub.domain.scoring.scores import Score, Verdict, rfm, rfm_cuts

SOURCE = "northwind"
NUMBERS = ("phone", "fax")


class Customers:
    """Ids of customers and contacts by Northwind's own, and the rows that bear them."""

    def __init__(self, facts: Facts, organisation: Organisation) -> None:
        self.facts = facts
        self.organisation = organisation

    def customer_id(self, key: str) -> UUID:
        return ident(Customer, key, milliseconds(self.facts.since[key]))

    def unit_id(self, key: str) -> UUID:
        return self.organisation.unit_id(self.facts.outlets.get(key, ROOT))

    def contact_id(self, key: str) -> UUID:
        return ident(Contact, key, milliseconds(self.facts.since[key]))

    def batches(self) -> list[Batch]:
        customers = self.facts.customers
        verdicts = {at: self._verdicts(at) for at in (YEAR_BEFORE, PRESENT)}
        return [
            batch(Customer, [self._customer(customer, verdicts[PRESENT]) for customer in customers]),
            batch(Identifier, [row for customer in customers for row in self._identifiers(customer)]),
            batch(Contact, [self._contact(customer) for customer in customers]),
            batch(ContactPoint, [row for customer in customers for row in self._points(customer)]),
            batch(Address, [self._address(customer) for customer in customers]),
            batch(Score, [*self._scores(verdicts[YEAR_BEFORE], YEAR_BEFORE, PRESENT)]),
            batch(Score, [*self._scores(verdicts[PRESENT], PRESENT, None)]),
        ]

    def _own(self, customer: Record) -> dict[str, object]:
        """The columns that all rows of a customer have."""
        since = self.facts.since[customer["customer_id"]]
        return {"customer_id": self.customer_id(customer["customer_id"]), "created_at": since, "updated_at": since}

    def _customer(self, customer: Record, verdicts: dict[str, list[Verdict]]) -> dict[str, object]:
        key = customer["customer_id"]
        country, language, currency = COUNTRIES[customer["country"]]
        owner = self.facts.owners.get(key)
        attributes = {
            "customerId": key,
            "region": customer["region"],
            "phone": customer["phone"],
            "fax": customer["fax"],
        }
        return {
            "id": self.customer_id(key),
            "kind": CustomerKind.ORGANISATION,
            "name": customer["company_name"],
            "status": CustomerStatus.ACTIVE,
            "stage": rules.stage(self.facts.bought(key, PRESENT), False, PRESENT),
            "tier": rules.tier(verdicts[key]),
            "unit_id": self.unit_id(key),
            "owner_id": None if owner is None else self.organisation.staff_id(owner),
            "country": country,
            "language": language,
            "currency": currency,
            "attributes": orjson.dumps({SOURCE: {name: value for name, value in attributes.items() if value}}).decode(),
            "created_at": self.facts.since[key],
            "updated_at": self.facts.since[key],
        }

    def _identifiers(self, customer: Record) -> Iterator[dict[str, object]]:
        key = customer["customer_id"]
        values = {IdentifierKind.EXTERNAL_ID: key} | {IdentifierKind[name.upper()]: customer[name] for name in NUMBERS}
        for kind, value in values.items():
            if value:
                yield self._own(customer) | {
                    "id": ident(Identifier, f"{key}:{kind.value}", milliseconds(self.facts.since[key])),
                    "kind": kind,
                    "value": value,
                    "normalized": normalized(kind, value),
                    "verified": kind is IdentifierKind.EXTERNAL_ID,
                    "source": SOURCE,
                }

    def _contact(self, customer: Record) -> dict[str, object]:
        return self._own(customer) | {
            "id": self.contact_id(customer["customer_id"]),
            "name": customer["contact_name"],
            "title": customer["contact_title"],
            "is_primary": True,
            "language": COUNTRIES[customer["country"]][1],
        }

    def _points(self, customer: Record) -> Iterator[dict[str, object]]:
        key = customer["customer_id"]
        for name in NUMBERS:
            if customer[name]:
                yield self._own(customer) | {
                    "id": ident(ContactPoint, f"{key}:{name}", milliseconds(self.facts.since[key])),
                    "contact_id": self.contact_id(key),
                    "kind": PointKind[name.upper()],
                    "value": customer[name],
                    "country": COUNTRIES[customer["country"]][0],
                    "preferred": name == "phone",
                }

    def _address(self, customer: Record) -> dict[str, object]:
        key = customer["customer_id"]
        return self._own(customer) | {
            "id": ident(Address, key, milliseconds(self.facts.since[key])),
            "kind": AddressKind.MAIN,
            "street": customer["address"],
            "city": customer["city"],
            "region": customer["region"] or None,
            "postal_code": customer["postal_code"] or None,
            "country": COUNTRIES[customer["country"]][0],
        }

    def _verdicts(self, at: datetime) -> dict[str, list[Verdict]]:
        """What the RFM models say of all customers that were known at `at`."""
        population = {key: self.facts.bought(key, at) for key, since in self.facts.since.items() if since <= at}
        cuts = rfm_cuts(population.values(), at)
        return {key: rfm(bought, cuts, at) for key, bought in population.items()}

    def _scores(
        self, verdicts: dict[str, list[Verdict]], at: datetime, superseded_at: datetime | None
    ) -> Iterator[dict[str, Any]]:
        for key, of_customer in verdicts.items():
            for verdict in of_customer:
                yield {
                    "id": ident(Score, f"{key}:{verdict.model}:{at:%Y-%m-%d}", milliseconds(at)),
                    "customer_id": self.customer_id(key),
                    "model": verdict.model,
                    "value": verdict.value,
                    "band": str(verdict.band),
                    "reasons": orjson.dumps(verdict.reasons).decode(),
                    "computed_at": at,
                    "superseded_at": superseded_at,
                    "version": 1 if superseded_at is None else 2,
                    "created_at": at,
                    "updated_at": superseded_at or at,
                }
