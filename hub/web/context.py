"""What every transport of /graphql works with: the engine, the keys, the streams, who is there, the knobs."""

from typing import Protocol

from hub.engine.document.documents import InvalidDocument, OperationType
from hub.engine.request import GraphQLRequest, GraphQLResponse
from hub.errors import HubError
from hub.settings import Settings
from hub.subscriptions.interfaces import SubscriptionOpener
from hub.viewer import Viewer
from hub.web.auth import ApiKeyCache
from hub.web.connection_registry import ConnectionRegistry
from hub.web.heartbeat import TimingWheel


class GraphQLExecutor(Protocol):
    """The engine, as far as this package knows it."""

    def operation_type(self, request: GraphQLRequest) -> OperationType: ...

    async def execute(self, request: GraphQLRequest, viewer: Viewer) -> GraphQLResponse: ...


class GatewayContext:
    """One for the process. Holds no resource."""

    def __init__(
        self, engine: GraphQLExecutor, key_cache: ApiKeyCache, subscriptions: SubscriptionOpener, settings: Settings
    ) -> None:
        self.engine = engine
        self.key_cache = key_cache
        self.subscriptions = subscriptions
        self.settings = settings
        self.connection_registry = ConnectionRegistry(key_cache, settings)
        self.timing_wheel = TimingWheel(settings.socket_ping)
        # Seconds in which a client that is said goodbye to may take what was sent, and close, too.
        self.close_timeout = min(5.0, settings.drain_timeout * 0.4)

    def is_subscription(self, request: GraphQLRequest) -> bool:
        """Whether it asks for a subscription. What cannot be run at all is not one: the engine's answer says why."""
        try:
            return self.engine.operation_type(request) == "subscription"
        except (InvalidDocument, HubError):
            return False
