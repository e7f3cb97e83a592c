"""SQL primitives that every compiler of this package uses: literals, parameters, JSON objects, aliases, sources of rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import sqlalchemy as sa

from hub.engine.plan.parameters import Parameter
from hub.rights import Rights

Condition = sa.ColumnElement[bool]
Value = sa.ColumnElement[Any]


def sql_literal(sql: str) -> sa.ColumnElement[Any]:
    """SQL text that the hub itself writes, as it is. Never pass a client's text."""
    return sa.literal_column(sql)


EMPTY_LIST: Value = sql_literal("'[]'::json")


def text(value: str) -> Value:
    """A text literal that the hub itself writes, such as a type's name."""
    return sql_literal(f"'{value}'::text")


def param(parameter: Parameter) -> sa.BindParameter[Any]:
    """The bind parameter of a plan's parameter."""
    return sa.bindparam(parameter.name, type_=parameter.type)


def id_expression(prefix: str, key: Value) -> Value:
    """The public id of a key: the type's prefix and 32 hex digits."""
    return sql_literal(f"'{prefix}_'").concat(
        sa.func.replace(sa.cast(key, sa.Text), sql_literal("'-'"), sql_literal("''"))
    )


def fold(value: Value) -> sa.ColumnElement[str]:
    """The text without case, accents and width."""
    return sa.func.hub_fold(value)


def pattern(value: Value) -> sa.ColumnElement[str]:
    """The LIKE pattern that matches folded text with this text in it."""
    return sa.func.hub_pattern(value)


def json_object(columns: Sequence[tuple[str, Value]], alias: str, tables: Sequence[sa.FromClause] = ()) -> Value:
    """A JSON object of expressions, its keys in order. It reads the rows in scope, or the one row of `tables`.

    `alias` is a fresh alias."""
    if not columns:
        return sql_literal("'{}'::json")
    select = sa.select(*(value.label(key) for key, value in columns)).select_from(*tables)
    inner = select.correlate_except(*tables).subquery(alias)
    return sa.select(sa.func.row_to_json(inner.table_valued())).correlate_except(inner).scalar_subquery()


@dataclass(slots=True)
class AliasGenerator:
    """Aliases of one statement, `t$0`, `t$1`, … in walk order. No GraphQL name holds a `$`, so none is ever captured."""

    rights: Rights
    prefix: str = "t$"
    count: int = 0

    def next(self) -> str:
        """A fresh alias."""
        self.count += 1
        return f"{self.prefix}{self.count - 1}"

    def for_table(self, table: sa.FromClause) -> sa.FromClause:
        """The table under a fresh alias."""
        return (lightweight_table(table) if isinstance(table, sa.Table) else table).alias(self.next())


@cache
def lightweight_table(table: sa.Table) -> sa.TableClause:
    """A table with only the names and types of its columns. Each alias copies them, which then costs a fifth."""
    return sa.table(table.name, *(sa.column(column.name, column.type) for column in table.c))


@dataclass(slots=True)
class SelectSource:
    """The rows that a select reads: a table's alias, the joins that it needs, and whether those of aggregates are grouped.

    `matches` are the keys that match a search, with the ranks of their codes. `of_images`: it reads images of the log, or rows
    that belong to them, which are visible as they were and not as the tables are now."""

    aliases: AliasGenerator
    row: sa.FromClause
    grouped: bool
    joins: list[tuple[sa.FromClause, Condition]] = field(default_factory=list)
    matches: sa.FromClause | None = None
    of_images: bool = False

    def tables(self) -> sa.FromClause:
        """The FROM clause."""
        tables = self.row
        for joined_table, on_condition in self.joins:
            tables = tables.outerjoin(joined_table, on_condition)
        return tables

    def own(self) -> list[sa.FromClause]:
        """The tables of this select, not those of a select around it."""
        return [self.row, *(joined_table for joined_table, _ in self.joins), self.tables()]
