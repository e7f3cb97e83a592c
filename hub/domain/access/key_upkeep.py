"""Upkeep of API keys: when they were used last, the end of those of people who left, and the purge of expired ones."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from hub.db.pool import Connection
from hub.db.sql_text import to_sql
from hub.model.columns import timestamp
from hub.schema.access.api_keys import ApiKey
from hub.schema.organisation.staff import Staff

EXPIRED_KEY_RETENTION = timedelta(days=7)  # after its end, so that a client that still sends it learns that it expired

_key = ApiKey.table
_now = sa.bindparam("now", type_=timestamp())
_RECORD_USAGE = to_sql(
    sa.update(_key)
    .where(_key.c.id == sa.bindparam("key_id", type_=sa.Uuid))
    .values(last_used_at=sa.func.greatest(_key.c.last_used_at, _now))
)
_expired = (
    sa.select(_key.c.id)
    .where(
        sa.or_(_key.c.customer_id.is_not(None), _key.c.session_of_id.is_not(None), _key.c.staff_id.is_not(None)),
        _key.c.expires_at < sa.bindparam("before", type_=timestamp()),
    )
    .limit(sa.bindparam("limit", type_=sa.Integer))
)
_PURGE = to_sql(sa.delete(_key).where(_key.c.id.in_(_expired)))
_REVOKE_LEAVERS = to_sql(
    sa.update(_key)
    .where(
        _key.c.staff_id == Staff.c.id,
        Staff.c.left_on < sa.bindparam("today", type_=sa.Date),
        _key.c.revoked_at.is_(None),
    )
    .values(revoked_at=_now)
)


async def record_usage(tx: Connection, usage: Mapping[UUID, datetime]) -> None:
    """Remember when keys were last used."""
    await tx.executemany(_RECORD_USAGE, [(used_at, key_id) for key_id, used_at in sorted(usage.items())])


async def purge_expired(tx: Connection, now: datetime, limit: int) -> bool:
    """Deletes keys of customers, staff and sessions that ended long ago: one for every login. Whether there may be more."""
    status: str = await tx.execute(_PURGE, now - EXPIRED_KEY_RETENTION, limit)
    return status == f"DELETE {limit}"


async def revoke_keys_of_leavers(tx: Connection, now: datetime) -> None:
    """Revokes the keys of staff who have left. They have been refused since then; now those who administer see it too."""
    await tx.execute(_REVOKE_LEAVERS, now, now.astimezone(UTC).date())
