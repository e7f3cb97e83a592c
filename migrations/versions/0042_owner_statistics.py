"""Statistics of owners and units together: who looks after a customer says which unit it belongs to.

Without them Postgres takes the two for independent, expects too few rows of an agent in a unit, and reads all of them to sort
a page. Creates and gathers statistics of three tables, which waits for no writer and blocks none."""

from collections.abc import Sequence

from alembic import op

revision: str = "0042"
down_revision: str | None = "0041"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TABLES = ("customers", "orders", "interactions")


def upgrade() -> None:
    for table in TABLES:
        op.execute(f"create statistics st_{table}_owner_id_unit_id (dependencies) on owner_id, unit_id from {table}")
        op.execute(f"analyze {table}")


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"drop statistics st_{table}_owner_id_unit_id")
