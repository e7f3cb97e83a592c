"""A row that is given to another customer: whoever saw it is told that it is gone, and not where to."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from change_workload import wait_until_sequenced
from conftest import CreateDatabase, create_api_key
from socket_hub import SocketHub, SocketSubscription, run_socket_hub

from hub.viewer import Role

EASTERN_CUSTOMER, NORTHERN_CUSTOMER = "Around the Horn", "Folk och fä HB"
WATCH = """subscription ($customer: ID) { changes(filter: {customerId: $customer, types: [INTERACTION]}) {
    ... on Change { operation customerId node { ... on Interaction { subject } } } ... on StreamReady { cursor }
} }"""
LIVE = "subscription ($id: ID!) { customerLive(id: $id) { customer { interactions { totalCount } } } }"
PAGE = """query ($customer: ID) { changes(filter: {customerId: $customer, types: [INTERACTION]}) {
    ... on Change { operation customerId }
} }"""
MOVE = """
update interactions set order_id = null, contact_id = null, customer_id = (select id from customers where name = $2)
where id = (select min(id::text)::uuid from interactions where customer_id = (select id from customers where name = $1))
returning subject
"""


@pytest.fixture
async def socket_hub(create_database: CreateDatabase, demo_dsn: str) -> AsyncIterator[SocketHub]:
    async with run_socket_hub(await create_database("northwind")) as streaming_hub:
        yield streaming_hub


async def test_a_reassigned_row_leaves_its_customer_and_enters_the_other(socket_hub: SocketHub) -> None:
    here, far = await socket_hub.customer_id(EASTERN_CUSTOMER), await socket_hub.customer_id(NORTHERN_CUSTOMER)
    own = await create_api_key(
        socket_hub.dsn,
        Role.READER,
        customer_id=await socket_hub.connection.fetchval("select id from customers where name = $1", EASTERN_CUSTOMER),
    )
    async with AsyncExitStack() as stack:

        async def subscribe(
            query: str, *, key: str | None = None, **variables: str
        ) -> tuple[SocketSubscription, dict[str, object]]:
            subscription = await stack.enter_async_context(socket_hub.subscribe(query, variables, key=key))
            return subscription, await subscription.next_root()

        (leaving, _), (bound, _), (coming, _) = (
            await subscribe(WATCH, customer=here),
            await subscribe(WATCH, key=own),
            await subscribe(WATCH, customer=far),
        )
        live, first = await subscribe(LIVE, id=here)
        subject = await socket_hub.connection.fetchval(MOVE, EASTERN_CUSTOMER, NORTHERN_CUSTOMER)
        gone = {"operation": "LEAVE", "customerId": here, "node": {"subject": subject}}
        assert (await leaving.next_root(), await bound.next_root()) == (gone, gone)
        assert await coming.next_root() == {"operation": "ENTER", "customerId": far, "node": {"subject": subject}}
        count = first["customer"]["interactions"]["totalCount"]  # type: ignore[index]
        assert await live.next_root() == {"customer": {"interactions": {"totalCount": count - 1}}}
    await wait_until_sequenced(socket_hub.connection)
    for key, customer in ((None, here), (own, None)):
        assert {"operation": "LEAVE", "customerId": here} in (
            await socket_hub.query(PAGE, {"customer": customer}, key=key)
        )["changes"]
