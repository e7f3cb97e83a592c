"""What giving rows of a customer to another one needs of its transaction."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

from hub.db.pool import Connection
from hub.model.provenance import NOBODY

CHUNK = 5_000  # rows that one statement moves, so that each stays within its timeout
_SOURCE = "select coalesce(current_setting('hub.source', true), '')"
_SET = "select set_config('hub.follow', $1, true), set_config('hub.source', $2, true)"
_DEFER = "set constraints all deferred"
_CHECK = "set constraints all immediate"
_MERGED_AT = """
select greatest($2::timestamptz, max(merged_at) + interval '1 microsecond') from merges
where survivor_key = any($1) or merged_key = any($1)
"""


@asynccontextmanager
async def moving(tx: Connection) -> AsyncIterator[None]:
    """In the block, rows move whatever the order: foreign keys wait, and neither triggers nor provenance follow.

    Rows about rows that move are moved by statements of their own, not one by one by a trigger."""
    source = await tx.fetchval(_SOURCE)
    await tx.execute(_SET, "off", NOBODY)
    await tx.execute(_DEFER)
    yield
    await tx.execute(_CHECK)
    await tx.execute(_SET, "", source)


async def check_links(tx: Connection) -> None:
    """Checks in the block what waits, before rows are deleted with what refers to them."""
    await tx.execute(_CHECK)


async def merged_at(tx: Connection, customers: Sequence[UUID], now: datetime) -> datetime:
    """The time of a merge or split of locked customers: `now`, but after all that they were in before.

    A request may begin first and get the locks last; undos go by the order of the locks."""
    moment: datetime = await tx.fetchval(_MERGED_AT, list(customers), now)
    return moment
