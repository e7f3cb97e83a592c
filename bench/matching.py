"""Matching: precision and recall of the hub beside Splink on three sets with known duplicates, and the CPU time of both.

Neither reads the labels: both train on the records as they are. The generator's seeds differ from those that the defaults were
chosen with, and can be set."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from bench.matching_people import febrl, planted, with_look_alikes
from bench.matching_records import MatchingSet, MatchQuality, ScoredPairs
from bench.matching_splink import score_with_splink
from hub.domain.matching.model import MatchModel
from hub.domain.matching.pairs import candidate_pairs
from hub.domain.matching.scoring import AUTOMATIC_LEAST, MatchScorer
from hub.domain.matching.training import collect, train

SEED = 20_260  # of the reported figures
DUPLICATES_SHARE, LOOK_ALIKE_CUSTOMERS = 20, 20_000  # one customer in so many is planted twice


@dataclass(frozen=True, slots=True)
class MatchingResult:
    """A program's quality on a set at even odds, and the greatest weight of a pair of look-alikes and of any wrong pair."""

    set_name: str
    program: str
    quality: MatchQuality
    best: MatchQuality
    seconds: float
    pairs: int
    look_alike: float | None
    wrong: float | None

    def __str__(self) -> str:
        line = f"{self.set_name}: {self.program}: {self.quality} (at its best threshold {self.best.f1:.4f});"
        line += f" {self.pairs:,} pairs, {self.seconds:.1f} s CPU"
        if self.look_alike is not None:
            line += f"; look-alikes up to {self.look_alike:.1f} bits, automatic merging from {AUTOMATIC_LEAST}"
        return line if self.wrong is None else f"{line}; wrong pairs up to {self.wrong:.1f} bits"


def run(customers: int, seed: int = SEED) -> Iterator[MatchingResult]:
    """The results of the hub as it trains itself, of its defaults, and of Splink on each set."""
    sets = (
        febrl,
        lambda: planted(customers, customers // DUPLICATES_SHARE, seed),
        lambda: with_look_alikes(LOOK_ALIKE_CUSTOMERS, LOOK_ALIKE_CUSTOMERS // DUPLICATES_SHARE * 2, seed + 1),
    )
    for create in sets:
        people = create()
        same = people.same_pairs()
        for scored in (score_with_hub(people), score_with_hub(people, trained=False)):
            yield _result(people, scored, same)
        yield _result(people, score_with_splink(people), same)


def score_with_hub(people: MatchingSet, *, trained: bool = True) -> ScoredPairs:
    """The pairs that the hub compares, by the parameters that it learns from the records, or by its defaults."""
    started_at = time.process_time()
    records = [person.record(index) for index, person in enumerate(people.people)]
    pairs = candidate_pairs(records)
    scorer = MatchScorer(train(collect(records), 1) if trained else MatchModel(customers=len(records)))
    weights = {pair: scorer.score(records[pair[0]], records[pair[1]]).total / 100 for pair in pairs}
    return ScoredPairs("hub" if trained else "hub, defaults", weights, time.process_time() - started_at)


def _result(people: MatchingSet, scored: ScoredPairs, same: set[tuple[int, int]]) -> MatchingResult:
    thresholds = [tenth / 2 for tenth in range(-20, 41)]
    best = max((scored.quality(same, threshold) for threshold in thresholds), key=lambda quality: quality.f1)
    look_alikes = [scored.weights[pair] for pair in people.look_alikes if pair in scored.weights]
    wrong = [weight for pair, weight in scored.weights.items() if pair not in same]
    return MatchingResult(
        people.name,
        scored.program,
        scored.quality(same, 0.0),
        best,
        scored.seconds,
        len(scored.weights),
        max(look_alikes, default=None),
        max(wrong, default=None),
    )
