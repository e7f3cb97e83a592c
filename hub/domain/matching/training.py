"""Training of the parameters on a hub's own customers, without labels, so that they follow its data.

Expectation maximisation over all blocked pairs collapses: they agree because of their block. So each block is a mixture of
its own, without the block's own fields, and look-alikes are components of it. The defaults weigh as much as a few pairs."""

import random
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import exp, log
from types import MappingProxyType

from hub.domain.matching.blocking import FIELDS_OF_BLOCK, Block
from hub.domain.matching.comparisons import EQUAL, FIELDS, LEVELS, MatchField, compare
from hub.domain.matching.model import DEFAULT_DUPLICATES, MatchModel, Probabilities
from hub.domain.matching.pairs import blocks, common_terms
from hub.domain.matching.records import MatchRecord

Levels = tuple[int, ...]
Patterns = Mapping[Levels, int]

SAMPLE = 10_000  # customers; each with all who share a blocking key
MAX_PAIRS = 100_000  # which share a blocking key
RANDOM_PAIRS = 50_000
ROUNDS = 12
WEIGHT_OF_DEFAULTS_SAME, WEIGHT_OF_DEFAULTS_RANDOM = 200, 20_000  # pairs
DETERMINISTIC_RECALL = 0.8  # the share of duplicates that agree in what decides without parameters
MOST_DUPLICATES = 10.0  # other records of a customer
LEAST = 1e-7
LEAST_SHARE, MOST_SHARE = 0.002, 0.95  # of pairs of one customer among those of a block
_SEED = 1
# What tells the members of a household apart.
_TELLING: tuple[MatchField, ...] = (MatchField.FIRST_NAME, MatchField.BORN_ON)
MOST_DISAGREEMENT = 1.5  # times the default's, where no numbers show more
_TRAINED: tuple[MatchField, ...] = tuple(
    name for name in FIELDS if name is not MatchField.CUSTOMER_KIND
)  # which would weigh like a name
_INDEX = {name: FIELDS.index(name) for name in FIELDS}


@dataclass(frozen=True)
class TrainingData:
    """What a sample of customers shows: common values, counted levels of random pairs and of each block's, and how many
    other records of a customer rules alone find on average."""

    customers: int  # all of the hub's
    sampled: int
    partners: float
    terms: Mapping[int, float]
    random: Patterns
    blocks: Mapping[Block, Patterns]


class TrainingSample:
    """Counts how customers of a sample agree with all who share a blocking key. They come in parts, in any order."""

    def __init__(self) -> None:
        self._records: list[MatchRecord] = []
        self._blocks: dict[Block, Counter[Levels]] = {}
        self._decided: dict[tuple[Hashable, Hashable], bool] = {}  # by pair
        self._certain = 0  # other records of the sampled customers that rules alone find

    @property
    def is_full(self) -> bool:
        """Whether there are as many pairs as training needs."""
        return len(self._decided) >= MAX_PAIRS

    def add_customers(self, records: Iterable[MatchRecord]) -> None:
        """Adds customers of the sample."""
        self._records.extend(records)

    def add_pair(self, a: MatchRecord, b: MatchRecord, blocks_: Iterable[Block], sampled: int) -> None:
        """Adds a pair that shares keys of some sorts, of whom so many are customers of this part of the sample."""
        pair = (a.key, b.key)
        decided = self._decided.get(pair)
        if decided is None:
            levels = compare(a, b)
            decided = self._decided[pair] = decides(levels)
            for block in blocks_:
                self._blocks.setdefault(block, Counter())[levels] += 1
        self._certain += decided * sampled

    def random_pairs(self) -> Iterator[tuple[MatchRecord, MatchRecord]]:
        """Random pairs of the sample, the same ones for the same customers."""
        generator = random.Random(_SEED)
        for _ in range(RANDOM_PAIRS if len(self._records) > 1 else 0):
            first, second = generator.sample(self._records, 2)
            yield first, second

    def data(self, customers: int, random_levels: Iterable[Levels]) -> TrainingData:
        """What the sample shows of so many customers, with the levels of its random pairs."""
        drawn = Counter(levels for levels in random_levels if not decides(levels))
        count = max(len(self._records), 1)
        terms = common_terms(self._records, count)
        return TrainingData(customers, len(self._records), self._certain / count, terms, drawn, self._blocks)


