"""A small connection pool, reused last-in first-out; each connection caches its prepared statements.

asyncpg's pool doubles the cost of a point query (measured, see docs/decisions/0004-own-pool.md)."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from time import perf_counter
from types import MappingProxyType
from typing import Any, TypeAlias

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement
from asyncpg.protocol import NO_TIMEOUT

from hub.db.backend_priority import lower_priority, runs_here
from hub.db.database_errors import database_unavailable, is_connection_fatal, translate_error
from hub.db.fair_queue import FairQueue, Flow
from hub.db.lanes import QUICK_SECONDS, StatementLanes, background_connections
from hub.db.meter import WorkMeter
from hub.db.pooled_connection import PooledConnection
from hub.db.runtime_role import ServingIdentity, connect_to_serve
from hub.deadlines import Deadlines
from hub.errors import HubError, Unavailable
from hub.settings import Settings

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

CONNECT_SECONDS = 5.0
# Seconds after the server's own statement timeout. A server that has not reported the timeout by then is stalled or unreachable.
TIMEOUT_MARGIN = 0.5
# From this similarity of whole words a search accepts another spelling. A word of four letters may have another last one;
# two common first letters are not enough.
SIMILARITY_THRESHOLD = 0.4
PLAN_MODE_SQL = {True: "set plan_cache_mode = force_custom_plan", False: "reset plan_cache_mode"}
# Parallel workers are processes with the usual priority. A cached plan that has some runs without them.
WORKERS_SQL = {True: "reset max_parallel_workers", False: "set max_parallel_workers = 0"}


def _session_settings(settings: Settings) -> dict[str, str]:
    return {
        "application_name": "hub",
        "TimeZone": "UTC",
        "DateStyle": "ISO",
        "statement_timeout": str(round(settings.statement_timeout * 1000)),
        "lock_timeout": str(round(settings.lock_timeout * 1000)),
        "idle_in_transaction_session_timeout": "5000",
        "client_connection_check_interval": "1000",
        "pg_trgm.strict_word_similarity_threshold": str(SIMILARITY_THRESHOLD),
        "jit": "off",
        "random_page_cost": "1.1",
        **({"hub.clock": "test"} if settings.clock == "test" else {}),  # the log's triggers read the test clock then
    }


async def _open_connection(
    dsn: str,
    settings: Settings,
    session: dict[str, str],
    *,
    as_owner: bool = False,
    first: ServingIdentity = ServingIdentity.LOGIN_ROLE,
) -> tuple[Connection, ServingIdentity]:
    # Opening a connection may take no longer than a statement.
    connect_timeout, command_timeout = (
        min(CONNECT_SECONDS, settings.statement_timeout + TIMEOUT_MARGIN),
        settings.statement_timeout + TIMEOUT_MARGIN,
    )
    options: dict[str, Any] = {"timeout": connect_timeout, "command_timeout": command_timeout}
    try:
        if as_owner:
            connection = await asyncpg.connect(dsn, server_settings=session, **options)
            identity = ServingIdentity.OWNER
        else:
            connection, identity = await connect_to_serve(dsn, session, first, **options)
        try:
            await connection.set_type_codec(
                "json", schema="pg_catalog", encoder=lambda raw: raw, decoder=lambda raw: raw, format="binary"
            )
        except BaseException:
            connection.terminate()  # the caller, perhaps cancelled, never sees it
            raise
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, TimeoutError) as error:
        raise database_unavailable() from error
    return connection, identity


async def connect_dedicated(
    dsn: str, settings: Settings, session: Mapping[str, str], *, as_owner: bool = False
) -> Connection:
    """Opens a connection outside any pool, for locks that last as long as it. `session` overrides the usual session settings.

    `as_owner` keeps the rights of the database's owner, for secrets and tables. Raises Unavailable."""
    usual = {**_session_settings(settings), "application_name": "hub-sequencer"}
    return (await _open_connection(dsn, settings, {**usual, **session}, as_owner=as_owner))[0]


FetchMode = Callable[..., Awaitable[Any]]  # of a prepared statement and its arguments
FETCH_VALUE: FetchMode = PreparedStatement.fetchval
FETCH_ROWS: FetchMode = PreparedStatement.fetch


