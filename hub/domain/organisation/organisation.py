"""The organisation that runs the hub: its tree of units and its staff. Rights are cut along the tree (see model/scopes.py)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from hub.db.pool import Connection
from hub.db.sql_text import to_sql
from hub.errors import BadInput
from hub.model import scopes, validators, writer
from hub.model.columns import DescribedEnum, Ltree, entity_table, enum_column, foreign_key
from hub.model.writer import EntityWriter
from hub.viewer import Viewer


class UnitKind(DescribedEnum):
    GROUP = "GROUP", "The whole organisation."
    COMPANY = "COMPANY", "A company or a region of the group."
    BRANCH = "BRANCH", "A branch of a company."
    OUTLET = "OUTLET", "A shop or territory, the leaf of the tree."


OrgUnit = entity_table(
    "org_units",
    sa.Column("code", sa.Text, nullable=False, comment="Short unique name, the last label of the path."),
    sa.Column("name", sa.Text, nullable=False, comment="What people call the unit."),
    sa.Column("kind", enum_column(UnitKind), nullable=False, comment="Level in the tree."),
    foreign_key("parent_id", "org_units.id", "The unit above; empty for the root.", nullable=True),
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

Staff = entity_table(
    "staff",
    sa.Column("number", sa.Text, nullable=False, comment="Personnel number."),
    sa.Column("name", sa.Text, nullable=False, comment="Full name."),
    sa.Column("title", sa.Text, comment="Job title."),
    sa.Column("email", sa.Text, comment="Address for business mail."),
    sa.Column("hired_on", sa.Date, comment="First day of work."),
    foreign_key("unit_id", "org_units.id", "The unit where the person works."),
    foreign_key("reports_to_id", "staff.id", "The person's superior.", nullable=True),
    sa.UniqueConstraint("number"),
    comment="A person of the organisation who may own customers.",
)
sa.Index("ix_staff_unit_id_name_id", Staff.c.unit_id, Staff.c.name, Staff.c.id)
sa.Index("ix_staff_reports_to_id_name_id", Staff.c.reports_to_id, Staff.c.name, Staff.c.id)
sa.Index("ix_staff_name_id", Staff.c.name, Staff.c.id)


def _validate_unit(column_values: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    return validators.check_values(column_values, {"name": validators.single_line})


def _validate_staff(column_values: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    lines = ("number", "name", "title")
    return validators.check_values(
        column_values, {**dict.fromkeys(lines, validators.single_line), "email": validators.email}
    )


ORG_UNIT_WRITER = EntityWriter(
    OrgUnit, subject="org", scope=scopes.unit_itself, updatable=("name", "kind"), check_write=_validate_unit
)
STAFF_COLUMNS = ("name", "title", "email", "hired_on", "unit_id", "reports_to_id")
STAFF_WRITER = EntityWriter(
    Staff,
    subject="org",
    scope=scopes.unit_owned,
    creatable=("number", *STAFF_COLUMNS),
    updatable=STAFF_COLUMNS,
    check_write=_validate_staff,
    unique_keys=("number",),
)

_PATH = to_sql(sa.select(sa.cast(OrgUnit.c.path, sa.Text)).where(OrgUnit.c.id == sa.bindparam("row_id", type_=sa.Uuid)))
_LOCK_TREE = "select pg_advisory_xact_lock(hashtextextended('org_units', 0))"
# Every path below the old place, with the new one before it; the unit's own parent goes along.
_MOVE_SUBTREE = """
update org_units set path = case when path = $1::text::ltree then ($2::text)::ltree
        else ($2::text)::ltree || subpath(path, nlevel($1::text::ltree)) end,
    parent_id = case when id = $3 then $4 else parent_id end, version = version + 1, updated_at = $5
where path <@ $1::text::ltree
"""


class OrgUnitPayload(NamedTuple):
    """What a new unit gives."""

    org_unit: Annotated[UUID, OrgUnit, "The unit as it is now."]


async def _visible_path(tx: Connection, viewer: Viewer, key: UUID, argument: str) -> str:
    await writer.require_visible(tx, viewer, OrgUnit, key, argument)
    path: str = await tx.fetchval(_PATH, key)
    return path


async def unit_create(
    tx: Connection,
    viewer: Viewer,
    *,
    code: Annotated[str, "Short unique name: letters, digits and underscores."],
    name: Annotated[str, "What people call the unit."],
    kind: Annotated[UnitKind, "Level in the tree."],
    parent_id: Annotated[UUID | None, OrgUnit, "The unit above; none for a root."] = None,
    now: datetime,
) -> OrgUnitPayload:
    """Makes a unit of the organisation, below another one or as a root."""
    viewer.require("org:write")
    checked = validators.check_values(
        {"code": code, "name": name}, {"code": validators.slug, "name": validators.single_line}
    )
    await tx.execute(_LOCK_TREE)  # nobody moves the branch meanwhile
    parent_path = None if parent_id is None else await _visible_path(tx, viewer, parent_id, "parent_id")
    path = checked["code"] if parent_path is None else f"{parent_path}.{checked['code']}"
    row = checked | {"kind": kind, "parent_id": parent_id, "path": path, "created_at": now, "updated_at": now}
    return OrgUnitPayload(await writer.insert_row(tx, viewer, OrgUnit, row))


async def unit_move(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, OrgUnit, "The unit."],
    parent_id: Annotated[UUID, OrgUnit, "The unit that it shall stand below."],
    now: datetime,
) -> OrgUnitPayload:
    """Moves a unit, with all below it, to another place in the tree; rights follow at once."""
    viewer.require("org:write")
    await tx.execute(_LOCK_TREE)
    old_path, parent_path = (
        await _visible_path(tx, viewer, id, "id"),
        await _visible_path(tx, viewer, parent_id, "parent_id"),
    )
    if f"{parent_path}.".startswith(f"{old_path}."):
        raise BadInput("parent_id: it stands below the unit itself; name another one.", argument="parent_id")
    await tx.execute(_MOVE_SUBTREE, old_path, f"{parent_path}.{old_path.rpartition('.')[2]}", id, parent_id, now)
    return OrgUnitPayload(id)
