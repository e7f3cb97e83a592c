"""Milestones: how far something is, step by step in plain words, for the customer. hub/domain/work/milestones.py writes them."""

from datetime import datetime

from hub.model import (
    GLOBAL,
    MOVE,
    Column,
    DescribedEnum,
    Entity,
    PersonalData,
    any_of,
    field,
    subject,
    unique,
    validators,
)


class MilestoneState(DescribedEnum):
    TODO = "TODO", "Still to come."
    CURRENT = "CURRENT", "It is worked on now."
    DONE = "DONE", "Reached."
    SKIPPED = "SKIPPED", "Left out; it will not come any more."


class Milestone(
    Entity,
    prefix="mst",
    owned_by=subject(inverse=("milestones", "How far the customer's matters are, step by step.")),
    operations=(),
    order="position",
    sortable=("created_at",),
    merge=MOVE,
    unique=(unique("row_id", "code", among=GLOBAL),),
):
    """A step of something that is under way, as its customer sees it."""

    subject = any_of("What it is a step of.", inverse=("milestones", "How far it is, step by step."))
    position: Column[int] = field(
        "Position among the milestones of its subject, from 1.", sortable=True, personal=PersonalData.NOT_PERSONAL
    )
    code: Column[str] = field(
        "Short name, unique for the subject.", check=validators.slug, personal=PersonalData.NOT_PERSONAL
    )
    name: Column[str] = field("Name, in plain words.", check=validators.single_line, personal=PersonalData.NOT_PERSONAL)
    state: Column[MilestoneState] = field("Whether it is reached.", personal=PersonalData.BEHAVIOUR)
    planned_at: Column[datetime | None] = field(
        "Time by which it is expected.", sortable=True, null_as="infinity", personal=PersonalData.BEHAVIOUR
    )
    reached_at: Column[datetime | None] = field(
        "Time when it was reached.", sortable=True, null_as="infinity", personal=PersonalData.BEHAVIOUR
    )
