"""Webhooks, their deliveries and the attempts to send them, as clients see them."""

from datetime import datetime

from hub.domain.webhooks import commands, webhooks
from hub.engine.catalog.scalars import Json
from hub.model import scopes
from hub.model.commands import verb
from hub.model.declarations import many, one, row


@row(
    webhooks.Webhook,
    scope=scopes.keeper,
    prefix="whk",
    plural="webhooks",
    sortable=("created_at",),
    order=("created_at", "desc"),
    writes=webhooks.WEBHOOKS,
)
class Webhook:
    """A subscription with an address: what it tells is posted there, signed, until it is taken."""

    name: str
    url: str
    query: str
    variables: Json
    operation_name: str | None
    coalesce_seconds: int
    status: webhooks.WebhookStatus
    status_reason: str | None
    owner: str
    deliveries = many("webhooks.WebhookDelivery", by="webhook_id", description="What was and is to be sent.")


@row(
    webhooks.Delivery,
    scope=scopes.keeper,
    prefix="dlv",
    plural="webhookDeliveries",
    sortable=("created_at",),
    order=("created_at", "desc"),
    writes=webhooks.DELIVERIES,
)
class WebhookDelivery:
    """One change that is sent for a webhook. Its id is the `webhook-id`: the same for every attempt and replay."""

    owner: str
    cursor: str
    status: webhooks.DeliveryStatus
    attempts: int
    next_attempt_at: datetime | None
    delivered_at: datetime | None
    reason: str | None
    webhook = one(
        "webhooks.Webhook", by="webhook_id", description="The webhook; empty once it is deleted, until this goes, too."
    )
    customer = one("customers.Customer", by="customer_id", description="The customer whose row changed.")
    tries = many("webhooks.WebhookAttempt", by="delivery_id", description="Every attempt to send it.")


@row(
    webhooks.Attempt,
    scope=scopes.keeper,
    prefix="wat",
    plural="webhookAttempts",
    sortable=("created_at",),
    order=("created_at", "desc"),
    writes=webhooks.ATTEMPTS,
)
class WebhookAttempt:
    """One attempt to send a delivery."""

    owner: str
    number: int
    status_code: int | None
    milliseconds: int
    error: str | None
    answer: str | None
    delivery = one("webhooks.WebhookDelivery", by="delivery_id", description="What was sent.")


create = verb("webhookCreate", commands.create, secret=True)
update = verb("webhookUpdate", commands.update)
pause = verb("webhookPause", commands.pause)
resume = verb("webhookResume", commands.resume)
rotate_secret = verb("webhookSecretRotate", commands.rotate_secret, secret=True)
rewind = verb("webhookRewind", commands.rewind)
resend = verb("webhookDeliveryResend", commands.resend, many="webhookDeliveriesResend")
dry_run = verb("webhookDryRun", commands.dry_run)
