"""Checks of a set-up, with fixes. `hub doctor` reports all of them; a start stops at the first problem."""

import os
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import asyncpg

from hub import graph, keyfile, settings
from hub.db import migrate
from hub.db.pool import Connection
from hub.db.runtime_role import ServingIdentity, connect_to_serve
from hub.domain.access import roles
from hub.domain.customers.unnormalized import find_unnormalized
from hub.domain.scoring.model_definitions import broken_models
from hub.errors import HubError, Misconfigured
from hub.model import projection_state, test_clock
from hub.model.projection_state import ProjectionLag
from hub.model.projections import registered_projections
from hub.postgres.doctor import Check, run_checks
from hub.runtime_login import RUNTIME_ROLE
from hub.settings import Settings
from hub.web import pages, server
from hub.web.health import HEALTHY_BODY
from hub.web.token_keys import IssuerKeySets
from hub.webhooks.issuer_documents import IssuerDocuments

CONNECT_TIMEOUT = 5.0
ENCODING_HINT = "in a password, write @ as %40, / as %2F, : as %3A and % as %25"
MAX_BEHIND = 100_000  # changes that a projection may have still to apply
MAX_LISTED = 20  # values in one line of the report


async def connect(dsn: str) -> Connection:
    """Opens a connection. Raises Misconfigured with the reason in one line, without the password."""
    try:
        return await asyncpg.connect(dsn, timeout=CONNECT_TIMEOUT)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, ValueError) as error:
        message = f"HUB_DATABASE_URL: {_connect_problem(dsn, error)}"
        raise Misconfigured(message, code="DATABASE_UNREACHABLE", argument="HUB_DATABASE_URL") from None


def _connect_problem(dsn: str, error: Exception) -> str:
    """Returns why no connection could be opened, and the remedy. Never shows any part of the URL that may be a password."""
    match error:
        case asyncpg.InvalidPasswordError():
            return f"the server rejects the password: {error}. Correct the user or the password; {ENCODING_HINT}."
        case asyncpg.InvalidAuthorizationSpecificationError():
            return f"the server does not admit this user: {error}. Correct the user, or admit it in pg_hba.conf."
        case asyncpg.InvalidCatalogNameError():
            return f"{error}. Create the database, or correct its name at the end of the URL."
        case socket.gaierror():
            return f"the name of its host is unknown. Correct the host; {ENCODING_HINT}."
        case ConnectionRefusedError():
            return "nothing listens at its host and port. Start the database, or correct the URL."
        case TimeoutError():
            return f"the server does not answer within {CONNECT_TIMEOUT:g} s. Start the database, or correct the URL."
        case asyncpg.PostgresError():
            return f"the server refuses the connection: {error}. Start the database, or correct the URL."
        case ValueError() | asyncpg.InterfaceError() | asyncpg.InternalClientError():
            return f"this is not the URL of a database. Give postgresql://user:password@host:port/database; {ENCODING_HINT}."
        case _:
            return f"the connection fails: {getattr(error, 'strerror', None) or error}. Start the database, or correct the URL."


async def check_database(dsn: str) -> list[Check]:
    """Checks the server, and whether its tables are at the revision that this code expects."""
    checks = await check_server(dsn)
    if all(check.ok for check in checks):
        checks.append(_check_migrations(await migrate.current_revision(dsn), migrate.head_revision()))
    return checks


async def check_installation(dsn: str) -> list[Check]:
    """Checks the database, and its rows for values that no look-up finds."""
    checks = await check_database(dsn)
    if all(check.ok for check in checks):
        connection = await connect(dsn)
        try:
            checks.append(_check_spellings(await find_unnormalized(connection)))
            owner: str = await connection.fetchval("select quote_ident(current_user)")
            checks.append(_check_role(await _serving_identity(dsn), owner))
            graph.build()  # which plans the stored filters
            checks.append(_check_roles(await roles.broken_rules(connection)))
            checks.append(_check_score_models(await broken_models(connection)))
            names = [projection.name for projection in registered_projections()]
            checks.append(_check_projections(await projection_state.lags(connection, names, MAX_BEHIND)))
            checks.append(_check_clock(await test_clock.stored_time(connection), datetime.now(UTC)))
        finally:
            await connection.close()
    return checks


def _check_projections(lags: Sequence[ProjectionLag]) -> Check:
    problems = [
        f"{lag.name} failed {lag.attempts} times ({lag.error})"
        if lag.error
        else f"{lag.name} is at least {lag.changes:,} changes behind"
        for lag in lags
        if lag.error or lag.changes >= MAX_BEHIND
    ]
    fix = "see that a hub runs, and what its log says of `projection_failed`; rows that follow from others are not current"
    return _make_check("projections", not problems, "; ".join(problems), fix)


def _check_clock(stored: datetime | None, now: datetime) -> Check:
    if stored is None:
        return Check("clock", True)
    ahead = ", ahead of the real time: rows are dated later than now" if stored > now else ""
    problem = f"the database has a test clock, at {stored:%Y-%m-%dT%H:%M:%SZ}{ahead}"
    return Check("clock", True, problem, "use the database for tests only; production needs one without a test clock")


async def _serving_identity(dsn: str) -> ServingIdentity:
    connection, identity = await connect_to_serve(dsn, {}, timeout=CONNECT_TIMEOUT)
    await connection.close()
    return identity


