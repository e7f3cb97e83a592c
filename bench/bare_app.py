"""A floor, not a rival: HTTP and Python with next to nothing between them and Postgres. A request's variables go into the very
statement that the hub sends for its document; no key is asked for, nothing is parsed, checked, bounded, counted or logged.

Started as a child process by the bench."""

import asyncio
import gc
import os
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from starlette.types import Receive, Scope, Send

from bench.children import serve

NAME = slice(6, 8)  # of a workload, in `query W1(…`
NOTHING = b'{"data":{}}'
ID = "cus_"


class Bare:
    """An ASGI application. By name, `asked` has a statement and its arguments: names of variables, or values in lists."""

    def __init__(self, asked: Mapping[str, tuple[str, Sequence[Any]]]) -> None:
        self._asked = asked
        self._idle: asyncio.LifoQueue[Mapping[str, Any]] = asyncio.LifoQueue()

    async def _open(self) -> None:
        for _ in range(int(os.environ["POOL_SIZE"])):
            connection = await asyncpg.connect(os.environ["DATABASE_URL"], server_settings={"jit": "off"})
            await connection.set_type_codec("json", schema="pg_catalog", encoder=bytes, decoder=bytes, format="binary")
            self._idle.put_nowait({name: await connection.prepare(sql) for name, (sql, _) in self._asked.items()})
        gc.collect()
        gc.freeze()

    async def _answer(self, request: Any) -> bytes:
        name = request["query"][NAME]
        if name not in self._asked:
            return NOTHING
        values = [
            _value(request["variables"][each]) if isinstance(each, str) else each[0] for each in self._asked[name][1]
        ]
        statements = await self._idle.get()
        found: bytes = await statements[name].fetchval(*values)
        self._idle.put_nowait(statements)
        return b'{"data":' + found + b"}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await self._open()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        message = await receive()
        body = message["body"]
        while message["more_body"]:
            message = await receive()
            body += message["body"]
        answer = await self._answer(orjson.loads(body))
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


def _value(given: str) -> UUID | str:
    return UUID(given.removeprefix(ID)) if given.startswith(ID) else given


def main() -> None:
    """Serve on loopback until stopped; the bench hands all of it over in the environment."""
    serve(Bare(orjson.loads(os.environ["STATEMENTS"])))


if __name__ == "__main__":
    main()
