"""Statements that write single rows, compiled once per table, columns and rights of the viewer; see rows.py.

Every one of them holds the viewer's predicate, so that hidden rows are not touched."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.sql.compiler import SQLCompiler

from hub.db.constraint_errors import DENORMALIZED_KEYS
from hub.db.sql_text import DIALECT, to_sql
from hub.model import exact_json, provenance, scopes, survivorship
from hub.model.columns import UNIQUE_AMONG_VISIBLE, readable_columns, timestamp
from hub.rights import Rights, Verb
from hub.viewer import Viewer

ColumnValues = Mapping[str, Any]
STATEMENTS = 4096  # of each form that a process keeps: rights change, so there is no end to them
CopiedColumns = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class SqlStatement:
    """A statement's text, the names of its parameters in order, and those that are no plain values."""

    text: str
    names: tuple[str, ...]
    of_viewer: frozenset[str]
    json: frozenset[str]

    def bind(self, values: ColumnValues, viewer: Viewer) -> list[Any]:
        """The arguments: values by name, and what the viewer is bound to."""
        if not self.of_viewer and not self.json:
            return [values[name] for name in self.names]
        return [self._argument(name, values, viewer) for name in self.names]

    def _argument(self, name: str, values: ColumnValues, viewer: Viewer) -> Any:
        if name in self.of_viewer:
            return scopes.viewer_argument(name, viewer)
        return exact_json.dumps(values[name]) if name in self.json and values[name] is not None else values[name]


def compile_statement(statement: sa.ClauseElement, table: sa.Table) -> SqlStatement:
    """A statement with its text and the names of its parameters; JSON columns of `table` are given as values."""
    compiled = statement.compile(dialect=DIALECT)
    assert isinstance(compiled, SQLCompiler)
    names = tuple(compiled.positiontup or ())
    of_viewer = (name for name in names if name in scopes.VIEWER_ARGUMENTS or name.startswith(scopes.RIGHT_PREFIX))
    json = (name for name in names if name in table.c and isinstance(table.c[name].type, JSONB))
    return SqlStatement(str(compiled), names, frozenset(of_viewer), frozenset(json))


def referenced_table(column: sa.Column[Any]) -> sa.Table | None:
    """The table that a foreign key column points at; in a composite key, `customer_id` and `unit_id` only come along."""
    for key in column.foreign_keys:
        constraint = key.constraint
        assert constraint is not None
        if len(constraint.columns) == 1 or column.name not in DENORMALIZED_KEYS or _is_denormalized(constraint, column):
            target = key.column.table
            assert isinstance(target, sa.Table)
            return target
    return None


def _is_denormalized(constraint: sa.ForeignKeyConstraint, column: sa.Column[Any]) -> bool:
    """`(customer_id, unit_id) → customers` is the row's own customer."""
    return column.name == "customer_id" and "unit_id" in constraint.columns


