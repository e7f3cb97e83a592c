"""A receiver for who develops one: takes what is posted to this machine, says whether the signature holds, and shows it."""

import asyncio
import time
from collections.abc import Callable

import orjson

from hub.errors import Misconfigured
from hub.webhooks import signing

MOST_HEAD, MOST_BODY = 16_384, 1_048_576  # bytes
PATIENCE = 10.0  # seconds for one request
TAKEN, REFUSED, WRONG = "200 OK", "401 Unauthorized", "400 Bad Request"

Show = Callable[[str], None]


class Listener:
    """Shows each delivery in a few lines of text."""

    def __init__(self, secret: bytes, show: Show, clock: Callable[[], float] = time.time) -> None:
        self._secret = secret
        self._show = show
        self._clock = clock

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, with one request after the other."""
        try:
            while True:
                async with asyncio.timeout(PATIENCE):
                    status = await self._one(reader)
                writer.write(f"HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n".encode())
                await writer.drain()
                if status == WRONG:
                    return
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            return  # whoever sends will send again
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader) -> str:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (each.partition(":") for each in lines)}
        length = headers.get("content-length", "")
        if not first.startswith("POST ") or not length.isdecimal() or int(length) > MOST_BODY:
            return WRONG
        body = await reader.readexactly(int(length))
        good = signing.verified(self._secret, headers, body, self._clock())
        self._show(f"{headers.get('webhook-id', '(no webhook-id)')}  {'verified' if good else 'NOT VERIFIED'}")
        self._show(_indented(body))
        return TAKEN if good else REFUSED


def _indented(body: bytes) -> str:
    try:
        return orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONDecodeError:
        return repr(body[:1_000])


async def listen(port: int, secret: bytes, show: Show) -> None:
    """Listens on loopback until it is ended."""
    try:
        server = await asyncio.start_server(Listener(secret, show).serve, "127.0.0.1", port, limit=MOST_HEAD)
    except OSError as error:
        message = f"--port: cannot listen on 127.0.0.1:{port} ({error.strerror}); choose another."
        raise Misconfigured(message, code="PORT_IN_USE", argument="port") from None
    async with server:
        show(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        await server.serve_forever()
