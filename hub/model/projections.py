"""Projections: derived rows, kept current from the change feed. `@projection("match_keys", Customer, Identifier)` declares one.

A projection is a cursor in the feed that moves in the transaction of what the projection writes: each change is applied
exactly once, whichever process dies where. hub/projections/runner.py runs them."""

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias, TypeVar
from uuid import UUID

import sqlalchemy as sa

from hub.db.pool import Connection
from hub.model.columns import metadata, timestamp
from hub.model.declarations import InvalidDeclaration


class ChangedRow(NamedTuple):
    """A committed change, without the row's images: the row itself is read as it is now."""

    table: str
    row_id: UUID
    operation: str  # CREATE, UPDATE or DELETE
    customer_id: UUID | None  # the row's customer: after the change, of a deleted row before it
    former_customer_id: UUID | None  # the customer before, if the change gave the row to another one
    changed: Sequence[str]  # names of the columns that changed


ApplyChanges: TypeAlias = Callable[[Connection, Sequence[ChangedRow]], Awaitable[None]]
RebuildBatch: TypeAlias = Callable[[Connection, UUID | None], Awaitable[UUID | None]]
A = TypeVar("A", bound=ApplyChanges)
NAME = re.compile(r"[a-z]+(_[a-z]+)*")

ProjectionState = sa.Table(
    "projections",
    metadata,
    sa.Column("name", sa.Text, primary_key=True, comment="Name of the projection."),
    sa.Column("edition", sa.Integer, nullable=False, comment="Edition of the rows: another one is built anew."),
    sa.Column("position", sa.BigInteger, nullable=False, comment="Changes up to it are applied."),
    sa.Column(
        "rebuilding", sa.Boolean, nullable=False, server_default=sa.false(), comment="Whether it is built from nothing."
    ),
    sa.Column("rebuilt_to", sa.Uuid, comment="The key up to which it is built; empty before the first."),
    sa.Column("advanced_at", timestamp(), nullable=False, comment="Real time at which the position moved."),
    sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0"), comment="Failures since then."),
    sa.Column("error", sa.Text, comment="Why the last attempt failed."),
    comment="How far each projection has come in the change feed.",
)


@dataclass(frozen=True, slots=True)
class Projection:
    """Rows derived from those of `tables`, and what keeps them current.

    `apply` recomputes what the changes concern, from the rows as they are in its transaction. It may get a change again
    after a rebuild, so its result depends on the rows alone. It never writes the tables that it follows."""

    name: str
    tables: frozenset[str]
    apply: ApplyChanges
    rebuild: RebuildBatch | None
    edition: int
    batch: int  # changes that one transaction applies at most
    columns: frozenset[str]  # an UPDATE of other columns does not concern it; empty for any

    def concerns(self, change: ChangedRow) -> bool:
        """Whether the change may alter the derived rows."""
        if change.table not in self.tables:
            return False
        return change.operation != "UPDATE" or not self.columns or not self.columns.isdisjoint(change.changed)


_registered: dict[str, Projection] = {}


def projection(
    name: str,
    *entities: Any,
    rebuild: RebuildBatch | None = None,
    edition: int = 1,
    batch: int = 500,
    columns: Sequence[str] = (),
) -> Callable[[A], A]:
    """Registers `async def apply(tx, changes)`, which brings the rows derived from those of `entities` up to date.

    `rebuild(tx, after)` derives the rows of the next source keys behind `after`, and returns the last of these, or None at
    the end; `after` is None at first. It runs where there is no projection yet, where `edition` differs from the stored one,
    and where changes were dropped from the log before they were applied. Changes since its begin are applied after it.
    Without `rebuild` a projection begins with the changes from now on."""

    def register(apply: A) -> A:
        tables = frozenset(entity.table.name for entity in entities)
        _registered[name] = Projection(name, tables, apply, rebuild, edition, batch, frozenset(columns))
        return apply

    return register


def registered_projections() -> tuple[Projection, ...]:
    """The projections of every module that has been imported; raises InvalidDeclaration naming all that cannot work."""
    faults = [fault for declared in _registered.values() for fault in _faults(declared)]
    if faults:
        raise InvalidDeclaration("\n".join(["These projections cannot work:", *(f"- {fault}" for fault in faults)]))
    return tuple(_registered.values())


def _faults(declared: Projection) -> Iterator[str]:
    if not NAME.fullmatch(declared.name):
        yield f"{declared.name}: the name is not written in small words joined by _"
    if not declared.tables:
        yield f"{declared.name}: it follows no entity"
    if declared.edition < 1 or declared.batch < 1:
        yield f"{declared.name}: edition and batch begin with 1"
    for name in sorted(declared.columns):
        if not any(name in metadata.tables[table].c for table in declared.tables):
            yield f"{declared.name}: no entity that it follows has the column {name}"
