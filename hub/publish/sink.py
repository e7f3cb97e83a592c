"""The seam between streams and the transports of web/: where messages go, and what a transport may do to a stream."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class Sink(Protocol):
    """Where one stream's messages go: one subscription of a socket, or one response of server-sent events."""

    def send(self, message: bytes, cursor: bytes | None) -> None:
        """Takes a whole GraphQL response; `cursor` is what a client goes on behind."""

    @property
    def full(self) -> bool:
        """Whether the client does not keep up: the sender should wait for `room`."""

    async def room(self) -> None:
        """Returns once it is not full any more."""

    def end(self, errors: Sequence[Mapping[str, Any]] = ()) -> None:
        """Nothing more comes; with errors, because of them."""


class Stream(Protocol):
    """One subscription that runs."""

    def stop(self) -> None:
        """The client wants no more: nothing is sent after this."""

    def cut(self, reason: str) -> None:
        """The hub ends it, for a reason that GapReason lists."""


class Refused(Exception):
    """A subscription that cannot be run; `errors` as they stand in a response."""

    def __init__(self, errors: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(str(errors))
        self.errors = errors
