"""Login links, which open the pages once, and the sessions that they start.

Adds a column, a foreign key and an index to api_keys, which is locked ACCESS EXCLUSIVE until the transaction ends. Its rows
are few."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0018"
down_revision: str | None = "0017"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column(
        "api_keys",
        sa.Column(
            "session_of",
            sa.Uuid(),
            nullable=True,
            comment="The key whose session it is: it acts as that key and ends with it; empty for a key of its own.",
        ),
    )
    op.create_foreign_key(
        op.f("fk_api_keys_session_of"), "api_keys", "api_keys", ["session_of"], ["id"], ondelete="CASCADE"
    )
    op.create_index("ix_api_keys_session_of", "api_keys", ["session_of"], unique=False)
    op.create_table(
        "login_links",
        sa.Column(
            "hash",
            sa.LargeBinary(),
            nullable=False,
            comment="SHA-256 of the link's token; the token itself is not stored.",
        ),
        sa.Column("key_id", sa.Uuid(), nullable=False, comment="The key whose rights the session gets."),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False, comment="Time when the link expires."),
        sa.CheckConstraint("octet_length(hash) = 32", name=op.f("ck_login_links_hash_is_sha256")),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name=op.f("fk_login_links_key_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_login_links")),
        comment="A link that starts one session of the pages; it is deleted when it is used.",
    )
    op.create_index("ix_login_links_key_id", "login_links", ["key_id"], unique=False)


def downgrade() -> None:
    # A session would become a key of its own.
    op.execute("delete from api_keys where session_of is not null")
    op.drop_table("login_links")
    op.drop_column("api_keys", "session_of")
