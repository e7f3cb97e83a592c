"""Policies of promises: goals in working time, and what happens as they come near. Commands write them, as configuration."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from hub.model import (
    GLOBAL,
    Column,
    DescribedEnum,
    Entity,
    Json,
    PersonalData,
    every_unit,
    field,
    index,
    stored_filter,
    to_one,
    unique,
    validators,
)
from hub.schema.work.calendars import Calendar

NOT_PERSONAL = PersonalData.NOT_PERSONAL


class EscalationAct(DescribedEnum):
    NOTIFY = "NOTIFY", "Notifies the holders of the role, and those of the copied one."
    TASK = "TASK", "Gives the holders of the role a task, and notifies them."
    ORDER = "ORDER", "Opens a work item of the process, and notifies the holders of the role, if there is one."
    MOVE = "MOVE", "Moves the row to another state, if that move is possible, and notifies like NOTIFY."


class EscalationUnit(DescribedEnum):
    OWN = "OWN", "The unit of the row."
    PARENT = "PARENT", "The unit above it; its own if there is none."
    TOP = "TOP", "The unit at the top of the tree."


class SlaPolicy(
    Entity,
    prefix="sla",
    plural="slaPolicies",
    owned_by=every_unit,
    permission="sla_policies",
    operations=("delete",),
    order="position",
    sortable=("updated_at",),
    indexes=(index("clocks_change_at", where="clocks_change_at is not null", name="clocks_change_at"),),
    checks={
        "validity_is_in_order": "valid_from < valid_until",
        "position_is_positive": "position between 1 and 1000000",
    },
):
    """Promises about the rows of one type. Of the policies that match a row, the first by position counts."""

    code: Column[str] = field(
        "Short unique name: letters, digits and underscores.",
        unique=GLOBAL,
        check=validators.slug,
        sortable=True,
        writable="command",
        personal=NOT_PERSONAL,
    )
    name: Column[str] = field(
        "Name of the policy.", check=validators.single_line, writable="command", personal=NOT_PERSONAL
    )
    entity: Column[str] = field("Name of the type whose rows it is about.", writable="command", personal=NOT_PERSONAL)
    match: Column[Json | None] = stored_filter(
        "Filter of the rows that it is about; empty for all rows of the type.", entity_in="entity"
    )
    position: Column[int] = field(
        "Its place among the policies of the type: the first that matches counts.", sortable=True, writable="command"
    )
    valid_from: Column[datetime | None] = field(
        "First moment at which clocks may start by it; empty for always.", writable="command"
    )
    valid_until: Column[datetime | None] = field(
        "Moment from which no clock starts by it; empty for never. Clocks that run go on.", writable="command"
    )
    revision: Column[int] = field("Counts changes of the policy and its parts, from 1.", default=1, writable="command")
    clocks_change_at: Column[datetime | None] = field(
        "When clocks that follow an earlier revision change to this one; empty if there are none.",
        hidden=True,
        unlogged=True,
    )
    clocks_after: Column[UUID | None] = field(
        "Key after which open clocks of other policies are still to be looked at; empty if there are none.",
        hidden=True,
        unlogged=True,
        personal=NOT_PERSONAL,
    )
    rows_after: Column[UUID | None] = field(
        "Key after which open rows are still to be looked at for clocks; empty if there are none.",
        hidden=True,
        unlogged=True,
        personal=NOT_PERSONAL,
    )


class SlaTerm(
    Entity,
    prefix="slt",
    owned_by=every_unit,
    part_of=SlaPolicy,
    parent=("policy", "The policy that it is part of."),
    inverse=("terms", "What it promises, by clock."),
    permission="sla_policies",
    operations=(),
    order="clock",
    unique=(unique("policy_id", "clock", among=GLOBAL),),
    checks={"goal_is_positive": "goal_seconds > 0"},
):
    """A promise: how much working time a clock may use."""

    clock: Column[str] = field("Name of the clock, like STEP or HANDLING.", sortable=True, personal=NOT_PERSONAL)
    goal_seconds: Column[int] = field("Working time until it is due, in seconds.")
    calendar = to_one(
        Calendar,
        "The calendar that counts; empty if all time counts.",
        optional=True,
        inverse=("sla_terms", "The promises that count by it."),
    )


class EscalationRule(
    Entity,
    prefix="esr",
    owned_by=every_unit,
    part_of=SlaPolicy,
    parent=("policy", "The policy that it is part of."),
    inverse=("escalation_rules", "What happens as a clock comes near its goal, or passes it."),
    permission="sla_policies",
    operations=(),
    order="level",
    unique=(unique("policy_id", "clock", "level", among=GLOBAL),),
    checks={
        "one_moment": "num_nonnulls(at_share, at_offset_seconds) = 1",
        "at_share_is_positive": "at_share > 0",
        "level_is_positive": "level between 1 and 30",
        "task_has_a_role": "act not in ('NOTIFY', 'TASK') or role is not null",
        "order_has_a_process": "(act = 'ORDER') = (process is not null)",
        "move_has_a_state": "(act = 'MOVE') = (move_to is not null)",
    },
):
    """A level of escalation: the moment, counted in working time, and the act. Each clock reaches a level once."""

    clock: Column[str] = field("Name of the clock.", personal=NOT_PERSONAL)
    level: Column[int] = field("Number of the level, from 1.", sortable=True)
    at_share: Column[Decimal | None] = field(
        "Share of the goal at which it is reached: 0.8 for 80 percent, 1.5 for half of the goal after it is due.",
        precision=(7, 4),
    )
    at_offset_seconds: Column[int | None] = field(
        "Working time after the due time at which it is reached, in seconds; negative for before."
    )
    act: Column[EscalationAct] = field("What happens.")
    role: Column[str | None] = field("Job role whose holders are notified.", personal=NOT_PERSONAL)
    unit: Column[EscalationUnit] = field("In which unit the holders are looked for.", default=EscalationUnit.OWN)
    copy_role: Column[str | None] = field(
        "Job role whose holders are notified too, for their information.", personal=NOT_PERSONAL
    )
    process: Column[str | None] = field("Code of the process that an ORDER opens.", personal=NOT_PERSONAL)
    move_to: Column[str | None] = field("State that a MOVE leads to.", personal=NOT_PERSONAL)
    text: Column[str | None] = field(
        "Text of the notification or task; the hub writes one if it is empty.",
        check=validators.single_line,
        personal=NOT_PERSONAL,
    )
