"""Types of values and their normal forms: codes, addresses, numbers, texts. Writes, look-ups and filters use them alike.

Each function returns the value in its normal form, or raises ValueError with the fault and the remedy; the caller adds
the argument's name. A normal form is its own normal form. Maintained libraries bring the lists of codes."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from hub.errors import BadInput
from hub.model import codes, exact_json
from hub.model.ip_networks import parse_network
from hub.model.unicode_text import OUTER_BLANKS, multi_line, single_line, visible

MAX_JSON_BYTES = 16_384  # bytes of free facts, as compact UTF-8
MAX_NETWORKS = 100  # in one list
MIN_NATIONAL_DIGITS = 7  # of a telephone number that names somebody wherever it stands
AMOUNT_LIMIT = 10**14  # which no amount reaches
DOTTED_NAME = re.compile(r"[a-z0-9_]{1,40}(\.[a-z0-9_]{1,40}){0,4}")
SLUG = re.compile(r"[A-Za-z0-9_]{1,63}")
CODE = re.compile(r"[A-Z][A-Z0-9_]{0,62}")
OTHER_AT_SIGNS = re.compile("[\uff20\ufe6b]")  # full-width and small
URI_SCHEME = re.compile(r"tel:", re.IGNORECASE)
INTERNATIONAL_PREFIX = re.compile(r"[\s([]*0[\s()]*0")  # `00`, which most countries dial for +

ValueCheck = Callable[[Any], Any]

__all__ = ["multi_line", "single_line"]  # validators too: declarations name them beside those below


def _code(value: str) -> str:
    """A text that may be a code, or nothing: letters beyond ASCII may have ASCII capitals, or stand for ASCII letters in NFC."""
    if value.isascii():
        return value.strip(OUTER_BLANKS)
    text = visible(value).strip(OUTER_BLANKS)
    return text if text.isascii() and unicodedata.is_normalized("NFC", value) else ""


def country(value: str) -> str:
    """ISO 3166-1 alpha-2, in capitals; also XK."""
    code = codes.country_code(_code(value))
    if code is None:
        raise ValueError(f"{value[:20]!r} is no ISO 3166-1 country; give two letters like DE")
    return code


def currency(value: str) -> str:
    """ISO 4217, in capitals; also a currency that was withdrawn."""
    code = codes.currency_code(_code(value))
    if code is None:
        raise ValueError(f"{value[:20]!r} is no ISO 4217 currency; give three letters like EUR")
    return code


def language(value: str) -> str:
    """A BCP 47 tag: `de`, `de-CH`, `zh-Hant-TW`, `es-419`."""
    tag = codes.language_tag(_code(value))
    if tag is None:
        raise ValueError(f"{value[:20]!r} is no BCP 47 language; give one like de, de-CH or zh-Hant")
    return tag


# Types whose values are listed: a value that is not is a mistake, also in a filter.
CODES: frozenset[ValueCheck] = frozenset({country, currency, language})


class EmailPolicy:
    """The domains that addresses may have beside public ones; the hub sets it from its settings when it starts."""

    test_domains = False


def email(value: str) -> str:
    """An address that mail can be sent to, as the standards write it; nobody is asked whether it exists."""
    text = OTHER_AT_SIGNS.sub("@", visible(value).strip(OUTER_BLANKS))
    try:
        return _standard_email(text, EmailPolicy.test_domains)
    except EmailNotValidError as error:
        raise ValueError(
            f"{value[:60]!r} is no e-mail address ({str(error).rstrip('.')}); give one like ada@example.net"
        ) from None


@lru_cache(maxsize=4096)
def _standard_email(text: str, test_domains: bool) -> str:
    validated = validate_email(
        text, check_deliverability=False, allow_smtputf8=True, test_environment=test_domains and _is_in_test(text)
    )
    return str(validated.normalized)


def _is_in_test(text: str) -> bool:
    """Whether a domain lies in `.test`. In a test environment, the library lets names without a dot pass too."""
    return text.lower().endswith(".test")


def phone(value: str, region: str | None = None) -> str:
    """E.164, `+4930123456`; a number without its country's prefix is read in `region`."""
    text = URI_SCHEME.sub("", visible(value).strip(OUTER_BLANKS), count=1)
    number = _parse_phone(text, region)
    # The library reads letters as a telephone's keys; in a number that people write down they are remarks.
    if (number is None or not number.extension) and any(map(str.isalpha, text)):
        raise ValueError(f"{value[:40]!r} has letters; give a telephone number in digits alone, like +49 30 123456")
    if number is None:
        raise ValueError(f"{value[:40]!r} is no telephone number; give it with its country, like +49 30 123456")
    if number.extension:
        raise ValueError(f"{value[:40]!r} has an extension, which is not kept; give a number that reaches without one")
    return _e164(number)


