"""What a transport and the room that publishes know of each other: sinks, streams, and who opens them.

A transport makes the sink and holds the stream; whoever opens it sends. Neither knows how the other does its part."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from hub.engine.engine import Request
from hub.viewer import Viewer


class Refused(Exception):
    """A stream that is not opened, and why: errors as they stand in a response."""

    def __init__(self, errors: Sequence[Mapping[str, Any]]) -> None:
        self.errors = list(errors)
        super().__init__("; ".join(str(error["message"]) for error in self.errors))


class Sink(Protocol):
    """Where one stream's messages go: one subscription of a socket, or one response of server-sent events."""

    def send(self, message: bytes, cursor: bytes | None) -> None:
        """Send a whole GraphQL response, {"data":…}; the cursor becomes the `id:` of server-sent events."""

    @property
    def full(self) -> bool:
        """Whether the client does not keep up: the sender should wait for room()."""

    async def room(self) -> None:
        """Returns once it is not full any more; raises ConnectionError when the client is gone."""

    def end(self, errors: Sequence[Mapping[str, Any]] = ()) -> None:
        """Complete; with errors, an `error` message instead. What is sent afterwards goes nowhere."""


class Stream(Protocol):
    """An open stream, for the transport to end."""

    def stop(self) -> None:
        """The client wants no more: nothing is sent after this."""

    def cut(self, reason: str) -> None:
        """Ends it for "SLOW_CONSUMER" or "PERMISSIONS_CHANGED": a StreamGap where that makes sense, then
        the sink's end."""


class Streams(Protocol):
    """Opens streams."""

    async def open(self, request: Request, viewer: Viewer, sink: Sink) -> Stream:
        """The stream of a subscription; raises Refused or a HubError. Cancelled, it leaves nothing behind."""
