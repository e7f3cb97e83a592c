"""What every transport of /graphql works with: the engine, the keys, the streams, who is there, the knobs."""

from typing import Protocol

from hub.engine.document.documents import DocumentError, Kind
from hub.engine.engine import Answer, Request
from hub.errors import HubError
from hub.settings import Settings
from hub.subscriptions.interfaces import Streams
from hub.viewer import Viewer
from hub.web.auth import Keyring
from hub.web.connection_registry import Presence
from hub.web.heartbeat import Wheel


class Executes(Protocol):
    """The engine, as far as this room knows it."""

    def kind(self, request: Request) -> Kind: ...

    async def execute(self, request: Request, viewer: Viewer) -> Answer: ...


class Desk:
    """One for the process. Holds no resource."""

    def __init__(self, engine: Executes, keyring: Keyring, streams: Streams, settings: Settings) -> None:
        self.engine = engine
        self.keyring = keyring
        self.streams = streams
        self.settings = settings
        self.presence = Presence(keyring, settings)
        self.wheel = Wheel(settings.socket_ping)
        # Seconds in which a client that is said goodbye to may take what was sent, and close, too.
        self.farewell = min(5.0, settings.drain_timeout * 0.4)

    def is_stream(self, request: Request) -> bool:
        """Whether it asks for a subscription. What cannot be run at all is not one: the engine's answer says why."""
        try:
            return self.engine.kind(request) == "subscription"
        except (DocumentError, HubError):
            return False
