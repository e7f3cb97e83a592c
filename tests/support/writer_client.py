"""A client for tests that write: responses, data and errors."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from asgi_client import post_query
from conftest import create_api_key
from starlette.types import ASGIApp

from hub.app import lifespan
from hub.settings import Settings


@dataclass
class HubClient:
    """A client of a hub on one database, as admin unless a key is passed."""

    dsn: str
    app: ASGIApp
    key: str

    async def execute(self, query: str, variables: dict[str, Any] | None = None, *, key: str | None = None) -> Any:
        """Returns the whole response."""
        return await post_query(self.app, query, variables, key or self.key)

    async def query(self, query: str, variables: dict[str, Any] | None = None, *, key: str | None = None) -> Any:
        """Returns the data; fails on errors."""
        response = await self.execute(query, variables, key=key)
        assert "errors" not in response, response["errors"]
        return response["data"]

    async def error(self, query: str, variables: dict[str, Any] | None = None, *, key: str | None = None) -> Any:
        """Returns the only error of a response without data: code, message, argument and other extensions."""
        response = await self.execute(query, variables, key=key)
        assert response.get("data") is None, response
        (error,) = response["errors"]
        return {"message": error["message"], "path": error.get("path"), **error["extensions"]}


@asynccontextmanager
async def open_hub_client(dsn: str, settings: Settings | None = None) -> AsyncIterator[HubClient]:
    """Yields a client of a hub on the caller's database."""
    async with lifespan(settings or Settings(), dsn) as app:
        yield HubClient(dsn, app, await create_api_key(dsn))
