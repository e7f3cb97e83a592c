"""A credit of nine steps in China's calendar: when it ends, what it reports, and what a return takes."""

from collections.abc import AsyncIterator

import pytest
from conftest import CreateDatabase
from credit_process import ENDED, CreditRun, expected_records, go_through_credit
from work_people import START, WorkPeople, local_time, work_people
from writer_client import open_hub_client

from hub.settings import Settings


@pytest.fixture
async def people(create_database: CreateDatabase, empty_dsn: str) -> AsyncIterator[WorkPeople]:
    """A hub of the test's own, since it moves the time on."""
    settings = Settings(clock="test", clock_start=START)
    async with open_hub_client(await create_database("migrated"), settings) as client, work_people(client) as people:
        yield people


async def test_a_credit_that_is_decided_when_due_ends_when_it_should(database_dsn: str) -> None:
    ended, subscribed, delivered = await go_through_credit(database_dsn, kill=False)
    assert ended == ENDED
    assert subscribed == expected_records()
    assert delivered == expected_records()


async def test_a_return_gives_the_step_its_whole_goal_again(people: WorkPeople) -> None:
    async def between() -> None:
        """Nothing happens between the steps."""

    credit = CreditRun(people, between)
    await credit.prepare()
    item = (await people.open("ana", "credit"))["id"]
    for due, name in (("03-03 18:00", "ana"), ("03-05 18:00", "ana"), ("03-06 18:00", "rev")):
        await people.advance(due)
        await people.decide(name, item)
    await people.advance("03-10 10:00")
    await people.decide("risk", item, "RETURN", note="The collateral is missing.")
    (report,) = await people.open_steps(item)
    assert (report["step"]["code"], report["round"], local_time(report["dueAt"])) == ("report", 2, "03-12 10:00")
