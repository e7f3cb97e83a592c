"""Processes: the steps that work takes. Only commands write them: hub/domain/work/processes.py. Items keep their revision."""

from decimal import Decimal

from hub.model import (
    GLOBAL,
    Column,
    DescribedEnum,
    Entity,
    Json,
    PersonalData,
    every_unit,
    field,
    stored_filter,
    to_one,
    unique,
)
from hub.schema.organisation.units import OrgUnit
from hub.schema.work.calendars import Calendar
from hub.schema.work.code_rules import CodeRule


class ProcessType(DescribedEnum):
    APPROVAL = "APPROVAL", "A chain of decisions, such as a credit."
    ORDER = "ORDER", "An order to a department, such as a repair."
    PIPELINE = "PIPELINE", "Stages with a probability, such as a deal."
    PROGRAMME = "PROGRAMME", "Work of a larger plan, whose items wait for others."


class ProcessStatus(DescribedEnum):
    DRAFT = "DRAFT", "Being put together: nothing can be opened by it."
    ACTIVE = "ACTIVE", "In force: new items are opened by it. One revision of a code is."
    RETIRED = "RETIRED", "Replaced or given up: open items go on by it, new ones do not begin."


class StepAddressee(DescribedEnum):
    """Whose work a step is."""

    ROLE = "ROLE", "Who has the step's role in its unit."
    OWNER = "OWNER", "Who looks after the customer; without one, the head of the unit."
    OPENER = "OPENER", "Who opened the item; if a system did, the head of the unit."
    UNIT_HEAD = "UNIT_HEAD", "The head of the unit."
    AUTO = "AUTO", "Nobody: the step decides itself by its exit criteria when it opens."


class StepUnit(DescribedEnum):
    """The unit in which a step is done."""

    OWN = "OWN", "The item's unit."
    PARENT = "PARENT", "The unit above the item's; its own at the root."
    NAMED = "NAMED", "The unit that the step names."


class StepDecision(DescribedEnum):
    """How a step ends."""

    APPROVE = "APPROVE", "Approved: the item goes on."
    DONE = "DONE", "The work is done: the item goes on."
    REJECT = "REJECT", "Rejected: the item ends."
    RETURN = "RETURN", "Back to the step that `returnsTo` names, in another round."


class ForecastCategory(DescribedEnum):
    """How a stage of a pipeline counts in a forecast."""

    OMITTED = "OMITTED", "Not at all."
    PIPELINE = "PIPELINE", "As possible."
    BEST_CASE = "BEST_CASE", "As likely, if all goes well."
    COMMIT = "COMMIT", "As promised."
    CLOSED = "CLOSED", "As won."


class Process(
    Entity,
    prefix="prc",
    owned_by=every_unit,
    operations=(),
    plural="processes",
    order="code",
    sortable=("updated_at",),
    unique=(unique("code", "revision", among=GLOBAL),),
):
    """How work of a kind is done, step by step. A changed definition is a new revision; items go on by their own."""

    code: Column[str] = field(
        "Short name: letters, digits and underscores. All revisions share it.", personal=PersonalData.NOT_PERSONAL
    )
    revision: Column[int] = field("Number of the revision, from 1.", sortable=True)
    name: Column[str] = field("Name of the process.", sortable=True, personal=PersonalData.NOT_PERSONAL)
    type: Column[ProcessType] = field("What it is for.")
    about: Column[str] = field(
        "Name of the type of the rows that its items are about.", personal=PersonalData.NOT_PERSONAL
    )
    status: Column[ProcessStatus] = field("Whether new items are opened by it.")
    max_rounds: Column[int] = field("Rounds that an item takes at most: a RETURN beyond them is refused.")
    code_rule = to_one(CodeRule, "The rule that numbers its items; empty for items without number.", optional=True)


class ProcessStep(
    Entity,
    prefix="prs",
    owned_by=every_unit,
    part_of=Process,
    inverse=("steps", "Its steps, in their order."),
    permission="processes",
    operations=(),
    order="position",
    unique=(unique("process_id", "position", among=GLOBAL), unique("process_id", "code", among=GLOBAL)),
):
    """A step of a process: whose work it is, how it may be decided, by when, and what must hold."""

    position: Column[int] = field("Place in the order, from 1.", sortable=True)
    code: Column[str] = field("Short name within the process.", personal=PersonalData.NOT_PERSONAL)
    name: Column[str] = field("Name of the step, for staff.", personal=PersonalData.NOT_PERSONAL)
    public_name: Column[str | None] = field(
        "Name of the step for the customer, who sees it as a milestone; empty for an internal one.",
        personal=PersonalData.NOT_PERSONAL,
    )
    group_name: Column[str | None] = field(
        "Steps in a row with one group are open at the same time; what follows waits for all of them.",
        personal=PersonalData.NOT_PERSONAL,
    )
    addressee: Column[StepAddressee] = field("Whose work it is.")
    role: Column[str | None] = field("The role of whom it is addressed to.", personal=PersonalData.NOT_PERSONAL)
    unit_type: Column[StepUnit] = field("In which unit it is done.")
    unit = to_one(OrgUnit, "The unit that a NAMED step is done in.", optional=True)
    decisions: Column[list[str]] = field("How it may be decided.", personal=PersonalData.NOT_PERSONAL)
    returns_to: Column[str | None] = field(
        "Code of the earlier step to which RETURN leads.", personal=PersonalData.NOT_PERSONAL
    )
    quorum: Column[int] = field("Voters, each of whom decides once.")
    majority: Column[str | None] = field(
        'Share of the voters who must approve, like "2/3" or "0.75"; empty for more than half.',
        personal=PersonalData.NOT_PERSONAL,
    )
    distinct_from: Column[list[str]] = field(
        "Codes of earlier steps: whoever decided one of them does not decide this one.",
        personal=PersonalData.NOT_PERSONAL,
    )
    allows_opener: Column[bool] = field("Whether the person who opened the item may decide it.")
    authority: Column[str | None] = field(
        "Code of the authority that whoever decides needs, up to the item's amount.", personal=PersonalData.NOT_PERSONAL
    )
    verified: Column[list[str]] = field(
        "Fields of the subject that must be verified before the item goes on.", personal=PersonalData.NOT_PERSONAL
    )
    about: Column[str] = field(
        "Type of the rows that the exit criteria filter.", hidden=True, personal=PersonalData.NOT_PERSONAL
    )
    exit_criteria: Column[Json | None] = stored_filter(
        "Filter that the subject must match before the item goes on; empty for none.", entity_in="about"
    )
    goal_seconds: Column[int | None] = field("Working time in seconds in which it should be decided.")
    calendar = to_one(Calendar, "The calendar by which the goal is counted.", optional=True)
    probability: Column[Decimal | None] = field(
        "Share of the items in this stage that are won, 0 to 1.", precision=(5, 4)
    )
    forecast: Column[ForecastCategory | None] = field("How items in this stage count in a forecast.")
    buyer_step: Column[str | None] = field("What the buyer does in this stage.", personal=PersonalData.NOT_PERSONAL)
