"""The door: a running server for a data directory, attached to or started. watch.py keeps a started one running."""

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
from hub.postgres.data_dir import Places, explained, prepare, take_lock, unusable
from hub.postgres.launch_options import Notice, Wish, choose_port, command, last, left_behind
from hub.postgres.pidfile import HOST
from hub.postgres.supervisor import Watch

POLL = 0.01
PATIENCE = 120.0  # seconds another process may hold the directory without a server that lives
TOLD_EVERY = 10.0
# For tests: a crash of the machine loses such a cluster, a crash of Postgres loses nothing.
VOLATILE = {"fsync": "off", "full_page_writes": "off"}


def silent(_: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running Postgres, which goes on running, at this address, until the last process that wants it has stopped it."""

    data_dir: Path
    port: int
    socket_dir: Path
    dsn: str = field(repr=False)  # holds the password
    admin_dsn: str = field(repr=False)
    watch: Watch | None = field(repr=False)

    @property
    def near_dsn(self) -> str:
        """The same database through the socket, where we may use it: a fifth less work per statement."""
        if not os.access(self.socket_dir / f".s.PGSQL.{self.port}", os.W_OK):
            return self.dsn  # somebody else started it
        parts = urlsplit(self.dsn)
        place = urlencode({"host": self.socket_dir, "port": self.port})
        return urlunsplit(parts._replace(netloc=f"{parts.username}:{parts.password}@", query=place))

    @property
    def owned(self) -> bool:
        """Whether this process started it, and stops it; another may have, and when that one ends, this one follows."""
        return self.watch is not None and self.watch.owns

    def stop(self) -> None:
        """Want it no longer: stop it, fast and cleanly, if it is ours."""
        owned = self.owned
        if self.watch is not None:
            self.watch.stop()
        if owned and self.socket_dir.parent != self.data_dir:
            with suppress(OSError):
                self.socket_dir.rmdir()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def ensure(
    data_dir: Path,
    *,
    durable: bool = True,
    port: int | None = None,
    shared_buffers: str = "256MB",
    max_connections: int = 100,
    notice: Notice = silent,
) -> Server:
    """A server for this directory: the one that runs, or a new one, with a cluster made at the first time."""
    settings = {"shared_buffers": shared_buffers, "max_connections": str(max_connections)}
    wish = Wish(durable, port, settings if durable else settings | VOLATILE, notice)
    places = Places(data_dir)
    try:
        places = prepare(data_dir)
        return _ensure(places, wish)
    except OSError as error:
        raise explained(error, places) from error


def _ensure(places: Places, wish: Wish) -> Server:
    """Whoever gets the lock starts the server, which then holds it; all others wait until that one is ready."""
    refused: set[int] = set()
    patience = time.monotonic() + PATIENCE
    told = time.monotonic() + TOLD_EVERY
    while True:
        lock = take_lock(places)
        if lock is not None:
            server = _started(places, wish, lock, refused)
            if server is not None:
                return server
            continue
        cluster.examine(places)
        running = pidfile.serving(places.cluster)
        if running is not None and _has_owner(places, running):
            return _attached(places, wish, running)
        now = time.monotonic()
        if pidfile.is_alive(places.cluster):
            patience = now + PATIENCE
        if now > patience:
            raise unusable(
                f"another process, perhaps in another container, holds {places.root} and has no server ready; "
                f"stop it, or choose another data directory"
            )
        if now > told:
            told = now + TOLD_EVERY
            wish.notice(f"waiting for the Postgres of {places.root}, which another process is starting or stopping")
        time.sleep(POLL)


def _has_owner(places: Places, running: pidfile.Running) -> bool:
    """False in the moment when the owner of a server has died, and the server is about to notice."""
    parent, before = pidfile.parent(running.pid), last(places)
    return parent is None or (before is not None and before.owner == parent)


def _attached(places: Places, wish: Wish, running: pidfile.Running) -> Server:
    watch = Watch(partial(command, places, wish, running.port), places, wish.notice)
    server = _server(places, running, watch)
    watch.inherit()
    return server


def _started(places: Places, wish: Wish, lock: int, refused: set[int]) -> Server | None:
    """Start the server under the lock; None when its port was taken meanwhile."""
    try:
        cluster.examine(places)
        running = left_behind(places)
        if running is not None:
            return _server(places, running, None)
        port = choose_port(places, wish, refused)
        watch = Watch(partial(command, places, wish, port), places, wish.notice)
        watch.own(lock)
    finally:
        os.close(lock)
    try:
        running = watch.until_ready()
        if running is not None:
            return _server(places, running, watch)
    except BaseException:
        watch.stop()
        raise
    if wish.port is None and "could not create any TCP/IP sockets" in watch.log_since_start():
        refused.add(port)
        return None
    raise Misconfigured(
        f"Postgres did not start in {places.root}: {watch.last_words()} (all of it: {places.log})",
        code="POSTGRES_FAILED",
    )


def _server(places: Places, running: pidfile.Running, watch: Watch | None) -> Server:
    secret = cluster.passwords(places)
    dsn, admin_dsn = (
        f"postgresql://{role}:{password}@{HOST}:{running.port}/{database}"
        for role, password, database in (
            (cluster.ROLE, secret.role, cluster.DATABASE),
            (cluster.ADMIN, secret.admin, cluster.ADMIN),
        )
    )
    return Server(places.root, running.port, Path(running.socket_dir), dsn, admin_dsn, watch)
