"""Several processes behind one socket: started, watched, started again when one dies, stopped together."""

import signal
import time
from collections.abc import Callable
from multiprocessing import connection, get_context
from multiprocessing.context import SpawnProcess

from hub.observability import Failed, tell
from hub.web.server import STOPS

# A worker that ends sooner than this never worked; starting it again would end the same way.
WORKED = 5.0
# Seconds that a worker has, beyond its requests' time to drain, to end by itself.
GRACE = 5.0
# Not forked: the process above may have threads.
spawn = get_context("spawn")


class WorkerDied(Exception):
    """A worker ended although nobody had told it to."""


class Workers:
    """`count` processes, each of which runs `work(*given)`: importable, and ended by SIGTERM or its parent's death."""

    def __init__(self, count: int, work: Callable[..., None], given: tuple[object, ...], drain: float) -> None:
        self._count, self._work, self._given, self._drain = count, work, given, drain
        self._running: dict[SpawnProcess, float] = {}
        self._stopping: float | None = None

    def run(self) -> bool:
        """Until all have ended; true when they did because a signal told them to."""
        before = {number: signal.signal(number, lambda *_: self._stop()) for number in STOPS}
        stopped_by_signal = True
        try:
            for _ in range(self._count):
                self._start()
            while self._running:
                connection.wait([process.sentinel for process in self._running], timeout=0.5)
                stopped_by_signal = self._look() and stopped_by_signal
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        return stopped_by_signal

    def _start(self) -> None:
        process = spawn.Process(target=self._work, args=self._given)
        process.start()
        self._running[process] = time.monotonic()
        if self._stopping is not None:  # it was told to meanwhile, and told this one nothing
            process.terminate()

    def _stop(self) -> None:
        self._stopping = self._stopping or time.monotonic()
        for process in self._running:
            process.terminate()

    def _look(self) -> bool:
        """False when a worker could not be started at all, and so all are stopped."""
        now, well = time.monotonic(), True
        for process, since in list(self._running.items()):
            if process.exitcode is None:
                continue
            del self._running[process]
            if self._stopping is not None:
                continue
            tell(Failed("", "running a worker", WorkerDied(f"process {process.pid} ended with {process.exitcode}")))
            if now - since < WORKED:
                well = False
                self._stop()
            else:
                self._start()
        if self._stopping is not None and now - self._stopping > self._drain + GRACE:
            for process in self._running:
                process.kill()
        return well
