"""Files as people have them: each is read as it was meant, or refused with the line, the column and the remedy."""

import gzip
import json
from pathlib import Path

import pytest
import zstandard

from hub.domain.exchange.mapping_types import FileFormat, ValueSource
from hub.errors import HubError
from hub.jobs.import_files import FileLine, FileSurvey, read_lines, survey
from hub.jobs.import_values import parser

LIMIT = 10_000_000
TEXT = "name,city\nÉmile,Köln\nFrançois,Paris\n"
ROWS = [{"name": "Émile", "city": "Köln"}, {"name": "François", "city": "Paris"}]


def read(
    folder: Path, content: bytes, stated: FileFormat | None = None, limit: int = LIMIT
) -> tuple[FileSurvey, list[FileLine]]:
    """What a file with these bytes is, and its lines."""
    path = folder / "file"
    path.write_bytes(content)
    layout = survey(path, stated or FileFormat(), limit)
    return layout, list(read_lines(path, layout, limit))


def refusal(folder: Path, content: bytes, limit: int = LIMIT) -> HubError:
    with pytest.raises(HubError) as raised:
        read(folder, content, limit=limit)
    return raised.value


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (TEXT.encode(), "utf-8"),
        (TEXT.encode("utf-8-sig"), "utf-8-sig"),
        (TEXT.encode("latin-1"), "cp1252"),
        (TEXT.encode("utf-16"), "utf-16"),
        (gzip.compress(TEXT.encode()), "utf-8"),
        (zstandard.compress(TEXT.encode("latin-1")), "cp1252"),
        (("sep=;\r\n" + TEXT.replace(",", ";").replace("\n", "\r\n")).encode(), "utf-8"),
        (("\n\n" + TEXT.replace("\n", "\n\n")).replace(",", "\t").encode(), "utf-8"),
        (("sep=,\n" + TEXT).encode("utf-8-sig"), "utf-8-sig"),
    ],
    ids=["utf-8", "bom", "latin-1", "utf-16", "gzip", "zstd", "semicolons", "tabs", "excel"],
)
def test_encodings_delimiters_and_compressions_are_detected(tmp_path: Path, content: bytes, encoding: str) -> None:
    layout, lines = read(tmp_path, content)
    assert (layout.file.encoding, [line.record for line in lines]) == (encoding, ROWS)
    assert layout.report()["columns"] == 2


def test_semicolons_mean_decimal_commas(tmp_path: Path) -> None:
    layout, _ = read(tmp_path, b"a;b\n1;2,50\n")
    assert (layout.file.delimiter, layout.file.decimal) == (";", ",")
    read_integer = parser(int, ValueSource(column="b"), layout.file)
    assert [read_integer(cell) for cell in ("7", "7,0", "1.000.000")] == [7, 7, 1_000_000]
    for cell in ("1,000", "1.000"):  # one or a thousand
        with pytest.raises(ValueError, match="two ways"):
            read_integer(cell)


def test_quoted_line_breaks_and_delimiters_are_part_of_a_cell(tmp_path: Path) -> None:
    _, lines = read(tmp_path, b'a,b\n"one\r\ntwo","x, ""y"""\n3,4\n')
    assert [(line.number, line.record) for line in lines] == [
        (2, {"a": "one\r\ntwo", "b": 'x, "y"'}),
        (4, {"a": "3", "b": "4"}),
    ]


def test_a_line_with_another_number_of_cells_is_at_fault_alone(tmp_path: Path) -> None:
    _, lines = read(tmp_path, b'a,b\n1\n2,3\n4,5,6\n7,8,,\n"9"x,1\n')
    assert [(line.number, line.fault and line.fault.split(";")[0], line.text) for line in lines] == [
        (2, "the line has 1 cells and the header 2", "1"),
        (3, None, None),
        (4, "the line has 3 cells and the header 2", "4,5,6"),
        (5, None, None),
        (6, "a quoted cell does not end at its quotation mark (line 6)", '"9"x,1'),
    ]
    assert [line.record for line in lines] == [{}, {"a": "2", "b": "3"}, {}, {"a": "7", "b": "8"}, {}]


def test_a_quotation_mark_that_is_never_closed_is_named(tmp_path: Path) -> None:
    _, lines = read(tmp_path, b'a,b\n1,2\n3,"4\n5,6\n')
    assert [(line.number, line.text) for line in lines if line.fault] == [(3, '3,"4'), (4, "5,6")]
    assert "never closed" in str(lines[1].fault)
    assert "begins in line 3" in str(lines[2].fault)


def test_no_line_after_an_open_quotation_mark_is_lost(tmp_path: Path) -> None:
    rows = ["a,b", '1,"open', *(f"{number},{'x' * 40}" for number in range(10_000))]
    _, lines = read(tmp_path, "\n".join(rows).encode())
    assert [line.number for line in lines] == list(range(2, len(rows) + 1))
    refused = [line for line in lines if line.fault is not None]
    assert 2_000 < len(refused) < 4_000
    assert [line.text for line in refused] == rows[1 : len(refused) + 1]


