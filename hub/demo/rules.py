"""Rules that derive a customer's stage and tier in the sample data. A real business sets them itself."""

from collections.abc import Iterable
from datetime import datetime

from hub.domain.scoring.rfm import MONETARY, ModelScore, OrderSummary
from hub.schema.customers.customers import Stage, Tier

ACTIVE_DAYS = 90  # maximum age of an active customer's last order
DORMANT_DAYS = 365  # after that the customer is lost
LOYAL_ORDERS = 10


def stage(order_summary: OrderSummary, contacted: bool, as_of: datetime) -> Stage:
    """Returns the stage, from the last order and the number of orders; without orders, from whether there was contact."""
    days = order_summary.days(as_of)
    if days is None:
        return Stage.QUALIFIED if contacted else Stage.PROSPECT
    if days > DORMANT_DAYS:
        return Stage.LOST
    if days > ACTIVE_DAYS:
        return Stage.DORMANT
    return Stage.LOYAL if order_summary.orders >= LOYAL_ORDERS else Stage.ACTIVE


def tier(model_scores: Iterable[ModelScore]) -> Tier:
    """Returns the tier: platinum for band 5 in all three RFM models, else gold for monetary band 5, silver for 4."""
    bands = {model_score.model: model_score.band for model_score in model_scores}
    if len(bands) == 3 and set(bands.values()) == {5}:
        return Tier.PLATINUM
    return {5: Tier.GOLD, 4: Tier.SILVER}.get(bands[MONETARY], Tier.STANDARD)
