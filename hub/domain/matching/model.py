"""The parameters of matching: how often customers agree in a field if they are one, and if they are two. Versions are data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from hub.domain.matching.blocking import hash_key
from hub.domain.matching.comparisons import EQUAL, FIELDS, LEVELS, MatchField

Probabilities = Mapping[MatchField, tuple[float, ...]]

MIN_CUSTOMERS = 10_000  # a small hub's customers are taken from as many people
DEFAULT_DUPLICATES = 0.1  # other records of the same customer that a customer is expected to have
RAREST_NAME = 2e-4  # the least share of customers that a name is taken to have: it may be more common outside the hub
COMMON = 5  # customers who share a value, from which it is counted


class LookAlike(StrEnum):
    """Two customers who agree in much and are two."""

    HOUSEHOLD = "HOUSEHOLD"  # spouses, brothers and sisters
    TWINS = "TWINS"
    PARENT_OF_SAME_NAME = "PARENT_OF_SAME_NAME"
    SHARED_PHONE = "SHARED_PHONE"  # a number that was assigned again, or one of an office
    SHARED_MAILBOX = "SHARED_MAILBOX"
    NEIGHBOURS = "NEIGHBOURS"  # companies and people in one building
    NAMESAKES = "NAMESAKES"


F = MatchField


def _levels(**probabilities: tuple[float, ...]) -> Probabilities:
    return MappingProxyType({MatchField(name): (1.0, *values) for name, values in probabilities.items()})


# The share of pairs at each level, EQUAL first: of records of one customer …
SAME = _levels(
    FIRST_NAME=(0.78, 0.06, 0.10, 0.03, 0.03),
    FAMILY_NAME=(0.85, 0.08, 0.04, 0.03),
    ORGANISATION_NAME=(0.75, 0.15, 0.08, 0.02),
    BORN_ON=(0.91, 0.065, 0.025),
    EMAIL=(0.65, 0.06, 0.29),
    PHONE=(0.60, 0.06, 0.34),
    TAX_ID=(0.85, 0.10, 0.05),
    LOYALTY_ID=(0.70, 0.30),
    STREET=(0.55, 0.15, 0.10, 0.20),
    AREA=(0.60, 0.12, 0.10, 0.18),
    CUSTOMER_KIND=(0.99, 0.01),
)
# … and of two customers that are drawn at random.
RANDOM = _levels(
    FIRST_NAME=(0.004, 0.003, 0.008, 0.01, 0.975),
    FAMILY_NAME=(0.001, 0.0015, 0.002, 0.9955),
    ORGANISATION_NAME=(0.0001, 0.0005, 0.01, 0.9894),
    BORN_ON=(0.00005, 0.0012, 0.99875),
    EMAIL=(0.00001, 0.00005, 0.99994),
    PHONE=(0.00001, 0.0005, 0.99949),
    TAX_ID=(0.000005, 0.00002, 0.999975),
    LOYALTY_ID=(0.000005, 0.999995),
    STREET=(0.0003, 0.001, 0.01, 0.9887),
    AREA=(0.001, 0.002, 0.03, 0.967),
    CUSTOMER_KIND=(0.99, 0.01),
)
# The share of look-alikes of a sort that truly have one value of a field. They agree in it as the records of one customer
# do, with as many errors; in the other fields they agree as two customers at random.
_HOME = {F.STREET: 0.87, F.AREA: 0.93, F.PHONE: 0.5, F.EMAIL: 0.3}
_HOME_OR_AWAY = {**_HOME, F.STREET: 0.65, F.AREA: 0.75}
_IN_COMMON: Mapping[LookAlike, Mapping[MatchField, float]] = {
    LookAlike.HOUSEHOLD: {**_HOME, F.FAMILY_NAME: 0.92},
    LookAlike.TWINS: {**_HOME_OR_AWAY, F.FAMILY_NAME: 0.92, F.BORN_ON: 0.98},
    LookAlike.PARENT_OF_SAME_NAME: {**_HOME, F.FIRST_NAME: 0.98, F.FAMILY_NAME: 0.98},
    LookAlike.SHARED_PHONE: {F.PHONE: 0.999},
    LookAlike.SHARED_MAILBOX: {F.EMAIL: 0.999, F.PHONE: 0.4},
    LookAlike.NEIGHBOURS: {F.STREET: 0.97, F.AREA: 0.98},
}
_OF_TWO_GENERATIONS = (1.0, 0.00005, 0.005, 0.99495)  # days of birth
# How many such others a customer has among the customers of a hub.
_OTHERS_PER_CUSTOMER = {
    LookAlike.HOUSEHOLD: 0.3,
    LookAlike.TWINS: 0.014,
    LookAlike.PARENT_OF_SAME_NAME: 0.01,
    LookAlike.SHARED_PHONE: 0.05,
    LookAlike.SHARED_MAILBOX: 0.05,
    LookAlike.NEIGHBOURS: 0.5,
}
# The names and towns of two customers of one country and time go together: the share of such pairs among all pairs, and
# how many times as often as two others they agree.
NAMESAKES_SHARE = 0.05
NAMESAKES: Mapping[MatchField, Mapping[int, float]] = {
    F.FIRST_NAME: {EQUAL: 24.0, 2: 8.0, 3: 8.0},
    F.FAMILY_NAME: {EQUAL: 24.0, 2: 8.0, 3: 8.0},
    F.AREA: {EQUAL: 4.0, 2: 4.0, 3: 8.0},
}


@dataclass(frozen=True)
class MatchModel:
    """A version of the parameters. `terms` has the share of customers that have a common value, by the value's hash."""

    version: int = 0
    customers: int = MIN_CUSTOMERS
    duplicates: float = DEFAULT_DUPLICATES
    same: Probabilities = field(default_factory=lambda: SAME)
    random: Probabilities = field(default_factory=lambda: RANDOM)
    terms: Mapping[int, float] = field(default_factory=dict)

    @property
    def population(self) -> int:
        """The customers that a pair is drawn from."""
        return max(self.customers, MIN_CUSTOMERS)

    @property
    def prior(self) -> float:
        """The share of all pairs that are one customer."""
        return self.duplicates / self.population

    def share(self, name: MatchField, value: str, least: float = 0.0) -> float:
        """The share of customers that have a value, at least `least`. A value that is not counted is one of few."""
        counted = self.terms.get(term(name, value))
        if counted is None:
            counted = 2 / self.population if self.terms else self.random[name][EQUAL]
        return max(counted, least)

    def look_alikes(self) -> dict[LookAlike, tuple[float, Probabilities]]:
        """The share of all pairs that are look-alikes of a sort, and how these agree."""
        look_alikes: dict[LookAlike, tuple[float, Probabilities]] = {}
        for look_alike, fields in _IN_COMMON.items():
            levels = {name: _in_common(share, self.same[name]) for name, share in fields.items()}
            if look_alike is LookAlike.PARENT_OF_SAME_NAME:
                levels[F.BORN_ON] = _OF_TWO_GENERATIONS
            look_alikes[look_alike] = _OTHERS_PER_CUSTOMER[look_alike] / self.population, levels
        return look_alikes

    def as_json(self) -> dict[str, Any]:
        """The parameters as a JSON object."""
        return {
            "customers": self.customers,
            "duplicates": self.duplicates,
            "same": {name.value: list(values[1:]) for name, values in self.same.items()},
            "random": {name.value: list(values[1:]) for name, values in self.random.items()},
            "terms": {str(term): share for term, share in self.terms.items()},
        }

    @classmethod
    def from_json(cls, version: int, parameters: Mapping[str, Any]) -> "MatchModel":
        """The inverse of `as_json`; a field that an earlier version did not know has its defaults."""
        return cls(
            version,
            parameters["customers"],
            parameters["duplicates"],
            _merged(SAME, parameters["same"]),
            _merged(RANDOM, parameters["random"]),
            {int(term): share for term, share in parameters["terms"].items()},
        )


def _in_common(share: float, same: tuple[float, ...]) -> tuple[float, ...]:
    """The shares of levels of pairs of which a share has one value."""
    scale = share / (1 - same[-1])
    return (1.0, *(probability * scale for probability in same[1:-1]), 1 - share)


def _merged(defaults: Probabilities, trained: Mapping[str, list[float]]) -> Probabilities:
    merged = dict(defaults)
    for name in FIELDS:
        values = trained.get(name.value)
        if values is not None and len(values) + EQUAL == len(LEVELS[name]):
            merged[name] = (1.0, *values)
    return MappingProxyType(merged)


def term(name: MatchField, value: str) -> int:
    """The number that stands for a field's value among a model's terms."""
    return hash_key(name, value)
