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

from hub.db.sql_text import text
from hub.domain.customers.customers import Customer
from hub.errors import BadInput
from hub.model import scopes, validators, writer
from hub.model.columns import entity, moment, owner
from hub.model.writer import Kind, Tx
from hub.viewer import Viewer

RECENCY, FREQUENCY, MONETARY = "rfm.recency", "rfm.frequency", "rfm.monetary"
Figure = TypeVar("Figure", int, Decimal)

Score = entity(
    "scores",
    owner("The customer who is scored."),
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
    sa.Column("computed_at", moment(), nullable=False, comment="The moment that the score describes."),
    sa.Column("superseded_at", moment(), comment="When a newer score of the model took its place."),
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

SCORES = Kind(Score, subject="scores", scope=scopes.customer)
MOST_REASONS = 50

_SUPERSEDE = text(
    sa.update(Score)
    .where(
        Score.c.customer_id == sa.bindparam("customer", type_=sa.Uuid),
        Score.c.model == sa.bindparam("by", type_=sa.Text),
        Score.c.superseded_at.is_(None),
    )
    .values(
        superseded_at=sa.bindparam("computed", type_=moment()),
        version=Score.c.version + sa.literal_column("1"),
        updated_at=sa.bindparam("at", type_=moment()),
    )
    .returning(Score.c.computed_at)
)


class Scored(NamedTuple):
    """What a score gives."""

    score: Annotated[UUID, Score, "The score that is current from now on."]


async def record(
    tx: Tx,
    viewer: Viewer,
    *,
    customer_id: Annotated[UUID, Customer, "The customer who is scored."],
    model: Annotated[str, "Name of the model, in small words joined by dots: `churn.risk`."],
    value: Annotated[Decimal, "The model's figure."],
    band: Annotated[str | None, "The figure's class within its model."] = None,
    reasons: Annotated[list[dict[str, Any]] | None, "Why: facts, each with its figure."] = None,
    computed_at: Annotated[datetime | None, "The moment that the score describes; now when left out."] = None,
    at: datetime,
) -> Scored:
    """Records what a model says of a customer; its last score is superseded, not lost."""
    viewer.require("scores:write")
    found = validators.checked({"model": model, "band": band}, {"model": validators.words, "band": validators.line})
    computed = computed_at or at
    if abs(value) >= validators.MOST_AMOUNT or value != round(value, 4):
        message = "value: give a figure of at most 14 digits before the point and four behind it."
        raise BadInput(message, argument="value")
    if computed > at:
        raise BadInput("computed_at: it lies ahead; give a moment that is past.", argument="computed_at")
    if reasons is not None and len(reasons) > MOST_REASONS:
        raise BadInput(f"reasons: give at most {MOST_REASONS}.", argument="reasons")
    told = {f"reasons[{number}]": reason for number, reason in enumerate(reasons or ())}
    validators.checked(told, dict.fromkeys(told, validators.facts))
    await writer.lock(tx, viewer, Customer, customer_id, "customer_id")
    last: datetime | None = await tx.fetchval(_SUPERSEDE, computed, at, customer_id, found["model"])
    if last is not None and last > computed:
        message = f"computed_at: the model's score of {last:%Y-%m-%dT%H:%M:%SZ} is later; give a later moment."
        raise BadInput(message, argument="computed_at")
    row = found | {"customer_id": customer_id, "value": value, "reasons": reasons or [], "computed_at": computed}
    return Scored(await writer.insert(tx, viewer, Score, row | {"created_at": at, "updated_at": at}))


class Bought(NamedTuple):
    """What one customer has ordered up to a moment, calls-off left out: all that the RFM models look at."""

    orders: int
    last_at: datetime | None
    net: Decimal
    currency: str

    def days(self, at: datetime) -> int | None:
        """Whole days since the last order; None without one."""
        return None if self.last_at is None else (at - self.last_at).days


class Verdict(NamedTuple):
    """What a model says of one customer; the columns of a score that are not its circumstances."""

    model: str
    value: Decimal
    band: int
    reasons: list[dict[str, object]]


@dataclass(frozen=True, slots=True)
class Cuts:
    """Where the five bands of each model end. Amounts of different currencies are not compared."""

    recency: tuple[int, ...]
    frequency: tuple[int, ...]
    monetary: Mapping[str, tuple[Decimal, ...]]


def bought(orders: Iterable[tuple[datetime, Decimal]], currency: str, at: datetime) -> Bought:
    """Sums up the orders, each its moment and net amount, that were placed up to `at`."""
    counted = [order for order in orders if order[0] <= at]
    last_at = max((placed_at for placed_at, _ in counted), default=None)
    return Bought(len(counted), last_at, sum((net for _, net in counted), Decimal(0)), currency)


def quintiles(figures: Iterable[Figure]) -> tuple[Figure, ...]:
    """The four figures at which a fifth, two, three and four fifths of all are reached, counted from the least."""
    ranked = sorted(figures)
    return tuple(ranked[-(-fifth * len(ranked) // 5) - 1] for fifth in (1, 2, 3, 4)) if ranked else ()


def band(figure: Figure, cuts: tuple[Figure, ...]) -> int:
    """1 to 5: one more than the cuts that the figure exceeds. Equal figures get equal bands, the lower one at a cut."""
    return 1 + bisect_left(cuts, figure)


def rfm_cuts(population: Iterable[Bought], at: datetime) -> Cuts:
    """The cuts of a population as of `at`. Fewer days are better, so they count below zero; without orders there are none."""
    recency: list[int] = []
    frequency: list[int] = []
    monetary: dict[str, list[Decimal]] = {}
    for each in population:
        days = each.days(at)
        if days is not None:
            recency.append(-days)
        frequency.append(each.orders)
        monetary.setdefault(each.currency, []).append(each.net)
    by_currency = {currency: quintiles(figures) for currency, figures in monetary.items()}
    return Cuts(quintiles(recency), quintiles(frequency), by_currency)


def rfm(customer: Bought, cuts: Cuts, at: datetime) -> list[Verdict]:
    """The models' verdicts on one customer of the population, as of `at`; without an order there is no recency."""
    orders: dict[str, object] = {"fact": "orders", "value": customer.orders}
    net: list[dict[str, object]] = [
        {"fact": "net", "value": f"{customer.net:.4f}"},
        {"fact": "currency", "value": customer.currency},
    ]
    verdicts = [
        Verdict(FREQUENCY, Decimal(customer.orders), band(customer.orders, cuts.frequency), [orders]),
        Verdict(MONETARY, customer.net, band(customer.net, cuts.monetary[customer.currency]), [*net, orders]),
    ]
    days = customer.days(at)
    if days is None or customer.last_at is None:
        return verdicts
    reasons: list[dict[str, object]] = [
        {"fact": "lastOrderAt", "value": f"{customer.last_at:%Y-%m-%dT%H:%M:%SZ}"},
        {"fact": "days", "value": days},
    ]
    return [Verdict(RECENCY, Decimal(days), band(-days, cuts.recency), reasons), *verdicts]
