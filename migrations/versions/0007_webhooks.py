"""Webhooks."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and for ever."),
        sa.Column("name", sa.Text(), nullable=False, comment="What people call it."),
        sa.Column("url", sa.Text(), nullable=False, comment="Where it is sent to."),
        sa.Column("query", sa.Text(), nullable=False, comment="The subscription, as it would run over a WebSocket."),
        sa.Column(
            "variables",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="The subscription's variables.",
        ),
        sa.Column(
            "operation_name",
            sa.Text(),
            nullable=True,
            comment="Which operation of the document it is, if there are several.",
        ),
        sa.Column(
            "coalesce_seconds",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="For how long a customer's changes wait, so that several of one row become one; 0 for not at all.",
        ),
        sa.Column(
            "status",
            sa.Enum(
                "ACTIVE",
                "PAUSED",
                "FAILING",
                "GONE",
                name="webhookstatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
            comment="Whether it is sent.",
        ),
        sa.Column("status_reason", sa.Text(), nullable=True, comment="Why it is not sent, or what could not be."),
        sa.Column("owner", sa.Text(), nullable=False, comment="The id of the key with whose rights it is told."),
        sa.Column(
            "version",
            sa.Integer(),
            server_default=sa.text("1"),
            nullable=False,
            comment="Counts the row's edits, from 1; an update may name the version that it saw.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the row was first stored.",
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the row last changed.",
        ),
        sa.CheckConstraint("coalesce_seconds between 0 and 3600", name=op.f("ck_webhooks_coalesce_seconds_is_bounded")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
        comment="A subscription with an address: what it tells is posted there, signed, until it is taken.",
    )
    op.execute("select hub_capture('webhooks')")
    op.create_index("ix_webhooks_created_at_id", "webhooks", ["created_at", "id"], unique=False)
    op.create_table(
        "webhook_progress",
        sa.Column("webhook_id", sa.Uuid(), nullable=False),
        sa.Column(
            "position", sa.BigInteger(), nullable=False, comment="Everything up to here is queued, or is not told."
        ),
        sa.Column("told", sa.BigInteger(), nullable=False, comment="The position of what was told last."),
        sa.Column(
            "failing_since",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the first attempt failed after the last that did not.",
        ),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhooks.id"], name=op.f("fk_webhook_progress_webhook_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("webhook_id", name=op.f("pk_webhook_progress")),
        comment="How far a webhook has come in the order of changes. A webhook is a cursor into the log.",
    )
    op.create_table(
        "webhook_secrets",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("webhook_id", sa.Uuid(), nullable=False),
        sa.Column("box", sa.LargeBinary(), nullable=False, comment="The secret, encrypted (vault.py)."),
        sa.Column(
            "ends_at", sa.DateTime(timezone=True), nullable=True, comment="Until when it signs; empty for the newest."
        ),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhooks.id"], name=op.f("fk_webhook_secrets_webhook_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_secrets")),
        comment="What deliveries are signed with; several while one follows another.",
    )
    op.create_index("ix_webhook_secrets_webhook_id", "webhook_secrets", ["webhook_id"], unique=False)
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and for ever."),
        sa.Column("owner", sa.Text(), nullable=False, comment="The id of the key with whose rights it is told."),
        sa.Column("webhook_id", sa.Uuid(), nullable=False, comment="The webhook."),
        sa.Column("customer_id", sa.Uuid(), nullable=True, comment="The customer whose row changed."),
        sa.Column("cursor", sa.Text(), nullable=False, comment="The change's place in the order of all."),
        sa.Column(
            "status",
            sa.Enum(
                "PENDING",
                "RETRYING",
                "DELIVERED",
                "DEAD",
                "FOLDED",
                name="deliverystatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
            comment="What has become of it.",
        ),
        sa.Column(
            "attempts",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="How often it was tried to send it.",
        ),
        sa.Column(
            "next_attempt_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When it is tried next; empty when it is not.",
        ),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True, comment="When the receiver took it."),
        sa.Column("reason", sa.Text(), nullable=True, comment="Why it was not taken, when it was last tried."),
        sa.Column(
            "version",
            sa.Integer(),
            server_default=sa.text("1"),
            nullable=False,
            comment="Counts the row's edits, from 1; an update may name the version that it saw.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the row was first stored.",
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the row last changed.",
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_webhook_deliveries_customer_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhooks.id"], name=op.f("fk_webhook_deliveries_webhook_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
        comment="One change that is sent for a webhook. Its id is the `webhook-id`: the same for every attempt and replay.",
    )
    op.execute("select hub_capture('webhook_deliveries')")
    op.create_index("ix_webhook_deliveries_created_at_id", "webhook_deliveries", ["created_at", "id"], unique=False)
    op.create_index("ix_webhook_deliveries_customer_id", "webhook_deliveries", ["customer_id"], unique=False)
    op.create_index(
        "ix_webhook_deliveries_dead",
        "webhook_deliveries",
        ["webhook_id"],
        unique=False,
        postgresql_where=sa.text("status = 'DEAD'"),
    )
    op.create_index(
        "ix_webhook_deliveries_webhook_id_created_at_id",
        "webhook_deliveries",
        ["webhook_id", "created_at", "id"],
        unique=False,
    )
    op.create_table(
        "webhook_attempts",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and for ever."),
        sa.Column("owner", sa.Text(), nullable=False, comment="The id of the key with whose rights it is told."),
        sa.Column("delivery_id", sa.Uuid(), nullable=False, comment="What was sent."),
        sa.Column("number", sa.Integer(), nullable=False, comment="Which attempt it was, from 1."),
        sa.Column(
            "status_code", sa.Integer(), nullable=True, comment="What the receiver answered; empty when it did not."
        ),
        sa.Column(
            "milliseconds", sa.Integer(), nullable=False, comment="How long it took, from the resolver to the answer."
        ),
        sa.Column("error", sa.Text(), nullable=True, comment="Why there was no answer."),
        sa.Column("answer", sa.Text(), nullable=True, comment="The first KiB of the answer's body."),
        sa.Column(
            "version",
            sa.Integer(),
            server_default=sa.text("1"),
            nullable=False,
            comment="Counts the row's edits, from 1; an update may name the version that it saw.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the row was first stored.",
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the row last changed.",
        ),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["webhook_deliveries.id"], name=op.f("fk_webhook_attempts_delivery_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_attempts")),
        comment="One attempt to send a delivery.",
    )
    op.execute("select hub_capture('webhook_attempts')")
    op.create_index("ix_webhook_attempts_created_at_id", "webhook_attempts", ["created_at", "id"], unique=False)
    op.create_index(
        "ix_webhook_attempts_delivery_id_created_at_id",
        "webhook_attempts",
        ["delivery_id", "created_at", "id"],
        unique=False,
    )
    op.create_table(
        "webhook_queue",
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("webhook_id", sa.Uuid(), nullable=False),
        sa.Column(
            "lane", sa.Uuid(), nullable=False, comment="The customer, else the row: its changes are sent in order."
        ),
        sa.Column("row_id", sa.Uuid(), nullable=False, comment="The row that changed."),
        sa.Column("position", sa.BigInteger(), nullable=False, comment="Its place in the order of changes."),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True, comment="When it may be sent; empty for never."),
        sa.Column(
            "attempts", sa.Integer(), server_default=sa.text("0"), nullable=False, comment="Of the schedule, so far."
        ),
        sa.Column("lease", sa.Uuid(), nullable=True, comment="Who is sending it, if somebody is."),
        sa.Column(
            "body", sa.LargeBinary(), nullable=True, comment="The bytes; empty when they are to be written anew."
        ),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["webhook_deliveries.id"], name=op.f("fk_webhook_queue_delivery_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhooks.id"], name=op.f("fk_webhook_queue_webhook_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("delivery_id", name=op.f("pk_webhook_queue")),
        comment="What waits to be sent.",
    )
    op.create_index(
        "ix_webhook_queue_unwritten",
        "webhook_queue",
        ["delivery_id"],
        unique=False,
        postgresql_where=sa.text("body IS NULL"),
    )
    op.create_index(
        "ix_webhook_queue_webhook_id_due_at_position",
        "webhook_queue",
        ["webhook_id", "due_at", "position"],
        unique=False,
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index(
        "ix_webhook_queue_webhook_id_lane_position",
        "webhook_queue",
        ["webhook_id", "lane", "position"],
        unique=False,
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.execute(
        "insert into secrets (name, value)"
        " select 'boxes', string_agg(uuid_send(gen_random_uuid()), '') from generate_series(1, 3)"
    )


def downgrade() -> None:
    op.execute("delete from secrets where name = 'boxes'")
    op.drop_index(
        "ix_webhook_queue_webhook_id_lane_position",
        table_name="webhook_queue",
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.drop_index(
        "ix_webhook_queue_webhook_id_due_at_position",
        table_name="webhook_queue",
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.drop_index("ix_webhook_queue_unwritten", table_name="webhook_queue", postgresql_where=sa.text("body IS NULL"))
    op.drop_table("webhook_queue")
    op.drop_index("ix_webhook_attempts_delivery_id_created_at_id", table_name="webhook_attempts")
    op.drop_index("ix_webhook_attempts_created_at_id", table_name="webhook_attempts")
    op.drop_table("webhook_attempts")
    op.drop_index("ix_webhook_deliveries_webhook_id_created_at_id", table_name="webhook_deliveries")
    op.drop_index(
        "ix_webhook_deliveries_dead", table_name="webhook_deliveries", postgresql_where=sa.text("status = 'DEAD'")
    )
    op.drop_index("ix_webhook_deliveries_customer_id", table_name="webhook_deliveries")
    op.drop_index("ix_webhook_deliveries_created_at_id", table_name="webhook_deliveries")
    op.drop_table("webhook_deliveries")
    op.drop_index("ix_webhook_secrets_webhook_id", table_name="webhook_secrets")
    op.drop_table("webhook_secrets")
    op.drop_table("webhook_progress")
    op.drop_index("ix_webhooks_created_at_id", table_name="webhooks")
    op.drop_table("webhooks")
