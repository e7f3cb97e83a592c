"""The dependencies that all transports of /graphql share: engine, API keys, subscriptions, connections and settings."""

from typing import Protocol

from hub.domain.access.trusted_documents import TrustedDocuments
from hub.engine.document.documents import InvalidDocument, OperationType
from hub.engine.request import GraphQLRequest, GraphQLResponse
from hub.errors import HubError
from hub.settings import Settings
from hub.subscriptions.interfaces import SubscriptionOpener
from hub.viewer import Viewer
from hub.web.auth import Credentials
from hub.web.client_address import TrustedProxies
from hub.web.connection_registry import ConnectionRegistry
from hub.web.heartbeat import TimingWheel
from hub.web.persisted_queries import DocumentFinder, PersistedQueries


class GraphQLExecutor(Protocol):
    """The part of the engine that this package uses."""

    async def operation_type(self, request: GraphQLRequest, viewer: Viewer) -> OperationType: ...

    async def execute(self, request: GraphQLRequest, viewer: Viewer) -> GraphQLResponse: ...


class GatewayContext:
    """The context of a process. It owns no resource that must be closed."""

    def __init__(
        self,
        engine: GraphQLExecutor,
        key_cache: Credentials,
        subscriptions: SubscriptionOpener,
        settings: Settings,
        trusted_documents: TrustedDocuments | None = None,
    ) -> None:
        self.engine = engine
        self.key_cache = key_cache
        self.subscriptions = subscriptions
        self.settings = settings
        self.trusted_proxies = TrustedProxies(settings.trusted_proxies)
        self.connection_registry = ConnectionRegistry(key_cache, settings)
        self.timing_wheel = TimingWheel(settings.socket_ping)
        persisted_queries = PersistedQueries(settings.persisted_queries)
        self.document_finder = DocumentFinder(persisted_queries, trusted_documents or TrustedDocuments())
        # Seconds that a client has to receive the last bytes and close its side.
        self.close_timeout = min(5.0, settings.drain_timeout * 0.4)

    async def is_subscription(self, request: GraphQLRequest, viewer: Viewer) -> bool:
        """Whether the operation is a subscription. False for an invalid document, whose errors `execute` returns."""
        try:
            return await self.engine.operation_type(request, viewer) == "subscription"
        except (InvalidDocument, HubError):
            return False
