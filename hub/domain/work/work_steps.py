"""The decision of a step: who may decide it, what must hold, and what follows."""

from datetime import datetime
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import asyncpg

from hub.db.pool import Connection
from hub.domain.work.acting import acting_person
from hub.domain.work.addressing import addressed
from hub.domain.work.credentials import require_authority
from hub.domain.work.item_flow import ItemFlow, close_step, lock_item, settle
from hub.domain.work.step_rules import FORWARD, StepRule, require_not_barred, require_round
from hub.domain.work.verifications import require_verified
from hub.errors import BadInput, Forbidden
from hub.model import rows, stored_filters, validators
from hub.model.commands import command
from hub.model.registry import entity_named
from hub.schema.work.processes import ProcessStep, StepAddressee, StepDecision
from hub.schema.work.work_items import WorkItem, WorkStep, WorkStepStatus
from hub.viewer import Viewer

_ITEM_OF = "select item_id from work_steps where id = $1"
_OPEN = """
select s.id, s.step_id, p.code, p.decisions from work_steps as s join process_steps as p on p.id = s.step_id
where s.item_id = $1 and s.status = 'OPEN' order by s.position, s.voter
"""
_OWN_VOTE = """
select id from work_steps where item_id = $1 and step_id = $2 and addressee_id = $3 and status = 'OPEN' and id <> $4
"""


class WorkStepDecidePayload(NamedTuple):
    """The payload of workStepDecide."""

    work_step: Annotated[UUID, WorkStep, "The step as it is now."]
    work_item: Annotated[UUID, WorkItem, "Its item as it is now."]
    outcome: Annotated[StepDecision | None, "How the step is decided as a whole; null while votes are missing."]


@command("workStepDecide", bulk_name="workStepsDecide")
async def decide_step(
    tx: Connection,
    viewer: Viewer,
    *,
    id: Annotated[UUID, WorkStep, "An open step that is addressed to the person behind the key."],
    decision: Annotated[StepDecision, "One of the step's decisions."],
    note: Annotated[str | None, "Why; REJECT and RETURN need it."] = None,
    now: datetime,
) -> WorkStepDecidePayload:
    """Decides an open step. What follows opens at once: the next steps, an earlier one in another round, or the end."""
    WorkStep.require(viewer, "update")
    person = acting_person(viewer)
    note = validators.check_values({"note": note}, {"note": validators.multi_line})["note"]
    if note is None and decision not in FORWARD:
        raise BadInput(f"note: {decision} needs one; say why.", code="ARGUMENT_MISSING", argument="note")
    await rows.require_visible(tx, viewer, WorkStep, id, "id")
    flow = await lock_item(tx, viewer, await tx.fetchval(_ITEM_OF, id), now)
    step = await rows.lock_row(tx, viewer, WorkStep, id, "id")
    rule = flow.rules.by_id[step["step_id"]]
    await _require_open(flow, step)
    rule.require_decision(decision)
    await _require_addressee(flow, rule, step, person)
    require_not_barred(rule, person, flow.reasons_against(rule))
    if rule.authority is not None:
        amount, currency = flow.item["amount"], flow.item["currency"]
        await require_authority(tx, person, rule.authority, amount, currency, now=now)
    if decision is StepDecision.RETURN:
        require_round(flow.rules, flow.item["round"])
    if decision in FORWARD:
        await _require_criteria(flow, rule)
    async with rows.updating(tx, viewer, WorkStep, id, fields=("decision", *([] if note is None else ["note"]))):
        await close_step(flow, id, rule, decision, note, person)
    return WorkStepDecidePayload(id, flow.key, await settle(flow, rule))


async def _require_open(flow: ItemFlow, step: asyncpg.Record) -> None:
    """Raises BadInput MOVE_INVALID for a step that is decided or skipped, naming what the viewer sees that is open now."""
    if step["status"] == WorkStepStatus.OPEN:
        return
    open_steps = await _visible_open_steps(flow)
    names = " or ".join(dict.fromkeys(row["step"] for row in open_steps if "step" in row))
    possible = f"; open now: {names}" if names else ""
    if not open_steps and await rows.can_see(flow.tx, flow.viewer, WorkItem.table, flow.key):
        possible = f"; the item is {flow.item['status']}"
    decided = f" ({step['decision']})" if step["decision"] else ""
    message = f"id: the step is {step['status']}{decided} already{possible}."
    raise BadInput(message, code="MOVE_INVALID", argument="id", extensions={"openSteps": open_steps})


async def _visible_open_steps(flow: ItemFlow) -> list[dict[str, Any]]:
    """The open steps of the item that the viewer sees, each with what it sees of the process."""
    open_steps: list[dict[str, Any]] = []
    for row in await flow.tx.fetch(_OPEN, flow.key):
        if await rows.can_see(flow.tx, flow.viewer, WorkStep.table, row["id"]):
            known = await rows.can_see(flow.tx, flow.viewer, ProcessStep.table, row["step_id"])
            described = {"step": row["code"], "decisions": row["decisions"]} if known else {}
            open_steps.append({"id": f"wst_{row['id'].hex}", **described})
    return open_steps


async def _require_addressee(flow: ItemFlow, rule: StepRule, step: asyncpg.Record, person: UUID) -> None:
    """Raises Forbidden unless the step is the person's: by a role that counts now, or as it was addressed."""
    addressing = await addressed(flow.tx, rule, flow.item, flow.reasons_against(rule), flow.now)
    if rule.addressee is StepAddressee.ROLE:
        if person not in addressing.staff_ids:
            message = f"id: the step is for people with the role {rule.role} in its unit; one of them decides it."
            raise Forbidden(message, argument="id")
        own = await flow.tx.fetchval(_OWN_VOTE, flow.key, rule.id, person, step["id"])
        if own is not None and step["addressee_id"] != person:
            is_visible = await rows.can_see(flow.tx, flow.viewer, WorkStep.table, own)
            named = f"is wst_{own.hex}" if is_visible else "is another step"
            message = f"id: the person's own vote {named}; decide that one."
            raise BadInput(message, code="MOVE_INVALID", argument="id")
    elif person not in (step["addressee_id"], *addressing.staff_ids):
        raise Forbidden("id: the step is addressed to somebody else, who decides it.", argument="id")


async def _require_criteria(flow: ItemFlow, rule: StepRule) -> None:
    """Raises BadInput UNVERIFIED or CRITERIA_UNMET where the subject is not yet as the step demands."""
    subject = flow.item["row_id"]
    if rule.verified:
        try:
            await require_verified(flow.tx, flow.viewer, entity_named(rule.about), subject, rule.verified)
        except BadInput as error:
            message = f"decision: {error.message}"
            raise BadInput(message, code=error.code, argument="decision", extensions=error.extensions) from None
    criteria = rule.exit_criteria
    if criteria is not None and not await stored_filters.matches(flow.tx, rule.about, criteria, subject):
        message = f"decision: the subject does not match the exit criteria of {rule.code}; change it first."
        known = await rows.can_see(flow.tx, flow.viewer, ProcessStep.table, rule.id)
        extensions = {"exitCriteria": criteria} if known else {}
        raise BadInput(message, code="CRITERIA_UNMET", argument="decision", extensions=extensions)
