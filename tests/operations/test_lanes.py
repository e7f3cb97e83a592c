"""StatementLanes: a flow that is alone runs what it sends; beside another it runs few at once. The clock is the test's."""

import pytest

from hub.db import lanes
from hub.db.fair_queue import CONTENTION_SECONDS, FairQueue
from hub.db.lanes import LONG_SECONDS, QUICK_SECONDS, SLOW_SECONDS, StatementLanes

POOL_SIZE = 6
ONE, OTHER = "one", "other"
QUICK, MODERATE, SLOW, LONG = "quick", "moderate", "slow", "long"


class SteppedTime:
    """A clock that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SteppedTime:
    clock = SteppedTime()
    monkeypatch.setattr(lanes, "monotonic", clock)
    return clock


@pytest.fixture
def statements() -> StatementLanes:
    """Lanes that know how long three statements of one flow take."""
    known = StatementLanes(POOL_SIZE, background=True)
    seconds_by_text = {QUICK: 0.0, MODERATE: QUICK_SECONDS, SLOW: SLOW_SECONDS, LONG: LONG_SECONDS}
    for text, seconds in seconds_by_text.items():
        known.record(ONE, text, seconds)
    return known


def admitted(lane: FairQueue | None, flow: str) -> int:
    """How many statements of the flow the lane runs at once; 0 for no lane."""
    count = 0
    while lane is not None and lane.try_enter(flow):
        count += 1
    for _ in range(count):
        assert lane is not None
        lane.leave(flow)
    return count


@pytest.mark.usefixtures("clock")
def test_a_flow_that_is_alone_passes_no_lane_with_known_statements(statements: StatementLanes) -> None:
    assert [statements.lane(ONE, text) for text in (QUICK, MODERATE, SLOW, QUICK)] == [None] * 4


@pytest.mark.usefixtures("clock")
def test_beside_another_flow_a_third_of_the_connections_is_for_quick_statements_of_one(
    statements: StatementLanes,
) -> None:
    assert statements.lane(OTHER, QUICK) is None
    assert [admitted(statements.lane(ONE, text), ONE) for text in (QUICK, MODERATE, SLOW)] == [2, 1, 1]
    assert admitted(statements.lane(ONE, QUICK), OTHER) == 2


def test_lanes_of_quick_statements_are_over_a_while_after_the_other_flow(
    statements: StatementLanes, clock: SteppedTime
) -> None:
    statements.lane(OTHER, QUICK)
    clock.now += CONTENTION_SECONDS / 2
    assert statements.lane(ONE, QUICK) is not None
    clock.now += CONTENTION_SECONDS
    assert [statements.lane(ONE, text) for text in (QUICK, SLOW)] == [None] * 2
    statements.lane(OTHER, QUICK)
    assert statements.lane(ONE, QUICK) is not None


@pytest.mark.usefixtures("clock")
def test_only_what_is_much_slower_has_a_low_priority(statements: StatementLanes) -> None:
    statements.lane(OTHER, QUICK)
    queues = {text: statements.lane(ONE, text) for text in (QUICK, MODERATE, SLOW, LONG, "new text of a slow flow")}
    assert {text: queue is not None and queue.background for text, queue in queues.items()} == {
        QUICK: False,
        MODERATE: False,
        SLOW: False,
        LONG: True,
        "new text of a slow flow": True,
    }


@pytest.mark.usefixtures("clock")
async def test_waiters_of_every_lane_are_rejected(statements: StatementLanes) -> None:
    statements.lane(OTHER, QUICK)
    lane = statements.lane(ONE, QUICK)
    assert lane is not None
    while lane.try_enter(ONE):
        pass
    waiting = lane.wait(ONE)
    waiting.send(None)
    statements.reject_waiters(lambda: ConnectionError("away"))
    with pytest.raises(ConnectionError, match="away"):
        waiting.send(None)
