"""`hub match`: trains the parameters of matching on the hub's own customers, in a process of its own."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NamedTuple
from uuid import UUID

import typer

from hub import settings as settings_module
from hub.db.pool import Pool
from hub.domain.matching import model_store
from hub.domain.matching.customer_records import read_records
from hub.domain.matching.model import MatchModel
from hub.domain.matching.records import MatchRecord
from hub.domain.matching.training import collect, train
from hub.installation import run_with_settings

commands = typer.Typer(help="Train what finds customers who may be one.", no_args_is_help=True)

PAGE = 1_000  # customers read at once
STATEMENT_SECONDS = 60.0


class TrainedModel(NamedTuple):
    """A new version of the parameters, and how many customers and certain pairs it comes from."""

    version: int
    customers: int
    deterministic: int


@commands.callback()
def describe() -> None:
    """Train what finds customers who may be one."""


@commands.command("train")
def train_model(
    limit: Annotated[int, typer.Option(min=100, help="Customers to train on at most.")] = 200_000,
    data: Annotated[Path | None, typer.Option(help="Data directory (HUB_DATA_DIR).", show_default=False)] = None,
) -> None:
    """Learn from the stored customers how those who are one agree, without anybody's labels, and score all of them anew.

    Until then the defaults serve, with the share of duplicates that the hub itself counts. A hub of a few hundred customers
    stays close to them."""
    configuration = settings_module.load(data_dir=data, statement_timeout=STATEMENT_SECONDS)
    trained = run_with_settings(configuration, lambda pool: _train(pool, limit))
    print(f"version {trained.version}, of {trained.customers:,} customers and {trained.deterministic:,} certain pairs")


async def _train(pool: Pool, limit: int) -> TrainedModel:
    records: list[MatchRecord] = []
    after: UUID | None = None
    while len(records) < limit:
        async with pool.connection() as connection:
            page = await model_store.next_customers(connection, after, min(PAGE, limit - len(records)))
            records += (await read_records(connection, page)).values()
        if len(page) < PAGE:
            break
        after = page[-1]
    data = collect(records)
    async with pool.transaction() as tx:
        version = await model_store.next_version(tx)
        model: MatchModel = train(data, version)
        await model_store.save_model(tx, model, datetime.now(UTC))
    return TrainedModel(version, len(records), data.deterministic)
