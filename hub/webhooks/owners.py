"""With whose rights a webhook is told: those of the key that made it, as they are now. Looked up anew every few seconds."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from hub.db.pool import Connection
from hub.domain.access import api_keys
from hub.errors import HubError
from hub.viewer import Viewer

BELIEVED = timedelta(seconds=3)
LOST = {"revoked": "was revoked", "expired": "has expired"}


class Owners:
    """The viewers behind owners, or why there is none."""

    def __init__(self) -> None:
        self._known: dict[str, Viewer | str] = {}
        self._until: dict[str, datetime] = {}

    async def look(self, connection: Connection, owners: Iterable[str], at: datetime) -> dict[str, Viewer | str]:
        """Each owner's viewer, or the reason why nothing is told to it."""
        wanted = set(owners)
        stale = [each for each in wanted if self._until.get(each, at) <= at]
        if stale:
            found = {each.public_id: each for each in await api_keys.find_all(connection, stale)}
            for each in stale:
                self._known[each] = _judged(each, found.get(each), at)
                self._until[each] = at + BELIEVED
        return {each: self._known[each] for each in wanted}


def _judged(owner: str, found: api_keys.KeyFound | None, at: datetime) -> Viewer | str:
    if found is None:
        return f"The key {owner}, with whose rights it was told, is gone."
    state = found.state(at)
    if state != "living":
        return f"The key {owner}, with whose rights it was told, {LOST[state]}."
    try:
        found.viewer.require("webhooks:write")
    except HubError as error:
        return error.message
    return found.viewer
