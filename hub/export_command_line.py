"""`hub export`: writes all rows of a query to a file, writes the change feed to a folder, and checks files."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, BinaryIO, NamedTuple, TypeVar

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from hub import doctor, launch
from hub.app import build_graphql_engine
from hub.changefeed.cursors import ChangeCursors
from hub.db.pool import Pool
from hub.domain.access import secrets
from hub.domain.jobs.exports import COMPRESSED_SUFFIXES, SUFFIXES, file_suffix
from hub.engine.request import GraphQLRequest
from hub.errors import BadInput
from hub.installation import load_settings
from hub.job_command_line import DataDirOption, JsonOption
from hub.jobs.change_files import ChangeFileTarget, write_change_files
from hub.jobs.export_job import audit_export
from hub.jobs.file_check import check_file
from hub.jobs.file_formats import HAS_PARQUET, open_row_file
from hub.jobs.partial_file import partial_file
from hub.jobs.runner import jobs_pool
from hub.model import exact_json
from hub.model.test_clock import open_time_source
from hub.schema.jobs.exports import ExportCompression, ExportFormat
from hub.settings import Settings
from hub.terminal import print_rows
from hub.timer_loop import open_clock
from hub.viewer import ADMIN

STDOUT = "-"
CONNECTIONS = 2
PoolOutcome = TypeVar("PoolOutcome")
ReportCount = Callable[[int], None]


class _FileType(NamedTuple):
    format: ExportFormat
    compression: ExportCompression


QueryArgument = Annotated[
    str | None,
    typer.Argument(
        help="A query of one list without pages, or the name of a file that has it, ending in .graphql.",
        show_default=False,
    ),
]
OutputOption = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        help="File to write: .csv, .jsonl or .parquet; .gz or .zst after the first two compresses it. `-` is the standard "
        "output. With --changes, the folder.",
        show_default=False,
    ),
]
VariablesOption = Annotated[str | None, typer.Option(help="The query's variables, as JSON.", show_default=False)]
OperationOption = Annotated[
    str | None, typer.Option(help="Name of the operation, if the document has several.", show_default=False)
]
RawOption = Annotated[
    bool, typer.Option("--raw", help="Write texts to CSV as they are, also those that a spreadsheet runs as formulas.")
]
ChangesOption = Annotated[
    bool, typer.Option("--changes", help="Write the changes that are not in the folder yet, for a warehouse.")
]
AfterOption = Annotated[
    str | None,
    typer.Option(
        help="With --changes, the cursor after which an empty folder begins; the oldest change by default.",
        show_default=False,
    ),
]
ChangeFormatOption = Annotated[
    ExportFormat | None,
    typer.Option(
        help="With --changes, the format: Parquet if its extra is installed, else JSON Lines.", show_default=False
    ),
]
CheckOption = Annotated[
    Path | None, typer.Option(help="Check that a file is whole, and write nothing.", show_default=False)
]


def export(
    query: QueryArgument = None,
    output: OutputOption = None,
    variables: VariablesOption = None,
    operation: OperationOption = None,
    raw: RawOption = False,
    changes: ChangesOption = False,
    after: AfterOption = None,
    format: ChangeFormatOption = None,
    check: CheckOption = None,
    data: DataDirOption = None,
    json: JsonOption = False,
) -> None:
    """Write all rows of a query to a file, from one snapshot; or the change feed to a folder; or check a file."""
    if check is not None:
        _require_alone("--check", query, output, changes)
        checked = check_file(check)
        print_rows([{"file": str(check), "rows": checked.rows, "sha256": checked.sha256}], json=json)
        return
    if output is None:
        raise _usage("-o: name the file to write, such as customers.csv; `hub export --help` shows all.", "-o")
    settings = load_settings(data)
    if changes:
        _require_alone("--changes", query, variables, operation, raw)
        written = _run(
            settings, lambda pool, report: _export_changes(settings, pool, Path(output), after, format, report)
        )
        print_rows([written], json=json)
        return
    if after is not None or format is not None:
        raise _usage("--after, --format: they belong to --changes; the name of the file says the format.", "--format")
    if query is None:
        raise _usage("query: give a query of one list, such as '{ customers { nodes { id name } } }'.", "query")
    request = GraphQLRequest(_document(query), _variables(variables), operation, request_id="export")
    file_type = _file_type(output)
    rows = _run(settings, lambda pool, report: _export_rows(settings, pool, request, output, file_type, raw, report))
    if output != STDOUT:
        print_rows([{"file": output, "rows": rows}], json=json)


def _usage(message: str, argument: str) -> BadInput:
    return BadInput(message, code="SETTING_INVALID", argument=argument)


def _require_alone(option: str, *others: object) -> None:
    if any(others):
        raise _usage(f"{option}: it takes no query, what belongs to one, and no other task; leave those out.", option)


def _document(text: str) -> str:
    if not text.endswith((".graphql", ".gql")):
        return text
    try:
        return Path(text).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _usage(f"query: the file {text} cannot be read ({error}); name a file of UTF-8 text.", "query") from None


def _variables(text: str | None) -> dict[str, Any]:
    try:
        variables = {} if text is None else exact_json.loads(text)
    except ValueError:
        variables = None
    if not isinstance(variables, dict):
        raise _usage('--variables: this is no JSON object; give one such as \'{"tier": "GOLD"}\'.', "--variables")
    return variables


def _file_type(output: str) -> _FileType:
    """Format and compression by the name of a file; JSON Lines for the standard output."""
    if output == STDOUT:
        return _FileType(ExportFormat.JSONL, ExportCompression.NONE)
    for format in SUFFIXES:
        for compression in COMPRESSED_SUFFIXES:
            if output.lower().endswith(file_suffix(format, compression)):
                # Parquet has one suffix, and compresses its own pages.
                return _FileType(format, ExportCompression.ZSTD if format is ExportFormat.PARQUET else compression)
    raise _usage(f"-o: {output} says no format; end it with .csv, .jsonl or .parquet.", "-o")


def _run(settings: Settings, function: Callable[[Pool, ReportCount], Awaitable[PoolOutcome]]) -> PoolOutcome:
    """Runs a function on connections of jobs, and shows how many rows are written on a terminal."""

    async def run(dsn: str) -> PoolOutcome:
        pool = jobs_pool(settings, dsn, CONNECTIONS)
        try:
            with _progress() as report:
                return await function(pool, report)
        finally:
            await pool.close()

    with launch.running_database(settings) as dsn:
        doctor.require_all_ok(asyncio.run(doctor.check_database(dsn)))
        return asyncio.run(run(dsn))


@contextmanager
def _progress() -> Iterator[ReportCount]:
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.completed:,} rows"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("rows", total=None)
        yield lambda count: progress.update(task, completed=count)


async def _export_rows(
    settings: Settings,
    pool: Pool,
    request: GraphQLRequest,
    output: str,
    file_type: _FileType,
    raw: bool,
    report: ReportCount,
) -> int:
    engine, _, _ = await build_graphql_engine(settings, pool, pool, clock=await open_clock(settings, pool))
    source = await engine.export_source(request, ADMIN)
    await audit_export(pool, source, ADMIN, request)
    with _stream(output) as stream:
        row_file = open_row_file(stream, source.columns, file_type.format, file_type.compression, raw=raw)
        async with pool.snapshot() as connection:
            async for rows in source.batches(connection):
                row_file.write(rows)
                report(row_file.rows)
        row_file.finish()
    return row_file.rows


@contextmanager
def _stream(output: str) -> Iterator[BinaryIO]:
    if output == STDOUT:
        yield sys.stdout.buffer
        return
    with partial_file(Path(output), "-o") as stream:
        yield stream


async def _export_changes(
    settings: Settings, pool: Pool, folder: Path, after: str | None, format: ExportFormat | None, report: ReportCount
) -> dict[str, object]:
    async with pool.owner_connection() as connection:
        cursors = ChangeCursors(await secrets.cursor_secret(connection))
    format = format or (ExportFormat.PARQUET if HAS_PARQUET else ExportFormat.JSONL)
    if format is ExportFormat.CSV:
        raise _usage(
            "--format: changes are written as PARQUET or JSONL; CSV has no place for their images.", "--format"
        )
    compression = ExportCompression.ZSTD
    target = ChangeFileTarget(folder, format, compression, file_suffix(format, compression))
    now = await (await open_time_source(settings, pool)).read()
    written = await write_change_files(pool, cursors, target, after, ADMIN, now, report)
    return written._asdict()
