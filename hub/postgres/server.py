"""Entry point: attaches to the running server of a data directory, or starts one. supervisor.py keeps it running."""

import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlencode, urlsplit, urlunsplit

from hub.errors import Misconfigured
from hub.postgres import cluster, pidfile
from hub.postgres.data_dir import DataDirectory, data_dir_error, no_hub, prepare, take_lock, unusable
from hub.postgres.launch_options import (
    LaunchOptions,
    NoticeHandler,
    choose_port,
    prepare_command,
    read_last_start,
    stale_server,
)
from hub.postgres.pidfile import HOST
from hub.postgres.supervisor import Supervisor

POLL_INTERVAL = 0.01
LOCK_HOLDER_TIMEOUT = 120.0  # seconds that another process may hold the lock without a living server
NOTICE_INTERVAL = 10.0
# For tests: a crash of the machine may lose the cluster, a crash of Postgres loses nothing.
VOLATILE = {"fsync": "off", "full_page_writes": "off"}


def ignore_notice(_: str) -> None:
    """Ignores a notice."""


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running Postgres at this address. It runs until the last process that uses it has stopped it."""

    data_dir: Path
    port: int
    socket_dir: Path
    dsn: str = field(repr=False)  # contains the password
    admin_dsn: str = field(repr=False)
    supervisor: Supervisor | None = field(repr=False)

    @property
    def socket_dsn(self) -> str:
        """The URL of the same database through the Unix socket, if this user may open it: a fifth less CPU per statement."""
        if not os.access(self.socket_dir / f".s.PGSQL.{self.port}", os.W_OK):
            return self.dsn  # another user started it
        parts = urlsplit(self.dsn)
        query = urlencode({"host": self.socket_dir, "port": self.port})
        return urlunsplit(parts._replace(netloc=f"{parts.username}:{parts.password}@", query=query))

    @property
    def owned(self) -> bool:
        """Whether this process started the server. If another did, this process takes over when that one ends."""
        return self.supervisor is not None and self.supervisor.owns

    def stop(self) -> None:
        """Releases the server; if this process owns it, stops it with a fast shutdown."""
        owned = self.owned
        if self.supervisor is not None:
            self.supervisor.stop()
        if owned and self.socket_dir.parent != self.data_dir:
            with suppress(OSError):
                self.socket_dir.rmdir()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, exc_traceback: TracebackType | None
    ) -> None:
        self.stop()


def ensure(
    data_dir: Path,
    *,
    create: bool = True,
    durable: bool = True,
    port: int | None = None,
    shared_buffers: str = "256MB",
    max_connections: int = 100,
    notice: NoticeHandler = ignore_notice,
) -> PostgresServer:
    """Returns the running server of a directory, or starts one. Raises Misconfigured.

    The first start creates the cluster; with `create=False` a directory without one is refused and left as it is."""
    settings = {"shared_buffers": shared_buffers, "max_connections": str(max_connections)}
    options = LaunchOptions(create, durable, port, settings if durable else settings | VOLATILE, notice)
    directory = DataDirectory(data_dir)
    try:
        directory = prepare(data_dir, create=create)
        return _ensure(directory, options)
    except OSError as error:
        raise data_dir_error(error, directory) from error


def _ensure(directory: DataDirectory, options: LaunchOptions) -> PostgresServer:
    """The process that takes the lock starts the server, which then holds it; the others wait until it is ready."""
    refused_ports: set[int] = set()
    deadline = time.monotonic() + LOCK_HOLDER_TIMEOUT
    next_notice = time.monotonic() + NOTICE_INTERVAL
    while True:
        lock = take_lock(directory)
        if lock is not None:
            server = _start(directory, options, lock, refused_ports)
            if server is not None:
                return server
            continue
        cluster.cluster_version(directory)
        running = pidfile.serving_server(directory.cluster)
        if running is not None and _has_owner(directory, running):
            return _attach(directory, options, running)
        now = time.monotonic()
        if pidfile.is_alive(directory.cluster):
            deadline = now + LOCK_HOLDER_TIMEOUT
        if now > deadline:
            raise unusable(
                f"another process, perhaps in another container, holds {directory.root} and has no server ready; "
                f"stop it, or choose another data directory"
            )
        if now > next_notice:
            next_notice = now + NOTICE_INTERVAL
            options.notice(
                f"waiting for the Postgres of {directory.root}, which another process is starting or stopping"
            )
        time.sleep(POLL_INTERVAL)


def _has_owner(directory: DataDirectory, running: pidfile.RunningServer) -> bool:
    """Whether the process that started the server still lives; if not, the server is about to stop."""
    parent, previous = pidfile.parent(running.pid), read_last_start(directory)
    return parent is None or (previous is not None and previous.owner == parent)


def _attach(directory: DataDirectory, options: LaunchOptions, running: pidfile.RunningServer) -> PostgresServer:
    supervisor = Supervisor(partial(prepare_command, directory, options, running.port), directory, options.notice)
    server = _server(directory, running, supervisor)
    supervisor.take_over()
    return server


def _start(
    directory: DataDirectory, options: LaunchOptions, lock: int, refused_ports: set[int]
) -> PostgresServer | None:
    """Starts the server while holding the lock; None if another process took its port."""
    try:
        if cluster.cluster_version(directory) is None and not options.create:
            raise no_hub(directory)
        running = stale_server(directory)
        if running is not None:
            return _server(directory, running, None)
        port = choose_port(directory, options, refused_ports)
        supervisor = Supervisor(partial(prepare_command, directory, options, port), directory, options.notice)
        supervisor.launch(lock)
    finally:
        os.close(lock)
    try:
        running = supervisor.wait_until_ready()
        if running is not None:
            return _server(directory, running, supervisor)
    except BaseException:
        supervisor.stop()
        raise
    if options.port is None and "could not create any TCP/IP sockets" in supervisor.log_since_start():
        refused_ports.add(port)
        return None
    raise Misconfigured(
        f"Postgres did not start in {directory.root}: {supervisor.last_log_lines()} (all of it: {directory.log_file})",
        code="POSTGRES_FAILED",
    )


def _server(directory: DataDirectory, running: pidfile.RunningServer, supervisor: Supervisor | None) -> PostgresServer:
    secret = cluster.passwords(directory)
    dsn, admin_dsn = (
        f"postgresql://{role}:{password}@{HOST}:{running.port}/{database}"
        for role, password, database in (
            (cluster.ROLE, secret.role, cluster.DATABASE),
            (cluster.ADMIN, secret.admin, cluster.ADMIN),
        )
    )
    return PostgresServer(directory.root, running.port, Path(running.socket_dir), dsn, admin_dsn, supervisor)
