"""Stored responses of operations with an idempotency key are encrypted, all of them.

Records of earlier versions stay readable: they are purged within 48 hours."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0045"
down_revision: str | None = "0044"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TABLE = "idempotency_records"
ANSWER, OLD_ANSWER = "The encrypted response, behind its nonce.", "The response."
CIPHER = "How the response is encrypted with the idempotency key; earlier versions wrote others than AES-CTR."
BOXED = "Whether the response is encrypted with the idempotency key."


def upgrade() -> None:
    """Run the migration."""
    op.add_column(TABLE, sa.Column("cipher", sa.Text(), nullable=False, server_default="NONE", comment=CIPHER))
    op.execute(f"update {TABLE} set cipher = 'AES-GCM' where boxed")
    op.alter_column(TABLE, "cipher", server_default=None)
    op.create_check_constraint(
        op.f("ck_idempotency_records_cipher_valid"), TABLE, "cipher in ('AES-CTR', 'AES-GCM', 'NONE')"
    )
    op.drop_column(TABLE, "boxed")
    op.alter_column(TABLE, "answer", comment=ANSWER, existing_comment=OLD_ANSWER)


def downgrade() -> None:
    """Undo the migration. Records that the earlier version cannot read are deleted."""
    op.execute(f"delete from {TABLE} where cipher = 'AES-CTR'")
    op.add_column(TABLE, sa.Column("boxed", sa.Boolean(), nullable=False, server_default="false", comment=BOXED))
    op.execute(f"update {TABLE} set boxed = cipher = 'AES-GCM'")
    op.alter_column(TABLE, "boxed", server_default=None)
    op.drop_column(TABLE, "cipher")
    op.alter_column(TABLE, "answer", comment=OLD_ANSWER, existing_comment=ANSWER)
