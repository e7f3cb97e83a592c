"""Scores of customers: every computed value is stored, and the current one of each model is one index probe away."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from hub.model import (
    Column,
    Entity,
    Json,
    PersonalData,
    current_by,
    customer_owned,
    field,
    generated,
    index,
    resolver,
    to_one,
    validators,
)
from hub.schema.engagement.interactions import Interaction
from hub.schema.organisation.staff import Staff
from hub.schema.sales.orders import Order
from hub.schema.scoring.score_models import ScoreAudience, ScoreModel

EVIDENCE = re.compile(r"(?P<prefix>[a-z]{3})_(?P<key>[0-9a-f]{32})")
MAX_EVIDENCE = 100  # rows that a score's reasons name at most


def evidence(reasons: Sequence[Mapping[str, object]], prefix: str) -> list[UUID]:
    """The keys of the rows of one type that reasons name as evidence, in their order; what is no such id counts for nothing."""
    lists = (reason.get("evidence") for reason in reasons if isinstance(reason, Mapping))
    named = (item for items in lists if isinstance(items, list) for item in items if isinstance(item, str))
    matches = (EVIDENCE.fullmatch(item) for item in named)
    keys = (UUID(match["key"]) for match in matches if match is not None and match["prefix"] == prefix)
    return list(dict.fromkeys(keys))[:MAX_EVIDENCE]


class Score(
    Entity,
    prefix="sco",
    owned_by=customer_owned(
        "The customer who is scored.", inverse=("scores", "The customer's scores, past and current.")
    ),
    internal_when={"audience": ("INSIDE",)},
    writable_by=("unit",),
    operations=("delete",),
    order="-computed_at",
    timeline="computed_at",
    superseding=current_by("model", moment="computed_at"),
    checks={
        "reasons_are_a_list": "jsonb_typeof(reasons) = 'array'",
        "override_ends": "(override_reason is null) = (expires_at is null)",
    },
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
        "Reasons of the value: a list of facts, each with its number. Where the hub computed it, the rules and their `points`, "
        "which add up to the value, and the newest rows that are the `evidence`.",
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
    audience: Column[ScoreAudience] = field(
        "Who reads it: the customer too, if its model is public.",
        server_default=ScoreAudience.INSIDE,
        writable="command",
        personal=PersonalData.NOT_PERSONAL,
    )
    score_model = to_one(
        ScoreModel,
        "The revision of the model that the hub computed it by; empty for scores of other systems.",
        optional=True,
        enforced=False,
        writable="command",
    )
    overridden_by = to_one(
        Staff,
        "The person who set it in place of the model, if the key is a person's.",
        optional=True,
        writable="command",
        inside=True,
    )
    override_reason: Column[str | None] = field(
        "Why a person set it; empty for a value of the model.",
        check=validators.single_line,
        writable="command",
        inside=True,
        personal=PersonalData.FREE_TEXT,
    )
    expires_at: Column[datetime | None] = field(
        "Time at which the model's own value returns; empty unless a person set it.",
        writable="command",
        personal=PersonalData.BEHAVIOUR,
    )

    @resolver(reasons, returns=Order)
    def evidence_orders(self, reasons: list[dict[str, object]]) -> list[UUID]:
        """The orders among the evidence of its reasons."""
        return evidence(reasons, "ord")

    @resolver(reasons, returns=Interaction)
    def evidence_interactions(self, reasons: list[dict[str, object]]) -> list[UUID]:
        """The interactions among the evidence of its reasons."""
        return evidence(reasons, "int")
