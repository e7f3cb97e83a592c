"""Merges customers with many rows, and undoes such merges: all of it in one transaction, so that a stop leaves nothing of it.

Its progress is written beside that transaction. A job that was stopped begins anew."""

from datetime import timedelta
from time import monotonic
from uuid import UUID

from hub.domain.identity import merging, unmerging
from hub.domain.identity.merge_commands import require_unblocked
from hub.domain.identity.merge_plan import MergeSide, blocking_reasons, count_all, lock_pair
from hub.engine.catalog.scalars import encode_id
from hub.jobs.context import JobContext
from hub.schema.customers.customers import Customer
from hub.schema.identity.merges import Merge

REPORT_INTERVAL = 0.5  # seconds between two reports of progress


class _Progress:
    """Counts rows, and reports how many there are; raises JobStopped where the job has to stop."""

    def __init__(self, context: JobContext) -> None:
        self._context = context
        self._reported_at = monotonic()
        self.done = 0

    async def add(self, count: int) -> None:
        """Adds rows that were touched."""
        self.done += count
        await self._context.proceed()
        if monotonic() - self._reported_at >= REPORT_INTERVAL:
            self._reported_at = monotonic()
            async with self._context.transaction() as tx:
                await self._context.checkpoint(tx, None, done=min(self.done, self._context.total or self.done))


async def run_merge(context: JobContext) -> None:
    """Merges two customers, or undoes a merge, with the rights that the key has now."""
    progress, now = _Progress(context), await context.now()
    async with context.transaction() as tx:
        await tx.execute("set local lock_timeout = '30s'")
        if "undo" in context.arguments:
            row = await unmerging.lock_merge(tx, context.viewer, UUID(context.arguments["undo"]), now)
            report = await unmerging.undo_merge(tx, row, now, progress.add)
            merge, result, counts = row["id"], report.as_json(), dict(report.counts)
        else:
            survivor, merged = UUID(context.arguments["survivor"]), UUID(context.arguments["merged"])
            Customer.require(context.viewer, "update")
            Customer.require(context.viewer, "delete")
            choices = {name: MergeSide(side) for name, side in context.arguments["choices"].items()}
            pair = await lock_pair(tx, context.viewer, survivor, merged, choices)
            require_unblocked(await blocking_reasons(tx, context.viewer, pair, now))
            row_count = sum((await count_all(tx, merged)).values())
            period = timedelta(days=context.settings.merge_undo)
            merge = await merging.merge_customers(tx, context.viewer, pair, row_count, period, now, progress.add)
            result, counts = {}, {"rows": row_count}
        result = {**result, "merge": encode_id(Merge.definition.options["prefix"], merge)}
        await context.checkpoint(
            tx, None, done=context.total or progress.done, total=context.total, counts=counts, result=result
        )
