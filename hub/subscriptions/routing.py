"""Routes a change to subscriber groups by its row, customer and table, without testing every group."""

from collections import defaultdict
from collections.abc import Hashable, Iterator
from typing import Protocol

from hub.changefeed.feed import ChangeHeader
from hub.engine.execution.subscriptions import SubscriptionSource


class SubscriberGroup(Protocol):
    """Subscribers that receive the same messages."""

    source: SubscriptionSource

    def enqueue(self, header: ChangeHeader) -> None:
        """Adds a change that may match the group."""

    def flush(self) -> None:
        """Starts sending the changes that were added."""

    def on_fork(self, last_valid_position: int) -> None:
        """Handles a fork: the changes after this position are lost, and their positions will be assigned again."""

    def on_redirect(self) -> None:
        """Handles that the source names another row now, which has taken the place of a former one."""

    def on_retention_gap(self) -> None:
        """Handles the loss of the next changes: they are no longer stored."""

    def keep_alive(self, last_position: int) -> None:
        """Sends progress to idle subscribers. `last_position` is the last position that was dispatched."""


# A dimension and its value: a row, a customer, a table, or a table's rows without a customer.
IndexKey = tuple[str, Hashable]


def _index_keys(source: SubscriptionSource) -> Iterator[IndexKey]:
    dependencies, customer = source.dependencies, source.customer_id
    if source.row_ids is not None:
        yield from (("row", key) for key in source.row_ids)
        return
    for table in dependencies.tables:
        any_customer = (
            customer is None
            or (source.is_live and not source.bound and table in dependencies.any_row)
            or table in dependencies.visibility
        )
        yield ("table" if any_customer else "unowned", table)
    if customer is not None:
        yield "customer", customer


class SubscriptionIndex:
    """The groups of one process, indexed by row, customer and table."""

    def __init__(self) -> None:
        self._groups: defaultdict[IndexKey, set[SubscriberGroup]] = defaultdict(set)

    def add(self, group: SubscriberGroup) -> None:
        """Adds a group to the index."""
        for index_key in _index_keys(group.source):
            self._groups[index_key].add(group)

    def remove(self, group: SubscriberGroup) -> None:
        """Removes a group from the index."""
        for index_key in _index_keys(group.source):
            self._groups[index_key].discard(group)
            if not self._groups[index_key]:
                del self._groups[index_key]

    def matching_groups(self, header: ChangeHeader) -> set[SubscriberGroup]:
        """Returns the groups that a change may match."""
        groups = {*self._lookup("row", header.row_id), *self._lookup("table", header.table)}
        if header.customer_id is None:
            groups |= self._lookup("unowned", header.table)
        for customer in {header.customer_id, header.former_customer_id} - {None}:
            groups.update(
                group for group in self._lookup("customer", customer) if _reads_table(group.source, header.table)
            )
        return groups

    def _lookup(self, dimension: str, key: Hashable) -> set[SubscriberGroup]:
        return self._groups.get((dimension, key), set())


def _reads_table(source: SubscriptionSource, table: str) -> bool:
    return table in source.dependencies.tables
