"""Writes the change feed to files for warehouses: each change in exactly one file, whatever stops the writer.

The folder is the state: a file appears whole, under a name that carries the positions in it, and the next one begins after
the last. docs/exports.md describes names and columns."""

import fcntl
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

import asyncpg
import orjson

from hub.changefeed.cursors import ChangeCursors, resume_position
from hub.db import audit_log, change_positions
from hub.db.change_positions import FeedState
from hub.db.pool import Pool
from hub.engine.catalog.scalars import encode_id
from hub.engine.plan.exports import ExportColumn
from hub.errors import BadInput
from hub.jobs.file_formats import open_row_file
from hub.jobs.partial_file import PARTIAL_SUFFIX, partial_file, translated_errors
from hub.model import exact_json
from hub.model.entity import declared_entities
from hub.schema.jobs.exports import ExportCompression, ExportFormat
from hub.viewer import Viewer

PAGE = 500  # changes per read
FILE_ROWS, FILE_BYTES = 20_000, 16 * 1024 * 1024  # of a file, before compression
LOCK_NAME = ".lock"
NAME = re.compile(r"changes-([0-9a-f]{12})-(\d{20})-(\d{20})\.(?:parquet|jsonl(?:\.gz|\.zst)?)")
COLUMNS = tuple(
    ExportColumn((name,), type_)
    for name, type_ in {
        "position": "Int",
        "cursor": "String",
        "entity": "String",
        "id": "String",
        "customerId": "String",
        "operation": "String",
        "version": "Int",
        "changedFields": "JSON",
        "at": "DateTime",
        "actor": "String",
        "requestId": "String",
        "before": "JSON",
        "after": "JSON",
    }.items()
)


class WrittenChanges(NamedTuple):
    """What one run wrote, and the cursor after which the next one begins."""

    files: int
    changes: int
    cursor: str


@dataclass(frozen=True, slots=True)
class ChangeFileTarget:
    """Where files go, and how they are written."""

    folder: Path
    format: ExportFormat
    compression: ExportCompression
    suffix: str


class _LastFile(NamedTuple):
    epoch: int
    position: int


async def write_change_files(
    pool: Pool,
    cursors: ChangeCursors,
    target: ChangeFileTarget,
    after: str | None,
    viewer: Viewer,
    now: datetime,
    report: Callable[[int], None] = lambda changes: None,
) -> WrittenChanges:
    """Writes all changes that are not in the folder yet, up to the last one of this moment; `report` gets their number.

    The first run begins after the cursor, or at the oldest stored change. Raises BadInput where changes would be missing."""
    if not target.folder.exists():  # what is refused leaves no folder behind
        await _begin(pool, cursors, None, after)
    with translated_errors(target.folder, "-o"):
        target.folder.mkdir(parents=True, exist_ok=True)
    with translated_errors(target.folder, "-o"), _locked(target.folder):
        last = _last_file(target.folder)
        state, position = await _begin(pool, cursors, last, after)
        await _audit(pool, viewer, now)
        files = changes = 0
        end = state.last_position
        while position < end:
            rows = await _read_batch(pool, position, end)
            if not rows:
                break
            _write(target, state, cursors, rows)
            position = rows[-1]["position"]
            files, changes = files + 1, changes + len(rows)
            report(changes)
    return WrittenChanges(files, changes, cursors.encode(state.epoch_of(position), position))


async def _begin(
    pool: Pool, cursors: ChangeCursors, last: _LastFile | None, after: str | None
) -> tuple[FeedState, int]:
    """The feed as it is now, and the position to go on after; raises BadInput."""
    async with pool.connection() as connection:
        state = await change_positions.feed_state(connection)
    return state, _start(state, cursors, last, after)


def _start(state: FeedState, cursors: ChangeCursors, last: _LastFile | None, after: str | None) -> int:
    """The position to go on after: that of the folder's last file, else the cursor's, else the oldest of the log."""
    from_cursor = None if after is None else resume_position(state, *cursors.decode(after, "after"))
    if last is None:
        return state.least_position - 1 if from_cursor is None else from_cursor
    position = resume_position(state, last.epoch, last.position)
    if from_cursor is not None and from_cursor > position:
        message = (
            "after: the folder's last file ends before this cursor, so changes would be missing; leave --after out to go on"
            " where it ends, or name another folder."
        )
        raise BadInput(message, code="EXPORT_INVALID", argument="after")
    return position


