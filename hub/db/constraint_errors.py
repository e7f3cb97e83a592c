"""Translates constraint violations into errors for the caller: the column, the fault, the remedy.

Constraints follow the naming convention in hub/model/columns.py, so each name leads to its columns."""

from collections.abc import Sequence
from typing import Any

import asyncpg
import sqlalchemy as sa

from hub.errors import BadInput, HubError, NotFound

DENORMALIZED_KEYS = ("customer_id", "unit_id")  # columns of a composite foreign key that follow from the row itself


def to_hub_error(error: asyncpg.PostgresError, metadata: sa.MetaData) -> HubError | None:
    """Returns the client error for an integrity error; None for any other error."""
    table = metadata.tables.get(error.table_name or "")
    name = error.constraint_name or ""
    if isinstance(error, asyncpg.NotNullViolationError):
        column = error.column_name or ""
        if (
            column in DENORMALIZED_KEYS
        ):  # a trigger copies it from the customer; it is empty if there is no such customer
            return NotFound("customer_id: there is no such row, or this key may not see it.", argument="customer_id")
        return BadInput(f"{column}: null is not allowed; give a value.", argument=column)
    if table is None:
        return None
    if isinstance(error, asyncpg.UniqueViolationError):
        return values_taken(table, _columns(table, name))
    if isinstance(error, asyncpg.ForeignKeyViolationError):
        if "still referenced" in (error.detail or ""):
            return in_use(f"rows of {_table_label(table)}")
        column = _referencing_column(table, name)
        return NotFound(f"{column}: there is no such row, or this key may not see it.", argument=column)
    if isinstance(error, asyncpg.ExclusionViolationError):
        return _overlap(table, name)
    if isinstance(error, asyncpg.CheckViolationError):
        rule = name.removeprefix(f"ck_{table.name}_")
        column = max(
            (table_column.name for table_column in table.c if rule.startswith(table_column.name)), key=len, default=""
        )
        rule_text = rule.replace("_", " ")
        return BadInput(
            f"{column or rule}: the value violates the rule '{rule_text}'; give another value.", argument=column or None
        )
    return None


def in_use(rows: str = "other rows") -> BadInput:
    """The error for a row that others refer to; a viewer that may not see all of them is not told which they are."""
    return BadInput(f"id: {rows} still refer to it; change or delete them first.", code="IN_USE", argument="id")


def values_taken(table: sa.Table, columns: Sequence[sa.Column[Any]]) -> BadInput:
    """The error for values of unique columns that another row has."""
    names = [column.name for column in columns]
    # The foreign key to the parent is the same for all siblings; the other column is the one to change.
    own_column = next((column.name for column in columns if not column.foreign_keys), names[0])
    fault = f"another row of {_table_label(table)} has this {' and '.join(names)}"
    message = f"{own_column}: {fault}; change that row, or give another value."
    return BadInput(message, code="ALREADY_EXISTS", argument=own_column)


def _overlap(table: sa.Table, constraint: str) -> BadInput:
    """The error for a row that would hold while another one with the same values does."""
    names = constraint.removeprefix(f"ex_{table.name}_").replace("_", " ")
    message = (
        f"from_at: another row of {_table_label(table)} with the same {names} holds at that time;"
        " end it first, or give another time."
    )
    return BadInput(message, code="OVERLAP", argument="from_at")


def _table_label(table: sa.Table) -> str:
    return table.name.replace("_", " ")


def _columns(table: sa.Table, constraint: str) -> list[sa.Column[Any]]:
    """Returns the columns of a unique constraint or index; the primary key if the name is unknown."""
    for table_constraint in table.constraints:
        if table_constraint.name == constraint and isinstance(
            table_constraint, sa.UniqueConstraint | sa.PrimaryKeyConstraint
        ):
            return list(table_constraint.columns)
    for index in table.indexes:
        if index.name == constraint:
            return list(index.columns)
    return [table.c.id]


def _referencing_column(table: sa.Table, constraint: str) -> str:
    for foreign_key in table.foreign_key_constraints:
        if foreign_key.name == constraint:
            names = [column.name for column in foreign_key.columns]
            return next((name for name in names if name not in DENORMALIZED_KEYS), names[0])
    suffix = constraint.removeprefix(f"fk_{table.name}_")
    return suffix or "id"
