"""Counts the statements that this process sends to Postgres, whichever connection sends them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import pytest
from asyncpg.prepared_stmt import PreparedStatement


class StatementCounter:
    """The number of statements so far; statements that are only prepared do not count."""

    def __init__(self) -> None:
        self.statements = 0


@contextmanager
def count_statements() -> Iterator[StatementCounter]:
    """Counts in the block."""
    counter = StatementCounter()
    with pytest.MonkeyPatch.context() as patch:
        for owner in (asyncpg.Connection, PreparedStatement):
            for name in ("execute", "executemany", "fetch", "fetchrow", "fetchval", "fetchmany"):
                if hasattr(owner, name):
                    patch.setattr(owner, name, _counted(getattr(owner, name), counter))
        yield counter


def _counted(original: Any, counter: StatementCounter) -> Any:
    async def call(*arguments: Any, **options: Any) -> Any:
        counter.statements += 1
        return await original(*arguments, **options)

    return call
