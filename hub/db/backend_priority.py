"""The priority of Postgres backends on this machine: slow statements leave the processor to quick ones.

Postgres has no priorities of its own, so a few slow statements make all others wait for a processor's time slice. Where the
server runs elsewhere, or is not visible, nothing is changed."""

import os
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

NICENESS = 10  # a tenth of the usual share while others want the processor, all of it otherwise
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
PROCESSES = Path("/proc")
TITLE = b"postgres: "  # how the command line of each backend begins


def runs_here(dsn: str) -> bool:
    """Whether a database's address names this machine: a socket or loopback."""
    address = urlsplit(dsn)
    hosts = parse_qs(address.query).get(
        "host", [address.hostname or ""]
    )  # without a host, the environment may name one
    return all(host.startswith("/") or host in LOCAL_HOSTS for host in hosts)


def lower_priority(process_id: int) -> None:
    """Lowers the priority of a backend, for as long as it lives. Without the permission, or for another process, does nothing.

    The server may be in a container of its own, where the number belongs to another process than here."""
    with suppress(OSError):
        if (PROCESSES / str(process_id) / "cmdline").read_bytes().startswith(TITLE):
            os.setpriority(os.PRIO_PROCESS, process_id, NICENESS)
