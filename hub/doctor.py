"""What can be wrong with a set-up, and how to mend it. `hub doctor` tells it all; starting stops at the first fault."""

import os
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import asyncpg

from hub import keyfile, settings
from hub.db import migrate
from hub.errors import HubError, Misconfigured
from hub.postgres.doctor import Check, examine
from hub.settings import Settings
from hub.web import pages, server
from hub.web.health import HEALTHY

PATIENCE = 5.0


async def connect(dsn: str) -> asyncpg.Connection:
    """A connection, or one line that says why there is none; the password is in neither."""
    try:
        return await asyncpg.connect(dsn, timeout=PATIENCE)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        reason = str(error) or f"no answer within {PATIENCE:g} s"
        message = f"HUB_DATABASE_URL: the database does not let the hub in: {reason}. Start it, or mend the address."
        raise Misconfigured(message, code="DATABASE_UNREACHABLE", argument="HUB_DATABASE_URL") from None


async def database(dsn: str) -> list[Check]:
    """What the database is like, and whether its tables are those that this code expects."""
    found = await server_of(dsn)
    if all(check.ok for check in found):
        found.append(_migrated(await migrate.current(dsn), migrate.head()))
    return found


async def server_of(dsn: str) -> list[Check]:
    """What the database is like, whatever is in it."""
    connection = await connect(dsn)
    try:
        return list(await examine(connection))
    finally:
        await connection.close()


def require(checks: list[Check]) -> None:
    """Raise at the first that would make answers wrong or impossible."""
    for check in checks:
        if not check.ok:
            raise Misconfigured(f"{check.name}: {check.wrong}; {check.mend}.", code="DATABASE_UNFIT")


def _migrated(at: str | None, head: str) -> Check:
    if at == head:
        return Check("migrations", True)
    stands = "has no tables yet" if at is None else f"is at revision {at}"
    return Check("migrations", False, f"the database {stands}, this hub needs {head}", "run `hub migrate`")


def machine(chosen: Settings) -> list[Check]:
    """What can be seen without a database."""
    return [
        _variables(),
        _data_dir(chosen.data_dir),
        _key_file(chosen.data_dir / keyfile.NAME),
        _address(chosen),
        _pages(),
    ]


def _variables() -> Check:
    strange = settings.unknown()
    return _check("settings", not strange, f"{', '.join(strange)}: no such setting", "`hub settings` lists them")


def _data_dir(path: Path) -> Check:
    # What is not there yet is made, if its nearest parent that is there lets us.
    there = next(each for each in (path, *path.absolute().parents) if each.exists())
    usable = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
    return _check("data directory", usable, f"{there} cannot be written", "choose another with --data or HUB_DATA_DIR")


def _key_file(path: Path) -> Check:
    private = not path.exists() or not path.stat().st_mode & 0o077
    return _check("key file", private, f"others may read {path}", f"chmod 600 {path}")


def _address(chosen: Settings) -> Check:
    try:
        server.bind(chosen).close()
    except HubError as error:
        return Check("address", _answers(chosen), error.message, "stop what listens there, or choose another")
    return Check("address", True)


def _answers(chosen: Settings) -> bool:
    """Whether it is a hub that listens there."""
    asked = HTTPConnection(chosen.host, chosen.port, timeout=1)
    try:
        asked.request("GET", "/healthz")
        return asked.getresponse().read() == HEALTHY
    except (OSError, HTTPException):
        return False
    finally:
        asked.close()


def _pages() -> Check:
    built = pages.Bundle.read(pages.STATIC) is not None
    return _check("GraphiQL", built, "its files were not built", "install the hub again, with the network up")


def _check(name: str, ok: bool, wrong: str, mend: str) -> Check:
    return Check(name, True) if ok else Check(name, False, wrong, mend)
