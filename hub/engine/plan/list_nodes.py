"""How a plan's lists run, as data: what they are ordered by, where pages are cut, what is searched, what signs cursors.

nodes.py has the rest."""

from dataclasses import dataclass
from typing import Literal

from hub.engine.plan.parameters import Parameter
from hub.engine.plan.predicates import AggregateExpression
from hub.model.declarations import AscDesc


@dataclass(frozen=True, slots=True)
class SortTerm:
    """A sort key: a column of the row, an aggregate over joined rows, or a rank of the search; never null."""

    key: "SortColumn | AggregateExpression | Literal['rank', 'similarity', 'id']"
    direction: AscDesc


@dataclass(frozen=True, slots=True)
class SortColumn:
    """A column to sort by, and what stands for null."""

    column: str
    null_as: str | None


@dataclass(frozen=True, slots=True)
class CursorBound:
    """One end of a page: a parameter for each sort key, taken from a cursor."""

    keys: tuple[Parameter, ...]


@dataclass(frozen=True, slots=True)
class PagePlan:
    """Which rows of a list: how many (a number or a parameter), from which end, between which bounds."""

    size: int | Parameter
    backward: bool
    after: CursorBound | None
    before: CursorBound | None


@dataclass(frozen=True, slots=True)
class SearchTerms:
    """What is searched: the whole text and its words."""

    text: Parameter
    words: tuple[Parameter, ...]


@dataclass(frozen=True, slots=True)
class CursorSigning:
    """What signs and tells apart the cursors of one list: two parameters, the list's fingerprint and the signing key."""

    list_fingerprint: Parameter
    signing_key: Parameter
