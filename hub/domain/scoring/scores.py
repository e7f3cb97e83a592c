"""Scores of customers: every computed value is kept, the current one of each model is one index probe away.

Below the table, the rules of the three RFM models: recency, frequency, monetary value."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, NamedTuple, TypeVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from hub.db.pool import Connection
from hub.db.sql_text import to_sql
from hub.domain.customers.customers import Customer
from hub.errors import BadInput
from hub.model import scopes, validators, writer
from hub.model.columns import customer_fk, entity_table, timestamp
from hub.model.writer import EntityWriter
from hub.viewer import Viewer

RECENCY, FREQUENCY, MONETARY = "rfm.recency", "rfm.frequency", "rfm.monetary"
Figure = TypeVar("Figure", int, Decimal)

Score = entity_table(
    "scores",
    customer_fk("The customer who is scored."),
    sa.Column("model", sa.Text, nullable=False, comment="Name of the model: `rfm.recency`."),
    sa.Column("value", sa.Numeric(18, 4), nullable=False, comment="The model's figure; its unit is the model's."),
    sa.Column("band", sa.Text, comment="The figure's class within its model, `1` (worst) to `5` (best) for RFM."),
    sa.Column(
        "reasons",
        JSONB,
        nullable=False,
        server_default=sa.text("'[]'"),
        comment="Why the value is what it is: a list of facts, each with its figure.",
    ),
    sa.Column("computed_at", timestamp(), nullable=False, comment="The moment that the score describes."),
    sa.Column("superseded_at", timestamp(), comment="When a newer score of the model took its place."),
    sa.Column(
        "current",
        sa.Boolean,
        sa.Computed("superseded_at is null", persisted=True),
        nullable=False,
        comment="Whether it is the model's latest for the customer.",
    ),
    sa.CheckConstraint("jsonb_typeof(reasons) = 'array'", name="reasons_are_a_list"),
    comment="A figure that a model gave a customer at a moment, with its reasons.",
)
sa.Index(
    "uq_scores_customer_id_model_current",
    Score.c.customer_id,
    Score.c.model,
    unique=True,
    postgresql_where=Score.c.superseded_at.is_(None),
)
sa.Index("ix_scores_customer_id_computed_at_id", Score.c.customer_id, Score.c.computed_at, Score.c.id)
sa.Index("ix_scores_computed_at_id", Score.c.computed_at, Score.c.id)
sa.Index("ix_scores_model_value_id", Score.c.model, Score.c.value, Score.c.id)

SCORE_WRITER = EntityWriter(Score, subject="scores", scope=scopes.customer_owned)
MAX_REASONS = 50

_SUPERSEDE = to_sql(
    sa.update(Score)
    .where(
        Score.c.customer_id == sa.bindparam("customer", type_=sa.Uuid),
        Score.c.model == sa.bindparam("model_name", type_=sa.Text),
        Score.c.superseded_at.is_(None),
    )
    .values(
        superseded_at=sa.bindparam("computed", type_=timestamp()),
        version=Score.c.version + sa.literal_column("1"),
        updated_at=sa.bindparam("now", type_=timestamp()),
    )
    .returning(Score.c.computed_at)
)


class ScoreRecordPayload(NamedTuple):
    """What a score gives."""

    score: Annotated[UUID, Score, "The score that is current from now on."]


async def record(
    tx: Connection,
    viewer: Viewer,
    *,
    customer_id: Annotated[UUID, Customer, "The customer who is scored."],
    model: Annotated[str, "Name of the model, in small words joined by dots: `churn.risk`."],
    value: Annotated[Decimal, "The model's figure."],
    band: Annotated[str | None, "The figure's class within its model."] = None,
    reasons: Annotated[list[dict[str, Any]] | None, "Why: facts, each with its figure."] = None,
    computed_at: Annotated[datetime | None, "The moment that the score describes; now when left out."] = None,
    now: datetime,
) -> ScoreRecordPayload:
    """Records what a model says of a customer; its last score is superseded, not lost."""
    viewer.require("scores:write")
    checked = validators.check_values(
        {"model": model, "band": band}, {"model": validators.dotted_name, "band": validators.single_line}
    )
    computed = computed_at or now
    if abs(value) >= validators.AMOUNT_LIMIT or value != round(value, 4):
        message = "value: give a figure of at most 14 digits before the point and four behind it."
        raise BadInput(message, argument="value")
    if computed > now:
        raise BadInput("computed_at: it lies ahead; give a moment that is past.", argument="computed_at")
    if reasons is not None and len(reasons) > MAX_REASONS:
        raise BadInput(f"reasons: give at most {MAX_REASONS}.", argument="reasons")
    reasons_by_path = {f"reasons[{index}]": reason for index, reason in enumerate(reasons or ())}
    validators.check_values(reasons_by_path, dict.fromkeys(reasons_by_path, validators.json_object_value))
    await writer.lock_row(tx, viewer, Customer, customer_id, "customer_id")
    previous_computed_at: datetime | None = await tx.fetchval(_SUPERSEDE, computed, now, customer_id, checked["model"])
    if previous_computed_at is not None and previous_computed_at > computed:
        message = f"computed_at: the model's score of {previous_computed_at:%Y-%m-%dT%H:%M:%SZ} is later; give a later moment."
        raise BadInput(message, argument="computed_at")
    row = checked | {"customer_id": customer_id, "value": value, "reasons": reasons or [], "computed_at": computed}
    return ScoreRecordPayload(await writer.insert_row(tx, viewer, Score, row | {"created_at": now, "updated_at": now}))


class OrderSummary(NamedTuple):
    """What one customer has ordered up to a moment, calls-off left out: all that the RFM models look at."""

    orders: int
    last_at: datetime | None
    net: Decimal
    currency: str

    def days(self, as_of: datetime) -> int | None:
        """Whole days since the last order; None without one."""
        return None if self.last_at is None else (as_of - self.last_at).days


class ModelScore(NamedTuple):
    """What a model says of one customer; the columns of a score that are not its circumstances."""

    model: str
    value: Decimal
    band: int
    reasons: list[dict[str, object]]


@dataclass(frozen=True, slots=True)
class QuintileCuts:
    """Where the five bands of each model end. Amounts of different currencies are not compared."""

    recency: tuple[int, ...]
    frequency: tuple[int, ...]
    monetary: Mapping[str, tuple[Decimal, ...]]


def summarize_orders(orders: Iterable[tuple[datetime, Decimal]], currency: str, as_of: datetime) -> OrderSummary:
    """Sums up the orders, each its moment and net amount, that were placed up to `as_of`."""
    past_orders = [order for order in orders if order[0] <= as_of]
    last_at = max((placed_at for placed_at, _ in past_orders), default=None)
    return OrderSummary(len(past_orders), last_at, sum((net for _, net in past_orders), Decimal(0)), currency)


def quintiles(figures: Iterable[Figure]) -> tuple[Figure, ...]:
    """The four figures at which a fifth, two, three and four fifths of all are reached, counted from the least."""
    ranked = sorted(figures)
    return tuple(ranked[-(-fifth * len(ranked) // 5) - 1] for fifth in (1, 2, 3, 4)) if ranked else ()


def band(figure: Figure, cuts: tuple[Figure, ...]) -> int:
    """1 to 5: one more than the cuts that the figure exceeds. Equal figures get equal bands, the lower one at a cut."""
    return 1 + bisect_left(cuts, figure)


def rfm_cuts(population: Iterable[OrderSummary], as_of: datetime) -> QuintileCuts:
    """The cuts of a population as of `as_of`. Fewer days are better, so they count below zero; without orders there are none."""
    recency: list[int] = []
    frequency: list[int] = []
    monetary: dict[str, list[Decimal]] = {}
    for summary in population:
        days = summary.days(as_of)
        if days is not None:
            recency.append(-days)
        frequency.append(summary.orders)
        monetary.setdefault(summary.currency, []).append(summary.net)
    by_currency = {currency: quintiles(figures) for currency, figures in monetary.items()}
    return QuintileCuts(quintiles(recency), quintiles(frequency), by_currency)


def rfm(summary: OrderSummary, cuts: QuintileCuts, as_of: datetime) -> list[ModelScore]:
    """The models' verdicts on one customer of the population, as of `as_of`; without an order there is no recency."""
    orders: dict[str, object] = {"fact": "orders", "value": summary.orders}
    net: list[dict[str, object]] = [
        {"fact": "net", "value": f"{summary.net:.4f}"},
        {"fact": "currency", "value": summary.currency},
    ]
    scores = [
        ModelScore(FREQUENCY, Decimal(summary.orders), band(summary.orders, cuts.frequency), [orders]),
        ModelScore(MONETARY, summary.net, band(summary.net, cuts.monetary[summary.currency]), [*net, orders]),
    ]
    days = summary.days(as_of)
    if days is None or summary.last_at is None:
        return scores
    reasons: list[dict[str, object]] = [
        {"fact": "lastOrderAt", "value": f"{summary.last_at:%Y-%m-%dT%H:%M:%SZ}"},
        {"fact": "days", "value": days},
    ]
    return [ModelScore(RECENCY, Decimal(days), band(-days, cuts.recency), reasons), *scores]