def _column_parameter(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    # An enum is passed as text, and typed so, since Postgres would infer two types where it occurs twice.
    return sa.bindparam(column.name, type_=sa.Text() if isinstance(column.type, sa.Enum) else column.type)


@lru_cache(maxsize=STATEMENTS)
def insert(table: sa.Table, names: tuple[str, ...], copied_columns: CopiedColumns, rights: Rights) -> SqlStatement:
    """Inserts unless the viewer does not see a row that is named, or sees one with values that are unique among such.

    What is copied comes from a row that is named.

    It gives the row without secrets, key first, since it may stand inside a statement that reads it."""
    copied = dict(copied_columns)
    values: dict[str, sa.ColumnElement[Any]] = {name: _column_parameter(table.c[name]) for name in names}
    conditions: list[sa.ColumnElement[bool]] = []
    source: sa.FromClause | None = None
    for name in names:
        target = referenced_table(table.c[name])
        if target is None:
            continue
        referenced = target.alias(f"{name}$")
        visibility = scopes.shown(target, referenced, rights)
        if name in copied:
            source = referenced
            conditions += [referenced.c.id == values[name], *([] if visibility is None else [visibility])]
            values |= {column_name: referenced.c[column_name] for column_name in copied[name]}
        elif visibility is not None:
            exists = sa.exists(sa.select(referenced.c.id).where(referenced.c.id == values[name], visibility))
            conditions.append(exists if not table.c[name].nullable else values[name].is_(None) | exists)
    twin = _visible_twin(table, rights)
    conditions += [] if twin is None else [sa.not_(twin)]
    query = sa.select(*(value.label(name) for name, value in values.items())).where(*conditions)
    query = query if source is None else query.select_from(source)
    return compile_statement(
        sa.insert(table).from_select(list(values), query).returning(*readable_columns(table)), table
    )


def _visible_twin(table: sa.Table, rights: Rights) -> sa.ColumnElement[bool] | None:
    """Whether the viewer sees a row with the new row's values in the columns that are unique among what it sees."""
    columns: tuple[str, ...] = table.info.get(UNIQUE_AMONG_VISIBLE, ())
    if not columns:
        return None
    twin = table.alias("u$")
    conditions = [twin.c[name] == _column_parameter(table.c[name]) for name in columns]
    visibility = scopes.shown(table, twin, rights)
    return sa.exists().where(*conditions, *([] if visibility is None else [visibility]))


@lru_cache(maxsize=STATEMENTS)
def update(
    table: sa.Table,
    names: tuple[str, ...],
    rights: Rights,
    verb: Verb,
    limited: tuple[str, ...] = (),
    *,
    derived: bool = False,
) -> SqlStatement:
    """Changes columns of the row whose key is `row_key`; the version goes up, unless all of it is as it was.

    Roles must let the viewer write the `limited` columns in this row. What it says of columns with provenance is recorded,
    unless they are `derived`; a column whose value a policy chooses leaves the row untouched then."""
    values: dict[str, Any] = {name: _column_parameter(table.c[name]) for name in names}
    values |= version_bump(table, sa.or_(sa.false(), *(table.c[name].is_distinct_from(values[name]) for name in names)))
    update_ = sa.update(table).where(*_key_conditions(table, "id", rights, verb, limited)).values(values)
    sourced = () if derived else tuple(name for name in provenance.sourced_columns(table) if name in names)
    if not sourced:
        return compile_statement(update_.returning(table.c.id), table)
    free = survivorship.not_governed(table, sourced)
    update_ = update_ if free is None else update_.where(free)
    statement = compile_statement(update_.returning(table.c.id, *provenance.former_values(table, sourced)), table)
    recording = provenance.recording(statement.text, table, sourced, statement.names.index("now") + 1)
    return replace(statement, text=recording)


def version_bump(table: sa.Table, differs: sa.ColumnElement[bool]) -> dict[str, sa.ColumnElement[Any]]:
    """The new version and time of an edit that `differs`. An edit that changes nothing leaves no entry in the change log."""
    now = sa.bindparam("now", type_=timestamp())
    return {
        "version": sa.case((differs, table.c.version + sa.literal_column("1")), else_=table.c.version),
        "updated_at": sa.case((differs, now), else_=table.c.updated_at),
    }


@lru_cache(maxsize=STATEMENTS)
def delete(table: sa.Table, rights: Rights, verb: Verb) -> SqlStatement:
    """Deletes the row whose key is `row_key`."""
    return compile_statement(
        sa.delete(table).where(*_key_conditions(table, "id", rights, verb)).returning(table.c.id), table
    )


@lru_cache(maxsize=STATEMENTS)
def select_key(
    table: sa.Table, name: str, rights: Rights, verb: Verb = Verb.READ, limited: tuple[str, ...] = ()
) -> SqlStatement:
    """The key of the row whose column is `row_key`, if the viewer may do this with it and write the `limited` columns."""
    return compile_statement(sa.select(table.c.id).where(*_key_conditions(table, name, rights, verb, limited)), table)


@lru_cache(maxsize=STATEMENTS)
def select_named(table: sa.Table, name: str, rights: Rights) -> SqlStatement:
    """The keys of the rows that have one of the `names` in a column, with the name."""
    column = table.c[name]
    names = sa.bindparam("names", type_=ARRAY(column.type))
    visibility = scopes.shown(table, table, rights)
    conditions = [column == sa.any_(names), *([] if visibility is None else [visibility])]
    return compile_statement(sa.select(table.c.id, column.label("name")).where(*conditions), table)


@lru_cache(maxsize=STATEMENTS)
def select_equal(table: sa.Table, names: tuple[str, ...], rights: Rights) -> SqlStatement:
    """The key of a row with these values in these columns; null equals null."""
    conditions = [table.c[name].is_not_distinct_from(_column_parameter(table.c[name])) for name in names]
    visibility = scopes.shown(table, table, rights)
    conditions += [] if visibility is None else [visibility]
    return compile_statement(sa.select(table.c.id).where(*conditions).limit(sa.literal_column("1")), table)


@lru_cache(maxsize=STATEMENTS)
def select_for_update(table: sa.Table, rights: Rights) -> SqlStatement:
    """The row whose key is `row_key`, locked until the transaction ends."""
    return compile_statement(
        sa.select(*readable_columns(table)).where(*_key_conditions(table, "id", rights)).with_for_update(), table
    )


@lru_cache(maxsize=STATEMENTS)
def select_parent(table: sa.Table, name: str) -> str:
    """The value of a column of one row."""
    row_key = sa.bindparam("row_key", type_=sa.Uuid)
    return to_sql(sa.select(table.c[name]).where(table.c.id == row_key))


def _key_conditions(
    table: sa.Table, name: str, rights: Rights, verb: Verb = Verb.READ, limited: tuple[str, ...] = ()
) -> list[sa.ColumnElement[bool]]:
    column = table.c[name]
    visibility = scopes.shown(table, table, rights, verb)
    conditions = [column == sa.bindparam("row_key", type_=column.type), *([] if visibility is None else [visibility])]
    return conditions + scopes.writable(table, table, rights, verb, limited)
