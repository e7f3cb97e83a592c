"""Supervises a server: starts it, waits until it is ready, restarts it after a crash, stops it on request."""

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence

from hub.errors import HubError
from hub.postgres import pidfile
from hub.postgres.data_dir import DataDirectory, open_log, take_lock

POLL_INTERVAL = 0.005
LOCK_POLL_INTERVAL = 0.1
NOTICE_INTERVAL = 10.0
# Fast shutdown, then immediate shutdown (the next start recovers), then SIGKILL; each with its timeout in seconds.
STOP_SIGNALS = ((signal.SIGINT, 60.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0))
STABLE_AFTER = 30.0  # seconds after which a start counts as successful
MAX_FAILED_STARTS = 8  # failed starts in a row before it gives up
LAST_LINE_COUNT = 4
LOG_PREFIX = re.compile(r"^.*? \[\d+\] ")


class Supervisor(threading.Thread):
    """A thread that lives as long as the server: for the kernel, a child's parent is the *thread* that started it.

    `prepare` prepares a launch while holding the lock and returns the command of the server.
    """

    def __init__(
        self, prepare: Callable[[int], Sequence[str]], directory: DataDirectory, notice: Callable[[str], None]
    ) -> None:
        super().__init__(name="postgres", daemon=True)
        self._prepare, self._directory, self._notice = prepare, directory, notice
        self._first_launch: tuple[int, Sequence[str]] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        self._launched, self._ready, self._stopping = threading.Event(), threading.Event(), threading.Event()
        self._process_lock = threading.Lock()
        self._failure: OSError | None = None

    @property
    def owns(self) -> bool:
        return self._process is not None and self._process.returncode is None

    def launch(self, lock: int) -> None:
        """Launches the server with a duplicate of the lock; the caller keeps its own descriptor."""
        command = self._prepare(lock)
        self._first_launch = os.dup(lock), command
        self.start()
        self._launched.wait()

    def take_over(self) -> None:
        """Watches a server of another process, and launches a new one when it has ended."""
        self._ready.set()
        self.start()

    def wait_until_ready(self) -> pidfile.RunningServer | None:
        """Waits until the server accepts connections, however long recovery takes; None if it ended instead."""
        next_notice = time.monotonic() + NOTICE_INTERVAL
        while self._process is not None and self.owns:
            running = pidfile.read(self._directory.cluster)
            if running is not None and (running.pid, running.status) == (self._process.pid, "ready"):
                self._ready.set()
                return running
            if time.monotonic() > next_notice:
                next_notice = time.monotonic() + NOTICE_INTERVAL
                self._notice(
                    f"Postgres is still starting, most likely recovering after a crash; see {self._directory.log_file}"
                )
            time.sleep(POLL_INTERVAL)
        if self._failure is not None:
            raise self._failure
        return None

    def stop(self) -> None:
        """Stops the server, if this process owns it, and waits until it has ended."""
        with self._process_lock:
            self._stopping.set()
            process = self._process
        for signal_number, seconds in STOP_SIGNALS:
            if process is not None and self.is_alive():
                process.send_signal(signal_number)
                self.join(seconds)
        if self.is_alive():
            self.join(LOCK_POLL_INTERVAL)

    def log_since_start(self) -> str:
        with self._directory.log_file.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def last_log_lines(self) -> str:
        """Returns the last lines of the log, which say why the server ended."""
        lines = [LOG_PREFIX.sub("", line) for line in self.log_since_start().splitlines() if line]
        return " / ".join(lines[-LAST_LINE_COUNT:]) or "its log is empty"

    def run(self) -> None:
        failures = 0
        next_launch = self._first_launch or self._next_launch()
        while next_launch is not None:
            started_at = time.monotonic()
            exit_code = self._run_server(*next_launch)
            if exit_code is None or self._stopping.is_set() or not self._ready.is_set():
                return
            failures = 0 if time.monotonic() - started_at > STABLE_AFTER else failures + 1
            if failures > MAX_FAILED_STARTS:
                self._notice(f"Postgres ended {failures} times in a row, last: {self.last_log_lines()}; giving up")
                return
            self._notice(f"Postgres ended unexpectedly (exit {exit_code})")
            self._stopping.wait(min(0.1 * 2**failures, 10))
            next_launch = self._next_launch()

    def _run_server(self, lock: int, command: Sequence[str]) -> int | None:
        """Runs the server until it ends and returns its exit code; None if it could not be launched or was stopped before."""
        try:
            with self._process_lock:
                if self._stopping.is_set():
                    return None
                process = self._process = self._spawn(lock, command)
        except OSError as error:
            self._failure = error
            self._notice(f"Postgres cannot be started: {error}")
            return None
        finally:
            # From here on only the server holds the lock, for as long as any of its processes lives.
            os.close(lock)
            self._launched.set()
        return process.wait()

    def _spawn(self, lock: int, command: Sequence[str]) -> subprocess.Popen[bytes]:
        log = open_log(self._directory)
        try:
            self._log_start = os.fstat(log).st_size
            # A session of its own: Ctrl-C goes to the hub, which stops the server after its last request.
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(lock,),
                start_new_session=True,
                cwd="/",
            )
        finally:
            os.close(log)

    def _next_launch(self) -> tuple[int, Sequence[str]] | None:
        """Waits until no server runs, then prepares the next launch; None if stopped or if it fails."""
        while not self._stopping.wait(LOCK_POLL_INTERVAL):
            try:
                lock = take_lock(self._directory)
                if lock is None:
                    continue
                try:
                    self._notice("Postgres has ended; starting it again")
                    command = self._prepare(lock)
                    return os.dup(lock), command
                finally:
                    os.close(lock)
            except (OSError, HubError) as error:
                self._notice(f"Postgres cannot be started: {error}")
                return None
        return None
