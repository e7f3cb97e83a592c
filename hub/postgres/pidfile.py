"""Reads postmaster.pid and decides whether it is stale: a crash or a restored backup leaves it behind."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Literal, NamedTuple

HOST = "127.0.0.1"


class RunningServer(NamedTuple):
    """A server as postmaster.pid describes it."""

    pid: int
    port: int
    socket_dir: str
    status: str  # starting, stopping, ready, standby; "" at first


def read(cluster: Path) -> RunningServer | None:
    """Returns the contents of the file; None if it is missing or incomplete."""
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines() + [""] * 8
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not re.fullmatch(r"-?\d+", lines[0]) or not re.fullmatch(r"\d*", lines[3]):
        return None
    return RunningServer(abs(int(lines[0])), int(lines[3] or 0), lines[4], lines[7].strip())


def serving_server(cluster: Path) -> RunningServer | None:
    """Returns the server that accepts connections for this cluster now, if any."""
    running = read(cluster)
    if (
        running is None
        or running.status != "ready"
        or process_owner(running.pid, cluster) not in ("ours", "perhaps ours")
    ):
        return None
    # A killed server stays in the process table until its parent reaps it, but accepts no connection.
    with socket.socket() as probe:
        return running if probe.connect_ex((HOST, running.port)) == 0 else None


def is_alive(cluster: Path) -> bool:
    """Whether a server exists, even if it is starting, recovering or stopping."""
    running = read(cluster)
    return running is not None and process_owner(running.pid, cluster) in ("ours", "perhaps ours")


def process_owner(pid: int, cluster: Path) -> Literal["ours", "perhaps ours", "another's", "nobody's"]:
    """Whether a process is the cluster's server; after a reboot, another process may have its id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return "nobody's"
    except PermissionError:
        pass
    status = _status(pid)
    if status["State"].startswith("Z") or "postgres" not in status["Name"]:
        return "another's"
    try:
        # A postmaster's working directory is its data directory.
        return "ours" if os.path.samefile(f"/proc/{pid}/cwd", cluster) else "another's"
    except OSError:
        return "perhaps ours"


def parent(pid: int) -> int | None:
    """Returns the parent process, whose end also ends the server; None where the kernel does not signal that."""
    return int(_status(pid).get("PPid", -1)) if sys.platform == "linux" else None


def _status(pid: int) -> dict[str, str]:
    """Returns State and Name of a process, on Linux also PPid; empty strings if it does not exist."""
    unknown = {"State": "", "Name": ""}
    if sys.platform == "linux":
        try:
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        except OSError:
            return unknown
        return unknown | {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
    completed = subprocess.run(["ps", "-o", "stat=,comm=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, name = completed.stdout.strip().partition(" ")
    return {"State": state, "Name": name}
