"""How each kind of value looks on the wire and in a statement: scalars, ids, amounts, times. One table, both ways.

Which operators a filter offers for a kind is here too; how they become SQL is sql/conditions.py's."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any, NewType
from uuid import UUID

import sqlalchemy as sa
import strawberry
from graphql import FloatValueNode, IntValueNode, StringValueNode, ValueNode
from sqlalchemy.dialects.postgresql import JSONB
from strawberry.types.scalar import ScalarDefinition

from hub.errors import BadInput
from hub.model.scalars import Json, MoneyAmount

_ID = re.compile(r"([^_]*)_([0-9a-f]{32})")

DateTime = NewType("DateTime", datetime)
Date = NewType("Date", date)
Amount = NewType("Amount", Decimal)
Cursor = NewType("Cursor", str)
Duration = NewType("Duration", timedelta)

DURATION_PATTERN = re.compile(
    r"P(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,6})S)?)?", re.ASCII
)
NUMBER_PATTERN = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
DATE_PATTERN = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
TIMESTAMP_PATTERN = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
MIN_DATE, MAX_DATE = date.min, date.max  # the driver takes these two for minus and plus infinity
MAX_DIGITS = 40  # of a number in a filter; far above numeric(18,4), far below what would cost time


def parse_datetime(value: Any) -> datetime:
    """RFC 3339 with an offset, at most microseconds; gives UTC."""
    if not isinstance(value, str) or not TIMESTAMP_PATTERN.fullmatch(value):
        raise ValueError("a DateTime is written 2026-01-31T12:00:00Z, with an offset and at most six decimals")
    try:
        timestamp = datetime.fromisoformat(value.upper()).astimezone(UTC)
        if MIN_DATE < timestamp.date() < MAX_DATE:
            return timestamp
    except (ValueError, OverflowError):
        pass
    raise ValueError(
        f"{value} is no moment of the calendar, which goes from year 1 to 9999 but for their outermost days"
    )


def parse_date(value: Any) -> date:
    """`2026-01-31`."""
    try:
        if isinstance(value, str) and DATE_PATTERN.fullmatch(value):
            day = date.fromisoformat(value)
            if MIN_DATE < day < MAX_DATE:
                return day
    except ValueError:
        pass
    raise ValueError("a Date is written 2026-01-31, in years 1 to 9999 but for their outermost days")


def parse_decimal(value: Any) -> Decimal:
    """A finite number, as text or as a number; never rounded."""
    try:
        text = value.strip() if isinstance(value, str) else repr(value)
        if isinstance(value, bool) or len(text) > MAX_DIGITS or not NUMBER_PATTERN.fullmatch(text):
            raise ValueError
        number = Decimal(text)
        if number.is_finite() and abs(number.adjusted()) <= MAX_DIGITS:
            return number
    except (InvalidOperation, ValueError):
        pass
    raise ValueError(f'a Decimal is written "12.50", with at most {MAX_DIGITS} digits')


def parse_duration(value: Any) -> timedelta:
    """ISO 8601 in weeks, days, hours, minutes and seconds; months and years have no fixed length and are refused."""
    match = DURATION_PATTERN.fullmatch(value) if isinstance(value, str) else None
    if match is None or not any(match.groups()):
        raise ValueError('a Duration is written "P30D" or "PT12H", in weeks, days, hours, minutes and seconds')
    weeks, days, hours, minutes, seconds = (int(digits or 0) for digits in match.groups())
    return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)


def parse_cursor(value: Any) -> str:
    """Opaque text; engine/cursors.py looks inside."""
    if not isinstance(value, str):
        raise ValueError("a Cursor is the text that an earlier page gave")
    return value


def _decimal_literal(node: ValueNode, variables: Any = None) -> Decimal:
    if isinstance(node, IntValueNode | FloatValueNode | StringValueNode):
        return parse_decimal(node.value)
    raise ValueError('a Decimal is written "12.50"')


def _scalar(name: str, description: str, parse: Callable[[Any], Any], literal: Any = None) -> ScalarDefinition:
    return strawberry.scalar(name=name, description=description, parse_value=parse, parse_literal=literal)


SCALARS: dict[object, ScalarDefinition] = {
    DateTime: _scalar("DateTime", "A moment, RFC 3339 in UTC with up to microseconds.", parse_datetime),
    Date: _scalar("Date", "A day, `2026-01-31`.", parse_date),
    Amount: _scalar("Decimal", 'An exact number as text, `"12.5000"`.', parse_decimal, _decimal_literal),
    Json: _scalar("JSON", "Any JSON value.", lambda value: value),
    Cursor: _scalar("Cursor", "A place in one list: opaque, signed, and good for that list alone.", parse_cursor),
    Duration: _scalar(
        "Duration", 'A length of time, ISO 8601 in weeks to seconds: `"P30D"`, `"PT12H"`.', parse_duration
    ),
}

EQUALITY = ("eq", "ne", "in", "notIn")
RANGE = ("lt", "lte", "gt", "gte")
TEXT = ("contains", "startsWith")
RELATIVE = ("withinLast", "olderThan")
NULL = ("isNull",)


@dataclass(frozen=True, slots=True)
class ScalarType:
    """One kind of value: its GraphQL annotation, its type as a parameter, its JSON form, and the operators of a filter."""

    name: str
    annotation: Any
    sql_type: sa.types.TypeEngine[Any]
    operators: tuple[str, ...]
    to_json: Callable[[sa.ColumnElement[Any]], sa.ColumnElement[Any]]
    is_number: bool = False
    is_time: bool = False
    is_money: bool = False

    def __repr__(self) -> str:
        return self.name


def _as_is(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return column


def _as_text(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.cast(column, sa.Text)


STRING = ScalarType("String", str, sa.Text(), EQUALITY + RANGE + TEXT + NULL, _as_is)
INT = ScalarType("Int", int, sa.Integer(), EQUALITY + RANGE + NULL, _as_is, is_number=True)
BOOLEAN = ScalarType("Boolean", bool, sa.Boolean(), ("eq", "ne", *NULL), _as_is)
DECIMAL = ScalarType("Decimal", Amount, sa.Numeric(), EQUALITY + RANGE + NULL, _as_text, is_number=True)
MONEY = ScalarType("Money", Amount, sa.Numeric(), EQUALITY + RANGE + NULL, _as_text, is_number=True, is_money=True)
DATETIME = ScalarType(
    "DateTime", DateTime, sa.DateTime(timezone=True), EQUALITY + RANGE + RELATIVE + NULL, _as_is, is_time=True
)
DATE = ScalarType("Date", Date, sa.Date(), EQUALITY + RANGE + NULL, _as_is, is_time=True)
JSON = ScalarType("JSON", Json, JSONB(), (), _as_is)
ID = ScalarType("ID", strawberry.ID, sa.Uuid(), EQUALITY, _as_is)

BY_PYTHON_TYPE: dict[Any, ScalarType] = {
    str: STRING,
    int: INT,
    bool: BOOLEAN,
    Decimal: DECIMAL,
    MoneyAmount: MONEY,
    datetime: DATETIME,
    date: DATE,
    Json: JSON,
}


def scalar_of(annotation: Any) -> ScalarType:
    """The wire of a column's annotation; raises TypeError for one that has none."""
    if annotation in BY_PYTHON_TYPE:
        return BY_PYTHON_TYPE[annotation]
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return ScalarType(annotation.__name__, annotation, sa.Text(), EQUALITY + NULL, _as_is)
    raise TypeError(f"a column cannot be declared as {annotation!r}")


def encode_id(prefix: str, key: UUID) -> str:
    """The same in Python."""
    return f"{prefix}_{key.hex}"


def decode_id(value: str, argument: str) -> tuple[str, UUID]:
    """An id's prefix and key; raises ID_MALFORMED naming the argument."""
    match = _ID.fullmatch(value)
    if match is not None:
        return match[1], UUID(match[2])
    raise BadInput(
        f"{argument}: {value[:60]!r} is not an id of this hub; give one that the hub gave, like cus_ and 32 hex digits.",
        code="ID_MALFORMED",
        argument=argument,
    )
