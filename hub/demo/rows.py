"""How sample rows are carried to the database, and their ids, which are the same on every machine."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

# asyncpg's own, an eighth of the standard one's price.
from asyncpg.pgproto.pgproto import UUID as FastUUID

from hub.model.entity import Entity

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
POSTGRES_EPOCH = 946_684_800_000_000

_RANDOM = (1 << 80) - 1 ^ 0xF << 76 ^ 0x3 << 62
_VERSION_BITS = 0x7 << 76 | 0x2 << 62


class Batch(NamedTuple):
    """Rows of one table; each has a value for each column. Moments are datetimes or milliseconds of the epoch."""

    entity: type[Entity]
    columns: tuple[str, ...]
    rows: Sequence[tuple[object, ...]]


class LoadStep(NamedTuple):
    """A step of a load: what is written in it, and how far its stage has come with it."""

    stage: str
    done: int
    total: int
    batches: Sequence[Batch]


def batch(entity: type[Entity], rows: Sequence[Mapping[str, object]]) -> Batch:
    """Rows given by column name; all name the same columns."""
    columns = tuple(entity.c[name].name for name in rows[0])
    return Batch(entity, columns, [tuple(row[name] for name in columns) for row in rows])


def sample_id(entity: type[Entity], key: str, milliseconds: int) -> UUID:
    """A UUIDv7 whose time is the row's own and whose random part is the hash of its table and key."""
    random = int.from_bytes(hashlib.sha256(f"{entity.table.name}:{key}".encode()).digest()[:10], "big")
    return FastUUID((milliseconds << 80 | random & _RANDOM | _VERSION_BITS).to_bytes(16, "big"))


def to_milliseconds(timestamp: datetime) -> int:
    return (timestamp - EPOCH) // MILLISECOND


def to_datetime(milliseconds: int) -> datetime:
    return EPOCH + timedelta(milliseconds=milliseconds)


def to_postgres_timestamp(timestamp: datetime | int) -> tuple[int]:
    """A moment as Postgres keeps it: microseconds of the year 2000."""
    return ((to_milliseconds(timestamp) if isinstance(timestamp, datetime) else timestamp) * 1000 - POSTGRES_EPOCH,)


def order_api_id(order_id: UUID) -> str:
    """The order's id as the API writes it, which readers of a text can follow."""
    return f"ord_{order_id.hex}"
