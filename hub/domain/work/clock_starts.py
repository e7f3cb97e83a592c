"""Clocks that commands start, not the states of a workflow: which rows wait for one, so that a later policy reaches them.

A command registers how it starts the clock: `@starts_clock(Verification, "VERIFY", Verification.c.status == "PENDING")`."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import NamedTuple, TypeAlias
from uuid import UUID

import sqlalchemy as sa

from hub.db.pool import Connection
from hub.model.entity import Entity

StartFunction: TypeAlias = Callable[[Connection, UUID, datetime], Awaitable[None]]


class ClockStart(NamedTuple):
    """A clock of the rows of an entity that a command starts: its name, the rows that wait for it, and the start."""

    clock: str
    waits: "sa.ColumnElement[bool]"
    start: StartFunction


_starts: dict[type[Entity], list[ClockStart]] = {}


def starts_clock(
    entity: type[Entity], clock: str, waits: "sa.ColumnElement[bool]"
) -> Callable[[StartFunction], StartFunction]:
    """Registers how a clock of a row starts: `async def start(tx, key, now)`, which leaves an open clock as it is.

    `waits` is the condition of the rows that may have one, in literals."""

    def register(function: StartFunction) -> StartFunction:
        _starts.setdefault(entity, []).append(ClockStart(clock, waits, function))
        return function

    return register


def clock_starts(entity: type[Entity]) -> tuple[ClockStart, ...]:
    """The clocks of an entity's rows that commands start."""
    return tuple(_starts.get(entity, ()))
