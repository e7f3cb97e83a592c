"""A TCP proxy that can interrupt the network: it stalls all connections or the old ones, or resets them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class TcpProxy:
    """Forwards to one address."""

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self._unblocked: asyncio.Event | None = None  # awaited by connections opened while everything is stalled
        self._connections: dict[asyncio.Task[None], ProxiedConnection] = {}
        self.port = 0

    def freeze_existing(self) -> None:
        """Silently stalls open connections; new ones work."""
        for connection in self._connections.values():
            connection.flowing.clear()

    def block(self) -> None:
        """Stalls all connections; new ones are accepted, but nothing is forwarded."""
        self.freeze_existing()
        self._unblocked = asyncio.Event()

    def unblock(self) -> None:
        """Forwards again, including bytes sent meanwhile."""
        if self._unblocked is not None:
            self._unblocked.set()
            self._unblocked = None
        for connection in self._connections.values():
            connection.flowing.set()

    def reset(self) -> None:
        """Resets all connections and drops their bytes; new ones work."""
        for connection in self._connections.values():
            connection.abort()
        self.unblock()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = ProxiedConnection(reader, writer)
        task = asyncio.current_task()
        assert task is not None
        self._connections[task] = connection
        try:
            if self._unblocked is not None:
                connection.flowing.clear()
                await self._unblocked.wait()
            await connection.relay(*self._target)
        finally:
            del self._connections[task]

    async def _stop(self) -> None:
        for task in (tasks := list(self._connections)):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class ProxiedConnection:
    """A connection and its upstream connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.flowing = asyncio.Event()
        self.flowing.set()
        self._reader = reader
        self._writers = [writer]

    async def relay(self, host: str, port: int) -> None:
        """Forwards until one side closes."""
        try:
            with suppress(OSError):
                reader, writer = await asyncio.open_connection(host, port)
                self._writers.append(writer)
                await asyncio.gather(self._pipe(self._reader, writer), self._pipe(reader, self._writers[0]))
        finally:
            self.abort()

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            await self.flowing.wait()
            writer.write(data)
            await writer.drain()
        await self.flowing.wait()
        raise ConnectionResetError("one side is at its end, and so is the other")

    def abort(self) -> None:
        for writer in self._writers:
            writer.transport.abort()


@asynccontextmanager
async def run_proxy(host: str, port: int) -> AsyncIterator[TcpProxy]:
    """Yields a proxy of an address, on a port of its own."""
    proxy = TcpProxy(host, port)
    server = await asyncio.start_server(proxy._accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.unblock()
        await proxy._stop()
