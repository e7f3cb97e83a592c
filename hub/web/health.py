"""/healthz, /readyz and /metrics: what keepers and their machines ask. Without a key, and so without a secret."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from hub.errors import HubError
from hub.observability import Failed, tell
from hub.web.http import responses
from hub.web.metrics import Metrics

HEALTHY = b'{"status":"ok"}'
PATIENCE = 1.0
# Anyone may ask whether the hub is ready, so asking often must not cost the database much.
BELIEVED = 0.25

SAFE = {name.decode(): value.decode() for name, value in responses.SAFE}

Check = Callable[[], Awaitable[None]]


class Readiness:
    """Whether the hub can answer; `check` raises when it cannot. Those who ask at once share one look."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._looking: asyncio.Task[str] | None = None
        self._looked = 0.0
        self._reason = ""

    async def reason(self) -> str:
        """Why not; "" when ready."""
        if self._looking is None and time.monotonic() - self._looked < BELIEVED:
            return self._reason
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        return await asyncio.shield(self._looking)

    async def _look(self) -> str:
        try:
            async with asyncio.timeout(PATIENCE):
                await self._check()
            self._reason = ""
        except TimeoutError:
            self._reason = f"the database has not answered within {PATIENCE:g} s"
        except HubError as error:
            self._reason = error.message
        except Exception as error:
            tell(Failed("", "looking whether the hub is ready", error))
            self._reason = "the database does not answer"
        self._looked, self._looking = time.monotonic(), None
        return self._reason


def routes(check: Check, metrics: Metrics | None) -> list[BaseRoute]:
    """The routes; without /metrics when it is switched off."""
    readiness = Readiness(check)

    async def healthz(_: Request) -> Response:
        return Response(HEALTHY, headers=SAFE, media_type="application/json")

    async def readyz(_: Request) -> Response:
        reason = await readiness.reason()
        told = {"status": "unready", "reason": reason} if reason else {"status": "ready"}
        return JSONResponse(told, 503 if reason else 200, SAFE)

    found: list[BaseRoute] = [Route("/healthz", healthz, methods=["GET"]), Route("/readyz", readyz, methods=["GET"])]
    if metrics is not None:
        scraped = metrics

        async def numbers(_: Request) -> Response:
            return Response(scraped.text(), headers=SAFE, media_type="text/plain; version=0.0.4; charset=utf-8")

        found.append(Route("/metrics", numbers, methods=["GET"]))
    return found
