"""The rules of retries: the schedule, the window of concurrent requests, the circuit breaker."""

from datetime import UTC, datetime, timedelta

import pytest

from hub.webhooks import retry_schedule
from hub.webhooks.backpressure import MIN_FAILURES, OPEN_DURATION, CircuitBreaker, ConcurrencyWindow

START = datetime(2026, 1, 1, tzinfo=UTC)


def test_the_schedule_is_that_of_standard_webhooks() -> None:
    dues = [retry_schedule.next_attempt(number, START, 0.5) for number in range(1, 11)]
    waits = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]
    assert dues == [*(START + timedelta(seconds=seconds) for seconds in waits), None]


@pytest.mark.parametrize(("drawn", "factor"), [(0.0, 0.8), (1.0, 1.2)])
def test_a_wait_is_drawn_from_a_fifth_less_to_a_fifth_more(drawn: float, factor: float) -> None:
    assert retry_schedule.next_attempt(2, START, drawn) == START + timedelta(seconds=300) * factor


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        ("1", 5),
        ("86400", 3_600),
        ("Thu, 01 Jan 2026 00:10:00 GMT", 600),
        ("Thu, 01 Jan 2025 00:10:00 GMT", 5),
        ("soon", 5),
        ("Thu, 01 Jan 3000000000 00:00:00 GMT", 5),
        ("-7", 5),
    ],
)
def test_retry_after_puts_an_attempt_off_for_an_hour_at_most(header: str, seconds: int) -> None:
    assert retry_schedule.next_attempt(1, START, 0.5, header) == START + timedelta(seconds=seconds)


def test_a_window_grows_with_what_is_taken_and_shrinks_with_what_is_not() -> None:
    window = ConcurrencyWindow()
    capacities = [window.available]
    for taken in (True, True, False, False, False, False, False, True):
        window.record(delivered=taken)
        capacities.append(window.available)
    assert capacities == [8, 9, 10, 5, 2, 1, 1, 1, 2]


def test_an_open_breaker_allows_one_trial_after_its_rest() -> None:
    breaker = CircuitBreaker()
    for _ in range(MIN_FAILURES):
        assert not breaker.is_open(START)
        breaker.record(START, success=False)
    assert (
        breaker.is_open(START),
        breaker.is_open(START + OPEN_DURATION),
        breaker.is_closed(START + OPEN_DURATION),
    ) == (True, False, False)
    breaker.record(START + OPEN_DURATION, success=False)
    assert breaker.is_open(START + OPEN_DURATION)
    breaker.record(START + 2 * OPEN_DURATION, success=True)
    assert breaker.is_closed(START + 2 * OPEN_DURATION)


def test_a_breaker_forgets_failures_that_are_long_past() -> None:
    breaker = CircuitBreaker()
    for minute in range(0, 3 * MIN_FAILURES, 1):
        breaker.record(START + timedelta(minutes=minute), success=False)
    assert breaker.is_closed(START)
