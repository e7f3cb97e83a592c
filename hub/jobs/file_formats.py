"""Writes rows as JSON Lines, CSV or Parquet, each with a footer of count and hash; docs/exports.md describes the files.

A file without its whole footer is incomplete: file_check.py recognises it, wherever it was cut."""

import gzip
import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from importlib.util import find_spec
from typing import Any, BinaryIO, Protocol, cast

import orjson
import zstandard

from hub.engine.execution.exports import json_text, value_at
from hub.engine.plan.exports import JSON_TYPE, ExportColumn, column_names
from hub.errors import BadInput
from hub.model import exact_json
from hub.schema.jobs.exports import ExportCompression, ExportFormat

HAS_PARQUET = find_spec("pyarrow") is not None  # the extra hub[parquet]
if HAS_PARQUET:
    import pyarrow as arrow
    from pyarrow import parquet

FOOTER_KEY = "$export"  # no GraphQL response key begins with a dollar
CSV_FOOTER = b"# rows=%d sha256=%s\r\n"
PARQUET_KEY = b"hub.export"
ROW_GROUP_BYTES = 16 * 1024 * 1024  # of JSON; a row group is in memory while it is filled
ROW_GROUP_ROWS = 50_000
DECIMAL_DIGITS, DECIMAL_SCALE = 38, 10
NEEDS_QUOTES = re.compile(r'^$|[",\r\n]|^[ #]|[ ]$')
# A spreadsheet runs a cell that begins so. A sign before digits alone is a number or a telephone number.
FORMULA = re.compile(r"[=@\t\r]|[+-](?![\d ().,/-]*\Z)")


class RowFile(Protocol):
    """A file that is being written, row by row."""

    rows: int

    def write(self, rows: Sequence[bytes]) -> None:
        """Adds rows, JSON objects."""

    def finish(self) -> None:
        """Writes the footer and whatever the format needs at its end; the raw file stays open."""


class HashingStream:
    """A binary stream that counts and hashes what is written to it."""

    closed = False

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()
        self.bytes = 0

    def write(self, content: bytes) -> int:
        """Writes, counts and hashes bytes."""
        self._hash.update(content)
        self.bytes += len(content)
        return self._stream.write(content)

    def tell(self) -> int:
        return self.bytes

    def flush(self) -> None:
        self._stream.flush()

    def hexdigest(self) -> str:
        return self._hash.hexdigest()

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        """Leaves the stream open; its owner closes it."""


def require_format(format: ExportFormat) -> None:
    """Raises BadInput EXPORT_FORMAT_UNAVAILABLE for Parquet without its extra."""
    if format is ExportFormat.PARQUET and not HAS_PARQUET:
        message = "format: Parquet needs the extra `hub[parquet]`; install it, or take CSV or JSONL."
        raise BadInput(message, code="EXPORT_FORMAT_UNAVAILABLE", argument="format")


def open_row_file(
    stream: BinaryIO,
    columns: Sequence[ExportColumn],
    format: ExportFormat,
    compression: ExportCompression,
    *,
    raw: bool,
    footer: bool = True,
) -> RowFile:
    """Begins a file in the stream; raises BadInput EXPORT_FORMAT_UNAVAILABLE for Parquet without its extra.

    `raw` leaves texts in CSV as they are that a spreadsheet would run as formulas. `footer` concerns JSON Lines."""
    if format is ExportFormat.PARQUET:
        return ParquetFile(stream, columns, compression)
    if format is ExportFormat.CSV:
        return CsvFile(_compressed(stream, compression), columns, raw=raw)
    return JsonLinesFile(_compressed(stream, compression), footer=footer)


def _compressed(stream: BinaryIO, compression: ExportCompression) -> BinaryIO:
    if compression is ExportCompression.GZIP:
        return cast(BinaryIO, gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0))
    if compression is ExportCompression.ZSTD:
        compressor = zstandard.ZstdCompressor(write_checksum=True)
        return cast(BinaryIO, compressor.stream_writer(stream, closefd=False))
    return stream


class JsonLinesFile:
    """A line for each row, as the query's response has it."""

    def __init__(self, stream: BinaryIO, *, footer: bool) -> None:
        self._stream = stream
        self._hashing = HashingStream(stream)
        self._footer = footer
        self.rows = 0

    def write(self, rows: Sequence[bytes]) -> None:
        """Adds rows, JSON objects."""
        self._hashing.write(b"".join(row.replace(b"\n", b" ") + b"\n" for row in rows))
        self.rows += len(rows)

    def finish(self) -> None:
        """Writes the footer: a last line that is no row."""
        footer = {FOOTER_KEY: {"rows": self.rows, "sha256": self._hashing.hexdigest()}}
        if self._footer:
            self._stream.write(orjson.dumps(footer) + b"\n")
        _end(self._stream)


