"""Runs several worker processes behind one socket: starts, supervises, restarts and stops them."""

import signal
import time
from collections.abc import Callable
from multiprocessing import connection, get_context
from multiprocessing.context import SpawnProcess

from hub.observability import InternalFailure, emit
from hub.web.server import STOP_SIGNALS

# Seconds. A worker that exits sooner failed to start, and a restart would fail too.
MIN_UPTIME = 5.0
# Seconds after the drain timeout before a worker is killed.
KILL_GRACE = 5.0
# Not fork: the parent process may have threads.
spawn_context = get_context("spawn")


class WorkerDied(Exception):
    """A worker exited without a stop signal."""


class Workers:
    """`count` processes that run `target(*arguments)`. `target` is importable; it ends on SIGTERM or its parent's death."""

    def __init__(
        self, count: int, target: Callable[..., None], arguments: tuple[object, ...], drain_timeout: float
    ) -> None:
        self._count, self._target, self._arguments, self._drain_timeout = count, target, arguments, drain_timeout
        self._running: dict[SpawnProcess, float] = {}
        self._stopping: float | None = None

    def run(self) -> bool:
        """Runs until all workers have exited; returns whether a signal stopped them."""
        previous_handlers = {
            signal_number: signal.signal(signal_number, lambda *_: self._stop()) for signal_number in STOP_SIGNALS
        }
        stopped_by_signal = True
        try:
            for _ in range(self._count):
                self._start()
            while self._running:
                connection.wait([process.sentinel for process in self._running], timeout=0.5)
                stopped_by_signal = self._check_processes() and stopped_by_signal
        finally:
            for signal_number, handler in previous_handlers.items():
                signal.signal(signal_number, handler)
        return stopped_by_signal

    def _start(self) -> None:
        process = spawn_context.Process(target=self._target, args=self._arguments)
        process.start()
        self._running[process] = time.monotonic()
        if self._stopping is not None:  # a stop signal arrived while the process started
            process.terminate()

    def _stop(self) -> None:
        self._stopping = self._stopping or time.monotonic()
        for process in self._running:
            process.terminate()

    def _check_processes(self) -> bool:
        """Restarts dead workers; stops all and returns False if one failed to start."""
        now, healthy = time.monotonic(), True
        for process, started_at in list(self._running.items()):
            if process.exitcode is None:
                continue
            del self._running[process]
            if self._stopping is not None:
                continue
            emit(
                InternalFailure(
                    "", "running a worker", WorkerDied(f"process {process.pid} ended with {process.exitcode}")
                )
            )
            if now - started_at < MIN_UPTIME:
                healthy = False
                self._stop()
            else:
                self._start()
        if self._stopping is not None and now - self._stopping > self._drain_timeout + KILL_GRACE:
            for process in self._running:
                process.kill()
        return healthy
