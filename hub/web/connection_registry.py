"""The registry of long-lived connections by API key: limits their number and rechecks their keys.

It notifies connections when a key is rejected, its rights change, or the hub stops. It is independent of the transport."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from hub.errors import Forbidden, HubError, LimitExceeded, Unavailable
from hub.observability import InternalFailure, MessagesSent, emit
from hub.settings import Settings
from hub.time_source import REAL_TIME, TimeSource
from hub.viewer import Viewer
from hub.web.auth import Client, Credentials, KeyCredential, require_network

KEYS_PER_LOOKUP = 500
MESSAGE_COUNT_INTERVAL = 1.0  # seconds between two MessagesSent events


class RegisteredConnection(Client, Protocol):
    """A WebSocket session or an event stream."""

    def on_key_rejected(self, error: HubError) -> None:
        """Called when the key was revoked or has expired."""

    def on_rights_changed(self, credential: KeyCredential) -> None:
        """Called when the key's viewer has changed."""

    def on_shutdown(self) -> None:
        """Called when the hub stops."""


@dataclass(slots=True)
class KeyConnections:
    """All connections of one key."""

    credential: KeyCredential
    viewer: Viewer  # shared by all connections with the key's current rights, so that a comparison is one `is`
    connections: dict[RegisteredConnection, Viewer] = field(default_factory=dict)  # in order of registration
    expiry_timer: asyncio.TimerHandle | None = None


class ConnectionRegistry:
    """All connections of this process."""

    def __init__(self, key_cache: Credentials, settings: Settings, time_source: TimeSource = REAL_TIME) -> None:
        self._time_source = time_source
        self._key_cache = key_cache
        self._settings = settings
        self._by_key: dict[bytes, KeyConnections] = {}
        self._unauthenticated: set[RegisteredConnection] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._recheck_task: asyncio.Task[None] | None = None
        self._rechecked_at = 0.0
        self.stopping = False
        self.open_sockets = 0  # counted by the WebSocket connections
        self.messages_sent = 0  # since the last MessagesSent event

    def admit_unauthenticated(self, connection: RegisteredConnection) -> None:
        """Registers an unauthenticated socket; raises Unavailable if a limit is reached or the hub stops."""
        if self.stopping:
            raise Unavailable("The hub is stopping; connect again.")
        if (
            len(self._unauthenticated) >= self._settings.socket_init_total
            or self.open_sockets >= self._settings.socket_total
        ):
            raise Unavailable("Too many sockets are open; connect again later.")
        self._unauthenticated.add(connection)

    def register(self, connection: RegisteredConnection, credential: KeyCredential) -> None:
        """Registers a connection with its key; raises LimitExceeded if the key has too many, Unavailable if the hub stops."""
        if self.stopping:
            raise Unavailable("The hub is stopping; connect again.")
        limit = self._settings.socket_limit
        key_connections = self._by_key.get(credential.digest)
        if key_connections is None:
            key_connections = self._by_key[credential.digest] = KeyConnections(credential, credential.viewer)
            self._schedule_expiry(key_connections)
        elif len(key_connections.connections) >= limit:
            message = f"The key already has {limit} sockets and streams open; close some, or use another key."
            raise LimitExceeded(message, code="SOCKET_LIMIT", extensions={"limit": limit})
        self._unauthenticated.discard(connection)
        shared_viewer = key_connections.viewer
        key_connections.connections[connection] = (
            shared_viewer if credential.viewer == shared_viewer else credential.viewer
        )
        if self._timer is None:
            self._rechecked_at = time.monotonic()
            self._tick()

    def unregister(self, connection: RegisteredConnection, credential: KeyCredential | None) -> None:
        """Removes a connection."""
        self._unauthenticated.discard(connection)
        key_connections = self._by_key.get(credential.digest) if credential else None
        if key_connections is None or connection not in key_connections.connections:
            return
        del key_connections.connections[connection]
        if not key_connections.connections:
            if key_connections.expiry_timer is not None:
                key_connections.expiry_timer.cancel()
            del self._by_key[key_connections.credential.digest]

    def shutdown(self) -> None:
        """Rejects new connections from now on and notifies all registered ones."""
        self.stopping = True
        for connection in [
            *self._unauthenticated,
            *(connection for key_connections in self._by_key.values() for connection in key_connections.connections),
        ]:
            connection.on_shutdown()

    # -- periodic work --------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        """Reports sent messages and starts due rechecks; runs every second while connections exist."""
        if self.messages_sent:
            emit(MessagesSent(self.messages_sent))
            self.messages_sent = 0
        if not self._by_key:
            self._timer = None
            return
        interval = min(MESSAGE_COUNT_INTERVAL, self._settings.key_recheck_interval)
        self._timer = asyncio.get_running_loop().call_later(interval, self._tick)
        if (
            self._recheck_task is None
            and time.monotonic() - self._rechecked_at >= self._settings.key_recheck_interval - interval / 2
        ):
            self._rechecked_at = time.monotonic()
            self._recheck_task = asyncio.create_task(self._recheck())

    async def _recheck(self) -> None:
        try:
            for batch in _batches(list(self._by_key.values())):
                results = await self._key_cache.recheck([key_connections.credential for key_connections in batch])
                for key_connections, result in zip(batch, results, strict=True):
                    self._apply_recheck(key_connections, result)
        except Unavailable:
            # The look-up has logged it. Connections stay open: without a database they cannot read anything either.
            return
        except Exception as error:
            emit(InternalFailure("", "rechecking the keys of open connections", error))
        finally:
            self._recheck_task = None

    def _apply_recheck(self, key_connections: KeyConnections, result: KeyCredential | HubError) -> None:
        if isinstance(result, HubError):
            self._reject_all(key_connections, result)
            return
        known, key_connections.credential = key_connections.credential, result
        expiry_changed = result.expires != known.expires
        if result.networks != known.networks:
            self._reject_outside(key_connections)
        if expiry_changed:
            self._schedule_expiry(key_connections)
        if key_connections.viewer != result.viewer:
            key_connections.viewer = result.viewer
        for connection, known_viewer in tuple(key_connections.connections.items()):
            if known_viewer is key_connections.viewer:
                continue
            key_connections.connections[connection] = key_connections.viewer
            if known_viewer != key_connections.viewer:
                connection.on_rights_changed(result)

    def _reject_outside(self, key_connections: KeyConnections) -> None:
        """Rejects the connections from where the key may no longer be used."""
        for connection in tuple(key_connections.connections):
            try:
                require_network(key_connections.credential, connection)
            except Forbidden as error:
                connection.on_key_rejected(error)

    def _schedule_expiry(self, key_connections: KeyConnections) -> None:
        """Rejects the key's connections at the moment when it expires."""
        if key_connections.expiry_timer is not None:
            key_connections.expiry_timer.cancel()
            key_connections.expiry_timer = None
        # When a test clock passes that moment nobody knows: the next look-up of the key notices.
        if key_connections.credential.expires != float("inf") and not self._time_source.is_test:
            remaining = max(0.0, key_connections.credential.expires - time.time())
            key_connections.expiry_timer = asyncio.get_running_loop().call_later(
                remaining, self._reject_all, key_connections, key_connections.credential.expiry_error()
            )

    def _reject_all(self, key_connections: KeyConnections, error: HubError) -> None:
        for connection in list(key_connections.connections):
            connection.on_key_rejected(error)


def _batches(groups: list[KeyConnections]) -> Iterator[list[KeyConnections]]:
    remaining = iter(groups)
    while batch := list(islice(remaining, KEYS_PER_LOOKUP)):
        yield batch
