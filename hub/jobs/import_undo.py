"""Undoes imports: takes their changes back in transactions of 500, the latest first, and lists the rows that stay."""

from collections import Counter
from uuid import UUID

from hub.domain.exchange import import_store, undo
from hub.domain.exchange.import_store import RejectedLine
from hub.domain.exchange.undo import RowFate
from hub.domain.jobs.queue import job_request
from hub.engine.catalog.scalars import encode_id
from hub.jobs.context import JobContext

BATCH = 500
REASONS = {
    "edited": ("EDITED_SINCE", "it was changed since the import; it stays as it is"),
    "in_use": ("IN_USE", "rows that came later refer to it; it stays as it is"),
    "part": ("IN_USE", "it belongs to a row that stays; it stays with it"),
    "forbidden": ("FORBIDDEN", "this key's roles do not let it delete or change the row; it stays as it is"),
    "gone": ("NOT_FOUND", "somebody deleted it since, or this key does not see it"),
}


async def run_import_undo(context: JobContext) -> None:
    """Takes back an import from the cursor on, the number of the last change that was taken back.

    It goes on where an earlier undo of the import ended."""
    request = job_request(UUID(context.arguments["import"]))
    undos = [job_request(UUID(key)) for key in context.arguments["earlier"]] + [job_request(context.job_id)]
    done = context.done or int(context.arguments["done"])
    async with context.pool.connection() as connection:
        total = await undo.count_writes(connection, request)
        cursor = int(context.cursor or await undo.number_reached(connection, request, done))
    while True:
        await context.proceed()
        now = await context.now()
        async with context.transaction() as tx:
            writes = await undo.latest_writes(tx, request, cursor, BATCH)
            if not writes:
                return
            counts: Counter[str] = Counter(context.counts)
            stayed: list[RejectedLine] = []
            for write in writes:
                for row in await undo.take_back(tx, context.viewer, write, request, undos, now):
                    counts[row.fate] += 1
                    if row.fate in REASONS:
                        stayed.append(_stayed(row))
            if stayed:
                await import_store.add_rejects(tx, context.job_id, stayed)
            cursor, done = writes[-1].id, done + len(writes)
            errors = [*context.errors, *({"code": s.code, "message": s.message} for s in stayed)][:100]
            await context.checkpoint(tx, cursor, done=done, total=total, counts=dict(counts), errors=errors)


def _stayed(row: RowFate) -> RejectedLine:
    row_id = encode_id(row.entity.definition.options["prefix"], row.key)
    code, reason = REASONS[row.fate]
    return RejectedLine(0, code, f"{row_id}: {reason}.", row.entity.__name__, "id", (), {"id": row_id})
