"""Applies the clock rules of entities: after every write of a row, its clocks do what its state asks for.

Commands that write a row's state past the writer and moves call `apply_clock_rules` themselves."""

from datetime import datetime
from functools import cache
from uuid import UUID

import sqlalchemy as sa

from hub import schema
from hub.db.pool import Connection
from hub.db.sql_text import to_sql
from hub.domain.work.clock_changes import rematch_clocks
from hub.domain.work.clocks import pause_clock, resume_clock, start_clock, stop_clock, void_clock
from hub.model.clock_rules import ClockRule
from hub.model.entity import Entity, entity_of
from hub.model.rules import after_change
from hub.model.subjects import subject_values

_OPEN = "select name, running_since is not null as runs from clocks where row_id = $1 and stopped_at is null"


async def apply_clock_rules(tx: Connection, entity: type[Entity], key: UUID, now: datetime) -> None:
    """Starts, pauses, resumes, stops and voids the clocks of a row by its state, and matches policies with it anew."""
    rules = entity.definition.options.get("clocks", ())
    row = await tx.fetchrow(_state_sql(entity.table), key)
    if row is None:
        return
    running = {clock["name"]: clock["runs"] for clock in await tx.fetch(_OPEN, key)}
    for rule in rules:
        await _apply(tx, entity, key, rule, row[rule.column], running.get(rule.name), now)
    if running:
        await rematch_clocks(tx, entity, key, now)


async def _apply(
    tx: Connection, entity: type[Entity], key: UUID, rule: ClockRule, state: str, runs: bool | None, now: datetime
) -> None:
    """Does what a state asks of one clock; `runs` is None where none is open."""
    if state in rule.runs:
        if runs is None:
            values = await subject_values(tx, entity, key)
            await start_clock(tx, values, rule.name, now=now, public=rule.public)
        elif not runs:
            await resume_clock(tx, entity, key, rule.name, now)
    elif runs is not None:
        if state in rule.pauses and runs:
            await pause_clock(tx, entity, key, rule.name, now)
        elif state in rule.stops:
            await stop_clock(tx, entity, key, rule.name, now)
        elif state in rule.voids:
            await void_clock(tx, entity, key, rule.name, now)


@cache
def _state_sql(table: sa.Table) -> str:
    """Reads the columns that the clock rules of a table's entity follow."""
    names = dict.fromkeys(rule.column for rule in entity_of(table).definition.options.get("clocks", ()))
    columns = (table.c[name] for name in names)
    return to_sql(sa.select(*columns).where(table.c.id == sa.bindparam("key", type_=sa.Uuid)))


for _entity in schema.entities():
    if "clocks" in _entity.definition.options:
        after_change(_entity)(apply_clock_rules)
