"""Reads the files of imports: CSV as people have it, and JSON Lines, plain or compressed. Memory does not grow with the file.

A file that cannot be read at all is refused with the line, the column and the remedy; a bad line is a line with a fault."""

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from json import JSONDecodeError
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, NoReturn

from hub.domain.exchange.mapping_types import FileFormat
from hub.domain.exchange.parquet_files import parquet_columns, parquet_records
from hub.errors import LimitExceeded
from hub.jobs.import_streams import CHUNK, open_bytes, unreadable
from hub.jobs.reject_columns import (
    GROUP,
    UNREPAIRED,
    has_reject_columns,
    source_columns,
    source_record,
    unguarded,
)
from hub.model import exact_json

DELIMITERS = ",;\t|"
SAMPLE_BYTES = 65_536
SAMPLE_LINES = 20
MAX_CELL = 131_072  # characters
MAX_COLUMNS = 2_000
MAX_LINE = 4_194_304  # bytes of a line of JSON Lines, characters of one of CSV
BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
csv.field_size_limit(MAX_CELL)


@dataclass(frozen=True, slots=True)
class FileLine:
    """A record of a file: the number of its first line, its values by column, or why it has none, and what stands there."""

    number: int
    record: dict[str, Any]
    fault: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class FileSurvey:
    """What a file is, before its records are read."""

    format: str  # csv, jsonl or parquet
    compression: str | None
    file: FileFormat  # with everything that was found out
    columns: tuple[str, ...]  # in order; those of JSON Lines are the ones of its first lines
    repeated: frozenset[str] = frozenset()  # names that several columns of the header have
    has_header: bool = True

    @property
    def is_rejected(self) -> bool:
        """Whether an import wrote it: the lines that it refused."""
        return has_reject_columns(self.columns)

    def report(self) -> dict[str, Any]:
        """What was found out, for people."""
        names = {"encoding": self.file.encoding, "delimiter": self.file.delimiter, "decimal": self.file.decimal}
        facts = {"format": self.format, "compression": self.compression, **(names if self.format == "csv" else {})}
        return {name: value for name, value in facts.items() if value is not None} | {
            "columns": len(source_columns(self.columns))
        }


def survey(path: Path, stated: FileFormat, limit: int) -> FileSurvey:
    """Finds out what a file is like, where the mapping does not say it; raises BadInput for one that cannot be read."""
    if not path.is_file():
        unreadable("it is a directory; give a file" if path.is_dir() else "there is no such file; check the path")
    stream, compression, sort = open_bytes(path, limit)
    with stream:
        if sort == "parquet":
            return FileSurvey("parquet", None, stated, parquet_columns(path))
        start = stream.read(SAMPLE_BYTES)
        if not start.strip():
            unreadable("it is empty; send one with at least a header")
        file = stated
        if file.encoding is None:
            file = replace(file, encoding=_encoding(start, stream))
    text = start.decode(file.encoding or "utf-8", "replace").lstrip("\ufeff")
    if "\0" in text:
        unreadable(
            "it has NUL characters; it is no text, or in another encoding: say it in the mapping (file.encoding)"
        )
    if text.lstrip().startswith("{"):
        lines = FileSurvey("jsonl", compression, file, ())
        names = dict.fromkeys(
            name for line in islice(read_lines(path, lines, limit), SAMPLE_LINES) for name in line.record
        )
        return replace(lines, columns=tuple(names))
    if file.delimiter is None:
        file = replace(file, delimiter=_delimiter(text))
    if file.decimal is None and file.delimiter == ";":
        file = replace(file, decimal=",", guesses_decimal=True)
    return _with_columns(path, FileSurvey("csv", compression, file, ()), limit)


def _with_columns(path: Path, layout: FileSurvey, limit: int) -> FileSurvey:
    """The survey of a CSV file with its columns: those of the header, unless the mapping says that it has none.

    A file of refused lines has a header, whatever its source had."""
    stated = layout.file.columns
    header = _header(path, layout, limit, required=stated is None)
    if stated is not None and not has_reject_columns(header):
        return replace(layout, columns=_distinct(stated), has_header=False)
    if has_reject_columns(header):
        header = [unguarded(cell) for cell in header]
    names = Counter(cell.strip() for cell in header)
    repeated = frozenset(name for name, count in names.items() if name and count > 1)
    return replace(layout, columns=_distinct(header), repeated=repeated)


