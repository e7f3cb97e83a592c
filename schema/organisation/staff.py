"""Members of staff."""

from datetime import date

from hub.model import GLOBAL, SELF, Column, Entity, PersonalData, field, to_one, unit_owned, validators
from hub.schema.organisation.units import OrgUnit


class Staff(
    Entity,
    prefix="stf",
    subject_of=("WorkItem",),
    table="staff",
    plural="staffMembers",
    owned_by=unit_owned,
    permission="org",
    order="name",
    sortable=("updated_at",),
    me="staff_id",
):
    """A person of the organisation who may own customers."""

    number: Column[str] = field(
        "Personnel number.",
        unique=GLOBAL,
        check=validators.single_line,
        writable="create",
        personal=PersonalData.IDENTIFIER,
    )
    name: Column[str] = field("Full name.", check=validators.single_line, sortable=True, personal=PersonalData.NAME)
    title: Column[str | None] = field("Job title.", check=validators.single_line, personal=PersonalData.PROFILE)
    email: Column[str | None] = field(
        "Address for business mail.", check=validators.email, personal=PersonalData.CONTACT
    )
    hired_on: Column[date | None] = field("First day of work.", personal=PersonalData.PROFILE)
    left_on: Column[date | None] = field(
        "Last day of work; from the next day (UTC), no key of the person opens the API.", personal=PersonalData.PROFILE
    )
    unit = to_one(OrgUnit, "The unit where the person works.", inverse=("staff", "The people who work in the unit."))
    reports_to = to_one(
        SELF, "The person's superior.", optional=True, inverse=("reports", "The people who report to the person.")
    )
