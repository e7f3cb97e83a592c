"""ariadne-codegen: the package that it generated, called with its types."""

import unittest
from datetime import UTC, datetime
from decimal import Decimal

from client_hub import ATTRIBUTES, AUTHORIZATION, HEADERS, NOBODY, SOCKET_URL, URL, unique_name
from hub_client import Client, CustomerCreateInput, CustomerFilter, CustomerUpdateInput, OrderCreateInput, StringFilter
from hub_client.enums import CustomerKind
from hub_client.exceptions import GraphQLClientGraphQLMultiError


def connect() -> Client:
    """A client with the key in HTTP's header and in the socket's first message."""
    return Client(URL, HEADERS, ws_url=SOCKET_URL, ws_connection_init_payload={"Authorization": AUTHORIZATION})


class AriadneTests(unittest.IsolatedAsyncioTestCase):
    """ariadne-codegen"""

    async def test_two_pages_of_models(self) -> None:
        german = CustomerFilter(country=StringFilter(eq="DE"))
        async with connect() as client:
            first = (await client.list_customers(6, german)).customers
            rest = (await client.list_customers(6, german, first.page_info.end_cursor)).customers
        names = {node.name for node in (*first.nodes, *rest.nodes)}
        assert (len(names), rest.page_info.has_next_page) == (first.total_count, False)

    async def test_scalars_are_python_values(self) -> None:
        placed_at = datetime(2026, 1, 31, 12, 34, 56, 123456, UTC)
        name = unique_name("ariadne")
        async with connect() as client:
            customer_input = CustomerCreateInput(kind=CustomerKind.PERSON, name=name, attributes=ATTRIBUTES)
            customer = (await client.create_customer(customer_input)).customer_create.customer
            assert customer is not None
            assert (customer.name, customer.attributes, customer.created_at.tzinfo) == (name, ATTRIBUTES, UTC)
            order_input = OrderCreateInput(
                customerId=customer.id,
                number=name,
                placedAt=placed_at,
                currency="EUR",
                freight=Decimal("123456789.0001"),
            )
            order = (await client.create_order(order_input)).order_create.order
            node = (await client.get_node(customer.id)).node
        assert order is not None
        assert (order.placed_at, order.freight) == (placed_at, Decimal("123456789.0001"))
        assert node is not None
        assert node.typename__ == "Customer"

    async def test_an_error_has_its_code(self) -> None:
        async with connect() as client:
            with self.assertRaises(GraphQLClientGraphQLMultiError) as raised:
                await client.update_customer(CustomerUpdateInput(id=NOBODY, name="nobody"))
        assert [(error.extensions or {})["code"] for error in raised.exception.errors] == ["NOT_FOUND"]

    async def test_a_subscription_follows_a_customer(self) -> None:
        name = unique_name("ariadne")
        async with connect() as client:
            customer_input = CustomerCreateInput(kind=CustomerKind.PERSON, name=name)
            customer = (await client.create_customer(customer_input)).customer_create.customer
            assert customer is not None
            names = []
            async for message in client.follow_customer(customer.id):
                assert message.customer_live.customer is not None
                names.append(message.customer_live.customer.name)
                if len(names) == 2:
                    break
                await client.update_customer(CustomerUpdateInput(id=customer.id, name=f"{name}!"))
        assert names == [name, f"{name}!"]
