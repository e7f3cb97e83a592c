"""`hub jobs`: lists jobs, stops them, and undoes imports; and runs one job in this process, for commands that start one."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from hub import doctor, launch
from hub.app import build_graphql_engine
from hub.db.pool import Connection, Pool
from hub.domain.access.trusted_documents import TrustedDocuments
from hub.domain.exchange import imports
from hub.domain.jobs import commands as job_commands
from hub.domain.jobs import queue
from hub.domain.jobs.queue import JobReport
from hub.engine.catalog.scalars import decode_id, encode_id
from hub.errors import BadInput, HubError
from hub.installation import hub_time, load_settings, run_in_database
from hub.jobs.context import JobServices
from hub.jobs.runner import JobRunner, jobs_pool
from hub.schema.jobs.jobs import JobStatus
from hub.settings import Settings
from hub.terminal import print_rows
from hub.timer_loop import open_clock
from hub.viewer import ADMIN

commands = typer.Typer(help="List jobs, stop them, and undo imports.", invoke_without_command=True)
DataDirOption = Annotated[Path | None, typer.Option(help="Data directory (HUB_DATA_DIR).", show_default=False)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
JobArgument = Annotated[str, typer.Argument(help="Id of the job, as `hub jobs` lists it.")]
Enqueue = Callable[[Connection, datetime], Awaitable[UUID]]
PREFIX = "job"
SHOWN_ERRORS = 5
MAX_LISTED = 100
ENDED = (JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED)


@commands.callback()
def list_jobs(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, the latest first.")] = MAX_LISTED,
    data: DataDirOption = None,
    json: JsonOption = False,
) -> None:
    """List the latest jobs: what they work on, and how far they are."""
    if context.invoked_subcommand is not None:
        return

    async def read(pool: Pool) -> list[JobReport]:
        async with pool.connection() as connection:
            return await queue.latest_jobs(connection, limit)

    print_rows([_row(report, json) for report in run_in_database(data, read)], json=json)


@commands.command()
def cancel(job: JobArgument, data: DataDirOption = None) -> None:
    """Stop a job. What it wrote by then stays."""
    key = _parse_id(job)

    async def run(pool: Pool) -> None:
        now = await hub_time(data, pool)
        async with pool.transaction() as tx:
            await job_commands.cancel(tx, ADMIN, id=key, now=now)

    run_in_database(data, run)
    print(f"{job} is cancelled")


@commands.command()
def undo(job: JobArgument, data: DataDirOption = None, json: JsonOption = False) -> None:
    """Make the rows that an import wrote what they were. Rows that were changed since stay, and are listed."""
    key, configuration = _parse_id(job), load_settings(data)

    async def enqueue(tx: Connection, now: datetime) -> UUID:
        retention = timedelta(days=configuration.change_retention)
        return (await imports.undo(tx, ADMIN, id=key, now=now, change_retention=retention)).job

    with launch.running_database(configuration) as dsn:
        doctor.require_all_ok(asyncio.run(doctor.check_database(dsn)))
        report = run_and_show(configuration, dsn, job, enqueue)
    print_report(report, {"changes": report.done, **report.counts}, json=json)


def print_report(report: JobReport, facts: Mapping[str, Any], *, json: bool) -> None:
    """Prints how a job ended, and its first errors for people; raises HubError or Exit unless it succeeded."""
    row = {"job": encode_id(PREFIX, report.job_id), "status": report.status.value, **facts, "reason": report.reason}
    if json:
        print_rows([row], json=True)
    else:
        for name, value in row.items():
            if value is not None:
                print(f"{name:<20} {value:,}" if isinstance(value, int) else f"{name:<20} {value}")
        for error in report.errors[:SHOWN_ERRORS]:
            where = f"line {error['line']}: " if error.get("line") else ""
            print(f"{where}{error['message']}", file=sys.stderr)
        if report.status is JobStatus.FAILED and report.error_code is not None:
            raise HubError(report.reason or "It failed.", code=report.error_code)
    if report.status is not JobStatus.SUCCEEDED:
        raise typer.Exit(1)


def _parse_id(text: str) -> UUID:
    prefix, key = decode_id(text, "job")
    if prefix != PREFIX:
        message = f"job: {text} is not the id of a job; give one that `hub jobs` lists."
        raise BadInput(message, code="ID_MALFORMED", argument="job")
    return key


def _row(report: JobReport, json: bool) -> dict[str, Any]:
    row = {"id": encode_id(PREFIX, report.job_id), **report._asdict()}
    del row["job_id"]
    if not json:
        row["counts"] = ", ".join(f"{name} {count:,}" for name, count in report.counts.items())
        del row["errors"], row["result"]
    return row


def run_and_show(settings: Settings, dsn: str, name: str, enqueue: Enqueue) -> JobReport:
    """Runs a job as `run_job` does, and shows its progress on a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(name, total=None)
        show = partial(_show_progress, progress, task)
        return asyncio.run(run_job(settings, dsn, enqueue, show))


def _show_progress(progress: Progress, task: TaskID, job: JobReport) -> None:
    progress.update(task, completed=job.done, total=job.total)


async def run_job(settings: Settings, dsn: str, enqueue: Enqueue, report: Callable[[JobReport], None]) -> JobReport:
    """Starts a job as the operator and runs it in this process, until it ends; another process goes on if this one dies.

    `enqueue` gets a transaction and the time. `report` gets the progress, about once a second, and the end."""
    pool = jobs_pool(settings, dsn, 3)
    try:
        clock = await open_clock(settings, pool)
        engine, cursors, _ = await build_graphql_engine(settings, pool, pool, clock=clock)
        services = JobServices(settings, engine, cursors, TrustedDocuments(), clock.time_source)
        async with pool.transaction() as tx:
            key = await enqueue(tx, await clock.time_source.read())
        runner = JobRunner(pool, services)
        async with runner.reporting(key, report):
            while (await runner.report(key)).status not in ENDED:
                await runner.run_only(key)
        return await runner.report(key)
    finally:
        await pool.close()
