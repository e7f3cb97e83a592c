"""Overrides: a person sets a score in place of a model, with a reason and until a moment. Then the model's value returns.

An override never claims the model's reasons: its only one is itself."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, NamedTuple
from uuid import UUID

from hub.db.pool import Connection
from hub.domain.scoring.evaluation import band_of
from hub.domain.scoring.model_definitions import ModelDefinition, active_models
from hub.domain.scoring.scores import check_value
from hub.errors import BadInput, NotFound
from hub.model.commands import command
from hub.model.customer_derivations import derive
from hub.model.history_rows import insert_current
from hub.model.rows import can_see, not_visible
from hub.model.writer import writer_of
from hub.schema.customers.customers import Customer
from hub.schema.scoring.scores import Score
from hub.viewer import Viewer

_CURRENT = """
select id, override_reason from scores where customer_id = $1 and model = $2 and superseded_at is null
"""
_END = """
update scores set superseded_at = greatest(computed_at, $2), version = version + 1, updated_at = $2
where id = $1 and superseded_at is null
"""


class ScoreOverridePayload(NamedTuple):
    """The payload of scoreOverride."""

    score: Annotated[
        UUID | None, Score, "The customer's score now: what was set, or the model's own; empty if that gives none."
    ]


@command("scoreOverride")
async def override(
    tx: Connection,
    viewer: Viewer,
    *,
    customer_id: Annotated[UUID, Customer, "The customer."],
    model: Annotated[str, "Code of an active model."],
    value: Annotated[Decimal | None, "The value in place of the model's; left out, an override ends now."] = None,
    reason: Annotated[str | None, "Why, in one line. A value needs it."] = None,
    expires_at: Annotated[datetime | None, "When the model's own value returns. A value needs it."] = None,
    now: datetime,
) -> ScoreOverridePayload:
    """Sets a customer's score in place of an active model, until a moment; or ends that.

    Its reasons name the override and no rule of the model. Its band is the model's for the value."""
    Score.require(viewer, "create")
    definition = await _active(tx, model)
    if not await can_see(tx, viewer, Customer.table, customer_id):
        raise not_visible("customer_id")
    await derive(tx, "scores", [customer_id], now, definition.key)
    if value is None:
        return ScoreOverridePayload(await _end(tx, definition, customer_id, now))
    if reason is None or expires_at is None:
        missing = "reason" if reason is None else "expires_at"
        raise BadInput(f"{missing}: a value needs it.", argument=missing, code="ARGUMENT_MISSING")
    if expires_at <= now:
        raise BadInput("expires_at: the time is past; give one to come.", argument="expires_at")
    check_value(value)
    checked = writer_of(Score).canonical({"override_reason": reason})
    row = {
        "customer_id": customer_id,
        "model": definition.code,
        "value": value,
        "band": band_of(definition.bands, value),
        "reasons": [{"rule": "override", "points": f"{value:.4f}"}],
        "computed_at": now,
        "audience": definition.audience,
        "score_model_id": definition.key,
        "overridden_by_id": viewer.staff_id,
        "override_reason": checked["override_reason"],
        "expires_at": expires_at,
    }
    key = await insert_current(tx, viewer, Score, row, now)
    await derive(tx, "scores", [customer_id], now, definition.key)
    return ScoreOverridePayload(key)


async def _active(tx: Connection, code: str) -> ModelDefinition:
    model = next((model for model in await active_models(tx) if model.code == code), None)
    if model is None:
        message = f"model: there is no active model {code[:63]!r}; `scoreModels` lists them."
        raise NotFound(message, argument="model")
    return model


async def _end(tx: Connection, model: ModelDefinition, customer: UUID, now: datetime) -> UUID | None:
    """Ends the customer's override, if there is one, and computes its score; returns the current one."""
    current = await tx.fetchrow(_CURRENT, customer, model.code)
    if current is None or current["override_reason"] is None:
        raise NotFound("customer_id: nobody has set this score; give a value.", argument="customer_id")
    await tx.execute(_END, current["id"], now)
    await derive(tx, "scores", [customer], now, model.key)
    current = await tx.fetchrow(_CURRENT, customer, model.code)
    return None if current is None else current["id"]
