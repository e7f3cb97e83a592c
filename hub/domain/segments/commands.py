"""Commands of segments: describe one, look at what it would do, put it into force, give it up."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from hub.db.pool import Connection
from hub.domain.segments.definitions import MAX_SEGMENTS, check_filter
from hub.domain.segments.evaluation import enter, leave
from hub.domain.segments.preview import count_entries, preview
from hub.domain.segments.uses import uses
from hub.errors import BadInput
from hub.model import exact_json, rows, validators
from hub.model.commands import command
from hub.model.writer import writer_of
from hub.schema.customers.customers import Customer
from hub.schema.segments.segments import Segment, SegmentKind, SegmentStatus
from hub.viewer import Viewer

MAX_LISTED = 1_000  # customers whom one command adds or removes

# Segments change one after the other: together they could contain each other.
_TAKE_TURN = "select pg_advisory_xact_lock(hashtextextended('segments', 0))"
_RUN = "update segments set computes_at = $2, computed_to = null where id = $1"
_ACTIVE = "select count(*) from segments where status = 'ACTIVE'"
_KNOWN = "select id from customers where id = any($1) order by id for key share"
_LISTED = (
    "select customer_id from segment_memberships where segment_id = $1 and until is null and customer_id = any($2)"
)


class SegmentCreatePayload(NamedTuple):
    """The payload of segmentCreate."""

    segment: Annotated[UUID, Segment, "The new segment: a DRAFT with a filter, or an ACTIVE list."]


class SegmentUpdatePayload(NamedTuple):
    """The payload of segmentUpdate."""

    segment: Annotated[UUID, Segment, "The segment."]
    used_by: Annotated[list[str], "Ids of the segments, roles, webhooks and others that name it, at most 100."]


class SegmentPreviewPayload(NamedTuple):
    """The payload of segmentPreview."""

    segment: Annotated[UUID, Segment, "The segment."]
    customers: Annotated[int, "Customers who were looked at."]
    complete: Annotated[bool, "Whether these are all; the first 100,000 are looked at."]
    matching: Annotated[int, "Of these, those who match."]
    enter_count: Annotated[int, "Those who would enter."]
    leave_count: Annotated[int, "Those who would leave."]
    entering: Annotated[list[str], "Ids of twenty who would enter."]
    leaving: Annotated[list[str], "Ids of twenty who would leave."]
    entries_read: Annotated[int, "Entries of tables and indexes that Postgres expects to read for one customer."]
    used_by: Annotated[list[str], "Ids of the segments, roles, webhooks and others that name it, at most 100."]


class SegmentActivatePayload(NamedTuple):
    """The payload of segmentActivate."""

    segment: Annotated[UUID, Segment, "The segment, in force. Its customers enter in the background."]


class SegmentArchivePayload(NamedTuple):
    """The payload of segmentArchive."""

    segment: Annotated[UUID, Segment, "The segment. Its customers leave in the background."]


@command("segmentCreate")
async def create_segment(
    tx: Connection,
    viewer: Viewer,
    *,
    code: Annotated[str, "Short unique name, in small words joined by dots: `big.spenders`. It never changes."],
    name: Annotated[str, "What people call it."],
    filter: Annotated[
        dict[str, object] | None,
        "A filter of customers, as lists take it; it may compare with the time. Left out for a list.",
    ] = None,
    now: datetime,
) -> SegmentCreatePayload:
    """Describes a segment. One with a filter is empty until `segmentActivate`; to a list, `segmentUpdate` adds customers."""
    Segment.require(viewer, "create")
    await tx.execute(_TAKE_TURN)
    texts = writer_of(Segment).canonical({"code": code, "name": name})
    if filter is not None:
        await check_filter(tx, texts["code"], filter)
    kind, status = SegmentKind.FILTER, SegmentStatus.DRAFT
    values: dict[str, Any] = {**texts, "filter": filter}
    if filter is None:
        kind, status = SegmentKind.LIST, SegmentStatus.ACTIVE
        values |= {"activated_at": now, "computed_at": now}
        await _require_room(tx)
    key = await rows.insert_row(tx, viewer, Segment, {**values, "kind": kind.value, "status": status.value}, now)
    return SegmentCreatePayload(key)


@command("segmentUpdate")
async def update_segment(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, Segment, "The segment."],
    name: Annotated[str | None, "What people call it."] = None,
    filter: Annotated[dict[str, object] | None, "Its filter; in force at once, if the segment is."] = None,
    add: Annotated[list[Annotated[UUID, Customer]] | None, "Customers to add to a list, at most 1,000."] = None,
    remove: Annotated[list[Annotated[UUID, Customer]] | None, "Customers to remove from a list, at most 1,000."] = None,
    now: datetime,
) -> SegmentUpdatePayload:
    """Renames a segment, changes its filter, or adds customers to a list and removes them. `segmentPreview` says what follows."""
    Segment.require(viewer, "update")
    await tx.execute(_TAKE_TURN)
    stored = await rows.lock_row(tx, viewer, Segment, id, "id")
    _require_not_archived(stored)
    is_list = stored["kind"] == SegmentKind.LIST
    for argument, value in (("filter", filter), ("add", add), ("remove", remove)):
        if value is not None and is_list is (argument == "filter"):
            other = "customers match its filter" if argument != "filter" else "add customers and remove them"
            message = f"{argument}: the segment is a {stored['kind']}; {other}."
            raise BadInput(message, argument=argument, code="SEGMENT_INVALID")
    changed: dict[str, Any] = {}
    if name is not None:
        changed |= validators.check_values({"name": name}, {"name": validators.single_line})
    changed = {column: value for column, value in changed.items() if stored[column] != value}
    if filter is not None and filter != _json(stored["filter"]):
        await count_entries(tx, await check_filter(tx, stored["code"], filter), now)
        changed |= {"filter": filter, "fault": None}
        if stored["status"] == SegmentStatus.ACTIVE:
            changed |= {"computed_at": None, "computes_at": now, "computed_to": None}
    if changed:
        await rows.update_row(tx, viewer, Segment, id, changed, now)
    if is_list:
        await _change_list(tx, stored, add or (), remove or (), now)
    return SegmentUpdatePayload(id, await uses(tx, stored["code"]))


async def _change_list(
    tx: Connection, stored: Mapping[str, Any], add: Sequence[UUID], remove: Sequence[UUID], now: datetime
) -> None:
    """Adds customers to a list and removes some; raises BadInput for too many, and for one who is unknown."""
    for argument, keys in (("add", add), ("remove", remove)):
        if len(keys) > MAX_LISTED:
            message = f"{argument}: give at most {MAX_LISTED:,} customers; send several mutations."
            raise BadInput(message, argument=argument)
    known = {row["id"] for row in await tx.fetch(_KNOWN, sorted({*add, *remove}))}
    for argument, keys in (("add", add), ("remove", remove)):
        for index, key in enumerate(keys):
            if key not in known:
                raise rows.not_visible(f"{argument}[{index}]")
    listed = {row["customer_id"] for row in await tx.fetch(_LISTED, stored["id"], sorted(known))}
    leaving = sorted(listed.intersection(remove))
    if leaving:
        await leave(tx, stored["id"], leaving, now)
    entering = sorted(known.intersection(add) - listed.difference(leaving))
    if entering:
        await enter(tx, stored["id"], stored["code"], dict.fromkeys(entering, "[]"), now)


@command("segmentPreview")
async def preview_segment(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, Segment, "The segment."],
    filter: Annotated[dict[str, object] | None, "Another filter to look at, in place of its own."] = None,
    now: datetime,
) -> SegmentPreviewPayload:
    """Says what the activation of a segment, or a change of its filter, would do: who enters, who leaves. It changes nothing.

    It refuses what `segmentActivate` would refuse."""
    Segment.require(viewer, "update")
    stored = await rows.lock_row(tx, viewer, Segment, id, "id")
    _require_not_archived(stored)
    if stored["kind"] == SegmentKind.LIST:
        message = "id: a list has no filter; its memberships say who is in it."
        raise BadInput(message, argument="id", code="SEGMENT_INVALID")
    value = _json(stored["filter"]) if filter is None else filter
    planned = await check_filter(tx, stored["code"], value)
    entries = await count_entries(tx, planned, now)
    result = await preview(tx, id, planned, now)
    return SegmentPreviewPayload(
        id,
        result.customers,
        result.complete,
        result.matching,
        result.enter_count,
        result.leave_count,
        [_customer_id(key) for key in result.entering],
        [_customer_id(key) for key in result.leaving],
        entries,
        await uses(tx, stored["code"]),
    )


@command("segmentActivate")
async def activate_segment(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, Segment, "The segment; an archived one comes into force again."],
    now: datetime,
) -> SegmentActivatePayload:
    """Puts a segment into force: customers who match enter, thousands at a time, and from then on as they change.

    Refused for a filter that cannot be planned any more, that reads too much, or that contains the segment itself."""
    Segment.require(viewer, "update")
    await tx.execute(_TAKE_TURN)
    stored = await rows.lock_row(tx, viewer, Segment, id, "id")
    if stored["status"] == SegmentStatus.ACTIVE and stored["fault"] is None:
        return SegmentActivatePayload(id)
    await _require_room(tx)
    changed = {"status": SegmentStatus.ACTIVE.value, "activated_at": now, "archived_at": None, "fault": None}
    if stored["kind"] == SegmentKind.LIST:
        await rows.update_row(tx, viewer, Segment, id, changed, now)
        return SegmentActivatePayload(id)
    planned = await check_filter(tx, stored["code"], _json(stored["filter"]))
    await count_entries(tx, planned, now)
    await rows.update_row(tx, viewer, Segment, id, changed | {"computed_at": None}, now)
    await tx.execute(_RUN, id, now)
    return SegmentActivatePayload(id)


@command("segmentArchive")
async def archive_segment(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, Segment, "The segment."],
    now: datetime,
) -> SegmentArchivePayload:
    """Gives a segment up: everybody leaves it. Refused while filters of others, or webhooks and reports, name it."""
    Segment.require(viewer, "update")
    await tx.execute(_TAKE_TURN)
    stored = await rows.lock_row(tx, viewer, Segment, id, "id")
    if stored["status"] == SegmentStatus.ARCHIVED:
        return SegmentArchivePayload(id)
    used_by = await uses(tx, stored["code"])
    if used_by:
        message = f"id: {len(used_by)} others name the segment, such as {used_by[0]}; change these first."
        raise BadInput(message, argument="id", code="SEGMENT_IN_USE", extensions={"usedBy": used_by})
    changed = {"status": SegmentStatus.ARCHIVED.value, "archived_at": now, "computed_at": None}
    await rows.update_row(tx, viewer, Segment, id, changed, now)
    await tx.execute(_RUN, id, now)
    return SegmentArchivePayload(id)


async def _require_room(tx: Connection) -> None:
    if await tx.fetchval(_ACTIVE) >= MAX_SEGMENTS:
        message = f"id: {MAX_SEGMENTS} segments are in force; archive one first."
        raise BadInput(message, argument="id", code="SEGMENT_INVALID")


def _require_not_archived(stored: Mapping[str, Any]) -> None:
    if stored["status"] == SegmentStatus.ARCHIVED:
        message = "id: the segment is archived; activate it first."
        raise BadInput(message, argument="id", code="MOVE_INVALID")


def _json(stored: Any) -> Any:
    return exact_json.loads(stored) if isinstance(stored, str) else stored


def _customer_id(key: UUID) -> str:
    return f"{Customer.definition.options['prefix']}_{key.hex}"