def collect(records: Sequence[MatchRecord], limit: int = SAMPLE) -> TrainingData:
    """What a sample of records in memory shows; the same records give the same parameters."""
    chosen = set(random.Random(_SEED).sample(range(len(records)), min(limit, len(records))))
    shared: dict[tuple[int, int], list[Block]] = {}
    for block, indexes in blocks(records):
        for pair in combinations(indexes, 2):
            if pair[0] in chosen or pair[1] in chosen:
                shared.setdefault(pair, []).append(block)
    sample = TrainingSample()
    sample.add_customers(records[index] for index in sorted(chosen))
    for (first, second), blocks_ in sorted(shared.items()):
        sample.add_pair(records[first], records[second], set(blocks_), (first in chosen) + (second in chosen))
    return sample.data(len(records), (compare(a, b) for a, b in sample.random_pairs()))


def decides(levels: Levels) -> bool:
    """Whether a pair is one customer by rules alone: an identifier and the name, or the whole name and the day of birth."""
    first, family = levels[_INDEX[MatchField.FIRST_NAME]], levels[_INDEX[MatchField.FAMILY_NAME]]
    born_on = levels[_INDEX[MatchField.BORN_ON]]
    is_one_company = levels[_INDEX[MatchField.ORGANISATION_NAME]] in (1, 2)
    names_agree = is_one_company or (1 <= first <= 3 and 1 <= family <= 2)
    identified = any(
        levels[_INDEX[name]] == EQUAL
        for name in (MatchField.TAX_ID, MatchField.LOYALTY_ID, MatchField.EMAIL, MatchField.PHONE)
    )
    return names_agree and ((identified and born_on != 3) or born_on == EQUAL)


def train(data: TrainingData, version: int) -> MatchModel:
    """A version of the parameters that follows the data as far as there is any."""
    base = MatchModel()
    model = replace(base, version=version, customers=data.customers, terms=data.terms)
    if data.customers > 1:
        model = replace(model, duplicates=expected_duplicates(data.partners, data.customers, model.population))
    model = replace(model, random=_smoothed(data.random, base.random, WEIGHT_OF_DEFAULTS_RANDOM))
    return replace(model, same=_maximised(data, model))


def expected_duplicates(partners: float, customers: int, population: int) -> float:
    """Other records that a customer is expected to have among the population, if rules alone find so many on average.

    Never fewer are expected than by default: rules find little where little is known of the customers."""
    expected = partners / DETERMINISTIC_RECALL * population / max(customers - 1, 1)
    return min(max(expected, DEFAULT_DUPLICATES), MOST_DUPLICATES)


def _smoothed(patterns: Patterns, defaults: Probabilities, weight: float) -> Probabilities:
    counts = {name: [0.0] * len(LEVELS[name]) for name in FIELDS}
    for levels, count in patterns.items():
        for name, level in zip(FIELDS, levels, strict=True):
            counts[name][level] += count
    return MappingProxyType({**defaults, **{name: _share(counts[name], defaults[name], weight) for name in _TRAINED}})


def _share(counts: Sequence[float], defaults: Sequence[float], weight: float) -> tuple[float, ...]:
    """The shares of levels, with the defaults as so many pairs; missing values do not count."""
    total = sum(counts[EQUAL:]) + weight
    return (1.0, *(max((c + weight * d) / total, LEAST) for c, d in zip(counts[1:], defaults[1:], strict=True)))


def _bounded(shares: Sequence[float], most: float) -> tuple[float, ...]:
    """The shares with at most so much disagreement: look-alikes would train it away."""
    if shares[-1] <= most:
        return tuple(shares)
    scale = (1 - most) / (1 - shares[-1])
    return (1.0, *(share * scale for share in shares[1:-1]), most)


