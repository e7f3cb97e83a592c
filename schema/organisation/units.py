"""Units of the organisation, a tree."""

from hub.model import GLOBAL, SELF, Column, DescribedEnum, Entity, PersonalData, field, to_one, unit_itself, validators


class UnitKind(DescribedEnum):
    GROUP = "GROUP", "The whole organisation."
    COMPANY = "COMPANY", "A company or a region of the group."
    BRANCH = "BRANCH", "A branch of a company."
    OUTLET = "OUTLET", "A shop or territory, the leaf of the tree."


class OrgUnit(
    Entity,
    prefix="unt",
    subject_of=("WorkItem",),
    owned_by=unit_itself,
    permission="org",
    operations=("update", "delete"),
    order="name",
    sortable=("updated_at",),
):
    """A unit of the organisation: group, company, branch or outlet."""

    code: Column[str] = field(
        "Short unique name, the last label of the path.",
        unique=GLOBAL,
        writable="command",
        personal=PersonalData.NOT_PERSONAL,
    )
    name: Column[str] = field(
        "Name of the unit.", check=validators.single_line, sortable=True, personal=PersonalData.NOT_PERSONAL
    )
    kind: Column[UnitKind] = field("Level in the tree.")
    parent = to_one(
        SELF,
        "The unit above; empty for the root.",
        optional=True,
        inverse=("units", "The units directly below."),
        tree="path",
        label="code",
    )
