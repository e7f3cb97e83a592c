"""Fellegi–Sunter: the weight of each field's agreement, in bits; their sum is the score, the logarithm of the odds.

Look-alikes are a third hypothesis beside one customer and two at random: where a household explains what two customers
agree in, that agreement counts for little. Weights are whole hundredths of a bit, so that they add up exactly."""

from collections.abc import Sequence
from decimal import Decimal
from math import log2
from typing import NamedTuple

from hub.domain.matching.comparisons import EQUAL, FIELDS, LEVELS, MISSING, MatchField, compare
from hub.domain.matching.model import NAMESAKES, NAMESAKES_SHARE, RAREST_NAME, LookAlike, MatchModel
from hub.domain.matching.records import MatchRecord

PRIOR, LOOK_ALIKE = "PRIOR", "LOOK_ALIKE"
MATCH = 0  # hundredths of a bit, from which two customers are more likely one than two
AUTOMATIC_LEAST = 12  # bits, the least threshold of merging without a person
IRRELEVANT = -2000  # below which look-alikes change nothing

_FIRST, _FAMILY, _ORGANISATION = (
    FIELDS.index(name) for name in (MatchField.FIRST_NAME, MatchField.FAMILY_NAME, MatchField.ORGANISATION_NAME)
)
_NAMESAKES_SHARE = log2(NAMESAKES_SHARE)
_EMAIL, _PHONE = FIELDS.index(MatchField.EMAIL), FIELDS.index(MatchField.PHONE)


class MatchReason(NamedTuple):
    """What a field says: the level of its agreement and the weight in bits."""

    field: str
    level: str
    weight: Decimal


class MatchScore(NamedTuple):
    """The weights of a pair in hundredths of a bit: one of each field, the prior's and the look-alikes'; and their sum."""

    total: int
    levels: tuple[int, ...]
    weights: tuple[int, ...]
    prior: int
    correction: int
    look_alike: str

    @property
    def score(self) -> Decimal:
        """The score in bits."""
        return Decimal(self.total).scaleb(-2)

    @property
    def probability(self) -> float:
        """The probability that the two are one customer."""
        return 1 / (1 + 2 ** (-self.total / 100))

    def reasons(self) -> list[MatchReason]:
        """The weights that add up to the score, those of fields first; a field that a side lacks has none."""
        reasons = [
            MatchReason(name.value, LEVELS[name][level], Decimal(weight).scaleb(-2))
            for name, level, weight in zip(FIELDS, self.levels, self.weights, strict=True)
            if level != MISSING and weight
        ]
        reasons.append(MatchReason(PRIOR, "EXPECTED", Decimal(self.prior).scaleb(-2)))
        if self.correction:
            reasons.append(MatchReason(LOOK_ALIKE, self.look_alike, Decimal(self.correction).scaleb(-2)))
        return reasons


class MatchScorer:
    """Scores pairs by a model."""

    def __init__(self, model: MatchModel) -> None:
        self.model = model
        self.prior = round(100 * log2(model.prior))
        self._same = [tuple(map(log2, model.same[name])) for name in FIELDS]
        self._random = [tuple(map(log2, model.random[name])) for name in FIELDS]
        self._shares: dict[tuple[int, str], float] = {}
        self._look_alikes = [
            (look_alike.value, log2(share), [(FIELDS.index(name), tuple(map(log2, p))) for name, p in fields.items()])
            for look_alike, (share, fields) in model.look_alikes().items()
        ]
        self._namesakes = [
            (FIELDS.index(name), {level: log2(times) for level, times in factors.items()})
            for name, factors in NAMESAKES.items()
        ]

    def score(self, a: MatchRecord, b: MatchRecord) -> MatchScore:
        """The score of two customers; the order of the two does not matter."""
        levels = compare(a, b)
        return self.score_levels(levels, self.random_shares(a, b, levels))

    def score_levels(self, levels: tuple[int, ...], random: Sequence[float]) -> MatchScore:
        """The score of levels; `random` has the logarithms of the shares of random pairs that agree so."""
        weights = tuple(
            round(100 * (same[level] - share)) if level else 0
            for same, share, level in zip(self._same, random, levels, strict=True)
        )
        total = sum(weights) + self.prior
        correction, look_alike = self._correction(levels, random) if total > IRRELEVANT else (0, "")
        return MatchScore(total + correction, levels, weights, self.prior, correction, look_alike)

    def random_shares(self, a: MatchRecord, b: MatchRecord, levels: tuple[int, ...]) -> list[float]:
        """The logarithm of the share of random pairs at each level; an equal value counts as common as it is."""
        shares = [random[level] for random, level in zip(self._random, levels, strict=True)]
        if levels[_FIRST] == EQUAL:
            shares[_FIRST] = self._share(_FIRST, a.name.first or a.name.family, RAREST_NAME)
        if levels[_FAMILY] == EQUAL:
            shares[_FAMILY] = self._share(_FAMILY, a.name.family, RAREST_NAME)
        if levels[_ORGANISATION] == EQUAL:
            shares[_ORGANISATION] = self._share(_ORGANISATION, a.organisation, 0.0)
        if levels[_EMAIL] == EQUAL:
            shares[_EMAIL] = max(self._share(_EMAIL, value, 0.0) for value in a.emails if value in b.emails)
        if levels[_PHONE] == EQUAL:
            shares[_PHONE] = max(self._share(_PHONE, value, 0.0) for value in a.phones)
        return shares

    def _share(self, field: int, value: str, least: float) -> float:
        """The logarithm of the share of customers that have a value."""
        share = self._shares.get((field, value))
        if share is None:
            share = log2(self.model.share(FIELDS[field], value, least))
            if len(self._shares) < 500_000:
                self._shares[field, value] = share
        return share

    def _correction(self, levels: tuple[int, ...], random: Sequence[float]) -> tuple[int, str]:
        """What look-alikes take from the score, and the sort of them that explains most."""
        ratio = _NAMESAKES_SHARE
        for field, factors in self._namesakes:
            ratio += factors.get(levels[field], 0.0)
        best, name = 2.0**ratio, LookAlike.NAMESAKES.value
        odds = 1.0 + best
        for look_alike, share, fields in self._look_alikes:
            ratio = share
            for field, probabilities in fields:
                level = levels[field]
                if level:
                    ratio += probabilities[level] - random[field]
            if ratio > -10:
                odds_of_one = 2.0**ratio
                odds += odds_of_one
                if odds_of_one > best:
                    best, name = odds_of_one, look_alike
        return -round(100 * log2(odds)), name
