"""A transaction that a mutation is done in: who writes, savepoints, the end; and what its faults are told as."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NoReturn
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from hub.db.constraint_errors import refusal
from hub.db.pool import Connection, Held, Pool, dying, fault
from hub.errors import HubError, Unavailable

MARK = re.compile(r"[A-Za-z0-9._:-]{1,100}")  # what stands in a script between quotes
BROKEN = (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
# Those who got in each other's way go on one at a time: the lock that they take turns by, and a wait that outlasts a turn.
TURN = """
; set local lock_timeout = '5s'; set local statement_timeout = '6s'; select pg_advisory_xact_lock(7269401114)
; set local lock_timeout to default; set local statement_timeout to default
"""
LONGEST_TURN = 7.0  # seconds
NONE_YET = UUID(int=0)
SAVE, KEEP, UNDO = "savepoint row", "release savepoint row", "rollback to savepoint row"


class Taken(Unavailable):
    """The answer that was to be kept is there already: a twin was faster."""


class Several(Exception):
    """A command wants more than one insert, and so a transaction."""


class Noted:
    """Stands in for a connection while a command makes one insert and asks for nothing: it is noted, to be done later."""

    __slots__ = ("arguments", "text")

    def __init__(self) -> None:
        self.text = ""
        self.arguments: Sequence[Any] = ()

    async def fetchval(self, text: str, *arguments: Any) -> UUID:
        """Notes the insert; its row has no key yet, and nobody asks for it before it is done."""
        if self.text or not text.startswith("INSERT INTO "):
            raise Several
        self.text, self.arguments = text, arguments
        return NONE_YET

    def __getattr__(self, name: str) -> NoReturn:
        raise Several


class Work:
    """One transaction: commands write on `connection`, payloads are read on prepared statements."""

    __slots__ = ("_failed", "_held", "_metadata", "_one", "connection")

    def __init__(self, held: Held, metadata: sa.MetaData) -> None:
        self._held = held
        self._metadata = metadata
        self.connection: Connection = held.connection
        self._one = asyncio.Lock()  # a connection does one thing at a time
        self._failed: HubError | None = None

    @asynccontextmanager
    async def told(self) -> AsyncIterator[None]:
        """Faults of the driver and the server in the block are raised as what a caller is told of them."""
        try:
            yield
        except asyncpg.PostgresError as error:
            if dying(error):
                self.connection.terminate()
            raise refusal(error, self._metadata) or fault(error) from error
        except BROKEN as error:
            # Whether what was under way is done is not known: with an idempotency key it can be asked again.
            self.connection.terminate()
            message = "The hub lost its database while it wrote; try again, best with an idempotencyKey."
            raise Unavailable(message) from error

    async def fetch_json(self, text: str, arguments: Sequence[object]) -> bytes:
        """The one JSON value of a statement, as this transaction sees it."""
        try:
            async with self._one, self.told():
                statement = await self._held.statement(text)
                answer: bytes = await statement.fetchval(*arguments)
                return answer
        except HubError as error:
            self._failed = error  # whoever goes on in spite of it has no transaction any more
            raise

    async def run(self, script: str, seconds: float | None = None) -> None:
        """Statements of the hub's own making, in one round trip; they may take longer than usual if it is said how long."""
        async with self.told():
            await self.connection.execute(script, timeout=seconds)

    def require_sound(self) -> None:
        """Raises what failed in it, also where somebody went on in spite of that."""
        if self._failed is not None:
            raise self._failed

    async def end(self) -> None:
        """Commits, if nothing failed in it."""
        self.require_sound()
        await self.run("commit")


async def alone(pool: Pool, text: str, arguments: Sequence[Any], keeps: str) -> bytes | None:
    """The one JSON value of a statement that is a whole transaction; Taken is raised when the table `keeps` holds its row.

    Raises Several when a constraint refuses it: what is at fault is told best where it is done step by step."""
    try:
        return await pool.fetch_json(text, arguments)
    except asyncpg.IntegrityConstraintViolationError as error:
        if isinstance(error, asyncpg.UniqueViolationError) and error.table_name == keeps:
            raise Taken("it is kept already") from error
        raise Several from error


@asynccontextmanager
async def looking(pool: Pool, metadata: sa.MetaData) -> AsyncIterator[Connection]:
    """A connection to look something up on, with its faults told."""
    async with pool.held() as held:
        work = Work(held, metadata)
        async with work.told():
            yield work.connection


@asynccontextmanager
async def working(
    pool: Pool, metadata: sa.MetaData, actor: str, request_id: str, *, in_turn: bool = False
) -> AsyncIterator[Work]:
    """A transaction that tells the log of changes who writes; rolled back unless the block ends well, after `end`.

    With `in_turn` it waits for others that are repeated, so that two of them do not block each other again."""
    if not (MARK.fullmatch(actor) and MARK.fullmatch(request_id)):
        raise ValueError("an actor and a request are told in letters, digits and ._:-")
    async with pool.held() as held:
        work = Work(held, metadata)
        try:
            told = f"begin; set local hub.actor = '{actor}'; set local hub.request = '{request_id}'"
            await (work.run(told + TURN, LONGEST_TURN) if in_turn else work.run(told))
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
