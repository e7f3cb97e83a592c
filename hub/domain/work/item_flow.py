"""How an item goes on: its steps open, are decided and skipped, and what follows, with clocks, notifications and milestones.

The item's row is locked throughout, so that its steps change one after the other."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from hub.db.pool import Connection
from hub.domain.work.addressing import Addressing, addressed
from hub.domain.work.clocks import start_clock, stop_clock, void_clock
from hub.domain.work.due_times import shows_due
from hub.domain.work.job_roles import head_of
from hub.domain.work.milestones import (
    PlannedMilestone,
    reach_milestone,
    return_to_milestone,
    set_milestones,
    skip_milestones,
)
from hub.domain.work.notifications import notify
from hub.domain.work.step_rules import FORWARD, PastDecision, ProcessRules, StepRule, barred, voters
from hub.errors import BadInput
from hub.model import rows, stored_filters
from hub.model.moves import move_row
from hub.model.registry import entity_named
from hub.model.rules import Write, guards
from hub.model.scopes import Audience
from hub.model.subjects import subject_values
from hub.schema.work.notifications import NotificationType
from hub.schema.work.processes import StepAddressee, StepDecision, StepUnit
from hub.schema.work.work_items import WorkItem, WorkItemStatus, WorkStep, WorkStepStatus
from hub.viewer import ADMIN, Viewer

CLOCK = "STEP"
OWNER_COLUMNS = ("customer_id", "unit_id", "staff_id", "audience")  # that steps share with their item

_PROCESS = "select code, max_rounds from processes where id = $1"
_RULES = "select * from process_steps where process_id = $1 order by position"
_PAST = """
select p.code, s.round, s.decided_by_id from work_steps as s join process_steps as p on p.id = s.step_id
where s.item_id = $1 and s.status = 'DECIDED'
"""
_OPEN = "select id, step_id from work_steps where item_id = $1 and status = 'OPEN' order by position, voter"
_VOTES = """
select decision from work_steps where item_id = $1 and step_id = $2 and round = $3 and status = 'DECIDED'
"""
_DUE = "select due_at from clocks where id = $1"
_DEPENDENTS = """
select i.id from work_item_dependencies as d join work_items as i on i.id = d.item_id
where d.predecessor_id = $1 and i.status = 'WAITING' order by i.id
"""
_WAITS = """
select exists (select from work_item_dependencies as d join work_items as i on i.id = d.predecessor_id
where d.item_id = $1 and i.status in ('WAITING', 'OPEN'))
"""


@dataclass(slots=True)
class ItemFlow:
    """A locked item and its process; `viewer` is who moves it on."""

    tx: Connection
    viewer: Viewer
    now: datetime
    item: dict[str, Any]
    rules: ProcessRules
    past: list[PastDecision] = field(default_factory=list)

    @property
    def key(self) -> UUID:
        """The item's key."""
        key: UUID = self.item["id"]
        return key

    def reasons_against(self, rule: StepRule) -> dict[UUID, str]:
        """The people who cannot decide a step in this round, each with the reason."""
        return barred(rule, self.item["opened_by_id"], self.past, self.item["round"])

    async def change(self, **values: Any) -> None:
        """Changes columns of the item."""
        await rows.update_row(self.tx, ADMIN, WorkItem, self.key, values, self.now)
        self.item |= values


async def lock_item(tx: Connection, viewer: Viewer, key: UUID, now: datetime) -> ItemFlow:
    """The item, locked until the transaction ends, with its process and its decisions so far."""
    item = dict(await rows.lock_row(tx, ADMIN, WorkItem, key, "id"))
    rules = await load_rules(tx, item["process_id"])
    past = [PastDecision(row["code"], row["round"], row["decided_by_id"]) for row in await tx.fetch(_PAST, key)]
    return ItemFlow(tx, viewer, now, item, rules, past)


async def load_rules(tx: Connection, process_id: UUID) -> ProcessRules:
    """The steps of a revision of a process."""
    process = await tx.fetchrow(_PROCESS, process_id)
    if process is None:  # the database's policies hide it
        raise rows.not_visible("id")
    steps = tuple(_step_rule(dict(row)) for row in await tx.fetch(_RULES, process_id))
    return ProcessRules(process["code"], process["max_rounds"], steps)


