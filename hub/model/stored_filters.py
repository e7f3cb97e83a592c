"""Stored filters: columns that hold a filter of an entity's rows. They are planned when they are written and at every start.

The planner is the engine's (hub/engine/roles/stored_filters.py). A filter that cannot be planned any more matches nothing."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Protocol
from uuid import UUID

import sqlalchemy as sa

from hub.db.pool import Connection
from hub.errors import BadInput


class FilterPlanner(Protocol):
    """Plans filters; StoredFilterPlanner in hub/engine/roles/stored_filters.py implements it."""

    def check(self, entity: str, value: Any, argument: str) -> None:
        """Raises BadInput, with the path in the filter, for one that the entity's rows cannot be filtered by."""

    async def matches(self, tx: Connection, entity: str, value: Any, key: UUID) -> bool:
        """Whether the row of this key matches a filter; it does not match one that cannot be planned."""

    async def matching(self, tx: Connection, entity: str, value: Any, keys: Sequence[UUID]) -> Sequence[UUID]:
        """Those of the rows of these keys that match a filter, in their order."""

    def condition(
        self, entity: str, value: Any, row: sa.FromClause, prefix: str
    ) -> tuple[sa.ColumnElement[bool], dict[str, Callable[[], Any]]]:
        """The condition that a row matches a filter, and what fills its parameters; raises BadInput for a broken one."""


class StoredFilters:
    """The planner of this process; None in a process that answers no requests, where nothing is checked."""

    planner: ClassVar[FilterPlanner | None] = None


def check(entity: str, value: Any, argument: str) -> None:
    """Raises BadInput for a filter that cannot be planned; its argument is `argument` and the path in the filter."""
    if StoredFilters.planner is not None:
        StoredFilters.planner.check(entity, value, argument)


def fault(entity: str, value: Any) -> str | None:
    """Why a stored filter cannot be planned any more; None for a sound one."""
    try:
        check(entity, value, "filter")
    except BadInput as error:
        return error.message
    return None


async def matches(tx: Connection, entity: str, value: Any, key: UUID) -> bool:
    """Whether the row of an entity matches a stored filter, whoever asks; no row matches one that cannot be planned."""
    planner = StoredFilters.planner
    assert planner is not None, "a process that runs commands plans filters"
    return await planner.matches(tx, entity, value, key)


async def matching(tx: Connection, entity: str, value: Any, keys: Sequence[UUID]) -> Sequence[UUID]:
    """Those of the rows of these keys that match a stored filter, in their order."""
    planner = StoredFilters.planner
    assert planner is not None, "a process that runs commands plans filters"
    return await planner.matching(tx, entity, value, keys)


def condition(
    entity: str, value: Any, row: sa.FromClause, prefix: str
) -> tuple[sa.ColumnElement[bool], dict[str, Callable[[], Any]]]:
    """The condition that a row of an entity matches a stored filter, for a larger statement; and what fills its parameters.

    `prefix` begins their names. Raises BadInput for a filter that cannot be planned any more."""
    planner = StoredFilters.planner
    assert planner is not None, "a process that computes scores plans filters"
    return planner.condition(entity, value, row, prefix)
