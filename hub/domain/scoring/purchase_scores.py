"""The model PURCHASES: what BG/NBD and Gamma–Gamma expect of each customer, as of the last Monday in UTC.

Parameters are fitted once, when a revision is activated. So scores change with a customer's purchases, and every Monday."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from hub.db.pool import Connection
from hub.domain.scoring import purchase_models
from hub.domain.scoring.model_definitions import ModelDefinition
from hub.domain.scoring.purchase_models import BgNbd, GammaGamma, NotFitted, PurchaseHistory
from hub.domain.scoring.rule_statements import CUSTOMERS, MAX_POINTS, Contributions
from hub.errors import BadInput
from hub.model import exact_json
from hub.model.columns import timestamp
from hub.schema.sales.orders import Order
from hub.schema.scoring.score_models import PurchaseFigure

SAMPLE = 20_000  # customers whose purchases a fit looks at
WEEK = timedelta(weeks=1)
MONDAY = datetime(1970, 1, 5)
PRECISION = Decimal("0.0001")

# One purchase a day, as the published fits count. The mean is that of purchases after the first.
_HISTORIES = """
select customer_id, count(*) - 1 as repeats, (max(day) - min(day)) / 7.0::float8 as recency,
    ($2::date - min(day)) / 7.0::float8 as age,
    coalesce(sum(net) filter (where day > first), 0)::float8 / greatest(count(*) - 1, 1) as mean
from (
    select customer_id, day, sum(net) as net, min(day) over (partition by customer_id) as first
    from (
        select customer_id, (placed_at at time zone 'UTC')::date as day, net from orders
        where customer_id = any($1) and status <> 'CANCELLED' and net >= 0 and currency = $3
            and placed_at < ($2::timestamp at time zone 'UTC')
    ) as purchase group by customer_id, day
) as day group by customer_id order by customer_id
"""
_SAMPLE = """
select array(
    select id from customers, (select count(*) as n from customers) as total
    where total.n <= $1 or (hashtext(id::text) & 2147483647)::bigint % total.n < $1
) as ids
"""


@dataclass(frozen=True, slots=True)
class _Histories:
    customers: Sequence[UUID]
    history: PurchaseHistory
    means: Sequence[float]


def week_of(now: datetime) -> datetime:
    """The last Monday, at midnight in UTC."""
    monday = MONDAY.replace(tzinfo=now.tzinfo)
    return monday + WEEK * ((now - monday) // WEEK)


async def fit(tx: Connection, model: ModelDefinition, now: datetime) -> dict[str, list[str]]:
    """The parameters of a revision; raises BadInput with code NOT_FITTED if there are none."""
    purchase_models.require_scipy()
    ids = await tx.fetchval(_SAMPLE, SAMPLE)
    histories = await _read(tx, model, ids, now)
    repeated = [(x, m) for x, m in zip(histories.history.repeats, histories.means, strict=True) if x > 0 and m > 0]
    try:
        bg_nbd = await asyncio.to_thread(purchase_models.fit_bg_nbd, histories.history)
        parameters = {"bgNbd": [repr(value) for value in bg_nbd]}
        if model.setting("figure") == PurchaseFigure.LIFETIME_VALUE:
            repeats, means = [x for x, _ in repeated], [mean for _, mean in repeated]
            gamma_gamma = await asyncio.to_thread(purchase_models.fit_gamma_gamma, repeats, means)
            parameters["gammaGamma"] = [repr(value) for value in gamma_gamma]
    except NotFitted as error:
        raise BadInput(f"The model is {error}", code="NOT_FITTED") from None
    return parameters


async def _read(tx: Connection, model: ModelDefinition, customers: Sequence[UUID], now: datetime) -> _Histories:
    rows = await tx.fetch(_HISTORIES, customers, week_of(now).date(), model.setting("currency"))
    repeats, recency, age = ([float(row[name]) for row in rows] for name in ("repeats", "recency", "age"))
    return _Histories(
        [r["customer_id"] for r in rows], PurchaseHistory(repeats, recency, age), [r["mean"] for r in rows]
    )


async def purchase_contributions(
    tx: Connection, model: ModelDefinition, customers: Sequence[UUID], now: datetime
) -> Contributions:
    """What the model expects of each customer who has bought."""
    histories = await _read(tx, model, customers, now)
    figures = _figures(model, histories) if histories.customers else []
    values: dict[str, Any] = {
        "scored": [customer for customer, _, _ in figures],
        "points": [points for _, points, _ in figures],
        "facts": [facts for _, _, facts in figures],
    }
    scored = sa.func.unnest(
        sa.bindparam("scored", type_=ARRAY(sa.Uuid())),
        sa.bindparam("points", type_=ARRAY(sa.Numeric())),
        sa.bindparam("facts", type_=ARRAY(sa.Text())),
    ).table_valued("customer_id", "points", "facts", name="scored")
    scored = scored.render_derived()
    customer = sa.func.unnest(CUSTOMERS).table_valued("id", name="customer").render_derived()
    order = Order.table.alias("purchase$order")
    has_ordered = sa.exists(sa.select(order.c.id).where(order.c.customer_id == customer.c.id))
    select = sa.select(
        customer.c.id.label("customer_id"),
        sa.literal(1).label("position"),
        sa.literal(model.setting("figure").lower()).label("rule"),
        sa.cast(scored.c.points, sa.Numeric(18, 4)).label("points"),
        sa.cast(scored.c.facts, JSONB()).label("facts"),
        sa.case((has_ordered, sa.literal(week_of(now) + WEEK, timestamp()))).label("changes_at"),
    ).select_from(sa.outerjoin(customer, scored, scored.c.customer_id == customer.c.id))
    return Contributions(select, {name: partial(values.__getitem__, name) for name in values})


def _figures(model: ModelDefinition, histories: _Histories) -> list[tuple[UUID, Decimal, str]]:
    """The value of each customer, with the facts behind it; none of one whose figures are too large to be numbers."""
    purchase_models.require_scipy()
    bg_nbd = BgNbd(*map(float, model.parameter("bgNbd")))
    weeks, figure = float(model.setting("weeks")), PurchaseFigure(model.setting("figure"))
    alive = purchase_models.probability_alive(bg_nbd, histories.history)
    expected = purchase_models.expected_purchases(bg_nbd, histories.history, weeks)
    value_of_one = [1.0] * len(alive)
    if figure is PurchaseFigure.LIFETIME_VALUE:
        gamma_gamma = GammaGamma(*map(float, model.parameter("gammaGamma")))
        value_of_one = purchase_models.expected_value(gamma_gamma, histories.history.repeats, histories.means)
    rows = []
    figures = zip(histories.customers, histories.history.repeats, alive, expected, value_of_one, strict=True)
    for customer, x, share, count, one in figures:
        value = share if figure is PurchaseFigure.PROBABILITY_ALIVE else count * one
        if not (math.isfinite(value) and abs(value) < MAX_POINTS):
            continue
        facts = {"repeats": int(x), "probabilityAlive": _text(share), "expectedPurchases": _text(count)}
        if figure is PurchaseFigure.LIFETIME_VALUE:
            facts |= {"expectedValue": _text(one), "currency": model.setting("currency")}
        rows.append((customer, Decimal(_text(value)), exact_json.dumps(facts)))
    return rows


def _text(number: float) -> str:
    return str(Decimal(number).quantize(PRECISION))