def _most_disagreement(data: TrainingData, name: MatchField, default: float) -> float:
    """How often records of one customer disagree in what tells a household apart, as those show that share a number of their own.

    Where few customers have such numbers, not much more often than by default."""
    counts: Counter[int] = Counter()
    for block in (Block.TAX_ID, Block.LOYALTY_ID):
        for levels, count in data.blocks.get(block, {}).items():
            counts[levels[_INDEX[name]]] += count
    known = sum(count for level, count in counts.items() if level)
    observed = (counts[len(LEVELS[name]) - 1] + WEIGHT_OF_DEFAULTS_SAME * default) / (known + WEIGHT_OF_DEFAULTS_SAME)
    return max(observed, default * MOST_DISAGREEMENT)


def _maximised(data: TrainingData, model: MatchModel) -> Probabilities:
    """The shares of levels of one customer, by expectation maximisation in all blocks at once."""
    same = model.same
    mixtures = {block: _Mixture(block, model, patterns) for block, patterns in data.blocks.items() if patterns}
    most = {name: _most_disagreement(data, name, model.same[name][-1]) for name in _TELLING}
    for _ in range(ROUNDS):
        counts = {name: [0.0] * len(LEVELS[name]) for name in FIELDS}
        for mixture in mixtures.values():
            mixture.expect(same, counts)
        shares: dict[MatchField, tuple[float, ...]] = {
            name: _share(counts[name], model.same[name], WEIGHT_OF_DEFAULTS_SAME) for name in _TRAINED
        }
        shares |= {name: _bounded(shares[name], most[name]) for name in _TELLING}
        same = {**model.same, **shares}
    return MappingProxyType(dict(same))


class _Mixture:
    """The pairs of one sort of block: of one customer, at random, and of each sort of look-alike.

    The share of the first is the deterministic matches'; the others share what is left, as far as each is likely."""

    def __init__(self, block: Block, model: MatchModel, patterns: Patterns) -> None:
        self._fields = [_INDEX[name] for name in FIELDS if name not in FIELDS_OF_BLOCK[block]]
        self._patterns = patterns
        self._others: list[list[float]] = []  # by pattern, the logarithm of the likelihood of the other components
        components: list[Probabilities] = [model.random]
        components += [{**model.random, **fields} for _, fields in model.look_alikes().values()]
        for levels in patterns:
            self._others.append([_log_likelihood(levels, self._fields, component) for component in components])
        decided = sum(count for levels, count in patterns.items() if decides(levels))
        share = min(max(decided / DETERMINISTIC_RECALL / sum(patterns.values()), LEAST_SHARE), MOST_SHARE)
        self._shares = [share, *([(1 - share) / len(components)] * len(components))]

    def expect(self, same: Probabilities, counts: dict[MatchField, list[float]]) -> None:
        """One round: adds the expected levels of one customer to `counts`, and learns the shares of the others."""
        totals = [0.0] * len(self._shares)
        for (levels, count), others in zip(self._patterns.items(), self._others, strict=True):
            logs = [_log_likelihood(levels, self._fields, same), *others]
            greatest = max(logs)
            likelihoods = [share * exp(x - greatest) for share, x in zip(self._shares, logs, strict=True)]
            total = sum(likelihoods)
            for component, likelihood in enumerate(likelihoods):
                totals[component] += count * likelihood / total
            expected = count * likelihoods[0] / total
            for index in self._fields:
                if levels[index]:
                    counts[FIELDS[index]][levels[index]] += expected
        rest = sum(totals[1:]) or 1.0
        share = self._shares[0]
        self._shares = [share, *(max((1 - share) * total / rest, 1e-6) for total in totals[1:])]


def _log_likelihood(levels: Levels, fields: Iterable[int], probabilities: Probabilities) -> float:
    return sum(log(probabilities[FIELDS[index]][levels[index]]) for index in fields if levels[index])
