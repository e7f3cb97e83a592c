"""Merges and splits customers with many rows, and undoes it: all in one transaction, so that a stop leaves nothing of it.

Its progress is written beside that transaction. A job that was stopped begins anew."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, TypeAlias
from uuid import UUID

from hub.db.pool import Connection
from hub.domain.identity import merging, splitting, unmerging
from hub.domain.identity.merge_commands import require_unblocked
from hub.domain.identity.merge_plan import MergeSide, blocking_reasons, count_all, lock_pair
from hub.domain.identity.splitting import SplitChoice
from hub.engine.catalog.scalars import encode_id
from hub.jobs.context import JobContext
from hub.model import rows
from hub.schema.customers.customers import Customer
from hub.schema.identity.merges import Merge, MergeType

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
    """Merges two customers, splits one, or undoes either, with the rights that the key has now."""
    progress, now = _Progress(context), await context.now()
    run = _undo if "undo" in context.arguments else _split if "split" in context.arguments else _merge
    async with context.transaction() as tx:
        await tx.execute("set local lock_timeout = '30s'")
        merge, result, counts = await run(context, tx, progress, now)
        result = {**result, "merge": encode_id(Merge.definition.options["prefix"], merge)}
        await context.checkpoint(
            tx, None, done=context.total or progress.done, total=context.total, counts=counts, result=result
        )


_Outcome: TypeAlias = tuple[UUID, Mapping[str, Any], Mapping[str, int]]  # the merge, the job's result and counts


async def _merge(context: JobContext, tx: Connection, progress: _Progress, now: datetime) -> _Outcome:
    survivor, merged = UUID(context.arguments["survivor"]), UUID(context.arguments["merged"])
    Customer.require(context.viewer, "update")
    Customer.require(context.viewer, "delete")
    choices = {name: MergeSide(side) for name, side in context.arguments["choices"].items()}
    pair = await lock_pair(tx, context.viewer, survivor, merged, choices)
    require_unblocked(await blocking_reasons(tx, context.viewer, pair, now))
    row_count = sum((await count_all(tx, merged)).values())
    period = timedelta(days=context.settings.merge_undo)
    merge = await merging.merge_customers(tx, context.viewer, pair, row_count, period, now, progress.add)
    return merge, {}, {"rows": row_count}


async def _undo(context: JobContext, tx: Connection, progress: _Progress, now: datetime) -> _Outcome:
    row = await unmerging.lock_merge(tx, context.viewer, UUID(context.arguments["undo"]), now)
    if row["type"] == MergeType.SPLIT:
        Customer.require(context.viewer, "update")
        Customer.require(context.viewer, "delete")
        await splitting.undo_split(tx, row, now, progress.add)
        return row["id"], {}, {}
    Customer.require(context.viewer, "update")
    Customer.require(context.viewer, "create")
    report = await unmerging.undo_merge(tx, row, now, progress.add)
    return row["id"], report.as_json(), dict(report.counts)


async def _split(context: JobContext, tx: Connection, progress: _Progress, now: datetime) -> _Outcome:
    arguments, viewer = context.arguments, context.viewer
    customer = UUID(arguments["split"])
    choice = SplitChoice([UUID(key) for key in arguments["identifiers"]], arguments["sources"], arguments["name"])
    Customer.require(viewer, "update")
    Customer.require(viewer, "create")
    stored = await rows.lock_row(tx, viewer, Customer, customer, "id")
    period = timedelta(days=context.settings.merge_undo)
    key, parted = await splitting.insert_split(tx, viewer, customer, period, now)
    selection = await splitting.select_rows(tx, customer, key, choice)
    await splitting.split_customer(tx, viewer, stored, key, parted, selection, choice.name, now, progress.add)
    result = {"parted": encode_id(Customer.definition.options["prefix"], parted)}
    return key, result, {"rows": sum(selection.counts.values())}
