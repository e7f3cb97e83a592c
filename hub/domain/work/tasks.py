"""Rules and commands of tasks: who has them, when their person is reminded, and what is recorded when they are done.

The database keeps a task's unit: its customer's, else its person's."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from hub.db.pool import Connection
from hub.domain.work.acting import acting_person
from hub.domain.work.clock_rules import apply_clock_rules
from hub.domain.work.notifications import notify
from hub.errors import BadInput, Forbidden
from hub.model import rows, validators
from hub.model.clock_skew import past_moment
from hub.model.commands import command
from hub.model.moves import move_row
from hub.model.registry import entity_named
from hub.model.rules import Write, checks, computes, resolves_missing
from hub.model.subjects import subject_values
from hub.model.timers import timer
from hub.model.writer import writer_of
from hub.schema.customers.customers import Customer
from hub.schema.engagement.interactions import Channel, Direction, Interaction
from hub.schema.work.notifications import NotificationType
from hub.schema.work.tasks import Task, TaskCategory, TaskStatus, TaskType
from hub.viewer import Viewer

MAX_MINUTES = 100_000

TITLES = {
    TaskType.CALL: "Call",
    TaskType.VISIT: "Visit",
    TaskType.MEETING: "Meeting",
    TaskType.FOLLOW_UP: "Follow up",
    TaskType.REVIEW: "Review",
    TaskType.CORRECTIVE: "Put right",
    TaskType.TRAINING: "Training",
    TaskType.OTHER: "Task",
}
_CREATE_FOR_CLOCK = """
insert into tasks (type, category, title, due_at, reminds_at, origin, clock_id, customer_id, staff_id, entity, row_id, created_at,
    updated_at)
