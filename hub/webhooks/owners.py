"""With whose rights a webhook is told: those of the key that made it, as they are now. Looked up anew every few seconds."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from hub.db.pool import Connection
from hub.domain.access import api_keys
from hub.errors import HubError
from hub.schema.webhooks.webhooks import Webhook
from hub.viewer import Viewer

CACHE_TTL = timedelta(seconds=3)
KEY_STATE_TEXT = {"revoked": "was revoked", "expired": "has expired"}


class OwnerViewers:
    """The viewers behind owners, or why there is none."""

    def __init__(self) -> None:
        self._viewers: dict[str, Viewer | str] = {}
        self._cached_until: dict[str, datetime] = {}

    async def resolve(self, connection: Connection, owners: Iterable[str], now: datetime) -> dict[str, Viewer | str]:
        """Each owner's viewer, or the reason why nothing is told to it."""
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
        return f"The key {owner}, with whose rights it was told, is gone."
    state = stored_key.state(now)
    if state != "living":
        return f"The key {owner}, with whose rights it was told, {KEY_STATE_TEXT[state]}."
    try:
        Webhook.require(stored_key.viewer, "update")
    except HubError as error:
        return error.message
    return stored_key.viewer
