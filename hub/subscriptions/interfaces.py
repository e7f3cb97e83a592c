"""What a transport and the subscriptions know of each other: sinks, streams, and who opens them.

A transport makes the sink and holds the stream; whoever opens it sends. Neither knows how the other does its part."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from hub.engine.request import GraphQLRequest
from hub.viewer import Viewer


class SubscriptionRejected(Exception):
    """A stream that is not opened, and why: errors as they stand in a response."""

    def __init__(self, errors: Sequence[Mapping[str, Any]]) -> None:
        self.errors = list(errors)
        super().__init__("; ".join(str(error["message"]) for error in self.errors))


class MessageSink(Protocol):
    """Where one stream's messages go: one subscription of a socket, or one response of server-sent events."""

    def send(self, message: bytes, cursor: bytes | None) -> None:
        """Send a whole GraphQL response, {"data":…}; the cursor becomes the `id:` of server-sent events."""

    @property
    def is_backpressured(self) -> bool:
        """Whether the client does not keep up: the sender should wait for drained()."""

    async def drained(self) -> None:
        """Returns once it keeps up again; raises ConnectionError when the client is gone."""

    def end(self, errors: Sequence[Mapping[str, Any]] = ()) -> None:
        """Complete; with errors, an `error` message instead. What is sent afterwards goes nowhere."""


class OpenSubscription(Protocol):
    """An open stream, for the transport to end."""

    def cancel(self) -> None:
        """The client wants no more: nothing is sent after this."""

    def close_with_reason(self, reason: str) -> None:
        """Ends it for "SLOW_CONSUMER" or "PERMISSIONS_CHANGED": a StreamGap where that makes sense, then
        the sink's end."""


class SubscriptionOpener(Protocol):
    """Opens streams."""

    async def open(self, request: GraphQLRequest, viewer: Viewer, sink: MessageSink) -> OpenSubscription:
        """The stream of a subscription; raises SubscriptionRejected or a HubError. Cancelled, it leaves nothing behind."""
