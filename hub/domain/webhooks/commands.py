"""Commands of webhooks: create, update, pause, resume, rotate the secret, rewind, resend a delivery, dry run."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, NamedTuple, Protocol
from urllib.parse import urlsplit
from uuid import UUID

import sqlalchemy as sa

from hub.db.pool import Connection
from hub.db.sql_text import to_sql
from hub.domain.access.secrets import Encryptor
from hub.domain.webhooks import signing_secrets
from hub.domain.webhooks.webhooks import WebhookProgress, WebhookQueue
from hub.errors import BadInput, Forbidden, LimitExceeded, NotFound
from hub.model import rows, validators
from hub.model.columns import timestamp
from hub.model.commands import Injected, command
from hub.schema.access.api_keys import ApiKey
from hub.schema.webhooks.webhooks import DeliveryStatus, Webhook, WebhookDelivery, WebhookStatus
from hub.viewer import Viewer

MAX_URL_LENGTH = 2_048
MAX_COALESCE_SECONDS = 3_600
MAX_OVERLAP_HOURS = 7 * 24
MAX_DRY_RUN_DAYS = 7

_row_id = sa.bindparam("row_id", type_=sa.Uuid)
_now = sa.bindparam("now", type_=timestamp())
_position = sa.bindparam("new_position", type_=sa.BigInteger)
# Locked, so that the webhooks of a key are counted one creation at a time.
_OWNER = to_sql(sa.select(ApiKey.c.public_id).where(ApiKey.c.id == _row_id).with_for_update(key_share=True))
_COUNT_OWN = "select count(*) from webhooks where owner = $1"
_new_position = {"position": _position, "last_sent_position": _position}
_INSERT_PROGRESS = to_sql(sa.insert(WebhookProgress).values(webhook_id=_row_id, **_new_position))
_MOVE_PROGRESS = to_sql(
    sa.update(WebhookProgress).where(WebhookProgress.c.webhook_id == _row_id).values(**_new_position)
)
_CLEAR_FAILING = to_sql(
    sa.update(WebhookProgress).where(WebhookProgress.c.webhook_id == _row_id).values(failing_since=sa.null())
)
_RETRY_NOW = to_sql(
    sa.update(WebhookQueue)
    .where(WebhookQueue.c.webhook_id == _row_id, WebhookQueue.c.due_at > _now, WebhookQueue.c.lease.is_(None))
    .values(due_at=_now, attempts=sa.literal_column("0"))
)
_WEBHOOK_EXISTS = "select exists (select from webhooks where id = $1)"
_QUEUED_POSITION = "select position from webhook_queue where delivery_id = $1"
# A delivery in flight loses its lease, so that the result of that attempt is not stored and does not end it.
_REQUEUE = """
insert into webhook_queue (delivery_id, webhook_id, ordering_key, row_id, position, due_at) values ($1, $2, $3, $1, $4, $5)
on conflict (delivery_id) do update set due_at = $5, attempts = 0, lease = null
"""
# Deliveries behind it need not wait for its next attempt any more.
_ADVANCE_FOLLOWING = """
update webhook_queue as q set due_at = $2 from webhook_queue as first
where first.delivery_id = $1 and q.webhook_id = first.webhook_id and q.ordering_key = first.ordering_key
    and q.position > first.position and q.due_at > $2 and q.lease is null
"""


class DryRunResult(NamedTuple):
    """The messages that a subscription would have sent."""

    deliveries: int
    samples: list[Any]
    complete: bool
    since: datetime


class SubscriptionTools(Protocol):
    """The operations that commands need of subscriptions; DryRuns in hub/webhooks/documents.py implements it."""

    async def check(
        self, query: str, variables: dict[str, Any] | None, operation_name: str | None, viewer: Viewer
    ) -> str | None:
        """The cursor that the document itself begins behind; raises BadInput for one that is no webhook's."""

    async def webhook_position(self, cursor: str | None) -> int:
        """The position of a cursor; without one, of the last change."""

    async def position_at(self, moment: datetime) -> int:
        """The position behind which the changes since a moment lie."""

    async def preview(
        self,
        query: str,
        variables: dict[str, Any] | None,
        operation_name: str | None,
        viewer: Viewer,
        since: datetime,
    ) -> DryRunResult:
        """The messages that it would have sent since then."""


