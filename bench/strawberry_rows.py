"""The tables and the DataLoaders of bench/strawberry_app.py, on SQLAlchemy's ORM.

One batched statement per relation and level, with the limit inside a lateral join, so that Postgres uses the indexes.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Mapped, aliased, mapped_column
from strawberry.dataloader import DataLoader

Sessions = async_sessionmaker[AsyncSession]
Timestamp = sa.DateTime(timezone=True)
UUIDS = sa.ARRAY(sa.Uuid)


class OrmBase(DeclarativeBase):
    """The base of the ORM's classes, which have the columns of the graph."""


class PrimaryKeyMixin:
    """The primary key of every table."""

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=sa.FetchedValue())


class CustomerRow(PrimaryKeyMixin, OrmBase):
    __tablename__ = "customers"
    kind: Mapped[str]
    name: Mapped[str]
    status: Mapped[str]
    stage: Mapped[str]
    tier: Mapped[str]
    country: Mapped[str | None]
    language: Mapped[str | None]
    currency: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(Timestamp)


class ContactRow(PrimaryKeyMixin, OrmBase):
    __tablename__ = "contacts"
    customer_id: Mapped[UUID]
    name: Mapped[str]


class ProductRow(PrimaryKeyMixin, OrmBase):
    __tablename__ = "products"
    name: Mapped[str]


class OrderRow(PrimaryKeyMixin, OrmBase):
    __tablename__ = "orders"
    customer_id: Mapped[UUID]
    number: Mapped[str]
    placed_at: Mapped[datetime] = mapped_column(Timestamp)
    total: Mapped[Decimal]


class ItemRow(PrimaryKeyMixin, OrmBase):
    __tablename__ = "order_items"
    order_id: Mapped[UUID]
    product_id: Mapped[UUID]
    quantity: Mapped[int]
    unit_price: Mapped[Decimal]
    line: Mapped[int]


class InteractionRow(PrimaryKeyMixin, OrmBase):
    __tablename__ = "interactions"
    customer_id: Mapped[UUID]
    channel: Mapped[str]
    direction: Mapped[str]
    kind: Mapped[str]
    subject: Mapped[str | None]
    occurred_at: Mapped[datetime] = mapped_column(Timestamp)


class ScoreRow(PrimaryKeyMixin, OrmBase):
    __tablename__ = "scores"
    customer_id: Mapped[UUID]
    model: Mapped[str]
    value: Mapped[Decimal]
    band: Mapped[str | None]
    computed_at: Mapped[datetime] = mapped_column(Timestamp)
    current: Mapped[bool]


RowLoader = DataLoader[UUID, Any]


class Loaders:
    """The loaders of one request, created on first use; every batch uses a session of its own."""

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions
        self._loaders: dict[tuple[object, ...], RowLoader] = {}

    def one(self, row: type[PrimaryKeyMixin]) -> RowLoader:
        """Rows by their primary key."""
        return self._loader((row,), lambda keys: self._one(row, keys))

    def many(
        self, by: InstrumentedAttribute[UUID], order: tuple[Any, ...], first: int, current: bool | None = None
    ) -> RowLoader:
        """The first rows of every parent."""
        return self._loader((by, first, current), lambda keys: self._many(by, order, first, current, keys))

    def _loader(self, name: tuple[object, ...], load: Callable[[list[UUID]], Awaitable[list[Any]]]) -> RowLoader:
        if name not in self._loaders:
            self._loaders[name] = DataLoader(load)
        return self._loaders[name]

    async def _one(self, row: type[PrimaryKeyMixin], keys: list[UUID]) -> list[Any]:
        async with self.sessions() as session:
            records = await session.scalars(sa.select(row).where(row.id == sa.func.any(sa.literal(keys, UUIDS))))
            by_key = {record.id: record for record in records}
        return [by_key.get(key) for key in keys]

    async def _many(
        self,
        by: InstrumentedAttribute[UUID],
        order: tuple[Any, ...],
        first: int,
        current: bool | None,
        keys: list[UUID],
    ) -> list[Any]:
        row = by.class_
        parents = (
            sa.func.unnest(sa.literal(keys, UUIDS)).table_valued(sa.column("id", sa.Uuid)).render_derived("parents")
        )
        children = sa.select(row).where(by == parents.c.id)
        if current is not None:
            children = children.where(row.current.is_(current))
        newest = aliased(row, children.order_by(*order).limit(first).lateral("newest"))
        # A lateral join is a nested loop: the rows of one parent come in the order of the inner query.
        statement = sa.select(newest).select_from(parents).join(newest, sa.true())
        grouped: dict[UUID, list[Any]] = {key: [] for key in keys}
        async with self.sessions() as session:
            for record in await session.scalars(statement):
                grouped[getattr(record, by.key)].append(record)
        return [grouped[key] for key in keys]


NEWEST_ORDERS = (OrderRow.placed_at.desc(), OrderRow.id.desc())
NEWEST_INTERACTIONS = (InteractionRow.occurred_at.desc(), InteractionRow.id.desc())
NEWEST_SCORES = (ScoreRow.computed_at.desc(), ScoreRow.id.desc())
BY_NAME = (ContactRow.name, ContactRow.id)
BY_LINE = (ItemRow.line, ItemRow.id)
