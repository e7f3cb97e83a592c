"""Work items and their steps: work that is done by a process. Only commands write them: hub/domain/work/work_items.py."""

from datetime import datetime
from uuid import UUID

from hub.model import (
    GLOBAL,
    Column,
    Entity,
    Json,
    MoneyAmount,
    PersonalData,
    Workflow,
    any_of,
    field,
    index,
    move,
    state,
    to_one,
    unique,
    validators,
    work_item,
    work_item_part,
    work_step,
)
from hub.schema.organisation.staff import Staff
from hub.schema.organisation.units import OrgUnit
from hub.schema.work.processes import Process, ProcessStep, StepDecision

# Only hub/domain/work/item_flow.py makes these moves, which guards see to: escalations do not.
_ENDS = tuple(move(name, by_hub=True, guarded=True) for name in ("DONE", "REJECTED"))
_WITHDRAWN = move("WITHDRAWN", by_hub=True, guarded=True, reason=True)
_CLOSED = tuple(move(name, by_hub=True, guarded=True) for name in ("DECIDED", "SKIPPED"))


class WorkItemStatus(Workflow, initial=("WAITING", "OPEN"), history=True):
    WAITING = "WAITING", state("Other items must end first.", to=(move("OPEN", by_hub=True, guarded=True), _WITHDRAWN))
    OPEN = "OPEN", state("Being worked on, step by step.", to=(*_ENDS, _WITHDRAWN))
    DONE = "DONE", state("Its last step is done.", stamps="closed_at")
    REJECTED = "REJECTED", state("A step rejected it.", stamps="closed_at")
    WITHDRAWN = "WITHDRAWN", state("Given up by a person.", stamps="closed_at")


class WorkStepStatus(Workflow, initial=("OPEN",), history=True):
    OPEN = "OPEN", state("Waits for a decision.", to=_CLOSED)
    DECIDED = "DECIDED", state("Somebody decided it.", stamps="decided_at")
    SKIPPED = "SKIPPED", state("Its decision is not needed any more.", stamps="decided_at")


class WorkItem(
    Entity,
    prefix="wit",
    owned_by=work_item(inverse=("work_items", "Work about the customer and what is the customer's, latest first.")),
    operations=(),
    writable_by=("unit",),
    order="-opened_at",
    sortable=("updated_at",),
    search=("title", "number"),
    timeline="opened_at",
    unique=(unique("cause_id", "process_id", among=GLOBAL),),
    checks={
        "amount_has_a_currency": "(amount is null) = (currency is null)",
        "amount_is_not_negative": "amount >= 0",
    },
    subject_of=("Clock", "Milestone", "Notification", "Task"),
):
    """Work about a row, done by a process: an application, an order, a promotion. Customers do not see it."""

    subject = any_of("What it is about.", inverse=("work_items", "Work about it, latest first."))
    number: Column[str | None] = field(
        "Its number, by the code rule of the process; empty without one.",
        unique=GLOBAL,
        upsert_key=False,
        personal=PersonalData.NOT_PERSONAL,
    )
    title: Column[str] = field("What is to be done.", check=validators.single_line, personal=PersonalData.FREE_TEXT)
    amount: Column[MoneyAmount | None] = field(
        "The amount that is decided on; who decides needs the authority for it.", personal=PersonalData.FINANCIAL
    )
    currency: Column[str | None] = field("ISO 4217 code of its currency.", personal=PersonalData.FINANCIAL)
    facts: Column[Json] = field(
        "Free facts, a JSON object.",
        check=validators.json_object_value,
        server_default={},
        filterable=False,
        personal=PersonalData.FREE_TEXT,
    )
    status: Column[WorkItemStatus] = field("Where it is.", default=WorkItemStatus.OPEN, personal=PersonalData.BEHAVIOUR)
    round: Column[int] = field("Its round: 1, and one more for each RETURN.", personal=PersonalData.BEHAVIOUR)
    opened_at: Column[datetime] = field("Time of opening.", sortable=True, personal=PersonalData.BEHAVIOUR)
    closed_at: Column[datetime | None] = field(
        "Time at which it ended.", writable="command", personal=PersonalData.BEHAVIOUR
    )
    cause_id: Column[UUID | None] = field(
        "Key of what made the hub open it.", hidden=True, personal=PersonalData.NOT_PERSONAL
    )
    process = to_one(Process, "The revision of the process that it goes by.", inverse=("work_items", "Its items."))
    step = to_one(ProcessStep, "The step that it is at; the last one of an item that ended.", optional=True)
    opened_by = to_one(
        Staff,
        "The person who opened it; empty for the hub.",
        optional=True,
        inverse=("opened_work_items", "The work items that the person opened."),
    )


