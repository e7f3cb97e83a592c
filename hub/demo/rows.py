"""Sample rows: their ids, which are the same on every machine, batches of them for COPY, and columns that are amended."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa

# asyncpg's UUID class costs an eighth of the standard one.
from asyncpg.pgproto.pgproto import UUID as FastUUID

from hub.db.pool import Connection
from hub.db.sql_text import DIALECT
from hub.model.entity import Entity

LoadProgress = Callable[[str, int, int], None]  # with the stage, its steps that are done, and all of its steps
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
POSTGRES_EPOCH = 946_684_800_000_000

_RANDOM = (1 << 80) - 1 ^ 0xF << 76 ^ 0x3 << 62
_VERSION_BITS = 0x7 << 76 | 0x2 << 62


class Batch(NamedTuple):
    """Rows of one table, each with a value per column. Timestamps are datetimes or milliseconds since the epoch."""

    entity: type[Entity]
    columns: tuple[str, ...]
    rows: Sequence[tuple[object, ...]]


class LoadStep(NamedTuple):
    """A step of a load: the batches to write, and the progress of its stage afterwards."""

    stage: str
    done: int
    total: int
    batches: Sequence[Batch]


def batch(entity: type[Entity], rows: Sequence[Mapping[str, object]]) -> Batch:
    """Returns a batch of rows given as dictionaries with the same columns."""
    columns = tuple(entity.c[name].name for name in rows[0])
    return Batch(entity, columns, [tuple(row[name] for name in columns) for row in rows])


def sample_id(entity: type[Entity], key: str, milliseconds: int) -> UUID:
    """Returns a UUIDv7 with the row's own time; its random part is a hash of the table and the key."""
    random = int.from_bytes(hashlib.sha256(f"{entity.table.name}:{key}".encode()).digest()[:10], "big")
    return FastUUID((milliseconds << 80 | random & _RANDOM | _VERSION_BITS).to_bytes(16, "big"))


def to_milliseconds(timestamp: datetime) -> int:
    return (timestamp - EPOCH) // MILLISECOND


def to_datetime(milliseconds: int) -> datetime:
    return EPOCH + timedelta(milliseconds=milliseconds)


def to_postgres_timestamp(timestamp: datetime | int) -> tuple[int]:
    """Returns a timestamp in the format of Postgres: microseconds since 2000-01-01."""
    return ((to_milliseconds(timestamp) if isinstance(timestamp, datetime) else timestamp) * 1000 - POSTGRES_EPOCH,)


def order_api_id(order_id: UUID) -> str:
    """Returns the order's id in the form of the API, for texts that mention it."""
    return f"ord_{order_id.hex}"


async def amend(connection: Connection, entity: type[Entity], rows: Sequence[Mapping[str, object]]) -> None:
    """Writes columns of stored rows, given as dictionaries with the id, the version and the same other columns."""
    columns = [entity.c[name] for name in rows[0]]
    types = ["text" if isinstance(column.type, sa.Enum) else column.type.compile(dialect=DIALECT) for column in columns]
    arrays = ", ".join(f"${number}::{sql_type}[]" for number, sql_type in enumerate(types, 1))
    names = [column.name for column in columns]
    values = f"unnest({arrays}) as v ({', '.join(names)})"
    assigned = "".join(f"{name} = v.{name}, " for name in names if name not in ("id", "version"))
    # A trigger sets version and time where an update leaves the version as it is, so it is another one in between.
    for version in ("t.version + 1000", "v.version"):
        await connection.execute(
            f"update {entity.table.name} as t set {assigned}version = {version} from {values} where t.id = v.id",
            *([row[name] for row in rows] for name in names),
        )
