"""Lanes of statements: quick statements run at once, slow and unproven ones of a flow run one at a time.

How long a statement takes is learnt from its runs. Texts hold no values, so a text stands for all of its runs."""

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic
from typing import TypeVar

from hub.db.fair_queue import Contention, FairQueue, Flow

QUICK_SECONDS = 0.025  # faster statements need no lane
LONG_SECONDS = 0.5  # slower statements need a lane even while a flow is alone
SLOW_FLOW_SECONDS = 60.0  # for as long after a long statement, new statements of its flow count as slow
MAX_KNOWN = 10_000  # statements and flows that are remembered

Key = TypeVar("Key", int, Flow)


class StatementLanes:
    """The lanes of one pool of `size` connections.

    The slow lane has a third of the connections, so that many flows with slow statements leave the others most of them."""

    def __init__(self, size: int) -> None:
        self._slow = FairQueue(max(1, size // 3), share=1)
        self._unproven = FairQueue(max(1, size // 2), share=1)
        self._seconds: OrderedDict[int, float] = OrderedDict()  # by the hash of the text
        self._slow_until: OrderedDict[Flow, float] = OrderedDict()
        self._contention = Contention()

    def lane(self, flow: Flow, text: str) -> FairQueue | None:
        """The lane that a statement must pass, or None; call it before each run."""
        now = monotonic()
        contended = self._contention.note(flow, now)
        seconds = self._seconds.get(hash(text))
        if seconds is None:
            return self._slow if self._slow_until.get(flow, 0.0) > now else self._unproven
        if seconds < QUICK_SECONDS or (seconds < LONG_SECONDS and not contended):
            return None
        return self._slow

    def record(self, flow: Flow, text: str, seconds: float) -> None:
        """Records how long a run took, also one that failed. One quick run does not clear a slow statement."""
        key = hash(text)
        known = self._seconds.get(key)
        if known is not None:
            if seconds < QUICK_SECONDS and known < QUICK_SECONDS:
                return
            seconds = max(seconds, known / 2)
        _remember(self._seconds, key, seconds)
        if seconds >= LONG_SECONDS:
            _remember(self._slow_until, flow, monotonic() + SLOW_FLOW_SECONDS)

    def reject_waiters(self, create_error: Callable[[], Exception]) -> None:
        """Raises a new error in every waiter."""
        self._slow.reject_waiters(create_error)
        self._unproven.reject_waiters(create_error)


def _remember(known: "OrderedDict[Key, float]", key: Key, value: float) -> None:
    known[key] = value
    known.move_to_end(key)
    if len(known) > MAX_KNOWN:
        known.popitem(last=False)
