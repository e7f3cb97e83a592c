"""Tasks: what a member of staff has to do, by when: calls, visits, meetings. Rules and commands: hub/domain/work/tasks.py."""

from datetime import datetime

from hub.model import (
    GLOBAL,
    MOVE,
    ClockRule,
    Column,
    DescribedEnum,
    Entity,
    PersonalData,
    Workflow,
    any_of,
    field,
    index,
    move,
    state,
    to_one,
    unique,
    unit_or_person,
    validators,
)
from hub.schema.customers.customers import Customer
from hub.schema.engagement.interactions import Interaction
from hub.schema.organisation.staff import Staff
from hub.schema.organisation.units import OrgUnit
from hub.schema.work.clocks import Clock


class TaskType(DescribedEnum):
    CALL = "CALL", "A call."
    VISIT = "VISIT", "A visit to a customer."
    MEETING = "MEETING", "A meeting."
    FOLLOW_UP = "FOLLOW_UP", "A reminder to take something up again."
    REVIEW = "REVIEW", "A look at what was done."
    CORRECTIVE = "CORRECTIVE", "Something went wrong and is put right."
    TRAINING = "TRAINING", "Learning or teaching."
    OTHER = "OTHER", "Anything else."


class TaskCategory(DescribedEnum):
    SALES = "SALES", "Work with customers."
    INTERNAL = "INTERNAL", "Work inside the organisation."
    CLERICAL = "CLERICAL", "Paperwork."


class TaskOrigin(DescribedEnum):
    PERSON = "PERSON", "A person or a system created it."
    POLICY = "POLICY", "A policy created it, because a promise was at risk."


class TaskStatus(Workflow, initial=("OPEN",), history=True):
    OPEN = (
        "OPEN",
        state("It has to be done.", to=(move("DONE", takes=("result", "minutes")), move("DROPPED", reason=True))),
    )
    DONE = "DONE", state("It is done.", to=("OPEN",), stamps="done_at")
    DROPPED = "DROPPED", state("It is not needed any more.", to=("OPEN",))


class Task(
    Entity,
    prefix="tsk",
    owned_by=unit_or_person,
    writable_by=("unit",),
    subject_of=("Clock", "Notification"),
    clocks=(ClockRule("HANDLING", runs=("OPEN",), stops=("DONE",), voids=("DROPPED",)),),
    order="-created_at",
    merge=MOVE,
    unique=(unique("clock_id", "due_at", among=GLOBAL),),
    checks={"minutes_is_a_duration": "minutes between 0 and 100000"},
    indexes=(
        index("staff_id", "due_at", where="status = 'OPEN'", name="open"),
        index("reminds_at", where="reminds_at is not null and status = 'OPEN'", name="reminds_at"),
    ),
):
    """Something that a member of staff has to do, or did."""

    type: Column[TaskType] = field("What is to be done.", default=TaskType.OTHER, personal=PersonalData.BEHAVIOUR)
    category: Column[TaskCategory] = field(
        "The part of the work that it belongs to.", server_filled=True, personal=PersonalData.BEHAVIOUR
    )
    title: Column[str] = field(
        "What is to be done, in one line; a new one is called after its type where it is left out.",
        check=validators.single_line,
        server_filled=True,
        personal=PersonalData.FREE_TEXT,
    )
    due_at: Column[datetime | None] = field(
        "Time by which it must be done.", sortable=True, null_as="infinity", personal=PersonalData.BEHAVIOUR
    )
    minutes: Column[int | None] = field("Minutes that it takes or took.", personal=PersonalData.BEHAVIOUR)
    status: Column[TaskStatus] = field("Whether it is done.", default=TaskStatus.OPEN, personal=PersonalData.BEHAVIOUR)
    result: Column[str | None] = field("What came of it.", check=validators.multi_line, personal=PersonalData.FREE_TEXT)
    done_at: Column[datetime | None] = field(
        "Time when it was done first.",
        sortable=True,
        null_as="infinity",
        writable="command",
        personal=PersonalData.BEHAVIOUR,
    )
    origin: Column[TaskOrigin] = field(
        "Who created it.", default=TaskOrigin.PERSON, writable="command", personal=PersonalData.NOT_PERSONAL
    )
    # When its person is reminded; cleared when that is done.
    reminds_at: Column[datetime | None] = field(
        "Time at which its person is reminded.",
        computed=True,
        hidden=True,
        unlogged=True,
        personal=PersonalData.BEHAVIOUR,
    )
    subject = any_of(
        "The row that it is about, beside its customer.",
        inverse=("work_tasks", "What has to be done about it."),
        optional=True,
    )
    clock = to_one(
        Clock,
        "The clock whose policy created it.",
        optional=True,
        on_delete="set null",
        writable="command",
    )
    customer = to_one(
        Customer,
        "The customer whom it is about.",
        optional=True,
        inverse=("tasks", "What we have to do for the customer."),
        on_delete="cascade",
        index="not null",
    )
    staff = to_one(
        Staff,
        "The person who has to do it; the person who asks where it is left out.",
        inverse=("tasks", "What the person has to do."),
        server_filled=True,
    )
    unit = to_one(
        OrgUnit,
        "The unit that it belongs to: the customer's, else that of its person.",
        inverse=("tasks", "What the people of the unit have to do."),
        writable="command",
    )
    interaction = to_one(
        Interaction,
        "The interaction that came of it.",
        optional=True,
        on_delete="set null",
        writable="command",
        index="not null",
    )
