"""`hub import`: writes the rows of a file by a mapping, shows the progress, and stores refused lines beside the file.

With `--suggest` it prints the beginning of a mapping instead, and needs no database."""

import asyncio
import csv
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from hub import doctor, graph, launch
from hub import settings as settings_module
from hub.db.pool import Connection, Pool
from hub.domain.exchange import import_store
from hub.domain.exchange.import_store import RejectedLine
from hub.domain.exchange.imports import file_name, start_import
from hub.domain.exchange.mapping import importable_entities, parse_mapping
from hub.domain.exchange.mapping_types import FileFormat, ImportMapping, ImportMode
from hub.domain.exchange.suggestions import suggest_mapping
from hub.domain.jobs.queue import OPERATOR, JobReport
from hub.errors import BadInput, HubError
from hub.installation import load_settings
from hub.job_command_line import run_job
from hub.jobs.file_formats import without_formula
from hub.jobs.import_files import survey
from hub.schema.jobs.jobs import JobStatus
from hub.settings import Settings
from hub.terminal import print_rows
from hub.viewer import ADMIN

REJECTED_SUFFIX = ".rejected.csv"
PAGE = 1_000


def import_file(
    file: Annotated[Path, typer.Argument(help="CSV, JSON Lines or Parquet, plain or compressed.", show_default=False)],
    mapping: Annotated[Path | None, typer.Option("--map", help="The mapping, a TOML file.", show_default=False)] = None,
    mode: Annotated[str, typer.Option(help="create, update or upsert: what is done with rows.")] = "upsert",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing; say what would be written.")] = False,
    suggest: Annotated[
        str | None,
        typer.Option(help="Print a mapping for rows of this type, such as Customer, instead.", show_default=False),
    ] = None,
    rejects: Annotated[
        Path | None, typer.Option(help="Where refused lines go; beside the file by default.", show_default=False)
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Data directory (HUB_DATA_DIR).", show_default=False)] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write the rows of a file. A line is written as a whole or refused as a whole, and refused lines are listed."""
    if suggest is not None:
        print(_suggestion(file, suggest), end="")
        return
    if mapping is None:
        raise typer.BadParameter("give the mapping, or --suggest Customer to begin one", param_hint="--map")
    text = _read_mapping(mapping)
    chosen = _mode(mode)
    configuration = load_settings(data)
    survey(file, parse_mapping_of(text).file, configuration.import_limit)  # refuses what nobody can read at once
    report, refused = _run(configuration, file, text, chosen, dry_run, rejects)
    _print_report(report, refused, json=json)
    if report.status is not JobStatus.SUCCEEDED:
        raise typer.Exit(1)


def parse_mapping_of(text: str) -> ImportMapping:
    """The mapping of a text; raises BadInput. The rules of all entities are known then."""
    graph.declarations()
    return parse_mapping(text)


def _suggestion(file: Path, entity_name: str) -> str:
    graph.declarations()
    entities = importable_entities()
    if entity_name not in entities:
        message = f"--suggest: {entity_name[:60]!r} is no type whose rows an import writes; give one of {', '.join(entities)}."
        raise BadInput(message, code="SETTING_INVALID", argument="suggest")
    layout = survey(file, FileFormat(), settings_module.load().import_limit)
    return suggest_mapping(entities[entity_name], layout.columns, layout.file)


def _read_mapping(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"--map: {path} cannot be read ({error}); give a TOML file in UTF-8."
        raise BadInput(message, code="SETTING_INVALID", argument="map") from None


def _mode(text: str) -> ImportMode:
    try:
        return ImportMode[text.upper()]
    except KeyError:
        message = f"--mode: {text[:60]!r} is none of create, update and upsert."
        raise BadInput(message, code="SETTING_INVALID", argument="mode") from None


def _run(
    configuration: Settings, file: Path, mapping: str, mode: ImportMode, dry_run: bool, rejects: Path | None
) -> tuple[JobReport, Path | None]:
    """Runs the import; returns how it ended, and the file of refused lines if there are any."""

    size = file.stat().st_size

    async def enqueue(tx: Connection, now: datetime) -> UUID:
        key = await import_store.create_file(tx, OPERATOR, file_name(file.name), size)
        received = 0
        for content in _chunks(file):
            received = await import_store.add_content(tx, key, received, content)
        return await start_import(tx, ADMIN, key, file_name(file.name), mapping, mode, dry_run=dry_run, now=now)

    with launch.running_database(configuration) as dsn:
        doctor.require_all_ok(asyncio.run(doctor.check_database(dsn)))
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
            task = progress.add_task(file.name, total=None)
            report = asyncio.run(
                run_job(
                    configuration,
                    dsn,
                    enqueue,
                    lambda job: progress.update(task, completed=job.done, total=job.total),
                )
            )
        target = rejects or file.with_name(file.name + REJECTED_SUFFIX)
        if not report.counts.get("rejected"):
            if rejects is None:
                target.unlink(missing_ok=True)  # of an earlier run: it would look as if lines were still refused
            return report, None
        asyncio.run(launch.with_pool(configuration, dsn, lambda pool: write_rejects(pool, report.job_id, target)))
        return report, target


def _chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while content := stream.read(import_store.CHUNK):
            yield content


async def write_rejects(pool: Pool, job_id: UUID, target: Path) -> None:
    """Writes the refused lines of an import to a CSV file: line, code, message, and the cells of the line.

    Cells that a spreadsheet would run as formulas have an apostrophe before them, as in exports."""
    async with pool.connection() as connection:
        columns: dict[str, None] = {}
        async for reject in _rejects(connection, job_id):
            columns |= dict.fromkeys(reject.record)
        with target.open("w", encoding="utf-8-sig", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["line", "code", "message", *columns])
            async for reject in _rejects(connection, job_id):
                values = (reject.record.get(column, "") for column in columns)
                cells = (without_formula(value) if isinstance(value, str) else value for value in values)
                writer.writerow([reject.line, reject.code, reject.message, *cells])


async def _rejects(connection: Connection, job_id: UUID) -> AsyncIterator[RejectedLine]:
    after = -1
    while page := await import_store.read_rejects(connection, job_id, after, PAGE):
        for reject in page:
            yield reject
        after = page[-1].line


def _print_report(report: JobReport, refused: Path | None, *, json: bool) -> None:
    row: dict[str, Any] = {
        "status": report.status.value,
        "lines": report.done,
        **report.counts,
        "rejects": None if refused is None else str(refused),
        "reason": report.reason,
    }
    if json:
        print_rows([{**row, "job": f"job_{report.job_id.hex}", "file": report.result.get("file")}], json=True)
        return
    for name, value in row.items():
        if value is not None:
            print(f"{name:<20} {value:,}" if isinstance(value, int) else f"{name:<20} {value}")
    for error in report.errors[:5]:
        print(f"line {error.get('line')}: {error['message']}", file=sys.stderr)
    if report.status is JobStatus.FAILED and report.error_code is not None:
        raise HubError(report.reason or "It failed.", code=report.error_code)
