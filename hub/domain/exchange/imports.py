"""Commands of imports: start one from a text or from a file that was sent, and undo one."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from hub.db.pool import Connection
from hub.domain.customers.bulk_identify import is_findable
from hub.domain.exchange import import_store
from hub.domain.exchange.mapping import parse_mapping
from hub.domain.exchange.mapping_types import ImportMapping, ImportMode
from hub.domain.exchange.undo import require_undoable
from hub.domain.jobs import queue
from hub.domain.jobs.commands import JobPayload, real_time
from hub.errors import BadInput, NotFound
from hub.model import exact_json, rows
from hub.model.commands import Injected, command
from hub.model.definition import WriteOperation
from hub.schema.customers.customers import Identifier
from hub.schema.jobs.jobs import Job, JobStatus, JobType
from hub.viewer import Viewer

MAX_NAME_LENGTH = 200
PASTED = "pasted text"
_MARK_UNDONE = "update jobs set result = result || $2, version = version + 1, updated_at = $3 where id = $1"
_EARLIER_UNDOS = "select id, status, done from jobs where id = any($1)"
OPERATIONS: dict[ImportMode, tuple[WriteOperation, ...]] = {
    ImportMode.CREATE: ("create",),
    ImportMode.UPDATE: ("update",),
    ImportMode.UPSERT: ("create", "update"),
}


def require_importable(viewer: Viewer, mapping: ImportMapping, mode: ImportMode) -> None:
    """Raises BadInput for a mapping that does not fit the mode, and Forbidden for rows that the viewer may not write."""
    for row in mapping.rows:
        row_mode = row.mode or mode
        if row_mode is not ImportMode.CREATE and not (row.match or row.by_identifiers):
            message = f"mapping: {row.name}: {row_mode} needs `match`, the fields that find an existing row; add it."
            raise BadInput(message, code="MAPPING_INVALID", argument="mapping")
        for operation in OPERATIONS[row_mode]:
            if operation in row.entity.definition.operations():
                row.entity.require(viewer, operation)
        if row.identifiers and row_mode is not ImportMode.UPDATE:  # which asks for the right once a line has a new one
            Identifier.require(viewer, "create")


async def require_findable(tx: Connection, viewer: Viewer, mapping: ImportMapping, mode: ImportMode) -> None:
    """Raises BadInput for rows that are only updated, and whose identifiers can find no customer whatever their values."""
    for row in mapping.rows:
        if row.by_identifiers and (row.mode or mode) is ImportMode.UPDATE:
            sources = {(one.kind, one.source or "", one.verified) for one in row.identifiers}
            if not any([await is_findable(tx, viewer, sort, source, verified=v) for sort, source, v in sources]):
                names = ", ".join(sorted({repr(source) for _, source, _ in sources}))
                message = (
                    f"mapping: {row.name}: no customer has such identifiers of the source {names}, so UPDATE finds nobody;"
                    " give the source under which the hub has them, or use UPSERT."
                )
                raise BadInput(message, code="MAPPING_INVALID", argument="mapping")


def file_name(name: str | None) -> str:
    """The name of a file in one line; raises BadInput."""
    text = " ".join((name or PASTED).split())
    if not text or len(text) > MAX_NAME_LENGTH or not text.isprintable():
        message = f"name: give at most {MAX_NAME_LENGTH} visible characters."
        raise BadInput(message, argument="name")
    return text


async def start_import(
    tx: Connection,
    viewer: Viewer,
    file: UUID,
    name: str,
    mapping: str,
    mode: ImportMode,
    *,
    dry_run: bool,
    now: datetime,
) -> UUID:
    """Starts the import of a stored file; returns the job's key. Raises BadInput and Forbidden."""
    parsed = parse_mapping(mapping)
    require_importable(viewer, parsed, mode)
    await require_findable(tx, viewer, parsed, mode)
    arguments = {"file": str(file), "mapping": mapping, "mode": mode.value, "dry_run": dry_run}
    key = await queue.enqueue(tx, viewer, JobType.IMPORT, arguments, name=name, now=now, queued_at=real_time())
    await import_store.take_file(tx, file, key)
    return key


