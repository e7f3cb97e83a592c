"""A data directory of Postgres whose database is migrated, made once for a run; servers start on copies of it."""

import asyncio
import fcntl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hub.db import migrate
from hub.postgres import PostgresServer, ensure


def make_migrated(shared: Path) -> Path:
    """Makes the directory in a folder that all processes of a run share, unless one of them has; returns it, at rest."""
    folder, done = shared / "migrated", shared / "migrated.done"
    with (shared / "migrated.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            with ensure(folder, durable=False) as server:
                asyncio.run(migrate.upgrade(server.dsn))
            done.touch()
    return folder


@contextmanager
def migrated_server(folder: Path, copied: Path) -> Iterator[PostgresServer]:
    """Starts a server on a copy of a migrated directory, in `folder`; it starts again when it is killed."""
    subprocess.run(["cp", "-a", "--reflink=auto", f"{copied}/.", folder], check=True)
    with ensure(folder, durable=False) as server:
        yield server
