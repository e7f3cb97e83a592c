"""Teams: people who work together beside the tree of units, as salespeople, a committee or a shift."""

from datetime import datetime

from hub.model import (
    GLOBAL,
    Column,
    DescribedEnum,
    Entity,
    PersonalData,
    Workflow,
    every_unit,
    field,
    move,
    state,
    to_one,
    validators,
)
from hub.schema.organisation.staff import Staff
from hub.schema.organisation.units import OrgUnit


class TeamType(DescribedEnum):
    SALES = "SALES", "Sells together."
    COMMITTEE = "COMMITTEE", "Decides together."
    SHIFT = "SHIFT", "Works at the same hours."


class TeamStatus(Workflow, initial=("ACTIVE",), history=True):
    ACTIVE = "ACTIVE", state("It works.", to=(move("ENDED", reason=True),))
    ENDED = "ENDED", state("It works no longer.", to=(move("ACTIVE", reason=True),), stamps="ended_at")


class Team(
    Entity,
    prefix="tea",
    subject_of=("WorkItem",),
    owned_by=every_unit,
    permission="org",
    order="name",
    sortable=("updated_at",),
):
    """People who work together beside the tree of units."""

    code: Column[str] = field(
        "Short unique name: letters, digits and underscores.",
        unique=GLOBAL,
        check=validators.slug,
        writable="create",
        personal=PersonalData.NOT_PERSONAL,
    )
    name: Column[str] = field(
        "Name of the team.", check=validators.single_line, sortable=True, personal=PersonalData.NOT_PERSONAL
    )
    motto: Column[str | None] = field(
        "What the team says of itself, in one line.", check=validators.single_line, personal=PersonalData.NOT_PERSONAL
    )
    type: Column[TeamType] = field("What the people do together.", personal=PersonalData.NOT_PERSONAL)
    status: Column[TeamStatus] = field("Whether it works.", default=TeamStatus.ACTIVE)
    ended_at: Column[datetime | None] = field("When it ended first.", writable="command")
    unit = to_one(OrgUnit, "The unit that the team belongs to.", inverse=("teams", "The teams of the unit."))
    sponsor = to_one(
        Staff,
        "The member of staff who stands up for the team.",
        optional=True,
        inverse=("sponsored_teams", "The teams that the person stands up for."),
    )
