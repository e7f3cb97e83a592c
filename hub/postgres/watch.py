"""Keeps a server running: starts it, waits for it, starts it again when it dies unbidden, stops it when told."""

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence

from hub.errors import HubError
from hub.postgres import pidfile
from hub.postgres.places import Places, open_log, take_lock

POLL = 0.005
LOCK_POLL = 0.1
TOLD_EVERY = 10.0
# Fast stop; then at once, which the next start recovers from; then by the kernel. Each with its seconds.
STOPS = ((signal.SIGINT, 60.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0))
STEADY = 30.0  # seconds after which a server counts as having run
ATTEMPTS = 8  # starts in a row that may fail to run
LAST_LINES = 4
STAMP = re.compile(r"^.*? \[\d+\] ")


class Watch(threading.Thread):
    """Lives as long as the server: to the kernel, a child's parent is the *thread* that made it, and dies with it.

    `prepare` puts everything in place under the lock and gives the command of the server.
    """

    def __init__(
        self, prepare: Callable[[int], Sequence[str]], places: Places, notice: Callable[[str], None]
    ) -> None:
        super().__init__(name="postgres", daemon=True)
        self._prepare, self._places, self._notice = prepare, places, notice
        self._launch: tuple[int, Sequence[str]] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        self._launched, self._ready, self._stopping = threading.Event(), threading.Event(), threading.Event()
        self._guard = threading.Lock()
        self._failure: OSError | None = None

    @property
    def owns(self) -> bool:
        return self._process is not None and self._process.returncode is None

    def own(self, lock: int) -> None:
        """Launch the server under the lock."""
        self._launch = lock, self._prepare(lock)
        self.start()
        self._launched.wait()

    def inherit(self) -> None:
        """The server is another's; launch it anew when that one stopped or died."""
        self._ready.set()
        self.start()

    def until_ready(self) -> pidfile.Running | None:
        """The server, once it accepts connections, however long recovery takes; None when it gave up."""
        told = time.monotonic() + TOLD_EVERY
        while self._process is not None and self.owns:
            running = pidfile.read(self._places.cluster)
            if running is not None and (running.pid, running.status) == (self._process.pid, "ready"):
                self._ready.set()
                return running
            if time.monotonic() > told:
                told = time.monotonic() + TOLD_EVERY
                self._notice(
                    f"Postgres is still starting, most likely recovering after a crash; see {self._places.log}"
                )
            time.sleep(POLL)
        if self._failure is not None:
            raise self._failure
        return None

    def stop(self) -> None:
        """Stop the server, if it is ours, and wait until it has."""
        with self._guard:
            self._stopping.set()
            process = self._process
        for number, seconds in STOPS:
            if process is not None and self.is_alive():
                process.send_signal(number)
                self.join(seconds)
        if self.is_alive():
            self.join(LOCK_POLL)

    def log_since_start(self) -> str:
        with self._places.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def last_words(self) -> str:
        """The lines that say why the server gave up."""
        lines = [STAMP.sub("", line) for line in self.log_since_start().splitlines() if line]
        return " / ".join(lines[-LAST_LINES:]) or "it said nothing"

    def run(self) -> None:
        failed = 0
        if self._launch is not None:
            self._process = self._launched_with(*self._launch)
            self._launched.set()
        while not self._stopping.is_set():
            begun = time.monotonic()
            ...
