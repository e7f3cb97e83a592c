"""A transaction that a mutation is done in: who writes, savepoints, the end; and what its faults are told as."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg
import sqlalchemy as sa

from hub.db.pool import Connection, Held, Pool, fault
from hub.db.refusals import refusal
from hub.errors import HubError, Unavailable

MARK = re.compile(r"[A-Za-z0-9._:-]{1,100}")  # what stands in a script between quotes
BROKEN = (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
SAVE, KEEP, UNDO = "savepoint row", "release savepoint row", "rollback to savepoint row"


class Taken(Unavailable):
    """What was to be kept along with the commit is there already: a twin was faster."""


class Work:
    """One transaction: commands write on `connection`, payloads are read on prepared statements."""

    __slots__ = ("_held", "_metadata", "connection")

    def __init__(self, held: Held, metadata: sa.MetaData) -> None:
        self._held = held
        self._metadata = metadata
        self.connection: Connection = held.connection

    @asynccontextmanager
    async def told(self) -> AsyncIterator[None]:
        """Faults of the driver and the server in the block are raised as what a caller is told of them."""
        try:
            yield
        except asyncpg.PostgresError as error:
            raise refusal(error, self._metadata) or fault(error) from error
        except BROKEN as error:
            # Whether what was under way is done is not known: with an idempotency key it can be asked again.
            self.connection.terminate()
            message = "The hub lost its database while it wrote; try again, best with an idempotencyKey."
            raise Unavailable(message) from error

    async def fetch_json(self, text: str, arguments: Sequence[object]) -> bytes:
        """The one JSON value of a statement, as this transaction sees it."""
        async with self.told():
            statement = await self._held.statement(text)
            answer: bytes = await statement.fetchval(*arguments)
            return answer

    async def run(self, script: str) -> None:
        """Statements of the hub's own making, in one round trip."""
        async with self.told():
            await self.connection.execute(script)

    async def keep(self, last: str) -> None:
        """Runs a last statement, if there is one, and commits; raises Taken when it would keep what is kept."""
        async with self.told():
            try:
                await self.connection.execute(f"{last}; commit" if last else "commit")
            except asyncpg.UniqueViolationError as error:
                raise Taken("it is kept already") from error


@asynccontextmanager
async def working(pool: Pool, metadata: sa.MetaData, actor: str, request_id: str) -> AsyncIterator[Work]:
    """A transaction that tells the log of changes who writes; rolled back unless the block ends well, after `keep`."""
    if not (MARK.fullmatch(actor) and MARK.fullmatch(request_id)):
        raise ValueError("an actor and a request are told in letters, digits and ._:-")
    async with pool.held() as held:
        work = Work(held, metadata)
        try:
            await work.run(f"begin; set local hub.actor = '{actor}'; set local hub.request = '{request_id}'")
            yield work
        except HubError:
            await _rolled_back(held)
            raise


async def _rolled_back(held: Held) -> None:
    if held.connection.is_closed():
        return
    try:
        await held.connection.execute("rollback")
    except Exception:
        held.connection.terminate()
