"""Who is connected for long, by key: counted, checked again, told when a key's rights change and when the hub stops.

Knows guests, and neither sockets nor what they are sent."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from hub.errors import HubError, LimitExceeded, Unavailable
from hub.observability import Delivered, Failed, tell
from hub.settings import Settings
from hub.viewer import Viewer
from hub.web.auth import Credential, Keyring, expired

BATCH = 500  # keys per look-up
COUNTED = 1.0  # seconds between two tellings of how many messages were sent


class Guest(Protocol):
    """Whoever stays."""

    def refuse(self, error: HubError) -> None:
        """The key opens nothing any more."""

    def change(self, credential: Credential) -> None:
        """The key's holder is another now, or sees other things."""

    def shut(self) -> None:
        """The hub stops."""


@dataclass(slots=True)
class Party:
    """All guests of one key."""

    credential: Credential
    viewer: Viewer  # the one object that all guests hold who see what the key sees now: thousands are compared by it
    guests: dict[Guest, Viewer] = field(default_factory=dict)  # in the order in which they came
    expiry: asyncio.TimerHandle | None = None


class Presence:
    """All guests of this process."""

    def __init__(self, keyring: Keyring, settings: Settings) -> None:
        self._keyring = keyring
        self._settings = settings
        self._parties: dict[bytes, Party] = {}
        self._strangers: set[Guest] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._checking: asyncio.Task[None] | None = None
        self._checked = 0.0
        self.stopping = False
        self.sockets = 0  # open ones, for whoever opens them to keep
        self.sent = 0  # messages since they were last told

    def let_in(self, guest: Guest) -> None:
        """Remembers one who has not shown a key yet; raises Unavailable when there is no place."""
        if self.stopping:
            raise Unavailable("The hub is stopping; connect again.")
        if len(self._strangers) >= self._settings.socket_init_total or self.sockets >= self._settings.socket_total:
            raise Unavailable("Too many sockets are open now; connect again, a little later.")
        self._strangers.add(guest)

    def enter(self, guest: Guest, credential: Credential) -> None:
        """Counts a guest to its key; raises LimitExceeded when the key has too many, Unavailable when the hub stops."""
        if self.stopping:
            raise Unavailable("The hub is stopping; connect again.")
        limit = self._settings.socket_limit
        party = self._parties.get(credential.digest)
        if party is None:
            party = self._parties[credential.digest] = Party(credential, credential.viewer)
            self._arm(party)
        elif len(party.guests) >= limit:
            message = f"The key holds {limit} sockets and streams open already; close some, or use several keys."
            raise LimitExceeded(message, code="SOCKET_LIMIT", extensions={"limit": limit})
        self._strangers.discard(guest)
        party.guests[guest] = party.viewer if credential.viewer == party.viewer else credential.viewer
        if self._timer is None:
            self._checked = time.monotonic()
            self._tick()

    def leave(self, guest: Guest, credential: Credential | None) -> None:
        """Forgets a guest."""
        self._strangers.discard(guest)
        party = self._parties.get(credential.digest) if credential else None
        if party is None or guest not in party.guests:
            return
        del party.guests[guest]
        if not party.guests:
            if party.expiry is not None:
                party.expiry.cancel()
            del self._parties[party.credential.digest]

    def stop(self) -> None:
        """The hub stops: everybody is told, and nobody comes in any more."""
        self.stopping = True
        for guest in [*self._strangers, *(guest for party in self._parties.values() for guest in party.guests)]:
            guest.shut()

    # -- by itself ------------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        """Every second while somebody is there."""
        if self.sent:
            tell(Delivered(self.sent))
            self.sent = 0
        if not self._parties:
            self._timer = None
            return
        every = min(COUNTED, self._settings.key_recheck)
        self._timer = asyncio.get_running_loop().call_later(every, self._tick)
        if self._checking is None and time.monotonic() - self._checked >= self._settings.key_recheck - every / 2:
            self._checked = time.monotonic()
            self._checking = asyncio.create_task(self._check())

    async def _check(self) -> None:
        try:
            for held in _batches(list(self._parties.values())):
                found = await self._keyring.again([party.credential for party in held])
                for party, now in zip(held, found, strict=True):
                    self._learn(party, now)
        except Unavailable:
            # Told already. Who is in stays: without a database there is nothing to be seen either.
            return
        except Exception as error:
            tell(Failed("", "looking at the keys of open sockets", error))
        finally:
            self._checking = None

    def _learn(self, party: Party, now: Credential | HubError) -> None:
        if isinstance(now, HubError):
            self._send_away(party, now)
            return
        renewed = now.expires != party.credential.expires
        party.credential = now
        if renewed:
            self._arm(party)
        if party.viewer != now.viewer:
            party.viewer = now.viewer
        for guest, seen in [each for each in party.guests.items() if each[1] is not party.viewer]:
            party.guests[guest] = party.viewer
            if seen != party.viewer:
                guest.change(now)

    def _arm(self, party: Party) -> None:
        """A key that expires does so at its moment."""
        if party.expiry is not None:
            party.expiry.cancel()
            party.expiry = None
        if party.credential.expires != float("inf"):
            left = max(0.0, party.credential.expires - time.time())
            party.expiry = asyncio.get_running_loop().call_later(left, self._send_away, party, expired())

    def _send_away(self, party: Party, error: HubError) -> None:
        for guest in list(party.guests):
            guest.refuse(error)


def _batches(parties: list[Party]) -> Iterator[list[Party]]:
    waiting = iter(parties)
    while held := list(islice(waiting, BATCH)):
        yield held
