"""Records of the matching benchmark, as the hub and other programs read them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

from hub.domain.matching.records import MatchRecord, match_address, match_record


@dataclass(frozen=True, slots=True)
class BenchPerson:
    """A customer record; two records with one `entity` are the same customer."""

    entity: int
    is_organisation: bool = False
    first: str = ""
    family: str = ""  # of a company, its name
    is_family_first: bool = False
    born_on: str = ""
    email: str = ""
    phone: str = ""
    tax_id: str = ""
    street: str = ""
    city: str = ""
    postal_code: str = ""
    country: str = ""
    written_name: str = ""  # where it is written in an unusual way

    @property
    def name(self) -> str:
        """The name as one text, as the hub stores it."""
        if self.written_name:
            return self.written_name
        if self.is_family_first:
            return self.family + self.first
        return f"{self.first} {self.family}".strip()

    def record(self, index: int) -> MatchRecord:
        """The record as the hub compares it."""
        has_address = self.street or self.city or self.postal_code
        return match_record(
            index,
            self.name,
            is_organisation=self.is_organisation,
            born_on=self.born_on,
            emails=[self.email],
            phones=[self.phone],
            tax_ids=[self.tax_id],
            addresses=[match_address(self.street, self.city, self.postal_code, self.country)] if has_address else [],
        )


@dataclass(frozen=True, slots=True)
class MatchingSet:
    """Records, the pairs of them that are one customer, and planted pairs that look alike and are two."""

    name: str
    people: Sequence[BenchPerson]
    look_alikes: frozenset[tuple[int, int]] = frozenset()

    def same_pairs(self) -> set[tuple[int, int]]:
        """The pairs of records of one customer."""
        members: dict[int, list[int]] = defaultdict(list)
        for index, person in enumerate(self.people):
            members[person.entity].append(index)
        return {pair for indexes in members.values() for pair in combinations(indexes, 2)}


@dataclass(frozen=True, slots=True)
class ScoredPairs:
    """The pairs that a program compared, with the weight in bits that they are one customer, and the CPU seconds."""

    program: str
    weights: Mapping[tuple[int, int], float]
    seconds: float

    def quality(self, same: AbstractSet[tuple[int, int]], threshold: float) -> "MatchQuality":
        """How well the pairs from a threshold agree with those that are one customer."""
        matched = {pair for pair, weight in self.weights.items() if weight >= threshold}
        right = len(matched & same)
        return MatchQuality(right / max(len(matched), 1), right / max(len(same), 1))


class MatchQuality(NamedTuple):
    """Precision and recall of pairs."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        return 2 * self.precision * self.recall / max(self.precision + self.recall, 1e-9)

    def __str__(self) -> str:
        return f"F1 {self.f1:.4f}, precision {self.precision:.4f}, recall {self.recall:.4f}"
