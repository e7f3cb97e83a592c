"""Commands of merges: merge two customers, and undo it. Large ones become jobs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from hub.db.pool import Connection
from hub.domain.identity import merging, splitting, unmerging
from hub.domain.identity.merge_plan import (
    MergePair,
    MergeSide,
    blocking_reasons,
    count_all,
    fingerprint,
    lock_pair,
    read_choices,
    resolved_values,
    shown_tables,
)
from hub.domain.jobs import queue
from hub.domain.jobs.commands import real_time
from hub.errors import BadInput
from hub.model.commands import Injected, command
from hub.model.versions import require_version
from hub.schema.customers.customers import Customer
from hub.schema.identity.merges import Merge, MergeType
from hub.schema.jobs.jobs import Job, JobType
from hub.text_case import camel_case
from hub.viewer import Viewer

BLOCKED_BY = "reasons"


@dataclass(frozen=True, slots=True)
class MergeLimits:
    """Settings of merges."""

    rows_at_once: int  # more rows than that make a job
    undo_period: timedelta


class MergeFieldChoice(NamedTuple):
    """Whose value a field of the customer has after a merge."""

    field: Annotated[str, "Name of the field: `name`, `status`, `attributes`."]
    side: Annotated[MergeSide, "The customer whose value it is."]


class MergeVersions(NamedTuple):
    """The versions that a merge is based on."""

    survivor: Annotated[int | None, "Version of the customer who stays."] = None
    merged: Annotated[int | None, "Version of the customer who becomes part of the other."] = None


class MergePayload(NamedTuple):
    """The payload of customersMerge."""

    customer: Annotated[UUID | None, Customer, "The customer who stays."]
    merge: Annotated[UUID | None, Merge, "The merge; empty for a dry run, and while a job does it."]
    job: Annotated[UUID | None, Job, "The job that merges customers with many rows."]
    fingerprint: Annotated[str, "Stands for the plan; the merge repeats that of its dry run."]
    tables: Annotated[
        list[dict[str, object]],
        "For each type: its `type`, and how many rows are `moved`, `changed` and `dropped`. Of a job, how many are `moved`.",
    ]
    fields: Annotated[list[str], "Fields of the survivor that change."]
    reasons: Annotated[list[dict[str, object]], "What speaks against the merge, each with `code` and `message`."]


@command("customersMerge")
async def merge(
    tx: Connection,
    viewer: Viewer,
    *,
    survivor_id: Annotated[UUID, Customer, "The customer who stays."],
    merged_id: Annotated[
        UUID, Customer, "The customer who becomes part of the other. Its id leads there from then on."
    ],
    fields: Annotated[
        list[MergeFieldChoice] | None,
        "Fields for which somebody chose. Others are the survivor's, or the merged customer's where it has none.",
    ] = None,
    expected_versions: Annotated[MergeVersions | None, "The versions that the merge is based on."] = None,
    dry_run: Annotated[
        bool, "Whether nothing is merged: the payload says what would be, and what speaks against it."
    ] = False,
    fingerprint: Annotated[str | None, "The fingerprint of the dry run. A merge needs it."] = None,
    now: datetime,
    merge_limits: Injected[MergeLimits],
) -> MergePayload:
    """Makes two customers one: all rows of the merged one become the survivor's, and its id leads to the survivor.

    Its API keys are revoked. Customers with many rows are merged by a job, which does all of it or nothing.
    `mergeUndo` takes a merge back."""
    Customer.require(viewer, "update")
    Customer.require(viewer, "delete")
    choices = read_choices(viewer, fields or ())
    pair = await lock_pair(tx, viewer, survivor_id, merged_id, choices)
    await _require_versions(tx, viewer, pair, expected_versions or MergeVersions())
    reasons = await blocking_reasons(tx, viewer, pair, now)
    if not dry_run:
        require_unblocked(reasons)
        require_fingerprint(fingerprint)
    rows = await count_all(tx, merged_id)
    changed_fields = [camel_case(name) for name in resolved_values(pair)]
    if sum(rows.values()) > merge_limits.rows_at_once:
        plan = {name: {"moved": count} for name, count in rows.items()}
        return await _large(tx, viewer, pair, plan, changed_fields, reasons, dry_run, fingerprint, now)
    if reasons:
        counts: Mapping[str, Mapping[str, int]] = {name: {"moved": count} for name, count in rows.items()}
        return _payload(viewer, pair, None, None, counts, changed_fields, reasons)
    await tx.execute("savepoint dry_run")
    key = await merging.merge_customers(tx, viewer, pair, sum(rows.values()), merge_limits.undo_period, now)
    counts = await merging.counts(tx, key)
    if dry_run:
        await tx.execute("rollback to savepoint dry_run")
        return _payload(viewer, pair, None, None, counts, changed_fields, reasons)
    require_equal(fingerprint, _fingerprint(pair, counts))
    return _payload(viewer, pair, key, None, counts, changed_fields, reasons)


def _fingerprint(pair: MergePair, counts: Mapping[str, Any]) -> str:
    return fingerprint(pair, counts)


def _payload(
    viewer: Viewer,
    pair: MergePair,
    key: UUID | None,
    job: UUID | None,
    counts: Mapping[str, Mapping[str, int]],
    fields: list[str],
    reasons: Sequence[Mapping[str, str]],
) -> MergePayload:
    shown = [dict[str, object](reason) for reason in reasons]
    tables = shown_tables(viewer, counts)
    return MergePayload(pair.survivor["id"], key, job, _fingerprint(pair, counts), tables, fields, shown)


async def _large(
    tx: Connection,
    viewer: Viewer,
    pair: MergePair,
    plan: Mapping[str, Mapping[str, int]],
    fields: list[str],
    reasons: Sequence[Mapping[str, str]],
    dry_run: bool,
    sent_fingerprint: str | None,
    now: datetime,
) -> MergePayload:
    """Plans the merge of a customer with many rows, or starts the job that does it."""
    if dry_run:
        return _payload(viewer, pair, None, None, plan, fields, reasons)
    require_equal(sent_fingerprint, _fingerprint(pair, plan))
    job = await start_job(tx, viewer, pair, sum(count["moved"] for count in plan.values()), now)
    return _payload(viewer, pair, None, job, plan, fields, reasons)


async def start_job(tx: Connection, viewer: Viewer, pair: MergePair, total: int, now: datetime) -> UUID:
    """Starts the job that merges two customers with many rows; returns its key."""
    survivor, merged = pair.keys
    choices = {name: side.value for name, side in pair.choices.items()}
    arguments = {"survivor": str(survivor), "merged": str(merged), "choices": choices}
    prefix = Customer.definition.options["prefix"]
    name = f"{prefix}_{merged.hex} → {prefix}_{survivor.hex}"  # a name of a person would outlive its erasure
    return await queue.enqueue(
        tx, viewer, JobType.MERGE, arguments, name=name, now=now, queued_at=real_time(), total=total
    )


async def _require_versions(tx: Connection, viewer: Viewer, pair: MergePair, versions: MergeVersions) -> None:
    """Raises VERSION_CONFLICT for a customer who was edited in a field that a merge is about."""
    columns = dict.fromkeys(Customer.definition.updatable())
    for key, version, name in zip(pair.keys, versions, MergeVersions._fields, strict=True):
        if version is None:
            continue
        try:
            await require_version(tx, viewer, Customer, key, columns, version)
        except BadInput as error:
            error.message = error.message.replace("expected_version", f"expected_versions.{name}", 1)
            error.argument = f"expected_versions.{name}"
            raise


def require_unblocked(reasons: Sequence[Mapping[str, str]], argument: str = "merged_id") -> None:
    """Raises MERGE_BLOCKED if something speaks against a merge or a split."""
    if reasons:
        message = f"{argument}: {reasons[0]['message']}"
        extensions = {BLOCKED_BY: [dict(reason) for reason in reasons]}
        raise BadInput(message, code="MERGE_BLOCKED", argument=argument, extensions=extensions)


def require_fingerprint(sent: str | None) -> None:
    """Raises ARGUMENT_MISSING for a merge or split without the fingerprint of its dry run."""
    if sent is None:
        message = "fingerprint: it is that of the dry run; run it with `dryRun: true` first, and repeat it."
        raise BadInput(message, code="ARGUMENT_MISSING", argument="fingerprint")


def require_equal(sent: str | None, current: str) -> None:
    """Raises MERGE_CHANGED if the plan is no longer the one of the dry run."""
    if sent != current:
        message = (
            "fingerprint: the customers are not as they were in that dry run; look at a new one, then repeat its own."
        )
        raise BadInput(message, code="MERGE_CHANGED", argument="fingerprint")


class MergeUndoPayload(NamedTuple):
    """The payload of mergeUndo."""

    merge: Annotated[UUID, Merge, "The merge as it is now."]
    customer: Annotated[
        UUID | None, Customer, "The customer who had been merged, or from whom one was parted; empty while a job works."
    ]
    job: Annotated[UUID | None, Job, "The job that undoes a merge of many rows."]
    report: Annotated[
        dict[str, object],
        "Rows by what became of them: `restored`, `edited` ones whose later values stay, and `gone` ones; "
        "and ids of the first hundred that are not as they were.",
    ]


@command("mergeUndo")
async def undo(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, Merge, "The merge."],
    now: datetime,
    merge_limits: Injected[MergeLimits],
) -> MergeUndoPayload:
    """Makes two of one again: the merged customer comes back with its rows, under its own id. Of a split, it makes one of two.

    Only the latest merge of a customer can be undone, within HUB_MERGE_UNDO days. Later edits of rows stay, and rows that
    came since stay with the survivor."""
    Customer.require(viewer, "update")
    Customer.require(viewer, "create")
    row = await unmerging.lock_merge(tx, viewer, id, now)
    # Of a split, all rows of the new customer come back, those that it got since as well.
    is_split = row["type"] == MergeType.SPLIT
    total = sum((await count_all(tx, row["merged_key"])).values()) if is_split else row["rows"]
    if total > merge_limits.rows_at_once:
        job = await queue.enqueue(
            tx, viewer, JobType.MERGE, {"undo": str(id)}, name="undo", now=now, queued_at=real_time(), total=total
        )
        return MergeUndoPayload(id, None, job, {})
    if is_split:
        Customer.require(viewer, "delete")
        await splitting.undo_split(tx, row, now)
        return MergeUndoPayload(id, row["survivor_key"], None, {})
    report = await unmerging.undo_merge(tx, row, now)
    return MergeUndoPayload(id, row["merged_key"], None, report.as_json())
