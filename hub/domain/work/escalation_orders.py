"""The act ORDER of escalations: the hub opens a work item about the row of a clock."""

from hub.db.pool import Connection
from hub.domain.work.escalations import ReachedLevel, escalation_act
from hub.domain.work.work_items import open_order
from hub.errors import BadInput
from hub.schema.work.sla_policies import EscalationAct


@escalation_act(EscalationAct.ORDER)
async def order_work(tx: Connection, reached: ReachedLevel) -> None:
    """Opens an item by the rule's process, once for each clock; raises BadInput where no such process is active."""
    process, subject, clock = reached.rule["process"], reached.clock.subject, reached.clock.key
    item = await open_order(tx, process, subject, title=reached.text, now=reached.moment, cause=clock)
    if item is None:
        message = f"process: no process {process} about a {subject['entity']} is active; describe one."
        raise BadInput(message, argument="process")
