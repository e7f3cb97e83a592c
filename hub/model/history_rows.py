"""Rows that supersede each other: the latest per customer and key is current, the earlier ones stay.

An entity says so with `superseding=current_by("purpose", "channel", moment="given_at")`."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from uuid import UUID

import sqlalchemy as sa

from hub.db.pool import Connection
from hub.model import statements
from hub.model.columns import timestamp
from hub.model.definition import Superseding
from hub.model.entity import Entity, entity_of
from hub.model.rows import insert_row, lock_row
from hub.model.statements import ColumnValues, SqlStatement
from hub.viewer import Viewer


@dataclass(frozen=True, slots=True)
class _Statements:
    supersede: SqlStatement
    next_moment: SqlStatement


async def insert_current(
    tx: Connection,
    viewer: Viewer,
    entity: type[Entity],
    values: ColumnValues,
    now: datetime,
    *,
    fields: Collection[str] = (),
) -> UUID:
    """Inserts a row that supersedes the current one of its customer and key; returns its key. `fields` as for insert_row.

    Locks the customer. A row that is older than the current one is inserted as superseded by the next."""
    superseding = entity.definition.options["superseding"]
    owner = statements.referenced_table(entity.c.customer_id)
    assert owner is not None
    await lock_row(tx, viewer, entity_of(owner), values["customer_id"], "customer_id")
    superseded_at = await _supersede(tx, viewer, entity, superseding, values, now)
    return await insert_row(tx, viewer, entity, {**values, "superseded_at": superseded_at}, now, fields=fields)


async def _supersede(
    tx: Connection, viewer: Viewer, entity: type[Entity], superseding: Superseding, values: ColumnValues, now: datetime
) -> datetime | None:
    """Ends the row that the new one follows; returns when the new one is superseded itself, if it is late."""
    prepared = _statements(entity.table)
    moment: datetime = values[superseding.moment]
    key = {f"key_{name}": values[name] for name in superseding.columns}
    arguments = {**key, "customer": values["customer_id"], "moment": moment, "now": now}
    await tx.execute(prepared.supersede.text, *prepared.supersede.bind(arguments, viewer))
    next_moment: datetime | None = await tx.fetchval(
        prepared.next_moment.text, *prepared.next_moment.bind(arguments, viewer)
    )
    return next_moment


@cache
def _statements(table: sa.Table) -> _Statements:
    superseding, c = entity_of(table).definition.options["superseding"], table.c
    moment, bound = c[superseding.moment], sa.bindparam("moment", type_=timestamp())
    same = [c.customer_id == sa.bindparam("customer", type_=sa.Uuid())]
    for name in superseding.columns:
        value = sa.bindparam(f"key_{name}", type_=sa.Text())
        same.append(c[name].is_not_distinct_from(value) if c[name].nullable else c[name] == value)
    # A late row counts from its moment until the next one's, in whatever order the two arrive.
    affected = [moment <= bound, sa.or_(c.superseded_at.is_(None), c.superseded_at > bound)]
    supersede = (
        sa.update(table)
        .where(*same, *affected)
        .values(
            superseded_at=bound,
            version=c.version + sa.literal_column("1"),
            updated_at=sa.bindparam("now", type_=timestamp()),
        )
    )
    next_moment = sa.select(sa.func.min(moment)).where(*same, moment > bound)
    return _Statements(statements.compile_statement(supersede, table), statements.compile_statement(next_moment, table))
