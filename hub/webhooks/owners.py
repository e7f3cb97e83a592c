"""The owners of webhooks: a webhook has the current rights of the API key that created it, cached for a few seconds."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from hub.db.pool import Connection
from hub.domain.access import api_keys
from hub.errors import HubError
from hub.schema.webhooks.webhooks import Webhook
from hub.viewer import Viewer

# With the time until the next scan and that of a connection, a delivery begins at most 5 seconds after the rights end.
CACHE_TTL = timedelta(seconds=1)
KEY_STATE_TEXT = {"revoked": "was revoked", "expired": "has expired", "left": "belongs to a person who has left"}


class OwnerViewers:
    """The viewer of each owner, or the reason why there is none."""

    def __init__(self) -> None:
        self._viewers: dict[str, Viewer | str] = {}
        self._cached_until: dict[str, datetime] = {}

    async def resolve(self, connection: Connection, owners: Iterable[str], now: datetime) -> dict[str, Viewer | str]:
        """Returns each owner's viewer, or the reason why its webhooks are paused."""
        requested = set(owners)
        stale = [owner for owner in requested if self._cached_until.get(owner, now) <= now]
        if stale:
            stored_keys = {
                stored_key.public_id: stored_key for stored_key in await api_keys.find_keys(connection, stale)
            }
            for owner in stale:
                self._viewers[owner] = _viewer_or_reason(owner, stored_keys.get(owner), now)
                self._cached_until[owner] = now + CACHE_TTL
        return {owner: self._viewers[owner] for owner in requested}


def _viewer_or_reason(owner: str, stored_key: api_keys.StoredKey | None, now: datetime) -> Viewer | str:
    if stored_key is None:
        return f"The webhook's API key {owner} no longer exists."
    state = stored_key.state(now)
    if state != "living":
        return f"The webhook's API key {owner} {KEY_STATE_TEXT[state]}."
    try:
        Webhook.require(stored_key.viewer, "update")
    except HubError as error:
        return error.message
    return stored_key.viewer
