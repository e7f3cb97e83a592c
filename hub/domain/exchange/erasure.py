"""Erases a customer from what imports and exports store: refused lines, files that wait, inputs of jobs, and exports.

A file or an input that names the customer is deleted, and its job fails. Files of exports that hold rows about persons expire,
and exports that run begin anew: what they read before the erasure is in no file that anybody gets."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from tempfile import TemporaryFile
from typing import Any
from uuid import UUID

from hub.db.change_log import LONG_STATEMENT_SECONDS
from hub.db.locks import AdvisoryLock
from hub.db.pool import Connection
from hub.domain.exchange import import_store
from hub.domain.exchange.file_search import FileSearch
from hub.domain.exchange.spellings import Spellings, spellings_of
from hub.domain.jobs.commands import real_time
from hub.domain.privacy.erasure import erases_customer
from hub.domain.work.report_erasure import ERASED, CustomerMarks, find_marks
from hub.model import exact_json

MIN_DIGITS = 6  # of a number that names somebody wherever it stands
CODE = "CUSTOMER_ERASED"
REASON = (
    "The job's input named a customer who was erased since, so it was deleted; start it again without the customer."
)
_TEXTS = "exists (select from unnest($1::text[]) as named (text) where position(lower(named.text) in lower({})) > 0)"
_REJECTS = "select id as key, concat_ws(' ', message, text, record::text) as text from import_rejects"
_BLANK_REJECTS = """
update import_rejects set message = $2, record = '{}', text = null where id = any($1) returning job_id, line
"""
_INPUTS = "select job_id as key, arguments::text as text from job_queue"
_FAIL = """
update jobs set status = 'FAILED', reason = $2, error_code = $3, eta = null, finished_at = $4, version = version + 1,
    updated_at = $4
