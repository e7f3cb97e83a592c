"""Figures over sets of rows, and rows in groups, by brute force."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hub.engine.catalog.catalog import Column, Row
from oracle.data import Record, values_of
from oracle.faults import Refused
from oracle.values import amount_text, average, outward, plus, rounded

MOST_KEYS = 4
MONTHS = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}
Figures = dict[str, Any]


def stats(row: Row, rows: Sequence[Record]) -> Figures:
    """`count`, and for every column that figures are taken of: sum, avg, min and max."""
    columns = list(row.aggregable)
    numbers = [each for each in columns if each.wire.number]
    return {
        "count": len(rows),
        "sum": {each.name: _figure(row, each, rows, _sum) for each in numbers},
        "avg": {each.name: _figure(row, each, rows, _avg) for each in numbers},
        "min": {each.name: _figure(row, each, rows, lambda c, v: _extreme(c, min(v))) for each in columns},
        "max": {each.name: _figure(row, each, rows, lambda c, v: _extreme(c, max(v))) for each in columns},
    }


def _figure(row: Row, column: Column, rows: Sequence[Record], of: Callable[[Column, list[Any]], Any]) -> Any:
    name = column.column.name
    if not column.wire.money:
        values = values_of(rows, name)
        return of(column, values) if values else None
    assert row.currency is not None
    found = []
    for currency in sorted({each[row.currency] for each in rows if each[row.currency] is not None}):
        values = values_of([each for each in rows if each[row.currency] == currency], name)
        if values:
            found.append({"amount": of(column, values), "currency": currency})
    return found


def _sum(column: Column, values: list[Any]) -> str:
    return amount_text(plus(values))


def _avg(column: Column, values: list[Any]) -> str:
    return amount_text(rounded(average(values)))


def _extreme(column: Column, value: Any) -> Any:
    return amount_text(Decimal(value)) if column.wire.number else outward(value, column.wire)


def groups(row: Row, rows: Sequence[Record], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The rows by their keys, in the order that was asked for."""
    by = arguments["by"]
    if not 1 <= len(by) <= MOST_KEYS or len({each["field"] for each in by}) < len(by):
        raise Refused("GROUP_INVALID", "one to four fields, none twice")
    first = 20 if arguments.get("first") is None else arguments["first"]
    if first > 100:
        raise Refused("PAGE_LIMIT", "first over 100")
    if first < 0:
        raise Refused("PAGE_ARGUMENTS", "a negative page")
    parts = [_part(row, each) for each in by]
    found: dict[tuple[Any, ...], list[Record]] = {}
    for each in rows:
        found.setdefault(tuple(read(each) for _, read in parts), []).append(each)
    keys = sorted(found, key=lambda key: [(each is None, each) for each in key])
    if arguments.get("orderBy") == "COUNT":
        keys.sort(key=lambda key: -len(found[key]))
    return {
        "totalCount": len(found),
        "nodes": [{"key": _key(row, parts, key), "stats": stats(row, found[key])} for key in keys[:first]],
    }


Part = tuple[Column, Callable[[Record], Any]]


def _key(row: Row, parts: Sequence[Part], key: tuple[Any, ...]) -> dict[str, Any]:
    empty = dict.fromkeys(row.columns)
    return empty | {column.name: outward(value, column.wire) for (column, _), value in zip(parts, key, strict=True)}


def _part(row: Row, given: Mapping[str, Any]) -> Part:
    column = next(each for each in row.filterable.values() if each.column.name.upper() == given["field"])
    name, bucket, timezone = column.column.name, given.get("bucket"), given.get("timezone")
    if timezone is not None and (bucket is None or column.wire.name == "Date"):
        raise Refused("GROUP_INVALID", "a time zone is for spans of moments")
    if bucket is None:
        return column, lambda record: record[name]
    if not column.wire.time:
        raise Refused("GROUP_INVALID", f"{column.name} is no time")
    zone = _zone(timezone or "UTC")
    return column, lambda record: None if record[name] is None else start_of(bucket, record[name], zone)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise Refused("TIMEZONE_UNKNOWN", name) from None


def start_of(bucket: str, value: date, zone: ZoneInfo) -> date:
    """When the span begins that a time, or a day, falls in."""
    if not isinstance(value, datetime):
        return _first_day(bucket, value)
    local = value.astimezone(zone)
    if bucket == "HOUR":
        # Within the hour the offset stays, even when the clock goes back.
        return value - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    return datetime.combine(_first_day(bucket, local.date()), time(), zone).astimezone(UTC)


def _first_day(bucket: str, day: date) -> date:
    if bucket in MONTHS:
        months = MONTHS[bucket]
        return day.replace(month=(day.month - 1) // months * months + 1, day=1)
    return day - timedelta(days=day.weekday()) if bucket == "WEEK" else day
