"""Webhooks, their deliveries and the attempts to send them, as clients see them."""

from datetime import datetime

from hub.domain.webhooks import commands, webhooks
from hub.engine.catalog.scalars import Json
from hub.model import scopes
from hub.model.commands import command
from hub.model.declarations import graphql_type, to_many, to_one


@graphql_type(
    webhooks.Webhook,
    scope=scopes.key_owned,
    prefix="whk",
    plural="webhooks",
    sortable=("created_at",),
    order=("created_at", "desc"),
    writer=webhooks.WEBHOOK_WRITER,
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
    deliveries = to_many("webhooks.WebhookDelivery", by="webhook_id", description="What was and is to be sent.")


@graphql_type(
    webhooks.Delivery,
    scope=scopes.key_owned,
    prefix="dlv",
    plural="webhookDeliveries",
    sortable=("created_at",),
    order=("created_at", "desc"),
    writer=webhooks.DELIVERY_WRITER,
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
    webhook = to_one(
        "webhooks.Webhook", by="webhook_id", description="The webhook; empty once it is deleted, until this goes, too."
    )
    customer = to_one("customers.Customer", by="customer_id", description="The customer whose row changed.")
    tries = to_many("webhooks.WebhookAttempt", by="delivery_id", description="Every attempt to send it.")


@graphql_type(
    webhooks.Attempt,
    scope=scopes.key_owned,
    prefix="wat",
    plural="webhookAttempts",
    sortable=("created_at",),
    order=("created_at", "desc"),
    writer=webhooks.ATTEMPT_WRITER,
)
class WebhookAttempt:
    """One attempt to send a delivery."""

    owner: str
    number: int
    status_code: int | None
    milliseconds: int
    error: str | None
    answer: str | None
    delivery = to_one("webhooks.WebhookDelivery", by="delivery_id", description="What was sent.")


create = command("webhookCreate", commands.create, secret=True)
update = command("webhookUpdate", commands.update)
pause = command("webhookPause", commands.pause)
resume = command("webhookResume", commands.resume)
rotate_secret = command("webhookSecretRotate", commands.rotate_secret, secret=True)
rewind = command("webhookRewind", commands.rewind)
resend = command("webhookDeliveryResend", commands.resend, bulk_name="webhookDeliveriesResend")
dry_run = command("webhookDryRun", commands.dry_run)