values ($1, $2, $3, $4, $4, 'POLICY', $5, $6, $7, $8, $9, $10, $10)
on conflict (clock_id, due_at) do nothing returning id
"""
_REMIND = "update tasks set reminds_at = null where id = $1 returning staff_id, title"


@checks(Task.minutes)
def _minutes(value: int) -> int:
    if not 0 <= value <= MAX_MINUTES:
        raise ValueError(f"give 0 to {MAX_MINUTES:,} minutes")
    return value


@computes(Task.reminds_at, Task.due_at)
def reminds_at(due_at: datetime | None) -> datetime | None:
    """The person is reminded when the task is due."""
    return due_at


@timer("task.due", Task.c.reminds_at, condition=Task.c.status == sa.literal_column("'OPEN'"))
async def remind(tx: Connection, key: UUID, now: datetime) -> None:
    """Notifies the person of a task that is due, once."""
    task = await tx.fetchrow(_REMIND, key)
    if task is not None:
        about = await subject_values(tx, Task, key)
        text = f"Due: {task['title']}"
        await notify(tx, about, staff_ids=[task["staff_id"]], type=NotificationType.DUE, text=text, now=now)


@resolves_missing(Task, reads=False)
async def person_and_names(tx: Connection, write: Write) -> Mapping[str, Any]:
    """Who asks has the task, and it is called after its type, where the caller says nothing else."""
    missing: dict[str, Any] = {}
    if write.values.get("staff_id") is None:
        missing["staff_id"] = require_person(write.viewer, "staff_id: name the member of staff who has to do it")
    if write.values.get("category") is None:
        has_customer = write.values.get("customer_id") is not None
        missing["category"] = TaskCategory.SALES if has_customer else TaskCategory.INTERNAL
    if write.values.get("title") is None:
        missing["title"] = TITLES[TaskType(write.values["type"])]
    return missing


def require_person(viewer: Viewer, remedy: str) -> UUID:
    """The member of staff who asks; raises Forbidden PERSON_NEEDED for a viewer that is nobody."""
    if viewer.staff_id is None:
        raise Forbidden(f"{remedy}; no member of staff is behind this key.", code="PERSON_NEEDED", argument="staff_id")
    return viewer.staff_id


class TaskDonePayload(NamedTuple):
    """The payload of taskDone."""

    task: Annotated[UUID, Task, "The task as it is now."]
    interaction: Annotated[UUID | None, Interaction, "The interaction that was recorded; null without `channel`."]


@command("taskDone", bulk_name="tasksDone")
async def finish_task(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID | None, Task, "The task; without it, one is created that is done already."] = None,
    customer_id: Annotated[UUID | None, Customer, "The customer of a task that is created."] = None,
    type: Annotated[TaskType | None, "What was done, of a task that is created."] = None,
    title: Annotated[str | None, "The title of a task that is created; its type says it by default."] = None,
    result: Annotated[str | None, "What came of it."] = None,
    minutes: Annotated[int | None, "Minutes that it took."] = None,
    done_at: Annotated[datetime | None, "Time when it was done; now by default."] = None,
    channel: Annotated[
        Channel | None,
        "The channel, to record an interaction with the task's customer as well; it has the result as text.",
    ] = None,
    direction: Annotated[Direction, "The direction of that interaction."] = Direction.OUTBOUND,
    now: datetime,
) -> TaskDonePayload:
    """Says that a task is done. A visit that nobody planned takes three fields: customer, type and result."""
    moment = past_moment("done_at", done_at, now)
    named = {"customer_id": customer_id, "type": type, "title": title}
    if id is None:
        if type is None:
            message = "id: name the task, or a `type` and what was done to create one."
            raise BadInput(message, code="ARGUMENT_MISSING", argument="id")
        Task.require(viewer, "create")
        acting_person(viewer)  # whose task it becomes: it has no argument that names another one
        values = {name: value for name, value in named.items() if value is not None}
        id = await writer_of(Task).create(tx, viewer, values, now)
    elif any(value is not None for value in named.values()):
        argument = next(name for name, value in named.items() if value is not None)
        message = f"{argument}: the task has one; leave it out, or use taskUpdate."
        raise BadInput(message, argument=argument)
    Task.require(viewer, "update")
    row = dict(await rows.lock_row(tx, viewer, Task, id, "id"))
    supplied = {"result": result, "minutes": minutes}
    checked = writer_of(Task).canonical({name: value for name, value in supplied.items() if value is not None})
    interaction = None
    if channel is not None:
        interaction = await _record(tx, viewer, row, channel, direction, checked.get("result"), moment, now)
    columns = {**checked, "done_at": row["done_at"] or moment}
    columns |= {} if interaction is None else {"interaction_id": interaction}
    fields = (*checked, *([] if done_at is None else ["done_at"]))
    async with rows.updating(tx, viewer, Task, id, fields=fields):
        move = move_row(tx, viewer, Task, id, "status", TaskStatus.DONE, now=now, columns=columns)
        await rows.blaming_id("status", move)
    return TaskDonePayload(id, interaction)


async def _record(
    tx: Connection,
    viewer: Viewer,
    task: Mapping[str, Any],
    channel: Channel,
    direction: Direction,
    result: str | None,
    moment: datetime,
    now: datetime,
) -> UUID:
    """Records the interaction that a task was; returns its key."""
    Interaction.require(viewer, "create")
    if task["customer_id"] is None:
        message = "channel: the task is about no customer, so there is no interaction to record; leave it out."
        raise BadInput(message, argument="channel")
    values = {
        "customer_id": task["customer_id"],
        "channel": channel,
        "direction": direction,
        "kind": f"task.{str(task['type']).lower()}",
        "subject": task["title"],
        "body": result,
        "occurred_at": moment,
        "staff_id": task["staff_id"],
    }
    written = {name: value for name, value in values.items() if value is not None}
    return await rows.insert_row(tx, viewer, Interaction, written, now, fields=("channel", "direction", "body"))


def _reference(subject_values: Mapping[str, Any]) -> tuple[str | None, UUID | None]:
    """The entity and key of what a task is about; none for a customer, whom it names, and for what has no tasks."""
    entity = subject_values.get("entity")
    if entity is None or Task.__name__ not in entity_named(entity).definition.options.get("subject_of", ()):
        return None, None
    return entity, subject_values["row_id"]


async def make_task(
    tx: Connection,
    subject_values: Mapping[str, Any],
    *,
    staff_id: UUID,
    title: str,
    due_at: datetime | None,
    now: datetime,
    type: TaskType = TaskType.FOLLOW_UP,
    clock_id: UUID | None = None,
) -> UUID | None:
    """Creates a task of a policy for a person, about the row that `subject_values` name; returns its key.

    None if the clock has its task with this due time already."""
    title = validators.single_line(title)
    customer_id = subject_values.get("customer_id")
    category = TaskCategory.INTERNAL if customer_id is None else TaskCategory.SALES
    columns = (type.value, category.value, title, due_at, clock_id, customer_id, staff_id)
    key: UUID | None = await tx.fetchval(_CREATE_FOR_CLOCK, *columns, *_reference(subject_values), now)
    if key is not None:
        await apply_clock_rules(tx, Task, key, now)
    return key
