"""The secrets that deliveries are signed with: made, told once, kept in boxes, and replaced while the old one still signs."""

import base64
import secrets
from datetime import datetime
from typing import Protocol
from uuid import UUID

import sqlalchemy as sa

from hub.db.sql_text import text
from hub.domain.webhooks.webhooks import Secret
from hub.errors import BadInput
from hub.model.columns import moment
from hub.model.writer import Tx

PREFIX = "whsec_"
BYTES = 32
MOST_LIVING = 5  # each makes every delivery's signature longer

_webhook = sa.bindparam("webhook", type_=sa.Uuid)
_living = sa.or_(Secret.c.ends_at.is_(None), Secret.c.ends_at > sa.bindparam("at", type_=moment()))
_ADD = text(sa.insert(Secret).values(webhook_id=_webhook, box=sa.bindparam("box", type_=sa.LargeBinary)))
_COUNT = text(sa.select(sa.func.count()).select_from(Secret).where(Secret.c.webhook_id == _webhook, _living))
_END = text(
    sa.update(Secret)
    .where(Secret.c.webhook_id == _webhook, Secret.c.ends_at.is_(None))
    .values(ends_at=sa.bindparam("until", type_=moment()))
)


class Boxes(Protocol):
    """Closes and opens boxes; the one implementation is vault.py's."""

    def closed(self, secret: bytes, label: bytes) -> bytes: ...

    def opened(self, box: bytes, label: bytes) -> bytes: ...


def key_of(shown: str) -> bytes:
    """The bytes of a secret as it is told; raises ValueError for what is none."""
    key = base64.b64decode(shown.removeprefix(PREFIX), validate=True)
    if not shown.startswith(PREFIX) or len(key) != BYTES:
        raise ValueError
    return key


async def make(tx: Tx, boxes: Boxes, webhook: UUID) -> str:
    """A new secret, which is told this once."""
    drawn = secrets.token_bytes(BYTES)
    await tx.execute(_ADD, webhook, boxes.closed(drawn, webhook.bytes))
    return PREFIX + base64.b64encode(drawn).decode()


async def rotate(tx: Tx, boxes: Boxes, webhook: UUID, until: datetime, at: datetime) -> str:
    """A new secret; the one before signs beside it until then."""
    living: int = await tx.fetchval(_COUNT, webhook, at)
    if living >= MOST_LIVING:
        message = f"id: {MOST_LIVING} secrets of this webhook are alive; wait until one of them ends."
        raise BadInput(message, code="WEBHOOK_INVALID", argument="id")
    await tx.execute(_END, until, webhook)
    return await make(tx, boxes, webhook)
