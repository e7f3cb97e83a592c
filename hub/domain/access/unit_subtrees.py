"""The columns that bind a viewer to a unit: the unit's path, and the ids of its subtree. For statements that read OrgUnit."""

import sqlalchemy as sa

from hub.schema.organisation.units import OrgUnit

_below = OrgUnit.table.alias()
_ids = (  # the unit itself first
    sa.select(_below.c.id)
    .where(_below.c.path.op("<@")(OrgUnit.c.path))
    .order_by(_below.c.path)
    .correlate(OrgUnit.table)
)
# Labelled `unit_path` and `unit_ids`; null and empty where an outer join finds no unit.
BINDING_COLUMNS = (
    sa.cast(OrgUnit.c.path, sa.Text).label("unit_path"),
    sa.func.array(_ids.scalar_subquery()).label("unit_ids"),
)
