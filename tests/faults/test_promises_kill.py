"""Promises of work, straight and through hubs that are killed between two steps: what becomes of them, and what is received.

Two credits, visits and calls with levels, facts under dual control, gifts, logs, authority that ends. `make soak` kills the
hub before every step, `make test` before a tenth of them."""

import pytest
from credit_story import add_lenders, tell_credits
from promise_hub import IsKilled, StepClient, open_story
from random_runs import TENTH
from work_stories import START, add_clerks, tell_decisions, tell_expiry, tell_gifts_and_logs, tell_visits

STORIES = (tell_visits, tell_decisions, tell_credits, tell_gifts_and_logs, tell_expiry)


async def _keep_promises(dsn: str, is_killed: IsKilled) -> tuple[int, int]:
    """Tells all stories, one after the other; returns the number of steps, and of kills."""
    async with open_story(dsn, START, is_killed) as story:
        await add_clerks(story)
        await add_lenders(story.people)
        assert isinstance(story.client, StepClient)
        story.client.steps = 0
        for tell in STORIES:
            await tell(story)
        return story.client.steps, story.client.kills


async def test_promises_hold_and_are_received_once_and_in_order(database_dsn: str) -> None:
    steps, kills = await _keep_promises(database_dsn, lambda step: False)
    assert steps > 0
    assert kills == 0


async def test_promises_hold_through_a_hub_that_is_killed_between_some_steps(database_dsn: str, seed: int) -> None:
    steps, kills = await _keep_promises(database_dsn, lambda step: step % TENTH == seed % TENTH)
    assert kills >= steps // TENTH


@pytest.mark.soak
async def test_promises_hold_through_a_hub_that_is_killed_between_all_steps(database_dsn: str) -> None:
    steps, kills = await _keep_promises(database_dsn, lambda step: True)
    assert kills == steps
