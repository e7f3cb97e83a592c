"""Values of imports: cells of a file as the types of their fields. What GraphQL reads in one form, files have in several."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import partial
from typing import Any, TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo

from hub.domain.exchange.mapping_types import FileFormat, JsonSource, ValueSource
from hub.engine.catalog.scalars import parse_date, parse_datetime, parse_decimal
from hub.errors import BadInput
from hub.model import exact_json
from hub.model.columns import DescribedEnum
from hub.model.entity import Entity
from hub.model.fields import split_optional
from hub.model.scalars import Json, MoneyAmount

FileRecord: TypeAlias = Mapping[str, Any]  # a line's values by column: texts, or what JSON and Parquet have
Parse: TypeAlias = Callable[[Any], Any]  # raises ValueError with the fault and the remedy
TRUE = frozenset(("true", "t", "yes", "y", "1", "ja", "j", "oui", "wahr", "x"))
FALSE = frozenset(("false", "f", "no", "n", "0", "nein", "non", "falsch"))
BLANKS = " \t\r\n\u00a0\u202f\u2007'’"  # within numbers too: separators of thousands
WITHOUT_BLANKS = str.maketrans("", "", BLANKS)
THOUSANDS = {".": re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?"), ",": re.compile(r"[+-]?\d{1,3}(\.\d{3})+(,\d*)?")}
AMBIGUOUS = re.compile(r"[+-]?\d{1,3}[.,]\d{3}")
LOCAL_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?")
HEX_KEY = re.compile(r"[0-9a-f]{32}")
MAX_INT = 2**31 - 1


def is_empty(value: Any) -> bool:
    """Whether a cell says nothing."""
    return value is None or (isinstance(value, str) and not value.strip())


def _number(value: Any, decimal: str | None, guess: str | None = None) -> Decimal:
    """A number. `guess` is the separator of a file of which nobody said it: it reads `1,250`, and leaves `12.50` alone."""
    if isinstance(value, Decimal):
        return value
    if not isinstance(value, str):
        return parse_decimal(value)
    text = value.translate(WITHOUT_BLANKS)
    is_ambiguous = AMBIGUOUS.fullmatch(text) is not None
    if decimal is None and guess is not None and (guess in text if is_ambiguous else THOUSANDS[guess].fullmatch(text)):
        decimal = guess
    if decimal is None and is_ambiguous:
        raise _ambiguous(value)
    other = {".": ",", ",": "."}
    separator = decimal or ("," if "," in text and "." not in text else ".")
    if THOUSANDS[separator].fullmatch(text):
        text = text.replace(other[separator], "")
    elif other[separator] in text and decimal is not None:
        raise ValueError(
            f"{value[:40]!r} is no number with the decimal separator {decimal!r}; correct it or the mapping"
        )
    return parse_decimal(text.replace(",", "."))


def _ambiguous(value: str) -> ValueError:
    return ValueError(f'{value[:40]!r} can be read in two ways; say decimal = "." or "," in the mapping')


def _integer(value: Any, decimal: str | None, guess: str | None = None) -> int:
    """A whole number. Where a decimal comma is likely, `1,000` and `1.000` may be one or a thousand, and are refused."""
    if guess is None:
        decimal = decimal or "."
    elif isinstance(value, str) and AMBIGUOUS.fullmatch(value.translate(WITHOUT_BLANKS)):
        raise _ambiguous(value)
    number = _number(value, decimal, guess)
    if number != number.to_integral_value() or abs(number) > MAX_INT:
        raise ValueError(f"{str(value)[:40]!r} is no whole number of up to {MAX_INT:,}")
    return int(number)


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in TRUE or text in FALSE:
        return text in TRUE
    raise ValueError(f"{text[:40]!r} is neither true nor false; use `values` for other words")


def _moment(value: Any, date_format: str | None, timezone: ZoneInfo) -> datetime:
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=timezone)).astimezone(UTC)
    if isinstance(value, date):
        return datetime.combine(value, time.min, timezone).astimezone(UTC)
    text = str(value).strip()
    if date_format is not None:
        try:
            moment = datetime.strptime(text, date_format)
        except ValueError:
            raise ValueError(f"{text[:40]!r} is not written as {date_format}; correct it or the format") from None
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone)).astimezone(UTC)
    if LOCAL_TIME.fullmatch(text):
        try:
            return datetime.fromisoformat(text).replace(tzinfo=timezone).astimezone(UTC)
        except ValueError:
            raise ValueError(f"{text} is no time of the calendar") from None
    return parse_datetime(text)


def _day(value: Any, date_format: str | None) -> date:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    text = str(value).strip()
    if date_format is None:
        return parse_date(text)
    try:
        return datetime.strptime(text, date_format).date()
    except ValueError:
        raise ValueError(f"{text[:40]!r} is not written as {date_format}; correct it or the format") from None


def _member(value: Any, members: type[DescribedEnum]) -> str:
    text = str(value).strip()
    for candidate in (text, text.upper().replace(" ", "_")):
        if candidate in members.__members__:
            return candidate
    raise ValueError(f"{text[:40]!r} is none of {', '.join(members.__members__)}; use `values` to translate it")


def _json(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return exact_json.loads(value)
    except ValueError:
        raise ValueError(f"{value[:40]!r} is no JSON") from None


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, bool | list | dict) else str(value)


def _key(value: Any, entity: type[Entity]) -> UUID:
    prefix, _, digits = _text(value).strip().partition("_")
    if prefix != entity.definition.options["prefix"] or HEX_KEY.fullmatch(digits) is None:
        raise ValueError(f"{_text(value)[:40]!r} is no id of {entity.__name__}; give one as the hub does")
    return UUID(digits)


def _texts(value: Any) -> list[str]:
    if isinstance(value, list):
        return [_text(item) for item in value]
    return [part.strip() for part in _text(value).split(",") if part.strip()]


def parser(annotation: Any, source: ValueSource, file: FileFormat) -> Parse:
    """The function that reads cells of a field of this type."""
    python_type = split_optional(annotation)[0]
    decimal, date_format = source.decimal or file.decimal, source.date_format or file.date_format
    guess = None
    if source.decimal is None and file.guesses_decimal:
        decimal, guess = None, file.decimal
    if python_type is int:
        return partial(_integer, decimal=decimal, guess=guess)
    if python_type in (Decimal, MoneyAmount):
        return partial(_number, decimal=decimal, guess=guess)
    if python_type is datetime:
        return partial(_moment, date_format=date_format, timezone=ZoneInfo(file.timezone))
    if python_type is date:
        return partial(_day, date_format=date_format)
    if isinstance(python_type, type) and issubclass(python_type, DescribedEnum):
        return partial(_member, members=python_type)
    return {bool: _boolean, Json: _json, list[str]: _texts}.get(python_type, _text)


def field_parser(entity: type[Entity], column: str, source: ValueSource, file: FileFormat) -> Parse:
    """The function that reads cells of a column of an entity."""
    if column == "id":
        return partial(_key, entity=entity)
    return parser(entity.definition.annotations.get(column, str), source, file)


def read_cell(source: ValueSource, record: FileRecord) -> Any:
    """What a line has for a source, as its cell has it; None for nothing."""
    if source.template is not None:
        if all(is_empty(record.get(name)) for name in source.columns):
            value = None
        else:
            value = source.template.format_map({name: _text(record.get(name) or "").strip() for name in source.columns})
    elif source.column is not None:
        value = record.get(source.column)
    else:
        return source.constant
    if is_empty(value):
        return source.default
    if source.filled is not None:
        return source.filled
    if source.values is not None:
        name = _text(value).strip()
        if name not in source.values:
            raise ValueError(f"{name[:40]!r} is not among the `values` of the mapping; add it there")
        value = source.values[name]
        return source.default if is_empty(value) else value
    return value


def read_object(source: JsonSource, record: FileRecord) -> dict[str, Any] | None:
    """A JSON object of a line; None if all of it is empty."""
    members: dict[str, Any] = {}
    for name, member in source.members.items():
        value = read_object(member, record) if isinstance(member, JsonSource) else read_cell(member, record)
        if not is_empty(value):
            members[name] = value.strip() if isinstance(value, str) else value
    return members or None


def value_error(name: str, fault: ValueError) -> BadInput:
    """The error of a field whose value cannot be read."""
    return BadInput(f"{name}: {fault}.", argument=name)
