"""What was sent outlives its webhook, and is cleared away bit by bit."""

from collections.abc import Sequence

from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TABLES = ("webhook_deliveries", "webhook_progress", "webhook_queue")


def upgrade() -> None:
    for table in TABLES:
        op.drop_constraint(f"fk_{table}_webhook_id", table, type_="foreignkey")


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"delete from {table} as t where not exists (select from webhooks as w where w.id = t.webhook_id)")
        op.create_foreign_key(f"fk_{table}_webhook_id", table, "webhooks", ["webhook_id"], ["id"], ondelete="CASCADE")
