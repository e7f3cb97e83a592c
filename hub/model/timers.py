"""Timers: what happens to a row because a moment came. `@timer("calendar.horizon", Calendar.c.extends_at)` declares one.

A timer is an indexed column of moments and a command that moves it. Each moment fires once, in a transaction with what the
command writes, in the order of the moments, also those that came while no hub ran. hub/timer_loop.py runs them."""

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias, TypeVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from hub.db.pool import Connection
from hub.db.sql_text import to_sql
from hub.model.columns import metadata, timestamp
from hub.model.commands import injected_parameters
from hub.model.declarations import InvalidDeclaration


class DueRow(NamedTuple):
    """A row whose moment came."""

    key: UUID
    moment: datetime


TimerCommand: TypeAlias = Callable[..., Awaitable[None]]
BatchCommand: TypeAlias = Callable[[Connection, Sequence[DueRow], datetime], Awaitable[None]]
F = TypeVar("F", bound=TimerCommand)
B = TypeVar("B", bound=BatchCommand)
NAME = re.compile(r"[a-z_]+(\.[a-z_]+)*")

TimerFailure = sa.Table(
    "timer_failures",
    metadata,
    sa.Column("timer", sa.Text, nullable=False, comment="Name of the timer."),
    sa.Column("row_id", sa.Uuid, nullable=False, comment="The row whose moment came."),
    sa.Column("attempts", sa.Integer, nullable=False, comment="Attempts that failed."),
    sa.Column("retry_at", timestamp(), nullable=False, comment="Real time of the next attempt; infinity for none."),
    sa.Column("error", sa.Text, nullable=False, comment="Why the last attempt failed."),
    sa.Column("failed_at", timestamp(), nullable=False, comment="Real time of the last attempt."),
    sa.PrimaryKeyConstraint("timer", "row_id"),
    comment="Moments that came and whose command failed. They are tried again; the others go on meanwhile.",
)


@dataclass(frozen=True, eq=False)
class Timer:
    """A column of moments, the rows that count, and the command that runs when a moment came.

    The command receives the row's key, the moment as its time, and what its `Injected` parameters name. It must change the
    column, delete the row, or end what `condition` asks for; else the row would be due for ever. `early`: how long before
    the moment it runs. With `batch`, that takes its place: it receives several rows, and the moment up to which it may go on
    with them."""

    name: str
    moment: sa.Column[Any]
    condition: "sa.ColumnElement[bool] | None"
    early: timedelta
    command: TimerCommand | None = None
    batch: BatchCommand | None = None

    @property
    def table(self) -> sa.Table:
        return self.moment.table

    @cached_property
    def needs(self) -> tuple[str, ...]:
        """The names of the objects that the hub passes to the command."""
        return () if self.command is None else tuple(injected_parameters(self.command))

    @cached_property
    def _is_waiting(self) -> "sa.ColumnElement[bool]":
        """Whether the row's moment counts, and no failure puts it off."""
        failed = sa.exists().where(
            TimerFailure.c.timer == sa.literal_column(f"'{self.name}'"),
            TimerFailure.c.row_id == self.table.c.id,
            TimerFailure.c.retry_at > sa.func.now(),
        )
        counts = (
            self.moment.is_not(None) if self.condition is None else sa.and_(self.moment.is_not(None), self.condition)
        )
        return sa.and_(counts, sa.not_(failed))

    @cached_property
    def next_sql(self) -> str:
        """The least moment that waits, as a scalar query."""
        return to_sql(
            sa.select(self.moment).where(self._is_waiting).order_by(self.moment).limit(sa.literal_column("1"))
        )

    @cached_property
    def claim_sql(self) -> str:
        """Locks rows that are due by $1, at most $2, skipping those that other processes hold."""
        row = self.table.c
        name: sa.ColumnElement[str] = sa.literal_column(f"'{self.name}'")
        attempts = sa.select(TimerFailure.c.attempts).where(
            TimerFailure.c.timer == name, TimerFailure.c.row_id == row.id
        )
        count = sa.func.coalesce(attempts.scalar_subquery(), sa.literal_column("0"))
        return to_sql(
            sa.select(row.id, self.moment.label("moment"), count.label("attempts"))
            .where(self._is_waiting, self.moment <= sa.bindparam("until", type_=timestamp()))
            .order_by(self.moment, row.id)
            .limit(sa.bindparam("rows", type_=sa.BigInteger))
            .with_for_update(of=self.table, skip_locked=True)
        )

    @cached_property
    def stuck_sql(self) -> str:
        """The first of the rows $1 that still waits for its moment in $2, which has fired."""
        counts = sa.true() if self.condition is None else self.condition
        keys = sa.bindparam("keys", type_=ARRAY(sa.Uuid))
        fired = sa.func.unnest(keys, sa.bindparam("moments", type_=ARRAY(timestamp())))
        fired_rows = fired.table_valued("key", "moment", name="fired").render_derived()
        return to_sql(
            sa.select(self.table.c.id)
            .join_from(self.table, fired_rows, self.table.c.id == fired_rows.c.key)
            .where(self.moment == fired_rows.c.moment, counts)
            .limit(sa.literal_column("1"))
        )


_registered: dict[str, Timer] = {}


def timer(
    name: str,
    moment: sa.Column[Any],
    *,
    condition: "sa.ColumnElement[bool] | None" = None,
    early: timedelta = timedelta(),
) -> Callable[[F], F]:
    """Registers the command of a timer: `async def command(tx, key, now)`, with `Injected` parameters behind these."""

    def register(command: F) -> F:
        _registered[name] = Timer(name, moment, condition, early, command)
        return command

    return register


def batch_timer(
    name: str, moment: sa.Column[Any], *, condition: "sa.ColumnElement[bool] | None" = None
) -> Callable[[B], B]:
    """Registers the command of a timer with very many rows: `async def command(tx, due, until)`.

    `due` are rows in the order of their moments, all of this timer up to `until`; none of other timers lies before it. If
    the command fails for several rows, it runs for each of them alone."""

    def register(command: B) -> B:
        _registered[name] = Timer(name, moment, condition, timedelta(), batch=command)
        return command

    return register


def registered_timers() -> tuple[Timer, ...]:
    """The timers of every module that has been imported; raises InvalidDeclaration naming all that cannot work."""
    faults = [fault for declared in _registered.values() for fault in _faults(declared)]
    if faults:
        raise InvalidDeclaration("\n".join(["These timers cannot work:", *(f"- {fault}" for fault in faults)]))
    return tuple(_registered.values())


def _faults(declared: Timer) -> Iterator[str]:
    column = declared.moment
    if not NAME.fullmatch(declared.name):
        yield f"{declared.name}: the name is not written in small words joined by dots"
    if not isinstance(column.type, sa.DateTime):
        yield f"{declared.name}: {column} is no column of moments"
    if not any(_first(index) is column for index in column.table.indexes):
        yield f"{declared.name}: no index begins with {column}, so that every look would read the whole table"
    if declared.early < timedelta():
        yield f"{declared.name}: `early` is negative"


def _first(index: sa.Index) -> object:
    return next(iter(index.expressions), None)
