"""A transaction that a mutation is done in: who writes, savepoints, the end; and what its faults are told as."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NoReturn
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from hub.db.constraint_errors import to_hub_error
from hub.db.locks import AdvisoryLock
from hub.db.pool import Connection, Pool, PooledConnection, is_connection_fatal, translate_error
from hub.errors import HubError, Unavailable

SAFE_LITERAL = re.compile(r"[A-Za-z0-9._:-]{1,100}")  # what stands in a script between quotes
CONNECTION_LOST = (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
# Those who got in each other's way go on one at a time: the lock that they take turns by, and a wait that outlasts a turn.
SERIALIZE_RETRIES_SQL = f"""
; set local lock_timeout = '5s'; set local statement_timeout = '6s'; select pg_advisory_xact_lock({AdvisoryLock.RETRY})
; set local lock_timeout to default; set local statement_timeout to default
"""
SERIALIZE_SECONDS = 7.0
UNKNOWN_KEY = UUID(int=0)
SAVEPOINT, RELEASE, ROLLBACK_TO = "savepoint row", "release savepoint row", "rollback to savepoint row"


class IdempotencyConflict(Unavailable):
    """The answer that was to be kept is there already: a twin was faster."""


class NotASingleInsert(Exception):
    """A command wants more than one insert, and so a transaction."""


class RecordingConnection:
    """Stands in for a connection while a command makes one insert and asks for nothing: it is noted, to be done later."""

    __slots__ = ("arguments", "text")

    def __init__(self) -> None:
        self.text = ""
        self.arguments: Sequence[Any] = ()

    async def fetchval(self, text: str, *arguments: Any) -> UUID:
        """Notes the insert; its row has no key yet, and nobody asks for it before it is done."""
        if self.text or not text.startswith("INSERT INTO "):
            raise NotASingleInsert
        self.text, self.arguments = text, arguments
        return UNKNOWN_KEY

    def __getattr__(self, name: str) -> NoReturn:
        raise NotASingleInsert


class Transaction:
    """One transaction: commands write on `connection`, payloads are read on prepared statements."""

    __slots__ = ("_failed", "_metadata", "_pooled", "_query_lock", "connection")

    def __init__(self, pooled: PooledConnection, metadata: sa.MetaData) -> None:
        self._pooled = pooled
        self._metadata = metadata
        self.connection: Connection = pooled.connection
        self._query_lock = asyncio.Lock()  # a connection does one thing at a time
        self._failed: HubError | None = None

    @asynccontextmanager
    async def translate_errors(self) -> AsyncIterator[None]:
        """Faults of the driver and the server in the block are raised as what a caller is told of them."""
        try:
            yield
        except asyncpg.PostgresError as error:
            if is_connection_fatal(error):
                self.connection.terminate()
            raise to_hub_error(error, self._metadata) or translate_error(error) from error
        except CONNECTION_LOST as error:
            # Whether what was under way is done is not known: with an idempotency key it can be asked again.
            self.connection.terminate()
            message = "The hub lost its database while it wrote; try again, best with an idempotencyKey."
            raise Unavailable(message) from error

    async def fetch_json(self, text: str, arguments: Sequence[object]) -> bytes:
        """The one JSON value of a statement, as this transaction sees it."""
        try:
            async with self._query_lock, self.translate_errors():
                statement = await self._pooled.statement(text)
                value: bytes = await statement.fetchval(*arguments)
                return value
        except HubError as error:
            self._failed = error  # whoever goes on in spite of it has no transaction any more
            raise

    async def run(self, sql: str, timeout_seconds: float | None = None) -> None:
        """Statements of the hub's own making, in one round trip; they may take longer than usual if it is said how long."""
        async with self.translate_errors():
            await self.connection.execute(sql, timeout=timeout_seconds)

    def raise_if_failed(self) -> None:
        """Raises what failed in it, also where somebody went on in spite of that."""
        if self._failed is not None:
            raise self._failed

    async def finish(self) -> None:
        """Commits, if nothing failed in it."""
        self.raise_if_failed()
        await self.run("commit")


async def execute_single_statement(
    pool: Pool, text: str, arguments: Sequence[Any], idempotency_table: str
) -> bytes | None:
    """The one JSON value of a statement that is a whole transaction; IdempotencyConflict is raised when
    `idempotency_table` holds its row.

    Raises NotASingleInsert when a constraint refuses it: what is at fault is told best where it is done step by step."""
    try:
        return await pool.fetch_json(text, arguments)
    except asyncpg.IntegrityConstraintViolationError as error:
        if isinstance(error, asyncpg.UniqueViolationError) and error.table_name == idempotency_table:
            raise IdempotencyConflict("it is kept already") from error
        raise NotASingleInsert from error


@asynccontextmanager
async def read_only_connection(pool: Pool, metadata: sa.MetaData) -> AsyncIterator[Connection]:
    """A connection to look something up on, with its faults told."""
    async with pool.checkout() as pooled:
        tx = Transaction(pooled, metadata)
        async with tx.translate_errors():
            yield tx.connection


@asynccontextmanager
async def transaction(
    pool: Pool, metadata: sa.MetaData, actor: str, request_id: str, *, serialized: bool = False
) -> AsyncIterator[Transaction]:
    """A transaction that tells the log of changes who writes; rolled back unless the block ends well, after `finish`.

    With `serialized` it waits for others that are repeated, so that two of them do not block each other again."""
    if not (SAFE_LITERAL.fullmatch(actor) and SAFE_LITERAL.fullmatch(request_id)):
        raise ValueError("an actor and a request are told in letters, digits and ._:-")
    async with pool.checkout() as pooled:
        tx = Transaction(pooled, metadata)
        try:
            begin_sql = f"begin; set local hub.actor = '{actor}'; set local hub.request = '{request_id}'"
            await (tx.run(begin_sql + SERIALIZE_RETRIES_SQL, SERIALIZE_SECONDS) if serialized else tx.run(begin_sql))
            yield tx
        except HubError:
            await _roll_back(pooled)
            raise


async def _roll_back(pooled: PooledConnection) -> None:
    if pooled.connection.is_closed():
        return
    try:
        await pooled.connection.execute("rollback")
    except Exception:
        pooled.connection.terminate()
