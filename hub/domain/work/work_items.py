"""Commands of work items: opening, withdrawing, and what must end first. hub/domain/work/work_steps.py decides their steps."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from hub.db.pool import Connection
from hub.domain.work.acting import acting_person
from hub.domain.work.codes import CodeBlocks, draw, find_rule
from hub.domain.work.item_flow import ItemFlow, begin, begin_if_free, end, load_rules, lock_item
from hub.domain.work.job_roles import head_of
from hub.errors import BadInput, Forbidden, NotFound
from hub.model import rows, validators
from hub.model.commands import Injected, RowReference, command
from hub.model.registry import entity_named
from hub.model.scopes import Audience
from hub.model.subjects import subject_values
from hub.schema.work.processes import Process
from hub.schema.work.work_items import WorkItem, WorkItemDependency, WorkItemStatus
from hub.viewer import ADMIN, Viewer

MAX_PREDECESSORS = 100
NO_PROCESS = UUID(int=0)  # looked for in place of one that is absent, as a hidden one is

_ACTIVE = """
select p.id, p.code, p.about, r.name as code_rule from processes as p left join code_rules as r on r.id = p.code_rule_id
where p.code = $1 and p.status = 'ACTIVE'
"""
_UNIT_OF_PERSON = "select unit_id from staff where id = $1"
_SAME_CAUSE = "select id from work_items where cause_id = $1 and process_id = $2"
_LOCK_PREDECESSORS = "select id, status from work_items where id = any($1) order by id for share"
_LOCK_DEPENDENCIES = "select pg_advisory_xact_lock(hashtextextended('work_item_dependencies', 0))"
# The items that must end before these, directly or through others.
_ALL_PREDECESSORS = """
with recursive earlier as (
    select predecessor_id from work_item_dependencies where item_id = $1
    union select d.predecessor_id from work_item_dependencies as d join earlier on d.item_id = earlier.predecessor_id
)
select exists (select from earlier where predecessor_id = $2)
"""
_REMOVE_DEPENDENCY = "delete from work_item_dependencies where item_id = $1 and predecessor_id = $2 returning id"


class WorkItemOpenPayload(NamedTuple):
    """The payload of workItemOpen."""

    work_item: Annotated[UUID, WorkItem, "The item, at its first step."]


@command("workItemOpen", bulk_name="workItemsOpen")
async def open_item(
    tx: Connection,
    viewer: Viewer,
    *,
    process: Annotated[str, "Code of an active process."],
    subject_id: Annotated[RowReference, "The row that it is about, of the process's type."],
    title: Annotated[str, "What is to be done, in one line."],
    amount: Annotated[Decimal | None, "The amount that is decided on."] = None,
    currency: Annotated[str | None, "ISO 4217 code of the amount's currency."] = None,
    facts: Annotated[dict[str, object] | None, "Free facts, a JSON object."] = None,
    predecessor_ids: Annotated[
        list[Annotated[UUID, WorkItem]] | None, "Items that must end first; until then the new one is WAITING."
    ] = None,
    now: datetime,
    code_blocks: Injected[CodeBlocks],
) -> WorkItemOpenPayload:
    """Opens work about a row by the process of this code that is in force now. Its first step opens with it."""
    WorkItem.require(viewer, "create")
    opener = acting_person(viewer)
    active = await tx.fetchrow(_ACTIVE, process)
    is_visible = await rows.can_see(tx, viewer, Process.table, NO_PROCESS if active is None else active["id"])
    if active is None or not is_visible:
        message = f"process: there is no active process {process[:63]!r}; `processes` lists them."
        raise NotFound(message, argument="process")
    if subject_id.entity != active["about"]:
        message = f"subject_id: items of {process} are about a {active['about']}; give the id of one."
        raise BadInput(message, code="ID_WRONG_TYPE", argument="subject_id")
    await rows.require_visible(tx, viewer, entity_named(subject_id.entity), subject_id.key, "subject_id")
    columns = _checked_columns(title, amount, currency, facts)
    predecessors = await _lock_predecessors(tx, viewer, predecessor_ids or [])
    values = await subject_values(tx, entity_named(subject_id.entity), subject_id.key)
    values["unit_id"] = values["unit_id"] or await tx.fetchval(_UNIT_OF_PERSON, opener)
    columns |= {"opened_by_id": opener, "cause_id": None}
    flow = await _insert(tx, viewer, active["id"], values | columns, predecessors, now)
    if active["code_rule"] is not None:  # last, because the counter of a gapless rule stays locked until the commit
        rule = await find_rule(tx, active["code_rule"])
        (number,) = await draw(tx, code_blocks, rule, {}, 1, now)
        await flow.change(number=number)
    return WorkItemOpenPayload(flow.key)


async def open_order(
    tx: Connection,
    process_code: str,
    subject: Mapping[str, Any],
    *,
    title: str,
    now: datetime,
    cause: UUID | None = None,
) -> UUID | None:
    """Opens an item for the hub: nobody is its opener. `subject` are the columns of `subject_values`.

    Returns None where no process of this code is active, or is about another type. One cause opens an item of a process
    once, and then its key is returned."""
    active = await tx.fetchrow(_ACTIVE, process_code)
    if active is None or active["about"] != subject["entity"]:
        return None
    existing: UUID | None = await tx.fetchval(_SAME_CAUSE, cause, active["id"])
    if existing is not None:
        return existing
    columns: dict[str, Any] = {"title": title, "facts": {}, "opened_by_id": None, "cause_id": cause}
    flow = await _insert(tx, ADMIN, active["id"], {**subject, **columns}, {}, now)
    if active["code_rule"] is not None:
        (number,) = await draw(tx, None, await find_rule(tx, active["code_rule"]), {}, 1, now)
        await flow.change(number=number)
    return flow.key


async def _insert(
    tx: Connection,
    viewer: Viewer,
    process_id: UUID,
    values: Mapping[str, Any],
    predecessors: Mapping[UUID, bool],
    now: datetime,
) -> ItemFlow:
    """Inserts an item and begins it, unless one of `predecessors` has not ended."""
    audience = Audience.INSIDE if values["audience"] == Audience.CUSTOMER else Audience(values["audience"])
    waits = not all(predecessors.values())
    status = WorkItemStatus.WAITING if waits else WorkItemStatus.OPEN
    row = {**values, "audience": audience, "status": status, "process_id": process_id, "round": 1, "opened_at": now}
    key = await rows.insert_row(tx, ADMIN, WorkItem, row, now)
    for predecessor in predecessors:
        dependency = {"item_id": key, "predecessor_id": predecessor}
        await rows.insert_row(tx, ADMIN, WorkItemDependency, dependency, now)
    flow = ItemFlow(tx, viewer, now, {**row, "id": key, "step_id": None}, await load_rules(tx, process_id))
    if not waits:
        await begin(flow)
    return flow


def _checked_columns(
    title: str, amount: Decimal | None, currency: str | None, facts: dict[str, object] | None
) -> dict[str, Any]:
    """What the caller gives, in normal form; raises BadInput."""
    if (amount is None) is not (currency is None):
        argument = "currency" if currency is None else "amount"
        message = f"{argument}: an amount and its currency go together; give both."
        raise BadInput(message, code="ARGUMENT_MISSING", argument=argument)
    values = {"title": title, "amount": amount, "currency": currency, "facts": facts or {}}
    checks = {
        "title": validators.single_line,
        "amount": validators.non_negative_amount,
        "currency": validators.currency,
        "facts": validators.json_object_value,
    }
    return validators.check_values(values, checks)


async def _lock_predecessors(tx: Connection, viewer: Viewer, keys: Sequence[UUID]) -> dict[UUID, bool]:
    """Whether each of the items has ended; they do not end before the transaction does."""
    if len(keys) > MAX_PREDECESSORS:
        message = f"predecessor_ids: give at most {MAX_PREDECESSORS} items."
        raise BadInput(message, code="BULK_LIMIT", argument="predecessor_ids")
    for index, key in enumerate(keys):
        await rows.require_visible(tx, viewer, WorkItem, key, f"predecessor_ids[{index}]")
    locked = await tx.fetch(_LOCK_PREDECESSORS, list(keys))
    return {row["id"]: row["status"] not in (WorkItemStatus.WAITING, WorkItemStatus.OPEN) for row in locked}


class WorkItemWithdrawPayload(NamedTuple):
    """The payload of workItemWithdraw."""

    work_item: Annotated[UUID, WorkItem, "The item as it is now."]


@command("workItemWithdraw", bulk_name="workItemsWithdraw")
async def withdraw_item(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, WorkItem, "The item."],
    reason: Annotated[str, "Why it is given up, in one line."],
    now: datetime,
) -> WorkItemWithdrawPayload:
    """Gives an item up, which its opener and the head of its unit may. What is open of it is skipped."""
    WorkItem.require(viewer, "update")
    person = acting_person(viewer)
    reason = validators.check_values({"reason": reason}, {"reason": validators.single_line})["reason"]
    await rows.require_visible(tx, viewer, WorkItem, id, "id")
    flow = await lock_item(tx, viewer, id, now)
    unit_id = flow.item["unit_id"]
    if person != flow.item["opened_by_id"] and (unit_id is None or person != await head_of(tx, unit_id, now=now)):
        raise Forbidden(
            "id: only its opener and the head of its unit withdraw an item; ask one of them.", argument="id"
        )
    async with rows.updating(tx, viewer, WorkItem, id):
        await end(flow, WorkItemStatus.WITHDRAWN, reason)
    return WorkItemWithdrawPayload(id)


class WorkItemDependencyAddPayload(NamedTuple):
    """The payload of workItemDependencyAdd."""

    work_item: Annotated[UUID, WorkItem, "The item that waits."]


@command("workItemDependencyAdd")
async def add_dependency(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, WorkItem, "An item that is WAITING."],
    predecessor_id: Annotated[UUID, WorkItem, "An item that must end before it begins."],
    now: datetime,
) -> WorkItemDependencyAddPayload:
    """Lets a waiting item wait for another one too. Items never wait for one another in a circle."""
    WorkItem.require(viewer, "update")
    WorkItemDependency.require(viewer, "create")
    acting_person(viewer)
    await rows.require_visible(tx, viewer, WorkItem, id, "id")
    await rows.require_visible(tx, viewer, WorkItem, predecessor_id, "predecessor_id")
    await tx.execute(_LOCK_DEPENDENCIES)
    await tx.fetch(_LOCK_PREDECESSORS, [predecessor_id])
    flow = await lock_item(tx, viewer, id, now)
    _require_waiting(flow)
    if id == predecessor_id or await tx.fetchval(_ALL_PREDECESSORS, predecessor_id, id):
        message = "predecessor_id: this item itself waits for that one to end; name one that does not."
        raise BadInput(message, code="DEPENDENCY_CYCLE", argument="predecessor_id")
    async with rows.updating(tx, viewer, WorkItem, id):
        values = {"item_id": id, "predecessor_id": predecessor_id}
        dependency = await rows.insert_row(tx, ADMIN, WorkItemDependency, values, now)
    await rows.require_creatable(tx, viewer, WorkItemDependency, dependency)
    return WorkItemDependencyAddPayload(id)


class WorkItemDependencyRemovePayload(NamedTuple):
    """The payload of workItemDependencyRemove."""

    work_item: Annotated[UUID, WorkItem, "The item, which begins if nothing is left to wait for."]


@command("workItemDependencyRemove")
async def remove_dependency(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, WorkItem, "An item that is WAITING."],
    predecessor_id: Annotated[UUID, WorkItem, "The item that it needs to wait for no longer."],
    now: datetime,
) -> WorkItemDependencyRemovePayload:
    """Lets a waiting item wait for another one no longer; without any that has not ended, it begins."""
    WorkItem.require(viewer, "update")
    WorkItemDependency.require(viewer, "delete")
    acting_person(viewer)
    await rows.require_visible(tx, viewer, WorkItem, id, "id")
    await tx.fetch(_LOCK_PREDECESSORS, [predecessor_id])
    flow = await lock_item(tx, viewer, id, now)
    _require_waiting(flow)
    async with rows.updating(tx, viewer, WorkItem, id):
        removed = await tx.fetchval(_REMOVE_DEPENDENCY, id, predecessor_id)
        await begin_if_free(flow)
    if removed is None and flow.item["status"] == WorkItemStatus.WAITING:
        raise NotFound("predecessor_id: the item does not wait for that one.", argument="predecessor_id")
    return WorkItemDependencyRemovePayload(id)


def _require_waiting(flow: ItemFlow) -> None:
    if flow.item["status"] != WorkItemStatus.WAITING:
        message = f"id: the item is {flow.item['status']}; only one that is WAITING still waits for others."
        raise BadInput(message, code="MOVE_INVALID", argument="id")
