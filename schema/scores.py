"""Scores as clients see them."""

from datetime import datetime
from decimal import Decimal

from hub.domain.scoring import scores
from hub.engine.catalog.scalars import Json
from hub.model import scopes
from hub.model.commands import verb
from hub.model.declarations import one, row


@row(
    scores.Score,
    scope=scopes.customer,
    prefix="sco",
    plural="scores",
    sortable=("computed_at",),
    order=("computed_at", "desc"),
    implements={"TimelineEntry": "computed_at"},
    writes=scores.SCORES,
)
class Score:
    """A figure that a model gave a customer at a moment, with its reasons."""

    model: str
    value: Decimal
    band: str | None
    reasons: Json
    computed_at: datetime
    superseded_at: datetime | None
    current: bool
    customer = one("customers.Customer", by="customer_id", description="The customer who is scored.")


record = verb("scoreRecord", scores.record, many="scoresRecord")
