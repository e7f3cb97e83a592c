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
from hub.postgres.data_dir import DataDirectory, open_log, take_lock

POLL_INTERVAL = 0.005
LOCK_POLL_INTERVAL = 0.1
NOTICE_INTERVAL = 10.0
# Fast stop; then at once, which the next start recovers from; then by the kernel. Each with its seconds.
STOP_SIGNALS = ((signal.SIGINT, 60.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0))
STABLE_AFTER = 30.0  # seconds after which a server counts as having run
MAX_FAILED_STARTS = 8  # starts in a row that may fail to run
LAST_LINE_COUNT = 4
LOG_PREFIX = re.compile(r"^.*? \[\d+\] ")


class Supervisor(threading.Thread):
    """Lives as long as the server: to the kernel, a child's parent is the *thread* that made it, and dies with it.

    `prepare` puts everything in place under the lock and gives the command of the server.
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
        """Launch the server under the lock, of which the caller keeps its own descriptor."""
        command = self._prepare(lock)
        self._first_launch = os.dup(lock), command
        self.start()
        self._launched.wait()

    def take_over(self) -> None:
        """The server is another's; launch it anew when that one stopped or died."""
        self._ready.set()
        self.start()

    def wait_until_ready(self) -> pidfile.RunningServer | None:
        """The server, once it accepts connections, however long recovery takes; None when it gave up."""
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
        """Stop the server, if it is ours, and wait until it has."""
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
        """The lines that say why the server gave up."""
        lines = [LOG_PREFIX.sub("", line) for line in self.log_since_start().splitlines() if line]
        return " / ".join(lines[-LAST_LINE_COUNT:]) or "it said nothing"

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
            self._notice(f"Postgres ended unbidden (exit {exit_code})")
            self._stopping.wait(min(0.1 * 2**failures, 10))
            next_launch = self._next_launch()

    def _run_server(self, lock: int, command: Sequence[str]) -> int | None:
        """Run the server to its end; None when it could not be launched, or is not wanted any more."""
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
            # From here on the lock is held by the server alone, and exactly as long as any process of it lives.
            os.close(lock)
            self._launched.set()
        return process.wait()

    def _spawn(self, lock: int, command: Sequence[str]) -> subprocess.Popen[bytes]:
        log = open_log(self._directory)
        try:
            self._log_start = os.fstat(log).st_size
            # A session of its own: Ctrl-C is for the hub, which stops the server after its last request.
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
        """What to launch when no server lives any more, our own or another's; None when none is wanted or possible."""
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
