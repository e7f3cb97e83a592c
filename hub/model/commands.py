"""The words a schema file declares its mutations with: commands, and the writes that every row of a kind takes alike.

Declarations are plain data; mutation_types.py of the engine derives inputs and payloads from them, its mutations.py runs them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import sqlalchemy as sa

from hub.db.pool import Connection
from hub.model.statements import ColumnValues
from hub.viewer import Viewer


class NestedRows(Protocol):
    """Rows that are given along with the row that they are part of."""

    @property
    def writer(self) -> "EntityWriter": ...

    @property
    def parent_column(self) -> str:
        """The column of the part's table that holds its owner's key."""


class AlternateKey(Protocol):
    """A way to find the row of an upsert through other rows; `input` is a NamedTuple class of what it is found by."""

    @property
    def input(self) -> type[Any]: ...

    @property
    def description(self) -> str: ...


class ReferenceLookup(Protocol):
    """Another way to say which row a foreign key column points at; `input` is a NamedTuple class."""

    @property
    def column(self) -> str: ...

    @property
    def input(self) -> type[Any]: ...

    @property
    def description(self) -> str: ...


class EntityWriter(Protocol):
    """How the rows of one table are written; the one implementation is hub/model/writer.py.

    Values are by column, and only those that were given: what is absent stays, what is null is cleared."""

    @property
    def table(self) -> sa.Table: ...

    @property
    def creatable(self) -> Sequence[str]:
        """The columns that a new row may be given; none: no row is created this way."""

    @property
    def updatable(self) -> Sequence[str]:
        """The columns that may be changed; none: no row is."""

    @property
    def deletable(self) -> bool:
        """Whether rows may be deleted."""

    @property
    def unique_keys(self) -> Sequence[str]:
        """The columns of which each alone names a row."""

    @property
    def alternate_keys(self) -> Mapping[str, AlternateKey]: ...

    @property
    def references(self) -> Mapping[str, ReferenceLookup]: ...

    @property
    def nested(self) -> Mapping[str, NestedRows]: ...

    @property
    def optional_columns(self) -> Sequence[str]:
        """Columns that the rules fill in where a new row is not given them."""

    async def create(self, tx: Connection, viewer: Viewer, values: ColumnValues, now: datetime) -> UUID: ...

    async def update(
        self, tx: Connection, viewer: Viewer, key: UUID, values: ColumnValues, version: int | None, now: datetime
    ) -> UUID: ...

    async def upsert(
        self, tx: Connection, viewer: Viewer, by: ColumnValues, values: ColumnValues, version: int | None, now: datetime
    ) -> tuple[UUID, bool]: ...

    async def delete(self, tx: Connection, viewer: Viewer, key: UUID, version: int | None, now: datetime) -> None: ...


CommandFunction = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Command:
    """A mutation that is a command of the domain: its signature is the input, what it returns the payload.

    `bulk_name` names its bulk form, if there is one; `secret` says that what it gives is nowhere to be kept in the clear."""

    name: str
    function: CommandFunction
    bulk_name: str | None
    secret: bool


def command(name: str, function: CommandFunction, *, bulk_name: str | None = None, secret: bool = False) -> Command:
    """Declares a mutation: `async def command(tx, viewer, *, …, now) -> NamedTuple`."""
    return Command(name, function, bulk_name, secret)
