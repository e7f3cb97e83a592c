"""Whether a filter names the rows behind a link: by ids, or by values that an index finds them with.

Rows that it names are looked up before the rows that belong to them, and only where the viewer sees them. So a hidden row
costs what an absent one does."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Literal

import sqlalchemy as sa

from hub.engine.plan.predicates import And, Comparison, Or, Predicate
from hub.model.personal import PERSONAL, PersonalData

Named = Literal["one", "several"]

# Kinds of values that stand for few rows.
NAMING = frozenset((PersonalData.NAME, PersonalData.CONTACT, PersonalData.IDENTIFIER))


def named_rows(part: Predicate, table: sa.Table) -> Named | None:
    """How many rows of the table may meet the predicate; None where it does not name them."""
    if isinstance(part, Or):
        return "several" if part.parts and all(named_rows(operand, table) for operand in part.parts) else None
    operands = tuple(_operands(part))
    compared = _compared(operands)
    alone = [
        is_unique and all(compared[name] == "eq" for name in columns)
        for columns, is_unique in _keys(table)
        if compared.keys() >= set(columns)
    ]
    if any(alone):
        return "one"
    in_parts = any(isinstance(operand, Or) and named_rows(operand, table) for operand in operands)
    return "several" if alone or in_parts else None


def _operands(part: Predicate) -> Iterator[Predicate]:
    """The predicates that must all hold."""
    if isinstance(part, And):
        for operand in part.parts:
            yield from _operands(operand)
    else:
        yield part


def _compared(operands: Sequence[Predicate]) -> Mapping[str, str]:
    """The columns that are compared with values, and how: `eq` or `in`."""
    operators: dict[str, str] = {}
    for operand in operands:
        if isinstance(operand, Comparison) and operand.operator in ("eq", "in"):
            name = "id" if operand.column is None else operand.column.column.name
            if operators.get(name) != "eq":
                operators[name] = operand.operator
    return operators


@cache
def _keys(table: sa.Table) -> Sequence[tuple[Sequence[str], bool]]:
    """The columns that together name rows and lead an index, and whether they name one row at most."""
    keys: list[tuple[Sequence[str], bool]] = [(("id",), True)]
    for constraint in table.constraints:
        if isinstance(constraint, sa.UniqueConstraint):
            keys.append((tuple(constraint.columns.keys()), True))
    for index in table.indexes:
        columns = tuple(index.expressions)
        naming = [n for n, column in enumerate(columns) if _names(column)]
        if naming and not index.dialect_options["postgresql"]["using"] and all(map(_is_column, columns[: naming[0]])):
            keys.append((tuple(column.name for column in index.columns)[: naming[0] + 1], False))
    return keys


def _is_column(expression: object) -> bool:
    return isinstance(expression, sa.Column)


def _names(expression: object) -> bool:
    return isinstance(expression, sa.Column) and expression.info.get(PERSONAL) in NAMING
