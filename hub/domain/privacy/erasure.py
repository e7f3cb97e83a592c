"""Erasing a customer: the rows, what the log of changes remembers of them, and what waits to be sent of it."""

from datetime import datetime
from typing import Annotated, NamedTuple
from uuid import UUID

from hub.db import change_log
from hub.domain.customers.customers import Customer
from hub.domain.customers.lookup import CUSTOMERS
from hub.domain.webhooks import queue
from hub.model import writer
from hub.model.writer import Tx
from hub.viewer import Viewer


class Erased(NamedTuple):
    """What an erasure gives."""

    entries: Annotated[int, "How many entries of the log of changes were emptied."]


async def erase(tx: Tx, viewer: Viewer, *, id: Annotated[UUID, Customer, "The customer."], at: datetime) -> Erased:
    """Deletes a customer with everything that belongs to it, and empties what the log of changes holds of it.

    Those who follow changes are told that the rows are gone, and nothing of what they were; nobody can undo it.
    Answers that are kept for idempotency keys are forgotten 48 hours after they were given.
    Some 20,000 rows of the customer's take a second: HUB_REQUEST_TIMEOUT must leave the time."""
    viewer.require("customers:admin")
    await queue.still(tx)
    await writer.lock(tx, viewer, Customer, id, "id")
    async with change_log.patience(tx):
        await queue.erase(tx, id, seconds=change_log.LONGEST)
    await CUSTOMERS.delete(tx, viewer, id, None, at)
    async with change_log.patience(tx):
        entries = await change_log.erase(tx, id)
        await queue.silence(tx, id, seconds=change_log.LONGEST)
    return Erased(entries)
