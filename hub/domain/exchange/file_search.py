"""Looks for what names a customer in a file that was sent, part by part: plain or compressed, in the usual encodings."""

import json
import re
import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from typing import IO, Any

import zstandard

from hub.domain.exchange.parquet_files import parquet_records
from hub.errors import BadInput

SLICE = 256  # compressed bytes that are unpacked at once: even a bomb of them fits in memory
MAX_BYTES = 2_147_483_648  # of decompressed content that are searched
ENCODINGS = ("utf-8", "cp1252", "utf-16-le", "utf-16-be")
GZIP, ZSTD, PARQUET = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PAR1"
NO_BREAK = "\u00a0".encode()
SIGNS = b" ()./-\0" + NO_BREAK  # between the digits of a number
GZIP_BITS = 31  # zlib's number for gzip's format


class FileSearch:
    """Finds texts in the contents of one file, wherever its parts begin, with any case and any blanks between words.

    Numbers are digits, which may have signs between them. A file that cannot be searched counts as one that has them: one that
    unpacks to very much, and Parquet that cannot be read here. `spool` is an empty file for the parts of Parquet, whose columns
    are named at its end; call `finish` after the last part."""

    def __init__(self, texts: Sequence[str], numbers: Sequence[str], spool: IO[bytes]) -> None:
        forms = {form for text in texts for form in _forms(text)}
        self._needles = {needle for form in forms for needle in _encoded(form)}
        self._numbers = re.compile(b"(?:%s)(?![0-9])" % "|".join(numbers).encode()) if numbers else None
        self._overlap = 2 * max(map(len, [*self._needles, *numbers]), default=0) + 8
        self._unpacker: Any = None
        self._tail = b""
        self._searched = 0
        self._begun = False
        self._spool = spool
        self._is_parquet = False
        self.is_named = False

    def search(self, content: bytes) -> bool:
        """Whether the parts so far have one of the texts."""
        if not self._begun:
            self._begun = True
            self._unpacker = _unpacker(content)
            self._is_parquet = content.startswith(PARQUET)
        if self._is_parquet:
            self._spool.write(content)
            return False
        pieces = iter((content,)) if self._unpacker is None else self._unpacked(content)
        for piece in pieces:
            if self.is_named:
                break
            self._search(piece)
        return self.is_named

    def finish(self) -> bool:
        """Whether the whole file has one of the texts."""
        try:
            for record in parquet_records(self._spool) if self._is_parquet else ():
                self._search(json.dumps(record, default=_text_of, ensure_ascii=False).encode("utf-8", "replace"))
                if self.is_named:
                    break
        except (OSError, ValueError, BadInput):
            self.is_named = True
        return self.is_named

    def _unpacked(self, content: bytes) -> Iterator[bytes]:
        """The decompressed content; what cannot be decompressed is read by nobody."""
        for start in range(0, len(content), SLICE):
            packed = content[start : start + SLICE]
            while packed:
                try:
                    yield self._unpacker.decompress(packed)
                except (zlib.error, zstandard.ZstdError):
                    return
                packed = b""
                if self._unpacker.eof:  # another member or frame begins
                    packed = self._unpacker.unused_data
                    self._unpacker = _unpacker(packed) or self._unpacker

    def _search(self, content: bytes) -> None:
        self._searched += len(content)
        window = self._tail + content.lower()
        self._tail = window[-self._overlap :]
        squeezed = b" ".join(window.replace(NO_BREAK, b" ").split())
        self.is_named = (
            self._searched > MAX_BYTES
            or any(_has_word(text, needle) for needle in self._needles for text in {window, squeezed})
            or (self._numbers is not None and self._numbers.search(window.translate(None, SIGNS)) is not None)
        )


def _text_of(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _forms(text: str) -> Iterator[str]:
    """A text as files may have it."""
    for form in (text, text.lower(), text.upper()):
        yield from (unicodedata.normalize("NFC", form), unicodedata.normalize("NFD", form), json.dumps(form)[1:-1])


def _encoded(text: str) -> Iterator[bytes]:
    for encoding in ENCODINGS:
        try:
            yield text.encode(encoding).lower()
        except UnicodeEncodeError:
            continue


def _unpacker(content: bytes) -> Any:
    """What decompresses a file that begins so; None for one that is not compressed."""
    if content.startswith(GZIP):
        return zlib.decompressobj(GZIP_BITS)
    if content.startswith(ZSTD):
        return zstandard.ZstdDecompressor(max_window_size=2**27).decompressobj()
    return None


def _has_word(window: bytes, needle: bytes) -> bool:
    """Whether a text stands there, and not within a longer word."""
    start = window.find(needle)
    while start >= 0:
        end = start + len(needle)
        if not (_joins(window[start - 1 : start], needle[:1]) or _joins(needle[-1:], window[end : end + 1])):
            return True
        start = window.find(needle, start + 1)
    return False


def _joins(left: bytes, right: bytes) -> bool:
    """Whether two bytes are letters or digits of one word."""
    return left.isalnum() and right.isalnum()