async def _read_batch(pool: Pool, position: int, end: int) -> list[asyncpg.Record]:
    """The changes of the next file: of one day, and not too many."""
    batch: list[asyncpg.Record] = []
    size = 0
    while position < end and len(batch) < FILE_ROWS and size < FILE_BYTES:
        async with pool.connection() as connection:
            page = await change_positions.read_changes(connection, position, min(PAGE, end - position))
        if not page:
            return batch
        for row in page:
            if batch and _day(row) != _day(batch[0]):
                return batch
            batch.append(row)
            size += len(row["before"] or "") + len(row["after"] or "")
        position = page[-1]["position"]
    return batch


def _day(row: asyncpg.Record) -> date:
    day: date = row["at"].astimezone(UTC).date()
    return day


def _write(target: ChangeFileTarget, state: FeedState, cursors: ChangeCursors, rows: Sequence[asyncpg.Record]) -> None:
    """Writes one file; its name has the epoch of its last change and its first and last positions."""
    first, last = rows[0]["position"], rows[-1]["position"]
    folder = target.folder / f"day={_day(rows[0]).isoformat()}"
    folder.mkdir(exist_ok=True)
    path = folder / f"changes-{state.epoch_of(last):012x}-{first:020d}-{last:020d}{target.suffix}"
    types = {
        entity.table.name: (entity.__name__, entity.definition.options["prefix"]) for entity in declared_entities()
    }
    with partial_file(path, "-o") as stream:
        file = open_row_file(stream, COLUMNS, target.format, target.compression, raw=True, footer=False)
        file.write(
            [_json(row, cursors.encode(state.epoch_of(row["position"]), row["position"]), types) for row in rows]
        )
        file.finish()


def _json(row: asyncpg.Record, cursor: str, types: Mapping[str, tuple[str, str]]) -> bytes:
    entity, prefix = types.get(row["table_name"], (row["table_name"], row["table_name"]))
    customer = row["customer_id"]
    return orjson.dumps(
        {
            "position": row["position"],
            "cursor": cursor,
            "entity": entity,
            "id": encode_id(prefix, row["row_id"]),
            "customerId": None if customer is None else encode_id("cus", customer),
            "operation": row["operation"],
            "version": row["version"],
            "changedFields": row["changed"],
            "at": exact_json.timestamp_text(row["at"]),
            "actor": row["actor"],
            "requestId": row["request"],
            "before": None if row["before"] is None else orjson.Fragment(row["before"]),
            "after": None if row["after"] is None else orjson.Fragment(row["after"]),
        }
    )


def _last_file(folder: Path) -> _LastFile | None:
    """The end of the last file; what an earlier run left unfinished is deleted."""
    last: tuple[int, int] | None = None
    for path in folder.glob("day=*/*"):
        if path.name.startswith(".") and path.name.endswith(PARTIAL_SUFFIX):
            path.unlink()
        elif name := NAME.fullmatch(path.name):
            end = int(name[3]), int(name[1], 16)
            last = end if last is None else max(last, end)
    return None if last is None else _LastFile(last[1], last[0])


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Holds the folder; the lock ends with the process. Raises BadInput while another one holds it."""
    descriptor = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = f"-o: another process writes changes to {folder}; wait until it ends."
            raise BadInput(message, code="FILE_INVALID", argument="-o") from None
        yield
    finally:
        os.close(descriptor)


async def _audit(pool: Pool, viewer: Viewer, now: datetime) -> None:
    """Says in the audit log that everything was exported: the changes of all types."""
    names = sorted(entity.__name__ for entity in declared_entities())
    entry = {
        "kind": "READ",
        "at": now.isoformat(),
        "last_at": now.isoformat(),
        "actor": viewer.actor,
        "operation": "changes",
        "document": "",
        "root_fields": ["changes"],
        "requests": ["export"],
        "times": 1,
        "targets": [[name, [], "READ", [], 1, None] for name in names],
    }
    async with pool.connection() as connection:
        await audit_log.add_entries(connection, [entry])
