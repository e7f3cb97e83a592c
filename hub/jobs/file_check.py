"""Checks that a file which the hub wrote is whole: its footer is there, and count and hash agree with the rows before it."""

import gzip
import hashlib
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, NoReturn

import orjson
import zstandard

from hub.errors import BadInput
from hub.jobs.file_formats import FOOTER_KEY, HAS_PARQUET, PARQUET_KEY

if HAS_PARQUET:
    import pyarrow as arrow
    from pyarrow import parquet

CHUNK = 1_048_576
CSV_FOOTER_PATTERN = re.compile(rb"# rows=(\d+) sha256=([0-9a-f]{64})\r\n")
GZIP_MAGIC, ZSTD_MAGIC, PARQUET_MAGIC = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PAR1"
PARQUET_END = 8  # bytes after the metadata: their length and the magic
CUT = "it is incomplete: {reason}. Write or download it again."


class CheckedFile(NamedTuple):
    """A file that is whole."""

    rows: int
    sha256: str  # of the rows, as the footer says


def check_file(path: Path) -> CheckedFile:
    """Returns the footer of a whole file; raises BadInput EXPORT_INCOMPLETE for any other, wherever it was cut or changed.

    A file's first bytes say whether it is compressed, and its text whether it is CSV or JSON Lines."""
    try:
        with path.open("rb") as stream:
            magic = stream.read(4)
            stream.seek(0)
            if magic == PARQUET_MAGIC:
                return _check_parquet(path, stream)
            return _check_lines(path, _lines(path, stream, magic))
    except OSError as error:
        message = f"{path}: it cannot be read ({error.strerror or error}); name a file that `hub export` wrote."
        raise BadInput(message, code="EXPORT_INCOMPLETE", argument="check") from None


def _incomplete(path: Path, reason: str) -> NoReturn:
    message = f"{path}: {CUT.format(reason=reason)}"
    raise BadInput(message, code="EXPORT_INCOMPLETE", argument="check")


def _chunks(path: Path, stream: BinaryIO, magic: bytes) -> Iterator[bytes]:
    """The uncompressed content; a compressed stream that does not end by itself is incomplete."""
    if magic[:2] == GZIP_MAGIC:
        decompressor: Any = zlib.decompressobj(wbits=31)
    elif magic == ZSTD_MAGIC:
        decompressor = zstandard.ZstdDecompressor().decompressobj()
    else:
        while chunk := stream.read(CHUNK):
            yield chunk
        return
    try:
        while chunk := stream.read(CHUNK // 16):
            if decompressor.eof:
                _incomplete(path, "something follows its end")
            yield decompressor.decompress(chunk)
    except (zlib.error, zstandard.ZstdError, EOFError, gzip.BadGzipFile):
        _incomplete(path, "its compressed data are damaged")
    if not decompressor.eof or decompressor.unused_data:
        _incomplete(path, "its compressed data do not end where the file ends")


def _lines(path: Path, stream: BinaryIO, magic: bytes) -> Iterator[bytes]:
    rest: list[bytes] = []
    for chunk in _chunks(path, stream, magic):
        *lines, last = chunk.split(b"\n")
        for line in lines:
            yield b"".join((*rest, line, b"\n"))
            rest = []
        if last:
            rest.append(last)
    if rest:
        yield b"".join(rest)


def _check_lines(path: Path, lines: Iterator[bytes]) -> CheckedFile:
    digest, count, records, previous, in_quotes = hashlib.sha256(), 0, 0, None, False
    for line in lines:
        if previous is not None:
            digest.update(previous)
            count += 1
            in_quotes ^= previous.count(b'"') % 2 == 1
            records += not in_quotes
        previous = line
    if previous is None:
        _incomplete(path, "it is empty")
    csv_footer = CSV_FOOTER_PATTERN.fullmatch(previous)
    if csv_footer is not None:
        rows, expected, counted = int(csv_footer[1]), csv_footer[2].decode(), records - 1  # without the heading
    else:
        rows, expected = _json_footer(path, previous)
        counted = count
    if expected != digest.hexdigest() or rows != counted:
        _incomplete(path, "its footer does not belong to the rows before it")
    return CheckedFile(rows, expected)


def _json_footer(path: Path, line: bytes) -> tuple[int, str]:
    try:
        footer = orjson.loads(line)[FOOTER_KEY] if line.endswith(b"\n") else {}
        return footer["rows"], footer["sha256"]
    except (orjson.JSONDecodeError, KeyError, TypeError, IndexError):
        _incomplete(path, "its footer is missing")


def _check_parquet(path: Path, stream: BinaryIO) -> CheckedFile:
    if not HAS_PARQUET:
        message = f"{path}: a Parquet file needs the extra `hub[parquet]`; install it to check the file."
        raise BadInput(message, code="EXPORT_FORMAT_UNAVAILABLE", argument="check")
    try:
        metadata = parquet.read_metadata(path)
        footer = orjson.loads(metadata.metadata[PARQUET_KEY])
        rows, remaining, expected = int(footer["rows"]), int(footer["bytes"]), str(footer["sha256"])
    except (arrow.ArrowException, OSError, ValueError, KeyError, TypeError):
        _incomplete(path, "its metadata are missing")
    if path.stat().st_size != remaining + metadata.serialized_size + PARQUET_END:
        _incomplete(path, "something precedes or follows its metadata")
    digest = hashlib.sha256()
    while remaining and (chunk := stream.read(min(CHUNK, remaining))):
        digest.update(chunk)
        remaining -= len(chunk)
    if remaining or digest.hexdigest() != expected or metadata.num_rows != rows:
        _incomplete(path, "its metadata do not belong to the rows before them")
    return CheckedFile(rows, expected)
