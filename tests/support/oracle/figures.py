"""Figures over sets of rows, and the spans of time that rows are grouped by, by brute force."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hub.engine.catalog.catalog import CatalogEntity, ColumnField
from oracle.data import DataRecord, non_null_values
from oracle.faults import OracleError
from oracle.values import average, decimal_text, exact_sum, round_half_up, to_output

# Of so many values at least an entity of which a viewer sees aggregates only has aggregates: the setting's default.
GROUP_MINIMUM = 5
MONTHS = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}
AggregateValues = dict[str, Any]


def least(entity: CatalogEntity) -> int:
    """How many rows or values an aggregate of the entity must be over."""
    return GROUP_MINIMUM if entity.aggregate_only else 1


def stats(entity: CatalogEntity, rows: Sequence[DataRecord]) -> AggregateValues:
    """`count`, and for every column that figures are taken of: sum, avg, min and max."""
    columns = list(entity.aggregable)
    numbers = [column for column in columns if column.scalar.is_number]
    return {
        "count": len(rows),
        "sum": {column.name: _aggregate(entity, column, rows, _sum) for column in numbers},
        "avg": {column.name: _aggregate(entity, column, rows, _avg) for column in numbers},
        "min": {column.name: _aggregate(entity, column, rows, lambda c, v: _extreme(c, min(v))) for column in columns},
        "max": {column.name: _aggregate(entity, column, rows, lambda c, v: _extreme(c, max(v))) for column in columns},
    }


def _aggregate(
    entity: CatalogEntity,
    column: ColumnField,
    rows: Sequence[DataRecord],
    aggregate: Callable[[ColumnField, list[Any]], Any],
) -> Any:
    name = column.column.name
    if not column.scalar.is_money:
        values = non_null_values(rows, name)
        return aggregate(column, values) if len(values) >= least(entity) else None
    assert entity.currency is not None
    amounts = []
    for currency in sorted({record[entity.currency] for record in rows if record[entity.currency] is not None}):
        values = non_null_values([record for record in rows if record[entity.currency] == currency], name)
        if len(values) >= least(entity):
            amounts.append({"amount": aggregate(column, values), "currency": currency})
    return amounts


def _sum(column: ColumnField, values: list[Any]) -> str:
    return decimal_text(exact_sum(values))


def _avg(column: ColumnField, values: list[Any]) -> str:
    return decimal_text(round_half_up(average(values)))


def _extreme(column: ColumnField, value: Any) -> Any:
    return decimal_text(Decimal(value)) if column.scalar.is_number else to_output(value, column.scalar)


def parse_zone(name: str) -> ZoneInfo:
    """The time zone of this name."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise OracleError("TIMEZONE_UNKNOWN", name) from None


def bucket_start(bucket: str, value: date, time_zone: ZoneInfo) -> date:
    """When the span begins that a time, or a day, falls in."""
    if not isinstance(value, datetime):
        return _first_day(bucket, value)
    local = value.astimezone(time_zone)
    if bucket == "HOUR":
        return _hour_start(local)
    return datetime.combine(_first_day(bucket, local.date()), time(), time_zone).astimezone(UTC)


def _hour_start(local: datetime) -> datetime:
    """Back to the whole hour, or to the second in which the clock was changed."""
    second = local.astimezone(UTC).replace(microsecond=0)
    shift = local.utcoffset()
    hour = second - timedelta(minutes=local.minute, seconds=local.second)
    if hour.astimezone(local.tzinfo).utcoffset() == shift:
        return hour  # no clock is changed twice in an hour
    for _ in range(local.minute * 60 + local.second):
        if (second - timedelta(seconds=1)).astimezone(local.tzinfo).utcoffset() != shift:
            break
        second -= timedelta(seconds=1)
    return second


def _first_day(bucket: str, day: date) -> date:
    if bucket in MONTHS:
        months = MONTHS[bucket]
        return day.replace(month=(day.month - 1) // months * months + 1, day=1)
    return day - timedelta(days=day.weekday()) if bucket == "WEEK" else day
