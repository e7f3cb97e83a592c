"""A row that is given to another customer: whoever saw it is told that it is gone, and not where to."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from change_reader import placed
from conftest import NewDatabase, key_for
from socket_hub import Streaming, Subscription, streaming

from hub.viewer import Role

HERE, FAR = "Around the Horn", "Folk och fä HB"
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
async def hub(new_database: NewDatabase, demo_dsn: str) -> AsyncIterator[Streaming]:
    async with streaming(await new_database("northwind")) as made:
        yield made


async def test_whose_it_was_and_whose_it_is_are_told(hub: Streaming) -> None:
    here, far = await hub.id_of(HERE), await hub.id_of(FAR)
    own = await key_for(
        hub.dsn, Role.READER, customer_id=await hub.rows.fetchval("select id from customers where name = $1", HERE)
    )
    async with AsyncExitStack() as stack:

        async def begun(
            query: str, *, key: str | None = None, **variables: str
        ) -> tuple[Subscription, dict[str, object]]:
            made = await stack.enter_async_context(hub.subscribed(query, variables, key=key))
            return made, await made.next()

        (leaving, _), (bound, _), (coming, _) = (
            await begun(WATCH, customer=here),
            await begun(WATCH, key=own),
            await begun(WATCH, customer=far),
        )
        live, first = await begun(LIVE, id=here)
        subject = await hub.rows.fetchval(MOVE, HERE, FAR)
        gone = {"operation": "LEAVE", "customerId": here, "node": {"subject": subject}}
        assert (await leaving.next(), await bound.next()) == (gone, gone)
        assert await coming.next() == {"operation": "ENTER", "customerId": far, "node": {"subject": subject}}
        count = first["customer"]["interactions"]["totalCount"]  # type: ignore[index]
        assert await live.next() == {"customer": {"interactions": {"totalCount": count - 1}}}
    await placed(hub.rows)
    for key, customer in ((None, here), (own, None)):
        assert {"operation": "LEAVE", "customerId": here} in (await hub.ask(PAGE, {"customer": customer}, key=key))[
            "changes"
        ]
