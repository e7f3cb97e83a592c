"""The conditions of a plan, as data: tests of columns and of figures, and how they combine. plan.py has the rest.

filters.py makes them, where.py writes them as SQL. A value that is known only when the plan runs is a Slot: a parameter of
the statement and where its value comes from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Literal, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from hub.engine.catalog.catalog import Column, Row
from hub.engine.catalog.scalars import Wire
from hub.viewer import Viewer

# Stand for the moment of a request where all of them are alike; by two of them an age and a moment that is written differ.
MOMENTS = (datetime(9999, 12, 31, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC))
NOTHING: Mapping[str, Any] = MappingProxyType({})


class Run(NamedTuple):
    """What a plan is run with: coerced variables, the moment of the request, who asks, the secret that signs cursors.

    `keys` are the rows that a resolver named, when the plan reads those; `outcome` is what a command gave, when it reads that;
    `positions` and `cursors` are those of the changes to be told, and `mark` is what stands for a cursor that only the sender
    knows."""

    variables: Mapping[str, Any]
    at: datetime
    viewer: Viewer
    secret: bytes
    keys: Sequence[UUID] = ()
    outcome: Mapping[str, Any] = NOTHING
    positions: Sequence[int] = ()
    cursors: Sequence[str] = ()
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Slot:
    """A parameter of the statement, its type there, and how its value is found in a run."""

    name: str
    type: sa.types.TypeEngine[Any] = field(compare=False)
    value: Callable[[Run], Any] = field(compare=False, repr=False)


# -- predicates ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Test:
    """A condition on a column: operator and parameter; `isNull` carries its answer instead."""

    column: Column | None
    wire: Wire
    operator: str
    slot: Slot | None
    wanted: bool = True


@dataclass(frozen=True, slots=True)
class JsonTest:
    """A condition on what stands at a path of a JSON column."""

    column: Column
    path: Slot
    operator: str
    slot: Slot | None
    wanted: bool = True


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds."""

    parts: tuple["Predicate", ...]


@dataclass(frozen=True, slots=True)
class Some:
    """At least one part holds."""

    parts: tuple["Predicate", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: "Predicate"


@dataclass(frozen=True, slots=True)
class Join:
    """How rows of `row` are reached: `theirs` of theirs equals `ours` of the row at hand; `check`: may be hidden."""

    row: Row
    theirs: str
    ours: str
    check: bool


@dataclass(frozen=True, slots=True)
class Exists:
    """A joined row meets the part; with `fails`, a joined row does not meet it."""

    join: Join
    part: "Predicate"
    fails: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure over the joined rows that meet `where`: a count, or a function of a column, in one currency if it is money."""

    join: Join
    where: "Predicate"
    function: Literal["COUNT", "SUM", "AVG", "MIN", "MAX"]
    column: Column | None
    currency: Slot | None


@dataclass(frozen=True, slots=True)
class FigureTest:
    """A condition on a figure."""

    figure: Figure
    test: Test


Predicate = Test | JsonTest | All | Some | Not | Exists | FigureTest
