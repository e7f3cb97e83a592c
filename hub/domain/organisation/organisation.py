"""The tree of units: creating a unit below another one, and moving a unit with everything below it."""

from datetime import datetime
from typing import Annotated, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from hub.db.pool import Connection
from hub.db.sql_text import to_sql
from hub.errors import BadInput
from hub.model import rows, validators
from hub.model.commands import command
from hub.schema.organisation.units import OrgUnit, UnitKind
from hub.viewer import Viewer

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
    """The payload of orgUnitCreate and orgUnitMove."""

    org_unit: Annotated[UUID, OrgUnit, "The unit as it is now."]


async def _visible_path(tx: Connection, viewer: Viewer, key: UUID, argument: str) -> str:
    await rows.require_visible(tx, viewer, OrgUnit, key, argument)
    path: str = await tx.fetchval(_PATH, key)
    return path


@command("orgUnitCreate", bulk_name="orgUnitsCreate")
async def unit_create(
    tx: Connection,
    viewer: Viewer,
    *,
    code: Annotated[str, "Short unique name: letters, digits and underscores."],
    name: Annotated[str, "Name of the unit."],
    kind: Annotated[UnitKind, "Level in the tree."],
    parent_id: Annotated[UUID | None, OrgUnit, "The unit above; none for a root."] = None,
    now: datetime,
) -> OrgUnitPayload:
    """Creates a unit of the organisation, below another one or as a root."""
    OrgUnit.require(viewer, "create")
    checked = validators.check_values(
        {"code": code, "name": name}, {"code": validators.slug, "name": validators.single_line}
    )
    await tx.execute(_LOCK_TREE)  # so that the branch is not moved meanwhile
    parent_path = None if parent_id is None else await _visible_path(tx, viewer, parent_id, "parent_id")
    path = checked["code"] if parent_path is None else f"{parent_path}.{checked['code']}"
    row = checked | {"kind": kind, "parent_id": parent_id, "path": path}
    fields = ["code", "name", "kind", *([] if parent_id is None else ["parent_id"])]
    return OrgUnitPayload(await rows.insert_row(tx, viewer, OrgUnit, row, now, fields=fields))


@command("orgUnitMove")
async def unit_move(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, OrgUnit, "The unit."],
    parent_id: Annotated[UUID, OrgUnit, "The new parent unit."],
    now: datetime,
) -> OrgUnitPayload:
    """Moves a unit, with all below it, below another one; permissions follow at once."""
    OrgUnit.require(viewer, "update")
    await tx.execute(_LOCK_TREE)
    old_path, parent_path = (
        await _visible_path(tx, viewer, id, "id"),
        await _visible_path(tx, viewer, parent_id, "parent_id"),
    )
    if f"{parent_path}.".startswith(f"{old_path}."):
        raise BadInput("parent_id: it stands below the unit itself; name another one.", argument="parent_id")
    async with rows.updating(tx, viewer, OrgUnit, id, fields=("parent_id",)):
        await tx.execute(_MOVE_SUBTREE, old_path, f"{parent_path}.{old_path.rpartition('.')[2]}", id, parent_id, now)
    return OrgUnitPayload(id)
