"""Scores as clients see them."""

from datetime import datetime
from decimal import Decimal

from hub.domain.scoring import scores
from hub.engine.catalog.scalars import Json
from hub.model import scopes
from hub.model.commands import command
from hub.model.declarations import graphql_type, to_one


@graphql_type(
    scores.Score,
    scope=scopes.customer_owned,
    prefix="sco",
    plural="scores",
    sortable=("computed_at",),
    order=("computed_at", "desc"),
    implements={"TimelineEntry": "computed_at"},
    writer=scores.SCORE_WRITER,
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
    customer = to_one("customers.Customer", by="customer_id", description="The customer who is scored.")


record = command("scoreRecord", scores.record, bulk_name="scoresRecord")