class CsvFile:
    """A heading and a line for each row (RFC 4180); an empty text is quoted, null is not."""

    def __init__(self, stream: BinaryIO, columns: Sequence[ExportColumn], *, raw: bool) -> None:
        self._stream = stream
        self._hashing = HashingStream(stream)
        self._columns = columns
        self._raw = raw
        self.rows = 0
        heading = ",".join(_quoted(name) for name in column_names(columns))
        self._hashing.write(f"{heading}\r\n".encode())

    def write(self, rows: Sequence[bytes]) -> None:
        """Adds rows, JSON objects."""
        lines = []
        for row in rows:
            parsed = exact_json.loads_rows(row)
            cells = [self._cell(value_at(parsed, column.path), column.type) for column in self._columns]
            lines.append(",".join(cells))
        self._hashing.write("".join(f"{line}\r\n" for line in lines).encode())
        self.rows += len(rows)

    def _cell(self, value: Any, type_: str) -> str:
        if value is None:
            return ""
        if type_ == JSON_TYPE or isinstance(value, dict | list):
            return _quoted(json_text(value))
        if isinstance(value, str):
            return _quoted(value if self._raw else without_formula(value))
        return json_text(value)

    def finish(self) -> None:
        """Writes the footer: a last line that begins with a number sign, as no other line does."""
        self._stream.write(CSV_FOOTER % (self.rows, self._hashing.hexdigest().encode()))
        _end(self._stream)


def without_formula(text: str) -> str:
    """The text with an apostrophe before it if a spreadsheet would run it as a formula."""
    return f"'{text}" if FORMULA.match(text) else text


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if NEEDS_QUOTES.search(text) else text


def _end(stream: BinaryIO) -> None:
    """Ends a compressed stream, whose own stream stays open."""
    if isinstance(stream, gzip.GzipFile | zstandard.ZstdCompressionWriter):
        cast(Any, stream).close()
    else:
        stream.flush()


class ParquetFile:
    """The columns of CSV with types; the footer is in the metadata of the file."""

    def __init__(self, stream: BinaryIO, columns: Sequence[ExportColumn], compression: ExportCompression) -> None:
        require_format(ExportFormat.PARQUET)
        self._columns = columns
        self._hashing = HashingStream(stream)
        self._schema = arrow.schema([(column.name, _arrow_type(column.type)) for column in columns])
        self._writer = parquet.ParquetWriter(
            arrow.PythonFile(self._hashing, mode="w"),
            self._schema,
            compression=compression.value.lower(),
            write_page_checksum=True,
        )
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self.rows = 0

    def write(self, rows: Sequence[bytes]) -> None:
        """Adds rows, JSON objects."""
        self._pending += rows
        self._pending_bytes += sum(map(len, rows))
        self.rows += len(rows)
        if self._pending_bytes >= ROW_GROUP_BYTES or len(self._pending) >= ROW_GROUP_ROWS:
            self._write_row_group()

    def _write_row_group(self) -> None:
        parsed = [exact_json.loads_rows(row) for row in self._pending]
        arrays = [
            arrow.array([_arrow_value(value_at(row, column.path), column.type) for row in parsed], field.type)
            for column, field in zip(self._columns, self._schema, strict=True)
        ]
        self._writer.write_table(arrow.Table.from_arrays(arrays, schema=self._schema))
        self._pending, self._pending_bytes = [], 0

    def finish(self) -> None:
        """Writes the last row group and the metadata: count, and the hash of all bytes before the metadata."""
        if self._pending:
            self._write_row_group()
        footer = {"rows": self.rows, "bytes": self._hashing.bytes, "sha256": self._hashing.hexdigest()}
        self._writer.add_key_value_metadata({PARQUET_KEY: orjson.dumps(footer)})
        self._writer.close()
        self._hashing.flush()


def _arrow_type(type_: str) -> Any:
    types: Mapping[str, Any] = {
        "Int": arrow.int64(),
        "Float": arrow.float64(),
        "Boolean": arrow.bool_(),
        "DateTime": arrow.timestamp("us", tz="UTC"),
        "Date": arrow.date32(),
        "Decimal": arrow.decimal128(DECIMAL_DIGITS, DECIMAL_SCALE),
    }
    return types.get(type_, arrow.string())


def _arrow_value(value: Any, type_: str) -> Any:
    if value is None:
        return None
    if type_ == JSON_TYPE or isinstance(value, dict | list):
        return json_text(value)
    if type_ == "Decimal":
        return Decimal(value)
    if type_ == "DateTime":
        return datetime.fromisoformat(value)
    if type_ == "Date":
        return date.fromisoformat(value)
    return value