class WorkStep(
    Entity,
    prefix="wst",
    owned_by=work_step,
    part_of=WorkItem,
    parent=("item", "The item that it is a step of."),
    inverse=("steps", "Its steps so far, one for each voter and round."),
    permission="work_items",
    operations=(),
    writable_by=("unit",),
    order="opened_at",
    unique=(unique("item_id", "step_id", "round", "voter", among=GLOBAL),),
    indexes=(index("status", "opened_at"),),
    subject_of=("Clock", "Notification"),
):
    """A step of an item that somebody decides. A step with several voters has a row for each of them."""

    position: Column[int] = field("Place of the step in its process.", personal=PersonalData.NOT_PERSONAL)
    round: Column[int] = field("The item's round.", personal=PersonalData.NOT_PERSONAL)
    voter: Column[int] = field("Number of the voter, from 1.", personal=PersonalData.NOT_PERSONAL)
    role: Column[str | None] = field("The role of whom it is addressed to.", personal=PersonalData.NOT_PERSONAL)
    status: Column[WorkStepStatus] = field(
        "Whether it is decided.", default=WorkStepStatus.OPEN, personal=PersonalData.BEHAVIOUR
    )
    decision: Column[StepDecision | None] = field("How it was decided.", personal=PersonalData.BEHAVIOUR)
    note: Column[str | None] = field("Why it was decided so.", personal=PersonalData.FREE_TEXT)
    opened_at: Column[datetime] = field("Time of opening.", sortable=True, personal=PersonalData.BEHAVIOUR)
    due_at: Column[datetime | None] = field(
        "Time by which it should be decided: while it is open, that of its clock.",
        sortable=True,
        null_as="infinity",
        personal=PersonalData.BEHAVIOUR,
    )
    decided_at: Column[datetime | None] = field(
        "Time at which it was decided or skipped.", writable="command", personal=PersonalData.BEHAVIOUR
    )
    step = to_one(
        ProcessStep, "The step of the process.", inverse=("work_steps", "The steps of items that are this one.")
    )
    addressee = to_one(
        Staff,
        "The person whose work it is; empty if it is that of all who have the role, or nobody's yet.",
        optional=True,
        inverse=("work_steps", "The steps of work that are the person's."),
    )
    working_unit = to_one(
        OrgUnit,
        "The unit that it is done in.",
        optional=True,
        inverse=("work_steps", "The steps of work that are done in the unit."),
    )
    decided_by = to_one(
        Staff,
        "The person who decided it.",
        optional=True,
        inverse=("decided_steps", "The steps that the person decided."),
    )


class WorkItemDependency(
    Entity,
    prefix="wdp",
    owned_by=work_item_part,
    part_of=WorkItem,
    parent=("item", "The item that waits."),
    inverse=("dependencies", "The items that must end before it begins."),
    permission="work_items",
    writable_by=("unit",),
    operations=(),
    order="created_at",
    unique=(unique("item_id", "predecessor_id", among=GLOBAL),),
):
    """An item that does not begin before another one has ended."""

    predecessor = to_one(
        WorkItem,
        "The item that must end first, in whichever way.",
        on_delete="cascade",
        inverse=("dependents", "The items that wait for this one."),
    )
