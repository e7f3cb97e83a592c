"""The three RFM models: recency, frequency and monetary value of a customer's orders, each banded by quintiles."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, TypeVar

RECENCY, FREQUENCY, MONETARY = "rfm.recency", "rfm.frequency", "rfm.monetary"
Figure = TypeVar("Figure", int, Decimal)


class OrderSummary(NamedTuple):
    """A customer's orders up to a moment, cancelled ones left out: the input of the RFM models.

    `orders` and `last_at` count no refunds, which `net` holds too."""

    orders: int
    last_at: datetime | None
    net: Decimal
    currency: str

    def days(self, as_of: datetime) -> int | None:
        """Whole days since the last order; None without one."""
        return None if self.last_at is None else (as_of - self.last_at).days


class ModelScore(NamedTuple):
    """A model's result for one customer, as the columns of a score."""

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
    """Sums up the orders, each its moment and net amount, that were placed up to `at`."""
    past_orders = [order for order in orders if order[0] <= as_of]
    purchases = [placed_at for placed_at, net in past_orders if net >= 0]
    net_total = sum((net for _, net in past_orders), Decimal(0))
    return OrderSummary(len(purchases), max(purchases, default=None), net_total, currency)


def quintiles(figures: Iterable[Figure]) -> tuple[Figure, ...]:
    """The four figures at which a fifth, two, three and four fifths of all are reached, counted from the least."""
    ranked = sorted(figures)
    return tuple(ranked[-(-fifth * len(ranked) // 5) - 1] for fifth in (1, 2, 3, 4)) if ranked else ()


def band(figure: Figure, cuts: tuple[Figure, ...]) -> int:
    """1 to 5: one more than the cuts that the figure exceeds. Equal figures get equal bands, the lower one at a cut."""
    return 1 + bisect_left(cuts, figure)


def rfm_cuts(population: Iterable[OrderSummary], as_of: datetime) -> QuintileCuts:
    """The cuts of a population as of `at`. Fewer days are better, so they count below zero; without orders there are none."""
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
    """The models' scores of one customer of the population, as of `at`; without an order there is no recency."""
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
