"""The organisation that runs the hub: its tree of units and its staff. Rights are cut along the tree (see scope.py)."""

import sqlalchemy as sa

from hub.domain.tables import Choice, Ltree, choice, entity, reference


class UnitKind(Choice):
    GROUP = "GROUP", "The whole organisation."
    COMPANY = "COMPANY", "A company or a region of the group."
    BRANCH = "BRANCH", "A branch of a company."
    OUTLET = "OUTLET", "A shop or territory, the leaf of the tree."


OrgUnit = entity(
    "org_units",
    sa.Column("code", sa.Text, nullable=False, comment="Short unique name, the last label of the path."),
    sa.Column("name", sa.Text, nullable=False, comment="What people call the unit."),
    sa.Column("kind", choice(UnitKind), nullable=False, comment="Level in the tree."),
    reference("parent_id", "org_units.id", "The unit above; empty for the root.", nullable=True),
    sa.Column("path", Ltree, nullable=False, comment="Codes from the root to the unit, joined by dots."),
    sa.UniqueConstraint("code"),
    sa.CheckConstraint("code ~ '^[A-Za-z0-9_]+$'", name="code_is_a_label"),
    sa.CheckConstraint("subpath(path, -1) = code::ltree", name="path_ends_in_code"),
    sa.CheckConstraint("(parent_id is null) = (nlevel(path) = 1)", name="root_has_no_parent"),
    comment="A unit of the organisation: group, company, branch or outlet.",
)
sa.Index("ix_org_units_path", OrgUnit.c.path, postgresql_using="gist")
sa.Index("uq_org_units_path", OrgUnit.c.path, unique=True)
sa.Index("ix_org_units_parent_id_name_id", OrgUnit.c.parent_id, OrgUnit.c.name, OrgUnit.c.id)
sa.Index("ix_org_units_name_id", OrgUnit.c.name, OrgUnit.c.id)

Staff = entity(
    "staff",
    sa.Column("number", sa.Text, nullable=False, comment="Personnel number."),
    sa.Column("name", sa.Text, nullable=False, comment="Full name."),
    sa.Column("title", sa.Text, comment="Job title."),
    sa.Column("email", sa.Text, comment="Address for business mail."),
    sa.Column("hired_on", sa.Date, comment="First day of work."),
    reference("unit_id", "org_units.id", "The unit where the person works."),
    reference("reports_to_id", "staff.id", "The person's superior.", nullable=True),
    sa.UniqueConstraint("number"),
    comment="A person of the organisation who may own customers.",
)
sa.Index("ix_staff_unit_id_name_id", Staff.c.unit_id, Staff.c.name, Staff.c.id)
sa.Index("ix_staff_reports_to_id_name_id", Staff.c.reports_to_id, Staff.c.name, Staff.c.id)
sa.Index("ix_staff_name_id", Staff.c.name, Staff.c.id)
