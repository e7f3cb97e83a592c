"""Candidate pairs of many records in memory: those that share a blocking key, as whole sets are compared at once."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations

from hub.domain.matching.blocking import MAX_BLOCK, Block, blocking_keys
from hub.domain.matching.comparisons import MatchField
from hub.domain.matching.model import COMMON, term
from hub.domain.matching.records import MatchRecord

Pair = tuple[int, int]


def blocks(records: Sequence[MatchRecord]) -> Iterator[tuple[Block, Sequence[int]]]:
    """The indexes of records that share a key, for each key of at least two and at most MAX_BLOCK of them."""
    members: dict[int, array[int]] = defaultdict(lambda: array("i"))
    sorts: dict[int, Block] = {}
    for index, record in enumerate(records):
        for key, block in blocking_keys(record).items():
            members[key].append(index)
            sorts[key] = block
    for key, indexes in members.items():
        if 1 < len(indexes) <= MAX_BLOCK:
            yield sorts[key], indexes


def candidate_pairs(records: Sequence[MatchRecord]) -> set[Pair]:
    """The distinct pairs of records that share a key, the lower index first."""
    return {pair for _, indexes in blocks(records) for pair in combinations(indexes, 2)}


def common_terms(records: Iterable[MatchRecord], customers: int) -> Mapping[int, float]:
    """The share of customers that have a value, for the values that at least COMMON of them have."""
    counts: Counter[tuple[MatchField, str]] = Counter()
    for record in records:
        counts.update(record_terms(record))
    return {term(name, value): count / customers for (name, value), count in counts.items() if count >= COMMON}


def record_terms(record: MatchRecord) -> Iterator[tuple[MatchField, str]]:
    """The values of a record whose frequency counts."""
    if record.name.first:
        yield MatchField.FIRST_NAME, record.name.first
    if record.name.family:
        yield MatchField.FAMILY_NAME, record.name.family
    if record.organisation:
        yield MatchField.ORGANISATION_NAME, record.organisation
    yield from ((MatchField.EMAIL, value) for value in record.emails)
    yield from ((MatchField.PHONE, value) for value in record.phones)
