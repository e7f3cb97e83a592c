"""How far projections are: claims, cursors and failures. Times are real ones, those of the database."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from hub.db.pool import Connection
from hub.model.projections import Projection

MAX_ERROR_LENGTH = 300
_READ = "select edition, position, rebuilding, rebuilt_to from projections where name = $1"
# Who holds the row applies changes; a process that dies lets go of it.
_CLAIM = f"{_READ} for update skip locked"
_CREATE = """
insert into projections (name, edition, position, rebuilding, advanced_at) values ($1, $2, $3, $4, now())
on conflict (name) do nothing
"""
_MOVE = """
update projections set position = $2, rebuilding = $3, rebuilt_to = $4, advanced_at = now(), attempts = 0, error = null
where name = $1
"""
# A page without any change that concerns the projection; another process that applies one goes first.
_SKIP = """
update projections set position = $2, advanced_at = now()
where position < $2 and not rebuilding
    and name = (select name from projections where name = $1 for update skip locked)
"""
_RESTART = """
update projections set edition = $2, position = $3, rebuilding = $4, rebuilt_to = null, advanced_at = now() where name = $1
"""
_LIST = """
select p.name, p.position, p.rebuilding, p.advanced_at, p.attempts, p.error,
    (select count(*) from (select from change_order as o where o.position > p.position limit $1) as later) as behind
from projections as p order by p.name
"""
_LAST_POSITION = """
select greatest(position, (select max(position) from change_order)) from projections where name = $1
"""
_FAILED = "update projections set attempts = attempts + 1, error = $2 where name = $1"
_BEHIND = """
select p.name, p.rebuilding, p.attempts, p.error,
    (select count(*) from (select from change_order as o where o.position > p.position limit $1) as later) as changes
from projections as p where p.name = any($2) order by p.name
"""


class ProjectionCursor(NamedTuple):
    """Where a projection is."""

    edition: int
    position: int
    rebuilding: bool
    rebuilt_to: UUID | None


class ProjectionReport(NamedTuple):
    """How far a projection is, for people: its position, the changes behind it, counted up to a limit, and its last failure."""

    name: str
    position: int
    rebuilding: bool
    advanced_at: datetime
    attempts: int
    error: str | None
    behind: int


class ProjectionLag(NamedTuple):
    """How far a projection is behind: changes that are not applied, counted up to a limit, and why the last attempt failed."""

    name: str
    rebuilding: bool
    attempts: int
    error: str | None
    changes: int


async def read(connection: Connection, name: str) -> ProjectionCursor | None:
    """Where the projection is; None before its first start."""
    row = await connection.fetchrow(_READ, name)
    return None if row is None else ProjectionCursor(**row)


async def claim(tx: Connection, name: str) -> ProjectionCursor | None:
    """Where it is, for this transaction alone to move; None while another process applies changes."""
    row = await tx.fetchrow(_CLAIM, name)
    return None if row is None else ProjectionCursor(**row)


async def create(tx: Connection, projection: Projection, position: int) -> None:
    """Begins a projection, unless another process was faster; what exists already is built from nothing."""
    await tx.execute(_CREATE, projection.name, projection.edition, position, projection.rebuild is not None)


async def move(
    tx: Connection, name: str, position: int, *, rebuilding: bool = False, rebuilt_to: UUID | None = None
) -> None:
    """Moves the cursor, in the transaction of what was written up to it."""
    await tx.execute(_MOVE, name, position, rebuilding, rebuilt_to)


async def skip(tx: Connection, name: str, position: int) -> None:
    """Moves the cursor past changes that do not concern the projection."""
    await tx.execute(_SKIP, name, position)


async def restart(tx: Connection, projection: Projection, position: int) -> None:
    """Begins a rebuild, after which changes behind the position are applied."""
    await tx.execute(_RESTART, projection.name, projection.edition, position, projection.rebuild is not None)


async def request_rebuild(tx: Connection, projection: Projection) -> bool:
    """Begins a rebuild from the last change on; returns False while another process applies changes."""
    if await claim(tx, projection.name) is None:
        return False
    await restart(tx, projection, await tx.fetchval(_LAST_POSITION, projection.name))
    return True


async def report(connection: Connection, limit: int) -> list[ProjectionReport]:
    """How far all projections are that a hub has begun; each counts at most `limit` changes."""
    return [ProjectionReport(**row) for row in await connection.fetch(_LIST, limit)]


async def record_failure(tx: Connection, name: str, error: str) -> None:
    """Notes why an attempt failed."""
    await tx.execute(_FAILED, name, error[:MAX_ERROR_LENGTH])


async def lags(connection: Connection, names: Sequence[str], limit: int) -> list[ProjectionLag]:
    """How far projections are behind; each counts at most `limit` changes."""
    return [ProjectionLag(**row) for row in await connection.fetch(_BEHIND, limit, list(names))]
