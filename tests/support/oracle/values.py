"""Values as the API writes and reads them: ids, times, amounts, durations, JSON."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from typing import Any
from uuid import UUID

from hub.engine.catalog.catalog import CatalogEntity
from hub.engine.catalog.scalars import ScalarType
from oracle.faults import OracleError

_WIDE = Context(prec=200)
_ID = re.compile(r"([a-z]+)_([0-9a-f]{32})")
_DURATION = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")


def timestamp_text(value: datetime) -> str:
    """As Postgres prints it in JSON: UTC, no trailing zeros in the fraction."""
    whole = value.astimezone(UTC)
    fraction = f".{whole.microsecond:06}".rstrip("0") if whole.microsecond else ""
    return f"{whole:%Y-%m-%dT%H:%M:%S}{fraction}+00:00"


def to_output(value: Any, scalar: ScalarType) -> Any:
    """A column's value as it stands in an answer."""
    if value is None:
        return None
    if isinstance(value, datetime):
        return timestamp_text(value)
    if isinstance(value, date):
        return value.isoformat()
    return decimal_text(value) if isinstance(value, Decimal) and scalar.is_number else value


def decimal_text(value: Decimal) -> str:
    """All its decimals, never an exponent."""
    return f"{value:f}"


def parse_timestamp(text: str) -> datetime:
    return datetime.fromisoformat(text.upper()).astimezone(UTC)


def parse_duration(text: str) -> timedelta:
    match = _DURATION.fullmatch(text)
    assert match is not None, text
    weeks, days, hours, minutes, seconds = (int(group or 0) for group in match.groups())
    return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)


def to_comparable(value: Any, scalar: ScalarType) -> Any:
    """A filter's value as it is compared with a column's."""
    if scalar.name == "DateTime":
        return parse_timestamp(value)
    if scalar.name == "Date":
        return date.fromisoformat(value)
    if scalar.name in ("Decimal", "Money"):
        return to_decimal(value)
    return value


def to_decimal(value: Any) -> Decimal:
    """A number however it was sent."""
    return Decimal(value) if isinstance(value, str | int | Decimal) else Decimal(repr(value))


def parse_id(
    text: str, entities: Sequence[CatalogEntity], expected_type: CatalogEntity | None = None
) -> tuple[CatalogEntity, UUID]:
    """The type and key behind an id; `expected_type` is the type that the place wants."""
    match = _ID.fullmatch(text)
    if match is None:
        raise OracleError("ID_MALFORMED", f"{text} is no id")
    matching = [entity for entity in entities if entity.declaration.prefix == match.group(1)]
    if not matching or (expected_type is not None and matching[0] is not expected_type):
        raise OracleError("ID_WRONG_TYPE", f"{text} is of another type")
    return matching[0], UUID(match.group(2))


def exact_sum(values: Sequence[Any]) -> Decimal:
    """An exact sum, with the most decimals that a value has."""
    total = Decimal(0)
    for value in values:
        total = _WIDE.add(total, Decimal(value))
    return total


def average(values: Sequence[Any]) -> Decimal:
    """Postgres's avg of numbers, to its last decimal, for sorts and comparisons see the same ties."""
    return _quotient(exact_sum(values), len(values))


def round_half_up(value: Decimal, decimals: int = 4) -> Decimal:
    """Half away from zero."""
    return value.quantize(Decimal(1).scaleb(-decimals), rounding="ROUND_HALF_UP", context=_WIDE)


def _leading(value: Decimal) -> tuple[int, int]:
    """The weight and the first digit of a number in base 10,000, as Postgres's numeric holds it."""
    if not value:
        return 0, 0
    weight = value.adjusted() // 4
    return weight, int(abs(value).scaleb(-4 * weight, context=_WIDE))


def _quotient(total: Decimal, count: int) -> Decimal:
    """numeric_div: at least 16 significant digits by its estimate of the quotient's size, rounded half away from zero."""
    (weight, first), (divisor_weight, divisor_first) = _leading(total), _leading(Decimal(count))
    estimate = weight - divisor_weight - (first <= divisor_first)
    exponent = total.as_tuple().exponent
    assert isinstance(exponent, int)
    decimals = max(16 - estimate * 4, -exponent, 0)
    return round_half_up(_WIDE.divide(total, Decimal(count)), decimals)


def same_json(one: Any, other: Any) -> bool:
    """JSON equality: numbers by value, objects without order, and true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_json(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    if is_number(one) and is_number(other):
        return to_decimal(one) == to_decimal(other)
    return type(one) is type(other) and bool(one == other)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


_INDEX = re.compile(r"[+-]?\d+")
MISSING = None


def at_path(value: Any, path: Sequence[str]) -> Any:
    """What `#>` finds: object keys, and whole numbers (negative ones from the end) in lists; None where nothing is."""
    for step in path:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and _INDEX.fullmatch(step):
            index = int(step)
            value = value[index] if -len(value) <= index < len(value) else None
        else:
            return MISSING
    return value
