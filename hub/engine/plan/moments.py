"""Finds in a predicate what depends on the time: where the moments stand that rows are compared with, and their ages."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from hub.engine.plan.parameters import Parameter
from hub.engine.plan.predicates import (
    AggregateComparison,
    AggregateExpression,
    And,
    Comparison,
    Exists,
    Join,
    Not,
    Or,
    Predicate,
)
from hub.engine.plan.row_filters import AgeArgument
from hub.model.working_time import MICROSECOND


@dataclass(frozen=True, slots=True)
class TimedValue:
    """A moment of rows behind `path`, a column or an aggregate, that a condition compares with the time.

    The condition changes when the moment is `age` past."""

    path: tuple[Join, ...]
    column: str | None
    aggregate: AggregateExpression | None
    age: timedelta


def timed_values(predicate: Predicate, path: tuple[Join, ...] = ()) -> Iterator[TimedValue]:
    """Everything in a predicate that changes with the time alone."""
    match predicate:
        case And(parts) | Or(parts):
            for part in parts:
                yield from timed_values(part, path)
        case Not(part):
            yield from timed_values(part, path)
        case Exists(join, part):
            yield from timed_values(part, (*path, join))
        case AggregateComparison(aggregate, comparison):
            yield from timed_values(aggregate.where, (*path, aggregate.join))
            age = _age(comparison)
            if age is not None:
                yield TimedValue(path, None, aggregate, age)
        case Comparison(column=column):
            age = _age(predicate)
            if age is not None and column is not None:
                yield TimedValue(path, column.column.name, None, age)


def _age(comparison: Comparison) -> timedelta | None:
    """How old the compared moment is when the comparison changes; None if it does not depend on the time."""
    parameter: Parameter | None = comparison.parameter
    if parameter is None or not isinstance(parameter.source, AgeArgument):
        return None
    # `gte` and `lt` still say the same at the very moment; the others change with it.
    return parameter.source.age + (MICROSECOND if comparison.operator in ("gte", "lt") else timedelta())
