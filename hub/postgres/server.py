"""The door: a running server for a data directory, attached to or started. watch.py keeps a started one running."""

import os
import random
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from hub.errors import Misconfigured
from hub.postgres import cluster, pidfile
from hub.postgres.account import Account, account
from hub.postgres.find import Programs, copied, find
from hub.postgres.pidfile import HOST
from hub.postgres.places import Places, explained, prepare, socket_dir, take_lock, unusable, write_private
from hub.postgres.watch import Watch

PORTS = range(15432, 32768)  # below the ports that outgoing connections are given
PORT_ATTEMPTS = 20
POLL = 0.01
PATIENCE = 120.0  # seconds another process may hold the directory without a server that lives
GRACE = 5.0  # seconds for a process that let go of the lock to be gone
TOLD_EVERY = 10.0
# For tests: a crash of the machine loses such a cluster, a crash of Postgres loses nothing.
VOLATILE = {"fsync": "off", "full_page_writes": "off"}

Notice = Callable[[str], None]


def silent(_: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running Postgres. `owned` when this process started it and so may stop it."""

    data_dir: Path
    port: int
    socket_dir: Path
    dsn: str = field(repr=False)  # holds the password
    admin_dsn: str = field(repr=False)
    watch: Watch | None

    @property
    def owned(self) -> bool:
        return self.watch is not None

    def stop(self) -> None:
        """Stop the server, fast and cleanly, if it is ours."""
        if self.watch is not None:
            self.watch.stop()
            if self.socket_dir.parent != self.data_dir:
                with suppress(OSError):
                    self.socket_dir.rmdir()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class Last(NamedTuple):
    """What is remembered of the last start."""

    owner: int
    port: int


@dataclass(frozen=True, slots=True)
class Wish:
    """How the server is to be started, if it is not running already."""

    durable: bool
    port: int | None
    settings: dict[str, str]
    notice: Notice


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
            server = _start(places, wish, lock, refused)
            if server is not None:
                return server
            continue
        cluster.examine(places)
        running = pidfile.serving(places.cluster)
        if running is not None and _has_owner(places, running):
            return _server(places, running.port, Path(running.socket_dir), None)
        now = time.monotonic()
        if _is_alive(places):
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
    parent, last = pidfile.parent(running.pid), _last(places)
    return parent is None or (last is not None and last.owner == parent)


def _last(places: Places) -> Last | None:
    """Who started a server here last, and where."""
    text = places.owner.read_text().split() if places.owner.exists() else []
    return Last(*map(int, text)) if len(text) == 2 and all(map(str.isdecimal, text)) else None


def _is_alive(places: Places) -> bool:
    """Whether there is a server, though it be starting, recovering or stopping."""
    running = pidfile.read(places.cluster)
    return running is not None and pidfile.whose(running.pid, places.cluster) in ("ours", "perhaps ours")


def _start(places: Places, wish: Wish, lock: int, refused: set[int]) -> Server | None:
    """Start the server under the lock; None when its port was taken meanwhile."""
    watch = None
    try:
        major = cluster.examine(places)
        running = _left_behind(places)
        if running is not None:
            return _server(places, running.port, Path(running.socket_dir), None)
        tools = _ready_cluster(places, wish, major, lock)
        port, sockets = _choose_port(places, wish, refused), socket_dir(places, tools.user)
        command = tools.command("postgres", _arguments(places, wish, port, sockets))
        write_private(places.owner, f"{os.getpid()} {port}\n")
        watch = Watch(command, places, lock, wish.notice)
    finally:
        if watch is None:
            os.close(lock)
    try:
        if watch.until_ready():
            return _server(places, port, sockets, watch)
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


def _ready_cluster(places: Places, wish: Wish, major: int | None, lock: int) -> cluster.Tools:
    """See that there is a cluster that can be started, and with what."""
    tools = cluster.Tools(*_reachable(places, find(major)), lock)
    if major is None:
        wish.notice(f"making a new Postgres {tools.programs.version} cluster in {places.cluster}")
        cluster.create(places, tools, durable=wish.durable)
    cluster.check_owner(places, tools.user)
    if not places.password.exists():
        cluster.renew_passwords(places, tools)
    return tools


def _server(places: Places, port: int, sockets: Path, watch: Watch | None) -> Server:
    secret = cluster.passwords(places)
    dsn, admin_dsn = (
        f"postgresql://{role}:{password}@{HOST}:{port}/{database}"
        for role, password, database in (
            (cluster.ROLE, secret.role, cluster.DATABASE),
            (cluster.ADMIN, secret.admin, cluster.ADMIN),
        )
    )
    return Server(places.root, port, sockets, dsn, admin_dsn, watch)


def _left_behind(places: Places) -> pidfile.Running | None:
    """A server started by hand; a file that names no server any more is removed. Nobody holds the lock but us."""
    deadline = time.monotonic() + GRACE
    while True:
        running = pidfile.read(places.cluster)
        if running is None or pidfile.whose(running.pid, places.cluster) == "nobody's":
            return None
        if not _is_alive(places):
            # Postgres itself takes any living process of its user for a server, and would not start.
            (places.cluster / "postmaster.pid").unlink(missing_ok=True)
            return None
        if pidfile.serving(places.cluster) is not None:
            return running
        if time.monotonic() > deadline:
            raise unusable(
                f"{places.cluster}/postmaster.pid names process {running.pid}, a Postgres that the hub did not start; "
                f"stop it, or, if it serves another directory, remove that file"
            )
        time.sleep(POLL)


def _reachable(places: Places, programs: Programs) -> tuple[Programs, Account]:
    """Programs that can be run, and by whom; where directories of root are closed to that user, it is let through."""
    user = account(places.root)
    if not user.reaches(places.root):
        return programs, replace(user, way="search")
    if not user.reaches(programs.bin):
        copy = copied(programs, places.programs)
        return (copy, user) if copy is not None else (programs, replace(user, way="search"))
    return programs, user


def _choose_port(places: Places, wish: Wish, refused: set[int]) -> int:
    """The port asked for, or that of the last time, or any that is free."""
    if wish.port is not None:
        if not _is_free(wish.port):
            raise Misconfigured(
                f"port {wish.port} of {HOST} is taken; name another for Postgres", code="PORT_IN_USE", argument="port"
            )
        return wish.port
    last = _last(places)
    for port in [*([] if last is None else [last.port]), *random.sample(PORTS, PORT_ATTEMPTS)]:
        if port not in refused and _is_free(port):
            return port
    raise Misconfigured(
        f"found no free port of {HOST} for Postgres among {PORT_ATTEMPTS}; name one", code="PORT_IN_USE"
    )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError):
            return False
    return True


def _arguments(places: Places, wish: Wish, port: int, sockets: Path) -> list[str]:
    quoted = str(sockets).replace('"', '""')
    settings = wish.settings | {"logging_collector": "off", "log_destination": "stderr"}
    return [
        *("-D", str(places.cluster), "-h", HOST, "-p", str(port), "-k", f'"{quoted}"'),
        *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
    ]
