"""Keys with limits of their own, and a hub whose budgets have a clock of the test's."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

import asyncpg
import httpx2
from conftest import create_api_key
from socket_hub import SocketHub, run_socket_hub

from hub.client_limits import CostBudget
from hub.domain.access import api_keys, key_limits
from hub.domain.access.key_limits import LimitChanges
from hub.engine.budgets import CostAccount, CostAccounts
from hub.engine.engine import Engine
from hub.viewer import ADMIN, Role
from hub.web.asgi import AsgiApp


class SteppedClock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class BudgetHub:
    """A hub, and the clock of its budgets."""

    hub: SocketHub
    clock: SteppedClock
    accounts: CostAccounts

    async def post(self, key: str, query: str, variables: Any = None, **headers: str) -> httpx2.Response:
        """The response to an operation over HTTP."""
        async with httpx2.AsyncClient(verify=False, timeout=60) as client:
            body = {"query": query, "variables": variables}
            address = f"http://127.0.0.1:{self.hub.port}/graphql"
            return await client.post(address, json=body, headers={"authorization": f"Bearer {key}", **headers})

    async def create_key(
        self, capacity: int, refill: float, role: Role = Role.ADMIN, *, customer_id: UUID | None = None
    ) -> str:
        """A new key with a budget."""
        key = await create_api_key(self.hub.dsn, role, customer_id=customer_id)
        await limit_key(self.hub.dsn, key, LimitChanges(CostBudget(capacity, refill)))
        return key

    async def spend(self, key: str, points: int) -> None:
        """Takes points from a key's budget, beyond zero if need be."""
        (await self.account(key)).settle(0, points)

    async def account(self, key: str) -> CostAccount:
        """The account of a key with a budget."""
        stored_key = await api_keys.find_key(self.hub.connection, api_keys.extract_public_id(key) or "")
        assert stored_key is not None
        account = self.accounts.account(stored_key.viewer)
        assert account is not None
        return account


@asynccontextmanager
async def run_budget_hub(dsn: str, **overrides: Any) -> AsyncIterator[BudgetHub]:
    """A hub whose budgets stand still."""
    async with run_socket_hub(dsn, **overrides) as hub:
        clock = SteppedClock()
        engine = cast(Engine, cast(AsgiApp, hub.http_server.config.app).context.engine)
        engine.accounts.clock = clock
        yield BudgetHub(hub, clock, engine.accounts)


async def limit_key(dsn: str, key: str, changes: LimitChanges) -> None:
    """Changes the limits of a key."""
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            stored_key = await api_keys.find_key(connection, api_keys.extract_public_id(key) or "")
            assert stored_key is not None
            assert stored_key.viewer.key_id is not None
            await key_limits.change(connection, ADMIN, stored_key.viewer.key_id, changes)
    finally:
        await connection.close()
