"""How often a key that sees a part learns that a value is taken, which a row that it does not see may be the reason for.

Values that are unique among all rows, such as order numbers, answer so. Each process counts by itself."""

from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from hub.errors import LimitExceeded
from hub.viewer import Viewer

MAX_COLLISIONS = 30  # of a key, or of the person who holds it, within the window
WINDOW = timedelta(hours=1)
MAX_VIEWERS = 10_000  # that are remembered; the one that is not seen for longest is forgotten first


class CollisionLimit:
    """The refusals of each viewer within the window."""

    def __init__(self) -> None:
        self._refusals: OrderedDict[UUID, deque[datetime]] = OrderedDict()

    @contextmanager
    def counting(self, viewer: Viewer, constraints: frozenset[str], now: datetime) -> Iterator[None]:
        """Counts a violation of one of the constraints inside the block; raises LimitExceeded before it after too many.

        A viewer that sees everything is not limited. The keys of one person or customer count together."""
        owner = viewer.staff_id or viewer.customer_id or viewer.key_id
        if not constraints or viewer.sees_all_rows or owner is None:
            yield
            return
        self._require_room(owner, now)
        try:
            yield
        except asyncpg.UniqueViolationError as error:
            if error.constraint_name in constraints:
                self._record(owner, now)
            raise

    def _require_room(self, owner: UUID, now: datetime) -> None:
        refusals = self._refusals.get(owner)
        if refusals is None:
            return
        while refusals and refusals[0] <= now - WINDOW:
            refusals.popleft()
        if len(refusals) >= MAX_COLLISIONS:
            seconds = max(1, round((refusals[0] + WINDOW - now).total_seconds()))
            message = f"This key gave {MAX_COLLISIONS} values within an hour that other rows have; write again in {seconds} s."
            raise LimitExceeded(message, code="COLLISION_LIMIT", extensions={"retryAfter": seconds})

    def _record(self, owner: UUID, now: datetime) -> None:
        self._refusals.setdefault(owner, deque()).append(now)
        self._refusals.move_to_end(owner)
        if len(self._refusals) > MAX_VIEWERS:
            self._refusals.popitem(last=False)


LIMIT = CollisionLimit()
