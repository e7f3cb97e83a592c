"""The first API key of a hub, stored in the data directory and readable only by its owner."""

import os
from datetime import datetime
from pathlib import Path

from hub.db.pool import Pool
from hub.domain.access import api_keys, login_links
from hub.errors import BadInput, Misconfigured, NotFound
from hub.viewer import ADMIN, Role

FILE_NAME = "key"


def read(data_dir: Path) -> str | None:
    """Returns the key in the directory, or None if there is no well-formed one."""
    try:
        text = (data_dir / FILE_NAME).read_text("utf-8").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(data_dir, error) from None
    return text if api_keys.extract_public_id(text) else None


async def ensure(pool: Pool, data_dir: Path, now: datetime) -> tuple[str, bool]:
    """Returns the directory's key and whether it is new: there was none, or the database does not know it."""
    file_key = read(data_dir)
    async with pool.transaction() as tx:
        if file_key is not None:
            stored_key = await api_keys.find_key(tx, str(api_keys.extract_public_id(file_key)), with_hashes=True)
            if stored_key is not None and stored_key.hash == api_keys.digest(file_key):
                return file_key, False
        new_key = await api_keys.create(tx, ADMIN, api_keys.NewKey("first key", Role.ADMIN), now)
        # Before the commit: a key that cannot be written is not issued.
        _write(data_dir, new_key)
    return new_key, True


async def create_login_link(pool: Pool, key: str, now: datetime) -> str | None:
    """Creates a login link with the rights of a key; returns its token, or None for a key that was revoked."""
    async with pool.transaction() as tx:
        try:
            return await login_links.create(tx, ADMIN, str(api_keys.extract_public_id(key)), now)
        except (BadInput, NotFound):
            return None


def _write(data_dir: Path, key: str) -> None:
    file = data_dir / FILE_NAME
    temporary = file.with_suffix(".new")
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        temporary.unlink(missing_ok=True)
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as output:
            output.write(f"{key}\n")
        temporary.replace(file)
    except OSError as error:
        raise _unusable(data_dir, error) from None


def _unusable(data_dir: Path, error: Exception) -> Misconfigured:
    message = f"HUB_DATA_DIR: {data_dir / FILE_NAME} cannot be used ({error}); choose another directory with --data."
    return Misconfigured(message, code="DATA_DIR_UNUSABLE", argument="HUB_DATA_DIR")
