"""Tables behind webhooks that are no entities: progress, secrets and the queue. The change log holds none of them.

Commands are in commands.py, the queue's statements in queue.py."""

import sqlalchemy as sa

from hub.model.columns import SECRET, metadata, timestamp
from hub.schema.webhooks.webhooks import Webhook, WebhookAttempt, WebhookDelivery

WebhookProgress = sa.Table(
    "webhook_progress",
    metadata,
    sa.Column("webhook_id", sa.Uuid, primary_key=True),
    sa.Column(
        "position",
        sa.BigInteger,
        nullable=False,
        comment="Every change up to this position is queued, or is not for this webhook.",
    ),
    sa.Column("last_sent_position", sa.BigInteger, nullable=False, comment="The position of the last delivery."),
    sa.Column("failing_since", timestamp(), comment="When the first attempt failed after the last that did not."),
    sa.Column(
        "rights",
        sa.LargeBinary,
        comment="SHA-256 of the rights that queued deliveries were rendered with; empty before the first look at them.",
    ),
    comment="How far a webhook has come in the order of changes. A webhook is a cursor into the log.",
)
WebhookSecret = sa.Table(
    "webhook_secrets",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True, server_default=sa.text("uuidv7()")),
    sa.Column("webhook_id", sa.Uuid, sa.ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False),
    sa.Column("box", sa.LargeBinary, nullable=False, comment="The secret, encrypted (vault.py).", info={SECRET: True}),
    sa.Column("ends_at", timestamp(), comment="Until when it signs; empty for the newest."),
    comment="What deliveries are signed with; several while one follows another.",
)
sa.Index("ix_webhook_secrets_webhook_id", WebhookSecret.c.webhook_id)

# The body is stored until the receiver accepts it, so that every attempt sends the same bytes. A row that is leased is due when
# the lease ends; one that is due never is a dead letter and blocks nobody.
WebhookQueue = sa.Table(
    "webhook_queue",
    metadata,
    sa.Column("delivery_id", sa.Uuid, sa.ForeignKey("webhook_deliveries.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("webhook_id", sa.Uuid, nullable=False),
    sa.Column(
        "ordering_key", sa.Uuid, nullable=False, comment="The customer, else the row: its changes are sent in order."
    ),
    sa.Column("row_id", sa.Uuid, nullable=False, comment="The row that changed."),
    sa.Column("position", sa.BigInteger, nullable=False, comment="Its place in the order of changes."),
    sa.Column("due_at", timestamp(), comment="When it may be sent; empty for never."),
    sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0"), comment="Of the schedule, so far."),
    sa.Column("lease", sa.Uuid, comment="Who is sending it, if somebody is."),
    sa.Column("body", sa.LargeBinary, comment="The bytes; empty when they are to be written anew."),
    comment="What waits to be sent.",
)
_is_waiting = WebhookQueue.c.due_at.is_not(None)
sa.Index(
    "ix_webhook_queue_webhook_id_due_at_position",
    WebhookQueue.c.webhook_id,
    WebhookQueue.c.due_at,
    WebhookQueue.c.position,
    postgresql_where=_is_waiting,
)
sa.Index(
    "ix_webhook_queue_webhook_id_ordering_key_position",
    WebhookQueue.c.webhook_id,
    WebhookQueue.c.ordering_key,
    WebhookQueue.c.position,
    postgresql_where=_is_waiting,
)
sa.Index("ix_webhook_queue_without_body", WebhookQueue.c.delivery_id, postgresql_where=WebhookQueue.c.body.is_(None))

# Changes of these are sent to no webhook: each delivery would make three more.
WEBHOOK_TABLE_NAMES = frozenset(entity.table.name for entity in (Webhook, WebhookDelivery, WebhookAttempt))
