"""The HTTP server of one process: binds the address, serves and shuts down. workers.py runs several processes."""

import asyncio
import contextlib
import multiprocessing
import signal
import socket
from collections.abc import Callable, Iterator
from typing import cast

import uvicorn

from hub.errors import Misconfigured
from hub.observability import HubStopping, emit
from hub.settings import Settings
from hub.web.asgi import AsgiApp
from hub.web.connection_registry import ConnectionRegistry
from hub.web.http_protocol import http_protocol_for
from hub.web.websocket.connection import connections_for

BACKLOG = 2048
ANSWER_SECONDS = 1.0  # that cancelled requests have for their answers
SEND_PAUSE, SEND_LOOKS = 0.01, 100  # seconds between two looks at what is not sent yet, and their number
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def bind(settings: Settings) -> socket.socket:
    """Binds the address without listening, so that clients are refused until the hub has started."""
    host, port = settings.host, settings.port
    try:
        family, socket_type, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError:
        message = f"HUB_HOST: {host!r} is not an address of this machine; pass one, such as 127.0.0.1, with --host."
        raise Misconfigured(message, argument="HUB_HOST") from None
    bound = socket.socket(family, socket_type, protocol)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(address)
    except OSError as error:
        bound.close()
        message = f"HUB_PORT: cannot listen on {host}:{port} ({error.strerror}); choose another with --host and --port."
        raise Misconfigured(message, code="PORT_IN_USE", argument="HUB_PORT") from None
    return bound


def url(settings: Settings, bound: socket.socket) -> str:
    """Returns the hub's URL for a browser on this machine."""
    return configured_url(settings.model_copy(update={"port": bound.getsockname()[1]}))


def configured_url(settings: Settings) -> str:
    """Returns the URL, for a browser on this machine, of a hub with these settings."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def _pending_connections(bound: socket.socket) -> Iterator[socket.socket]:
    """Yields the connections in the listen backlog."""
    bound.setblocking(False)
    with contextlib.suppress(OSError):  # the backlog is empty
        while True:
            yield bound.accept()[0]


class HttpServer(uvicorn.Server):
    """uvicorn's server with a graceful stop on signals and, in a worker, on the exit of the parent process."""

    def __init__(self, config: uvicorn.Config, connection_registry: ConnectionRegistry) -> None:
        super().__init__(config)
        self.connection_registry = connection_registry

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Stop listening first: a new connection would only be closed again. Connections in the backlog may already
        # have sent a request, so they are accepted and served like the open ones.
        pending = [accepted for bound in sockets or () for accepted in _pending_connections(bound)]
        for server in self.servers:
            server.close()
        for bound in sockets or ():
            bound.close()
        for accepted in pending:
            await asyncio.get_running_loop().connect_accepted_socket(self._create_protocol, accepted)
        self.connection_registry.shutdown()
        await super().shutdown(sockets)
        await self._answer_cancelled()

    async def _answer_cancelled(self) -> None:
        """Waits until the requests that the drain timeout has cancelled are answered, and the answers are sent.

        uvicorn does not: it returns as soon as it has cancelled them, and what the process ends then is lost."""
        if tasks := set(self.server_state.tasks):
            await asyncio.wait(tasks, timeout=ANSWER_SECONDS)
        for _ in range(SEND_LOOKS):
            if not self._is_sending():
                return
            await asyncio.sleep(SEND_PAUSE)

    def _is_sending(self) -> bool:
        transports = (getattr(connection, "transport", None) for connection in self.server_state.connections)
        return any(transport is not None and transport.get_write_buffer_size() for transport in transports)

    def _create_protocol(self) -> asyncio.Protocol:
        protocol_class = cast(Callable[..., asyncio.Protocol], self.config.http_protocol_class)
        return protocol_class(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for signal_number in STOP_SIGNALS:
            loop.add_signal_handler(signal_number, self._begin_shutdown, signal.Signals(signal_number).name)
        parent = multiprocessing.parent_process()
        if parent is not None:
            loop.add_reader(parent.sentinel, self._on_parent_exit, parent.sentinel)
        try:
            yield
        finally:
            for signal_number in STOP_SIGNALS:
                loop.remove_signal_handler(signal_number)

    def _on_parent_exit(self, sentinel: int) -> None:
        asyncio.get_running_loop().remove_reader(sentinel)
        self._begin_shutdown("the parent process has exited")

    def _begin_shutdown(self, reason: str) -> None:
        if not self.should_exit:
            emit(HubStopping(reason))
        self.should_exit = True


def create_server(app: AsgiApp, settings: Settings) -> HttpServer:
    """Creates a server that serves until a stop signal, then drains open requests for up to the drain timeout."""
    config = uvicorn.Config(
        app,
        http=http_protocol_for(settings),
        ws=connections_for(app.context),
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=settings.keep_alive_timeout,
        timeout_graceful_shutdown=settings.drain_timeout,
    )
    return HttpServer(config, app.context.connection_registry)
