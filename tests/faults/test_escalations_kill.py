"""A hub that is dead when levels of escalation come: they are reached once, in the order of their moments."""

from escalation_run import ENDED_VISIT, expected_levels, go_through_levels


async def test_levels_come_while_the_hub_is_dead(database_dsn: str) -> None:
    visit, subscribed, delivered = await go_through_levels(database_dsn, kill=True)
    assert visit == ENDED_VISIT
    assert subscribed == expected_levels()
    assert delivered == expected_levels()