def _check_role(identity: ServingIdentity, owner: str) -> Check:
    if identity is ServingIdentity.LOGIN_ROLE:
        return Check("database role", True)
    if identity is ServingIdentity.OWNER:
        return Check(
            "database role",
            True,
            f"the hub serves as {owner}, who owns the tables and reads every secret",
            f"as a superuser: CREATE ROLE {RUNTIME_ROLE} NOLOGIN; GRANT {RUNTIME_ROLE} TO {owner} WITH INHERIT FALSE, SET TRUE; "
            "then run `hub migrate`",
        )
    return Check(
        "database role",
        True,
        f"the hub serves as {RUNTIME_ROLE}, but with a session of {owner}, to whom SET ROLE leads back",
        f"as a superuser: ALTER ROLE {owner} CREATEROLE; GRANT {RUNTIME_ROLE} TO {owner} WITH ADMIN OPTION; then run "
        f"`hub migrate` with the password of {owner} in HUB_DATABASE_URL",
    )


def _check_spellings(names: Sequence[str]) -> Check:
    more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    problem = f"look-ups do not find {', '.join(names[:MAX_LISTED])}{more}: another row has the normal form"
    return _make_check(
        "spellings", not names, problem, "correct them, or decide the identity reviews of their customers"
    )


def _check_roles(rules: Sequence[str]) -> Check:
    more = f"; and {len(rules) - MAX_LISTED} more" if len(rules) > MAX_LISTED else ""
    problem = f"{'; '.join(rules[:MAX_LISTED])}{more}: these rules grant nothing"
    return _make_check("roles", not rules, problem, "correct their filters with roleUpsert or `hub role apply`")


def _check_score_models(rules: Sequence[str]) -> Check:
    problem = f"{'; '.join(rules[:MAX_LISTED])}: these models change no score"
    return _make_check("score models", not rules, problem, "describe new revisions with scoreModelCreate")


async def check_server(dsn: str) -> list[Check]:
    """Checks the server, whatever it contains."""
    connection = await connect(dsn)
    try:
        return list(await run_checks(connection))
    finally:
        await connection.close()


def require_all_ok(checks: list[Check]) -> None:
    """Raises Misconfigured for the first check that failed."""
    for check in checks:
        if not check.ok:
            raise Misconfigured(f"{check.name}: {check.problem}; {check.fix}.", code="DATABASE_UNFIT")


def _check_migrations(current: str | None, expected: str) -> Check:
    if current == expected:
        return Check("migrations", True)
    state = "has no tables yet" if current is None else f"is at revision {current}"
    return Check("migrations", False, f"the database {state}, this hub needs {expected}", "run `hub migrate`")


def check_machine(configuration: Settings) -> list[Check]:
    """Checks everything that needs no database."""
    return [
        _check_variables(),
        _check_data_dir(configuration.data_dir),
        _check_key_file(configuration.data_dir / keyfile.FILE_NAME),
        _check_address(configuration),
        _check_pages(),
    ]


async def check_issuers(configuration: Settings) -> list[Check]:
    """Checks whether the keys of the issuers of tokens can be read now."""
    documents = IssuerDocuments(configuration.token_issuers)
    key_sets = IssuerKeySets(configuration.token_issuers, documents.read)
    checks = []
    try:
        for issuer in configuration.token_issuers:
            reason = await key_sets.keys_of(issuer).read_failure()
            name = f"tokens of {issuer.issuer} for {issuer.audience[0]}"
            problem = f"its keys cannot be read: {reason}"
            checks.append(
                _make_check(name, not reason, problem, "correct the entry of HUB_TOKEN_ISSUERS, or the issuer")
            )
    finally:
        documents.close()
    return checks


def _check_variables() -> Check:
    unknown = settings.unknown_variables()
    guesses = " or ".join(filter(None, map(settings.nearest_variable, unknown)))
    problem = f"{', '.join(unknown)}: no such setting" + (f" (did you mean {guesses}?)" if guesses else "")
    return _make_check("settings", not unknown, problem, "`hub settings` lists them")


def _check_data_dir(path: Path) -> Check:
    # A missing directory can be created if its nearest existing parent is writable.
    nearest = next(candidate for candidate in (path, *path.absolute().parents) if candidate.exists())
    usable = nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
    return _make_check(
        "data directory", usable, f"{nearest} cannot be written", "choose another with --data or HUB_DATA_DIR"
    )


def _check_key_file(path: Path) -> Check:
    private = not path.exists() or not path.stat().st_mode & 0o077
    return _make_check("key file", private, f"others may read {path}", f"chmod 600 {path}")


def _check_address(configuration: Settings) -> Check:
    try:
        server.bind(configuration).close()
    except HubError as error:
        return Check(
            "address",
            _is_hub_listening(configuration),
            error.message,
            "stop the process that listens there, or choose another",
        )
    return Check("address", True)


def _is_hub_listening(configuration: Settings) -> bool:
    """Whether a hub listens on the address."""
    connection = HTTPConnection(configuration.host, configuration.port, timeout=1)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().read() == HEALTHY_BODY
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _check_pages() -> Check:
    built = pages.Bundle.read(pages.STATIC_FOLDER) is not None
    return _make_check("GraphiQL", built, "its files were not built", "install the hub again, with the network up")


def _make_check(name: str, ok: bool, problem: str, fix: str) -> Check:
    return Check(name, True) if ok else Check(name, False, problem, fix)
