"""What is derived from all that belongs to a customer, such as scores: `@derived_from_customers("scores")` declares it.

Customers are derived anew as their rows change (hub/domain/customers/derivations.py follows the feed), and when a moment
comes at which time alone changes the result: `reevaluations` holds these, one for each subject, such as a model."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, TypeAlias, TypeVar
from uuid import UUID

import sqlalchemy as sa

from hub.db.pool import Connection
from hub.model.columns import metadata, timestamp

Reevaluations = sa.Table(
    "reevaluations",
    metadata,
    sa.Column("id", sa.Uuid, server_default=sa.text("uuidv7()"), primary_key=True, comment="Unique and permanent."),
    sa.Column("derivation", sa.Text, nullable=False, comment="Name of what is derived."),
    sa.Column("subject_id", sa.Uuid, nullable=False, comment="What it is derived for, such as a model."),
    sa.Column("customer_id", sa.Uuid, sa.ForeignKey("customers.id", ondelete="CASCADE"), nullable=False),
    sa.Column("moment", timestamp(), nullable=False, comment="When time alone changes the result."),
    sa.UniqueConstraint("customer_id", "subject_id"),
    sa.Index("ix_reevaluations_moment_id", "moment", "id"),
    comment="Moments at which customers are derived anew though none of their rows changes.",
)


class NextMoment(NamedTuple):
    """When time alone changes what is derived of a customer for a subject, or may; never later than it does."""

    subject: UUID
    customer: UUID
    moment: datetime


# Derives some customers anew as of a moment, for one subject or for all (None); returns the next moments of all of these.
Refresh: TypeAlias = Callable[[Connection, Sequence[UUID], datetime, UUID | None], Awaitable[Sequence[NextMoment]]]
Moments: TypeAlias = Mapping[tuple[UUID, UUID], datetime]  # by subject and customer
R = TypeVar("R", bound=Refresh)

# Derivations take turns, so that none reads what another one is about to write. Rows are locked before.
_LOCK = """
select subject_id, customer_id, moment from reevaluations
where derivation = $1 and customer_id = any($2) and ($3::uuid is null or subject_id = $3) order by id for update
"""
_TAKE_TURN = "select pg_advisory_xact_lock(hashtextextended('derivations', 0))"
_DELETE = """
delete from reevaluations as r using unnest($1::uuid[], $2::uuid[]) as gone (subject_id, customer_id)
where r.subject_id = gone.subject_id and r.customer_id = gone.customer_id
"""
_SET = """
insert into reevaluations (derivation, subject_id, customer_id, moment)
select $1, new.subject_id, new.customer_id, new.moment
from unnest($2::uuid[], $3::uuid[], $4::timestamptz[]) as new (subject_id, customer_id, moment)
where exists (select from customers where id = new.customer_id)
on conflict (customer_id, subject_id) do update set moment = excluded.moment
"""


@dataclass(frozen=True, slots=True)
class CustomerDerivation:
    """Something that is derived from a customer's rows."""

    name: str
    refresh: Refresh


_registered: dict[str, CustomerDerivation] = {}


def derived_from_customers(name: str) -> Callable[[R], R]:
    """Registers `async def refresh(tx, customers, now, subject)`, which brings what is derived of customers up to date.

    It recomputes from the rows as they are and writes differences. It returns the next moments of all customers and subjects
    that it looked at; those that it leaves out have none."""

    def register(refresh: R) -> R:
        _registered[name] = CustomerDerivation(name, refresh)
        return refresh

    return register


def registered_derivations() -> Sequence[CustomerDerivation]:
    """What the modules that have been imported derive, in the order of the names."""
    return sorted(_registered.values(), key=lambda derivation: derivation.name)


async def derive(
    tx: Connection, name: str, customers: Sequence[UUID], now: datetime, subject: UUID | None = None
) -> None:
    """Derives customers anew as of now, for one subject or for all; and before, as of moments that came meanwhile.

    A transaction that locks customers calls it before it does: derivations wait for each other."""
    stored = await tx.fetch(_LOCK, name, customers, subject)
    await tx.execute(_TAKE_TURN)
    pending = {(row["subject_id"], row["customer_id"]): row["moment"] for row in stored}
    refresh = _registered[name].refresh
    while due := sorted((moment, key) for key, moment in pending.items() if moment < now):
        moment, (due_subject, _) = due[0]
        others = sorted(customer for other, (owner, customer) in due if other == moment and owner == due_subject)
        next_moments = await refresh(tx, others, moment, due_subject)
        # A moment that comes again at once would never let go.
        next_moments = [following for following in next_moments if following.moment > moment]
        pending = await _save(tx, name, pending, {(due_subject, customer) for customer in others}, next_moments)
    next_moments = await refresh(tx, customers, now, subject)
    await _save(tx, name, pending, pending.keys(), next_moments)


async def _save(
    tx: Connection,
    name: str,
    stored: Moments,
    looked_at: Collection[tuple[UUID, UUID]],
    next_moments: Sequence[NextMoment],
) -> dict[tuple[UUID, UUID], datetime]:
    """Writes the moments that differ from the stored ones; returns those that are stored then."""
    current = {(subject, customer): moment for subject, customer, moment in next_moments}
    gone = [key for key in looked_at if key not in current]
    changed = [(*key, moment) for key, moment in current.items() if stored.get(key) != moment]
    if gone:
        await tx.execute(_DELETE, [subject for subject, _ in gone], [customer for _, customer in gone])
    if changed:
        await tx.execute(_SET, name, *(list(column) for column in zip(*changed, strict=True)))
    return {key: moment for key, moment in stored.items() if key not in gone} | current
