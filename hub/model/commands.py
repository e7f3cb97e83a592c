"""The words a schema file declares its mutations with: verbs, and the writes that every row of a kind takes alike.

Declarations are plain data; mutations.py derives inputs and payloads from them, perform.py runs them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeAlias
from uuid import UUID

import sqlalchemy as sa

from hub.db.pool import Connection
from hub.viewer import Viewer

Tx: TypeAlias = Connection
Values = Mapping[str, Any]


class Part(Protocol):
    """Rows that are given along with the row that they are part of."""

    @property
    def kind(self) -> "Writes": ...

    @property
    def by(self) -> str:
        """The column of the part's table that holds its owner's key."""


class Way(Protocol):
    """A way to find the row of an upsert through other rows; `given` is a NamedTuple class of what it is found by."""

    @property
    def given(self) -> type[Any]: ...

    @property
    def description(self) -> str: ...


class Naming(Protocol):
    """Another way to say which row a foreign key column points at; `given` is a NamedTuple class."""

    @property
    def column(self) -> str: ...

    @property
    def given(self) -> type[Any]: ...

    @property
    def description(self) -> str: ...


class Writes(Protocol):
    """How the rows of one table are written; the one implementation is hub/domain/writing.py.

    Values are by column, and only those that were given: what is absent stays, what is null is cleared."""

    @property
    def table(self) -> sa.Table: ...

    @property
    def creates(self) -> Sequence[str]:
        """The columns that a new row may be given; none: no row is created this way."""

    @property
    def updates(self) -> Sequence[str]:
        """The columns that may be changed; none: no row is."""

    @property
    def deletes(self) -> bool:
        """Whether rows may be deleted."""

    @property
    def natural(self) -> Sequence[str]:
        """The columns of which each alone names a row."""

    @property
    def ways(self) -> Mapping[str, Way]: ...

    @property
    def namings(self) -> Mapping[str, Naming]: ...

    @property
    def parts(self) -> Mapping[str, Part]: ...

    @property
    def optional(self) -> Sequence[str]:
        """Columns that the rules fill in where a new row is not given them."""

    async def create(self, tx: Tx, viewer: Viewer, values: Values, at: datetime) -> UUID: ...

    async def update(
        self, tx: Tx, viewer: Viewer, key: UUID, values: Values, version: int | None, at: datetime
    ) -> UUID: ...

    async def upsert(
        self, tx: Tx, viewer: Viewer, by: Values, values: Values, version: int | None, at: datetime
    ) -> tuple[UUID, bool]: ...

    async def delete(self, tx: Tx, viewer: Viewer, key: UUID, version: int | None, at: datetime) -> None: ...


Command = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Verb:
    """A mutation that is a command of the domain: its signature is the input, what it returns the payload.

    `many` names its bulk form, if there is one; `secret` says that what it gives is nowhere to be kept in the clear."""

    name: str
    command: Command
    many: str | None
    secret: bool


def verb(name: str, command: Command, *, many: str | None = None, secret: bool = False) -> Verb:
    """Declares a mutation: `async def command(tx, viewer, *, …, at) -> NamedTuple`."""
    return Verb(name, command, many, secret)
