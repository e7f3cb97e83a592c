"""`hub import`: writes the rows of a file by a mapping, shows the progress, and stores refused lines beside the file.

With `--suggest` it prints the beginning of a mapping instead, and needs no database."""

import asyncio
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from hub import doctor, graph, launch
from hub import settings as settings_module
from hub.db.pool import Connection
from hub.domain.exchange import import_store
from hub.domain.exchange.imports import file_name, start_import
from hub.domain.exchange.mapping import importable_entities, parse_mapping
from hub.domain.exchange.mapping_types import FileFormat, ImportMapping, ImportMode
from hub.domain.exchange.suggestions import suggest_mapping
from hub.domain.jobs.queue import OPERATOR, JobReport
from hub.errors import BadInput
from hub.installation import load_settings
from hub.job_command_line import print_report, run_and_show
from hub.jobs.import_files import FileSurvey, survey
from hub.jobs.partial_file import require_writable
from hub.jobs.reject_columns import source_columns
from hub.jobs.reject_files import reject_path, write_rejects
from hub.settings import Settings
from hub.viewer import ADMIN


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
    layout = survey(file, parse_mapping_of(text).file, configuration.import_limit)  # refuses what nobody can read
    report, refused = _run(configuration, file, text, chosen, dry_run, rejects, layout)
    facts: dict[str, Any] = {
        "lines": report.done,
        **report.counts,
        "rejects": None if refused is None else str(refused),
    }
    print_report(report, facts | ({"file": report.result.get("file")} if json else {}), json=json)


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
    return suggest_mapping(entities[entity_name], source_columns(layout.columns), layout.file, file.name)


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
    configuration: Settings,
    file: Path,
    mapping: str,
    mode: ImportMode,
    dry_run: bool,
    rejects: Path | None,
    layout: FileSurvey,
) -> tuple[JobReport, Path | None]:
    """Runs the import; returns how it ended, and the file of refused lines if there are any."""
    size, target = file.stat().st_size, rejects or reject_path(file, layout)
    require_writable(target, "--rejects")

    async def enqueue(tx: Connection, now: datetime) -> UUID:
        key = await import_store.create_file(tx, OPERATOR, file_name(file.name), size)
        received = 0
        for content in _chunks(file):
            received = await import_store.add_content(tx, key, received, content)
        return await start_import(tx, ADMIN, key, file_name(file.name), mapping, mode, dry_run=dry_run, now=now)

    with launch.running_database(configuration) as dsn:
        doctor.require_all_ok(asyncio.run(doctor.check_database(dsn)))
        report = run_and_show(configuration, dsn, file.name, enqueue)
        has_rejects = bool(report.counts.get("rejected"))
        if has_rejects or rejects is not None:  # a file that somebody asked for is there, empty if need be
            write = partial(write_rejects, job_id=report.job_id, layout=layout, target=target)
            asyncio.run(launch.with_pool(configuration, dsn, write))
        else:
            target.unlink(missing_ok=True)  # of an earlier run: it would look as if lines were still refused
        return report, target if has_rejects else None


def _chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while content := stream.read(import_store.CHUNK):
            yield content
