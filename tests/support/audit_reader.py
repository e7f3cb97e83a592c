"""Reads the audit log as an administrator does, and waits until it holds everything that happened before."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from change_workload import wait_until
from writer_client import HubClient

from hub.changefeed import audit_chain, audit_verification
from hub.changefeed.audit_verification import ChainVerification
from hub.db import audit_log
from hub.db.pool import Connection
from hub.settings import Settings

ENTRIES = """query Audit($filter: AuditEntryFilter) { auditLog(first: 5, filter: $filter) { nodes {
    kind actor operation document rootFields network times requests
    targets(first: 100) { nodes { entity rowIds operation fields times } } } } }"""


@asynccontextmanager
async def open_log(dsn: str) -> AsyncIterator[Connection]:
    """A connection to the database of a log."""
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def rolled_back(dsn: str) -> AsyncIterator[Connection]:
    """A connection whose changes are rolled back."""
    async with open_log(dsn) as connection:
        transaction = connection.transaction()
        await transaction.start()
        yield connection
        await transaction.rollback()


async def wait_until_chained(connection: Connection) -> None:
    """Waits until every committed change and every written read has its entry."""

    async def is_chained() -> bool:
        unassigned: int = await connection.fetchval(
            "select count(*) from change_log as l where not exists (select from change_order as o where o.id = l.id)"
        )
        return not unassigned and not await audit_log.has_waiting(connection)

    await wait_until(is_chained)


async def wait_for_entry(hub_client: HubClient, **conditions: Any) -> Any:
    """The newest entry that meets all conditions of the filter, once there is one; its targets in the order of their rows."""

    async def find_entry() -> Any:
        nodes = (await hub_client.query(ENTRIES, {"filter": conditions}))["auditLog"]["nodes"]
        return nodes[0] if nodes else None

    entry = await wait_until(find_entry)
    targets = [tuple(target.values()) for target in entry.pop("targets")["nodes"]]
    return {**entry, "targets": sorted(targets, key=lambda target: target[:2])}


async def verify(connection: Connection, **options: Any) -> ChainVerification:
    """Verifies the log on this connection, whatever it has not committed."""
    return await audit_verification.verify(
        connection, await audit_chain.load_audit_key(connection, Settings()), **options
    )


async def verify_at(dsn: str) -> ChainVerification:
    """Verifies the log of a database once everything in it is chained."""
    connection = await asyncpg.connect(dsn)
    try:
        await wait_until_chained(connection)
        async with connection.transaction(isolation="repeatable_read"):
            return await verify(connection)
    finally:
        async with asyncio.timeout(5):
            await connection.close()
