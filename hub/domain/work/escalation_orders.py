"""The act ORDER of escalations: the hub opens a work item about the row of a clock."""

from hub.db.pool import Connection
from hub.domain.work.escalations import ReachedLevel, escalation_act
from hub.domain.work.work_items import open_order
from hub.errors import BadInput
from hub.schema.work.sla_policies import EscalationAct

# What an item or a step is about: the order is about that, and not about the work on it.
_SUBJECT_OF_ITEM = """
select i.entity, i.row_id, i.customer_id, i.unit_id, i.staff_id, i.audience from work_items as i
where i.id = $1 or i.id = (select s.item_id from work_steps as s where s.id = $1)
"""


@escalation_act(EscalationAct.ORDER)
async def order_work(tx: Connection, reached: ReachedLevel) -> None:
    """Opens an item by the rule's process, once for each clock; raises BadInput where no such process is active."""
    process, subject, clock = reached.rule["process"], reached.clock.subject, reached.clock.key
    worked_on = await tx.fetchrow(_SUBJECT_OF_ITEM, subject["row_id"])
    subject = subject if worked_on is None else dict(worked_on)
    item = await open_order(tx, process, subject, title=reached.text, now=reached.moment, cause=clock)
    if item is None:
        message = f"process: no process {process} about a {subject['entity']} is active; describe one."
        raise BadInput(message, argument="process")