def _encoding(start: bytes, stream: BinaryIO) -> str:
    """UTF-8 if all of it is; else what Western systems write."""
    for bom, name in BOMS:
        if start.startswith(bom):
            return name
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(start)
        while chunk := stream.read(CHUNK):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _delimiter(text: str) -> str:
    """The separator that most lines of the beginning have equally often; Excel names it in a first line `sep=;`."""
    lines = text.splitlines()[:SAMPLE_LINES]
    if lines and lines[0].lower().startswith("sep=") and len(lines[0]) == 5:
        return lines[0][4]
    best, best_score = ",", 0
    for delimiter in DELIMITERS:
        try:
            counts = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter) if row)
        except csv.Error:
            continue
        cells, lines_alike = max(counts.items(), key=lambda item: (item[0] > 1, item[1]), default=(0, 0))
        score = lines_alike * 100 + min(cells, 99) if cells > 1 else 0
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _header(path: Path, layout: FileSurvey, limit: int, *, required: bool) -> Sequence[str]:
    """The cells of the first row; raises BadInput if they are needed and cannot be read."""
    for number, cells, fault, _ in _csv_rows(path, layout, limit):
        if fault is not None and required:
            unreadable(f"line {number}: {fault}")
        return cells
    if required:
        unreadable("it has no header; give one, or name the columns in the mapping (file.columns)")
    return ()


def _distinct(header: Sequence[str]) -> tuple[str, ...]:
    """The names of the columns; the second of one name is `name (2)`, and one without a name is `column 3`."""
    names: list[str] = []
    for index, cell in enumerate(header):
        name = cell.strip() or f"column {index + 1}"
        count = 1
        while name in names:
            count += 1
            name = f"{cell.strip()} ({count})"
        names.append(name)
    if len(names) > MAX_COLUMNS:
        message = f"file: line 1 has {len(names):,} columns, and a file may have {MAX_COLUMNS:,}; leave some out."
        raise LimitExceeded(message, code="FILE_LIMIT", argument="file")
    return tuple(names)


