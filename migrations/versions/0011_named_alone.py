"""Interactions that name no member of staff, no order or no contact are not listed in those indexes: a tenth of an insert."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

LINKS = ("staff_id", "order_id", "contact_id")


def _make(named_alone: Sequence[str]) -> None:
    for link in LINKS:
        name = f"ix_interactions_{link}_occurred_at_id"
        where = sa.text(f"{link} is not null") if link in named_alone else None
        op.drop_index(name, table_name="interactions")
        op.create_index(name, "interactions", [link, "occurred_at", "id"], unique=False, postgresql_where=where)


def upgrade() -> None:
    _make(LINKS)


def downgrade() -> None:
    _make(())
