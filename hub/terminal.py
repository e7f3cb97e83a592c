"""Prints rows for people and for programs: a table on a terminal, tab-separated lines into a pipe, or JSON."""

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import orjson
from rich.console import Console
from rich.table import Table

from hub.text_case import camel_case

PrintableRow = Mapping[str, object]


def print_rows(rows: Sequence[PrintableRow], *, json: bool = False) -> None:
    """Prints rows that have the same columns. JSON names the columns in camel case; a pipe gets no heading."""
    if json:
        named = [{camel_case(name, " "): value for name, value in row.items()} for row in rows]
        print(orjson.dumps(named, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z).decode())
    elif not sys.stdout.isatty():
        for row in rows:
            print("\t".join(" ".join(_format(value).split()) for value in row.values()))
    elif rows:
        table = Table(*rows[0], box=None)
        table.columns[0].no_wrap = True  # an id is copied as a whole
        table.columns[0].min_width = max(len(_format(next(iter(row.values())))) for row in rows)
        for row in rows:
            table.add_row(*map(_format, row.values()))
        Console().print(table)


def _format(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M")
    return "" if value is None else str(value)
