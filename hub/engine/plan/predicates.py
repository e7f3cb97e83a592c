"""The conditions of a plan, as data: tests of columns and of aggregates, and how they combine. nodes.py has the rest.

filters.py makes them, sql/conditions.py writes them as SQL. A value that is known only when the plan runs is a
Parameter: a parameter of the statement and where its value comes from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Literal, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from hub.engine.catalog.catalog import CatalogEntity, ColumnField
from hub.engine.catalog.scalars import ScalarType
from hub.viewer import Viewer

# Stand for the moment of a request where all of them are alike; by two of them an age and a moment that is written differ.
PROBE_TIMES = (datetime(9999, 12, 31, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC))
NO_OUTCOME: Mapping[str, Any] = MappingProxyType({})


class ExecutionContext(NamedTuple):
    """What a plan is run with: coerced variables, the moment of the request, who asks, the secret that signs cursors.

    `keys` are the rows that a resolver named, when the plan reads those; `outcome` is what a command gave, when it reads that;
    `positions` and `cursors` are those of the changes to be told, and `previous_cursor_placeholder` is what stands for a
    cursor that only the sender knows."""

    variables: Mapping[str, Any]
    now: datetime
    viewer: Viewer
    secret: bytes
    keys: Sequence[UUID] = ()
    outcome: Mapping[str, Any] = NO_OUTCOME
    positions: Sequence[int] = ()
    cursors: Sequence[str] = ()
    previous_cursor_placeholder: str = ""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the statement, its type there, and how its value is found in a run."""

    name: str
    type: sa.types.TypeEngine[Any] = field(compare=False)
    evaluate: Callable[[ExecutionContext], Any] = field(compare=False, repr=False)


# -- predicates ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Comparison:
    """A condition on a column: operator and parameter; `isNull` carries its answer instead."""

    column: ColumnField | None
    scalar: ScalarType
    operator: str
    parameter: Parameter | None
    is_null: bool = True


@dataclass(frozen=True, slots=True)
class JsonComparison:
    """A condition on what stands at a path of a JSON column."""

    column: ColumnField
    path: Parameter
    operator: str
    parameter: Parameter | None
    is_null: bool = True


@dataclass(frozen=True, slots=True)
class And:
    """Every part holds."""

    parts: tuple["Predicate", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one part holds."""

    parts: tuple["Predicate", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: "Predicate"


@dataclass(frozen=True, slots=True)
class Join:
    """How rows of `entity` are reached: `their_column` equals `our_column` of the row at hand.

    With `check_visibility` they may be hidden although the row at hand is not."""

    entity: CatalogEntity
    their_column: str
    our_column: str
    check_visibility: bool


@dataclass(frozen=True, slots=True)
class Exists:
    """A joined row meets the part; with `fails`, a joined row does not meet it."""

    join: Join
    part: "Predicate"
    fails: bool = False


@dataclass(frozen=True, slots=True)
class AggregateExpression:
    """An aggregate over the joined rows that meet `where`: a count, or a function of a column, in one currency if it is money."""

    join: Join
    where: "Predicate"
    function: Literal["COUNT", "SUM", "AVG", "MIN", "MAX"]
    column: ColumnField | None
    currency: Parameter | None


@dataclass(frozen=True, slots=True)
class AggregateComparison:
    """A condition on an aggregate."""

    aggregate: AggregateExpression
    comparison: Comparison


Predicate = Comparison | JsonComparison | And | Or | Not | Exists | AggregateComparison
