"""The transaction of a mutation: its actor, savepoints and commit, and the translation of its errors for clients."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NoReturn
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from hub.db.constraint_errors import to_hub_error
from hub.db.database_errors import CONNECTION_LOST, is_connection_fatal, translate_error
from hub.db.locks import AdvisoryLock
from hub.db.pool import Connection, Pool
from hub.db.pooled_connection import PooledConnection
from hub.errors import HubError, Unavailable
from hub.viewer import Viewer

SAFE_LITERAL = re.compile(r"[A-Za-z0-9._:/@|%~-]{1,1500}")  # may stand between quotes in a script
# Contended mutations are retried one at a time, under an advisory lock; the timeouts outlast one retry.
SERIALIZE_RETRIES_SQL = f"""
; set local lock_timeout = '5s'; set local statement_timeout = '6s'; select pg_advisory_xact_lock({AdvisoryLock.RETRY})
; set local lock_timeout to default; set local statement_timeout to default
"""
SERIALIZE_SECONDS = 7.0
_RECORD_CALLER = """
select set_config('hub.actor', $1, true), set_config('hub.context', $2, true), set_config('hub.source', $3, true)
"""
UNKNOWN_KEY = UUID(int=0)
SAVEPOINT, RELEASE, ROLLBACK_TO = "savepoint row", "release savepoint row", "rollback to savepoint row"


class IdempotencyConflict(Unavailable):
    """The idempotency record exists already: a concurrent request with the same key was faster."""


class NotASingleInsert(Exception):
    """A command runs more than one INSERT, and so needs a transaction."""


class RecordingConnection:
    """A connection that records a command's single INSERT without running it; raises NotASingleInsert for any other call."""

    __slots__ = ("arguments", "text")

    def __init__(self) -> None:
        self.text = ""
        self.arguments: Sequence[Any] = ()

    async def fetchval(self, text: str, *arguments: Any) -> UUID:
        """Records the INSERT and returns a placeholder key; the command must not read it."""
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
        self._query_lock = asyncio.Lock()  # a connection runs one statement at a time
        self._failed: HubError | None = None

    @asynccontextmanager
    async def translate_errors(self) -> AsyncIterator[None]:
        """Translates errors of the driver and the server in the block into errors for the client."""
        try:
            yield
        except asyncpg.PostgresError as error:
            if is_connection_fatal(error):
                self.connection.terminate()
            raise to_hub_error(error, self._metadata) or translate_error(error) from error
        except CONNECTION_LOST as error:
            # The outcome is unknown; with an idempotency key the client can repeat the request safely.
            self.connection.terminate()
            message = "The hub lost its database during the mutation; try again, preferably with an idempotencyKey."
            raise Unavailable(message) from error

    async def fetch_json(self, text: str, arguments: Sequence[object]) -> bytes:
        """Returns a statement's single JSON value as bytes, read in this transaction; raises HubError."""
        try:
            async with self._query_lock, self.translate_errors():
                statement = self._pooled.prepared(text) or await self._pooled.prepare(text)
                value: bytes = await statement.fetchval(*arguments)
                return value
        except HubError as error:
            self._failed = error  # `finish` refuses to commit, even if the caller ignores this error
            raise

    async def run(self, sql: str, timeout_seconds: float | None = None) -> None:
        """Runs the hub's own statements in one round trip; `timeout_seconds` replaces the usual timeout. Raises HubError."""
        async with self.translate_errors():
            await self.connection.execute(sql, timeout=timeout_seconds)

    def raise_if_failed(self) -> None:
        """Raises the error that failed the transaction, if any, even if the caller ignored it before."""
        if self._failed is not None:
            raise self._failed

    async def finish(self) -> None:
        """Commits; raises the error instead if a statement has failed."""
        self.raise_if_failed()
        await self.run("commit")


async def execute_single_statement(
    pool: Pool, text: str, arguments: Sequence[Any], idempotency_table: str
) -> bytes | None:
    """Runs a statement that is a whole transaction and returns its single JSON value as bytes.

    Raises IdempotencyConflict if `idempotency_table` already holds its record, and NotASingleInsert if another constraint
    is violated: running the command step by step gives a better error."""
    try:
        return await pool.fetch_json(text, arguments)
    except asyncpg.IntegrityConstraintViolationError as error:
        if isinstance(error, asyncpg.UniqueViolationError) and error.table_name == idempotency_table:
            raise IdempotencyConflict("the idempotency record exists already") from error
        raise NotASingleInsert from error


@asynccontextmanager
async def read_only_connection(pool: Pool, metadata: sa.MetaData) -> AsyncIterator[Connection]:
    """Yields a connection for reading, outside a transaction; errors are raised as HubError."""
    async with pool.checkout() as pooled:
        tx = Transaction(pooled, metadata)
        async with tx.translate_errors():
            yield tx.connection


@asynccontextmanager
async def transaction(
    pool: Pool,
    metadata: sa.MetaData,
    actor: str,
    request_id: str,
    context: str,
    source: str = "",
    *,
    serialized: bool = False,
) -> AsyncIterator[Transaction]:
    """Yields a transaction that records actor, request and context, a JSON object, in the change log.

    `source` is who says what it writes; see hub/model/provenance.py.

    The block must call `finish` to commit.

    With `serialized` it first waits for other retried mutations, so that two retries do not block each other again."""
    if not (SAFE_LITERAL.fullmatch(actor) and SAFE_LITERAL.fullmatch(request_id)):
        raise ValueError("actor and request id may only contain letters, digits and ._:/@|%~-")
    async with pool.checkout() as pooled:
        tx = Transaction(pooled, metadata)
        try:
            quoted_context, quoted_source = (text.replace("'", "''") for text in (context, source))
            begin_sql = (
                f"begin; set local hub.actor = '{actor}'; set local hub.request = '{request_id}'"
                f"; set local hub.context = '{quoted_context}'; set local hub.source = '{quoted_source}'"
            )
            await (tx.run(begin_sql + SERIALIZE_RETRIES_SQL, SERIALIZE_SECONDS) if serialized else tx.run(begin_sql))
            yield tx
        except HubError:
            await _roll_back(pooled)
            raise


async def record_caller(tx: Connection, viewer: Viewer, network: str) -> None:
    """Says in the change log and the audit log who acts in this transaction; `network` is the client's address."""
    await tx.execute(_RECORD_CALLER, viewer.actor, json.dumps(viewer.audit_context(network)), viewer.source)


async def _roll_back(pooled: PooledConnection) -> None:
    if pooled.connection.is_closed():
        return
    try:
        await pooled.connection.execute("rollback")
    except Exception:
        pooled.connection.terminate()
