"""The interfaces between transports and subscriptions: message sinks, open subscriptions, and their opener.

A transport provides the sink and holds the subscription; the subscription sends to the sink."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from hub.engine.request import GraphQLRequest
from hub.viewer import Viewer


class SubscriptionRejected(Exception):
    """The subscription cannot start. `errors` are GraphQL errors as a response contains them."""

    def __init__(self, errors: Sequence[Mapping[str, Any]]) -> None:
        self.errors = list(errors)
        super().__init__("; ".join(str(error["message"]) for error in self.errors))


class MessageSink(Protocol):
    """The destination of one stream's messages: an operation of a WebSocket, or a server-sent events response."""

    def send(self, message: bytes, cursor: bytes | None) -> None:
        """Sends a whole GraphQL response, {"data":…}. Over SSE the cursor becomes the event's `id:`."""

    @property
    def is_backpressured(self) -> bool:
        """Whether the client is slower than the stream. The sender should then wait for drained()."""

    async def drained(self) -> None:
        """Returns once the send buffer has drained; raises ConnectionError if the client has disconnected."""

    def end(self, errors: Sequence[Mapping[str, Any]] = ()) -> None:
        """Completes the stream, with an `error` message if there are errors. Later sends are ignored."""


class OpenSubscription(Protocol):
    """An open stream, which the transport can end."""

    def cancel(self) -> None:
        """Ends the stream because the client has left. Nothing is sent after this call."""

    def close_with_reason(self, reason: str) -> None:
        """Ends the stream for a reason such as "SLOW_CONSUMER" or "PERMISSIONS_CHANGED".

        A change stream sends a StreamGap first, then ends the sink."""


class SubscriptionOpener(Protocol):
    """Opens subscriptions for a transport."""

    async def open(self, request: GraphQLRequest, viewer: Viewer, sink: MessageSink) -> OpenSubscription:
        """Opens a subscription; raises SubscriptionRejected or a HubError. A cancelled call leaves nothing open."""
