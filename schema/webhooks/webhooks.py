"""Webhooks, their deliveries and the attempts to send them. Only commands and the webhook worker write them."""

from datetime import datetime

from hub.model import MOVE, Column, DescribedEnum, Entity, Json, PersonalData, field, index, key_owned, resolver, to_one
from hub.schema.customers.customers import Customer


class WebhookStatus(DescribedEnum):
    ACTIVE = "ACTIVE", "Changes are sent as they happen."
    PAUSED = "PAUSED", "Paused by hand or because its key lost its rights; it can be resumed where it stopped."
    FAILING = "FAILING", "It failed for five days and is paused; it can be resumed where it stopped."
    GONE = "GONE", "The receiver answered 410: it wants no more deliveries."


class DeliveryStatus(DescribedEnum):
    PENDING = "PENDING", "It waits for its first attempt."
    RETRYING = "RETRYING", "An attempt failed; another follows."
    DELIVERED = "DELIVERED", "The receiver accepted it."
    DEAD = "DEAD", "Every attempt failed, or it may no longer be sent; it can be resent by hand."
    FOLDED = "FOLDED", "A later change of the same row, within the webhook's window, was sent instead."


class Webhook(
    Entity,
    prefix="whk",
    owned_by=key_owned,
    writable_by=("unit",),
    operations=("delete",),
    order="-created_at",
    sortable=("updated_at",),
    checks={"coalesce_seconds_is_bounded": "coalesce_seconds between 0 and 3600"},
):
    """A subscription with a URL: its messages are posted there, signed, until the receiver accepts them."""

    name: Column[str] = field("Name of the webhook.", personal=PersonalData.FREE_TEXT)
    url: Column[str] = field("URL that deliveries are posted to.", personal=PersonalData.TECHNICAL)
    query: Column[str] = field(
        "The subscription, as it would run over a WebSocket.", personal=PersonalData.NOT_PERSONAL
    )
    variables: Column[Json] = field("The subscription's variables.", server_default={}, personal=PersonalData.FREE_TEXT)
    operation_name: Column[str | None] = field(
        "The operation of the document, if it has several.", personal=PersonalData.NOT_PERSONAL
    )
    coalesce_seconds: Column[int] = field(
        "How long a customer's changes wait, so that several of one row become one; 0 for not at all.",
        server_default=0,
    )
    status: Column[WebhookStatus] = field("Whether deliveries are sent.")
    status_reason: Column[str | None] = field(
        "Why deliveries are not sent, or which could not be.", personal=PersonalData.NOT_PERSONAL
    )


# Deliveries outlive their webhook until the scheduler purges them in batches: there may be millions, and a webhook is
# deleted within one statement's time. Hence no foreign key to the webhook.
class WebhookDelivery(
    Entity,
    prefix="dlv",
    owned_by=key_owned,
    permission="webhooks",
    writable_by=("unit",),
    operations=(),
    order="-created_at",
    merge=MOVE,
    indexes=(index("webhook_id", where="status = 'DEAD'", name="dead"),),
):
    """One change that is sent for a webhook. Its id is the `webhook-id`: the same for every attempt and replay."""

    webhook = to_one(
        Webhook,
        "The webhook; empty once it is deleted, until the delivery is purged too.",
        inverse=("deliveries", "The webhook's deliveries, sent and pending."),
        enforced=False,
    )
    customer = to_one(Customer, "The customer whose row changed.", optional=True, on_delete="set null", index=())
    cursor: Column[str] = field("Cursor of the change in the global order.", personal=PersonalData.NOT_PERSONAL)
    status: Column[DeliveryStatus] = field("State of the delivery.")
    attempts: Column[int] = field("Number of attempts so far.", server_default=0)
    next_attempt_at: Column[datetime | None] = field("Time of the next attempt; empty when there is none.")
    delivered_at: Column[datetime | None] = field("Time when the receiver accepted it.")
    reason: Column[str | None] = field("Why the last attempt failed.", personal=PersonalData.TECHNICAL)

    @resolver(status, next_attempt_at, reason)
    def waits_for(self, status: str, next_attempt_at: datetime | None, reason: str | None, now: datetime) -> str | None:
        """Condition that the delivery waits for now, as text; null once it is finished."""
        if status not in (DeliveryStatus.PENDING, DeliveryStatus.RETRYING):
            return None
        if next_attempt_at is None or next_attempt_at <= now:
            return (
                "Its turn: earlier deliveries of the same customer are delivered or dead first, "
                "its webhook must be active, and its receiver must have capacity."
            )
        moment = next_attempt_at.isoformat()
        if status == DeliveryStatus.PENDING:
            return f"The end of its webhook's window at {moment}: until then a later change of the row replaces it."
        return f"The next attempt at {moment}. The last one failed: {reason}"


class WebhookAttempt(
    Entity,
    prefix="wat",
    owned_by=key_owned,
    part_of=WebhookDelivery,
    parent=("delivery", "The delivery that was attempted."),
    inverse=("tries", "Every attempt to send it."),
    permission="webhooks",
    writable_by=("unit",),
    operations=(),
    order="-created_at",
):
    """One attempt to send a delivery."""

    number: Column[int] = field("Number of the attempt, from 1.")
    status_code: Column[int | None] = field("HTTP status of the response; empty when there was none.")
    milliseconds: Column[int] = field("Duration of the attempt, from name resolution to the response.")
    error: Column[str | None] = field("Why there was no response.", personal=PersonalData.TECHNICAL)
    answer: Column[str | None] = field("The first KiB of the response's body.", personal=PersonalData.FREE_TEXT)
