"""Puts two score models into force on the sample data, as an operator would: RFM in quintiles, and engagement."""

from datetime import datetime

from hub import graph
from hub.db.pool import Connection, Pool
from hub.domain.scoring.model_commands import activate_model, create_model
from hub.domain.scoring.model_definitions import is_described
from hub.domain.scoring.templates import ScoreTemplate
from hub.settings import Settings
from hub.timer_loop import open_clock
from hub.viewer import ADMIN

CURRENCY = "USD"  # of Northwind's orders
MODELS = (
    ("rfm", "Recency, frequency, value", ScoreTemplate.RFM, CURRENCY),
    ("engagement", "Engagement", ScoreTemplate.ENGAGEMENT, None),
)


async def load_score_models(settings: Settings, pool: Pool) -> None:
    """Describes and activates the models in a migrated database with Northwind. A second load changes nothing."""
    clock = await open_clock(settings, pool)
    graph.build()  # plans the filters of rules
    now = await clock.time_source.read()
    async with pool.transaction() as tx:
        await _load(tx, now)


async def _load(tx: Connection, now: datetime) -> None:
    for code, name, template, currency in MODELS:
        if not await is_described(tx, code):
            draft = await create_model(tx, ADMIN, code=code, name=name, template=template, currency=currency, now=now)
            await activate_model(tx, ADMIN, id=draft.score_model, now=now)
