"""Edits of rows of every type at random: touched, moved to other owners and units, deleted. The seed is the caller's."""

import random
from contextlib import suppress
from datetime import datetime
from uuid import UUID

import asyncpg

from hub.graph import build

HANDED = ("owner_id", "customer_id", "unit_id", "staff_id")


class RandomEdits:
    """Edits one row after the other; what the rules of the database refuse is not done."""

    def __init__(self, connection: asyncpg.Connection, rng: random.Random) -> None:
        self._connection = connection
        self._rng = rng
        self._ids: dict[str, list[UUID]] = {}
        self._targets: dict[str, list[UUID]] = {}
        entities = build().catalog.with_past_rows
        self._tables = [entity.table for entity in entities if entity.name not in ("Webhook", "ApiKey")]

    async def load(self) -> "RandomEdits":
        """Reads the keys of the rows that may be edited, and of those that they may be moved to."""
        customers, units, staff = [
            [row["id"] for row in await self._connection.fetch(f"select id from {table} order by id")]
            for table in ("customers", "org_units", "staff")
        ]
        self._targets = {"owner_id": staff, "customer_id": customers[:12], "unit_id": units, "staff_id": staff}
        for table in self._tables:
            rows = await self._connection.fetch(f"select id from {table.name} order by id limit 40")
            self._ids[table.name] = [row["id"] for row in rows]
        return self

    async def edit(self) -> None:
        """Edits a row."""
        rng, table = self._rng, self._rng.choice(self._tables)
        if not self._ids[table.name]:
            return
        key = rng.choice(self._ids[table.name])
        moved = [name for name in HANDED if name in table.c and (name != "unit_id" or table.name != "orders")]
        statement, values = f"update {table.name} set created_at = created_at + interval '1 us' where id = $1", [key]
        if moved and rng.random() < 0.6:
            column = rng.choice(moved)
            statement, values = (
                f"update {table.name} set {column} = $2 where id = $1",
                [key, rng.choice(self._targets[column])],
            )
        elif rng.random() < 0.15:
            statement = f"delete from {table.name} where id = $1"
        with suppress(asyncpg.IntegrityConstraintViolationError, asyncpg.RaiseError):
            await self._connection.execute(statement, *values)

    async def moment(self) -> datetime:
        """The time of the database between two edits."""
        moment: datetime = await self._connection.fetchval("select clock_timestamp()")
        return moment
