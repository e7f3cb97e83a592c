"""Starts a Postgres program: drops root privileges, requests a signal when the hub dies, then execs the program.

Run by path, `python -I -S child.py STRATEGY UID GID PARENT PROGRAM …`: a process with threads cannot do this safely between
fork and exec. It imports nothing of the hub, and nothing at all after dropping privileges, when Python's files may be unreadable.
"""

import ctypes
import os
import signal
import struct
import sys

PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 8, 47, 2
# Least privilege first: search and read any directory; or ignore file modes, the only one that a default container grants.
CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE = 2, 1
CAPABILITY_VERSION_3 = 0x20080522
CLONE_NEWUSER = 0x10000000
REMEDY = "start the hub as an ordinary user with a name, or set HUB_DATABASE_URL"
# Postgres does not inherit the hub's environment: PGDATESTYLE, PGTZ and others would change its defaults.
ENVIRONMENT = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C", "TZ": "UTC"}


def main(strategy: str, uid: int, gid: int, parent: int, command: list[str]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if strategy in ("drop", "search"):
        drop_privileges(uid, gid, search=strategy == "search")
    elif strategy == "map":
        become(uid, gid)
    if sys.platform == "linux":
        # After the last change of identity, because each clears it. SIGINT is Postgres's fast shutdown.
        require_success(libc().prctl(PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0), "prctl")
        if os.getppid() != parent:
            sys.exit("the hub died while Postgres was being started")
    os.execve(command[0], command, ENVIRONMENT)


def drop_privileges(uid: int, gid: int, *, search: bool) -> None:
    """Switches to an unprivileged user; with `search`, it may still traverse directories that are closed to it."""
    permitted_set = permitted()
    if search:
        require_success(libc().prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), "prctl")
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if search:
        capability = next((cap for cap in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE) if permitted_set >> cap & 1), None)
        if capability is None:
            sys.exit(f"root of this container may not pass through closed directories; {REMEDY}")
        header, data = struct.pack("=Ii", CAPABILITY_VERSION_3, 0), struct.pack("=6I", *[1 << capability] * 3, 0, 0, 0)
        require_success(libc().capset(header, data), "capset")
        require_success(libc().prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0), "prctl")


def permitted() -> int:
    with open("/proc/self/status", "rb") as status:
        return next((int(line.split()[1], 16) for line in status if line.startswith(b"CapPrm:")), 0)


def become(uid: int, gid: int) -> None:
    """Maps the current user, in a user namespace, to one that is not root and has a name."""
    own_ids = os.getuid(), os.getgid()
    reason = "Postgres does not run as root" if own_ids[0] == 0 else f"user {own_ids[0]} has no name in /etc/passwd"
    require_success(
        libc().unshare(CLONE_NEWUSER), f"{reason}, and this container does not allow user namespaces; {REMEDY}"
    )
    for name, line in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {own_ids[0]} 1"),
        ("gid_map", f"{gid} {own_ids[1]} 1"),
    ):
        with open(f"/proc/self/{name}", "wb") as file:
            file.write(line.encode())


def libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def require_success(result: int, error_message: str) -> None:
    if result != 0:
        sys.exit(f"{error_message} ({os.strerror(ctypes.get_errno())})")


if __name__ == "__main__":
    try:
        main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:])
    except OSError as error:
        sys.exit(str(error))
