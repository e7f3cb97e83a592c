"""Columns that show when a clock of their row is due: they follow the clock, whatever moves it.

An entity registers what it shows: `@shows_due(WorkStep.due_at, "STEP")`."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

from hub.db.pool import Connection
from hub.model import rows
from hub.model.entity import Entity
from hub.viewer import ADMIN

ShownValues: TypeAlias = Callable[[datetime | None], Mapping[str, Any]]


class ShownDue(NamedTuple):
    """How rows of an entity show when a clock is due."""

    entity: type[Entity]
    column: str
    values: ShownValues


_shown: dict[tuple[str, str], ShownDue] = {}


def shows_due(entity: type[Entity], column: str, clock: str) -> Callable[[ShownValues], ShownValues]:
    """Registers the column that shows when the clock of this name is due, and the function that gives what goes with it."""

    def register(values: ShownValues) -> ShownValues:
        _shown[entity.__name__, clock] = ShownDue(entity, column, values)
        return values

    return register


async def show_due_times(
    tx: Connection, due_times: Sequence[tuple[str, str, UUID, datetime | None]], now: datetime
) -> None:
    """Writes the due times of open clocks, as entity, name of the clock, row and moment, into rows that show others."""
    by_shown: dict[tuple[str, str], dict[UUID, datetime | None]] = {}
    for entity, clock, row, due_at in due_times:
        if (entity, clock) in _shown:
            by_shown.setdefault((entity, clock), {})[row] = due_at
    for name, moments in by_shown.items():
        shown = _shown[name]
        for key in await tx.fetch(_outdated(shown), list(moments), list(moments.values())):
            await rows.update_row(tx, ADMIN, shown.entity, key["id"], dict(shown.values(moments[key["id"]])), now)


def _outdated(shown: ShownDue) -> str:
    return f"""
select t.id from unnest($1::uuid[], $2::timestamptz[]) as n (id, due_at)
join {shown.entity.table.name} as t on t.id = n.id where t.{shown.column} is distinct from n.due_at order by t.id
"""
