"""Runs a function in the database of an installation, for commands that end by themselves."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from hub import doctor, launch
from hub import settings as settings_module
from hub.db.pool import Pool
from hub.model.test_clock import open_time_source
from hub.settings import Settings

DatabaseResult = TypeVar("DatabaseResult")


def warnings(data: Path | None) -> list[str]:
    """Lines about settings that most likely are not as intended."""
    return settings_module.collect_warnings(data)


def load_settings(data: Path | None) -> Settings:
    """Reads the settings for a command that ends by itself, and prints warnings about them."""
    for text in warnings(data):
        print(f"hub: {text}", file=sys.stderr)
    return settings_module.load(data_dir=data)


def run_in_database(data: Path | None, function: Callable[[Pool], Awaitable[DatabaseResult]]) -> DatabaseResult:
    """Runs a function with a pool of the installation's database, whose Postgres is started if needed; raises HubError."""
    return run_with_settings(load_settings(data), function)


def run_with_settings(configuration: Settings, function: Callable[[Pool], Awaitable[DatabaseResult]]) -> DatabaseResult:
    """The same for a command that needs the settings itself."""
    with launch.running_database(configuration) as dsn:
        doctor.require_all_ok(asyncio.run(doctor.check_database(dsn)))
        return asyncio.run(launch.with_pool(configuration, dsn, function))


async def hub_time(data: Path | None, pool: Pool) -> datetime:
    """The time that requests of the installation have: the machine's, or that of its test clock."""
    return await (await open_time_source(settings_module.load(data_dir=data), pool)).read()
