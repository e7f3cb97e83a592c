"""Predicates of a plan, as data: comparisons of columns and aggregates, and how they combine.

filters.py plans them, sql/conditions.py compiles them."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from hub.engine.catalog.catalog import CatalogEntity, ColumnField
from hub.engine.catalog.scalars import ScalarType
from hub.engine.plan.parameters import Parameter
from hub.model.root_groups import ViewerPredicate

AggregateFunctionName: TypeAlias = Literal["COUNT", "SUM", "AVG", "MIN", "MAX"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A condition on a column: operator and parameter. `isNull` and `isEmpty` have `is_null` in its place."""

    column: ColumnField | None
    scalar: ScalarType
    operator: str
    parameter: Parameter | None
    is_null: bool = True


@dataclass(frozen=True, slots=True)
class JsonComparison:
    """A condition on the value at a path of a JSON column."""

    column: ColumnField
    path: Parameter
    operator: str
    parameter: Parameter | None
    is_null: bool = True


@dataclass(frozen=True, slots=True)
class FieldComparison:
    """A condition on two columns of the row, of one type."""

    column: ColumnField
    operator: str
    other: ColumnField


@dataclass(frozen=True, slots=True)
class InSubtree:
    """The row is the one with this key, or below it in the tree of its entity; `path` names the column of labels."""

    entity: CatalogEntity
    path: str
    key: Parameter


@dataclass(frozen=True, slots=True)
class OfViewer:
    """The row is the viewer's: `rows` compiles that, `now` is its time, and `entities` decide it beside the row."""

    rows: ViewerPredicate
    now: Parameter
    entities: tuple[CatalogEntity, ...]


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
    """A link to rows of `entity`: their `their_column` equals `our_column` of the outer row.

    With `check_visibility` the joined rows may be hidden even though the outer row is visible."""

    entity: CatalogEntity
    their_column: str
    our_column: str
    check_visibility: bool
    same_customer: bool = True  # whether the rows are of the outer row's customer, so that no other's matter


@dataclass(frozen=True, slots=True)
class Exists:
    """A joined row meets the part; with `fails`, a joined row fails it."""

    join: Join
    part: "Predicate"
    fails: bool = False


@dataclass(frozen=True, slots=True)
class AggregateExpression:
    """An aggregate over the joined rows that meet `where`: a count, or a function of a column. Money has one currency."""

    join: Join
    where: "Predicate"
    function: AggregateFunctionName
    column: ColumnField | None
    currency: Parameter | None


@dataclass(frozen=True, slots=True)
class AggregateComparison:
    """A condition on an aggregate."""

    aggregate: AggregateExpression
    comparison: Comparison


Predicate = (
    Comparison | JsonComparison | FieldComparison | InSubtree | OfViewer | And | Or | Not | Exists | AggregateComparison
)
