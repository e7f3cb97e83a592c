"""Statements that insert and match many rows at once; their parameters are arrays, one for each column.

They hold the same predicates as those of statements.py: a row that names one that the viewer does not see is left out."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from hub.model import exact_json, scopes
from hub.model.columns import UNIQUE_AMONG_VISIBLE, Ltree, readable_columns
from hub.model.statements import STATEMENTS, CopiedColumns, SqlStatement, compile_statement, referenced_table
from hub.rights import Rights
from hub.viewer import Viewer

PREFIX = "a$"  # of the names of array parameters, so that none is taken for a column


def takes_arrays(table: sa.Table, names: Sequence[str]) -> bool:
    """Whether the values of these columns can be given as arrays."""
    return not any(isinstance(table.c[name].type, ARRAY | Ltree) for name in names)


def _incoming(table: sa.Table, names: Sequence[str]) -> tuple[sa.FromClause, dict[str, sa.ColumnElement[Any]]]:
    """The rows of the arrays as a table, and its values as the columns' types."""
    types = [sa.Text() if isinstance(table.c[n].type, sa.Enum | JSONB) else table.c[n].type for n in names]
    parameters = (
        sa.bindparam(f"{PREFIX}{name}", type_=ARRAY(sql_type)) for name, sql_type in zip(names, types, strict=True)
    )
    columns = [sa.column(name, sql_type) for name, sql_type in zip(names, types, strict=True)]
    rows = sa.func.unnest(*parameters).table_valued(*columns, with_ordinality="ordinal$").render_derived(name="i$")
    values: dict[str, sa.ColumnElement[Any]] = {}
    for name in names:
        value = rows.c[name]
        values[name] = sa.cast(value, JSONB) if isinstance(table.c[name].type, JSONB) else value
    return rows, values


def array_arguments(
    statement: SqlStatement, table: sa.Table, names: Sequence[str], rows: Sequence[Mapping[str, Any]], viewer: Viewer
) -> list[Any]:
    """The arguments of a statement: an array for each column, and what the viewer is bound to."""
    arrays: dict[str, Any] = {}
    for name in names:
        column = [row[name] for row in rows]
        if isinstance(table.c[name].type, JSONB):
            column = [None if value is None else exact_json.dumps(value) for value in column]
        arrays[f"{PREFIX}{name}"] = column
    return statement.bind(arrays, viewer)


@lru_cache(maxsize=STATEMENTS)
def insert_many(table: sa.Table, names: tuple[str, ...], copied_columns: CopiedColumns, rights: Rights) -> SqlStatement:
    """Inserts the rows whose references the viewer sees, and returns how many these are."""
    rows, values = _incoming(table, names)
    copied = dict(copied_columns)
    conditions: list[sa.ColumnElement[bool]] = []
    source: sa.FromClause = rows
    for name in names:
        target = referenced_table(table.c[name])
        if target is None:
            continue
        referenced = target.alias(f"{name}$")
        visibility = scopes.shown(target, referenced, rights)
        if name in copied:
            source = source.join(referenced, referenced.c.id == rows.c[name])
            conditions += [] if visibility is None else [visibility]
            values |= {column_name: referenced.c[column_name] for column_name in copied[name]}
        elif visibility is not None:
            exists = sa.exists(sa.select(referenced.c.id).where(referenced.c.id == rows.c[name], visibility))
            conditions.append(exists if not table.c[name].nullable else rows.c[name].is_(None) | exists)
    unique_columns: tuple[str, ...] = table.info.get(UNIQUE_AMONG_VISIBLE, ())
    if unique_columns:
        twin = table.alias("u$")
        equal = [twin.c[name] == values[name] for name in unique_columns]
        visibility = scopes.shown(table, twin, rights)
        conditions.append(sa.not_(sa.exists().where(*equal, *([] if visibility is None else [visibility]))))
    query = sa.select(*(value.label(name) for name, value in values.items())).select_from(source).where(*conditions)
    query = query.order_by(rows.c["ordinal$"])  # the rows lie, and are logged, as they come
    inserted = sa.insert(table).from_select(list(values), query).returning(table.c.id).cte("inserted$")
    return compile_statement(sa.select(sa.func.count()).select_from(inserted), table)


@lru_cache(maxsize=STATEMENTS)
def match_many(table: sa.Table, names: tuple[str, ...], rights: Rights) -> SqlStatement:
    """The visible rows that have the values of an array element in these columns, with its number from 1; null equals null."""
    rows, values = _incoming(table, names)
    equal = (
        table.c[name].is_not_distinct_from(values[name]) if table.c[name].nullable else table.c[name] == values[name]
        for name in names
    )
    visibility = scopes.shown(table, table, rights)
    conditions = [*equal, *([] if visibility is None else [visibility])]
    return compile_statement(
        sa.select(rows.c["ordinal$"].label("ordinal"), *readable_columns(table)).where(*conditions), table
    )
