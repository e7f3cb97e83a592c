"""Webhooks: subscriptions with an address, what was sent for them, and every attempt to.

What the graph shows is an entity; how far a webhook has come, its secrets and what waits to be sent are tables of the hub's
own, so that the log of changes holds none of it. Commands are commands.py's, the queue is queue.py's."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from hub.model import scopes
from hub.model.columns import DescribedEnum, entity_table, enum_column, foreign_key, metadata, timestamp
from hub.model.writer import EntityWriter


class WebhookStatus(DescribedEnum):
    ACTIVE = "ACTIVE", "Changes are sent as they happen."
    PAUSED = "PAUSED", "Somebody paused it, or its owner's rights did; it goes on from where it stood."
    FAILING = "FAILING", "It failed for five days and is paused; it goes on from where it stood."
    GONE = "GONE", "The receiver answered 410: it wants nothing any more."


class DeliveryStatus(DescribedEnum):
    PENDING = "PENDING", "It waits for its first attempt."
    RETRYING = "RETRYING", "An attempt failed; another follows."
    DELIVERED = "DELIVERED", "The receiver took it."
    DEAD = "DEAD", "Every attempt failed, or nothing may be told any more; it is kept, to be sent again by hand."
    FOLDED = "FOLDED", "A later change of the same row, within the webhook's window, was sent in its place."


def _owner_column() -> sa.Column[object]:
    return sa.Column("owner", sa.Text, nullable=False, comment="The id of the key with whose rights it is told.")


Webhook = entity_table(
    "webhooks",
    sa.Column("name", sa.Text, nullable=False, comment="What people call it."),
    sa.Column("url", sa.Text, nullable=False, comment="Where it is sent to."),
    sa.Column("query", sa.Text, nullable=False, comment="The subscription, as it would run over a WebSocket."),
    sa.Column(
        "variables", JSONB, nullable=False, server_default=sa.text("'{}'"), comment="The subscription's variables."
    ),
    sa.Column("operation_name", sa.Text, comment="Which operation of the document it is, if there are several."),
    sa.Column(
        "coalesce_seconds",
        sa.Integer,
        nullable=False,
        server_default=sa.text("0"),
        comment="For how long a customer's changes wait, so that several of one row become one; 0 for not at all.",
    ),
    sa.Column("status", enum_column(WebhookStatus), nullable=False, comment="Whether it is sent."),
    sa.Column("status_reason", sa.Text, comment="Why it is not sent, or what could not be."),
    _owner_column(),
    sa.CheckConstraint("coalesce_seconds between 0 and 3600", name="coalesce_seconds_is_bounded"),
    comment="A subscription with an address: what it tells is posted there, signed, until it is taken.",
)
sa.Index("ix_webhooks_created_at_id", Webhook.c.created_at, Webhook.c.id)

# What was sent outlives its webhook until hub/scheduler.py clears it away, bit by bit: there may be millions of it, and a
# webhook is deleted within one statement's time. Hence no key from here, from the progress or from the queue to the webhook.
Delivery = entity_table(
    "webhook_deliveries",
    _owner_column(),
    sa.Column("webhook_id", sa.Uuid, nullable=False, comment="The webhook."),
    foreign_key("customer_id", "customers.id", "The customer whose row changed.", nullable=True, ondelete="SET NULL"),
    sa.Column("cursor", sa.Text, nullable=False, comment="The change's place in the order of all."),
    sa.Column("status", enum_column(DeliveryStatus), nullable=False, comment="What has become of it."),
    sa.Column(
        "attempts",
        sa.Integer,
        nullable=False,
        server_default=sa.text("0"),
        comment="How often it was tried to send it.",
    ),
    sa.Column("next_attempt_at", timestamp(), comment="When it is tried next; empty when it is not."),
    sa.Column("delivered_at", timestamp(), comment="When the receiver took it."),
    sa.Column("reason", sa.Text, comment="Why it was not taken, when it was last tried."),
    comment="One change that is sent for a webhook. Its id is the `webhook-id`: the same for every attempt and replay.",
)
sa.Index("ix_webhook_deliveries_created_at_id", Delivery.c.created_at, Delivery.c.id)
sa.Index("ix_webhook_deliveries_webhook_id_created_at_id", Delivery.c.webhook_id, Delivery.c.created_at, Delivery.c.id)
sa.Index("ix_webhook_deliveries_customer_id", Delivery.c.customer_id)
sa.Index("ix_webhook_deliveries_dead", Delivery.c.webhook_id, postgresql_where=Delivery.c.status == sa.text("'DEAD'"))

Attempt = entity_table(
    "webhook_attempts",
    _owner_column(),
    foreign_key("delivery_id", "webhook_deliveries.id", "What was sent.", ondelete="CASCADE"),
    sa.Column("number", sa.Integer, nullable=False, comment="Which attempt it was, from 1."),
    sa.Column("status_code", sa.Integer, comment="What the receiver answered; empty when it did not."),
    sa.Column("milliseconds", sa.Integer, nullable=False, comment="How long it took, from the resolver to the answer."),
    sa.Column("error", sa.Text, comment="Why there was no answer."),
    sa.Column("answer", sa.Text, comment="The first KiB of the answer's body."),
    comment="One attempt to send a delivery.",
)
sa.Index("ix_webhook_attempts_created_at_id", Attempt.c.created_at, Attempt.c.id)
sa.Index("ix_webhook_attempts_delivery_id_created_at_id", Attempt.c.delivery_id, Attempt.c.created_at, Attempt.c.id)

WebhookProgress = sa.Table(
    "webhook_progress",
    metadata,
    sa.Column("webhook_id", sa.Uuid, primary_key=True),
    sa.Column("position", sa.BigInteger, nullable=False, comment="Everything up to here is queued, or is not told."),
    sa.Column("told", sa.BigInteger, nullable=False, comment="The position of what was told last."),
    sa.Column("failing_since", timestamp(), comment="When the first attempt failed after the last that did not."),
    comment="How far a webhook has come in the order of changes. A webhook is a cursor into the log.",
)
WebhookSecret = sa.Table(
    "webhook_secrets",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True, server_default=sa.text("uuidv7()")),
    sa.Column("webhook_id", sa.Uuid, sa.ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False),
    sa.Column("box", sa.LargeBinary, nullable=False, comment="The secret, encrypted (vault.py)."),
    sa.Column("ends_at", timestamp(), comment="Until when it signs; empty for the newest."),
    comment="What deliveries are signed with; several while one follows another.",
)
sa.Index("ix_webhook_secrets_webhook_id", WebhookSecret.c.webhook_id)

# The bytes are kept until they are taken, so that every attempt sends the same ones. A row that is leased is due when
# the lease ends; one that is due never is a dead letter and blocks nobody.
WebhookQueue = sa.Table(
    "webhook_queue",
    metadata,
    sa.Column("delivery_id", sa.Uuid, sa.ForeignKey("webhook_deliveries.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("webhook_id", sa.Uuid, nullable=False),
    sa.Column("lane", sa.Uuid, nullable=False, comment="The customer, else the row: its changes are sent in order."),
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
    "ix_webhook_queue_webhook_id_lane_position",
    WebhookQueue.c.webhook_id,
    WebhookQueue.c.lane,
    WebhookQueue.c.position,
    postgresql_where=_is_waiting,
)
sa.Index("ix_webhook_queue_unwritten", WebhookQueue.c.delivery_id, postgresql_where=WebhookQueue.c.body.is_(None))

# A webhook is never told of these: each delivery would make three more.
WEBHOOK_TABLES = (Webhook, Delivery, Attempt)
WEBHOOK_TABLE_NAMES = frozenset(table.name for table in WEBHOOK_TABLES)


def _unvalidated(column_values: Any, now: datetime) -> dict[str, Any]:
    return dict(column_values)


WEBHOOK_WRITER = EntityWriter(Webhook, subject="webhooks", scope=scopes.key_owned, check_write=_unvalidated)
DELIVERY_WRITER = EntityWriter(Delivery, subject="webhooks", scope=scopes.key_owned, deletable=False)
ATTEMPT_WRITER = EntityWriter(Attempt, subject="webhooks", scope=scopes.key_owned, deletable=False)
