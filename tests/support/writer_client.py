"""A hub to write to: what it answers, and what it refuses with."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
from conftest import key_for, posted

from hub.app import running
from hub.settings import Settings


@dataclass
class Writer:
    """A client of a hub on one database, as admin unless a key is given."""

    dsn: str
    client: httpx2.AsyncClient
    key: str

    async def answer(self, query: str, variables: dict[str, Any] | None = None, *, key: str | None = None) -> Any:
        """The whole answer."""
        return await posted(self.client, query, variables, key or self.key)

    async def do(self, query: str, variables: dict[str, Any] | None = None, *, key: str | None = None) -> Any:
        """The data; fails on errors."""
        answer = await self.answer(query, variables, key=key)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    async def refused(self, query: str, variables: dict[str, Any] | None = None, *, key: str | None = None) -> Any:
        """The one error of an answer without data: code, message and argument beside the rest of its extensions."""
        answer = await self.answer(query, variables, key=key)
        assert answer.get("data") is None, answer
        (error,) = answer["errors"]
        return {"message": error["message"], "path": error.get("path"), **error["extensions"]}


@asynccontextmanager
async def writing(dsn: str, settings: Settings | None = None) -> AsyncIterator[Writer]:
    """A hub on a database of the caller's own."""
    async with running(settings or Settings(), dsn) as app:
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://hub", timeout=30) as client:
            yield Writer(dsn, client, await key_for(dsn))
