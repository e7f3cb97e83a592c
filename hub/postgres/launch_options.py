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
from hub.postgres.binaries import Programs, copy_programs, find_programs
from hub.postgres.data_dir import DataDirectory, socket_dir, unusable, write_private
from hub.postgres.os_user import PostgresUser, postgres_user
from hub.postgres.pidfile import HOST

PORTS = range(15432, 32768)  # below the ports that outgoing connections are given
PORT_ATTEMPTS = 20
POLL_INTERVAL = 0.01
EXIT_GRACE = 5.0  # seconds for a process that let go of the lock to be gone

NoticeHandler = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class LaunchOptions:
    """How the server is to be started, if it is not running already."""

    durable: bool
    port: int | None
    settings: dict[str, str]
    notice: NoticeHandler


class LastStart(NamedTuple):
    """What is remembered of the last start."""

    owner: int
    port: int


def read_last_start(directory: DataDirectory) -> LastStart | None:
    """Who started a server here last, and where."""
    fields = directory.owner_file.read_text().split() if directory.owner_file.exists() else []
    return LastStart(*map(int, fields)) if len(fields) == 2 and all(map(str.isdecimal, fields)) else None


def prepare_command(directory: DataDirectory, options: LaunchOptions, port: int, lock: int) -> list[str]:
    """Put everything in place, under the lock, for a launch; with this command."""
    tools = _prepare_tools(directory, options, lock)
    write_private(directory.owner_file, f"{os.getpid()} {port}\n", durable=False)
    quoted_socket_dir = str(socket_dir(directory, tools.user)).replace('"', '""')
    settings = options.settings | {"logging_collector": "off", "log_destination": "stderr"}
    return tools.command(
        "postgres",
        [
            *("-D", str(directory.cluster), "-h", HOST, "-p", str(port), "-k", f'"{quoted_socket_dir}"'),
            *(argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")),
        ],
    )


def stale_server(directory: DataDirectory) -> pidfile.RunningServer | None:
    """A server started by hand; a file that names no server any more is removed. Nobody holds the lock but us."""
    deadline = time.monotonic() + EXIT_GRACE
    while True:
        running = pidfile.read(directory.cluster)
        if running is not None and pidfile.process_owner(running.pid, directory.cluster) == "nobody's":
            return None
        if running is None or not pidfile.is_alive(directory.cluster):
            # Postgres itself does not start with an empty file, nor with any living process of its user for a server.
            (directory.cluster / "postmaster.pid").unlink(missing_ok=True)
            return None
        if pidfile.serving_server(directory.cluster) is not None:
            return running
        if time.monotonic() > deadline:
            raise unusable(
                f"{directory.cluster}/postmaster.pid names process {running.pid}, a Postgres that the hub did not start; "
                f"stop it, or, if it serves another directory, remove that file"
            )
        time.sleep(POLL_INTERVAL)


def choose_port(directory: DataDirectory, options: LaunchOptions, refused_ports: Collection[int]) -> int:
    """The port asked for, or that of the last time, or any that is free."""
    if options.port is not None:
        if not is_free(options.port):
            raise Misconfigured(
                f"port {options.port} of {HOST} is taken; name another for Postgres",
                code="PORT_IN_USE",
                argument="port",
            )
        return options.port
    previous = read_last_start(directory)
    for port in [*([] if previous is None else [previous.port]), *random.sample(PORTS, PORT_ATTEMPTS)]:
        if port not in refused_ports and is_free(port):
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


def _prepare_tools(directory: DataDirectory, options: LaunchOptions, lock: int) -> cluster.Tools:
    """See that there is a cluster that can be started, and with what."""
    major = cluster.cluster_version(directory)
    if stale_server(directory) is not None:
        raise unusable(f"{directory.cluster} is served by a Postgres that the hub did not start; stop it")
    tools = cluster.Tools(*_reachable_programs(directory, find_programs(major)), lock)
    if major is None:
        options.notice(f"making a new Postgres {tools.programs.version} cluster in {directory.cluster}")
        cluster.create(directory, tools, durable=options.durable)
    cluster.check_owner(directory, tools.user)
    if not directory.password_file.exists():
        cluster.renew_passwords(directory, tools)
    return tools


def _reachable_programs(directory: DataDirectory, programs: Programs) -> tuple[Programs, PostgresUser]:
    """Programs that can be run, and by whom; where directories of root are closed to that user, it is let through."""
    user = postgres_user(directory.root)
    if not user.can_reach(directory.root):
        return programs, replace(user, strategy="search")
    if not user.can_reach(programs.bin):
        copied_programs = copy_programs(programs, directory.programs_dir)
        return (copied_programs, user) if copied_programs is not None else (programs, replace(user, strategy="search"))
    return programs, user