def _e164(number: phonenumbers.PhoneNumber) -> str:
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _parse_phone(text: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    number = _dialable(text, region)
    if number is None and INTERNATIONAL_PREFIX.match(digits := _ascii_digits(text)):
        number = _dialable(INTERNATIONAL_PREFIX.sub("+", digits, count=1), None)
    return number


@lru_cache(maxsize=4096)
def _dialable(text: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    """The number, if it may reach somebody from anywhere: those dialled within a town alone, and zeros, do not."""
    try:
        number = phonenumbers.parse(text, region)
        # Of several prefixes for long distance in a row, each reading drops one: nobody dials such a number.
        reads_as_itself = _e164(phonenumbers.parse(_e164(number), None)) == _e164(number)
    except phonenumbers.NumberParseException:
        return None
    is_possible = phonenumbers.is_possible_number_with_reason(number) == phonenumbers.ValidationResult.IS_POSSIBLE
    return number if is_possible and reads_as_itself and number.national_number != 0 else None


def _ascii_digits(text: str) -> str:
    return "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)


def email_identifier(value: str) -> str:
    """An e-mail address as it identifies somebody: in small letters."""
    return unicodedata.normalize("NFC", email(value).lower())


def national_digits(text: str) -> str | None:
    """The digits of an international number as they are dialled in its country; None for a short one and another text."""
    number = _dialable("+" + text.removeprefix("+"), None) if text.removeprefix("+").isdecimal() else None
    digits = "" if number is None else str(number.national_number)
    return digits if len(digits) >= MIN_NATIONAL_DIGITS else None


def phone_identifier(value: str, region: str | None = None) -> str:
    """A telephone number as it identifies somebody: its digits, those of its country first."""
    return phone(value, region).removeprefix("+")


def tax_id(value: str) -> str:
    """A tax number: capitals and digits, without blanks, dashes, dots and slashes."""
    return _compact(unicodedata.normalize("NFKC", single_line(value)).upper(), "./\\,:;'’·•()[]")


def loyalty_id(value: str) -> str:
    """The number of a card, without blanks and dashes."""
    return _compact(single_line(value), "")


def _compact(text: str, separators: str) -> str:
    """The text without blanks, dashes and `separators`; raises ValueError if nothing is left."""
    characters = (c for c in text if c not in separators and unicodedata.category(c) not in ("Zs", "Pd", "Pc"))
    compact = visible("".join(characters))
    if not compact:
        raise ValueError("the text has no letters and digits; give the whole number")
    return compact


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


def code(value: str) -> str:
    """A code in capitals: `HEAD`, `RISK_OFFICER`."""
    if not CODE.fullmatch(value):
        raise ValueError(f"{value[:40]!r} is no code; give one in capital letters, digits and underscores, like HEAD")
    return value


def ip_networks(value: list[str]) -> list[str]:
    """Networks in CIDR notation, without duplicates; IPv4 that is mapped into IPv6 becomes IPv4."""
    if len(value) > MAX_NETWORKS:
        raise ValueError(f"{len(value)} networks are too many; give at most {MAX_NETWORKS}, or larger ones")
    return list(dict.fromkeys(str(parse_network(network)) for network in value))


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
