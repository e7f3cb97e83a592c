"""What must be in place before a server can be launched, and the command that launches it. Who may do so is in server.py."""

import os
import random
import socket
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import NamedTuple

from hub.errors import Misconfigured
from hub.postgres import cluster, pidfile
from hub.postgres.binaries import Programs, copied, find
from hub.postgres.data_dir import Places, socket_dir, unusable, write_private
from hub.postgres.os_user import Account, account
from hub.postgres.pidfile import HOST

PORTS = range(15432, 32768)  # below the ports that outgoing connections are given
PORT_ATTEMPTS = 20
POLL = 0.01
GRACE = 5.0  # seconds for a process that let go of the lock to be gone

Notice = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wish:
    """How the server is to be started, if it is not running already."""

    durable: bool
    port: int | None
    settings: dict[str, str]
    notice: Notice


class Last(NamedTuple):
    """What is remembered of the last start."""

    owner: int
    port: int


def last(places: Places) -> Last | None:
    """Who started a server here last, and where."""
    text = places.owner.read_text().split() if places.owner.exists() else []
    return Last(*map(int, text)) if len(text) == 2 and all(map(str.isdecimal, text)) else None


def command(places: Places, wish: Wish, port: int, lock: int) -> list[str]:
    """Put everything in place, under the lock, for a launch; with this command."""
    tools = _tools(places, wish, lock)
    write_private(places.owner, f"{os.getpid()} {port}\n", durable=False)
    quoted = str(socket_dir(places, tools.user)).replace('"', '""')
    settings = wish.settings | {"logging_collector": "off", "log_destination": "stderr"}
    return tools.command(
        "postgres",
        [
            *("-D", str(places.cluster), "-h", HOST, "-p", str(port), "-k", f'"{quoted}"'),
            *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
        ],
    )


def left_behind(places: Places) -> pidfile.Running | None:
    """A server started by hand; a file that names no server any more is removed. Nobody holds the lock but us."""
    deadline = time.monotonic() + GRACE
    while True:
        running = pidfile.read(places.cluster)
        if running is not None and pidfile.whose(running.pid, places.cluster) == "nobody's":
            return None
        if running is None or not pidfile.is_alive(places.cluster):
            # Postgres itself does not start with an empty file, nor with any living process of its user for a server.
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


def choose_port(places: Places, wish: Wish, refused: Collection[int]) -> int:
    """The port asked for, or that of the last time, or any that is free."""
    if wish.port is not None:
        if not is_free(wish.port):
            raise Misconfigured(
                f"port {wish.port} of {HOST} is taken; name another for Postgres", code="PORT_IN_USE", argument="port"
            )
        return wish.port
    before = last(places)
    for port in [*([] if before is None else [before.port]), *random.sample(PORTS, PORT_ATTEMPTS)]:
        if port not in refused and is_free(port):
            return port
    raise Misconfigured(
        f"found no free port of {HOST} for Postgres among {PORT_ATTEMPTS}; name one", code="PORT_IN_USE"
    )


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError):
            return False
    return True


def _tools(places: Places, wish: Wish, lock: int) -> cluster.Tools:
    """See that there is a cluster that can be started, and with what."""
    major = cluster.examine(places)
    if left_behind(places) is not None:
        raise unusable(f"{places.cluster} is served by a Postgres that the hub did not start; stop it")
    tools = cluster.Tools(*_reachable(places, find(major)), lock)
    if major is None:
        wish.notice(f"making a new Postgres {tools.programs.version} cluster in {places.cluster}")
        cluster.create(places, tools, durable=wish.durable)
    cluster.check_owner(places, tools.user)
    if not places.password.exists():
        cluster.renew_passwords(places, tools)
    return tools


def _reachable(places: Places, programs: Programs) -> tuple[Programs, Account]:
    """Programs that can be run, and by whom; where directories of root are closed to that user, it is let through."""
    user = account(places.root)
    if not user.reaches(places.root):
        return programs, replace(user, way="search")
    if not user.reaches(programs.bin):
        copy = copied(programs, places.programs)
        return (copy, user) if copy is not None else (programs, replace(user, way="search"))
    return programs, user
