"""Job roles: which member of staff is what, of which unit or team, and from when until when."""

from datetime import datetime

from hub.model import NOW, Column, Entity, PersonalData, every_unit, field, index, never_two, to_one, validators
from hub.schema.organisation.staff import Staff
from hub.schema.organisation.units import OrgUnit
from hub.schema.work.teams import Team

# Roles that one person at a time has, of one unit or team.
_SINGLE = "role in ('HEAD', 'CAPTAIN', 'CONTACT')"


class JobRole(
    Entity,
    prefix="jrl",
    owned_by=every_unit,
    permission="org",
    order="-from_at",
    sortable=("updated_at",),
    exactly_one=("unit", "team"),
    lasting=(
        never_two("unit_id", "role", where=_SINGLE),
        never_two("team_id", "role", where=_SINGLE),
        never_two("staff_id", "unit_id", "role"),
        never_two("staff_id", "team_id", "role"),
    ),
    indexes=(index("announces_at", where="announces_at is not null", name="announces_at"),),
):
    """What a member of staff is of a unit or a team, for a time."""

    staff = to_one(
        Staff,
        "Who has the role.",
        inverse=("job_roles", "What the person is, of which unit or team."),
        writable="create",
    )
    role: Column[str] = field(
        "Code of the role. Of HEAD, CAPTAIN and CONTACT a unit or team has one at a time; others are free.",
        check=validators.code,
        writable="create",
        personal=PersonalData.PROFILE,
    )
    unit = to_one(
        OrgUnit,
        "The unit whose role it is.",
        optional=True,
        inverse=("job_roles", "Who is what of the unit."),
        index="not null",
        writable="create",
    )
    team = to_one(
        Team,
        "The team whose role it is.",
        optional=True,
        on_delete="cascade",
        inverse=("job_roles", "Who is what of the team."),
        index="not null",
        writable="create",
    )
    from_at: Column[datetime] = field(
        "When it begins.", default=NOW, sortable=True, writable="create", personal=PersonalData.PROFILE
    )
    to_at: Column[datetime | None] = field("When it ends; empty for no end.", personal=PersonalData.PROFILE)
    announces_at: Column[datetime | None] = field(
        "When the person is notified of open steps that the role may decide; empty once that is done.",
        writable="command",
        hidden=True,
        unlogged=True,
        personal=PersonalData.NOT_PERSONAL,
    )