def test_the_text_of_a_long_line_is_whole(tmp_path: Path) -> None:
    cells = ",".join("x" * 60_000 for _ in range(3))
    _, lines = read(tmp_path, f"a,b\n{cells}\n".encode())
    assert [line.text for line in lines] == [cells]
    broken = '{"a": "' + "x" * 200_000
    _, lines = read(tmp_path, f'{{"a": 1}}\n{broken}\n'.encode())
    assert [line.text for line in lines] == [None, broken]
    assert refusal(tmp_path, b"a,b\n" + b"x" * 5_000_000).code == "FILE_LIMIT"


def test_columns_of_one_name_stay_apart(tmp_path: Path) -> None:
    layout, lines = read(tmp_path, b"a,b,a,\n1,2,3,4\n")
    assert (layout.columns, layout.repeated) == (("a", "b", "a (2)", "column 4"), frozenset({"a"}))
    assert lines[0].record == {"a": "1", "b": "2", "a (2)": "3", "column 4": "4"}


def test_a_thousand_columns_are_read_and_very_many_refused(tmp_path: Path) -> None:
    many = [f"c{number}" for number in range(1_000)]
    layout, lines = read(tmp_path, "\n".join([",".join(many), ",".join(many)]).encode())
    assert (len(layout.columns), lines[0].record["c999"]) == (1_000, "c999")
    assert refusal(tmp_path, ",".join(f"c{n}" for n in range(3_000)).encode()).code == "FILE_LIMIT"


def test_json_lines_have_columns_with_dots(tmp_path: Path) -> None:
    content = "\n".join(json.dumps(row) for row in ({"a": 1, "b": {"c": "x"}}, {"a": None})) + "\n[1]\n{\n"
    layout, lines = read(tmp_path, content.encode())
    assert (layout.format, layout.columns) == ("jsonl", ("a", "b.c"))
    assert [line.record for line in lines] == [{"a": 1, "b.c": "x"}, {"a": None}, {}, {}]
    assert [(line.fault is None, line.text) for line in lines] == [
        (True, None),
        (True, None),
        (False, "[1]"),
        (False, "{"),
    ]


REFUSED = (
    "$reject.line;$reject.code;$reject.message;$reject.text;a;b\n7;X;no;;'=1+1;Käse\n9;X;no;;''=2;'x\n8;X;no;raw;;\n"
)


@pytest.mark.parametrize("columns", [None, ("a", "b")], ids=["header", "no-header"])
def test_refused_lines_are_read_as_their_source_had_them(tmp_path: Path, columns: tuple[str, ...] | None) -> None:
    stated = FileFormat(encoding="cp1252", delimiter=";", columns=columns)
    layout, lines = read(tmp_path, REFUSED.encode("cp1252"), stated)
    assert [line.record for line in lines] == [{"a": "=1+1", "b": "Käse"}, {"a": "'=2", "b": "'x"}, {}]
    assert [line.text for line in lines] == [None, None, "raw"]
    assert layout.report()["columns"] == 2
    refused = b'{"$reject":{"line":1,"code":"X"},"a.b":[1]}\n{"$reject":{"line":2,"text":"{"}}\n'
    _, lines = read(tmp_path, refused)
    assert [(line.record, line.text) for line in lines] == [({"a.b": [1]}, None), ({}, "{")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is empty"),
        (b"\n \n", "it is empty"),
        (b"PK\x03\x04rest", "a ZIP archive or an Excel workbook; save it as CSV"),
        (b"a,b\0\n1,2\n", "NUL characters"),
        (gzip.compress(TEXT.encode())[:-9], "it cannot be decompressed"),
        (b"PAR1 and no more", "no whole Parquet file"),
    ],
    ids=["empty", "blank", "zip", "nul", "cut-gzip", "parquet"],
)
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    error = refusal(tmp_path, content)
    assert (error.code, message in error.message) == ("FILE_UNREADABLE", True), error.message


def test_a_directory_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    for path, message in ((tmp_path, "it is a directory"), (tmp_path / "none", "no such file")):
        with pytest.raises(HubError, match=message):
            survey(path, FileFormat(), LIMIT)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    bomb = gzip.compress(b"a,b\n" + b"1,2\n" * 1_000_000)
    error = refusal(tmp_path, bomb, limit=1_000_000)
    assert (len(bomb) < 20_000, error.code) == (True, "FILE_LIMIT")


def test_parquet_is_read_with_its_types(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "file"
    parquet.write_table(pyarrow.table({"a": [1, None], "b": ["x", "y"]}), path)
    layout = survey(path, FileFormat(), LIMIT)
    assert (layout.format, layout.columns) == ("parquet", ("a", "b"))
    assert [line.record for line in read_lines(path, layout, LIMIT)] == [{"a": 1, "b": "x"}, {"a": None, "b": "y"}]
