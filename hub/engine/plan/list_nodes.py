"""How a plan's lists run, as data: what they are ordered by, where pages are cut, what is searched, what signs cursors.

plan.py has the rest."""

from dataclasses import dataclass
from typing import Literal

from hub.engine.plan.predicates import Figure, Slot
from hub.model.declarations import Direction


@dataclass(frozen=True, slots=True)
class Order:
    """A sort key: a column of the row, a figure over joined rows, or a rank of the search; never null."""

    key: "SortColumn | Figure | Literal['rank', 'similarity', 'id']"
    direction: Direction


@dataclass(frozen=True, slots=True)
class SortColumn:
    """A column to sort by, and what stands for null."""

    column: str
    missing: str | None


@dataclass(frozen=True, slots=True)
class Bound:
    """One end of a page: a parameter for each sort key, taken from a cursor."""

    keys: tuple[Slot, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """Which rows of a list: how many (a number or a parameter), from which end, between which bounds."""

    size: int | Slot
    backward: bool
    after: Bound | None
    before: Bound | None


@dataclass(frozen=True, slots=True)
class Search:
    """What is searched: the whole text and its words."""

    text: Slot
    words: tuple[Slot, ...]


@dataclass(frozen=True, slots=True)
class Cursors:
    """What signs and tells apart the cursors of one list: two parameters, the list's mark and its key."""

    mark: Slot
    key: Slot
