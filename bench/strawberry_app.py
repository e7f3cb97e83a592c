"""A contender: the same graph, written by hand with Strawberry, DataLoaders and SQLAlchemy's ORM.

It has parser and validation caches, orjson, uvloop and httptools. Tuned, it also runs in autocommit and freezes the
garbage collector. The benchmarks start it as a child process.
"""

import gc
import os
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import orjson
import sqlalchemy as sa
import strawberry
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.types import Info

from bench.children import serve
from bench.strawberry_rows import (
    BY_LINE,
    BY_NAME,
    NEWEST_INTERACTIONS,
    NEWEST_ORDERS,
    NEWEST_SCORES,
    ContactRow,
    CustomerRow,
    InteractionRow,
    ItemRow,
    Loaders,
    OrderRow,
    ProductRow,
    ScoreRow,
    Sessions,
)

LoaderInfo = Info[Loaders, None]


@strawberry.type
class ProductNode:
    id: strawberry.ID
    name: str


@strawberry.type
class ItemNode:
    id: strawberry.ID
    quantity: int
    unit_price: Decimal

    @strawberry.field
    async def product(self, info: LoaderInfo) -> ProductNode:
        product: ProductNode = await info.context.one(ProductRow).load(_column(self, "product_id"))
        return product


@strawberry.type
class OrderNode:
    id: strawberry.ID
    number: str
    placed_at: datetime
    total: Decimal

    @strawberry.field
    async def customer(self, info: LoaderInfo) -> "CustomerNode":
        customer: CustomerNode = await info.context.one(CustomerRow).load(_column(self, "customer_id"))
        return customer

    @strawberry.field
    async def items(self, info: LoaderInfo, first: int = 20) -> list[ItemNode]:
        items: list[ItemNode] = await info.context.many(ItemRow.order_id, BY_LINE, first).load(_column(self, "id"))
        return items


@strawberry.type
class ContactNode:
    id: strawberry.ID
    name: str


@strawberry.type
class InteractionNode:
    id: strawberry.ID
    channel: str
    direction: str
    kind: str
    subject: str | None
    occurred_at: datetime


@strawberry.type
class ScoreNode:
    id: strawberry.ID
    model: str
    value: Decimal
    band: str | None
    computed_at: datetime


@strawberry.type
class CustomerNode:
    id: strawberry.ID
    kind: str
    name: str
    status: str
    stage: str
    tier: str
    country: str | None
    language: str | None
    currency: str | None
    created_at: datetime

    @strawberry.field
    async def contacts(self, info: LoaderInfo, first: int = 20) -> list[ContactNode]:
        contacts: list[ContactNode] = await info.context.many(ContactRow.customer_id, BY_NAME, first).load(
            _column(self, "id")
        )
        return contacts

    @strawberry.field
    async def orders(self, info: LoaderInfo, first: int = 20) -> list[OrderNode]:
        loader = info.context.many(OrderRow.customer_id, NEWEST_ORDERS, first)
        orders: list[OrderNode] = await loader.load(_column(self, "id"))
        return orders

    @strawberry.field
    async def interactions(self, info: LoaderInfo, first: int = 20) -> list[InteractionNode]:
        loader = info.context.many(InteractionRow.customer_id, NEWEST_INTERACTIONS, first)
        interactions: list[InteractionNode] = await loader.load(_column(self, "id"))
        return interactions

    @strawberry.field
    async def scores(self, info: LoaderInfo, first: int = 20, current: bool | None = None) -> list[ScoreNode]:
        loader = info.context.many(ScoreRow.customer_id, NEWEST_SCORES, first, current)
        scores: list[ScoreNode] = await loader.load(_column(self, "id"))
        return scores


def _column(row: object, name: str) -> UUID:
    """A column of the ORM's row; the row is the resolver's `self`."""
    value: UUID = getattr(row, name)
    return value


@strawberry.enum
class CustomerOrder(Enum):
    NAME = (CustomerRow.name, CustomerRow.id)
    NEWEST = (CustomerRow.created_at.desc(), CustomerRow.id.desc())


