"""gql: each of its transports, the schema by introspection, and a subscription that resumes after its last cursor."""

import asyncio
import unittest
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from client_hub import (
    ATTRIBUTES,
    AUTHORIZATION,
    CHANGES,
    CREATE,
    CUSTOMERS,
    HEADERS,
    NOBODY,
    SOCKET_URL,
    UPDATE,
    URL,
    unique_name,
)
from gql import Client, GraphQLRequest
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.aiohttp_websockets import AIOHTTPWebsocketsTransport
from gql.transport.exceptions import TransportConnectionFailed, TransportQueryError
from gql.transport.httpx import HTTPXAsyncTransport
from gql.transport.requests import RequestsHTTPTransport
from gql.transport.websockets import WebsocketsTransport
from gql.utilities import update_schema_scalar
from graphql import GraphQLScalarType

INIT = {"Authorization": AUTHORIZATION}
TRANSPORTS: dict[str, Callable[[], Any]] = {
    "httpx": lambda: HTTPXAsyncTransport(URL, headers=HEADERS),
    "aiohttp": lambda: AIOHTTPTransport(URL, headers=HEADERS),
    "websockets": lambda: WebsocketsTransport(SOCKET_URL, init_payload=INIT),
    "websockets with headers": lambda: WebsocketsTransport(SOCKET_URL, headers=HEADERS),
    "websockets with headers in the payload": lambda: WebsocketsTransport(SOCKET_URL, init_payload={"headers": INIT}),
    "aiohttp's websockets": lambda: AIOHTTPWebsocketsTransport(SOCKET_URL, init_payload=INIT),
}


def request(query: str, **variables: Any) -> GraphQLRequest:
    """A document with its variables."""
    return GraphQLRequest(query, variable_values=variables)


class GqlTests(unittest.IsolatedAsyncioTestCase):
    """gql"""

    async def test_every_transport_writes_and_reads_two_pages(self) -> None:
        german = {"country": {"eq": "DE"}}
        for label, transport in TRANSPORTS.items():
            async with Client(transport=transport()) as session:
                first = (await session.execute(request(CUSTOMERS, filter=german, first=6)))["customers"]
                after = first["pageInfo"]["endCursor"]
                rest = (await session.execute(request(CUSTOMERS, filter=german, first=6, after=after)))["customers"]
                assert len({node["name"] for node in (*first["nodes"], *rest["nodes"])}) == first["totalCount"], label
                person = {"kind": "PERSON", "name": unique_name("gql"), "attributes": ATTRIBUTES}
                created = await session.execute(request(CREATE, input=person))
                assert created["customerCreate"]["customer"]["attributes"] == ATTRIBUTES, label
                with self.assertRaises(TransportQueryError) as raised:
                    await session.execute(request(UPDATE, input={"id": NOBODY, "name": "nobody"}))
                assert [error["extensions"]["code"] for error in raised.exception.errors or ()] == ["NOT_FOUND"], label

    def test_requests_validates_against_the_introspected_schema(self) -> None:
        transport = RequestsHTTPTransport(URL, headers=HEADERS)
        client = Client(transport=transport, fetch_schema_from_transport=True, parse_results=True)
        with client as session:
            assert client.schema is not None
            decimal = GraphQLScalarType("Decimal", serialize=str, parse_value=Decimal)
            moment = GraphQLScalarType("DateTime", serialize=datetime.isoformat, parse_value=datetime.fromisoformat)
            update_schema_scalar(client.schema, "Decimal", decimal)
            update_schema_scalar(client.schema, "DateTime", moment)
            query = 'query ($after: DateTime) { orders(filter: {number: {eq: "10248"}, placedAt: {gt: $after}}) {\n'
            variables = {"after": datetime.fromisoformat("1996-07-03T00:00:00+00:00")}
            document = GraphQLRequest(query + "nodes { placedAt freight } } }", variable_values=variables)
            (order,) = session.execute(document, serialize_variables=True)["orders"]["nodes"]
        assert order["freight"] == Decimal("32.38")
        assert order["placedAt"] == datetime.fromisoformat("1996-07-04T00:00:00+00:00")

    async def test_a_subscription_resumes_after_its_last_cursor(self) -> None:
        name = unique_name("gql")
        cursor, names = None, []
        async with Client(transport=TRANSPORTS["httpx"]()) as writer:
            for number in (1, 2):
                create = request(CREATE, input={"kind": "PERSON", "name": f"{name} {number}"})
                if cursor is not None:
                    await writer.execute(create)  # while no socket is open
                async with Client(transport=TRANSPORTS["websockets"]()) as session:
                    async for result in session.subscribe(request(CHANGES, name=name, after=cursor)):
                        message = result["changes"]
                        if cursor is None:
                            await writer.execute(create)
                        cursor = message["cursor"]
                        if message["__typename"] == "Change":
                            names.append(message["node"]["name"])
                            break
        assert names == [f"{name} 1", f"{name} 2"]

    async def test_a_socket_without_a_key_is_refused(self) -> None:
        with self.assertRaises(TransportConnectionFailed):
            async with asyncio.timeout(10), Client(transport=WebsocketsTransport(SOCKET_URL)):
                pass
