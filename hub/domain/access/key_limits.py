"""Limits of single keys: a budget of cost points of their own, and whether they run trusted documents alone."""

from collections.abc import Iterable
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.types import TypeEngine

from hub import client_limits
from hub.client_limits import NO_LIMITS, ClientLimits, CostBudget, LimitedRole, combine
from hub.db.pool import Connection
from hub.db.sql_text import to_sql
from hub.errors import BadInput
from hub.model.columns import metadata
from hub.viewer import Viewer

MAX_CAPACITY, MAX_REFILL = 1_000_000_000, 1_000_000.0

KeyLimit = sa.Table(
    "key_limits",
    metadata,
    sa.Column(
        "key_id", sa.Uuid, sa.ForeignKey("api_keys.id", ondelete="CASCADE"), primary_key=True, comment="The key."
    ),
    sa.Column("cost_capacity", sa.Integer, comment="Most cost points that it can save up; empty without a budget."),
    sa.Column("cost_refill", sa.Float, comment="Cost points per second that flow back; empty without a budget."),
    sa.Column(
        "trusted_only",
        sa.Boolean,
        nullable=False,
        server_default=sa.false(),
        comment="Whether it runs only documents of a manifest.",
    ),
    sa.CheckConstraint("(cost_capacity is null) = (cost_refill is null)", name="whole_budget"),
    sa.CheckConstraint("cost_capacity >= 1 and cost_refill > 0", name="budget_is_positive"),
    comment="Limits of single API keys beside those of their roles; a key without a row has none.",
)
LIMIT_COLUMNS = (KeyLimit.c.cost_capacity, KeyLimit.c.cost_refill, KeyLimit.c.trusted_only)
_columns: dict[str, type[TypeEngine[Any]]] = {
    "cost_capacity": sa.Integer,
    "cost_refill": sa.Float,
    "trusted_only": sa.Boolean,
}
_values = {name: sa.bindparam(name, type_=type_) for name, type_ in _columns.items()}
_FIND = to_sql(sa.select(*LIMIT_COLUMNS).where(KeyLimit.c.key_id == sa.bindparam("key_id", type_=sa.Uuid)))
_LOCK = "lock table key_limits in share row exclusive mode"
_DELETE = to_sql(sa.delete(KeyLimit).where(KeyLimit.c.key_id == sa.bindparam("key_id", type_=sa.Uuid)))
_INSERT = to_sql(
    insert(KeyLimit)
    .values(key_id=sa.bindparam("key_id", type_=sa.Uuid), **_values)
    .on_conflict_do_update(index_elements=("key_id",), set_=_values)
)


class LimitChanges(NamedTuple):
    """What changes of a key's limits; None leaves a part as it is."""

    budget: CostBudget | None = None
    without_budget: bool = False
    trusted_only: bool | None = None


def from_row(row: asyncpg.Record, roles: Iterable[LimitedRole] = ()) -> ClientLimits:
    """The limits in a row with LIMIT_COLUMNS, which are null for a key without limits of its own, and those of its roles."""
    capacity, refill = row["cost_capacity"], row["cost_refill"]
    budget = None if capacity is None else CostBudget(capacity, refill)
    return combine(ClientLimits(budget, trusted_only=True) if row["trusted_only"] else _limits(budget), roles)


def _limits(budget: CostBudget | None) -> ClientLimits:
    return NO_LIMITS if budget is None else ClientLimits(budget)


async def change(tx: Connection, viewer: Viewer, key_id: UUID, changes: LimitChanges) -> ClientLimits:
    """Changes the limits of a key, and returns them all. Processes follow within the time that they cache keys."""
    viewer.require("keys:admin")
    budget = changes.budget
    if budget is not None and not (1 <= budget.capacity <= MAX_CAPACITY and 0 < budget.refill_per_second <= MAX_REFILL):
        message = (
            f"capacity: give 1 to {MAX_CAPACITY:,} points, and a refill of more than 0 to {MAX_REFILL:,.0f} per second."
        )
        raise BadInput(message, code="KEY_INVALID", argument="capacity")
    await tx.execute(_LOCK)  # two changes of one key do not lose each other's part
    row = await tx.fetchrow(_FIND, key_id)
    limits = NO_LIMITS if row is None else from_row(row)
    if budget is None and not changes.without_budget:
        budget = limits.budget
    trusted_only = limits.trusted_only if changes.trusted_only is None else changes.trusted_only
    limits = ClientLimits(budget, trusted_only=trusted_only)
    if limits == NO_LIMITS:
        await tx.execute(_DELETE, key_id)
    if limits != NO_LIMITS:
        await _store(tx, key_id, limits)
    return limits


async def inherit(tx: Connection, viewer: Viewer, key_id: UUID, roles: Iterable[LimitedRole]) -> None:
    """Gives a new key with these roles the limits of the viewer who issues it, where those of its roles are looser."""
    limits = client_limits.inherited(viewer.limits, combine(NO_LIMITS, roles))
    if limits != NO_LIMITS:
        await _store(tx, key_id, limits)


async def _store(tx: Connection, key_id: UUID, limits: ClientLimits) -> None:
    capacity, refill = (
        (None, None) if limits.budget is None else (limits.budget.capacity, limits.budget.refill_per_second)
    )
    await tx.execute(_INSERT, key_id, capacity, refill, limits.trusted_only)
