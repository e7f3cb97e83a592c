"""Prepares the launch of a server: cluster, user, port and command. See server.py for which process may launch it."""

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
from hub.postgres.os_user import ACCOUNT, NOBODY, PostgresUser, create_account, postgres_user
from hub.postgres.pidfile import HOST

PORTS = range(15432, 32768)  # below the ephemeral ports of outgoing connections
PORT_ATTEMPTS = 20
POLL_INTERVAL = 0.01
EXIT_GRACE = 5.0  # seconds for a process to end after it has released the lock

NoticeHandler = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class LaunchOptions:
    """How to start the server, if it is not running."""

    create: bool
    durable: bool
    port: int | None
    settings: dict[str, str]
    notice: NoticeHandler


class LastStart(NamedTuple):
    """The process and the port of the last start."""

    owner: int
    port: int


def read_last_start(directory: DataDirectory) -> LastStart | None:
    """Returns the last start of a server in this directory, if it is known."""
    fields = directory.owner_file.read_text().split() if directory.owner_file.exists() else []
    return LastStart(*map(int, fields)) if len(fields) == 2 and all(map(str.isdecimal, fields)) else None


def prepare_command(directory: DataDirectory, options: LaunchOptions, port: int, lock: int) -> list[str]:
    """Prepares everything for a launch, while holding the lock, and returns the command."""
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
    """Returns a server that was started by hand, and removes a stale postmaster.pid. The caller holds the lock."""
    deadline = time.monotonic() + EXIT_GRACE
    while True:
        running = pidfile.read(directory.cluster)
        if running is not None and pidfile.process_owner(running.pid, directory.cluster) == "nobody's":
            return None
        if running is None or not pidfile.is_alive(directory.cluster):
            # Postgres does not start while the file is empty or names any living process of its user.
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
    """Returns the requested port, else that of the last start, else any free port. Raises Misconfigured."""
    if options.port is not None:
        if not is_free(options.port):
            raise Misconfigured(
                f"port {options.port} of {HOST} is in use; choose another for Postgres",
                code="PORT_IN_USE",
                argument="port",
            )
        return options.port
    previous = read_last_start(directory)
    for port in [*([] if previous is None else [previous.port]), *random.sample(PORTS, PORT_ATTEMPTS)]:
        if port not in refused_ports and is_free(port):
            return port
    raise Misconfigured(
        f"found no free port of {HOST} for Postgres in {PORT_ATTEMPTS} attempts; choose one", code="PORT_IN_USE"
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
    """Ensures that there is a cluster that can be started, and returns the tools for it."""
    major = cluster.cluster_version(directory)
    if stale_server(directory) is not None:
        raise unusable(f"{directory.cluster} is served by a Postgres that the hub did not start; stop it")
    if major is None and postgres_user(directory.root) == PostgresUser("drop", NOBODY, NOBODY) and create_account():
        options.notice(f"created the system user {ACCOUNT}, which Postgres runs as")
    tools = cluster.Tools(*_reachable_programs(directory, find_programs(major)), lock)
    if major is None:
        options.notice(f"creating a new Postgres {tools.programs.version} cluster in {directory.cluster}")
        cluster.create(directory, tools, durable=options.durable)
    cluster.check_owner(directory, tools.user)
    if not directory.password_file.exists():
        cluster.renew_passwords(directory, tools)
    cluster.create_runtime_role(directory, tools)
    return tools


def _reachable_programs(directory: DataDirectory, programs: Programs) -> tuple[Programs, PostgresUser]:
    """Returns programs and the user to run them as. If directories are closed to the user, it may search them nevertheless."""
    user = postgres_user(directory.root)
    if not user.can_reach(directory.root):
        return programs, replace(user, strategy="search")
    if not user.can_reach(programs.bin):
        copied_programs = copy_programs(programs, directory.programs_dir)
        return (copied_programs, user) if copied_programs is not None else (programs, replace(user, strategy="search"))
    return programs, user
