"""Keeps a server running: starts it, waits for it, starts it again when it dies unbidden, stops it when told."""

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence

from hub.postgres import pidfile
from hub.postgres.places import Places, open_log, take_lock

POLL = 0.005
TOLD_EVERY = 10.0
# Fast stop; then at once, which the next start recovers from; then by the kernel. Each with its seconds.
STOPS = ((signal.SIGINT, 60.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0))
STEADY = 30.0  # seconds after which a server counts as having run
ATTEMPTS = 8  # starts in a row that may fail to run
LAST_LINES = 4
STAMP = re.compile(r"^.*? \[\d+\] ")


class Watch(threading.Thread):
    """Lives as long as the server: to the kernel, a child's parent is the *thread* that made it, and dies with it."""

    def __init__(self, command: Sequence[str], places: Places, lock: int, notice: Callable[[str], None]) -> None:
        super().__init__(name="postgres", daemon=True)
        self._command, self._places, self._lock, self._notice = command, places, lock, notice
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        self._launched, self._ready, self._stopping = threading.Event(), threading.Event(), threading.Event()
        self._guard = threading.Lock()
        self._failure: OSError | None = None

    def until_ready(self) -> bool:
        """Start; true once connections are accepted, however long recovery takes; false when the server gave up."""
        self.start()
        self._launched.wait()
        told = time.monotonic() + TOLD_EVERY
        while self._failure is None and self._process is not None and self._process.returncode is None:
            running = pidfile.read(self._places.cluster)
            if running is not None and (running.pid, running.status) == (self._process.pid, "ready"):
                self._ready.set()
                return True
            if time.monotonic() > told:
                told = time.monotonic() + TOLD_EVERY
                self._notice(
                    f"Postgres is still starting, most likely recovering after a crash; see {self._places.log}"
                )
            time.sleep(POLL)
        if self._failure is not None:
            raise self._failure
        return False

    def stop(self) -> None:
        """Stop the server and wait until it has."""
        with self._guard:
            self._stopping.set()
            process = self._process
        for number, seconds in STOPS:
            if process is not None and self.is_alive():
                process.send_signal(number)
                self.join(seconds)

    def log_since_start(self) -> str:
        with self._places.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def last_words(self) -> str:
        """The lines that say why the server gave up."""
        lines = [STAMP.sub("", line) for line in self.log_since_start().splitlines() if line]
        return " / ".join(lines[-LAST_LINES:]) or "it said nothing"

    def run(self) -> None:
        lock: int | None = self._lock
        failed = 0
        while lock is not None:
            begun = time.monotonic()
            code = self._run_once(lock)
            if code is None or self._stopping.is_set() or not self._ready.is_set():
                return
            if code == 0:
                self._notice("Postgres was stopped by someone else; it stays stopped until the hub is started again")
                return
            failed = 0 if time.monotonic() - begun > STEADY else failed + 1
            if failed > ATTEMPTS:
                self._notice(f"Postgres died {failed} times in a row, last: {self.last_words()}; giving up")
                return
            self._notice(f"Postgres died (exit {code}); starting it again")
            self._stopping.wait(min(0.1 * 2**failed, 10))
            lock = self._regained_lock()

    def _run_once(self, lock: int) -> int | None:
        """Run the server to its end; None when it could not be launched, or is not wanted any more."""
        try:
            with self._guard:
                if self._stopping.is_set():
                    return None
                self._process = self._launch(lock)
        except OSError as error:
            self._failure = error
            self._notice(f"Postgres cannot be started: {error}")
            return None
        finally:
            # From here on the lock is held by the server alone, and exactly as long as it lives.
            os.close(lock)
            self._launched.set()
        return self._process.wait()

    def _launch(self, lock: int) -> subprocess.Popen[bytes]:
        log = open_log(self._places)
        try:
            self._log_start = os.fstat(log).st_size
            # A session of its own: Ctrl-C is for the hub, which stops the server after its last request.
            return subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(lock,),
                start_new_session=True,
                cwd="/",
            )
        finally:
            os.close(log)

    def _regained_lock(self) -> int | None:
        """The lock, once no process of the dead server holds it; None at the end, or when another process took over."""
        while not self._stopping.is_set():
            lock = take_lock(self._places)
            if lock is not None:
                return lock
            if pidfile.serving(self._places.cluster) is not None:
                return None
            self._stopping.wait(POLL)
        return None
