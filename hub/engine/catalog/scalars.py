"""The scalar types: parsing of input, parameter types in SQL, JSON output, and the filter operators of each type.

sql/conditions.py compiles the operators. Ids are encoded and decoded here too."""

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
from graphql import (
    FloatValueNode,
    IntValueNode,
    ListValueNode,
    ObjectValueNode,
    StringValueNode,
    ValueNode,
    value_from_ast_untyped,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from strawberry.types.scalar import ScalarDefinition

from hub.errors import BadInput
from hub.model import exact_json
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
# The driver reads these as minus and plus infinity.
MIN_DATE, MAX_DATE = date.min, date.max
MIN_DATETIME, MAX_DATETIME = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
MAX_DIGITS = 40  # of a number; more than numeric(18,4) needs, and still cheap to parse


def parse_datetime(value: Any) -> datetime:
    """Parses RFC 3339 with an offset and at most microseconds; returns UTC, raises ValueError."""
    if not isinstance(value, str) or not TIMESTAMP_PATTERN.fullmatch(value):
        raise ValueError("a DateTime is written 2026-01-31T12:00:00Z, with an offset and at most six decimals")
    try:
        timestamp = datetime.fromisoformat(value.upper()).astimezone(UTC)
        if MIN_DATETIME < timestamp < MAX_DATETIME:
            return timestamp
    except (ValueError, OverflowError):
        pass
    limits = "after 0001-01-01T00:00:00Z and before 9999-12-31T23:59:59.999999Z"
    raise ValueError(f"{value} is no time of the calendar or lies outside its limits; use one {limits}")


def parse_date(value: Any) -> date:
    """Parses `2026-01-31`; raises ValueError."""
    try:
        if isinstance(value, str) and DATE_PATTERN.fullmatch(value):
            day = date.fromisoformat(value)
            if MIN_DATE < day < MAX_DATE:
                return day
    except ValueError:
        pass
    raise ValueError("a Date is written 2026-01-31, from 0001-01-02 to 9999-12-30")


def parse_decimal(value: Any) -> Decimal:
    """Parses a finite number, sent as text or as a number, without rounding; raises ValueError."""
    try:
        text = value.strip() if isinstance(value, str) else str(value)
        if isinstance(value, bool) or len(text) > MAX_DIGITS or not NUMBER_PATTERN.fullmatch(text):
            raise ValueError
        number = Decimal(text)
        if number.is_finite() and abs(number.adjusted()) <= MAX_DIGITS:
            return number
    except (InvalidOperation, ValueError):
        pass
    raise ValueError(f'a Decimal is written "12.50", with at most {MAX_DIGITS} digits')


def parse_duration(value: Any) -> timedelta:
    """Parses ISO 8601 weeks to seconds; raises ValueError, also for months and years: they have no fixed length."""
    match = DURATION_PATTERN.fullmatch(value) if isinstance(value, str) else None
    if match is None or not any(match.groups()):
        raise ValueError('a Duration is written "P30D" or "PT12H", in weeks, days, hours, minutes and seconds')
    weeks, days, hours, minutes, seconds = (int(digits or 0) for digits in match.groups())
    return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)


def parse_cursor(value: Any) -> str:
    """Accepts any text; engine/cursors.py verifies and decodes it. Raises ValueError for other types."""
    if not isinstance(value, str):
        raise ValueError("a Cursor is a text; send one from an earlier response")
    return value


def _decimal_literal(node: ValueNode, variables: Any = None) -> Decimal:
    if isinstance(node, IntValueNode | FloatValueNode | StringValueNode):
        return parse_decimal(node.value)
    raise ValueError('a Decimal is written "12.50"')


def _json_literal(node: ValueNode, variables: Any = None) -> Any:
    """A JSON literal of a document; its numbers are read exactly."""
    if isinstance(node, FloatValueNode):
        return exact_json.exact_number(node.value)
    if isinstance(node, ListValueNode):
        return [_json_literal(item, variables) for item in node.values]
    if isinstance(node, ObjectValueNode):
        return {field.name.value: _json_literal(field.value, variables) for field in node.fields}
    return value_from_ast_untyped(node, variables)


def _scalar(name: str, description: str, parse: Callable[[Any], Any], literal: Any = None) -> ScalarDefinition:
    return strawberry.scalar(name=name, description=description, parse_value=parse, parse_literal=literal)


SCALARS: dict[object, ScalarDefinition] = {
    DateTime: _scalar("DateTime", "A point in time: RFC 3339 in UTC, with up to six decimals.", parse_datetime),
    Date: _scalar("Date", "A date, `2026-01-31`.", parse_date),
    Amount: _scalar("Decimal", 'An exact decimal number as text, `"12.5000"`.', parse_decimal, _decimal_literal),
    Json: _scalar("JSON", "Any JSON value.", lambda value: value, _json_literal),
    Cursor: _scalar("Cursor", "A position in one list: opaque, signed, and valid for that list only.", parse_cursor),
    Duration: _scalar("Duration", 'A duration, ISO 8601 in weeks to seconds: `"P30D"`, `"PT12H"`.', parse_duration),
}

EQUALITY = ("eq", "ne", "in", "notIn")
RANGE = ("lt", "lte", "gt", "gte")
TEXT = ("contains", "startsWith")
RELATIVE = ("withinLast", "olderThan")
NULL = ("isNull",)


@dataclass(frozen=True, slots=True)
class ScalarType:
    """A scalar type: its annotation, its SQL type as a parameter, its JSON form and its filter operators."""

    name: str
    annotation: Any
    sql_type: sa.types.TypeEngine[Any]
    operators: tuple[str, ...]
    to_json: Callable[[sa.ColumnElement[Any]], sa.ColumnElement[Any]]
    is_number: bool = False
    is_time: bool = False
    is_money: bool = False
    is_list: bool = False

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
STRING_LIST = ScalarType("StringList", list[str], ARRAY(sa.Text()), ("has",), _as_is, is_list=True)
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
    list[str]: STRING_LIST,
}


def scalar_of(annotation: Any) -> ScalarType:
    """Returns the scalar type of a column's annotation; raises TypeError if it has none."""
    if annotation in BY_PYTHON_TYPE:
        return BY_PYTHON_TYPE[annotation]
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return ScalarType(annotation.__name__, annotation, sa.Text(), EQUALITY + NULL, _as_is)
    raise TypeError(f"a column cannot be declared as {annotation!r}")


def encode_id(prefix: str, key: UUID) -> str:
    """Returns the id of a row: the prefix and 32 hex digits."""
    return f"{prefix}_{key.hex}"


def decode_id(value: str, argument: str) -> tuple[str, UUID]:
    """Returns the prefix and the key of an id; raises ID_MALFORMED with the argument."""
    match = _ID.fullmatch(value)
    if match is not None:
        return match[1], UUID(int=int(match[2], 16))
    raise BadInput(
        f"{argument}: {value[:60]!r} is not an id of this hub; send an id from a response, such as cus_ and 32 hex digits.",
        code="ID_MALFORMED",
        argument=argument,
    )
