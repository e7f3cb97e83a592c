"""What is done to webhooks: made, changed, paused, resumed, rewound, tried on the past; a delivery, sent again."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, NamedTuple, Protocol
from urllib.parse import urlsplit
from uuid import UUID

import sqlalchemy as sa

from hub.db.sql_text import text
from hub.domain.access.api_keys import ApiKey
from hub.domain.webhooks import signing_secrets
from hub.domain.webhooks.signing_secrets import Boxes
from hub.domain.webhooks.webhooks import Delivery, DeliveryStatus, Progress, Queue, Webhook, WebhookStatus
from hub.errors import BadInput, Forbidden, NotFound
from hub.model import validators, writer
from hub.model.columns import moment
from hub.model.writer import Tx
from hub.viewer import Viewer

MOST_URL = 2_048
MOST_WINDOW = 3_600
MOST_OVERLAP = 7 * 24
MOST_DAYS = 7

_id = sa.bindparam("wanted", type_=sa.Uuid)
_at = sa.bindparam("at", type_=moment())
_place = sa.bindparam("place", type_=sa.BigInteger)
_OWNER = text(sa.select(ApiKey.c.public_id).where(ApiKey.c.id == _id))
_BEGIN = text(sa.insert(Progress).values(webhook_id=_id, position=_place, told=_place))
_MOVE = text(sa.update(Progress).where(Progress.c.webhook_id == _id).values(position=_place, told=_place))
_RESET = text(sa.update(Progress).where(Progress.c.webhook_id == _id).values(failing_since=sa.null()))
_DUE = text(
    sa.update(Queue)
    .where(Queue.c.webhook_id == _id, Queue.c.due_at > _at, Queue.c.lease.is_(None))
    .values(due_at=_at, attempts=sa.literal_column("0"))
)
_STANDS = "select exists (select from webhooks where id = $1)"
_HELD = "select position from webhook_queue where delivery_id = $1"
# One that is being sent gives up its lease: what comes of that attempt is not written down, so that it does not end there.
_AGAIN = """
insert into webhook_queue (delivery_id, webhook_id, lane, row_id, position, due_at) values ($1, $2, $3, $1, $4, $5)
on conflict (delivery_id) do update set due_at = $5, attempts = 0, lease = null
"""
# What waits behind it waits no longer for the attempt that it would have had.
_BEHIND = """
update webhook_queue as q set due_at = $2 from webhook_queue as first
where first.delivery_id = $1 and q.webhook_id = first.webhook_id and q.lane = first.lane
    and q.position > first.position and q.due_at > $2 and q.lease is null
"""


class Rehearsed(NamedTuple):
    """What a subscription would have told."""

    deliveries: int
    samples: list[Any]
    complete: bool
    since: datetime


class Subscriptions(Protocol):
    """What commands must know of subscriptions; the one implementation is publish/'s."""

    async def check(
        self, query: str, variables: dict[str, Any] | None, operation_name: str | None, viewer: Viewer
    ) -> str | None:
        """The cursor that the document itself begins behind; raises BadInput for one that is no webhook's."""

    async def behind(self, cursor: str | None) -> int:
        """The position of a cursor; without one, of the last change."""

    async def since(self, moment: datetime) -> int:
        """The position behind which the changes since a moment lie."""

    async def rehearse(
        self,
        query: str,
        variables: dict[str, Any] | None,
        operation_name: str | None,
        viewer: Viewer,
        since: datetime,
    ) -> Rehearsed:
        """What it would have told since then."""


