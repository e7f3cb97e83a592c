"""The model RFM: three bands of five, and a value like 543 that names them. Its cuts are fixed, or quintiles that are frozen.

rfm.py has the same rules for a population in memory."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, aggregate_order_by

from hub.db.pool import Connection
from hub.domain.scoring.model_definitions import ModelDefinition
from hub.domain.scoring.rfm import quintiles
from hub.domain.scoring.rule_statements import CUSTOMERS, NOW, Contributions
from hub.errors import BadInput
from hub.schema.sales.orders import Order

SAMPLE = 100_000  # customers whose orders make the quintiles
CUTS = ("recencyDays", "frequency", "monetary")
WEIGHTS = {"recency": 100, "frequency": 10, "monetary": 1}

# A sample that does not depend on the order of the ids, which is that of creation.
_POPULATION = """
with customer as (
    select id from customers, (select count(*) as n from customers) as total
    where total.n <= $3 or (hashtext(id::text) & 2147483647)::bigint % total.n < $3
)
select floor(extract(epoch from $1 - max(o.placed_at) filter (where o.net >= 0)) / 86400)::int as days,
    count(*) filter (where o.net >= 0) as orders, coalesce(sum(o.net) filter (where o.currency = $2), 0) as net
from orders as o join customer as c on c.id = o.customer_id
where o.status <> 'CANCELLED' and o.placed_at <= $1 group by o.customer_id
"""


async def freeze_cuts(tx: Connection, model: ModelDefinition, now: datetime) -> dict[str, list[str]]:
    """The cuts of a revision: those of its settings, else the quintiles of the customers with orders, as of now.

    Raises BadInput if there is nobody with an order."""
    fixed = model.setting("cuts")
    if fixed is not None:
        return {name: [str(cut) for cut in fixed[name]] for name in CUTS}
    population = await tx.fetch(_POPULATION, now, model.setting("currency"), SAMPLE)
    if not population:
        raise BadInput("There is no order yet, so that there are no quintiles; give cuts.", code="SCORE_MODEL_INVALID")
    days = quintiles(-row["days"] for row in population if row["days"] is not None)
    return {
        "recencyDays": [str(-cut) for cut in days],
        "frequency": [str(cut) for cut in quintiles(row["orders"] for row in population)],
        "monetary": [str(cut) for cut in quintiles(row["net"] for row in population)],
    }


def rfm_contributions(model: ModelDefinition) -> Contributions:
    """What recency, frequency and value of the orders contribute; a customer without orders has no score."""
    cuts = {name: [Decimal(cut) for cut in model.parameter(name)] for name in CUTS}
    currency: str = model.setting("currency")
    orders = _summaries(currency)
    lasting = [timedelta(days=int(cut)) for cut in cuts["recencyDays"]]
    bands = {
        "recency": _band([orders.c.last_at + sa.literal(span) > NOW for span in lasting]),
        "frequency": _band([orders.c.orders > sa.literal(int(cut)) for cut in cuts["frequency"]]),
        "monetary": _band([orders.c.net > sa.literal(cut, sa.Numeric()) for cut in cuts["monetary"]]),
    }
    falls = [sa.case((orders.c.last_at + sa.literal(s) > NOW, orders.c.last_at + sa.literal(s))) for s in lasting]
    changes_at = sa.func.least(orders.c.next_at, *falls)
    last_at = sa.func.to_char(sa.func.timezone("UTC", orders.c.last_at), 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
    facts: dict[str, Sequence[Any]] = {
        "recency": ("lastOrderAt", last_at, "evidence", orders.c.evidence),
        "frequency": ("orders", orders.c.orders),
        "monetary": ("net", sa.cast(orders.c.net, sa.Text()), "currency", sa.literal(currency)),
    }
    selects = []
    for position, (rule, weight) in enumerate(WEIGHTS.items(), 1):
        pairs = [sa.literal("band"), bands[rule], *(sa.literal(f) if isinstance(f, str) else f for f in facts[rule])]
        select = sa.select(
            orders.c.customer_id,
            sa.literal(position).label("position"),
            sa.literal(rule).label("rule"),
            sa.case((orders.c.orders > 0, sa.cast(bands[rule] * sa.literal(weight), sa.Numeric(18, 4)))).label(
                "points"
            ),
            sa.cast(sa.func.jsonb_build_object(*pairs), JSONB()).label("facts"),
            changes_at.label("changes_at"),
        )
        selects.append(select)
    return Contributions(sa.select(sa.union_all(*selects).subquery("rfm")), {})


def _band(exceeded: Sequence[sa.ColumnElement[bool]]) -> sa.ColumnElement[Any]:
    """1 to 5: one more than the cuts that are exceeded."""
    return sum((sa.cast(condition, sa.Integer()) for condition in exceeded), start=sa.literal(1))


def _summaries(currency: str) -> sa.CTE:
    """The orders of each customer up to now, cancelled ones left out; refunds count in `net` alone."""
    o = Order.table.alias("rfm$order")
    past = o.c.placed_at <= NOW
    purchase = sa.and_(past, o.c.net >= 0)
    row_id = sa.literal("ord_") + sa.func.replace(sa.cast(o.c.id, sa.Text()), "-", "")
    ids = sa.func.array_agg(aggregate_order_by(row_id, o.c.placed_at.desc(), o.c.id.desc()), type_=ARRAY(sa.Text()))
    net = sa.func.sum(o.c.net).filter(sa.and_(past, o.c.currency == sa.literal(currency)))
    columns = (
        o.c.customer_id,
        sa.func.count().filter(purchase).label("orders"),
        sa.func.max(o.c.placed_at).filter(purchase).label("last_at"),
        sa.cast(sa.func.coalesce(net, 0), sa.Numeric(18, 4)).label("net"),
        sa.func.min(o.c.placed_at).filter(o.c.placed_at > NOW).label("next_at"),
        ids.filter(purchase)[1:1].label("evidence"),
    )
    counts = (o.c.customer_id == sa.any_(CUSTOMERS), o.c.status != sa.literal_column("'CANCELLED'"))
    return sa.select(*columns).where(*counts).group_by(o.c.customer_id).cte("summaries")