class UrlPolicy(Protocol):
    """The addresses that webhooks may reach; EgressPolicy in hub/webhooks/egress.py implements it."""

    allowed: Sequence[str]

    async def refusal(self, url: str) -> str | None:
        """Why deliveries to the URL would be refused now; None if they would be sent."""


async def require_allowed_url(viewer: Viewer, url: str, policy: UrlPolicy) -> None:
    """Raises BadInput for a URL that deliveries would not reach now. Each delivery checks it again."""
    refusal = await policy.refusal(url)
    if refusal is None:
        return
    # Only keys that see everything learn the hosts that the operator allows.
    if viewer.binding == "unrestricted":
        refusal += f" It allows {', '.join(policy.allowed) or 'nothing'} now."
    raise BadInput(f"url: {refusal}", code="WEBHOOK_INVALID", argument="url")


def webhook_url(url: str) -> str:
    """The URL in normal form; raises ValueError. `require_allowed_url` checks its address."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{url[:60]!r} is no URL ({error}); give one like https://example.net/hook") from None
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueError(f"{url[:60]!r} is no URL of the web; give one like https://example.net/hook")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a URL must not hold a name or a password; tell the two apart by the signature instead")
    if parts.fragment or len(url) > MAX_URL_LENGTH or not url.strip().isascii() or not url.strip().isprintable():
        raise ValueError(f"give at most {MAX_URL_LENGTH} ASCII characters without a #fragment")
    if " " in url.strip() or port == 0:
        raise ValueError("a URL holds no space and no port 0; write a space as %20")
    return url.strip()


def _coalesce_window(seconds: int) -> int:
    if not 0 <= seconds <= MAX_COALESCE_SECONDS:
        raise ValueError(f"give 0 to {MAX_COALESCE_SECONDS} seconds")
    return seconds


WEBHOOK_CHECKS: Mapping[str, validators.ValueCheck] = {
    "name": validators.single_line,
    "url": webhook_url,
    "coalesce_seconds": _coalesce_window,
    "reason": validators.single_line,
}


class WebhookCreatePayload(NamedTuple):
    """The payload of webhookCreate."""

    webhook: Annotated[UUID, Webhook, "The webhook."]
    secret: Annotated[str, "The secret that signs its deliveries; it is shown only once."]


@command("webhookCreate", secret=True)
async def create(
    tx: Connection,
    viewer: Viewer,
    *,
    name: Annotated[str, "Name of the webhook."],
    url: Annotated[
        str, "URL that deliveries are posted to: https, and no private network unless HUB_WEBHOOK_ALLOW names it."
    ],
    query: Annotated[str, "A subscription to `changes`, as it would run over a WebSocket."],
    variables: Annotated[dict[str, object] | None, "The subscription's variables."] = None,
    operation_name: Annotated[str | None, "Name of the operation, if the document has several."] = None,
    after: Annotated[str | None, "The cursor to start after; now by default."] = None,
    coalesce_seconds: Annotated[
        int,
        "Seconds for which a customer's changes wait: 0 to 3600. Of several changes of one row, only the last is sent, with "
        "its own operation. A row's first message may then be an UPDATE, and `previousCursor` may name a change not sent.",
    ] = 0,
    now: datetime,
    subscriptions: Injected[SubscriptionTools],
    encryptor: Injected[Encryptor],
    url_policy: Injected[UrlPolicy],
    webhook_limit: Injected[int],
) -> WebhookCreatePayload:
    """Creates a subscription with a URL: its messages are posted there, signed, with the permissions of the calling key."""
    Webhook.require(viewer, "create")
    if viewer.principal:
        message = "A webhook belongs to an API key and would end with this token; call webhookCreate with a key."
        raise Forbidden(message, code="KEY_REQUIRED")
    owner = await tx.fetchval(_OWNER, viewer.key_id)
    if owner is None:
        raise Forbidden("A webhook belongs to an API key; ask with one.")
    if await tx.fetchval(_COUNT_OWN, owner) >= webhook_limit:
        message = f"This key already has {webhook_limit} webhooks; delete one, or raise HUB_WEBHOOK_LIMIT."
        raise LimitExceeded(message, code="WEBHOOK_LIMIT", extensions={"limit": webhook_limit})
    checked = validators.check_values({"name": name, "url": url, "coalesce_seconds": coalesce_seconds}, WEBHOOK_CHECKS)
    start_cursor = await subscriptions.check(query, variables, operation_name, viewer)
    row = checked | {"query": query, "variables": variables or {}, "operation_name": operation_name, "owner": owner}
    row["status"] = WebhookStatus.ACTIVE
    position = await subscriptions.webhook_position(after or start_cursor)
    await require_allowed_url(viewer, checked["url"], url_policy)
    key = await rows.insert_row(tx, viewer, Webhook, row, now, fields=("name", "url", "query"))
    await tx.execute(_INSERT_PROGRESS, key, position)
    return WebhookCreatePayload(key, await signing_secrets.create_secret(tx, encryptor, key))


class WebhookPayload(NamedTuple):
    """The payload of commands that change a webhook."""

    webhook: Annotated[UUID, Webhook, "The webhook as it is now."]


@command("webhookUpdate")
async def update(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, Webhook, "The webhook."],
    name: Annotated[str | None, "Name of the webhook."] = None,
    url: Annotated[str | None, "URL that deliveries are posted to."] = None,
    query: Annotated[
        str | None, "Another subscription; its variables and operation are replaced along with it."
    ] = None,
    variables: Annotated[dict[str, object] | None, "The new subscription's variables."] = None,
    operation_name: Annotated[str | None, "The new subscription's operation."] = None,
    coalesce_seconds: Annotated[int | None, "Seconds for which a customer's changes wait: 0 to 3600."] = None,
    now: datetime,
    subscriptions: Injected[SubscriptionTools],
    url_policy: Injected[UrlPolicy],
) -> WebhookPayload:
    """Changes a webhook; absent fields stay. Queued deliveries are sent unchanged, to the new URL."""
    Webhook.require(viewer, "update")
    if query is None and (variables is not None or operation_name is not None):
        argument = "operation_name" if variables is None else "variables"
        message = f"{argument}: it belongs to the query; give the query with it."
        raise BadInput(message, argument=argument)
    supplied = {"name": name, "url": url, "coalesce_seconds": coalesce_seconds}
    checked = validators.check_values(
        {key: value for key, value in supplied.items() if value is not None}, WEBHOOK_CHECKS
    )
    if query is not None:
        await subscriptions.check(query, variables, operation_name, viewer)
        checked |= {"query": query, "variables": variables or {}, "operation_name": operation_name}
    if url is not None:
        await require_allowed_url(viewer, checked["url"], url_policy)
    await rows.update_row(tx, viewer, Webhook, id, checked, now, fields=tuple(checked))
    return WebhookPayload(id)


@command("webhookPause")
async def pause(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, Webhook, "The webhook."],
    reason: Annotated[str, "Why."] = "Paused by hand.",
    now: datetime,
) -> WebhookPayload:
    """Pauses a webhook; after a resume it continues where it stopped."""
    Webhook.require(viewer, "update")
    checked = validators.check_values({"reason": reason}, WEBHOOK_CHECKS)
    changes = {"status": WebhookStatus.PAUSED, "status_reason": checked["reason"]}
    await rows.update_row(tx, viewer, Webhook, id, changes, now)
    return WebhookPayload(id)


@command("webhookResume")
async def resume(
    tx: Connection, viewer: Viewer, *, id: Annotated[UUID, Webhook, "The webhook."], now: datetime
) -> WebhookPayload:
    """Resumes a webhook, whether paused or failing; deliveries that wait for a retry are attempted at once."""
    Webhook.require(viewer, "update")
    await rows.update_row(tx, viewer, Webhook, id, {"status": WebhookStatus.ACTIVE, "status_reason": None}, now)
    await tx.execute(_CLEAR_FAILING, id)
    await tx.execute(_RETRY_NOW, now, id)
    return WebhookPayload(id)


class SecretRotatePayload(NamedTuple):
    """The payload of webhookSecretRotate."""

    webhook: Annotated[UUID, Webhook, "The webhook."]
    secret: Annotated[str, "The new secret; it is shown only once."]
    previous_until: Annotated[datetime, "Time until which the old secret signs too."]


@command("webhookSecretRotate", secret=True)
async def rotate_secret(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, Webhook, "The webhook."],
    overlap_hours: Annotated[int, "Hours for which the old secret signs beside the new one: 0 to 168."] = 24,
    now: datetime,
    encryptor: Injected[Encryptor],
) -> SecretRotatePayload:
    """Creates a new secret. Until the old one expires, every delivery carries a signature of each."""
    Webhook.require(viewer, "update")
    if not 0 <= overlap_hours <= MAX_OVERLAP_HOURS:
        raise BadInput(f"overlap_hours: give 0 to {MAX_OVERLAP_HOURS}.", argument="overlap_hours")
    await rows.lock_row(tx, viewer, Webhook, id, "id")
    until = now + timedelta(hours=overlap_hours)
    async with rows.updating(tx, viewer, Webhook, id):
        return SecretRotatePayload(id, await signing_secrets.replace_secret(tx, encryptor, id, until, now), until)


@command("webhookRewind")
async def rewind(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, Webhook, "The webhook."],
    after: Annotated[str | None, "The cursor to continue after."] = None,
    since: Annotated[datetime | None, "The time to continue from."] = None,
    now: datetime,
    subscriptions: Injected[SubscriptionTools],
) -> WebhookPayload:
    """Resends the deliveries after a cursor or since a time, with the same `webhook-id`s; or skips ahead."""
    Webhook.require(viewer, "update")
    if (after is None) == (since is None):
        raise BadInput("after: give either a cursor or a moment (since).", code="ARGUMENT_MISSING", argument="after")
    await rows.lock_row(tx, viewer, Webhook, id, "id")
    position = await (subscriptions.webhook_position(after) if since is None else subscriptions.position_at(since))
    async with rows.updating(tx, viewer, Webhook, id):
        await tx.execute(_MOVE_PROGRESS, position, id)
    return WebhookPayload(id)


class ResendPayload(NamedTuple):
    """The payload of webhookDeliveryResend."""

    webhook_delivery: Annotated[UUID, WebhookDelivery, "The delivery, queued again."]


@command("webhookDeliveryResend", bulk_name="webhookDeliveriesResend")
async def resend(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, WebhookDelivery, "The delivery."],
    now: datetime,
    subscriptions: Injected[SubscriptionTools],
) -> ResendPayload:
    """Resends a delivery with the same `webhook-id`: a dead one unchanged, any other rebuilt from the change log."""
    Webhook.require(viewer, "update")
    row = await rows.lock_row(tx, viewer, WebhookDelivery, id, "id")
    if not await tx.fetchval(_WEBHOOK_EXISTS, row["webhook_id"]):
        raise NotFound("id: its webhook was deleted, so there is nobody to send it to.", argument="id")
    position = await tx.fetchval(_QUEUED_POSITION, id)
    if position is None:
        try:
            position = await subscriptions.webhook_position(row["cursor"])
        except BadInput as error:
            message = (
                "id: the change that it tells of is no longer kept, so it cannot be written anew; read the row itself."
            )
            raise BadInput(message, code=error.code, argument="id") from None
    await tx.execute(_REQUEUE, id, row["webhook_id"], row["customer_id"] or id, position, now)
    await tx.execute(_ADVANCE_FOLLOWING, id, now)
    changes = {"status": DeliveryStatus.PENDING, "next_attempt_at": now, "reason": None}
    await rows.update_row(tx, viewer, WebhookDelivery, id, changes, now)
    return ResendPayload(id)


class DryRunPayload(NamedTuple):
    """The payload of webhookDryRun."""

    deliveries: Annotated[int, "Number of deliveries that would have been sent."]
    samples: Annotated[list[dict[str, object]], "Bodies of the last three deliveries."]
    complete: Annotated[
        bool, "Whether all changes were evaluated; if false, time ran out and only the oldest ones were."
    ]
    since: Annotated[datetime, "Start of the evaluated period."]


@command("webhookDryRun")
async def dry_run(
    tx: Connection,
    viewer: Viewer,
    *,
    query: Annotated[str, "The subscription."],
    variables: Annotated[dict[str, object] | None, "Its variables."] = None,
    operation_name: Annotated[str | None, "Name of the operation, if the document has several."] = None,
    days: Annotated[int, "Number of days to evaluate: 1 to 7."] = MAX_DRY_RUN_DAYS,
    now: datetime,
    subscriptions: Injected[SubscriptionTools],
) -> DryRunPayload:
    """Evaluates a subscription over the last days without sending; returns the number of deliveries and three samples."""
    Webhook.require(viewer, "create")
    if not 1 <= days <= MAX_DRY_RUN_DAYS:
        raise BadInput(f"days: give 1 to {MAX_DRY_RUN_DAYS}.", argument="days")
    return DryRunPayload(
        *await subscriptions.preview(query, variables, operation_name, viewer, now - timedelta(days=days))
    )
