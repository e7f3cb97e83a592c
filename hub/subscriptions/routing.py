"""Which groups a change concerns: looked up by its row, its customer and its table, never by asking all of them."""

from collections import defaultdict
from collections.abc import Hashable, Iterator
from typing import Protocol

from hub.changefeed.feed import Head
from hub.engine.execution.subscriptions import Watch


class Group(Protocol):
    """Subscribers who are told the same."""

    watch: Watch

    def hear(self, head: Head) -> None:
        """A change that may concern them."""

    def run(self) -> None:
        """Everything that was new is heard: tell it."""

    def forked(self, end: int) -> None:
        """The changes behind this position are lost, and their positions will be given again."""

    def forgotten(self) -> None:
        """What would be heard next is no longer kept."""

    def quiet(self, head: int) -> None:
        """Gives a sign of life to who has not heard for long; `head` is the last position that was looked at."""


# What a group is found by: a row, a customer, a table, or a table whose rows have no customer.
Place = tuple[str, Hashable]


def _places(watch: Watch) -> Iterator[Place]:
    reach, customer = watch.reach, watch.customer
    if watch.keys is not None:
        yield from (("row", key) for key in watch.keys)
        return
    for table in reach.anywhere | reach.of_customer:
        anybody = customer is None or (watch.live and not watch.bound and table in reach.anywhere)
        yield ("table" if anybody else "unowned", table)
    if customer is not None:
        yield "customer", customer


class Routes:
    """The groups of one process, by where they are found."""

    def __init__(self) -> None:
        self._found: defaultdict[Place, set[Group]] = defaultdict(set)

    def add(self, group: Group) -> None:
        """From now on it is found."""
        for place in _places(group.watch):
            self._found[place].add(group)

    def remove(self, group: Group) -> None:
        """And no longer."""
        for place in _places(group.watch):
            self._found[place].discard(group)
            if not self._found[place]:
                del self._found[place]

    def concerned(self, head: Head) -> set[Group]:
        """The groups that a change may concern."""
        found = {*self._at("row", head.row), *self._at("table", head.table)}
        if head.customer is None:
            found |= self._at("unowned", head.table)
        for customer in {head.customer, head.former} - {None}:
            found.update(group for group in self._at("customer", customer) if _reads(group.watch, head.table))
        return found

    def _at(self, kind: str, key: Hashable) -> set[Group]:
        return self._found.get((kind, key), set())


def _reads(watch: Watch, table: str) -> bool:
    return table in watch.reach.anywhere or table in watch.reach.of_customer
