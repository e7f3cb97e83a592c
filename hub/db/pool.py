"""Connections to Postgres: few, reused last-in first-out, each with the statements it has prepared. Knows no SQL of its own.

asyncpg's own pool costs as much again as a point query (measured, docs/decisions/0004-own-pool.md)."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any, TypeAlias

import asyncpg

from hub.db.semaphore import Turns
from hub.errors import BadInput, HubError, Unavailable
from hub.settings import Settings

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

STATEMENTS = 300  # prepared statements kept per connection
STATEMENT_TEXT = 2_000_000  # and characters of their texts: the server takes some twelve times as many bytes
CONNECT_SECONDS = 5.0
# A server says itself that a statement takes too long. One that does not even say that so much later stands still, or is cut off.
SILENT = 0.5
AWAY = "The hub cannot reach its database now; try again."
PLANNING = {True: "set plan_cache_mode = force_custom_plan", False: "reset plan_cache_mode"}


class Contended(Unavailable):
    """A deadlock, a lock that took too long, a row that went while it was waited for: gone when all of it is tried again."""


def _session(settings: Settings) -> dict[str, str]:
    return {
        "application_name": "hub",
        "TimeZone": "UTC",
        "DateStyle": "ISO",
        "statement_timeout": str(round(settings.statement_timeout * 1000)),
        "lock_timeout": str(round(settings.lock_timeout * 1000)),
        "idle_in_transaction_session_timeout": "5000",
        "client_connection_check_interval": "1000",
        "pg_trgm.word_similarity_threshold": "0.35",
        "jit": "off",
        "random_page_cost": "1.1",
    }


def fault(error: Exception) -> HubError:
    """What a client is told of an error of the driver or the server."""
    state = getattr(error, "sqlstate", None) or ""
    if state == "57014":
        return Unavailable(
            "The database needed longer than one statement may take; ask for less, or filter by what is indexed.",
            code="STATEMENT_TIMEOUT",
        )
    if state == "22023" and "time zone" in str(error):
        return BadInput(f"timezone: {error}; give an IANA name like Europe/Berlin.", code="TIMEZONE_UNKNOWN")
    if state == "HB001":  # of our own function hub_as_of
        return BadInput(f"asOf: {error}; name a later moment.", code="AS_OF_EXPIRED", argument="asOf")
    if state.startswith("54"):
        return BadInput("A value is too long for the database; give a shorter one.")
    if state.startswith("22") or isinstance(error, asyncpg.DataError):
        return BadInput("A value is outside what the database can hold; give a smaller or simpler one.")
    if state in ("40001", "40P01", "55P03"):
        return contended()
    if state in ("", "0A000") or state.startswith(("08", "53", "57")):
        return away()
    raise error


def contended() -> Contended:
    """What those are told whom others got in the way of, if it goes on."""
    return Contended("Others were writing the same rows; try again.")


def dying(error: asyncpg.PostgresError) -> bool:
    """Whether the server said with the error that the connection is at its end."""
    return (error.sqlstate or "").startswith(("08", "57P"))


def away() -> Unavailable:
    """What those are told whom the database does not answer."""
    return Unavailable(AWAY, code="UNAVAILABLE")


async def _connected(dsn: str, settings: Settings, session: dict[str, str]) -> Connection:
    # Who waits for a connection waits no longer than for an answer.
    patience, longest = min(CONNECT_SECONDS, settings.statement_timeout + SILENT), settings.statement_timeout + SILENT
    try:
        connection = await asyncpg.connect(dsn, server_settings=session, timeout=patience, command_timeout=longest)
        await connection.set_type_codec(
            "json", schema="pg_catalog", encoder=lambda raw: raw, decoder=lambda raw: raw, format="binary"
        )
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
        raise away() from error
    return connection


async def own(dsn: str, settings: Settings, session: dict[str, str]) -> Connection:
    """A connection outside any pool, for who must keep one: a lock lives as long as it. `session` goes before the usual."""
    return await _connected(dsn, settings, {**_session(settings), "application_name": "hub-sequencer", **session})


class Held:
    """A connection and what it remembers."""

    __slots__ = ("connection", "fresh", "length", "statements")

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.statements: OrderedDict[str, Any] = OrderedDict()
        self.fresh = False
        self.length = 0

    async def statement(self, text: str) -> Any:
        found = self.statements.get(text)
        if found is not None:
            self.statements.move_to_end(text)
            return found
        found = await self.connection.prepare(text)
        self.statements[text] = found
        self.length += len(text)
        while len(self.statements) > 1 and (len(self.statements) > STATEMENTS or self.length > STATEMENT_TEXT):
            forgotten, _ = self.statements.popitem(last=False)
            self.length -= len(forgotten)
        return found


Form = Callable[[Any, Sequence[Any]], Awaitable[Any]]


def _value(statement: Any, arguments: Sequence[Any]) -> Awaitable[Any]:
    found: Awaitable[Any] = statement.fetchval(*arguments)
    return found


def _rows(statement: Any, arguments: Sequence[Any]) -> Awaitable[Any]:
    found: Awaitable[Any] = statement.fetch(*arguments)
    return found


class Pool:
    """At most `size` connections, opened when they are needed; a broken one is replaced."""

    def __init__(self, dsn: str, settings: Settings, session: Mapping[str, str] = MappingProxyType({})) -> None:
        self._dsn = dsn
        self._settings = settings
        self._session = {**_session(settings), **session}  # what is given goes before the usual
        self._turns = Turns(settings.pool_size)
        self._idle: list[Held] = []
        self._closing = False

    @classmethod
    async def open(cls, dsn: str, settings: Settings) -> "Pool":
        """A pool whose first connection stands; raises Unavailable when the database does not answer."""
        pool = cls(dsn, settings)
        pool._idle.append(await pool._connect())
        return pool

    async def _connect(self) -> Held:
        try:
            return Held(await _connected(self._dsn, self._settings, self._session))
        except Unavailable as error:
            self._learn(error.__cause__)
            raise

    async def _take(self) -> Held:
        while self._idle:
            held = self._idle.pop()
            if not held.connection.is_closed():
                return held
        return await self._connect()

    def _give(self, held: Held) -> None:
        if self._closing:
            held.connection.terminate()
        elif not held.connection.is_closed():
            self._idle.append(held)

    def _ended(self, held: Held, error: asyncpg.PostgresError) -> None:
        """Takes back a connection on which a statement failed, unless it goes down with it."""
        if dying(error):
            held.connection.terminate()
        else:
            self._give(held)

    def _learn(self, error: BaseException | None) -> None:
        """Takes in what went wrong: where one was not answered in time, others wait in vain, and for what else is open, too."""
        if isinstance(error, TimeoutError):
            self._turns.send_away(away)
            while self._idle:
                self._idle.pop().connection.terminate()

    async def fetch_json(self, text: str, arguments: Sequence[Any], *, fresh: bool = False) -> bytes:
        """The one JSON value of a statement, as its bytes; `fresh` has it planned for these very arguments.

        Raises HubError: STATEMENT_TIMEOUT, UNAVAILABLE, or what an argument's value is refused with."""
        answer: bytes = await self._asked(text, arguments, fresh, _value)
        return answer

    async def fetch(self, text: str, arguments: Sequence[Any], *, fresh: bool = False) -> list[asyncpg.Record]:
        """The rows of a statement, with JSON as its bytes; raises what fetch_json does."""
        rows: list[asyncpg.Record] = await self._asked(text, arguments, fresh, _rows)
        return rows

    async def _asked(self, text: str, arguments: Sequence[Any], fresh: bool, form: Form) -> Any:
        async with self._turns:
            held = await self._take()
            try:
                statement = await held.statement(text)
                if held.fresh is not fresh:
                    await held.connection.execute(PLANNING[fresh])
                    held.fresh = fresh
                answer = await form(statement, arguments)
            except asyncpg.InvalidCachedStatementError as error:
                held.connection.terminate()  # the tables changed under its statements: a migration ran
                raise fault(error) from error
            except asyncpg.PostgresError as error:
                self._ended(held, error)
                raise fault(error) from error
            except Exception as error:
                # The driver and the connection may no longer agree on what comes next.
                held.connection.terminate()
                self._learn(error)
                raise fault(error) from error
            except BaseException:
                held.connection.terminate()
                raise
            self._give(held)
            return answer

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection for statements of the hub's own; not inside a transaction."""
        async with self._turns:
            held = await self._take()
            try:
                yield held.connection
            except asyncpg.PostgresError as error:
                self._ended(held, error)
                raise
            except BaseException as error:
                held.connection.terminate()
                self._learn(error)
                raise
            self._give(held)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        """The same for who answers clients: what goes wrong is raised as HubError."""
        try:
            async with self.connection() as connection:
                yield connection
        except HubError:
            raise
        except Exception as error:
            raise fault(error) from error

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection inside a transaction, which is committed at the end and rolled back on any error."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def held(self) -> AsyncIterator[Held]:
        """A connection with its prepared statements, for work.py; whoever takes it ends what it begins."""
        async with self._turns:
            held = await self._take()
            try:
                yield held
            except HubError as error:
                self._give(held)
                self._learn(error.__cause__)
                raise
            except BaseException as error:
                held.connection.terminate()
                self._learn(error)
                raise
            self._give(held)

    async def close(self) -> None:
        """Closes what is idle, and what is in use when it comes back."""
        self._closing = True
        while self._idle:
            held = self._idle.pop()
            try:
                await held.connection.close(timeout=2)
            except Exception:
                held.connection.terminate()
