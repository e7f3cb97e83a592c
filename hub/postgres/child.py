"""Between the hub and a Postgres program: gives up root, asks to be stopped when the hub dies, becomes the program.

Run by its path, `python -I -S child.py WAY UID GID PARENT PROGRAM …`, because between fork and exec of a process with
threads none of this would be safe. It imports nothing of the hub, and after `drop` nothing at all: the user it has
become may be unable to read Python's own files.
"""

import ctypes
import os
import signal
import struct
import sys

PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 8, 47, 2
# Least first: pass through closed directories and read; or, all that a default container grants, ignore file modes.
CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE = 2, 1
CAPABILITY_VERSION_3 = 0x20080522
CLONE_NEWUSER = 0x10000000
REMEDY = "start the hub as an ordinary user with a name, or set HUB_DATABASE_URL"
# Nothing of the hub's environment reaches Postgres: PGDATESTYLE, PGTZ and their like would change its defaults.
ENVIRONMENT = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C", "TZ": "UTC"}


def main(way: str, uid: int, gid: int, parent: int, command: list[str]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if way in ("drop", "search"):
        drop(uid, gid, search=way == "search")
    elif way == "map":
        look_like(uid, gid)
    if sys.platform == "linux":
        # After every change of identity, each of which clears it. SIGINT is Postgres's fast stop.
        check(libc().prctl(PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0), "prctl")
        if os.getppid() != parent:
            sys.exit("the hub died while Postgres was being started")
    os.execve(command[0], command, ENVIRONMENT)


def drop(uid: int, gid: int, *, search: bool) -> None:
    """Become an ordinary user; with `search`, one who may still pass through directories that are closed to it."""
    mine = permitted()
    if search:
        check(libc().prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), "prctl")
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if search:
        kept = next((cap for cap in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE) if mine >> cap & 1), None)
        if kept is None:
            sys.exit(f"root of this container may not pass through closed directories; {REMEDY}")
        header, data = struct.pack("=Ii", CAPABILITY_VERSION_3, 0), struct.pack("=6I", *[1 << kept] * 3, 0, 0, 0)
        check(libc().capset(header, data), "capset")
        check(libc().prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, kept, 0, 0), "prctl")


def permitted() -> int:
    with open("/proc/self/status", "rb") as status:
        return next((int(line.split()[1], 16) for line in status if line.startswith(b"CapPrm:")), 0)


def look_like(uid: int, gid: int) -> None:
    """Stay who we are, but be seen by Postgres as another user: one that is not root, and has a name."""
    own = os.getuid(), os.getgid()
    told = "Postgres does not run as root" if own[0] == 0 else f"user {own[0]} has no name in /etc/passwd"
    check(libc().unshare(CLONE_NEWUSER), f"{told}, and this container lets nobody look like another user; {REMEDY}")
    for name, line in (("setgroups", "deny"), ("uid_map", f"{uid} {own[0]} 1"), ("gid_map", f"{gid} {own[1]} 1")):
        with open(f"/proc/self/{name}", "wb") as file:
            file.write(line.encode())


def libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def check(result: int, told: str) -> None:
    if result != 0:
        sys.exit(f"{told} ({os.strerror(ctypes.get_errno())})")


if __name__ == "__main__":
    try:
        main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:])
    except OSError as error:
        sys.exit(str(error))
