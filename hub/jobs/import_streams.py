"""The bytes of files to import: decompressed, never more than a limit, and told apart by how they begin."""

import gzip
import io
import zlib
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import zstandard

from hub.errors import BadInput, LimitExceeded

CHUNK = 262_144
MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"PAR1": "parquet", b"PK\x03\x04": "zip", b"%PDF": "pdf"}
REFUSED = {"zip": "a ZIP archive or an Excel workbook", "pdf": "a PDF document"}


def unreadable(message: str) -> NoReturn:
    """Refuses a file as a whole."""
    raise BadInput(f"file: {message}", code="FILE_UNREADABLE", argument="file")


class _Limited(io.RawIOBase):
    """A stream that refuses to give more than so many bytes: a small file may unpack to very much."""

    def __init__(self, stream: Any, file: Any, limit: int) -> None:
        self._stream = stream
        self._file = file
        self._limit = self._left = limit

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        """Closes the file too, which a stream that decompresses it leaves open."""
        if not self.closed:
            self._stream.close()
            self._file.close()
        super().close()

    def readinto(self, buffer: Any) -> int:
        try:
            part = self._stream.read(min(len(buffer), CHUNK))
        except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
            unreadable(f"it cannot be decompressed ({error}); compress it again, or send it as it is")
        self._left -= len(part)
        if self._left < 0:
            message = (
                f"file: it has more than {self._limit:,} bytes once it is decompressed (HUB_IMPORT_LIMIT); split it."
            )
            raise LimitExceeded(message, code="FILE_LIMIT", argument="file")
        buffer[: len(part)] = part
        return len(part)


def open_bytes(path: Path, limit: int) -> tuple[BinaryIO, str | None, str]:
    """The decompressed bytes of a file, its compression, and its format by its first bytes; raises BadInput."""
    with path.open("rb") as file:
        start = file.read(4)
    sort = next((name for magic, name in MAGIC.items() if start.startswith(magic)), "text")
    if sort in REFUSED:
        unreadable(f"it is {REFUSED[sort]}; save it as CSV, or unpack it")
    if not start:
        unreadable("it is empty; send one with at least a header")
    raw = path.open("rb")
    compression = sort if sort in ("gzip", "zstd") else None
    stream: Any = raw
    if compression == "gzip":
        stream = gzip.GzipFile(fileobj=raw)
    elif compression == "zstd":
        stream = zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(raw, read_across_frames=True)
    return (
        io.BufferedReader(_Limited(stream, raw, limit), CHUNK),
        compression,
        "parquet" if sort == "parquet" else "text",
    )
