"""The history of customers' moves between stages of the lifecycle."""

from datetime import datetime

from hub.model import Column, Entity, PersonalData, field, inside, validators
from hub.schema.customers.customers import Customer, Stage


class StageMove(
    Entity,
    prefix="stm",
    owned_by=inside("The customer who moved.", inverse=("stage_moves", "The customer's moves between stages.")),
    moves_of=Customer.stage,
    permission="customers",
    operations=(),
    order="-moved_at",
    timeline="moved_at",
):
    """A customer's move from one stage of the lifecycle to another."""

    from_stage: Column[Stage] = field("The stage before the move.", writable="command", personal=PersonalData.BEHAVIOUR)
    to_stage: Column[Stage] = field("The stage after the move.", writable="command", personal=PersonalData.BEHAVIOUR)
    reason: Column[str] = field(
        "Reason for the move, in one line.", check=validators.single_line, personal=PersonalData.FREE_TEXT
    )
    moved_at: Column[datetime] = field("Time of the move.", sortable=True, personal=PersonalData.BEHAVIOUR)
