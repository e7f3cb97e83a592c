"""What happens to a customer as a whole: moves between stages, each with its reason, and who looks after it."""

from datetime import datetime
from typing import Annotated, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from hub.db.pool import Connection
from hub.domain.customers.customers import Customer, Stage
from hub.domain.organisation.organisation import OrgUnit, Staff
from hub.errors import BadInput
from hub.model import scopes, validators, writer
from hub.model.columns import customer_fk, entity_table, enum_column, timestamp
from hub.model.writer import EntityWriter
from hub.viewer import Viewer

StageMove = entity_table(
    "stage_moves",
    customer_fk("The customer who moved."),
    sa.Column("from_stage", enum_column(Stage, "from_stage"), nullable=False, comment="Where the customer stood."),
    sa.Column("to_stage", enum_column(Stage, "to_stage"), nullable=False, comment="Where the customer stands since."),
    sa.Column("reason", sa.Text, nullable=False, comment="Why, in one line."),
    sa.Column("moved_at", timestamp(), nullable=False, comment="When the customer moved."),
    comment="A customer's move from one stage of the lifecycle to another.",
)
sa.Index("ix_stage_moves_customer_id_moved_at_id", StageMove.c.customer_id, StageMove.c.moved_at, StageMove.c.id)
sa.Index("ix_stage_moves_moved_at_id", StageMove.c.moved_at, StageMove.c.id)

STAGE_MOVE_WRITER = EntityWriter(StageMove, subject="customers", scope=scopes.customer_owned, deletable=False)


class StageMovePayload(NamedTuple):
    """What a move gives."""

    customer: Annotated[UUID, Customer, "The customer as it is now."]
    move: Annotated[UUID, StageMove, "The move."]


class AssignPayload(NamedTuple):
    """What an assignment gives."""

    customer: Annotated[UUID | None, Customer, "The customer as it is now; null when it went out of the key's sight."]


async def stage_move(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, Customer, "The customer."],
    stage: Annotated[Stage, "Where the customer shall stand."],
    reason: Annotated[str, "Why, in one line; it is kept."],
    now: datetime,
) -> StageMovePayload:
    """Moves a customer to another stage of the lifecycle, and keeps from where, when and why."""
    viewer.require("customers:write")
    reason = validators.check_values({"reason": reason}, {"reason": validators.single_line})["reason"]
    row = await writer.lock_row(tx, viewer, Customer, id, "id")
    if row["stage"] == stage:
        message = f"stage: the customer stands at {stage} already; name another stage."
        raise BadInput(message, code="STAGE_MOVE_INVALID", argument="stage")
    move_values = {"customer_id": id, "from_stage": row["stage"], "to_stage": stage, "reason": reason, "moved_at": now}
    key = await writer.insert_row(tx, viewer, StageMove, move_values | {"created_at": now, "updated_at": now})
    await writer.update_row(tx, viewer, Customer, id, {"stage": stage}, now)
    return StageMovePayload(id, key)


async def assign(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, Customer, "The customer."],
    unit_id: Annotated[UUID | None, OrgUnit, "The unit that shall own the customer; stays when left out."] = None,
    owner_id: Annotated[UUID | None, Staff, "Who shall look after the customer; stays when left out."] = None,
    now: datetime,
) -> AssignPayload:
    """Hands a customer to another unit, another member of staff, or both. What belongs to the customer goes along."""
    viewer.require("customers:write")
    supplied = {"unit_id": unit_id, "owner_id": owner_id}
    changes = {name: key for name, key in supplied.items() if key is not None}
    if not changes:
        raise BadInput("unit_id: name a unit, a member of staff, or both.", code="ARGUMENT_MISSING", argument="unit_id")
    for name, table in (("unit_id", OrgUnit), ("owner_id", Staff)):
        key = changes.get(name)
        if key is not None:
            await writer.require_visible(tx, viewer, table, key, name)
    await writer.update_row(tx, viewer, Customer, id, changes, now)
    return AssignPayload(id)
