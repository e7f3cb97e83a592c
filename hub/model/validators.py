"""The forms that values of the trade must have: codes of countries, currencies and languages, addresses, numbers, texts.

Each function returns the value in canonical form, or raises ValueError with the fault and the remedy; the caller adds
the argument's name. Maintained libraries bring the lists of codes."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import phonenumbers
import pycountry
from email_validator import EmailNotValidError, validate_email

from hub.errors import BadInput
from hub.model import exact_json

MAX_TEXT_LENGTH = 65_536  # characters of a body
MAX_LINE_LENGTH = 200  # of a name, a title, a subject
MAX_JSON_BYTES = 16_384  # bytes of free facts, as compact UTF-8
AMOUNT_LIMIT = 10**14  # which no amount reaches
CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
DOTTED_NAME = re.compile(r"[a-z0-9_]{1,40}(\.[a-z0-9_]{1,40}){0,4}")
SLUG = re.compile(r"[A-Za-z0-9_]{1,63}")

ValueCheck = Callable[[Any], Any]


def _ascii_or_empty(value: str) -> str:
    """The stripped text if it is ASCII, else nothing: other letters may have ASCII capitals, as `ß` has SS."""
    return value.strip() if value.isascii() else ""


def country(value: str) -> str:
    """ISO 3166-1 alpha-2, in capitals."""
    code = _ascii_or_empty(value).upper()
    if pycountry.countries.get(alpha_2=code) is None:
        raise ValueError(f"{value[:20]!r} is no ISO 3166-1 country; give two letters like DE")
    return code


def currency(value: str) -> str:
    """ISO 4217, in capitals."""
    code = _ascii_or_empty(value).upper()
    if pycountry.currencies.get(alpha_3=code) is None:
        raise ValueError(f"{value[:20]!r} is no ISO 4217 currency; give three letters like EUR")
    return code


def language(value: str) -> str:
    """ISO 639, two letters or three, in small ones; a region may follow, as in `de-CH`."""
    code, separator, region = _ascii_or_empty(value).partition("-")
    code = code.lower()
    entry = pycountry.languages.get(**({"alpha_2": code} if len(code) == 2 else {"alpha_3": code}))
    if entry is None:
        raise ValueError(f"{value[:20]!r} is no ISO 639 language; give two letters like de, or de-CH")
    return f"{code}-{country(region)}" if separator else code


def email(value: str) -> str:
    """An address that mail can be sent to, as the standards write it; nobody is asked whether it exists."""
    try:
        return str(validate_email(value.strip(), check_deliverability=False, allow_smtputf8=True).normalized)
    except EmailNotValidError as error:
        raise ValueError(
            f"{value[:60]!r} is no e-mail address ({str(error).rstrip('.')}); give one like ada@example.net"
        ) from None


def phone(value: str, region: str | None = None) -> str:
    """E.164, `+4930123456`; without the country's prefix it is read in `region`."""
    try:
        number = phonenumbers.parse(value, region)
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not _is_dialable(number):
        raise ValueError(f"{value[:40]!r} is no telephone number; give it with its country, like +49 30 123456")
    if number.extension:
        raise ValueError(f"{value[:40]!r} has an extension, which is not kept; give a number that reaches without one")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _is_dialable(number: phonenumbers.PhoneNumber) -> bool:
    """Whether a number may reach somebody from anywhere: what is dialled within a town alone, and zeros, do not."""
    is_possible = phonenumbers.is_possible_number_with_reason(number) == phonenumbers.ValidationResult.IS_POSSIBLE
    return is_possible and number.national_number != 0


def single_line(value: str) -> str:
    """A text of one line, without what stands around it."""
    text = value.strip()
    if not text:
        raise ValueError("the text is empty; give at least one character")
    if len(text) > MAX_LINE_LENGTH or CONTROL_CHARACTERS.search(text) or "\n" in text or "\r" in text:
        raise ValueError(f"give one line of at most {MAX_LINE_LENGTH} characters")
    return text


def multi_line(value: str) -> str:
    """A text of many lines."""
    if len(value) > MAX_TEXT_LENGTH or CONTROL_CHARACTERS.search(value):
        raise ValueError(f"give at most {MAX_TEXT_LENGTH} characters, none of them invisible")
    return value


def dotted_name(value: str) -> str:
    """Small words joined by dots: `order.taken`."""
    if not DOTTED_NAME.fullmatch(value):
        raise ValueError(f"{value[:40]!r} is not written in small words joined by dots; give one like order.taken")
    return value


def slug(value: str) -> str:
    """A short name of letters, digits and underscores."""
    if not SLUG.fullmatch(value):
        raise ValueError(f"{value[:40]!r} is no short name; give letters, digits and underscores")
    return value


def json_object_value(value: Any) -> Any:
    """A JSON object of bounded size."""
    if not isinstance(value, dict):
        raise ValueError('free facts are a JSON object; give one like {"floor": 3}')
    if exact_json.size_in_bytes(value) > MAX_JSON_BYTES:
        raise ValueError(f"free facts take at most {MAX_JSON_BYTES} bytes of UTF-8; give fewer")
    return value


def non_negative_amount(value: Any) -> Any:
    """A sum of money that is not below nothing, and fits numeric(18,4)."""
    if not 0 <= value < AMOUNT_LIMIT:
        raise ValueError("the amount must not be negative, nor have more than 14 digits before the point")
    return amount(value)


def amount(value: Any) -> Any:
    """A sum of money that fits numeric(18,4): four decimals in every currency; below zero where money goes back."""
    if abs(value) >= AMOUNT_LIMIT:
        raise ValueError("the amount must not have more than 14 digits before the point")
    if value != round(value, 4):
        raise ValueError("amounts have at most four decimals, and are never rounded here; round it yourself")
    return value


def check_values(values: Mapping[str, Any], checks: Mapping[str, ValueCheck]) -> dict[str, Any]:
    """The values in their one form; null clears and is not looked at. Raises BadInput naming the argument."""
    checked_values = dict(values)
    for name, check in checks.items():
        if checked_values.get(name) is not None:
            try:
                checked_values[name] = check(checked_values[name])
            except ValueError as fault:
                raise BadInput(f"{name}: {fault}.", argument=name) from None
    return checked_values
