"""API key authentication: maps the Authorization header to a viewer, with a short-lived cache that holds no key text.

domain/access/api_keys.py stores the keys."""

import asyncio
import hmac
import math
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID

from hub.domain.access import api_keys
from hub.errors import Forbidden, HubError, Unauthenticated, Unavailable
from hub.model.ip_networks import IpAddress, IpNetwork, contains, parse_network
from hub.observability import InternalFailure, emit
from hub.time_source import REAL_TIME, TimeSource
from hub.viewer import Viewer

BEARER_PATTERN = re.compile(rb"[Bb][Ee][Aa][Rr][Ee][Rr] +(\S+) *")
# Seconds. A look-up is shared by requests and outlives each of them, so it has its own timeout.
LOOKUP_TIMEOUT = 5.0
HELP = "send `Authorization: Bearer hub_…`; `hub key create` creates a key"

FindKeys = Callable[[Sequence[str]], Awaitable[Iterable[api_keys.StoredKey]]]


@dataclass(frozen=True, slots=True)
class KeyCredential:
    """A valid key and its viewer."""

    public_id: str
    digest: bytes
    key_id: UUID
    viewer: Viewer
    expires: float  # seconds since the Unix epoch; infinity if the key never expires
    cached_until: float  # monotonic time
    expiry_code: str = "KEY_EXPIRED"  # why it is refused from then on
    networks: tuple[IpNetwork, ...] = ()  # it may be used from there alone; empty for everywhere

    def expiry_error(self) -> Unauthenticated:
        """The error for the key once it has expired."""
        return _rejection(self.expiry_code)


class Client(Protocol):
    """The sender of a request."""

    def client_address(self) -> IpAddress | None:
        """Its address, as far as trusted proxies tell; None if it is not known."""


@dataclass(frozen=True, slots=True)
class RejectedKey:
    """An invalid key and the code that says why."""

    code: str
    cached_until: float


class Credentials(Protocol):
    """Where transports get the credential of a request."""

    def credential(self, authorization: bytes | None, client: Client | None = None) -> Awaitable[KeyCredential]:
        """Returns the credential of an Authorization header; raises Unauthenticated or Unavailable if there is none.

        Raises Forbidden for a key that may not be used from where the client is."""

    async def recheck(self, credentials: Sequence[KeyCredential]) -> list[KeyCredential | HubError]:
        """Looks up credentials again; returns each one, or the error if it is no longer valid."""

    def drain_usage(self) -> dict[UUID, datetime]:
        """Returns the keys used since the last call with the time of their last use."""

    def forget(self, digest: bytes) -> None:
        """Drops a credential from the cache, so that its end takes effect in this process at once."""


