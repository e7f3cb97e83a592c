"""Limits the groups that run a statement for every change of a table: of one process, and of one flow in it."""

from collections import Counter

from hub.db.fair_queue import Flow
from hub.errors import LimitExceeded

GroupKey = tuple[str, ...]
REMEDY = "name a customer or ids, or use the document and variables of one that is open."


class LiveShares:
    """The unselective groups with the flows of their subscribers: `limit` groups in all, `share` of them per flow."""

    def __init__(self, limit: int, share: int) -> None:
        self._limit = limit
        self._share = share
        self._flows: dict[GroupKey, Counter[Flow]] = {}
        self._groups: Counter[Flow] = Counter()

    def join(self, group_key: GroupKey, flow: Flow) -> None:
        """Counts a subscriber; raises LIVE_LIMIT if its group is one too many, for the process or for the flow."""
        flows = self._flows.get(group_key)
        if flows is None and len(self._flows) >= self._limit:
            raise _exceeded("The hub", self._limit)
        if (flows is None or flow not in flows) and self._groups[flow] >= self._share:
            raise _exceeded("This key", self._share)
        if flows is None:
            flows = self._flows[group_key] = Counter()
        if flow not in flows:
            self._groups[flow] += 1
        flows[flow] += 1

    def leave(self, group_key: GroupKey, flow: Flow) -> None:
        """Counts a subscriber off; does nothing for a group that is selective."""
        flows = self._flows.get(group_key)
        if flows is None or flow not in flows:
            return
        flows[flow] -= 1
        if not flows[flow]:
            del flows[flow]
            self._groups[flow] -= 1
            if not self._groups[flow]:
                del self._groups[flow]
        if not flows:
            del self._flows[group_key]


def _exceeded(subject: str, limit: int) -> LimitExceeded:
    message = f"{subject} already runs {limit} different live queries and streams of whole tables; {REMEDY}"
    return LimitExceeded(message, code="LIVE_LIMIT", extensions={"limit": limit})
