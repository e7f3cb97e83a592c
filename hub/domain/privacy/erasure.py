"""Erasing a customer: its rows, their images in the change log, and pending webhook deliveries."""

import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, NamedTuple, TypeAlias, TypeVar
from uuid import UUID

from hub.db import audit_log, change_log
from hub.db.pool import Connection
from hub.domain.webhooks import queue
from hub.model import rows
from hub.model.commands import command
from hub.model.entity import declared_entities
from hub.model.writer import writer_of
from hub.schema.customers.customers import Customer
from hub.viewer import Viewer

FinishErasure: TypeAlias = Callable[[], Awaitable[object]]
BeginErasure: TypeAlias = Callable[[Connection, UUID, datetime], Awaitable[FinishErasure]]
B = TypeVar("B", bound=BeginErasure)
_erasures: list[BeginErasure] = []


def erases_customer(begin: B) -> B:
    """Registers what erases a customer from rows that outlive it: `async def begin(tx, customer_id, now)`.

    It runs as long as the customer's rows are there; what it returns runs when they are gone."""
    _erasures.append(begin)
    return begin


def id_prefixes() -> str:
    """The prefixes of ids by table, as JSON."""
    return json.dumps(
        {entity.table.name: {"prefix": entity.definition.options["prefix"]} for entity in declared_entities()}
    )


class ErasePayload(NamedTuple):
    """The payload of customerErase."""

    entries: Annotated[int, "Number of change log entries that were redacted."]


@command("customerErase", audit="ERASURE")
async def erase_customer(
    tx: Connection, viewer: Viewer, *, id: Annotated[UUID, Customer, "The customer."], now: datetime
) -> ErasePayload:
    """Deletes a customer with everything that belongs to it, and redacts its entries in the change log.

    What names it in the audit log and in reports is erased as well; the digests stay, so that the log can still be verified.
    Change streams report the rows as deleted, without their content. It cannot be undone.
    Stored responses of operations are encrypted with their idempotency keys, so they name nobody.
    About 20,000 rows take a second, so HUB_REQUEST_TIMEOUT must allow for it."""
    viewer.require("customers:admin")
    await queue.block_enqueuing(tx)
    await rows.lock_row(tx, viewer, Customer, id, "id")
    async with change_log.long_statement_timeout(tx):
        await queue.erase_customer(tx, id, seconds=change_log.LONG_STATEMENT_SECONDS)
        endings = [await begin(tx, id, now) for begin in _erasures]
    await writer_of(Customer).delete(tx, viewer, id, None, now)
    async with change_log.long_statement_timeout(tx):
        for finish in endings:
            await finish()
        await audit_log.erase_customer(tx, id, id_prefixes())
        entries = await change_log.redact_customer(tx, id)
        await queue.redact_answers(tx, id, seconds=change_log.LONG_STATEMENT_SECONDS)
    return ErasePayload(entries)
