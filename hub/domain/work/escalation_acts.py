"""Acts of escalation beside notifications: a MOVE of the row. Tasks and orders register theirs where they are made."""

from hub.db.pool import Connection
from hub.domain.work.escalations import ReachedLevel, escalation_act
from hub.domain.work.policy_inputs import states_of
from hub.errors import BadInput
from hub.model.entity import declared_entities
from hub.model.moves import move_row
from hub.schema.work.sla_policies import EscalationAct
from hub.viewer import ADMIN


@escalation_act(EscalationAct.MOVE)
async def move_subject(tx: Connection, reached: ReachedLevel) -> None:
    """Moves the row to the rule's state; raises BadInput where that move does not leave the row's state."""
    subject, target = reached.clock.subject, reached.rule["move_to"]
    entity = next(e for e in declared_entities() if e.__name__ == subject["entity"])
    column = states_of(entity).get(target)
    if column is None:
        raise BadInput(f"moveTo: {target} is no state of {subject['entity']} any more.", argument="move_to")
    workflow = entity.definition.workflow_columns[column]
    reason = reached.text
    await move_row(tx, ADMIN, entity, subject["row_id"], column, workflow(target), now=reached.moment, reason=reason)