class ApiKeyCache:
    """Recently used keys, valid or not, for `ttl` seconds. Concurrent requests share one look-up."""

    def __init__(self, find: FindKeys, *, ttl: float, size: int, time_source: TimeSource = REAL_TIME) -> None:
        self._find = find
        self._time_source = time_source
        self._ttl = ttl
        self._size = size
        self._entries: OrderedDict[bytes, KeyCredential | RejectedKey] = OrderedDict()
        self._pending: dict[bytes, asyncio.Task[KeyCredential | RejectedKey]] = {}
        self._usage: dict[UUID, float] = {}

    async def credential(self, authorization: bytes | None, client: Client | None = None) -> KeyCredential:
        """Returns the credential of an Authorization header; raises Unauthenticated if there is no valid key.

        Raises Forbidden for a key that may not be used from where the client is."""
        key = _bearer(authorization)
        digest = api_keys.digest(key)
        entry = self._entries.get(digest)
        if entry is None or entry.cached_until < time.monotonic():
            entry = await self._fetch(digest, key)
        else:
            self._entries.move_to_end(digest)
        if isinstance(entry, RejectedKey):
            raise _rejection(entry.code)
        now = self._time_source.timestamp()
        if entry.expires <= now:
            raise _rejection(entry.expiry_code)
        if entry.networks:
            require_network(entry, client)
        self._usage[entry.key_id] = now
        return entry

    async def recheck(self, credentials: Sequence[KeyCredential]) -> list[KeyCredential | HubError]:
        """Looks up keys again in one query; returns each key's credential, or the error if it is no longer valid."""
        rows = {row.public_id: row for row in await self._rows([credential.public_id for credential in credentials])}
        entries = [self._cache_row(rows.get(credential.public_id), credential.digest) for credential in credentials]
        return [_rejection(entry.code) if isinstance(entry, RejectedKey) else entry for entry in entries]

    def forget(self, digest: bytes) -> None:
        """Drops a key from the cache, so that its end takes effect in this process at once."""
        self._entries.pop(digest, None)

    def drain_usage(self) -> dict[UUID, datetime]:
        """Returns the keys used since the last call with the time of their last use."""
        usage, self._usage = self._usage, {}
        return {key_id: datetime.fromtimestamp(used_at, UTC) for key_id, used_at in usage.items()}

    async def _fetch(self, digest: bytes, key: str) -> KeyCredential | RejectedKey:
        task = self._pending.get(digest)
        if task is None:
            task = self._pending[digest] = asyncio.create_task(self._look_up(digest, key))
            task.add_done_callback(lambda _: self._pending.pop(digest))
        # Shielded, because the first request may be cancelled while others wait.
        return await asyncio.shield(task)

    async def _look_up(self, digest: bytes, key: str) -> KeyCredential | RejectedKey:
        public_id = api_keys.extract_public_id(key)
        rows = await self._rows([public_id]) if public_id else ()
        return self._cache_row(next(iter(rows), None), digest)

    async def _rows(self, public_ids: Sequence[str]) -> Iterable[api_keys.StoredKey]:
        try:
            async with asyncio.timeout(LOOKUP_TIMEOUT):
                return await self._find(public_ids)
        except Exception as error:
            emit(InternalFailure("", "looking up an API key", error))
            raise Unavailable(
                "The hub cannot look up API keys because its database does not respond; try again."
            ) from None

    def _cache_row(self, row: api_keys.StoredKey | None, digest: bytes) -> KeyCredential | RejectedKey:
        """Caches and returns the state of the key with this digest, from its table row."""
        cached_until = time.monotonic() + self._ttl
        entry: KeyCredential | RejectedKey
        is_current = row is not None and hmac.compare_digest(row.hash, digest)
        if row is None or row.viewer.key_id is None or not (is_current or _is_previous(row, digest)):
            entry = RejectedKey("KEY_UNKNOWN", cached_until)
        elif row.revoked_at is not None and not row.is_leavers:
            entry = RejectedKey("KEY_REVOKED", cached_until)
        elif (end := _end(row, is_current=is_current))[0] <= self._time_source.timestamp():
            entry = RejectedKey(end[1], cached_until)
        else:
            networks = tuple(parse_network(network) for network in row.allowed_networks)
            entry = KeyCredential(
                row.public_id, digest, row.viewer.key_id, row.viewer, end[0], cached_until, end[1], networks
            )
        self._entries[digest] = entry
        self._entries.move_to_end(digest)
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)
        return entry


REJECTION_TEXT = {
    "KEY_UNKNOWN": "This API key is unknown",
    "KEY_REVOKED": "This API key was revoked",
    "KEY_EXPIRED": "This API key has expired",
    "KEY_ROTATED": "This API key has a new text and is no longer valid with this one",
    "KEY_STAFF_LEFT": "This API key is a person's who has left",
}


def require_network(credential: KeyCredential, client: Client | None) -> None:
    """Raises Forbidden if the key may not be used from the client's address."""
    if not credential.networks:
        return
    address = None if client is None else client.client_address()
    if address is None or not contains(credential.networks, address):
        origin = "an unknown address" if address is None else str(address)
        message = f"This API key may not be used from {origin}; use it from its allowed networks, or have them changed."
        raise Forbidden(message, code="KEY_NETWORK")


def _is_previous(row: api_keys.StoredKey, digest: bytes) -> bool:
    return row.previous_hash is not None and hmac.compare_digest(row.previous_hash, digest)


def _end(row: api_keys.StoredKey, *, is_current: bool) -> tuple[float, str]:
    """The time from which the key is refused, in seconds since the Unix epoch, and the code that says why."""
    ends = [
        (row.left_at, "KEY_STAFF_LEFT"),
        (row.expires_at, "KEY_EXPIRED"),
        (None if is_current else row.previous_until, "KEY_ROTATED"),
    ]
    known = ((moment.timestamp(), code) for moment, code in ends if moment is not None)
    return min(known, default=(math.inf, "KEY_EXPIRED"))


def _rejection(code: str) -> Unauthenticated:
    return Unauthenticated(f"{REJECTION_TEXT[code]}; {HELP}.", code=code)


def _bearer(authorization: bytes | None) -> str:
    if not authorization:
        raise Unauthenticated(f"The request carries no API key; {HELP}.")
    match = BEARER_PATTERN.fullmatch(authorization)
    if match is None:
        raise Unauthenticated(f"The Authorization header has no bearer key; {HELP}.")
    # latin-1 decodes any bytes; only well-formed keys are looked up.
    return match[1].decode("latin-1")
