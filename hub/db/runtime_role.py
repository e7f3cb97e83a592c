"""Connections that own nothing and read no secret: as a login role of their own, else as the owner in that role's clothes.

From a login role, no statement leads back to the owner. Otherwise SET ROLE does, and `hub doctor` says so."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

import asyncpg

from hub.runtime_login import RUNTIME_ROLE, RuntimeLogin, login_of_url

_MAY_SERVE = "select current_user = $1 and coalesce(has_table_privilege(to_regclass('change_log'), 'insert'), false)"
_ENTER = f"""
select set_config('role', rolname, false) from pg_roles
where rolname = '{RUNTIME_ROLE}' and pg_has_role(oid, 'set') and has_table_privilege(oid, to_regclass('change_log'), 'insert')
"""
# Refusals of a role, not of the server: an unknown role, a wrong password, a role that may not be taken, a proxy that says so.
REFUSALS = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidParameterValueError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.ProtocolViolationError,
)


class ServingIdentity(IntEnum):
    """As whom a connection serves, from the safest on."""

    LOGIN_ROLE = 0  # a role that is a member of the runtime role alone
    STARTING_ROLE = 1  # the owner, who starts in the runtime role: RESET ROLE stays there, SET ROLE does not
    ENTERED_ROLE = 2  # the owner, who has entered the runtime role
    OWNER = 3


async def connect_to_serve(
    dsn: str, session: Mapping[str, str], first: ServingIdentity = ServingIdentity.LOGIN_ROLE, **options: Any
) -> tuple["asyncpg.Connection[asyncpg.Record]", ServingIdentity]:
    """Connects as the safest identity that the server accepts, from `first` on; raises the errors of asyncpg."""
    login = login_of_url(dsn)
    starting = {**session, "role": RUNTIME_ROLE}
    if first is ServingIdentity.LOGIN_ROLE and login is not None:
        named = {"user": login.name, "password": login.password}
        connection = await _connect_if_accepted(dsn, starting, **named, **options)
        if connection is not None:
            return connection, ServingIdentity.LOGIN_ROLE
    if first <= ServingIdentity.STARTING_ROLE:
        connection = await _connect_if_accepted(dsn, starting, **options)
        if connection is not None:
            return connection, ServingIdentity.STARTING_ROLE
    connection = await asyncpg.connect(dsn, server_settings=dict(session), **options)
    try:
        entered = await connection.fetchval(_ENTER) is not None
    except BaseException:
        connection.terminate()
        raise
    return connection, ServingIdentity.ENTERED_ROLE if entered else ServingIdentity.OWNER


async def _connect_if_accepted(
    dsn: str, session: dict[str, str], **options: Any
) -> "asyncpg.Connection[asyncpg.Record] | None":
    """A connection that may serve; None where the server refuses the role, or the role has no rights in this database."""
    try:
        connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(dsn, server_settings=session, **options)
    except REFUSALS:
        return None
    try:
        accepted = await connection.fetchval(_MAY_SERVE, RUNTIME_ROLE)
    except BaseException:
        connection.terminate()
        raise
    if not accepted:
        connection.terminate()
    return connection if accepted else None


async def create_login(dsn: str) -> None:
    """Creates the login role, or renews its password, where the owner may; otherwise nothing changes."""
    login = login_of_url(dsn)
    if login is None or await _is_accepted(dsn, login):
        return
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(login.create_sql())
    except (asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedObjectError, asyncpg.InternalServerError):
        pass  # it may not create roles, the runtime role is missing, or another process alters the role at this moment
    finally:
        await connection.close()


async def _is_accepted(dsn: str, login: RuntimeLogin) -> bool:
    try:
        connection = await asyncpg.connect(dsn, user=login.name, password=login.password)
    except REFUSALS:
        return False
    await connection.close()
    return True
