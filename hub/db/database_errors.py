"""Errors of the driver and the server, as errors for the client."""

import asyncpg

from hub.errors import BadInput, HubError, Unavailable
from hub.observability import DiskFull, InternalFailure, WorkPostponed, emit

AMBIGUOUS_LOOKUP = "21000"  # a subquery has two rows: only that of a lookup without its scope may have
CONNECTION_LOST = (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)  # what the driver raises then
CONTENTION = ("40001", "40P01", "55P03")  # of a serialization failure, a deadlock, and a lock that took too long
UNAVAILABLE_MESSAGE = "The hub cannot reach its database now; try again."


class ContentionError(Unavailable):
    """A deadlock, a lock timeout, or a row deleted while waiting for its lock. A retry of the whole transaction may succeed."""

    def __init__(self) -> None:
        super().__init__("Others were writing the same rows; try again.")


def translate_error(error: Exception) -> HubError:
    """Translates an error of the driver or the server into an error for the client; raises it if it is not expected."""
    sqlstate = getattr(error, "sqlstate", None) or ""
    if sqlstate == "57014":
        return Unavailable(
            "A database statement exceeded its timeout; request less, or filter by indexed fields.",
            code="STATEMENT_TIMEOUT",
        )
    if sqlstate == "22023" and "time zone" in str(error):
        return BadInput(f"timezone: {error}; give an IANA name like Europe/Berlin.", code="TIMEZONE_UNKNOWN")
    if sqlstate == "HB001":  # of our own function hub_as_of
        return BadInput(f"asOf: {error}; name a later moment.", code="AS_OF_EXPIRED", argument="asOf")
    if sqlstate == AMBIGUOUS_LOOKUP:
        message = "identifier.source: several systems use the value for different customers; give the system."
        return BadInput(message, code="ARGUMENT_MISSING", argument="identifier.source")
    if sqlstate.startswith("54"):
        return BadInput("A value is too long for the database; give a shorter one.")
    if sqlstate.startswith("22") or isinstance(error, asyncpg.DataError):
        return BadInput("A value is outside what the database can hold; give a smaller or simpler one.")
    if sqlstate in CONTENTION:
        return ContentionError()
    if sqlstate == "53100":
        emit(DiskFull(str(error)))
        return disk_full()
    if sqlstate in ("", "0A000") or sqlstate.startswith(("08", "53", "57")):
        return database_unavailable()
    raise error


def report_failure(task: str, error: Exception) -> None:
    """Reports that a task of the hub itself failed, which will run again: in one line if others held its rows."""
    contended = isinstance(error, ContentionError) or getattr(error, "sqlstate", None) in CONTENTION
    emit(WorkPostponed(task) if contended else InternalFailure("", task, error))


def is_connection_fatal(error: asyncpg.PostgresError) -> bool:
    """Whether the server ends the connection with this error."""
    return (error.sqlstate or "").startswith(("08", "57P"))


def is_connection_lost(error: Exception) -> bool:
    """Whether the error says that a connection has ended; the driver has several for one that ended while it was idle."""
    return isinstance(error, CONNECTION_LOST) or (
        isinstance(error, asyncpg.PostgresError) and is_connection_fatal(error)
    )


def database_unavailable() -> Unavailable:
    """Returns the error for clients while the database does not answer."""
    return Unavailable(UNAVAILABLE_MESSAGE, code="UNAVAILABLE")


def disk_full() -> Unavailable:
    """Returns the error for clients while the database has no space to write."""
    return Unavailable("The database's disk is full, so nothing was written; try again later.", code="DISK_FULL")