def _step_rule(row: Mapping[str, Any]) -> StepRule:
    copied = ("id", "position", "code", "name", "public_name", "group_name", "role", "unit_id", "returns_to", "quorum")
    also = ("majority", "allows_opener", "authority", "about", "calendar_id")
    goal, criteria = row["goal_seconds"], row["exit_criteria"]
    return StepRule(
        **{name: row[name] for name in (*copied, *also)},
        addressee=StepAddressee(row["addressee"]),
        unit_type=StepUnit(row["unit_type"]),
        decisions=tuple(StepDecision(name) for name in row["decisions"]),
        distinct_from=frozenset(row["distinct_from"]),
        verified=tuple(row["verified"]),
        exit_criteria=None if criteria is None else orjson.loads(criteria),
        goal=None if goal is None else timedelta(seconds=goal),
    )


# -- opening ------------------------------------------------------------------------------------------------------------


async def begin(flow: ItemFlow) -> None:
    """Opens the first steps of an item, and plans what its customer sees of it."""
    planned = [PlannedMilestone(step.code, step.public_name) for step in flow.rules.steps if step.public_name]
    if planned and await _concerns_customer(flow):
        values = _subject_of(flow, "WorkItem", flow.key) | {"audience": Audience.CUSTOMER.value}
        await set_milestones(flow.tx, values, planned, now=flow.now)
    await _open_block(flow, flow.rules.blocks[0])


async def _concerns_customer(flow: ItemFlow) -> bool:
    """Whether the customer sees the row that the item is about."""
    subject = await subject_values(flow.tx, entity_named(flow.item["entity"]), flow.item["row_id"])
    return bool(subject["audience"] == Audience.CUSTOMER)


def _subject_of(flow: ItemFlow, entity: str, key: UUID) -> dict[str, Any]:
    """The columns of rows about the item or one of its steps."""
    owners = {name: flow.item[name] for name in OWNER_COLUMNS}
    return {"entity": entity, "row_id": key, **owners}


async def _open_block(flow: ItemFlow, block: Iterable[StepRule]) -> None:
    """Opens the steps that are open together; those that decide themselves do so at once."""
    block = tuple(block)
    await flow.change(step_id=block[0].id)
    for rule in block:
        await _open_step(flow, rule)
    for rule in block:
        if rule.addressee is StepAddressee.AUTO and await _is_open(flow, rule):
            await _decide_itself(flow, rule)


async def _open_step(flow: ItemFlow, rule: StepRule) -> None:
    """Opens a step: a row, a clock and a notification for each voter, as far as they are known."""
    reasons = flow.reasons_against(rule)
    addressing = await addressed(flow.tx, rule, flow.item, reasons, flow.now)
    able = tuple(person for person in addressing.staff_ids if person not in reasons)
    keys: dict[UUID | None, UUID] = {}
    for number, person in enumerate(voters(rule.quorum, able), 1):
        key = await _insert_step(flow, rule, addressing, number, person)
        keys.setdefault(person, key)
    if rule.addressee is StepAddressee.AUTO:
        return
    for person in able:
        key = keys[person] if person in keys else keys[None]
        await notify_of_step(flow, key, rule, [person])
    if len(able) < rule.quorum:
        await _report_missing(flow, rule, addressing, keys[None])


async def _insert_step(
    flow: ItemFlow, rule: StepRule, addressing: Addressing, number: int, person: UUID | None
) -> UUID:
    """Inserts a step, and starts its clock, whose goal is the step's; a policy may match the row that there is then."""
    row = {name: flow.item[name] for name in OWNER_COLUMNS}
    row |= {"item_id": flow.key, "step_id": rule.id, "position": rule.position, "round": flow.item["round"]}
    row |= {"voter": number, "role": rule.role, "status": WorkStepStatus.OPEN, "opened_at": flow.now}
    row |= {"addressee_id": person, "working_unit_id": addressing.unit_id}
    key = await rows.insert_row(flow.tx, ADMIN, WorkStep, row, flow.now)
    if rule.addressee is not StepAddressee.AUTO:
        values = _subject_of(flow, "WorkStep", key)
        if values["audience"] != Audience.PERSON:  # the person who does it is the one whom escalations mean
            values["staff_id"] = person
        clock = await start_clock(flow.tx, values, CLOCK, now=flow.now, goal=rule.goal, calendar_id=rule.calendar_id)
        due_at = None if clock is None else await flow.tx.fetchval(_DUE, clock)
        if due_at is not None:
            await rows.update_row(flow.tx, ADMIN, WorkStep, key, {"due_at": due_at}, flow.now)
    return key


