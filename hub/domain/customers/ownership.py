"""Whose a new customer is: one that a member of staff creates, who sees own customers only, is the person's own."""

from collections.abc import Mapping
from typing import Any

from hub.db.pool import Connection
from hub.model.rules import Write, resolves_missing
from hub.rights import STAFF, Verb
from hub.schema.customers.customers import Customer


@resolves_missing(Customer, reads=False)
async def own_customer_of_staff(tx: Connection, write: Write) -> Mapping[str, Any]:
    """The person behind the key, where all rules that let it create customers name that person."""
    rules = write.viewer.rights.rules(Customer.__name__, Verb.CREATE)
    if not rules or write.values.get("owner_id") is not None or write.viewer.staff_id is None:
        return {}
    own = all(rule.row_filter is not None and f'"{STAFF}"' in rule.row_filter for rule in rules)
    return {"owner_id": write.viewer.staff_id} if own else {}