class _TextLines:
    """The lines of a text, of which it remembers those since the last `forget`."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._passed: list[str] = []
        self._number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline(MAX_LINE + 1)
        if not line:
            raise StopIteration
        self._number += 1
        if len(line) > MAX_LINE:
            _refuse_long(self._number, "characters", "a quotation mark or a line break may be missing")
        self._passed.append(line)
        return line

    def forget(self) -> list[str]:
        """The remembered lines, which the next ones replace."""
        passed, self._passed = self._passed, []
        return passed


class _CsvRow(NamedTuple):
    number: int  # of its first line
    cells: list[str]
    fault: str | None
    lines: list[str]


def _csv_rows(path: Path, layout: FileSurvey, limit: int) -> Iterator[_CsvRow]:
    """The rows of a CSV file, the header included; blank ones are left out."""
    stream, _, _ = open_bytes(path, limit)
    with stream, io.TextIOWrapper(stream, layout.file.encoding, errors="surrogateescape", newline="") as text:
        delimiter = layout.file.delimiter or ","
        lines = _TextLines(text)
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        while True:
            number = reader.line_num + 1
            lines.forget()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield from _faulty_rows(str(error), number, lines.forget())
                continue
            if number == 1 and cells and cells[0].startswith("\ufeff"):
                cells[0] = cells[0].removeprefix("\ufeff")
            if not any(cell.strip() for cell in cells) or (number == 1 and _is_excel_hint(cells, delimiter)):
                continue
            yield _CsvRow(number, cells, None, lines.forget())


def _is_excel_hint(cells: list[str], delimiter: str) -> bool:
    return cells in ([f"sep={delimiter}"], ["sep=", ""])


def _faulty_rows(error: str, number: int, lines: list[str]) -> Iterator[_CsvRow]:
    """What cannot be read from a line on. After a mark that stays open the lines are refused one by one, each with its text.

    They are not read as rows of their own: within a long text, some would look like one."""
    if "unexpected end" not in error and "field larger" not in error:
        fault = (
            f"a quoted cell does not end at its quotation mark (line {number + len(lines) - 1}); "
            "double marks that are part of the text"
        )
        yield _CsvRow(number, [], fault, lines)
        return
    fault = "a quotation mark opens here and is never closed; close it, or double it where it is part of the text"
    if "field larger" in error:
        fault = f"a cell that begins here has more than {MAX_CELL:,} characters; a quotation mark may be missing"
    for line_number, line in enumerate(lines, number):
        if line.strip():
            yield _CsvRow(line_number, [], fault, [line])
        fault = f"it is within a cell that begins in line {number} and does not end; correct that line and send this one again"


def _refuse_long(number: int, unit: str, remedy: str) -> NoReturn:
    message = f"file: line {number} has more than {MAX_LINE:,} {unit}; {remedy}."
    raise LimitExceeded(message, code="FILE_LIMIT", argument="file")


def read_lines(path: Path, layout: FileSurvey, limit: int) -> Iterator[FileLine]:
    """The records of a file in order. Close the iterator to close the file."""
    if layout.format == "parquet":
        for number, record in enumerate(parquet_records(path), 1):
            yield FileLine(number, record)
    elif layout.format == "jsonl":
        yield from _json_lines(path, layout, limit)
    else:
        yield from _csv_lines(path, layout, limit)


def _csv_lines(path: Path, layout: FileSurvey, limit: int) -> Iterator[FileLine]:
    columns, is_rejected = layout.columns, layout.is_rejected
    rows = _csv_rows(path, layout, limit)
    if layout.has_header:
        next(rows, None)
    for number, cells, fault, lines in rows:
        if fault is None and len(cells) > len(columns) and not any(cell.strip() for cell in cells[len(columns) :]):
            cells = cells[: len(columns)]
        if fault is None and len(cells) != len(columns):
            fault = (
                f"the line has {len(cells)} cells and the header {len(columns)}; put cells with "
                f"{layout.file.delimiter!r} or a line break in quotation marks"
            )
        record: dict[str, Any] = dict(zip(columns, cells, strict=False))
        fault = fault or _undecodable(record, layout)
        if fault is not None:
            yield FileLine(number, {}, fault, "".join(lines).rstrip("\r\n"))
        elif is_rejected:
            yield _of_source(number, {name: unguarded(cell) for name, cell in record.items()})
        else:
            yield FileLine(number, record)


def _of_source(number: int, record: dict[str, Any]) -> FileLine:
    """A line that an earlier import refused, as its source had it."""
    values, text = source_record(record)
    return FileLine(number, values) if text is None else FileLine(number, {}, UNREPAIRED, text)


def _undecodable(record: dict[str, str], layout: FileSurvey) -> str | None:
    for name, cell in record.items():
        if not cell.isascii() and any("\udc80" <= character <= "\udcff" for character in cell):
            return (
                f"column {name!r}: it is not in {layout.file.encoding}; say the encoding in the mapping (file.encoding)"
            )
        if "\0" in cell:
            return f"column {name!r}: it has a NUL character; remove it"
    return None


def _json_lines(path: Path, layout: FileSurvey, limit: int) -> Iterator[FileLine]:
    stream, _, _ = open_bytes(path, limit)
    with stream:
        number = 0
        while raw := stream.readline(MAX_LINE + 1):
            number += 1
            if len(raw) > MAX_LINE:
                _refuse_long(number, "bytes", "a line is one JSON object")
            if raw.strip():
                yield _json_line(number, raw, layout)


def _json_line(number: int, raw: bytes, layout: FileSurvey) -> FileLine:
    encoding = layout.file.encoding or "utf-8"
    try:
        value = exact_json.loads(raw.decode(encoding).lstrip("\ufeff"))
        fault = None if isinstance(value, dict) else "a line of JSON Lines is an object; write {…} in each line"
    except JSONDecodeError as error:
        value, fault = {}, f"it is no JSON (column {error.pos + 1}: {error.msg}); write one object in each line"
    except (ValueError, RecursionError) as error:
        value, fault = {}, f"it is no JSON: {error}"
    if fault is not None:
        return FileLine(number, {}, fault, raw.decode(encoding, "backslashreplace").rstrip("\r\n"))
    record: dict[str, Any] = {}
    _flatten(value, "", record)
    return _of_source(number, record) if GROUP in value else FileLine(number, record)


def _flatten(value: dict[str, Any], prefix: str, record: dict[str, Any]) -> None:
    """Objects within objects become columns with dots: `address.city`."""
    for name, member in value.items():
        if isinstance(member, dict) and member:
            _flatten(member, f"{prefix}{name}.", record)
        else:
            record[f"{prefix}{name}"] = member