@shows_due(WorkStep, "due_at", CLOCK)
def _due(due_at: datetime | None) -> dict[str, datetime | None]:
    return {"due_at": due_at}


async def notify_of_step(flow: ItemFlow, key: UUID, rule: StepRule, people: list[UUID]) -> None:
    """Notifies people of a step that is addressed to them."""
    await _notify(flow, key, people, NotificationType.ASSIGNED, f"{flow.item['title']}: {rule.name}", rule.role)


async def _notify(
    flow: ItemFlow, key: UUID, people: list[UUID], type: NotificationType, text: str, role: str | None
) -> None:
    values = _subject_of(flow, "WorkStep", key)
    await notify(flow.tx, values, staff_ids=people, type=type, text=text, now=flow.now, role=role)


async def _report_missing(flow: ItemFlow, rule: StepRule, addressing: Addressing, key: UUID) -> None:
    """Tells the head of the unit that a step waits for somebody; it can be decided as soon as there is one."""
    chief = None if addressing.unit_id is None else await head_of(flow.tx, addressing.unit_id, now=flow.now)
    if chief is not None and chief not in addressing.staff_ids:
        text = (
            f"{flow.item['title']}: {rule.name} waits for somebody{f' with the role {rule.role}' if rule.role else ''}"
        )
        await _notify(flow, key, [chief], NotificationType.DEVIATION, text, None)


async def _is_open(flow: ItemFlow, rule: StepRule) -> bool:
    return any(row["step_id"] == rule.id for row in await flow.tx.fetch(_OPEN, flow.key))


# -- decisions ----------------------------------------------------------------------------------------------------------


async def _decide_itself(flow: ItemFlow, rule: StepRule) -> None:
    """Decides an AUTO step by its exit criteria. In the last round nothing goes back: it rejects then."""
    decision = StepDecision.DONE
    criteria, subject = rule.exit_criteria, flow.item["row_id"]
    if criteria is not None and not await stored_filters.matches(flow.tx, rule.about, criteria, subject):
        decision = StepDecision.RETURN if StepDecision.RETURN in rule.decisions else StepDecision.REJECT
        if flow.item["round"] >= flow.rules.max_rounds:
            decision = StepDecision.REJECT
    for row in await flow.tx.fetch(_OPEN, flow.key):
        if row["step_id"] == rule.id:
            await close_step(flow, row["id"], rule, decision, None, None)
    await go_on(flow, rule, decision)


async def close_step(
    flow: ItemFlow, key: UUID, rule: StepRule, decision: StepDecision, note: str | None, person: UUID | None
) -> None:
    """Closes an open step by the decision of a person, or of nobody for an AUTO step; its clock stops."""
    columns = {"decision": decision, "note": note, "decided_by_id": person}
    status = WorkStepStatus.DECIDED
    await move_row(flow.tx, flow.viewer, WorkStep, key, "status", status, now=flow.now, columns=columns)
    await stop_clock(flow.tx, WorkStep, key, CLOCK, flow.now)
    flow.past.append(PastDecision(rule.code, flow.item["round"], person))


async def settle(flow: ItemFlow, rule: StepRule) -> StepDecision | None:
    """Goes on if the votes so far decide a step; returns how, None while they do not."""
    votes = await flow.tx.fetch(_VOTES, flow.key, rule.id, flow.item["round"])
    decision = rule.outcome(StepDecision(row["decision"]) for row in votes)
    if decision is not None:
        await _skip(flow, rule)
        await go_on(flow, rule, decision)
    return decision


async def _skip(flow: ItemFlow, rule: StepRule | None = None) -> None:
    """Skips the open votes of a step that is decided; without a step, all that is open, whose clocks are void."""
    for row in await flow.tx.fetch(_OPEN, flow.key):
        if rule is None or row["step_id"] == rule.id:
            status = WorkStepStatus.SKIPPED
            columns = {"decision": None}
            await move_row(flow.tx, flow.viewer, WorkStep, row["id"], "status", status, now=flow.now, columns=columns)
            end_clock = void_clock if rule is None else stop_clock
            await end_clock(flow.tx, WorkStep, row["id"], CLOCK, flow.now)