def address(url: str) -> str:
    """The URL as it is kept. Where it leads is looked at whenever something is sent, not here. Raises ValueError."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{url[:60]!r} is no URL ({error}); give one like https://example.net/hook") from None
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueError(f"{url[:60]!r} is no URL of the web; give one like https://example.net/hook")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a URL must not hold a name or a password; tell the two apart by the signature instead")
    if parts.fragment or len(url) > MOST_URL or not url.strip().isascii() or not url.strip().isprintable():
        raise ValueError(f"give at most {MOST_URL} ASCII characters without a #fragment")
    if " " in url.strip() or port == 0:
        raise ValueError("a URL holds no space and no port 0; write a space as %20")
    return url.strip()


def _window(seconds: int) -> int:
    if not 0 <= seconds <= MOST_WINDOW:
        raise ValueError(f"give 0 to {MOST_WINDOW} seconds")
    return seconds


CHECKS: Mapping[str, validators.Check] = {
    "name": validators.line,
    "url": address,
    "coalesce_seconds": _window,
    "reason": validators.line,
}


class WebhookMade(NamedTuple):
    """What a new webhook gives."""

    webhook: Annotated[UUID, Webhook, "The webhook."]
    secret: Annotated[str, "What its deliveries are signed with; it is told this once."]


async def create(
    tx: Tx,
    viewer: Viewer,
    *,
    name: Annotated[str, "What people call it."],
    url: Annotated[str, "Where to send it: https, and nowhere inside unless the hub's keeper allows it."],
    query: Annotated[str, "A subscription to `changes`, as it would run over a WebSocket."],
    variables: Annotated[dict[str, object] | None, "The subscription's variables."] = None,
    operation_name: Annotated[str | None, "Which operation of the document it is, if there are several."] = None,
    after: Annotated[str | None, "The cursor to begin behind; without it, it begins now."] = None,
    coalesce_seconds: Annotated[
        int,
        "For how long a customer's changes wait, so that of several of one row only the last is sent, as what it was: "
        "0 to 3600. A row may then be heard of first by an UPDATE, and `previousCursor` may name what was not sent.",
    ] = 0,
    at: datetime,
    subscriptions: Subscriptions,
    boxes: Boxes,
) -> WebhookMade:
    """Stores a subscription with an address: what it tells is posted there, signed, with the rights of the key that asks."""
    viewer.require("webhooks:write")
    owner = await tx.fetchval(_OWNER, viewer.key_id)
    if owner is None:
        raise Forbidden("A webhook belongs to an API key; ask with one.")
    found = validators.checked({"name": name, "url": url, "coalesce_seconds": coalesce_seconds}, CHECKS)
    begins = await subscriptions.check(query, variables, operation_name, viewer)
    row = found | {"query": query, "variables": variables or {}, "operation_name": operation_name, "owner": owner}
    stamped = row | {"status": WebhookStatus.ACTIVE, "created_at": at, "updated_at": at}
    position = await subscriptions.behind(after or begins)
    key = await writer.insert(tx, viewer, Webhook, stamped)
    await tx.execute(_BEGIN, key, position)
    return WebhookMade(key, await signing_secrets.make(tx, boxes, key))


class WebhookChanged(NamedTuple):
    """What an edit gives."""

    webhook: Annotated[UUID, Webhook, "The webhook as it is now."]


async def update(
    tx: Tx,
    viewer: Viewer,
    *,
    id: Annotated[UUID, Webhook, "The webhook."],
    name: Annotated[str | None, "What people call it."] = None,
    url: Annotated[str | None, "Where to send it."] = None,
    query: Annotated[
        str | None, "Another subscription; its variables and operation are replaced along with it."
    ] = None,
    variables: Annotated[dict[str, object] | None, "The new subscription's variables."] = None,
    operation_name: Annotated[str | None, "The new subscription's operation."] = None,
    coalesce_seconds: Annotated[int | None, "For how long a customer's changes wait: 0 to 3600."] = None,
    at: datetime,
    subscriptions: Subscriptions,
) -> WebhookChanged:
    """Changes a webhook: what is absent stays. What is queued already is sent as it is, to the new address."""
    viewer.require("webhooks:write")
    if query is None and (variables is not None or operation_name is not None):
        argument = "operation_name" if variables is None else "variables"
        message = f"{argument}: it belongs to the query; give the query with it."
        raise BadInput(message, argument=argument)
    given = {"name": name, "url": url, "coalesce_seconds": coalesce_seconds}
    found = validators.checked({key: value for key, value in given.items() if value is not None}, CHECKS)
    if query is not None:
        await subscriptions.check(query, variables, operation_name, viewer)
        found |= {"query": query, "variables": variables or {}, "operation_name": operation_name}
    await writer.change(tx, viewer, Webhook, id, found, at)
    return WebhookChanged(id)


async def pause(
    tx: Tx,
    viewer: Viewer,
    *,
    id: Annotated[UUID, Webhook, "The webhook."],
    reason: Annotated[str, "Why."] = "Paused by hand.",
    at: datetime,
) -> WebhookChanged:
    """Sends nothing for a webhook until it is resumed; then it goes on from where it stood."""
    viewer.require("webhooks:write")
    found = validators.checked({"reason": reason}, CHECKS)
    changed = {"status": WebhookStatus.PAUSED, "status_reason": found["reason"]}
    await writer.change(tx, viewer, Webhook, id, changed, at)
    return WebhookChanged(id)


async def resume(
    tx: Tx, viewer: Viewer, *, id: Annotated[UUID, Webhook, "The webhook."], at: datetime
) -> WebhookChanged:
    """Sends for a webhook again, whatever stopped it; what waited for its next attempt is tried at once."""
    viewer.require("webhooks:write")
    await writer.change(tx, viewer, Webhook, id, {"status": WebhookStatus.ACTIVE, "status_reason": None}, at)
    await tx.execute(_RESET, id)
    await tx.execute(_DUE, at, id)
    return WebhookChanged(id)


class WebhookRotated(NamedTuple):
    """What a rotation gives."""

    webhook: Annotated[UUID, Webhook, "The webhook."]
    secret: Annotated[str, "The new secret; it is told this once."]
    previous_until: Annotated[datetime, "Until when the old one signs too."]


async def rotate_secret(
    tx: Tx,
    viewer: Viewer,
    *,
    id: Annotated[UUID, Webhook, "The webhook."],
    overlap_hours: Annotated[int, "For how long the old secret signs beside the new one: 0 to 168."] = 24,
    at: datetime,
    boxes: Boxes,
) -> WebhookRotated:
    """Makes a new secret. Until the old one ends, every delivery carries a signature of each."""
    viewer.require("webhooks:write")
    if not 0 <= overlap_hours <= MOST_OVERLAP:
        raise BadInput(f"overlap_hours: give 0 to {MOST_OVERLAP}.", argument="overlap_hours")
    await writer.lock(tx, viewer, Webhook, id, "id")
    until = at + timedelta(hours=overlap_hours)
    return WebhookRotated(id, await signing_secrets.rotate(tx, boxes, id, until, at), until)


async def rewind(
    tx: Tx,
    viewer: Viewer,
    *,
    id: Annotated[UUID, Webhook, "The webhook."],
    after: Annotated[str | None, "The cursor to go on behind."] = None,
    since: Annotated[datetime | None, "The moment to go on from."] = None,
    at: datetime,
    subscriptions: Subscriptions,
) -> WebhookChanged:
    """Sends again what was told behind a cursor or since a moment, with the same `webhook-id`s; or skips ahead."""
    viewer.require("webhooks:write")
    if (after is None) == (since is None):
        raise BadInput("after: give either a cursor or a moment (since).", code="ARGUMENT_MISSING", argument="after")
    await writer.lock(tx, viewer, Webhook, id, "id")
    place = await (subscriptions.behind(after) if since is None else subscriptions.since(since))
    await tx.execute(_MOVE, place, id)
    return WebhookChanged(id)


class Resent(NamedTuple):
    """What sending again gives."""

    webhook_delivery: Annotated[UUID, Delivery, "The delivery, which waits to be sent."]


async def resend(
    tx: Tx,
    viewer: Viewer,
    *,
    id: Annotated[UUID, Delivery, "The delivery."],
    at: datetime,
    subscriptions: Subscriptions,
) -> Resent:
    """Sends a delivery once more, with the same `webhook-id`: a dead letter as it is, another written anew from the log."""
    viewer.require("webhooks:write")
    row = await writer.lock(tx, viewer, Delivery, id, "id")
    if not await tx.fetchval(_STANDS, row["webhook_id"]):
        raise NotFound("id: its webhook was deleted, so there is nobody to send it to.", argument="id")
    place = await tx.fetchval(_HELD, id)
    if place is None:
        try:
            place = await subscriptions.behind(row["cursor"])
        except BadInput as refused:
            message = (
                "id: the change that it tells of is no longer kept, so it cannot be written anew; read the row itself."
            )
            raise BadInput(message, code=refused.code, argument="id") from None
    await tx.execute(_AGAIN, id, row["webhook_id"], row["customer_id"] or id, place, at)
    await tx.execute(_BEHIND, id, at)
    changed = {"status": DeliveryStatus.PENDING, "next_attempt_at": at, "reason": None}
    await writer.change(tx, viewer, Delivery, id, changed, at)
    return Resent(id)


class DryRun(NamedTuple):
    """What a webhook would have sent."""

    deliveries: Annotated[int, "How many deliveries it would have been."]
    samples: Annotated[list[dict[str, object]], "The bodies of the last three."]
    complete: Annotated[
        bool, "Whether all changes were looked at; if not, the oldest were, as many as a trial has time for."
    ]
    since: Annotated[datetime, "The moment from which on changes were looked at."]


async def dry_run(
    tx: Tx,
    viewer: Viewer,
    *,
    query: Annotated[str, "The subscription."],
    variables: Annotated[dict[str, object] | None, "Its variables."] = None,
    operation_name: Annotated[str | None, "Which operation of the document it is, if there are several."] = None,
    days: Annotated[int, "How far to look back: 1 to 7."] = MOST_DAYS,
    at: datetime,
    subscriptions: Subscriptions,
) -> DryRun:
    """Tries a subscription on the changes of the last days, and sends nothing: how many deliveries, and three samples."""
    viewer.require("webhooks:write")
    if not 1 <= days <= MOST_DAYS:
        raise BadInput(f"days: give 1 to {MOST_DAYS}.", argument="days")
    return DryRun(*await subscriptions.rehearse(query, variables, operation_name, viewer, at - timedelta(days=days)))
