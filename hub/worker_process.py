"""The worker process of `hub serve`: starts it, starts it again when it dies, and stops it with the hub.

The first one is a fork, which shares the memory of the built graph and costs no start; a later one is a new process, because
a process that serves has threads and connections. docs/decisions/0033-worker-process.md has the reasons."""

import gc
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Event, Lock, Thread
from time import monotonic

from hub import graph
from hub.observability import HubReady, HubStopping, WorkerEnded, add_handler, emit
from hub.settings import Settings
from hub.worker import WorkerStart, run_beside

RESTART_PAUSE, MAX_RESTART_PAUSE = 0.5, 30.0  # seconds until a dead worker is replaced, doubled while it keeps dying
STEADY_SECONDS = 60.0  # a worker that ran for so long is replaced after the short pause again
STOP_SECONDS = 10.0  # that a worker has to put back its jobs when the hub stops


class WorkerProcess:
    """The worker of one hub, whose serving processes wake it through the pipe `wakeups`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._received, self.wakeups = Pipe(duplex=False)
        self._stopping, self._lock = Event(), Lock()
        self._control: Connection | None = None
        self._process: BaseProcess | None = None
        self._start: WorkerStart | None = None

    def fork(self, server_socket: socket.socket) -> None:
        """Starts the first worker. It waits for a database; call it before the process has threads and locks of files."""
        control, self._control = Pipe(duplex=False)
        arguments = (self._settings, control, self._received, (self._control, self.wakeups, server_socket))
        self._process = get_context("fork").Process(target=_run_fork, args=arguments, daemon=True)
        self._process.start()
        control.close()

    @contextmanager
    def running(self, dsn: str, folder: Path) -> Iterator[None]:
        """Lets the worker work while the body runs, once this process serves, or at once if others do."""
        self._start = WorkerStart(dsn, folder)
        thread = Thread(target=self._supervise, name="worker supervisor", daemon=True)
        with ExitStack() as stack:
            stack.callback(add_handler(lambda _: self.stop(), HubStopping))
            if self._settings.workers == 1:  # its start takes nothing from that of the server
                stack.callback(add_handler(lambda _: self._send_start(), HubReady))
            else:
                self._send_start()
            thread.start()
            try:
                yield
            finally:
                self.stop()
                thread.join(STOP_SECONDS)
                if thread.is_alive() and self._process is not None:
                    self._process.kill()
                    thread.join()

    def stop(self) -> None:
        """Lets the worker end; does not wait for it."""
        self._stopping.set()
        with self._lock:
            if self._control is not None:
                self._control.close()
                self._control = None

    def _send_start(self) -> None:
        with self._lock:
            if self._control is not None and self._process is not None and self._process.is_alive():
                self._control.send(self._start)

    def _supervise(self) -> None:
        pause = RESTART_PAUSE
        while True:
            assert self._process is not None
            started_at = monotonic()
            self._process.join()
            if self._stopping.is_set():
                return
            is_steady = monotonic() - started_at >= STEADY_SECONDS
            pause = RESTART_PAUSE if is_steady else pause
            emit(WorkerEnded(self._process.exitcode or 0, pause))
            if self._stopping.wait(pause):
                return
            pause = min(MAX_RESTART_PAUSE, 2 * pause)
            self._restart()

    def _restart(self) -> None:
        with self._lock:
            if self._stopping.is_set():
                return
            if self._control is not None:
                self._control.close()
            control, self._control = Pipe(duplex=False)
            arguments = (self._settings, control, self._received)
            self._process = get_context("spawn").Process(target=run_beside, args=arguments, daemon=True)
            self._process.start()
            control.close()
            self._control.send(self._start)


def _run_fork(
    settings: Settings, control: Connection, wakeups: Connection, foreign: tuple[Connection | socket.socket, ...]
) -> None:
    """Runs the worker in a fork, without what is its parent's alone: an end of a pipe that it held would never close."""
    for resource in foreign:
        resource.close()
    run_beside(settings, control, wakeups)


@contextmanager
def prepared_worker(settings: Settings, server_socket: socket.socket) -> Iterator[WorkerProcess | None]:
    """Yields the worker of a hub that is about to start; None if `hub worker` does all of its work."""
    if settings.workers == 1:
        graph.build_with(settings.customer_columns)  # the slowest step: the fork shares it
    if not (settings.webhooks or settings.jobs):
        yield None
        return
    worker = WorkerProcess(settings)
    gc.freeze()  # a collection would write to the pages that the fork shares
    worker.fork(server_socket)
    try:
        yield worker
    finally:
        worker.stop()
