"""A connection of a pool with its prepared statements."""

from collections import OrderedDict
from typing import Any

import asyncpg

MAX_STATEMENTS = 300  # prepared statements cached per connection
MAX_STATEMENT_CHARACTERS = 2_000_000  # total length of their texts; the server uses about twelve times as many bytes


class PooledConnection:
    """A connection with its prepared statements and its plan mode; a `background` one has a low priority.

    `workers` says whether its statements may have parallel workers."""

    __slots__ = ("background", "connection", "custom_plan", "statements", "text_length", "timed_out", "workers")

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]", *, background: bool = False) -> None:
        self.connection = connection
        self.background = background
        self.statements: OrderedDict[str, Any] = OrderedDict()
        self.custom_plan = False
        self.workers = True
        self.text_length = 0
        self.timed_out = False

    def on_timeout(self) -> None:
        """Closes the connection, whose statement then fails: neither it nor its server answers in time."""
        self.timed_out = True
        self.connection.terminate()

    def prepared(self, text: str) -> Any:
        """The prepared statement of a text; None if there is none."""
        prepared = self.statements.get(text)
        if prepared is not None:
            self.statements.move_to_end(text)
        return prepared

    async def prepare(self, text: str) -> Any:
        """Prepares a statement and keeps it; the least recently used ones make room."""
        prepared = await self.connection.prepare(text)
        self.statements[text] = prepared
        self.text_length += len(text)
        while len(self.statements) > 1 and (
            len(self.statements) > MAX_STATEMENTS or self.text_length > MAX_STATEMENT_CHARACTERS
        ):
            evicted, _ = self.statements.popitem(last=False)
            self.text_length -= len(evicted)
        return prepared
