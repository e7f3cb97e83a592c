"""A hub on Northwind that takes the tokens of a fake issuer, behind a real socket."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx2
from conftest import create_api_key
from fake_engine_hub import serve_app
from token_issuer import FakeIssuer, run_issuer

from hub.app import lifespan
from hub.settings import Settings
from hub.token_issuers import TokenIssuer

ROLES = {
    "claim": ["realm_access", "roles"],
    "values": {"crm-agent": "writer", "crm-view": "reader", "crm-boss": "admin", "crm-own": "agent"},
}


ROTATING, FAILING = "https://rotating.example", "https://failing.example"


def issuers_of(issuer: FakeIssuer, *others: FakeIssuer) -> tuple[TokenIssuer, ...]:
    """One audience for members of staff, and others for customers and systems; one of each other issuer."""
    common = {
        "issuer": issuer.name,
        "jwks_url": issuer.jwks_url,
        "algorithms": ["RS256", "PS256", "ES256", "EdDSA", "Ed25519"],
    }
    entries: list[dict[str, Any]] = [
        {"audience": "hub", "staff": {"claim": "email"}, "roles": ROLES},
        {"audience": "hub-by-number", "staff": {"claim": "number", "by": "number", "bound": False}, "roles": ROLES},
        {"audience": "hub-by-id", "staff": {"claim": "staff", "by": "id"}, "roles": {"default": "reader"}},
        {"audience": "shop", "customer": {"claim": "sub", "by": "EXTERNAL_ID", "source": "northwind"}},
        {"audience": "app", "customer": {"claim": ["account", "customer"], "by": "id", "role": "writer"}},
        {"audience": "mail", "customer": {"claim": "email", "by": "EMAIL"}},
        {"audience": "tills", "unit": {"claim": "till"}, "roles": {"default": "reader"}},
        {"audience": "systems", "roles": ROLES},
    ]
    entries += [
        {"issuer": other.name, "jwks_url": other.jwks_url, "audience": "hub", "roles": ROLES} for other in others
    ]
    return tuple(TokenIssuer.model_validate(common | entry) for entry in entries)


@dataclass
class TokenHub:
    """The hub, its issuer, its admin key and connections to both."""

    client: httpx2.AsyncClient
    connection: asyncpg.Connection
    issuer: FakeIssuer
    rotating: FakeIssuer
    failing: FakeIssuer
    admin_key: str
    port: int

    async def post(self, bearer: str, query: str, variables: dict[str, Any] | None = None) -> httpx2.Response:
        """The answer to a query that a key or token asks."""
        body = {"query": query, "variables": variables}
        return await self.client.post("/graphql", json=body, headers={"authorization": f"Bearer {bearer}"})

    async def query(self, bearer: str, query: str, variables: dict[str, Any] | None = None) -> Any:
        """The data; fails on errors."""
        response = (await self.post(bearer, query, variables)).json()
        assert "errors" not in response, response["errors"]
        return response["data"]

    async def refusal(self, bearer: str, query: str = "{ __typename }") -> tuple[int, str]:
        """The status and the code of the one error."""
        return refusal_of(await self.post(bearer, query))


def refusal_of(answer: httpx2.Response) -> tuple[int, str]:
    """The status and the code of the one error of an answer."""
    (error,) = json.loads(answer.content)["errors"]
    return answer.status_code, error["extensions"]["code"]


@asynccontextmanager
async def run_token_hub(dsn: str, **settings: Any) -> AsyncIterator[TokenHub]:
    """A hub on a Northwind of the caller's own, in which Nancy, the first agent, has an e-mail address."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("update staff set email = 'nancy@northwind.example' where number = '1'")
    try:
        async with run_issuer() as issuer, run_issuer(ROTATING) as rotating, run_issuer(FAILING) as failing:
            all_settings = Settings(
                token_issuers=issuers_of(issuer, rotating, failing),
                key_cache_ttl=0,
                key_recheck_interval=0.2,
                **settings,
            )
            async with (
                lifespan(all_settings, dsn) as app,
                serve_app(app, all_settings) as port,
                httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
            ):
                yield TokenHub(client, connection, issuer, rotating, failing, await create_api_key(dsn), port)
    finally:
        await connection.close()
