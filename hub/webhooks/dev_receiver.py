"""A receiver for development: accepts deliveries on loopback, verifies their signatures and prints them."""

import asyncio
import time
from collections.abc import Callable

import orjson

from hub.errors import Misconfigured
from hub.webhooks import signing

MAX_HEADER_BYTES, MAX_BODY_BYTES = 16_384, 1_048_576  # bytes
REQUEST_TIMEOUT = 10.0  # seconds for one request
OK, UNAUTHORIZED, BAD_REQUEST = "200 OK", "401 Unauthorized", "400 Bad Request"

WriteLine = Callable[[str], None]


class DevReceiver:
    """Prints each delivery as a few lines of text."""

    def __init__(self, secret: bytes, write_line: WriteLine, clock: Callable[[], float] = time.time) -> None:
        self._secret = secret
        self._write_line = write_line
        self._clock = clock

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection, one request after the other."""
        try:
            while True:
                async with asyncio.timeout(REQUEST_TIMEOUT):
                    status = await self._handle_request(reader)
                writer.write(f"HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n".encode())
                await writer.drain()
                if status == BAD_REQUEST:
                    return
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            return  # the sender will retry
        finally:
            writer.close()

    async def _handle_request(self, reader: asyncio.StreamReader) -> str:
        header_text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        request_line, *lines = header_text.split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = headers.get("content-length", "")
        if not request_line.startswith("POST ") or not length.isdecimal() or int(length) > MAX_BODY_BYTES:
            return BAD_REQUEST
        body = await reader.readexactly(int(length))
        valid = signing.verify(self._secret, headers, body, self._clock())
        self._write_line(f"{headers.get('webhook-id', '(no webhook-id)')}  {'verified' if valid else 'NOT VERIFIED'}")
        self._write_line(_pretty_json(body))
        return OK if valid else UNAUTHORIZED


def _pretty_json(body: bytes) -> str:
    try:
        return orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONDecodeError:
        return repr(body[:1_000])


async def receive(port: int, secret: bytes, write_line: WriteLine) -> None:
    """Listens on the loopback `port` until it is cancelled; raises Misconfigured if the port is in use."""
    try:
        server = await asyncio.start_server(
            DevReceiver(secret, write_line).serve, "127.0.0.1", port, limit=MAX_HEADER_BYTES
        )
    except OSError as error:
        message = f"--port: cannot listen on 127.0.0.1:{port} ({error.strerror}); choose another."
        raise Misconfigured(message, code="PORT_IN_USE", argument="port") from None
    async with server:
        write_line(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        await server.serve_forever()
