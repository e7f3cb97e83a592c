"""/healthz, /readyz and /metrics for monitoring. They need no key and disclose no secret."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from hub.errors import HubError
from hub.observability import InternalFailure, emit
from hub.web.http import responses
from hub.web.metrics import Metrics

HEALTHY_BODY = b'{"status":"ok"}'
PROBE_TIMEOUT = 1.0  # seconds
# Seconds. Anyone may call /readyz, so frequent calls must not load the database.
CACHE_TTL = 0.25

DatabaseProbe = Callable[[], Awaitable[None]]


class Readiness:
    """Whether the hub is ready; `probe` raises if it is not. Concurrent calls share one probe."""

    def __init__(self, probe: DatabaseProbe) -> None:
        self._probe = probe
        self._probe_task: asyncio.Task[str] | None = None
        self._probed_at = 0.0
        self._reason = ""

    async def reason(self) -> str:
        """Returns why the hub is not ready, or "" if it is."""
        if self._probe_task is None and time.monotonic() - self._probed_at < CACHE_TTL:
            return self._reason
        if self._probe_task is None:
            self._probe_task = asyncio.create_task(self._run_probe())
        return await asyncio.shield(self._probe_task)

    async def _run_probe(self) -> str:
        try:
            async with asyncio.timeout(PROBE_TIMEOUT):
                await self._probe()
            self._reason = ""
        except TimeoutError:
            self._reason = f"the database did not respond within {PROBE_TIMEOUT:g} s"
        except HubError as error:
            self._reason = error.message
        except Exception as error:
            emit(InternalFailure("", "probing the database", error))
            self._reason = "the database does not respond"
        self._probed_at, self._probe_task = time.monotonic(), None
        return self._reason


def routes(
    probe: DatabaseProbe, metrics: Metrics | None, worker_is_down: Callable[[], bool] | None = None
) -> list[BaseRoute]:
    """Returns the routes; /metrics only if `metrics` is set. A hub without its worker serves, and says so."""
    readiness = Readiness(probe)

    async def healthz(_: Request) -> Response:
        return Response(HEALTHY_BODY, headers=responses.TEXT_SECURITY_HEADERS, media_type="application/json")

    async def readyz(_: Request) -> Response:
        reason = await readiness.reason()
        body = {"status": "unready", "reason": reason} if reason else {"status": "ready"}
        if worker_is_down is not None and worker_is_down():
            body["worker"] = "down"
        return JSONResponse(body, 503 if reason else 200, responses.TEXT_SECURITY_HEADERS)

    endpoints: list[BaseRoute] = [
        Route("/healthz", healthz, methods=["GET"]),
        Route("/readyz", readyz, methods=["GET"]),
    ]
    if metrics is not None:
        scraped = metrics

        async def metrics_page(_: Request) -> Response:
            return Response(
                scraped.exposition(),
                headers=responses.TEXT_SECURITY_HEADERS,
                media_type="text/plain; version=0.0.4; charset=utf-8",
            )

        endpoints.append(Route("/metrics", metrics_page, methods=["GET"]))
    return endpoints
