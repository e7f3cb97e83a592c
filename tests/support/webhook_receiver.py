"""A receiver of webhooks in its own process: it captures requests and misbehaves on demand.

`PUT /` with {path: [action, …]} resets it; actions are used one by one, the last one repeats. `GET /` returns the captured
requests. An action is a status, or one of hang, reset, cut, junk, flood; or a list of status, headers and body."""

import asyncio
import base64
import json
import socket
import struct
import sys
import time
from typing import Any

ScriptedAction = Any
REASONS = {200: "OK"}


class ScriptedReceiver:
    """The captured requests, and the next actions."""

    def __init__(self) -> None:
        self.captured: list[dict[str, Any]] = []
        self.actions: dict[str, list[ScriptedAction]] = {}
        self.open = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handles one connection."""
        self.open += 1
        try:
            while await self.handle_request(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open -= 1
            writer.close()

    async def handle_request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Handles one request; returns whether another may follow."""
        header_block = await reader.readuntil(b"\r\n\r\n")
        first, *lines = header_block.decode("latin-1").split("\r\n")[:-2]
        method, path, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        if method == "PUT":
            self.captured, self.actions = [], json.loads(body)
            return self.respond(writer, 200, {}, b"{}")
        if method == "GET":
            return self.respond(writer, 200, {}, json.dumps(self.captured).encode())
        request = {
            "path": path,
            "headers": headers,
            "body": base64.b64encode(body).decode(),
            "received_at": time.time(),
        }
        self.captured.append(request)
        actions = self.actions.get(path, [200])
        action = actions.pop(0) if len(actions) > 1 else actions[0]
        request["action"] = action
        return await self.perform(writer, action)

    async def perform(self, writer: asyncio.StreamWriter, action: ScriptedAction) -> bool:
        """Performs the next action."""
        if isinstance(action, int):
            return self.respond(writer, action, {}, b"ok" if action < 300 else b"no")
        if isinstance(action, list):
            status, headers, body = action
            return self.respond(writer, status, headers, body.encode())
        if action == "hang":
            await asyncio.sleep(3600)
        elif action == "reset":
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        elif action == "junk":
            writer.write(b"SSH-2.0-OpenSSH_9.9\r\n")
            await writer.drain()
        elif action == "flood":
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n")
            while True:
                writer.write(b"x" * 65_536)
                await writer.drain()
        return False

    def respond(self, writer: asyncio.StreamWriter, status: int, headers: dict[str, str], body: bytes) -> bool:
        """Writes a response."""
        response_headers = {"content-length": str(len(body)), **headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in response_headers.items())
        writer.write(f"HTTP/1.1 {status} {REASONS.get(status, 'Scripted')}\r\n{lines}\r\n".encode() + body)
        return True


async def main(port: int) -> None:
    """Serves until it is killed; prints its port on standard output."""
    server = await asyncio.start_server(ScriptedReceiver().serve, "127.0.0.1", port, limit=2**20, backlog=1_000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
