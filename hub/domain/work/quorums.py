"""Votes: when a majority of a step's voters has decided, and how. Pure."""

import re
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from math import ceil

from hub.schema.work.processes import StepDecision

SHARE = re.compile(r"[0-9]{1,3}/[0-9]{1,3}|[01](\.[0-9]{1,6})?")


def parse_majority(text: str) -> Fraction:
    """A share like "2/3", "0.75" or "1"; raises ValueError for one that is not above 0 and at most 1."""
    try:
        share = Fraction(text) if SHARE.fullmatch(text) else Fraction()
    except ZeroDivisionError:
        share = Fraction()
    if not 0 < share <= 1:
        raise ValueError(f'{text[:20]!r} is no majority; give a share above 0 and up to 1, like "2/3" or "0.75"')
    return share


def approvals_needed(quorum: int, majority: str | None) -> int:
    """The approvals that decide; without a majority, those of more than half of the voters."""
    return quorum // 2 + 1 if majority is None else ceil(quorum * parse_majority(majority))


def outcome(quorum: int, needed: int, votes: Iterable[StepDecision]) -> StepDecision | None:
    """How the votes so far decide; None while the majority can still come about or fail.

    Once there cannot be enough approvals, the more frequent one of REJECT and RETURN decides; RETURN if they are even."""
    counts = Counter(votes)
    approvals = counts[StepDecision.APPROVE] + counts[StepDecision.DONE]
    if approvals >= needed:
        return StepDecision.APPROVE if counts[StepDecision.APPROVE] else StepDecision.DONE
    rejections, returns = counts[StepDecision.REJECT], counts[StepDecision.RETURN]
    if quorum - rejections - returns >= needed:
        return None
    return StepDecision.RETURN if returns >= rejections else StepDecision.REJECT
