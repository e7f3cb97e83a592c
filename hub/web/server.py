"""Listening and stopping in one process: the socket and the server. Several processes are workers.py's."""

import asyncio
import contextlib
import multiprocessing
import signal
import socket
from collections.abc import Callable, Iterator
from typing import cast

import uvicorn

from hub.errors import Misconfigured
from hub.observability import HubStopping, tell
from hub.settings import Settings
from hub.web.asgi import Site
from hub.web.connection_registry import Presence
from hub.web.http_protocol import bounded_by
from hub.web.websocket.connection import sockets_of

BACKLOG = 2048
STOPS = (signal.SIGINT, signal.SIGTERM)


def bind(settings: Settings) -> socket.socket:
    """Take the address. Nobody is let in before `listen`, so that no client waits for a hub that is still starting."""
    host, port = settings.host, settings.port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError:
        message = f"HUB_HOST: {host!r} is not an address of this machine; give one, such as 127.0.0.1, with --host."
        raise Misconfigured(message, argument="HUB_HOST") from None
    bound = socket.socket(family, kind, protocol)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(address)
    except OSError as error:
        bound.close()
        message = f"HUB_PORT: cannot listen on {host}:{port} ({error.strerror}); choose another with --host and --port."
        raise Misconfigured(message, code="PORT_IN_USE", argument="HUB_PORT") from None
    return bound


def url(settings: Settings, bound: socket.socket) -> str:
    """Where a browser on this machine finds the hub."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{bound.getsockname()[1]}"


def _accepted(bound: socket.socket) -> Iterator[socket.socket]:
    """The connections that wait to be accepted."""
    bound.setblocking(False)
    with contextlib.suppress(OSError):  # there is none any more
        while True:
            yield bound.accept()[0]


class Server(uvicorn.Server):
    """uvicorn's server, stopped by signals without dying of them, and, in a worker, when the process above is gone."""

    def __init__(self, config: uvicorn.Config, presence: Presence) -> None:
        super().__init__(config)
        self.presence = presence

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Whoever connects now would be cut off: so nobody can any more, before many are said goodbye to. Whom the kernel has
        # let in already, and who may have sent a request, is answered like the others.
        waiting = [accepted for bound in sockets or () for accepted in _accepted(bound)]
        for each in self.servers:
            each.close()
        for bound in sockets or ():
            bound.close()
        for accepted in waiting:
            await asyncio.get_running_loop().connect_accepted_socket(self._connection, accepted)
        self.presence.stop()
        await super().shutdown(sockets)

    def _connection(self) -> asyncio.Protocol:
        kind = cast(Callable[..., asyncio.Protocol], self.config.http_protocol_class)
        return kind(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in STOPS:
            loop.add_signal_handler(number, self._stop, signal.Signals(number).name)
        above = multiprocessing.parent_process()
        if above is not None:
            loop.add_reader(above.sentinel, self._orphaned, above.sentinel)
        try:
            yield
        finally:
            for number in STOPS:
                loop.remove_signal_handler(number)

    def _orphaned(self, sentinel: int) -> None:
        asyncio.get_running_loop().remove_reader(sentinel)
        self._stop("the process above is gone")

    def _stop(self, reason: str) -> None:
        if not self.should_exit:
            tell(HubStopping(reason))
        self.should_exit = True


def made(site: Site, settings: Settings) -> Server:
    """A server that answers requests until a signal, and then ends those that are open, for a while."""
    config = uvicorn.Config(
        site,
        http=bounded_by(settings),
        ws=sockets_of(site.desk),
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=settings.keep_alive_timeout,
        timeout_graceful_shutdown=settings.drain_timeout,
    )
    return Server(config, site.desk.presence)
