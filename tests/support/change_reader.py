"""Reads changes as a client pages through them, after all earlier writes have their positions."""

from dataclasses import dataclass
from typing import Any

from change_workload import wait_until_sequenced
from writer_client import HubClient

from hub.db.pool import Connection

CHANGES_PAGE = "query ($after: Cursor, $first: Int) { changes(after: $after, first: $first%s) { __typename %s } }"


@dataclass
class ChangeReader:
    """A reader of changes of one database."""

    client: HubClient
    connection: Connection
    start: str | None = None  # the cursor after which pages start, unless another is passed

    async def write(self, *statements: str) -> None:
        """Writes without the hub, each statement in a transaction of its own."""
        for statement in statements:
            await self.connection.execute(statement)

    async def current_cursor(self) -> str:
        """Returns the cursor after all writes so far."""
        *_, last = await self.all_messages("cursor")
        return str(last["cursor"])

    async def all_messages(self, selection: str, *, key: str | None = None) -> list[Any]:
        """Returns the messages of all changes, page by page, and the final progress message."""
        messages: list[Any] = []
        after = self.start
        while not messages or messages[-1]["__typename"] != "StreamReady":
            selected = f"... on Change {{ cursor {selection} }} ... on StreamReady {{ cursor }}"
            messages += await self.page(selected, after=after, key=key)
            after = messages[-1]["cursor"]
        return messages

    async def page(
        self, selection: str, *, filter: str = "", after: str | None = None, first: int = 100, key: str | None = None
    ) -> Any:
        """Returns one page of messages."""
        await wait_until_sequenced(self.connection)
        query = CHANGES_PAGE % (f", filter: {filter}" if filter else "", selection)
        data = await self.client.query(query, {"after": after or self.start, "first": first}, key=key)
        return data["changes"]

    async def changes(
        self, selection: str, *, filter: str = "", after: str | None = None, key: str | None = None
    ) -> Any:
        """Returns the changes of one page, at most a hundred."""
        page = await self.page(f"... on Change {{ {selection} }}", filter=filter, after=after, key=key)
        assert page[-1] == {"__typename": "StreamReady"}
        return [{name: value for name, value in message.items() if name != "__typename"} for message in page[:-1]]
