"""RFM on Northwind equals a plain SQL query that knows nothing of the hub's, and the rules in memory."""

from datetime import UTC, datetime

from writer_client import HubClient

from hub.db.pool import Connection
from hub.domain.scoring.model_commands import activate_model, create_model
from hub.domain.scoring.rfm import FREQUENCY, MONETARY, RECENCY, OrderSummary, rfm, rfm_cuts
from hub.domain.scoring.templates import ScoreTemplate
from hub.model.customer_derivations import derive
from hub.viewer import ADMIN

NOW = datetime(1998, 5, 6, 12, tzinfo=UTC)
# Quintiles by ntile-free counting: a figure's band is one more than the cuts that it exceeds.
PLAIN = """
with figures as (
    select customer_id, floor(extract(epoch from $1 - max(placed_at)) / 86400)::int as days, count(*) as orders, sum(net) as net
    from orders where placed_at <= $1 and status <> 'CANCELLED' group by customer_id
), cuts as (
    select percentile_disc(array[0.2, 0.4, 0.6, 0.8]) within group (order by -days) as days,
        percentile_disc(array[0.2, 0.4, 0.6, 0.8]) within group (order by orders) as orders,
        percentile_disc(array[0.2, 0.4, 0.6, 0.8]) within group (order by net) as net
    from figures
)
select f.customer_id,
    100 * (1 + (select count(*) from unnest(c.days) as cut where -f.days > cut))
    + 10 * (1 + (select count(*) from unnest(c.orders) as cut where f.orders > cut))
    + (1 + (select count(*) from unnest(c.net) as cut where f.net > cut)) as value
from figures as f, cuts as c order by 1
"""
SUMMARIES = """
select c.id, c.currency, count(o.id) as orders, max(o.placed_at) as last_at, coalesce(sum(o.net), 0) as net
from customers as c join orders as o on o.customer_id = c.id and o.placed_at <= $1 and o.status <> 'CANCELLED'
group by c.id order by c.id
"""


async def test_rfm_of_northwind_equals_plain_sql(northwind_client: HubClient, connection: Connection) -> None:
    currency = await connection.fetchval("select min(currency) from orders having count(distinct currency) = 1")
    template = ScoreTemplate.RFM
    async with connection.transaction():
        draft = await create_model(
            connection, ADMIN, code="rfm", name="RFM", template=template, currency=currency, now=NOW
        )
        await activate_model(connection, ADMIN, id=draft.score_model, now=NOW)
        customers = [row["id"] for row in await connection.fetch("select id from customers")]
        await derive(connection, "scores", customers, NOW, draft.score_model)
    sql = "select customer_id, value from scores where model = 'rfm' and current order by 1"
    scores = {row["customer_id"]: int(row["value"]) for row in await connection.fetch(sql)}
    assert scores == {row["customer_id"]: row["value"] for row in await connection.fetch(PLAIN, NOW)}
    assert len(scores) == 89
    summaries = {
        row["id"]: OrderSummary(row["orders"], row["last_at"], row["net"], currency)
        for row in await connection.fetch(SUMMARIES, NOW)
    }
    cuts = rfm_cuts(summaries.values(), NOW)
    for customer, summary in summaries.items():
        bands = {score.model: score.band for score in rfm(summary, cuts, NOW)}
        assert scores[customer] == 100 * bands[RECENCY] + 10 * bands[FREQUENCY] + bands[MONETARY]
