"""Files of refused lines: written as their source was, so that they are repaired and imported by the same mapping."""

import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

from hub.db.pool import Connection, Pool
from hub.domain.exchange import import_store
from hub.domain.exchange.import_store import RejectedLine
from hub.jobs.import_files import FileSurvey
from hub.jobs.partial_file import partial_file
from hub.jobs.reject_columns import GROUP, REJECT_COLUMNS, guarded, source_columns
from hub.model import exact_json

PAGE = 1_000
SUFFIXES = {"csv": ".rejected.csv"}
JSON_SUFFIX = ".rejected.jsonl"  # of what has types: JSON Lines and Parquet


def reject_path(file: Path, layout: FileSurvey) -> Path:
    """Where the refused lines of a file go, if nobody says otherwise: beside it."""
    return file.with_name(file.name + SUFFIXES.get(layout.format, JSON_SUFFIX))


async def write_rejects(pool: Pool, job_id: UUID, layout: FileSurvey, target: Path) -> None:
    """Writes the refused lines of an import: why, and the columns of its source, in their order.

    CSV has the source's delimiter and encoding, and no formulas (`reject_columns.guarded`); others become JSON Lines.
    Raises HubError for a file that cannot be written."""
    with partial_file(target, "--rejects") as stream:
        async with pool.connection() as connection:
            rejects = _rejects(connection, job_id)
            await (_write_csv if layout.format == "csv" else _write_json)(stream, layout, rejects)


async def _write_csv(stream: BinaryIO, layout: FileSurvey, rejects: AsyncIterator[RejectedLine]) -> None:
    columns = source_columns(layout.columns)
    encoding = "utf-8-sig" if layout.file.encoding == "utf-8" else layout.file.encoding
    text = io.TextIOWrapper(stream, encoding, errors="backslashreplace", newline="")
    writer = csv.writer(text, delimiter=layout.file.delimiter or ",")
    writer.writerow([*REJECT_COLUMNS, *map(guarded, columns)])
    async for reject in rejects:
        values = (_cell(reject.record.get(column)) for column in columns)
        reasons = (str(reject.line), reject.code, reject.message, reject.text or "")
        writer.writerow([guarded(cell) for cell in (*reasons, *values)])
    text.flush()
    text.detach()


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else exact_json.dumps(value)


async def _write_json(stream: BinaryIO, layout: FileSurvey, rejects: AsyncIterator[RejectedLine]) -> None:
    order = {name: number for number, name in enumerate(layout.columns)}
    async for reject in rejects:
        reasons = {"line": reject.line, "code": reject.code, "message": reject.message, "text": reject.text}
        record = sorted(reject.record.items(), key=lambda item: order.get(item[0], len(order)))
        line = {GROUP: {name: value for name, value in reasons.items() if value is not None}, **dict(record)}
        stream.write(exact_json.dumps(line).encode() + b"\n")


async def _rejects(connection: Connection, job_id: UUID) -> AsyncIterator[RejectedLine]:
    after = -1
    while page := await import_store.read_rejects(connection, job_id, after, PAGE):
        for reject in page:
            yield reject
        after = page[-1].line
