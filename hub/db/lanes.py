"""Lanes of statements: those of a flow that is alone run at once unless they are slow; else few of each flow run at a time.

How long a statement takes is learnt from its runs. Texts hold no values, so a text stands for all of its runs; but one flow may
send values that are slow for it, so slow runs count for their flow only."""

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

from hub.db.fair_queue import Contention, FairQueue, Flow

QUICK_SECONDS = 0.005  # faster statements need no lane
SLOW_SECONDS = 0.025  # slower statements need the slow lane, others the moderate one, while several flows are at work
BACKGROUND_SECONDS = 0.1  # slower ones have a lane of their own, in which quick ones that were once late do not end up
LONG_SECONDS = 0.5  # slower statements need a lane even while a flow is alone
SLOW_FLOW_SECONDS = 60.0  # for as long after a long statement, new statements of its flow count as slow
DECAY = 0.8  # per quick run: one of them does not clear a slow statement
MAX_KNOWN = 20_000  # entries of each table below


def background_connections(size: int) -> int:
    """How many of a pool's connections may have a low priority."""
    return max(1, size // 3)


class StatementLanes:
    """The lanes of one pool of `size` connections.

    The slow lane has a third of the connections, so that many flows with slow statements leave the others most of them.
    The moderate lane has a sixth of them for each flow, and no bound for all: with a pool for two cores, moderate statements
    of one flow then occupy one core. The quick lane has a third for each flow, also without a bound for all: so many
    requests of one flow share the event loop with those of others, however many connections it sends them on.

    Much slower statements have a lane like the slow one; `background` says that their connections have a low priority.
    While several flows are at work, none but quick statements have parallel workers: one statement takes one core."""

    def __init__(self, size: int, *, background: bool = False) -> None:
        self._background = FairQueue(background_connections(size), share=1, background=background)
        self._slow = FairQueue(max(1, size // 3), share=1)
        self._moderate = FairQueue(size, share=max(1, size // 6))
        self._quick_lane = FairQueue(size, share=max(1, size // 3))
        self._unproven = FairQueue(max(1, size // 2), share=1)
        self._contention = Contention()
        self._quick: OrderedDict[int, float] = OrderedDict()  # texts that were quick at least once
        self._seconds: OrderedDict[int, float] = OrderedDict()  # of slow texts, by flow and text
        self._slow_until: OrderedDict[int, float] = OrderedDict()  # by flow

    @property
    def has_slow_texts(self) -> bool:
        """Whether any text is known as slow."""
        return bool(self._seconds)

    def lane(self, flow: Flow, text: str) -> FairQueue | None:
        """The lane that a statement must pass, or None; call it before each run."""
        text_hash = hash(text)
        seconds = self._seconds.get(hash((flow, text_hash))) if self._seconds else None
        contention = self._contention
        if seconds is None and text_hash in self._quick and flow == contention.last_flow and not contention.until:
            return None
        now = monotonic()
        contended = contention.note(flow, now)
        if seconds is not None:
            if not contended:
                return self._background if seconds >= LONG_SECONDS else None
            if seconds >= BACKGROUND_SECONDS:
                return self._background
            return self._slow if seconds >= SLOW_SECONDS else self._moderate
        if text_hash in self._quick:
            return self._quick_lane if contended else None
        return self._background if self._slow_until.get(hash(flow), 0.0) > now else self._unproven

    def may_have_workers(self, lane: FairQueue | None) -> bool | None:
        """Whether a statement in this lane may have parallel workers: while its flow is alone. None for quick statements."""
        return None if lane is self._quick_lane else not self._contention.until

    def record(self, flow: Flow, text: str, seconds: float) -> None:
        """Records how long a run took, also one that failed. A quick run without a lane tells nothing while no text is slow."""
        text_hash = hash(text)
        own = hash((flow, text_hash))
        known = self._seconds.get(own)
        if seconds >= QUICK_SECONDS:
            _remember(self._seconds, own, max(seconds, (known or 0.0) * DECAY))
            if seconds >= LONG_SECONDS:
                _remember(self._slow_until, hash(flow), monotonic() + SLOW_FLOW_SECONDS)
        elif known is None:
            if text_hash not in self._quick:
                _remember(self._quick, text_hash, seconds)
        elif known * DECAY >= QUICK_SECONDS:
            self._seconds[own] = known * DECAY
        else:
            del self._seconds[own]

    def reject_waiters(self, create_error: Callable[[], Exception]) -> None:
        """Raises a new error in every waiter."""
        self._background.reject_waiters(create_error)
        self._slow.reject_waiters(create_error)
        self._moderate.reject_waiters(create_error)
        self._quick_lane.reject_waiters(create_error)
        self._unproven.reject_waiters(create_error)


def _remember(table: OrderedDict[int, float], key: int, value: float) -> None:
    table[key] = value
    table.move_to_end(key)
    if len(table) > MAX_KNOWN:
        table.popitem(last=False)