async def go_on(flow: ItemFlow, rule: StepRule, decision: StepDecision) -> None:
    """What follows a step that is decided as a whole."""
    if decision in FORWARD:
        if rule.public_name is not None:
            await reach_milestone(flow.tx, "WorkItem", flow.key, rule.code, flow.now)
        still_open = await flow.tx.fetch(_OPEN, flow.key)
        if still_open:
            await flow.change(step_id=still_open[0]["step_id"])
            return
        block = flow.rules.block_after(rule)
        await (end(flow, WorkItemStatus.DONE) if block is None else _open_block(flow, block))
    elif decision is StepDecision.RETURN:
        await _go_back(flow, rule)
    else:
        await end(flow, WorkItemStatus.REJECTED)


async def _go_back(flow: ItemFlow, rule: StepRule) -> None:
    """Opens the step to which a step returns, in another round."""
    assert rule.returns_to is not None
    await _skip(flow)
    await flow.change(round=flow.item["round"] + 1)
    milestone = flow.rules.milestone_from(rule.returns_to)
    if milestone is not None:
        await return_to_milestone(flow.tx, "WorkItem", flow.key, milestone, flow.now)
    await _open_block(flow, flow.rules.block_with(rule.returns_to))


async def end(flow: ItemFlow, status: WorkItemStatus, reason: str | None = None) -> None:
    """Ends an item: what is open is skipped, and items that waited for it begin."""
    await _skip(flow)
    await _move_item(flow, status, reason)
    await _notify_opener(flow)
    if status is not WorkItemStatus.DONE:
        await skip_milestones(flow.tx, "WorkItem", flow.key, flow.now)
    for row in await flow.tx.fetch(_DEPENDENTS, flow.key):
        await begin_if_free(await lock_item(flow.tx, flow.viewer, row["id"], flow.now))


async def _notify_opener(flow: ItemFlow) -> None:
    """Tells the opener how the item ended, unless the opener itself ended it."""
    opener = flow.item["opened_by_id"]
    if opener is not None and opener != flow.viewer.staff_id:
        about, text = _subject_of(flow, "WorkItem", flow.key), f"{flow.item['title']} ended: {flow.item['status']}"
        await notify(flow.tx, about, staff_ids=[opener], type=NotificationType.COPY, text=text, now=flow.now)


async def begin_if_free(flow: ItemFlow) -> None:
    """Begins a waiting item if all that must end before it has ended.

    The item is locked before its predecessors are read: of two that end at once, the later one begins it."""
    if flow.item["status"] == WorkItemStatus.WAITING and not await flow.tx.fetchval(_WAITS, flow.key):
        await _move_item(flow, WorkItemStatus.OPEN, None)
        await begin(flow)


async def _move_item(flow: ItemFlow, status: WorkItemStatus, reason: str | None) -> None:
    columns = {"step_id": flow.item["step_id"]}
    await move_row(
        flow.tx, flow.viewer, WorkItem, flow.key, "status", status, now=flow.now, reason=reason, columns=columns
    )
    flow.item["status"] = status.value


# -- guards -------------------------------------------------------------------------------------------------------------


@guards(WorkItem, "status", "OPEN")
@guards(WorkItem, "status", "DONE")
@guards(WorkItem, "status", "REJECTED")
@guards(WorkItem, "status", "WITHDRAWN")
def moved_by_its_process(write: Write) -> None:
    """An item moves with its steps, and not by itself: whoever moves it says at which step it is."""
    if "step_id" not in write.values:
        raise BadInput("status: its process moves an item; decide its steps.", code="MOVE_INVALID", argument="status")


@guards(WorkStep, "status", "DECIDED")
@guards(WorkStep, "status", "SKIPPED")
def closed_by_its_process(write: Write) -> None:
    """A step closes with a decision, its own or that of others, so that the item goes on."""
    if "decision" not in write.values:
        raise BadInput("status: a step closes by a decision; decide it.", code="MOVE_INVALID", argument="status")
