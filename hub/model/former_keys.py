"""Former keys of rows that stored filters name, with the keys that they lead to, as this process knows them.

Filters of requests ask the database (hub/engine/execution/redirects.py). Stored ones are bound at every statement, so they ask
here. Hubs of one process share it: keys are unique."""

from collections.abc import Mapping
from typing import ClassVar
from uuid import UUID


class FormerKeys:
    """The redirects of all hubs of this process."""

    _current: ClassVar[dict[UUID, UUID]] = {}

    @classmethod
    def current(cls, key: UUID) -> UUID:
        """The key that a former key leads to; any other key itself."""
        return cls._current.get(key, key)

    @classmethod
    def replace(cls, before: Mapping[UUID, UUID], after: Mapping[UUID, UUID]) -> None:
        """Puts the redirects of one hub in place of those that it had."""
        for former in before.keys() - after.keys():
            cls._current.pop(former, None)
        cls._current.update(after)
