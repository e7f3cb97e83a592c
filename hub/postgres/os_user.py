"""Chooses the user that Postgres runs as, because it refuses root, and the command that switches to it (see child.py)."""

import os
import pwd
import shutil
import stat
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Self

NOBODY = 65534
ACCOUNT = "hub-postgres"  # the system user that Postgres runs as under root
ACCOUNT_TIMEOUT = 10.0  # seconds to create it
CHANGE_USER_CAPABILITIES = 1 << 0 | 1 << 6 | 1 << 7  # CAP_CHOWN, CAP_SETGID, CAP_SETUID
CHILD_SCRIPT = Path(__file__).with_name("child.py")
IdentityStrategy = Literal["stay", "drop", "search", "map"]


@dataclass(frozen=True, slots=True)
class PostgresUser:
    """`stay`: the hub's own user. `drop`: another user, without root. `search`: the same, but may search any directory.

    `map`: the hub's own user, mapped to another in a user namespace: for a root that cannot switch users, and for initdb,
    which refuses users without a name, as in containers.
    """

    strategy: IdentityStrategy
    uid: int
    gid: int

    def give_ownership(self, path: Path | int) -> None:
        """Makes the server's user the owner of a file that this process has created."""
        if self.strategy in ("drop", "search"):
            os.chown(path, self.uid, self.gid, follow_symlinks=isinstance(path, int))

    def can_reach(self, path: Path) -> bool:
        """Whether the server may traverse every directory on the way to `path`, including `path`."""
        resolved = path.resolve()
        return self.strategy in ("stay", "map", "search") or all(
            self._can_traverse(directory) for directory in (resolved, *resolved.parents)
        )

    def as_named_user(self) -> Self:
        """Returns the same user, mapped to one with a name if it has none."""
        return replace(self, strategy="map") if self.strategy == "stay" and not _has_name(self.uid) else self

    def command(self, program: str, arguments: Sequence[str]) -> list[str]:
        uid, gid = (_any_named_uid(),) * 2 if self.strategy == "map" else (self.uid, self.gid)
        return [
            *(sys.executable, "-I", "-S", str(CHILD_SCRIPT), self.strategy, str(uid), str(gid), str(os.getpid())),
            *(program, *arguments),
        ]

    def _can_traverse(self, path: Path) -> bool:
        state = path.stat()
        execute_bit = {self.uid: stat.S_IXUSR}.get(
            state.st_uid, {self.gid: stat.S_IXGRP}.get(state.st_gid, stat.S_IXOTH)
        )
        return bool(state.st_mode & execute_bit)


def postgres_user(data_dir: Path) -> PostgresUser:
    """Returns the hub's own user; under root, the owner of the cluster or of its directory.

    If that is root, it is the system user ACCOUNT, or `nobody` while there is no such user."""
    if os.geteuid() != 0:
        return PostgresUser("stay", os.geteuid(), os.getegid())
    cluster = data_dir / "pg"
    for path in (cluster, data_dir):
        state = path.stat() if path.exists() else None
        if state is not None and state.st_uid != 0 and (path is cluster or _has_name(state.st_uid)):
            return PostgresUser("drop", state.st_uid, state.st_gid)
    if not _can_change_user():
        return PostgresUser("map", 0, 0)
    try:
        account = pwd.getpwnam(ACCOUNT)
    except KeyError:
        return PostgresUser("drop", NOBODY, NOBODY)
    return PostgresUser("drop", account.pw_uid, account.pw_gid)


def create_account() -> bool:
    """Creates the system user ACCOUNT, where the system can; other services run as `nobody`, too. Returns whether it did."""
    program = shutil.which("useradd")
    if program is None:
        return False
    options = (
        "--system",
        "--user-group",
        "--no-create-home",
        "--home-dir",
        "/nonexistent",
        "--shell",
        "/usr/sbin/nologin",
    )
    try:
        command = [program, *options, ACCOUNT]
        return subprocess.run(command, capture_output=True, timeout=ACCOUNT_TIMEOUT, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _has_name(uid: int) -> bool:
    try:
        return bool(pwd.getpwuid(uid).pw_name)
    except KeyError:
        return False


def _any_named_uid() -> int:
    return NOBODY if _has_name(NOBODY) else next((user.pw_uid for user in pwd.getpwall() if user.pw_uid != 0), NOBODY)


def _can_change_user() -> bool:
    """Whether root may switch to another user; in some containers it may not."""
    users, status = Path("/proc/self/uid_map"), Path("/proc/self/status")
    if not users.exists():
        return True
    ranges = [tuple(map(int, line.split())) for line in users.read_text().splitlines()]
    effective = next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("CapEff:"))
    nobody_is_mapped = any(first <= NOBODY < first + count for first, _, count in ranges)
    return nobody_is_mapped and int(effective, 16) & CHANGE_USER_CAPABILITIES == CHANGE_USER_CAPABILITIES
