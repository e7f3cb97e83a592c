"""The statements that rows are written with, made once per table, columns and kind of viewer. What they mean is writing.py's.

Every one of them holds the viewer's predicate, so that what is not seen is not touched."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.compiler import SQLCompiler

from hub.db.sql_text import DIALECT, text
from hub.model import scopes
from hub.model.columns import moment
from hub.viewer import Binding, Viewer

Values = Mapping[str, Any]
Inherits = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement's text and the names of its parameters in order."""

    text: str
    names: tuple[str, ...]
    json: frozenset[str]

    def bind(self, values: Values, viewer: Viewer) -> list[Any]:
        """The arguments: values by name, and what the viewer is bound to."""
        return [self._value(name, values, viewer) for name in self.names]

    def _value(self, name: str, values: Values, viewer: Viewer) -> Any:
        if name == "viewer_unit":
            return viewer.unit_ids[0]
        if name == "viewer_units":
            return viewer.unit_ids
        if name == "viewer_customer":
            return viewer.customer_id
        if name == "viewer_key":
            return viewer.key_id
        return json.dumps(values[name]) if name in self.json and values[name] is not None else values[name]


def made(statement: sa.ClauseElement, table: sa.Table) -> Statement:
    """A statement with its text and the names of its parameters; JSON columns of `table` are given as values."""
    compiled = statement.compile(dialect=DIALECT)
    assert isinstance(compiled, SQLCompiler)
    names = tuple(compiled.positiontup or ())
    return Statement(str(compiled), names, frozenset(each.name for each in table.c if isinstance(each.type, JSONB)))


def target_of(column: sa.Column[Any]) -> sa.Table | None:
    """The table that a foreign key column points at; in a composite key, `customer_id` and `unit_id` only come along."""
    for key in column.foreign_keys:
        constraint = key.constraint
        assert constraint is not None
        if len(constraint.columns) == 1 or column.name not in FOLLOWING or _places(constraint, column):
            target = key.column.table
            assert isinstance(target, sa.Table)
            return target
    return None


def _places(constraint: sa.ForeignKeyConstraint, column: sa.Column[Any]) -> bool:
    """`(customer_id, unit_id) → customers` is the row's own customer."""
    return column.name == "customer_id" and "unit_id" in constraint.columns


FOLLOWING = ("customer_id", "unit_id")


def _value(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    # Of a closed set only the text is given; typed as one, since Postgres would take it for two types where it stands twice.
    return sa.bindparam(column.name, type_=sa.Text() if isinstance(column.type, sa.Enum) else column.type)


@cache
def insert(table: sa.Table, names: tuple[str, ...], inherits: Inherits, binding: Binding) -> Statement:
    """Inserts unless the viewer does not see a row that is named; what is inherited comes from such a row.

    It gives the whole row, key first, since it may stand inside a statement that reads it."""
    inherited = dict(inherits)
    values: dict[str, sa.ColumnElement[Any]] = {name: _value(table.c[name]) for name in names}
    conditions: list[sa.ColumnElement[bool]] = []
    source: sa.FromClause | None = None
    for name in names:
        target = target_of(table.c[name])
        if target is None:
            continue
        of = target.alias(f"{name}$")
        seen = scopes.of(target).visible(of, binding)
        if name in inherited:
            source = of
            conditions += [of.c.id == values[name], *([] if seen is None else [seen])]
            values |= {each: of.c[each] for each in inherited[name]}
        elif seen is not None:
            exists = sa.exists().where(of.c.id == values[name], seen)
            conditions.append(exists if not table.c[name].nullable else values[name].is_(None) | exists)
    chosen = sa.select(*(value.label(name) for name, value in values.items())).where(*conditions)
    chosen = chosen if source is None else chosen.select_from(source)
    return made(sa.insert(table).from_select(list(values), chosen).returning(*table.c), table)


@cache
def update(table: sa.Table, names: tuple[str, ...], binding: Binding) -> Statement:
    """Changes columns of the row whose key is `wanted`; the version goes up, unless all of it is as it was."""
    values: dict[str, Any] = {name: _value(table.c[name]) for name in names}
    values |= edited(table, sa.or_(sa.false(), *(table.c[name].is_distinct_from(values[name]) for name in names)))
    return made(sa.update(table).where(*_one(table, "id", binding)).values(values).returning(table.c.id), table)


def edited(table: sa.Table, differs: sa.ColumnElement[bool]) -> dict[str, sa.ColumnElement[Any]]:
    """What an edit does to version and time if it `differs`: one that changes nothing is none, and the log has none."""
    at = sa.bindparam("at", type_=moment())
    return {
        "version": sa.case((differs, table.c.version + sa.literal_column("1")), else_=table.c.version),
        "updated_at": sa.case((differs, at), else_=table.c.updated_at),
    }


@cache
def delete(table: sa.Table, binding: Binding) -> Statement:
    """Deletes the row whose key is `wanted`."""
    return made(sa.delete(table).where(*_one(table, "id", binding)).returning(table.c.id), table)


@cache
def named(table: sa.Table, name: str, binding: Binding) -> Statement:
    """The key of the row whose column is `wanted`."""
    return made(sa.select(table.c.id).where(*_one(table, name, binding)), table)


@cache
def locked(table: sa.Table, binding: Binding) -> Statement:
    """The row whose key is `wanted`, locked until the transaction ends."""
    return made(sa.select(table).where(*_one(table, "id", binding)).with_for_update(), table)


@cache
def owning(table: sa.Table, name: str) -> str:
    """What stands in a column of the row of a key."""
    wanted = sa.bindparam("wanted", type_=sa.Uuid)
    return text(sa.select(table.c[name]).where(table.c.id == wanted))


def _one(table: sa.Table, name: str, binding: Binding) -> list[sa.ColumnElement[bool]]:
    column = table.c[name]
    seen = scopes.of(table).visible(table, binding)
    return [column == sa.bindparam("wanted", type_=column.type), *([] if seen is None else [seen])]
