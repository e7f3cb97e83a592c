"""Fills tables of the graph with rows made from their columns alone, to look at plans on tables of thousands of rows.

Their triggers are disabled, their checks and foreign keys dropped: the rows mean nothing."""

from collections.abc import Iterator, Mapping, Sequence
from graphlib import TopologicalSorter
from typing import Any

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from hub import schema
from hub.model.entity import Entity
from hub.model.subjects import followers

PARENTS = 200  # rows of a table that the rows of another belong to
ENDS = ("ends_at", "ends_on", "expires_at", "until")
CONSTRAINTS = """
select format('alter table %s drop constraint %I', conrelid::regclass, conname) from pg_constraint
where contype in ('c', 'f') and conrelid = any($1::regclass[])
"""


async def fill_tables(dsn: str, tables: Sequence[sa.Table], count: int) -> None:
    """Adds `count` rows to each table, those that others belong to first."""
    entities = {entity.table: entity for entity in schema.entities()}
    subjects: dict[sa.Table, list[type[Entity]]] = {}
    for pair in followers(schema.entities()):
        subjects.setdefault(pair.follower, []).append(entities[pair.subject])
    connection = await asyncpg.connect(dsn)
    try:
        for table in tables:
            await connection.execute(f"alter table {table.name} disable trigger user")
        for (statement,) in await connection.fetch(CONSTRAINTS, [table.name for table in tables]):
            await connection.execute(statement)
        # Of two tables that refer to each other, the one that may do without the other comes first.
        needed = {
            table: {
                target
                for column in table.columns
                if not column.nullable and (target := _referenced(column)) is not None
            }
            for table in tables
        }
        for pair in followers(schema.entities()):
            needed.setdefault(pair.follower, set()).add(pair.subject)
        ordered = [table for table in TopologicalSorter(needed).static_order() if table in tables]
        for table in ordered:
            for entity, share in _shares(subjects.get(table, [None]), count):
                values = dict(_values(table, entity))
                await connection.execute(
                    f"insert into {table.name} ({', '.join(values)})"
                    f" select {', '.join(values.values())} from generate_series({share.start}, {share.stop - 1}) as n"
                    " on conflict do nothing"
                )
        for table in ordered:
            for column in table.columns:
                target = _referenced(column)
                if column.nullable and target is not None and target in tables:
                    parent = _parent(target, "abs(hashtext(id::text))")
                    await connection.execute(
                        f'update {table.name} set "{column.name}" = {parent} where "{column.name}" is null'
                    )
    finally:
        await connection.close()


def _shares(subjects: Sequence[type[Entity] | None], count: int) -> Iterator[tuple[type[Entity] | None, range]]:
    """The numbers of the rows about rows of each type; all for a table whose rows are about nothing."""
    for index, subject in enumerate(subjects):
        yield subject, range(count * index // len(subjects), count * (index + 1) // len(subjects))


def _values(table: sa.Table, subject: type[Entity] | None) -> Iterator[tuple[str, str]]:
    """An SQL expression of the row number `n` for each column that has no value of its own."""
    for shift, column in enumerate(table.columns):
        if column.computed is not None or column.name in ("id", "version"):
            continue
        if subject is not None and column.name in ("entity", "row_id"):
            yield column.name, f"'{subject.__name__}'" if column.name == "entity" else _parent(subject.table)
            continue
        target = _referenced(column)
        if target is not None:
            if target is not table:
                yield f'"{column.name}"', _parent(target, shift=shift)
        elif (text := _plain_value(column)) is not None:
            yield f'"{column.name}"', text


def _referenced(column: sa.Column[object]) -> sa.Table | None:
    return next((key.column.table for key in column.foreign_keys if key.column.name == "id"), None)


def _parent(table: sa.Table, number: str = "n", shift: int = 0) -> str:
    """A row of the table; columns of different shift pair each row with many others."""
    count = f"(select greatest(1, least({PARENTS}, count(*)))::int from {table.name})"
    index = f"({number} + {shift} * ({number} / {count})) % {count}"
    return f"(array(select id from {table.name} order by id limit {PARENTS}))[1 + {index}]"


_TEXTS: Mapping[type[Any], str] = {
    sa.Boolean: "n % 2 = 0",
    sa.Integer: "1 + n",
    sa.Numeric: "1 + n % 9",
    sa.Text: "'text ' || n",
    sa.LargeBinary: "sha256(n::text::bytea)",
    JSONB: "'{}'",
    ARRAY: "'{}'",
    sa.Uuid: "uuidv7()",
}


def _plain_value(column: sa.Column[object]) -> str | None:
    if isinstance(column.type, sa.Enum):
        return f"(array{column.type.enums})[1 + n % {len(column.type.enums)}]"
    if isinstance(column.type, sa.DateTime):
        later = " + interval '30 seconds'" if column.name.endswith(ENDS) else ""
        return f"now() - n * interval '1 minute'{later}"
    if isinstance(column.type, sa.Date):
        return "current_date - n"
    return next((text for type_, text in _TEXTS.items() if isinstance(column.type, type_)), None)