@command("importCreate")
async def create(
    tx: Connection,
    viewer: Viewer,
    *,
    mapping: Annotated[str, "TOML that says which columns make which fields; `hub import --suggest` begins one."],
    content: Annotated[str | None, "The file's text: CSV or JSON Lines."] = None,
    upload_id: Annotated[str | None, "The file, as `POST /imports` names it, in place of `content`."] = None,
    name: Annotated[str | None, "Name of the file, for people."] = None,
    mode: Annotated[ImportMode, "Whether rows are created, updated or both."] = ImportMode.UPSERT,
    dry_run: Annotated[
        bool, "Whether nothing is written: the job's counts and refused lines say what would be."
    ] = False,
    now: datetime,
    upload_count: Injected[int],
) -> JobPayload:
    """Starts a job that writes the rows of a file, under the rules of the usual mutations and the rights of this key.

    A line is written as a whole or refused as a whole; `importRejects` lists the refused ones with their reasons."""
    Job.require(viewer, "create")
    if (content is None) == (upload_id is None):
        message = "content: give either the text or the upload_id of a file that was sent."
        raise BadInput(message, code="ARGUMENT_MISSING", argument="content")
    owner = queue.job_owner(viewer)
    if content is not None:
        await import_store.require_room(tx, owner, upload_count)
        file = await import_store.create_file(tx, owner, file_name(name), None)
        await import_store.add_content(tx, file, 0, content.encode("utf-8", "surrogatepass"))
        shown_name = file_name(name)
    else:
        file, stored_name = await _sent_file(tx, owner, str(upload_id))
        shown_name = file_name(name or stored_name)
    return JobPayload(await start_import(tx, viewer, file, shown_name, mapping, mode, dry_run=dry_run, now=now))


async def _sent_file(tx: Connection, owner: str, upload_id: str) -> tuple[UUID, str]:
    """A whole file that this key has sent; raises NotFound and BadInput."""
    try:
        key = UUID(upload_id)
    except ValueError:
        key = UUID(int=0)
    file = await import_store.lock_file(tx, key)
    if file is None or file.owner != owner or file.job_id is not None:
        message = "upload_id: this key has sent no such file, or it was imported already; send it again."
        raise NotFound(message, argument="upload_id")
    if file.size is not None and file.received < file.size:
        message = f"upload_id: {file.received:,} of {file.size:,} bytes have come; send the others first."
        raise BadInput(message, argument="upload_id")
    return key, file.name


@command("importUndo")
async def undo(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, Job, "The import."],
    now: datetime,
    change_retention: Injected[timedelta],
) -> JobPayload:
    """Starts a job that makes the rows which an import wrote what they were before.

    Rows that were changed since stay, and so do rows that others refer to; `importRejects` of the new job lists them. After an
    undo that failed or was cancelled, another one goes on where it ended."""
    row = await rows.lock_row(tx, viewer, Job, id, "id")
    if row["type"] != JobType.IMPORT or row["status"] in (JobStatus.QUEUED, JobStatus.RUNNING):
        message = "id: only an import that has ended can be undone; name one, or cancel it first."
        raise BadInput(message, code="UNDO_IMPOSSIBLE", argument="id")
    counts = exact_json.loads(row["counts"])
    wrote = any(name.endswith((".created", ".updated")) and count for name, count in counts.items())
    if not wrote or exact_json.loads(row["result"]).get("dryRun"):
        message = "id: the import wrote nothing; there is nothing to undo."
        raise BadInput(message, code="UNDO_IMPOSSIBLE", argument="id")
    if row["started_at"] < real_time() - change_retention:
        message = "id: the change log no longer has what it wrote (HUB_CHANGE_RETENTION); correct the rows by hand."
        raise BadInput(message, code="UNDO_IMPOSSIBLE", argument="id")
    await require_undoable(tx, viewer, queue.job_request(id))
    earlier = exact_json.loads(row["result"]).get("undoneBy", [])
    done = await _undone_rows(tx, earlier)
    arguments = {"import": str(id), "earlier": [str(_job_key(name)) for name in earlier], "done": done}
    key = await queue.enqueue(
        tx, viewer, JobType.IMPORT_UNDO, arguments, name=row["name"], now=now, queued_at=real_time()
    )
    await tx.execute(_MARK_UNDONE, id, exact_json.dumps({"undoneBy": [*earlier, f"job_{key.hex}"]}), now)
    return JobPayload(key)


async def _undone_rows(tx: Connection, earlier: Sequence[str]) -> int:
    """The changes that earlier undos took back; raises BadInput unless the last one failed or was cancelled."""
    if not earlier:
        return 0
    undos = {row["id"]: row for row in await tx.fetch(_EARLIER_UNDOS, [_job_key(name) for name in earlier])}
    last = undos.get(_job_key(earlier[-1]))
    if last is None or last["status"] not in (JobStatus.FAILED, JobStatus.CANCELLED):
        message = f"id: {earlier[-1]} undoes it, or has done so; look at that job."
        raise BadInput(message, code="UNDO_IMPOSSIBLE", argument="id")
    return max(int(row["done"]) for row in undos.values())


def _job_key(name: str) -> UUID:
    """The key of a job by its id in the graph."""
    return UUID(name.removeprefix("job_"))
