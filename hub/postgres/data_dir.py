"""The data directory: its layout, its lock, and how the hub writes files. Postgres manages the cluster's own files."""

import errno
import fcntl
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from hub.errors import Misconfigured
from hub.postgres.os_user import PostgresUser

SOCKET_PATH_LIMIT = 103  # bytes; Linux allows 107, macOS 103
SHORT_SOCKET_ROOT = Path("/tmp")
PATH_LIMIT = 900  # Postgres truncates paths at 1024 bytes and appends its own names
LOG_LIMIT = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """The paths in a data directory. A cluster is created as `new_cluster` and renamed to `cluster` in one step."""

    root: Path

    @property
    def cluster(self) -> Path:
        return self.root / "pg"

    @property
    def new_cluster(self) -> Path:
        return self.root / "pg.new"

    @property
    def password_file(self) -> Path:
        return self.root / "pg.password"

    @property
    def owner_file(self) -> Path:
        """Holds the process that started the last server, and its port."""
        return self.root / "pg.owner"

    @property
    def lock_file(self) -> Path:
        return self.root / "pg.lock"

    @property
    def run_dir(self) -> Path:
        return self.root / "run"

    @property
    def log_file(self) -> Path:
        return self.root / "postgres.log"

    @property
    def programs_dir(self) -> Path:
        return self.root / "server"


def unusable(message: str) -> Misconfigured:
    return Misconfigured(message, code="DATA_DIR_UNUSABLE", argument="HUB_DATA_DIR")


def prepare(data_dir: Path, *, create: bool = True) -> DataDirectory:
    """Returns the data directory. Creates it if missing, or with `create=False` refuses one without a cluster.

    Raises Misconfigured if it cannot be one."""
    directory = DataDirectory(Path(os.path.abspath(data_dir.expanduser())))
    if len(os.fsencode(directory.root)) > PATH_LIMIT:
        raise unusable(f"the path of the data directory has more than {PATH_LIMIT} bytes; choose a shorter one")
    if not create and not directory.cluster.exists() and not directory.new_cluster.exists():
        raise no_hub(directory)
    if not directory.root.exists():
        directory.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.geteuid() == 0:
            # Under root, the server runs as another user, who must traverse the directory. Private files have modes of their own.
            directory.root.chmod(0o711)
    if (directory.root / "PG_VERSION").exists():
        raise unusable(
            f"{directory.root} is itself a PostgreSQL cluster; name an empty or a new directory, or one of the hub"
        )
    return directory


def no_hub(directory: DataDirectory) -> Misconfigured:
    return unusable(
        f"there is no hub in {directory.root}; name its directory with --data or HUB_DATA_DIR, or create one with `hub up`"
    )


def take_lock(directory: DataDirectory) -> int | None:
    """Takes the lock, which the server inherits and holds while any of its processes lives; None if it is held."""
    lock = open_private(directory.lock_file, os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    except BaseException:
        os.close(lock)
        raise
    return lock


def open_private(path: Path, flags: int) -> int:
    """Opens a file that only its owner may read, never through a link; a new file gets the directory's owner."""
    try:
        file = os.open(path, flags | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        return os.open(path, flags | os.O_NOFOLLOW)
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.fchown(file, owner.st_uid, owner.st_gid)
    return file


def write_private(path: Path, text: str, *, durable: bool) -> None:
    """Replaces a file atomically: after a crash (with `durable`, also of the machine) it holds the old or the new text."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(open_private(temporary, os.O_WRONLY), "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        if durable:
            os.fsync(file.fileno())
    temporary.replace(path)
    if durable:
        sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Makes renames in the directory survive a crash of the machine."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_log(directory: DataDirectory) -> int:
    """Opens the log for appending; rotates it first if it is long."""
    log = open_private(directory.log_file, os.O_WRONLY | os.O_APPEND)
    if os.fstat(log).st_size <= LOG_LIMIT:
        return log
    os.close(log)
    directory.log_file.replace(directory.log_file.with_name("postgres.log.1"))
    return open_private(directory.log_file, os.O_WRONLY | os.O_APPEND)


def socket_dir(directory: DataDirectory, user: PostgresUser) -> Path:
    """Returns an empty directory for the socket that only the server's user may enter, with a path short enough for a socket."""
    path = directory.run_dir
    if len(os.fsencode(path / ".s.PGSQL.65535")) > SOCKET_PATH_LIMIT:
        path = SHORT_SOCKET_ROOT / f"hub-{hashlib.sha256(os.fsencode(directory.root)).hexdigest()[:16]}"
    _make_private(path, user)
    for stale_socket in path.glob(".s.PGSQL.*"):
        # Left by a killed server: its process id may have been reused, and Postgres would believe it is alive.
        stale_socket.unlink()
    return path


def _make_private(path: Path, user: PostgresUser) -> None:
    try:
        path.mkdir(mode=0o700)
        user.give_ownership(path)
    except FileExistsError:
        state = path.lstat()
        if not path.is_dir() or path.is_symlink() or (state.st_uid, state.st_mode & 0o777) != (user.uid, 0o700):
            raise unusable(f"{path} is in the way: the hub keeps a private directory there; move it") from None


def data_dir_error(error: OSError, directory: DataDirectory) -> Misconfigured:
    """Translates an error of the operating system into one with a fix."""
    remedy = {
        errno.ENOSPC: "free some space there",
        errno.EDQUOT: "free some space there",
        errno.EROFS: "it is on a read-only file system; choose another directory",
        errno.ENOLCK: "its file system does not support locks; choose a directory on a local disk",
        errno.ELOOP: "a symbolic link stands where the hub keeps a file of its own; remove it",
    }.get(error.errno or 0, "the hub's user must own it, or choose another directory")
    file_name = f" ({error.filename})" if error.filename else ""
    return unusable(f"the data directory {directory.root} cannot be used: {error.strerror}{file_name}; {remedy}")
