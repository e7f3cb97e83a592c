"""Sessions of the pages that a token starts, and members of staff by their e-mail address.

Creates a table, and an index on staff, whose rows are few; writes to staff wait until the transaction ends."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0027"
down_revision: str | None = "0026"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


# Starts and ends of sessions are key events of the audit log; deleting a session that is over is not.
AUDIT = """select hub_audit_table('token_sessions', 'KEY', 'r.public_id', '{hash}',
    'r.ended_at is not null or r.expires_at <= now()')"""


def upgrade() -> None:
    op.create_table(
        "token_sessions",
        sa.Column(
            "public_id",
            sa.Text(),
            nullable=False,
            comment="The part of the session's key that may be shown and logged.",
        ),
        sa.Column(
            "hash",
            sa.LargeBinary(),
            nullable=False,
            comment="SHA-256 of the session's key; the key itself is not stored.",
        ),
        sa.Column("issuer", sa.Text(), nullable=False, comment="The issuer of the token that started the session."),
        sa.Column(
            "audience", sa.Text(), nullable=False, comment="The audience of that token, as the settings name it."
        ),
        sa.Column(
            "subject", sa.Text(), nullable=False, comment="Whom the token was issued for, in the issuer's words."
        ),
        sa.Column(
            "reference",
            sa.Text(),
            nullable=True,
            comment="What the token names a member of staff, a customer or a unit by.",
        ),
        sa.Column("roles", sa.ARRAY(sa.Text()), nullable=False, comment="The roles that the token brought."),
        sa.Column(
            "key_fingerprint", sa.LargeBinary(), nullable=True, comment="The issuer's key that signed the token."
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When the session was started."),
        sa.Column(
            "expires_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When the session ends: with its token at the latest.",
        ),
        sa.Column(
            "ended_at", sa.DateTime(timezone=True), nullable=True, comment="When its user ended it; empty before."
        ),
        sa.CheckConstraint("octet_length(hash) = 32", name=op.f("ck_token_sessions_hash_is_sha256")),
        sa.PrimaryKeyConstraint("public_id", name=op.f("pk_token_sessions")),
        comment="A session of the pages that was started with a token. Rows are deleted a week after their end.",
    )
    op.create_index("ix_token_sessions_expires_at", "token_sessions", ["expires_at"], unique=False)
    op.execute(AUDIT)
    op.create_index("ix_staff_lower_email", "staff", [sa.literal_column("lower(email)")], unique=False)


def downgrade() -> None:
    op.drop_index("ix_staff_lower_email", table_name="staff")
    op.drop_table("token_sessions")
    for operation in ("insert", "update", "delete"):
        op.execute(f"drop function hub_audit_token_sessions_{operation}()")
