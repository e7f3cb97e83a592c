"""Changes as a client pages through them, once all that was written before has its position."""

from dataclasses import dataclass
from typing import Any

import asyncpg
from change_workload import until
from writer_client import Writer

PAGE = "query ($after: Cursor, $first: Int) { changes(after: $after, first: $first%s) { __typename %s } }"
UNPLACED = "select count(*) from change_log where id not in (select id from change_order)"


async def placed(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Waits until every change that is committed has its position."""

    async def all_are() -> bool:
        left: int = await connection.fetchval(UNPLACED)
        return left == 0

    await until(all_are)


@dataclass
class Reader:
    """Who reads changes of one database."""

    writer: Writer
    rows: "asyncpg.Connection[asyncpg.Record]"
    start: str | None = None  # the cursor behind which pages begin, unless another is named

    async def write(self, *statements: str) -> None:
        """Writes past the hub, each statement as a transaction of its own."""
        for each in statements:
            await self.rows.execute(each)

    async def now(self) -> str:
        """The cursor behind all that was written so far."""
        *_, last = await self.every("cursor")
        return str(last["cursor"])

    async def every(self, selection: str, *, key: str | None = None) -> list[Any]:
        """What is told of all changes, page by page, and the message that says that these were all."""
        found: list[Any] = []
        after = self.start
        while not found or found[-1]["__typename"] != "StreamReady":
            selected = f"... on Change {{ cursor {selection} }} ... on StreamReady {{ cursor }}"
            found += await self.page(selected, after=after, key=key)
            after = found[-1]["cursor"]
        return found

    async def page(
        self, selection: str, *, filter: str = "", after: str | None = None, first: int = 100, key: str | None = None
    ) -> Any:
        """One page of messages."""
        await placed(self.rows)
        query = PAGE % (f", filter: {filter}" if filter else "", selection)
        found = await self.writer.do(query, {"after": after or self.start, "first": first}, key=key)
        return found["changes"]

    async def told(self, selection: str, *, filter: str = "", after: str | None = None, key: str | None = None) -> Any:
        """What a page tells of changes; at most a hundred."""
        page = await self.page(f"... on Change {{ {selection} }}", filter=filter, after=after, key=key)
        assert page[-1] == {"__typename": "StreamReady"}
        return [{name: value for name, value in each.items() if name != "__typename"} for each in page[:-1]]
