"""A network between two processes that can be cut: what is sent is held back, on all connections or on old ones, or reset."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Proxy:
    """Passes on to one address."""

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self._held: asyncio.Event | None = None  # what those wait for who connect while nothing goes through
        self._lines: dict[asyncio.Task[None], Line] = {}
        self.port = 0

    def strand(self) -> None:
        """What is connected hears nothing any more, and nobody tells it; new connections are good."""
        for line in self._lines.values():
            line.open.clear()

    def cut(self) -> None:
        """Nothing goes through at all, though connections are taken."""
        self.strand()
        self._held = asyncio.Event()

    def mend(self) -> None:
        """All goes through again, also what was sent meanwhile."""
        if self._held is not None:
            self._held.set()
            self._held = None
        for line in self._lines.values():
            line.open.set()

    def reset(self) -> None:
        """Every connection breaks off, with what was sent on it; new ones are good."""
        for line in self._lines.values():
            line.abort()
        self.mend()

    async def _taken(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = Line(reader, writer)
        task = asyncio.current_task()
        assert task is not None
        self._lines[task] = line
        try:
            if self._held is not None:
                line.open.clear()
                await self._held.wait()
            await line.carry(*self._target)
        finally:
            del self._lines[task]

    async def _stop(self) -> None:
        for task in (lines := list(self._lines)):
            task.cancel()
        await asyncio.gather(*lines, return_exceptions=True)


class Line:
    """One connection, and its other half."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self._reader = reader
        self._writers = [writer]

    async def carry(self, host: str, port: int) -> None:
        """Until one side is at its end."""
        try:
            with suppress(OSError):
                reader, writer = await asyncio.open_connection(host, port)
                self._writers.append(writer)
                await asyncio.gather(self._pipe(self._reader, writer), self._pipe(reader, self._writers[0]))
        finally:
            self.abort()

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            await self.open.wait()
            writer.write(data)
            await writer.drain()
        await self.open.wait()
        raise ConnectionResetError("one side is at its end, and so is the other")

    def abort(self) -> None:
        for writer in self._writers:
            writer.transport.abort()


@asynccontextmanager
async def proxied(host: str, port: int) -> AsyncIterator[Proxy]:
    """A proxy of an address, on a port of its own."""
    made = Proxy(host, port)
    server = await asyncio.start_server(made._taken, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        made.mend()
        await made._stop()