@strawberry.type
class CustomerPage:
    """One page, and the number of all matching customers when it is selected."""

    conditions: strawberry.Private[list[sa.ColumnElement[bool]]]
    order: strawberry.Private[tuple[Any, ...]]
    first: strawberry.Private[int]

    @strawberry.field
    async def total_count(self, info: LoaderInfo) -> int:
        async with info.context.sessions() as session:
            statement = sa.select(sa.func.count()).select_from(CustomerRow).where(*self.conditions)
            return (await session.scalars(statement)).one()

    @strawberry.field
    async def nodes(self, info: LoaderInfo) -> list[CustomerNode]:
        async with info.context.sessions() as session:
            page = sa.select(CustomerRow).where(*self.conditions).order_by(*self.order).limit(self.first)
            customers: list[Any] = list(await session.scalars(page))
            return customers


@strawberry.type
class ContenderQuery:
    @strawberry.field
    async def customer(self, info: LoaderInfo, id: strawberry.ID) -> CustomerNode | None:
        async with info.context.sessions() as session:
            row: Any = await session.get(CustomerRow, UUID(id))
        customer: CustomerNode | None = row
        return customer

    @strawberry.field
    def customers(
        self,
        order_by: CustomerOrder = CustomerOrder.NAME,
        first: int = 20,
        country: str | None = None,
        stage: str | None = None,
    ) -> CustomerPage:
        conditions: list[sa.ColumnElement[bool]] = []
        if country is not None:
            conditions.append(CustomerRow.country == country)
        if stage is not None:
            conditions.append(CustomerRow.stage == stage)
        return CustomerPage(conditions=conditions, order=order_by.value, first=first)

    @strawberry.field
    async def orders(self, info: LoaderInfo, first: int = 20) -> list[OrderNode]:
        async with info.context.sessions() as session:
            orders: list[Any] = list(await session.scalars(sa.select(OrderRow).order_by(*NEWEST_ORDERS).limit(first)))
            return orders


@strawberry.input
class InteractionInput:
    customer_id: strawberry.ID
    channel: str
    direction: str
    kind: str
    subject: str
    occurred_at: datetime


@strawberry.type
class RecordInteractionPayload:
    interaction: InteractionNode


@strawberry.type
class RenameCustomerPayload:
    customer: CustomerNode


@strawberry.type
class ContenderMutation:
    @strawberry.mutation
    async def record_interaction(self, info: LoaderInfo, input: InteractionInput) -> RecordInteractionPayload:
        row: Any = InteractionRow(**{**vars(input), "customer_id": UUID(input.customer_id)})
        async with info.context.sessions() as session:
            session.add(row)
            await session.commit()
        return RecordInteractionPayload(interaction=row)

    @strawberry.mutation
    async def rename_customer(self, info: LoaderInfo, id: strawberry.ID, name: str) -> RenameCustomerPayload:
        async with info.context.sessions() as session:
            row: Any = await session.get_one(CustomerRow, UUID(id))
            row.name = name
            await session.commit()
        return RenameCustomerPayload(customer=row)


class StrawberryEndpoint(GraphQL[Loaders, None]):
    """Strawberry's ASGI application with new loaders per request and a fast JSON encoder."""

    sessions: Sessions

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Loaders:
        return Loaders(self.sessions)

    def encode_json(self, data: object) -> bytes:
        return orjson.dumps(data)


def main() -> None:
    """Serve on loopback until stopped; the environment has all options."""
    tuned = bool(os.environ["TUNED"])
    engine = create_async_engine(
        os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://", 1),
        pool_size=int(os.environ["POOL_SIZE"]),
        max_overflow=0,
        connect_args={"server_settings": {"application_name": "strawberry"}},
        **({"isolation_level": "AUTOCOMMIT", "pool_reset_on_return": None} if tuned else {}),
    )
    schema = strawberry.Schema(ContenderQuery, ContenderMutation, extensions=[ParserCache, ValidationCache])
    endpoint = StrawberryEndpoint(schema, graphql_ide=None)
    endpoint.sessions = async_sessionmaker(engine, expire_on_commit=False)
    if tuned:
        gc.collect()
        gc.freeze()
        gc.set_threshold(100_000, 50, 1_000)
    serve(endpoint)


if __name__ == "__main__":
    main()
