"""Erasing a customer: the rows, what the log of changes remembers of them, and what waits to be sent of it."""

from datetime import datetime
from typing import Annotated, NamedTuple
from uuid import UUID

from hub.db import change_log
from hub.db.pool import Connection
from hub.domain.webhooks import queue
from hub.model import rows
from hub.model.commands import command
from hub.model.writer import writer_of
from hub.schema.customers.customers import Customer
from hub.viewer import Viewer


class ErasePayload(NamedTuple):
    """What an erasure gives."""

    entries: Annotated[int, "How many entries of the log of changes were emptied."]


@command("customerErase")
async def erase_customer(
    tx: Connection, viewer: Viewer, *, id: Annotated[UUID, Customer, "The customer."], now: datetime
) -> ErasePayload:
    """Deletes a customer with everything that belongs to it, and empties what the log of changes holds of it.

    Those who follow changes are told that the rows are gone, and nothing of what they were; nobody can undo it.
    Answers that are kept for idempotency keys are forgotten 48 hours after they were given.
    Some 20,000 rows of the customer's take a second: HUB_REQUEST_TIMEOUT must leave the time."""
    viewer.require("customers:admin")
    await queue.block_enqueuing(tx)
    await rows.lock_row(tx, viewer, Customer, id, "id")
    async with change_log.long_statement_timeout(tx):
        await queue.erase_customer(tx, id, seconds=change_log.LONG_STATEMENT_SECONDS)
    await writer_of(Customer).delete(tx, viewer, id, None, now)
    async with change_log.long_statement_timeout(tx):
        entries = await change_log.redact_customer(tx, id)
        await queue.redact_answers(tx, id, seconds=change_log.LONG_STATEMENT_SECONDS)
    return ErasePayload(entries)
