"""`hub clock`: shows the hub's time, and advances a test clock."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Annotated, TypeVar

import typer

from hub import app, doctor, launch
from hub import settings as settings_module
from hub.db.audit_buffer import AuditBuffer
from hub.db.pool import Pool
from hub.engine.catalog.scalars import parse_datetime, parse_duration
from hub.errors import BadInput
from hub.installation import run_in_database
from hub.model import test_clock
from hub.terminal import print_rows
from hub.timer_loop import ClockTools, open_clock

PROGRESS_SECONDS = 5.0  # between two lines that say how far a long advance came

commands = typer.Typer(help="Show the hub's time, and advance a test clock.", no_args_is_help=True)
DataDirOption = Annotated[Path | None, typer.Option(help="Data directory (HUB_DATA_DIR).", show_default=False)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ClockResult = TypeVar("ClockResult")


@commands.callback()
def describe() -> None:
    """Show the hub's time, and advance a test clock."""


@commands.command()
def show(data: DataDirOption = None, json: JsonOption = False) -> None:
    """Print the time that requests and timers have, and whether a test clock gives it."""

    is_test = settings_module.load(data_dir=data).clock == "test"

    async def read(clock: ClockTools) -> datetime:
        return await clock.time_source.read()

    if not is_test and (stored := run_in_database(data, _stored_time)) is not None:
        known = f"the database has a test clock, at {stored:%Y-%m-%d %H:%M} UTC; a hub uses it with HUB_CLOCK=test"
        print(f"hub: {known}", file=sys.stderr)
    print_rows([{"now": _run(data, read), "clock": "test" if is_test else "real"}], json=json)


@commands.command()
def advance(
    duration: Annotated[
        str | None, typer.Argument(help="How far: PT30M, P1D, P2W; or give --to.", show_default=False)
    ] = None,
    to: Annotated[
        str | None, typer.Option(help="The time to move on to: 2026-03-02T09:00:00+08:00.", show_default=False)
    ] = None,
    data: DataDirOption = None,
    json: JsonOption = False,
) -> None:
    """Move a test clock forward, and fire the timers that are due on the way, in their order."""
    if (duration is None) == (to is None):
        raise typer.BadParameter("give either a duration like PT30M or --to with a time", param_hint="duration")
    try:
        step = None if duration is None else parse_duration(duration)
        moment = None if to is None else parse_datetime(to)
    except ValueError as fault:
        argument = "duration" if to is None else "to"
        raise BadInput(f"{argument}: {fault}.", code="SETTING_INVALID", argument=argument) from None

    async def run(clock: ClockTools) -> dict[str, object]:
        now = await clock.time_source.read()
        target = moment or now + (step or now - now)
        fired, failed = await clock.advance(target, _progress(clock))
        return {"now": target.astimezone(UTC), "fired": fired, "failed": failed}

    print_rows([_run(data, run, fires_timers=True)], json=json)


async def _stored_time(pool: Pool) -> datetime | None:
    async with pool.connection() as connection:
        return await test_clock.stored_time(connection)


def _progress(clock: ClockTools) -> Callable[[], Awaitable[None]]:
    """Prints where the clock is, now and then."""
    shown_at = monotonic()

    async def show_progress() -> None:
        nonlocal shown_at
        if monotonic() - shown_at >= PROGRESS_SECONDS:
            shown_at = monotonic()
            print(f"hub: the clock is at {clock.time_source.now():%Y-%m-%d %H:%M} UTC", file=sys.stderr)

    return show_progress


def _run(
    data: Path | None, function: Callable[[ClockTools], Awaitable[ClockResult]], *, fires_timers: bool = False
) -> ClockResult:
    """Runs a function with the clock of an installation, as the role that serves; with what timers need, if it fires them."""
    configuration = settings_module.load(data_dir=data)
    with launch.running_database(configuration) as dsn:
        doctor.require_all_ok(asyncio.run(doctor.check_database(dsn)))

        async def run() -> ClockResult:
            pool, audit = Pool(dsn, configuration), AuditBuffer()
            try:
                clock = await open_clock(configuration, pool)
                if fires_timers and clock.time_source.is_test:
                    await app.build_graphql_engine(configuration, pool, pool, audit=audit, clock=clock)
                return await function(clock)
            finally:
                while await audit.flush(pool):
                    pass
                await pool.close()

        return asyncio.run(run())
