"""Acts of escalation beside notifications: a TASK for a person, and a MOVE of the row."""

from hub.db.pool import Connection
from hub.domain.work.escalations import ReachedLevel, escalation_act
from hub.domain.work.policy_inputs import states_of
from hub.domain.work.tasks import make_task
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


_IS_OF_POLICY = "select exists (select from tasks where id = $1 and origin = 'POLICY')"


@escalation_act(EscalationAct.TASK)
async def assign_task(tx: Connection, reached: ReachedLevel) -> None:
    """Gives the person who has held the rule's role longest a task about the row, due with the clock if that is to come.

    A task that a policy created gets no further one: policies for tasks would follow their own tasks without end."""
    subject, clock = reached.clock.subject, reached.clock.key
    if not reached.holders or (subject["entity"] == "Task" and await tx.fetchval(_IS_OF_POLICY, subject["row_id"])):
        return
    due = reached.clock.due_at
    due = due if due is not None and due > reached.moment else None
    person = reached.holders[0]
    await make_task(tx, subject, staff_id=person, title=reached.text, due_at=due, now=reached.moment, clock_id=clock)
