"""A hub that is killed between the steps of a process: nothing of the work is lost, repeated or out of order."""

from credit_process import ENDED, expected_records, go_through_credit


async def test_a_credit_goes_on_where_a_killed_hub_left_it(database_dsn: str) -> None:
    ended, subscribed, delivered = await go_through_credit(database_dsn, kill=True)
    assert ended == ENDED
    assert subscribed == expected_records()
    assert delivered == expected_records()
