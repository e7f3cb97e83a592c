"""Signing secrets of webhooks: created, shown once, stored encrypted, and rotated with an overlap."""

import base64
import secrets
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from hub.db.pool import Connection
from hub.db.sql_text import to_sql
from hub.domain.access.secrets import Encryptor
from hub.domain.webhooks.webhooks import WebhookSecret
from hub.errors import BadInput
from hub.model.columns import timestamp

SECRET_PREFIX = "whsec_"
SECRET_BYTES = 32
MAX_ACTIVE = 5  # each makes every delivery's signature longer

_webhook = sa.bindparam("webhook", type_=sa.Uuid)
_is_active = sa.or_(WebhookSecret.c.ends_at.is_(None), WebhookSecret.c.ends_at > sa.bindparam("now", type_=timestamp()))
_INSERT = to_sql(sa.insert(WebhookSecret).values(webhook_id=_webhook, box=sa.bindparam("box", type_=sa.LargeBinary)))
_COUNT_ACTIVE = to_sql(
    sa.select(sa.func.count()).select_from(WebhookSecret).where(WebhookSecret.c.webhook_id == _webhook, _is_active)
)
_END_CURRENT = to_sql(
    sa.update(WebhookSecret)
    .where(WebhookSecret.c.webhook_id == _webhook, WebhookSecret.c.ends_at.is_(None))
    .values(ends_at=sa.bindparam("until", type_=timestamp()))
)


def decode_secret(encoded: str) -> bytes:
    """The bytes of an encoded secret; raises ValueError for any other text."""
    key = base64.b64decode(encoded.removeprefix(SECRET_PREFIX), validate=True)
    if not encoded.startswith(SECRET_PREFIX) or len(key) != SECRET_BYTES:
        raise ValueError
    return key


async def create_secret(tx: Connection, encryptor: Encryptor, webhook: UUID) -> str:
    """Creates a secret; returns its encoded form, which is shown only once."""
    secret = secrets.token_bytes(SECRET_BYTES)
    await tx.execute(_INSERT, webhook, encryptor.encrypt(secret, webhook.bytes))
    return SECRET_PREFIX + base64.b64encode(secret).decode()


async def replace_secret(tx: Connection, encryptor: Encryptor, webhook: UUID, until: datetime, now: datetime) -> str:
    """Creates a secret; the previous one signs beside it until then."""
    active_count: int = await tx.fetchval(_COUNT_ACTIVE, webhook, now)
    if active_count >= MAX_ACTIVE:
        message = f"id: {MAX_ACTIVE} secrets of this webhook are alive; wait until one of them ends."
        raise BadInput(message, code="WEBHOOK_INVALID", argument="id")
    await tx.execute(_END_CURRENT, until, webhook)
    return await create_secret(tx, encryptor, webhook)
