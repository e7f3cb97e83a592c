"""`hub match`: trains the parameters of matching on the hub's own customers, in a process of its own."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from hub import settings as settings_module
from hub.domain.matching.self_training import train_now
from hub.installation import run_with_settings

commands = typer.Typer(help="Train what finds customers who may be one.", no_args_is_help=True)

STATEMENT_SECONDS = 60.0


@commands.callback()
def describe() -> None:
    """Train what finds customers who may be one."""


@commands.command("train")
def train_model(
    limit: Annotated[int, typer.Option(min=100, help="Customers to train on at most.")] = 200_000,
    data: Annotated[Path | None, typer.Option(help="Data directory (HUB_DATA_DIR).", show_default=False)] = None,
) -> None:
    """Learn from the stored customers how those who are one agree, without anybody's labels, and score all of them anew.

    A hub of 1,000 customers, and one that has doubled, does so itself from a sample. One of a few hundred stays close to the
    defaults."""
    configuration = settings_module.load(data_dir=data, statement_timeout=STATEMENT_SECONDS)
    trained = run_with_settings(configuration, lambda pool: train_now(pool, limit, datetime.now(UTC)))
    seen = f"{trained.sampled:,} of {trained.customers:,} customers"
    print(f"version {trained.version}, learned from {seen}; weights moved by up to {trained.shift:.2f} bits")
