"""JSON whose numbers stay exact: a number that no double holds is read as its decimal digits, and written as them.

orjson and json read such numbers as the nearest double; Postgres's jsonb and numeric store them exactly."""

import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson

MAX_NUMBER_DIGITS = 400  # of a number in JSON
MAX_EXPONENT = 300  # of ten; that of a double goes to 308
MAX_DOUBLE_DIGITS = 15  # a double holds every decimal number of so many digits
_AS_ZERO = bytes.maketrans(b"123456789.", b"0000000000")
_LONG_RUN = b"0" * (MAX_DOUBLE_DIGITS + 1)

ObjectFactory = Callable[[list[tuple[str, Any]]], Any]


class ExactNumber(Decimal):
    """A JSON number that is no Python float: the float nearest to it has other digits."""


def exact_number(text: str) -> float | ExactNumber:
    """A JSON number with a fraction or an exponent: a float, unless that has another value."""
    number = float(text)
    if len(text) <= MAX_DOUBLE_DIGITS and "e" not in text and "E" not in text:
        return number
    exact = ExactNumber(text)
    return number if exact == Decimal(repr(number)) else exact


def _integer(text: str) -> int | ExactNumber:
    """A JSON number without a fraction; orjson writes no integer of more than 64 bits."""
    return int(text) if len(text) <= MAX_DOUBLE_DIGITS else ExactNumber(text)


def loads(text: str | bytes, object_pairs_hook: ObjectFactory | None = None) -> Any:
    """Reads JSON exactly; raises ValueError for invalid JSON, and for an integer of more than 4,300 digits."""
    return json.loads(text, object_pairs_hook=object_pairs_hook, parse_float=exact_number)


def dumps(value: Any, *, ascii_only: bool = False, sort_keys: bool = False) -> str:
    """Writes JSON exactly. Raises TypeError for a value that is not JSON, and ValueError for a number out of range."""
    options: dict[str, Any] = {
        "ensure_ascii": ascii_only,
        "allow_nan": False,
        "separators": (",", ":"),
        "sort_keys": sort_keys,
    }
    try:
        return json.dumps(value, **options)
    except TypeError:
        return _dumps_exactly(value, options)


def _dumps_exactly(value: Any, options: dict[str, Any]) -> str:
    """The slow way, for values that hold an ExactNumber."""
    if isinstance(value, ExactNumber):
        if abs(value.adjusted()) > MAX_EXPONENT or len(value.as_tuple().digits) > MAX_NUMBER_DIGITS:
            raise ValueError("the number is too large, too small or too long")
        return str(value)
    if isinstance(value, dict):
        parts = sorted(value.items()) if options["sort_keys"] else value.items()
        members = (f"{json.dumps(name, **options)}:{_dumps_exactly(part, options)}" for name, part in parts)
        return "{" + ",".join(members) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(_dumps_exactly(part, options) for part in value) + "]"
    return json.dumps(value, **options)


def size_in_bytes(value: Any) -> int:
    """The size of a JSON value as compact UTF-8, in bytes."""
    return len(dumps(value).encode(errors="surrogatepass"))


def loads_rows(body: bytes) -> Any:
    """Reads JSON that Postgres wrote, whose numbers have no exponent; fast where all of them are short."""
    if _LONG_RUN in body.translate(_AS_ZERO):
        return json.loads(body, parse_float=exact_number, parse_int=_integer)
    return orjson.loads(body)


def dumps_rows(value: Any) -> bytes:
    """Writes what `loads_rows` read, and fragments of JSON."""
    return orjson.dumps(value, default=_fragment)


def timestamp_text(value: datetime) -> str:
    """A time as Postgres writes it in JSON: a fraction of a second ends in no zero."""
    text = value.isoformat()
    whole, point, rest = text.partition(".")
    return f"{whole}.{rest[:6].rstrip('0')}{rest[6:]}" if point else text


def _fragment(value: Any) -> orjson.Fragment:
    if isinstance(value, ExactNumber):
        return orjson.Fragment(str(value))
    raise TypeError
