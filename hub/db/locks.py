"""The numbers of all advisory locks that the product takes by number. No two uses share a number, so neither waits for the other.

A number never changes, because hubs of two versions may share a database. Locks on a hash of a row's key are defined beside
the commands that take them."""

from enum import IntEnum, unique


@unique
class AdvisoryLock(IntEnum):
    """The key of a lock that at most one session of the database holds at a time."""

    MIGRATE = 7_269_401_113  # held while migrations run; nodes that start at the same time take turns
    RETRY = 7_269_401_114  # held by a retried mutation, so that two retries do not block each other again
    LEADER = 7_269_401_115  # held by the sequencer that assigns positions to changes (leader election)
    PARTITIONS = 7_269_401_116  # held while the function hub_make_day creates a partition of the change log
    DEMO_LOAD = 7_269_401_117  # held while sample data is loaded; a second loader waits and finds the work done
    ERASURE = 7_269_401_119  # held while a customer is erased; an export takes its snapshot before or after
    ROLES = 7_269_401_118  # held while roles or their holders change, so that an administrator is always left