where id = any($1) and finished_at is null
"""
_END = "delete from job_queue where job_id = any($1)"
_FILES = "select id, job_id from import_files where received > 0"
_FILE_NAMES = "select id as key, name as text from import_files"
_BLANK_FILE_NAMES = "update import_files set name = $2 where id = any($1)"
_DELETE_FILES = "delete from import_files where id = any($1)"
_JOB_TEXT = "concat_ws(' ', name, reason, errors::text, result::text)"
_JOBS = f"""
select id, name, reason, errors::text as errors, result::text as result from jobs
where id = any($2) or {_TEXTS.format(_JOB_TEXT)}
"""
_REWRITE_JOB = """
update jobs set name = $2, reason = $3, errors = $4, result = $5, version = version + 1, updated_at = $6 where id = $1
"""
_IMAGES = f"""
select id, row_id, before::text as before, after::text as after from change_log
where table_name = 'jobs' and (row_id = any($2) or {_TEXTS.format("concat_ws(' ', before::text, after::text)")})
"""
_REDACT_IMAGES = "update change_log set before = $2::jsonb, after = $3::jsonb where id = $1"
_RESTART_EXPORTS = """
update job_queue as q set lease = null, leased_until = null from jobs as j where j.id = q.job_id and j.type = 'EXPORT'
"""
_EXPIRE_EXPORTS = "update export_files set expires_at = $1 where personal and expires_at > $1"
FREE_COLUMNS = ("name", "reason", "errors", "result")


@erases_customer
async def begin_erasure(tx: Connection, customer_id: UUID, now: datetime) -> Callable[[], Awaitable[object]]:
    """Finds what names the customer; what it returns erases it.

    No export takes its snapshot until the transaction ends."""
    await tx.execute("select pg_advisory_xact_lock($1)", AdvisoryLock.ERASURE)
    marks = await find_marks(tx, customer_id)
    return partial(_erase, tx, _distinctive(marks), now)


def _distinctive(marks: CustomerMarks) -> CustomerMarks:
    """The marks without short numbers, which any table of numbers has."""
    texts = (text for text in marks.texts if len(text) >= MIN_DIGITS or not text.isdigit())
    return CustomerMarks(marks.keys, tuple(texts))


async def _erase(tx: Connection, marks: CustomerMarks, now: datetime) -> None:
    await tx.execute(_RESTART_EXPORTS)
    await tx.execute(_EXPIRE_EXPORTS, now)
    spellings = await spellings_of(tx, marks)
    lines = await _erase_rejects(tx, spellings)
    if named := await spellings.find(tx, _FILE_NAMES):
        await tx.execute(_BLANK_FILE_NAMES, named, ERASED)
    inputs = await spellings.find(tx, _INPUTS)  # mappings with constants, variables of exports
    await _end_jobs(tx, [*inputs, *await _erase_files(tx, marks, spellings.numbers)])
    await _erase_from_jobs(tx, marks, lines, now)


async def _erase_rejects(tx: Connection, spellings: Spellings) -> dict[UUID, set[int]]:
    """Blanks refused lines that name the customer: all their values are its. Returns the lines by job."""
    lines: dict[UUID, set[int]] = {}
    if blanked := await spellings.find(tx, _REJECTS):
        for row in await tx.fetch(_BLANK_REJECTS, blanked, ERASED):
            lines.setdefault(row["job_id"], set()).add(row["line"])
    return lines


async def _erase_files(tx: Connection, marks: CustomerMarks, numbers: Sequence[str]) -> list[UUID]:
    """Deletes the files that name the customer; returns their jobs."""
    deleted, jobs = [], []
    for file in await tx.fetch(_FILES):
        with TemporaryFile() as spool:
            search = FileSearch([*marks.texts, *marks.keys], numbers, spool)
            async for content in import_store.read_content(tx, file["id"]):
                if await asyncio.to_thread(search.search, content):
                    break
            if await asyncio.to_thread(search.finish):
                deleted.append(file["id"])
                jobs += [] if file["job_id"] is None else [file["job_id"]]
    if deleted:
        await tx.execute(_DELETE_FILES, deleted)
    return jobs


async def _end_jobs(tx: Connection, jobs: Sequence[UUID]) -> None:
    """Ends jobs without their input: a process that runs one loses the lease, so that it writes nothing more."""
    if jobs:
        await tx.execute(_END, jobs)
        await tx.execute(_FAIL, jobs, REASON, CODE, real_time())


async def _erase_from_jobs(tx: Connection, marks: CustomerMarks, lines: dict[UUID, set[int]], now: datetime) -> None:
    """Erases the customer from names, reasons and errors of jobs, and from the images of these in the change log."""
    arguments = (marks.stored_texts, list(lines))
    for job in await tx.fetch(_JOBS, *arguments, timeout=LONG_STATEMENT_SECONDS):
        before = {"name": job["name"], "reason": job["reason"]}
        before |= {name: exact_json.loads(job[name]) for name in ("errors", "result")}
        after = _without(marks, before, lines.get(job["id"], set()))
        if after != before:
            texts = [exact_json.dumps(after[name]) for name in ("errors", "result")]
            await tx.execute(_REWRITE_JOB, job["id"], after["name"], after["reason"], *texts, now)
    for entry in await tx.fetch(_IMAGES, *arguments, timeout=LONG_STATEMENT_SECONDS):
        images = [None if entry[name] is None else exact_json.loads(entry[name]) for name in ("before", "after")]
        redacted = [image and _without(marks, image, lines.get(entry["row_id"], set())) for image in images]
        if redacted != images:
            await tx.execute(
                _REDACT_IMAGES, entry["id"], *(None if image is None else exact_json.dumps(image) for image in redacted)
            )


def _without(marks: CustomerMarks, job: dict[str, Any], lines: set[int]) -> dict[str, Any]:
    """A job's columns without the customer; the messages of its lines go as a whole."""
    erased = {name: marks.erased(value) if name in FREE_COLUMNS else value for name, value in job.items()}
    errors = erased.get("errors")
    if isinstance(errors, list):
        erased["errors"] = [{**e, "message": ERASED} if e.get("line") in lines else e for e in errors]
    return erased
