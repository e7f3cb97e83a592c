"""Scores of customers: every computed value is stored, and the current one of each model is one index probe away."""

from datetime import datetime
from decimal import Decimal

from hub.model import Column, Entity, Json, PersonalData, current_by, field, generated, index, inside, validators


class Score(
    Entity,
    prefix="sco",
    owned_by=inside("The customer who is scored.", inverse=("scores", "The customer's scores, past and current.")),
    writable_by=("unit",),
    operations=("delete",),
    order="-computed_at",
    timeline="computed_at",
    superseding=current_by("model", moment="computed_at"),
    checks={"reasons_are_a_list": "jsonb_typeof(reasons) = 'array'"},
    indexes=(index("model", "value", "id"),),
):
    """A value that a model computed for a customer at a moment, with its reasons."""

    model: Column[str] = field(
        "Name of the model: `rfm.recency`.", check=validators.dotted_name, personal=PersonalData.BEHAVIOUR
    )
    value: Column[Decimal] = field(
        "The model's value; its unit is the model's.", precision=(18, 4), sortable=True, personal=PersonalData.BEHAVIOUR
    )
    band: Column[str | None] = field(
        "The value's class within its model, `1` (worst) to `5` (best) for RFM.",
        check=validators.single_line,
        personal=PersonalData.BEHAVIOUR,
    )
    reasons: Column[Json] = field(
        "Reasons of the value: a list of facts, each with its number.",
        server_default=[],
        personal=PersonalData.FREE_TEXT,
    )
    computed_at: Column[datetime] = field(
        "Time that the score describes.", sortable=True, personal=PersonalData.BEHAVIOUR
    )
    superseded_at: Column[datetime | None] = field(
        "Time when a newer score of the model replaced it.", personal=PersonalData.BEHAVIOUR
    )
    current: Column[bool] = generated(
        "Whether it is the model's latest for the customer.", "superseded_at is null", personal=PersonalData.BEHAVIOUR
    )
