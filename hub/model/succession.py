"""Writes effective-dated rows: `succeed` ends the row that holds and begins the next."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from hub.db.pool import Connection
from hub.model.columns import timestamp
from hub.model.entity import Entity
from hub.model.lasting import FROM, TO, holding
from hub.model.rows import insert_row
from hub.model.statements import SqlStatement, compile_statement
from hub.viewer import Viewer


async def end_holding(
    tx: Connection, table: sa.Table, same: Mapping[str, Any], moment: datetime, now: datetime
) -> UUID | None:
    """Ends at `moment` the row with these values that holds then; returns its key, None if no earlier row does.

    The next row may begin at `moment`. What begins at the moment or later stays, and collides with it."""
    statement = _end_statement(table, tuple(same))
    arguments = {**same, "moment": moment, "now": now}
    key: UUID | None = await tx.fetchval(statement.text, *(arguments[name] for name in statement.names))
    return key


async def succeed(
    tx: Connection,
    viewer: Viewer,
    entity: type[Entity],
    values: Mapping[str, Any],
    now: datetime,
    *,
    same: Sequence[str],
) -> UUID:
    """Inserts a row that follows the one with the same values in `same`, which ends when the new one begins.

    Returns the new row's key. Raises OVERLAP where another row of the sort begins before the new one ends."""
    await end_holding(tx, entity.table, {name: values[name] for name in same}, values[FROM], now)
    return await insert_row(tx, viewer, entity, values, now, fields=values)


@cache
def _end_statement(table: sa.Table, same: tuple[str, ...]) -> SqlStatement:
    moment = sa.bindparam("moment", type_=timestamp())
    types = {name: sa.Text() if isinstance(table.c[name].type, sa.Enum) else table.c[name].type for name in same}
    conditions = [table.c[name] == sa.bindparam(name, type_=types[name]) for name in same]
    values = {
        TO: moment,
        "version": table.c.version + sa.literal_column("1"),
        "updated_at": sa.bindparam("now", type_=timestamp()),
    }
    update = sa.update(table).where(*conditions, table.c[FROM] < moment, holding(table, moment))
    return compile_statement(update.values(values).returning(table.c.id), table)
