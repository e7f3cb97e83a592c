"""An upper bound for Python: HTTP and almost nothing else before Postgres.

A request's variables are the arguments of the statement that the hub sends for the same document. There is no key, no
parsing, no validation, no limit, no metric and no log. The benchmarks start it as a child process.
"""

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
from bench.workloads import CUSTOMER_ID_PREFIX

NAME = slice(6, 8)  # the workload's name in `query W1(…`
EMPTY_RESPONSE = b'{"data":{}}'


class BareApp:
    """An ASGI application. `statements` has, by workload, a statement and its arguments.

    An argument is the name of a variable, or a list with a constant value.
    """

    def __init__(self, statements: Mapping[str, tuple[str, Sequence[Any]]]) -> None:
        self._statements = statements
        self._idle: asyncio.LifoQueue[Mapping[str, Any]] = asyncio.LifoQueue()

    async def _open(self) -> None:
        for _ in range(int(os.environ["POOL_SIZE"])):
            connection = await asyncpg.connect(os.environ["DATABASE_URL"], server_settings={"jit": "off"})
            await connection.set_type_codec("json", schema="pg_catalog", encoder=bytes, decoder=bytes, format="binary")
            self._idle.put_nowait({name: await connection.prepare(sql) for name, (sql, _) in self._statements.items()})
        gc.collect()
        gc.freeze()

    async def _respond(self, request: Any) -> bytes:
        name = request["query"][NAME]
        if name not in self._statements:
            return EMPTY_RESPONSE
        values = [
            _value(request["variables"][argument]) if isinstance(argument, str) else argument[0]
            for argument in self._statements[name][1]
        ]
        statements = await self._idle.get()
        data: bytes = await statements[name].fetchval(*values)
        self._idle.put_nowait(statements)
        return b'{"data":' + data + b"}"

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
        response = await self._respond(orjson.loads(body))
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(response))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": response})


def _value(value: str) -> UUID | str:
    return UUID(value.removeprefix(CUSTOMER_ID_PREFIX)) if value.startswith(CUSTOMER_ID_PREFIX) else value


def main() -> None:
    """Serve on loopback until stopped; the environment has all options."""
    serve(BareApp(orjson.loads(os.environ["STATEMENTS"])))


if __name__ == "__main__":
    main()
