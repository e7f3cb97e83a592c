"""Standard terms: idempotency records, the last position sent to a webhook, the ordering key of its queue.

Renames change the catalog only. Each table is locked ACCESS EXCLUSIVE, each index SHARE UPDATE EXCLUSIVE, until the transaction
ends: the migration waits for open transactions on kept_answers, webhook_progress and webhook_queue, and new ones wait for it."""

from collections.abc import Sequence

from alembic import op

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TABLE = ("kept_answers", "idempotency_records")
# Table, as it is called after the migration; old and new name.
COLUMNS = (
    ("idempotency_records", "kept_at", "stored_at"),
    ("webhook_progress", "told", "last_sent_position"),
    ("webhook_queue", "lane", "ordering_key"),
)
CONSTRAINTS = (
    ("idempotency_records", "pk_kept_answers", "pk_idempotency_records"),
    *(
        ("idempotency_records", f"kept_answers_{column}_not_null", f"idempotency_records_{column}_not_null")
        for column in ("owner_id", "key", "fingerprint", "answer", "boxed")
    ),
    ("idempotency_records", "kept_answers_kept_at_not_null", "idempotency_records_stored_at_not_null"),
    ("webhook_progress", "webhook_progress_told_not_null", "webhook_progress_last_sent_position_not_null"),
    ("webhook_queue", "webhook_queue_lane_not_null", "webhook_queue_ordering_key_not_null"),
)
INDEXES = (
    ("ix_kept_answers_kept_at", "ix_idempotency_records_stored_at"),
    ("ix_webhook_queue_webhook_id_lane_position", "ix_webhook_queue_webhook_id_ordering_key_position"),
    ("ix_webhook_queue_unwritten", "ix_webhook_queue_without_body"),
)


def upgrade() -> None:
    op.rename_table(*TABLE)
    for table, old, new in COLUMNS:
        op.alter_column(table, old, new_column_name=new)
    for table, old, new in CONSTRAINTS:
        op.execute(f"alter table {table} rename constraint {old} to {new}")
    for old, new in INDEXES:
        op.execute(f"alter index {old} rename to {new}")


def downgrade() -> None:
    for old, new in INDEXES:
        op.execute(f"alter index {new} rename to {old}")
    for table, old, new in CONSTRAINTS:
        op.execute(f"alter table {table} rename constraint {new} to {old}")
    for table, old, new in COLUMNS:
        op.alter_column(table, new, new_column_name=old)
    op.rename_table(*reversed(TABLE))
