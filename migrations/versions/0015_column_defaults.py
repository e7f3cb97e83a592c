"""Columns that the API gives a default have it in the database too, so that SQL may insert rows without them.

ALTER COLUMN and COMMENT ON change the catalog only. They lock customers, orders and contacts ACCESS EXCLUSIVE until the
transaction ends: the migration waits for open transactions on them, and new ones wait for it."""

from collections.abc import Sequence

from alembic import op

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# Where the organisation has several roots, a row must name its unit: null violates the column's NOT NULL.
DEFAULT_UNIT = """
create function hub_default_unit() returns uuid
language sql stable parallel safe as $$
    select (array_agg(id))[1] from org_units where parent_id is null having count(*) = 1
$$
"""
DEFAULTS = (
    ("customers", "kind", "'PERSON'"),
    ("customers", "status", "'ACTIVE'"),
    ("customers", "stage", "'PROSPECT'"),
    ("customers", "tier", "'STANDARD'"),
    ("customers", "unit_id", "hub_default_unit()"),
    ("orders", "status", "'PLACED'"),
    ("orders", "placed_at", "now()"),
)
COMMENTS = tuple(
    (
        table,
        "language",
        "ISO 639 code of the language to be used.",
        "BCP 47 tag of the language to be used: `de`, `zh-Hant`.",
    )
    for table in ("customers", "contacts")
)


def upgrade() -> None:
    op.execute(DEFAULT_UNIT)
    for table, column, default in DEFAULTS:
        op.execute(f"alter table {table} alter {column} set default {default}")
    for table, column, _, comment in COMMENTS:
        op.execute(f"comment on column {table}.{column} is '{comment}'")


def downgrade() -> None:
    for table, column, comment, _ in COMMENTS:
        op.execute(f"comment on column {table}.{column} is '{comment}'")
    for table, column, _ in DEFAULTS:
        op.execute(f"alter table {table} alter {column} drop default")
    op.execute("drop function hub_default_unit()")
