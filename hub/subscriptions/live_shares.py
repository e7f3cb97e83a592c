"""Limits the groups that run a statement for every change of a table: of one process, and of one flow in it.

It also says whose turns the statements of a shared group take."""

from collections import Counter

from hub.db.fair_queue import Flow
from hub.errors import LimitExceeded

GroupKey = tuple[str, ...]
REMEDY = "name a customer or ids, or use the document and variables of one that is open."


class LiveShares:
    """The groups with the flows of their subscribers. Of limited groups there are `limit` in all, and `share` per flow."""

    def __init__(self, limit: int, share: int) -> None:
        self._limit = limit
        self._share = share
        self._flows: dict[GroupKey, Counter[Flow]] = {}
        self._groups: Counter[Flow] = Counter()
        self._limited: set[GroupKey] = set()
        self._limited_groups: Counter[Flow] = Counter()

    def join(self, group_key: GroupKey, flow: Flow, *, limited: bool) -> None:
        """Counts a subscriber; raises LIVE_LIMIT if its limited group is one too many, for the process or for the flow."""
        flows = self._flows.get(group_key)
        is_new_for_flow = flows is None or flow not in flows
        if limited and flows is None and len(self._limited) >= self._limit:
            raise _exceeded("The hub", self._limit)
        if limited and is_new_for_flow and self._limited_groups[flow] >= self._share:
            raise _exceeded("This key", self._share)
        if flows is None:
            flows = self._flows[group_key] = Counter()
            if limited:
                self._limited.add(group_key)
        if is_new_for_flow:
            self._groups[flow] += 1
            if limited:
                self._limited_groups[flow] += 1
        flows[flow] += 1

    def leave(self, group_key: GroupKey, flow: Flow) -> None:
        """Counts a subscriber off."""
        flows = self._flows[group_key]
        flows[flow] -= 1
        if flows[flow]:
            return
        del flows[flow]
        _decrement(self._groups, flow)
        if group_key in self._limited:
            _decrement(self._limited_groups, flow)
        if not flows:
            del self._flows[group_key]
            self._limited.discard(group_key)

    def flow(self, group_key: GroupKey) -> Flow:
        """Returns the flow whose turns a group takes: of its subscribers' flows, the one with the fewest groups.

        So a key that floods its own turns cannot delay a group that it shares with others."""
        flows = self._flows.get(group_key)
        if not flows:
            return None
        return next(iter(flows)) if len(flows) == 1 else min(flows, key=self._groups.__getitem__)


def _decrement(counter: Counter[Flow], flow: Flow) -> None:
    counter[flow] -= 1
    if not counter[flow]:
        del counter[flow]


def _exceeded(subject: str, limit: int) -> LimitExceeded:
    message = f"{subject} already runs {limit} different live queries and streams of whole tables; {REMEDY}"
    return LimitExceeded(message, code="LIVE_LIMIT", extensions={"limit": limit})
