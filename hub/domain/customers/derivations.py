"""Brings what is derived from customers up to date: those whose rows change, and those for whom a moment comes."""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from uuid import UUID

from hub import schema
from hub.db.pool import Connection
from hub.model.customer_derivations import Reevaluations, derive, registered_derivations
from hub.model.entity import Entity
from hub.model.projections import ChangedRow, projection
from hub.model.timers import DueRow, batch_timer
from hub.schema.customers.customers import Customer

BATCH = 500  # changes that one transaction applies
REBUILT = 1_000  # customers of a transaction of a rebuild

_NEXT = "select id from customers where $1::uuid is null or id > $1 order by id limit $2"
_DUE = "select derivation, subject_id, customer_id, moment from reevaluations where id = any($1)"
_GONE = "delete from reevaluations where id = any($1) and moment <= $2"


def belongs_to_customers(entity: type[Entity]) -> bool:
    """Whether each row of an entity belongs to one customer, or is one."""
    scope = entity.definition.scope
    owned = scope.customer_column == "customer_id" and not scope.customer_optional and scope.second_customer is None
    return entity is Customer or (owned and entity.definition.captured)


FOLLOWED = [entity for entity in schema.entities() if belongs_to_customers(entity)]


async def rebuild(tx: Connection, after: UUID | None) -> UUID | None:
    """Derives the next customers behind `after` anew; what is right already stays as it is."""
    customers: list[UUID] = [row["id"] for row in await tx.fetch(_NEXT, after, REBUILT)]
    await _derive_all(tx, customers)
    return customers[-1] if len(customers) == REBUILT else None


@projection("customers", *FOLLOWED, rebuild=rebuild, batch=BATCH)
async def follow_changes(tx: Connection, changes: Sequence[ChangedRow]) -> None:
    """Derives anew the customers whom the changes concern."""
    keys = {key for change in changes for key in (change.customer_id, change.former_customer_id)}
    await _derive_all(tx, sorted(key for key in keys if key is not None))


async def _derive_all(tx: Connection, customers: Sequence[UUID]) -> None:
    now: datetime = await tx.fetchval("select hub_time()")
    for derivation in registered_derivations():
        await derive(tx, derivation.name, customers, now)


@batch_timer("customer.reevaluation", Reevaluations.c.moment)
async def reevaluate(tx: Connection, due: Sequence[DueRow], until: datetime) -> None:
    """Derives anew the customers whose moment came, each as of its own moment."""
    rows = await tx.fetch(_DUE, [row.key for row in due])
    by_moment = sorted(((r["moment"], r["derivation"], r["subject_id"]), r["customer_id"]) for r in rows)
    for (moment, name, subject), group in groupby(by_moment, key=lambda entry: entry[0]):
        await derive(tx, name, [customer for _, customer in group], moment, subject)
    # What nobody derives any more, like scores of a model that was replaced.
    await tx.execute(_GONE, [row.key for row in due], until)
