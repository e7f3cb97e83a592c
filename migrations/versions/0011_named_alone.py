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
    # The new ones first, which leaves readers alone; nobody can read while the old ones are taken away.
    for link in LINKS:
        where = sa.text(f"{link} is not null") if link in named_alone else None
        columns = [link, "occurred_at", "id"]
        op.create_index(f"{_name(link)}_new", "interactions", columns, unique=False, postgresql_where=where)
    for link in LINKS:
        op.drop_index(_name(link), table_name="interactions")
        op.execute(f"alter index {_name(link)}_new rename to {_name(link)}")


def _name(link: str) -> str:
    return f"ix_interactions_{link}_occurred_at_id"


def upgrade() -> None:
    _make(LINKS)


def downgrade() -> None:
    _make(())
