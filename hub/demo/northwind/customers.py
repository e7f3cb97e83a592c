"""Northwind's customers: their keys, and the facts that no file states: units, owners, stages, tiers, scores, and times.

A customer with an owner belongs to one of the owner's territories (see source.py), one without to the root unit."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from hub.demo import rules
from hub.demo.northwind.organisation import ROOT, NorthwindOrganisation
from hub.demo.northwind.source import PRESENT, YEAR_BEFORE, NorthwindSource
from hub.demo.rows import Batch, batch, sample_id, to_milliseconds
from hub.domain.scoring.rfm import ModelScore, rfm, rfm_cuts
from hub.model.entity import Entity
from hub.schema.customers.contacts import Contact
from hub.schema.customers.customers import Customer
from hub.schema.scoring.scores import Score


class NorthwindCustomers:
    """Ids of customers and of what is theirs by Northwind's keys, and rows about them."""

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
        return self.part_id(Contact, key, "")

    def part_id(self, entity: type[Entity], key: str, name: str) -> UUID:
        """The id of a row that belongs to a customer, by its name within the customer."""
        return sample_id(entity, f"{key}:{name}" if name else key, to_milliseconds(self.source.customer_since[key]))

    def facts(self) -> list[Mapping[str, object]]:
        """The columns of each customer that follow from its orders, with its id."""
        model_scores = self._model_scores(PRESENT)
        return [self._facts(customer["customer_id"], model_scores) for customer in self.source.customers]

    def _facts(self, key: str, model_scores: Mapping[str, list[ModelScore]]) -> Mapping[str, object]:
        since = self.source.customer_since[key]
        return {
            "id": self.customer_id(key),
            "stage": rules.stage(self.source.order_summary(key, PRESENT), False, PRESENT),
            "tier": rules.tier(model_scores[key]),
            "unit_id": self.unit_id(key),
            "owner_id": self.owner_id(key),
            "version": 1,
            "created_at": since,
            "updated_at": since,
        }

    def batches(self) -> list[Batch]:
        """The scores of today and of a year before."""
        model_scores = {as_of: self._model_scores(as_of) for as_of in (YEAR_BEFORE, PRESENT)}
        return [
            batch(Score, [*self._scores(model_scores[YEAR_BEFORE], YEAR_BEFORE, PRESENT)]),
            batch(Score, [*self._scores(model_scores[PRESENT], PRESENT, None)]),
        ]

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