class _ConnectionSet:
    """The connections of a pool: opened on demand, reused last-in first-out; broken ones are replaced."""

    def __init__(
        self,
        dsn: str,
        settings: Settings,
        session: Mapping[str, str],
        *,
        lanes: bool,
        as_owner: bool,
        background: bool = False,
    ) -> None:
        self._dsn = dsn
        self._settings = settings
        self._as_owner = as_owner
        self._background = background and runs_here(dsn)
        self._identity = ServingIdentity.LOGIN_ROLE  # the safest one that the server has not refused yet
        self._server_settings = {**_session_settings(settings), **session}  # `session` overrides
        self.lanes = StatementLanes(settings.pool_size, background=runs_here(dsn)) if lanes else None
        self._limit = settings.pool_size + background_connections(settings.pool_size)
        # One connection is left to the others, whatever one flow does.
        self.queue = FairQueue(settings.pool_size, share=max(1, settings.pool_size - 1))
        self._idle: list[PooledConnection] = []
        self._idle_background: list[PooledConnection] = []
        self._closing = False
        self._deadlines = Deadlines(settings.statement_timeout + TIMEOUT_MARGIN)

    async def connect(self, background: bool = False) -> PooledConnection:
        others = self._idle if background else self._idle_background
        while others and self.queue.active + len(self._idle) + len(self._idle_background) > self._limit:
            others.pop().connection.terminate()
        try:
            connection, self._identity = await _open_connection(
                self._dsn, self._settings, self._server_settings, as_owner=self._as_owner, first=self._identity
            )
            if background or self._background:
                lower_priority(connection.get_server_pid())
            return PooledConnection(connection, background=background)
        except Unavailable as error:
            self.note_failure(error.__cause__)
            raise

    async def connect_as_owner(self) -> Connection:
        return (await _open_connection(self._dsn, self._settings, self._server_settings, as_owner=True))[0]

    def idle(self, background: bool = False) -> PooledConnection | None:
        """Takes an idle connection; None if there is none, so that the caller connects."""
        idle = self._idle_background if background else self._idle
        while idle:
            pooled = idle.pop()
            if not pooled.connection.is_closed():
                return pooled
        return None

    def release(self, pooled: PooledConnection) -> None:
        if self._closing:
            pooled.connection.terminate()
        else:  # `idle` drops closed ones
            (self._idle_background if pooled.background else self._idle).append(pooled)

    def return_after_error(self, pooled: PooledConnection, error: asyncpg.PostgresError) -> None:
        """Returns a connection after a failed statement, unless the error is fatal to the connection."""
        if is_connection_fatal(error):
            pooled.connection.terminate()
        else:
            self.release(pooled)

    def note_failure(self, error: BaseException | None) -> None:
        """After a timeout, rejects all waiters and closes idle connections: the database does not answer them either."""
        if isinstance(error, TimeoutError):
            self.queue.reject_waiters(database_unavailable)
            if self.lanes is not None:
                self.lanes.reject_waiters(database_unavailable)
            for idle in (self._idle, self._idle_background):
                while idle:
                    idle.pop().connection.terminate()

    async def fetch(
        self,
        pooled: PooledConnection,
        text: str,
        arguments: Sequence[Any],
        custom_plan: bool,
        workers: bool | None,
        fetch_mode: FetchMode,
        started_at: float,
    ) -> Any:
        """Runs a statement on a connection, which is returned or closed; raises HubError.

        `workers` says whether it may have parallel workers; None where it does not matter. `started_at` is of perf_counter."""
        try:
            statement = pooled.prepared(text) or await pooled.prepare(text)
            if pooled.custom_plan is not custom_plan:
                await pooled.connection.execute(PLAN_MODE_SQL[custom_plan])
                pooled.custom_plan = custom_plan
            if workers is not None and pooled.workers is not workers:
                await pooled.connection.execute(WORKERS_SQL[workers])
                pooled.workers = workers
            self._deadlines.add(pooled, started_at)
            try:
                result = await fetch_mode(statement, *arguments, timeout=NO_TIMEOUT)
            finally:
                self._deadlines.remove(pooled)
        except asyncpg.InvalidCachedStatementError as error:
            pooled.connection.terminate()  # a migration changed the tables of its prepared statements
            raise translate_error(error) from error
        except asyncpg.PostgresError as error:
            self.return_after_error(pooled, error)
            if pooled.timed_out:
                self.note_failure(TimeoutError())
            raise translate_error(error) from error
        except Exception as error:
            # The protocol state of the connection is unknown.
            pooled.connection.terminate()
            self.note_failure(error)
            raise translate_error(error) from error
        except BaseException:
            pooled.connection.terminate()
            raise
        self.release(pooled)
        return result

    async def close(self) -> None:
        self._closing = True
        for idle in (self._idle, self._idle_background):
            while idle:
                pooled = idle.pop()
                try:
                    await pooled.connection.close(timeout=2)
                except Exception:
                    pooled.connection.terminate()


