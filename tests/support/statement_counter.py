"""Counts the statements that this process sends to Postgres, whichever connection sends them."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import asyncpg
import pytest
from asyncpg.prepared_stmt import PreparedStatement


class StatementCounter:
    """The number of statements so far; statements that are only prepared do not count."""

    def __init__(self) -> None:
        self.statements = 0
        self._is_own: ContextVar[bool] | None = None  # whether this task's statements count; None: those of all do

    @contextmanager
    def counting_own(self) -> Iterator[None]:
        """From now on counts those that this block sends, and not what other hubs of the process do by themselves."""
        self._is_own = self._is_own or ContextVar("is_own", default=False)
        token = self._is_own.set(True)
        yield
        self._is_own.reset(token)

    def add(self) -> None:
        """Counts a statement."""
        self.statements += self._is_own is None or self._is_own.get()


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
        counter.add()
        return await original(*arguments, **options)

    return call
