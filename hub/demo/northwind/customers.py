"""Northwind's customers as rows, with identifiers, contacts, addresses and scores.

Each customer has one contact and one address. A customer with an owner belongs to one of the owner's territories (see source.py),
one without to the root unit. Language and currency are today's of the country, whatever the orders use."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from hub.demo import rules
from hub.demo.northwind.organisation import ROOT, NorthwindOrganisation
from hub.demo.northwind.source import COUNTRIES, PRESENT, YEAR_BEFORE, CsvRecord, NorthwindSource
from hub.demo.rows import Batch, batch, sample_id, to_milliseconds
from hub.domain.customers.customers import normalize_identifier
from hub.domain.scoring.rfm import ModelScore, rfm, rfm_cuts
from hub.errors import BadInput
from hub.schema.customers.addresses import Address, AddressKind
from hub.schema.customers.contacts import Contact, ContactPoint, PointKind
from hub.schema.customers.customers import Customer, CustomerKind, CustomerStatus, Identifier, IdentifierKind
from hub.schema.scoring.scores import Score

SOURCE = "northwind"
PHONE_FIELDS = ("phone", "fax")


def _normalized(identifier_kind: IdentifierKind, value: str, country: str) -> str:
    """The normal form of an identifier; the digits of a number that has too few by today's rules."""
    try:
        return normalize_identifier(identifier_kind, value, country)
    except BadInput:
        return "".join(filter(str.isdigit, value))


class NorthwindCustomers:
    """Ids of customers and contacts by Northwind's keys, and their rows."""

    def __init__(self, source: NorthwindSource, organisation: NorthwindOrganisation) -> None:
        self.source = source
        self.organisation = organisation

    def customer_id(self, key: str) -> UUID:
        return sample_id(Customer, key, to_milliseconds(self.source.customer_since[key]))

    def unit_id(self, key: str) -> UUID:
        return self.organisation.unit_id(self.source.territory_by_customer.get(key, ROOT))

    def owner_id(self, key: str) -> UUID | None:
        owner = self.source.owner_by_customer.get(key)
        return None if owner is None else self.organisation.staff_id(owner)

    def contact_id(self, key: str) -> UUID:
        return sample_id(Contact, key, to_milliseconds(self.source.customer_since[key]))

    def batches(self) -> list[Batch]:
        customers = self.source.customers
        model_scores = {as_of: self._model_scores(as_of) for as_of in (YEAR_BEFORE, PRESENT)}
        return [
            batch(Customer, [self._customer(customer, model_scores[PRESENT]) for customer in customers]),
            batch(Identifier, [row for customer in customers for row in self._identifiers(customer)]),
            batch(Contact, [self._contact(customer) for customer in customers]),
            batch(ContactPoint, [row for customer in customers for row in self._contact_points(customer)]),
            batch(Address, [self._address(customer) for customer in customers]),
            batch(Score, [*self._scores(model_scores[YEAR_BEFORE], YEAR_BEFORE, PRESENT)]),
            batch(Score, [*self._scores(model_scores[PRESENT], PRESENT, None)]),
        ]

    def _common_columns(self, customer: CsvRecord) -> dict[str, object]:
        """Returns the columns that all rows of a customer share."""
        since = self.source.customer_since[customer["customer_id"]]
        return {"customer_id": self.customer_id(customer["customer_id"]), "created_at": since, "updated_at": since}

    def _customer(self, customer: CsvRecord, model_scores: dict[str, list[ModelScore]]) -> dict[str, object]:
        key = customer["customer_id"]
        country, language, currency = COUNTRIES[customer["country"]]
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
            "stage": rules.stage(self.source.order_summary(key, PRESENT), False, PRESENT),
            "tier": rules.tier(model_scores[key]),
            "unit_id": self.unit_id(key),
            "owner_id": self.owner_id(key),
            "country": country,
            "language": language,
            "currency": currency,
            "attributes": orjson.dumps({SOURCE: {name: value for name, value in attributes.items() if value}}).decode(),
            "created_at": self.source.customer_since[key],
            "updated_at": self.source.customer_since[key],
        }

    def _identifiers(self, customer: CsvRecord) -> Iterator[dict[str, object]]:
        key = customer["customer_id"]
        values = {IdentifierKind.EXTERNAL_ID: key} | {
            IdentifierKind[name.upper()]: customer[name] for name in PHONE_FIELDS
        }
        for identifier_kind, value in values.items():
            if value:
                yield self._common_columns(customer) | {
                    "id": sample_id(
                        Identifier, f"{key}:{identifier_kind.value}", to_milliseconds(self.source.customer_since[key])
                    ),
                    "kind": identifier_kind,
                    "value": value,
                    "normalized": _normalized(identifier_kind, value, COUNTRIES[customer["country"]][0]),
                    "verified": identifier_kind is IdentifierKind.EXTERNAL_ID,
                    "source": SOURCE,
                }

    def _contact(self, customer: CsvRecord) -> dict[str, object]:
        return self._common_columns(customer) | {
            "id": self.contact_id(customer["customer_id"]),
            "name": customer["contact_name"],
            "title": customer["contact_title"],
            "is_primary": True,
            "language": COUNTRIES[customer["country"]][1],
        }

    def _contact_points(self, customer: CsvRecord) -> Iterator[dict[str, object]]:
        key = customer["customer_id"]
        for name in PHONE_FIELDS:
            if customer[name]:
                yield self._common_columns(customer) | {
                    "id": sample_id(ContactPoint, f"{key}:{name}", to_milliseconds(self.source.customer_since[key])),
                    "contact_id": self.contact_id(key),
                    "kind": PointKind[name.upper()],
                    "value": customer[name],
                    "country": COUNTRIES[customer["country"]][0],
                    "preferred": name == "phone",
                }

    def _address(self, customer: CsvRecord) -> dict[str, object]:
        key = customer["customer_id"]
        return self._common_columns(customer) | {
            "id": sample_id(Address, key, to_milliseconds(self.source.customer_since[key])),
            "kind": AddressKind.MAIN,
            "street": customer["address"],
            "city": customer["city"],
            "region": customer["region"] or None,
            "postal_code": customer["postal_code"] or None,
            "country": COUNTRIES[customer["country"]][0],
        }

    def _model_scores(self, as_of: datetime) -> dict[str, list[ModelScore]]:
        """Returns the RFM scores of all customers that existed at `as_of`."""
        population = {
            key: self.source.order_summary(key, as_of)
            for key, since in self.source.customer_since.items()
            if since <= as_of
        }
        cuts = rfm_cuts(population.values(), as_of)
        return {key: rfm(order_summary, cuts, as_of) for key, order_summary in population.items()}

    def _scores(
        self, model_scores: dict[str, list[ModelScore]], computed_at: datetime, superseded_at: datetime | None
    ) -> Iterator[dict[str, Any]]:
        for key, customer_scores in model_scores.items():
            for model_score in customer_scores:
                yield {
                    "id": sample_id(
                        Score, f"{key}:{model_score.model}:{computed_at:%Y-%m-%d}", to_milliseconds(computed_at)
                    ),
                    "customer_id": self.customer_id(key),
                    "model": model_score.model,
                    "value": model_score.value,
                    "band": str(model_score.band),
                    "reasons": orjson.dumps(model_score.reasons).decode(),
                    "computed_at": computed_at,
                    "superseded_at": superseded_at,
                    "version": 1 if superseded_at is None else 2,
                    "created_at": computed_at,
                    "updated_at": superseded_at or computed_at,
                }