class Pool:
    """At most `settings.pool_size` connections in use, and one less for the statements of one flow.

    With `lanes`, slow statements of a flow run one at a time, and those of all flows on a third of the connections. If the
    server is on this machine, they have connections of a low priority, of which a third more may be open. All connections
    have the role that owns nothing, unless `as_owner`: only those see hashes and secrets. With `background` all have a low
    priority, if the server is on this machine."""

    __slots__ = ("_connections", "_flow", "_meter")

    def __init__(
        self,
        dsn: str,
        settings: Settings,
        session: Mapping[str, str] = MappingProxyType({}),
        *,
        lanes: bool = False,
        as_owner: bool = False,
        background: bool = False,
    ) -> None:
        self._connections = _ConnectionSet(
            dsn, settings, session, lanes=lanes, as_owner=as_owner, background=background
        )
        self._flow: Flow = None
        self._meter: WorkMeter | None = None

    @classmethod
    async def open(cls, dsn: str, settings: Settings, *, lanes: bool = False, as_owner: bool = False) -> "Pool":
        """Opens a pool with its first connection; raises Unavailable if the database does not answer."""
        pool = cls(dsn, settings, lanes=lanes, as_owner=as_owner)
        pool._connections.release(await pool._connections.connect())
        return pool

    def for_flow(self, flow: Flow, meter: WorkMeter | None = None) -> "Pool":
        """The same pool for the statements of one flow, which the meter measures; those of the hub itself have none."""
        pool: Pool = object.__new__(Pool)
        pool._connections, pool._flow, pool._meter = self._connections, flow, meter
        return pool

    async def fetch_json(self, text: str, arguments: Sequence[Any], *, custom_plan: bool = False) -> bytes:
        """Returns a statement's single JSON value as bytes; `custom_plan` plans it for these arguments.

        Raises HubError: STATEMENT_TIMEOUT, UNAVAILABLE, or BadInput for an argument's value."""
        value: bytes = await self._run(text, arguments, custom_plan, FETCH_VALUE)
        return value

    async def fetch(self, text: str, arguments: Sequence[Any], *, custom_plan: bool = False) -> list[asyncpg.Record]:
        """Returns a statement's rows, JSON values as bytes; raises the same errors as fetch_json."""
        rows: list[asyncpg.Record] = await self._run(text, arguments, custom_plan, FETCH_ROWS)
        return rows

    async def _run(self, text: str, arguments: Sequence[Any], custom_plan: bool, fetch_mode: FetchMode) -> Any:
        connections, flow, meter = self._connections, self._flow, self._meter
        queue, lanes = connections.queue, connections.lanes if flow is not None else None
        lane = None if lanes is None else lanes.lane(flow, text)
        waits = lane is not None and not lane.try_enter(flow)
        if lane is not None and waits:
            await lane.wait(flow)
        try:
            if waits and meter is not None:
                meter.admit()
            if not queue.try_enter(flow):
                await queue.wait(flow)
            try:
                background = lane is not None and lane.background
                workers = None if lanes is None else lanes.may_have_workers(lane)
                pooled = connections.idle(background) or await connections.connect(background)
                started_at = perf_counter()
                metered_at = 0.0 if meter is None else meter.clock()
                try:
                    return await connections.fetch(
                        pooled, text, arguments, custom_plan, workers, fetch_mode, started_at
                    )
                finally:
                    seconds = perf_counter() - started_at
                    if lanes is not None and (lane is not None or seconds >= QUICK_SECONDS or lanes.has_slow_texts):
                        lanes.record(flow, text, seconds)
                    if meter is not None:
                        meter.add_since(metered_at)
            finally:
                queue.leave(flow)
        finally:
            if lane is not None:
                lane.leave(flow)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Yields a connection for the hub's own statements, without a transaction; raises driver errors unchanged."""
        async with self._connections.queue.turn(self._flow):
            pooled = self._connections.idle() or await self._connections.connect()
            metered_at = 0.0 if self._meter is None else self._meter.clock()
            try:
                yield pooled.connection
            except asyncpg.PostgresError as error:
                self._connections.return_after_error(pooled, error)
                raise
            except BaseException as error:
                pooled.connection.terminate()
                self._connections.note_failure(error)
                raise
            finally:
                if self._meter is not None:
                    self._meter.add_since(metered_at)
            self._connections.release(pooled)

    @asynccontextmanager
    async def client_connection(self) -> AsyncIterator[Connection]:
        """Yields a connection for client requests: errors are raised as HubError."""
        try:
            async with self.connection() as connection:
                yield connection
        except HubError:
            raise
        except Exception as error:
            raise translate_error(error) from error

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Yields a connection in a transaction; commits at the end of the block, rolls back on any error."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def owner_connection(self) -> AsyncIterator[Connection]:
        """Yields a connection of its own with the rights of the database's owner: for secrets, and to maintain tables."""
        connection = await self._connections.connect_as_owner()
        try:
            yield connection
        finally:
            connection.terminate()

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Connection]:
        """Yields a connection whose statements all see the same state of the database, and write nothing."""
        async with self.connection() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            yield connection

    @asynccontextmanager
    async def checkout(self) -> AsyncIterator[PooledConnection]:
        """Yields a connection with its prepared statements, for transaction.py; the caller ends its transactions."""
        async with self._connections.queue.turn(self._flow):
            pooled = self._connections.idle() or await self._connections.connect()
            metered_at = 0.0 if self._meter is None else self._meter.clock()
            try:
                yield pooled
            except HubError as error:
                self._connections.release(pooled)
                self._connections.note_failure(error.__cause__)
                raise
            except BaseException as error:
                pooled.connection.terminate()
                self._connections.note_failure(error)
                raise
            finally:
                if self._meter is not None:
                    self._meter.add_since(metered_at)
            self._connections.release(pooled)

    async def close(self) -> None:
        """Closes idle connections now, and connections in use when they are returned."""
        await self._connections.close()
