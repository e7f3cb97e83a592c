"""Writes many new rows of an entity at once, under the rules of EntityWriter: rules run row by row, one statement inserts.

Where a statement for all cannot say what the rules of one row ask for, rows are inserted one by one, as mutations do it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from hub.db.pool import Connection
from hub.loop_turns import in_parts
from hub.model import bulk_statements, collisions, rows
from hub.model.statements import ColumnValues
from hub.model.writer import EntityWriter
from hub.viewer import Viewer

# Of one statement: the driver encodes them in about a millisecond, in which nothing else of the process runs.
ROWS_AT_ONCE = 50


class NotAsOne(Exception):
    """A statement for all rows did not insert all of them; one by one, the errors name the rows."""


@dataclass(frozen=True, slots=True)
class PreparedRow:
    """A new row, complete and checked, with its key, the columns that the caller named, and its time if that is not now."""

    key: UUID
    values: ColumnValues
    fields: Sequence[str]
    created_at: datetime | None = None


async def insert_prepared(
    tx: Connection,
    viewer: Viewer,
    writer: EntityWriter,
    prepared: Sequence[PreparedRow],
    now: datetime,
    *,
    as_one: bool,
) -> None:
    """Inserts prepared rows; raises as EntityWriter.create, or NotAsOne if `as_one` was tried in vain.

    Rules that see rows before or after they are stored run here."""
    entity = writer.entity
    for rule in entity.rules.before_insert:
        await rule(tx, [row.values for row in prepared])
    if as_one and _fits_one_statement(viewer, writer, prepared):
        await _insert_as_one(tx, viewer, writer, prepared, now)
    else:
        for row in prepared:
            with collisions.LIMIT.counting(viewer, writer.global_keys, now):
                values = {**row.values, "id": row.key}
                insert = rows.insert_row(tx, viewer, entity, values, row.created_at or now, fields=row.fields)
                await writer.translate_overflow(row.values, insert)
    if entity.rules.after_change:
        for row in prepared:
            await entity.rules.changed(tx, entity, row.key, now)
    parent = entity.definition.parent
    if entity.rules.after_write and parent is not None:
        keys = list(dict.fromkeys(row.values[parent.column_name] for row in prepared))
        for after_write in entity.rules.after_write:
            await after_write(tx, keys, now)


def _fits_one_statement(viewer: Viewer, writer: EntityWriter, prepared: Sequence[PreparedRow]) -> bool:
    """Whether rights look at no single row, and no column needs another person's word."""
    names = {name for row in prepared for name in row.values}
    verified = writer.entity.definition.verified_columns
    return (
        len(prepared) > 1
        and not viewer.rights.roles
        and bulk_statements.takes_arrays(writer.table, sorted(names))
        and not any(row.values.get(name) is not None for row in prepared for name in verified)
    )


async def _insert_as_one(
    tx: Connection, viewer: Viewer, writer: EntityWriter, prepared: Sequence[PreparedRow], now: datetime
) -> None:
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    async for rows_at_once in in_parts(prepared, ROWS_AT_ONCE):
        for row in rows_at_once:
            stamps = dict.fromkeys(("created_at", "updated_at"), row.created_at or now)
            values = {**row.values, "id": row.key, **stamps}
            groups.setdefault(tuple(sorted(values)), []).append(values)
    table, copied = writer.table, writer.entity.definition.copied_columns
    for names, group in groups.items():
        statement = bulk_statements.insert_many(table, names, copied, viewer.rights)
        async for part in in_parts(group, ROWS_AT_ONCE):
            arguments = bulk_statements.array_arguments(statement, table, names, part, viewer)
            if await tx.fetchval(statement.text, *arguments) != len(part):
                raise NotAsOne
