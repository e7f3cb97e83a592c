"""From the Authorization header to the viewer: look-ups are remembered briefly, made once, and never hold a key's text.

What a key is and where it is stored is domain/keys.py's."""

import asyncio
import hmac
import math
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from hub.domain.access import api_keys
from hub.errors import HubError, Unauthenticated, Unavailable
from hub.observability import Failed, tell
from hub.viewer import Viewer

BEARER = re.compile(rb"[Bb][Ee][Aa][Rr][Ee][Rr] +(\S+) *")
# A look-up serves many and ends with none of them, so it has an end of its own.
PATIENCE = 5.0
HOW = "send `Authorization: Bearer hub_…`; `hub key create` makes a key"

Find = Callable[[Sequence[str]], Awaitable[Iterable[api_keys.KeyFound]]]


@dataclass(frozen=True, slots=True)
class Credential:
    """A living key and its holder."""

    public_id: str
    digest: bytes
    key_id: UUID
    viewer: Viewer
    expires: float  # seconds since 1970; infinity for never
    until: float  # monotonic time until which this is believed


@dataclass(frozen=True, slots=True)
class Refusal:
    """A key that opens nothing, and the code that says why."""

    code: str
    until: float


class Keyring:
    """Every key used lately, known or unknown. One look-up serves all who wait for it."""

    def __init__(self, find: Find, *, ttl: float, size: int) -> None:
        self._find = find
        self._ttl = ttl
        self._size = size
        self._known: OrderedDict[bytes, Credential | Refusal] = OrderedDict()
        self._pending: dict[bytes, asyncio.Task[Credential | Refusal]] = {}
        self._used: dict[UUID, float] = {}

    async def credential(self, authorization: bytes | None) -> Credential:
        """Who presents this header; raises Unauthenticated when nobody living does."""
        key = _bearer(authorization)
        digest = api_keys.digest(key)
        found = self._known.get(digest)
        if found is None or found.until < time.monotonic():
            found = await self._fetch(digest, key)
        else:
            self._known.move_to_end(digest)
        if isinstance(found, Refusal):
            raise _refused(found.code)
        now = time.time()
        if found.expires <= now:
            raise _refused("KEY_EXPIRED")
        self._used[found.key_id] = now
        return found

    async def again(self, held: Sequence[Credential]) -> list[Credential | HubError]:
        """What has become of keys: who holds each now, or why it opens nothing. Looked up anew, with one question for all."""
        rows = {row.public_id: row for row in await self._rows([each.public_id for each in held])}
        found = [self._judged(rows.get(each.public_id), each.digest) for each in held]
        return [_refused(each.code) if isinstance(each, Refusal) else each for each in found]

    def take_used(self) -> dict[UUID, datetime]:
        """The keys used since the last call, and when."""
        used, self._used = self._used, {}
        return {key_id: datetime.fromtimestamp(at, UTC) for key_id, at in used.items()}

    async def _fetch(self, digest: bytes, key: str) -> Credential | Refusal:
        task = self._pending.get(digest)
        if task is None:
            task = self._pending[digest] = asyncio.create_task(self._look_up(digest, key))
            task.add_done_callback(lambda _: self._pending.pop(digest))
        # Shielded, since the first to ask may leave while others wait.
        return await asyncio.shield(task)

    async def _look_up(self, digest: bytes, key: str) -> Credential | Refusal:
        shown = api_keys.public_id(key)
        rows = await self._rows([shown]) if shown else ()
        return self._judged(next(iter(rows), None), digest)

    async def _rows(self, shown: Sequence[str]) -> Iterable[api_keys.KeyFound]:
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._find(shown)
        except Exception as error:
            tell(Failed("", "looking up an API key", error))
            raise Unavailable(
                "The hub cannot look up API keys now, since its database does not answer; try again."
            ) from None

    def _judged(self, row: api_keys.KeyFound | None, digest: bytes) -> Credential | Refusal:
        """What the table says of the key with this hash, remembered."""
        until = time.monotonic() + self._ttl
        found: Credential | Refusal
        if row is None or row.viewer.key_id is None or not hmac.compare_digest(row.hash, digest):
            found = Refusal("KEY_UNKNOWN", until)
        elif row.revoked_at is not None:
            found = Refusal("KEY_REVOKED", until)
        elif row.expires_at is not None and row.expires_at.timestamp() <= time.time():
            found = Refusal("KEY_EXPIRED", until)
        else:
            expires = row.expires_at.timestamp() if row.expires_at else math.inf
            found = Credential(row.public_id, digest, row.viewer.key_id, row.viewer, expires, until)
        self._known[digest] = found
        self._known.move_to_end(digest)
        if len(self._known) > self._size:
            self._known.popitem(last=False)
        return found


REFUSALS = {
    "KEY_UNKNOWN": "This API key is not known",
    "KEY_REVOKED": "This API key was revoked",
    "KEY_EXPIRED": "This API key has expired",
}


def expired() -> Unauthenticated:
    """Why a key opens nothing from a certain moment on."""
    return _refused("KEY_EXPIRED")


def _refused(code: str) -> Unauthenticated:
    return Unauthenticated(f"{REFUSALS[code]}; {HOW}.", code=code)


def _bearer(authorization: bytes | None) -> str:
    if not authorization:
        raise Unauthenticated(f"The request carries no API key; {HOW}.")
    found = BEARER.fullmatch(authorization)
    if found is None:
        raise Unauthenticated(f"Authorization does not hold a bearer key; {HOW}.")
    # Whatever the bytes are, they become some text; only well-formed keys are looked up.
    return found[1].decode("latin-1")
