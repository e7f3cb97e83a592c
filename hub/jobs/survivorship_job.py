"""Gives all customers the values that a policy of survivorship chooses, some in each transaction."""

from uuid import UUID

from hub.domain.identity.survivorship import MAX_CUSTOMERS, derive_next
from hub.jobs.context import JobContext
from hub.model import survivorship
from hub.schema.customers.customers import Customer


async def run_survivorship(context: JobContext) -> None:
    """Derives the field's values by the policy that it has now; without one, nothing changes."""
    column = survivorship.policy_columns(Customer.table)[context.arguments["field"]]
    cursor = None if context.cursor is None else UUID(context.cursor)
    done, changed = context.done, context.counts.get("customers", 0)
    while True:
        await context.proceed()
        now = await context.now()
        async with context.transaction() as tx:
            keys, count = await derive_next(tx, column, cursor, now)
            changed += count
            done += len(keys)
            cursor = keys[-1] if keys else cursor
            total = done if len(keys) < MAX_CUSTOMERS else context.total
            counts = {"customers": changed}
            await context.checkpoint(tx, cursor and str(cursor), done=done, total=total, counts=counts)
        if len(keys) < MAX_CUSTOMERS:
            return
