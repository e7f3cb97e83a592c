"""Files that appear whole or not at all: written under a temporary name, flushed to the disk, then renamed."""

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from hub.errors import HubError

PARTIAL_SUFFIX = ".part"
FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def partial_file(path: Path, argument: str) -> Iterator[BinaryIO]:
    """Yields a file to write; at the end of the block it gets its name, after an error it is deleted.

    Only its owner reads it. A file of that name is replaced; anything else, such as a directory, is refused.
    Raises HubError FILE_INVALID or DISK_FULL, which name `argument`."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}{PARTIAL_SUFFIX}")
    with translated_errors(path, argument):
        require_replaceable(path, argument)
        stream = os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=1_048_576)
        try:
            with stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            part.replace(path)
            sync_folder(path.parent)
        except BaseException:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise


def require_replaceable(path: Path, argument: str) -> None:
    """Raises HubError FILE_INVALID for a name that a device, a pipe or a directory has."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode) and not stat.S_ISLNK(mode):
        message = f"{argument}: {path} is no regular file; name a file that may be written."
        raise HubError(message, code="FILE_INVALID", argument=argument)


def require_writable(path: Path, argument: str) -> None:
    """Raises HubError FILE_INVALID where a file cannot be written, before there is something to write."""
    with translated_errors(path, argument):
        require_replaceable(path, argument)
        if not path.parent.is_dir() or not os.access(path.parent, os.W_OK | os.X_OK):
            message = f"{argument}: {path.parent} is no folder that may be written; name a file in one that may."
            raise HubError(message, code="FILE_INVALID", argument=argument)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def translated_errors(path: Path, argument: str) -> Iterator[None]:
    """Translates errors of the file system in the block into HubError."""
    try:
        yield
    except (ConnectionError, TimeoutError):  # of the database, not of the file system
        raise
    except OSError as error:
        if error.errno in FULL:
            message = f"{argument}: the disk of {path} is full, and nothing was written; free space, then try again."
            raise HubError(message, code="DISK_FULL", argument=argument) from error
        if not error.strerror:
            raise
        message = f"{argument}: {path} cannot be written ({error.strerror}); name another place, or change its rights."
        raise HubError(message, code="FILE_INVALID", argument=argument) from error
