"""Customers as they are compared: each value in its normal form, the values of a customer in one record."""

import re
from collections.abc import Hashable, Iterable
from functools import lru_cache
from typing import NamedTuple

from hub.domain.matching.names import NO_NAME, PersonName, organisation_name, person_name, plain, words

MAX_VALUES = 4  # of one sort that are compared; the newest ones, as the caller orders them

_STREET_WORDS = {
    "st": "street",
    "str": "strasse",
    "strase": "strasse",
    "ave": "avenue",
    "av": "avenue",
    "rd": "road",
    "dr": "drive",
    "ln": "lane",
    "blvd": "boulevard",
    "bd": "boulevard",
    "pl": "place",
    "sq": "square",
    "ct": "court",
    "cres": "crescent",
    "hwy": "highway",
    "pkwy": "parkway",
    "apt": "apartment",
    "ul": "ulica",
    "c": "calle",
    "pza": "plaza",
}
_STREET_ENDING = re.compile(r"(?<=[a-z]{3})(?:str|strasse)$")
_NOT_ALPHANUMERIC = re.compile(r"[^a-z0-9]")
# Dates that forms write in place of an unknown one.
_PLACEHOLDER_DATES = frozenset(("19000101", "19700101", "19010101", "18000101", "00010101", "19000000"))


class MatchAddress(NamedTuple):
    """An address: the words of the street in order, the numbers among them, and where it is."""

    street: str
    numbers: str
    postal_code: str
    city: str
    country: str


class MatchRecord(NamedTuple):
    """A customer as it is compared. What is not known is empty."""

    key: Hashable
    is_organisation: bool
    name: PersonName
    organisation: str
    born_on: str
    emails: tuple[str, ...]
    phones: tuple[str, ...]
    tax_ids: tuple[str, ...]
    loyalty_ids: tuple[str, ...]
    addresses: tuple[MatchAddress, ...]


def match_record(
    key: Hashable,
    name: str,
    *,
    is_organisation: bool = False,
    born_on: str = "",
    emails: Iterable[str] = (),
    phones: Iterable[str] = (),
    tax_ids: Iterable[str] = (),
    loyalty_ids: Iterable[str] = (),
    addresses: Iterable[MatchAddress] = (),
) -> MatchRecord:
    """A record of stored values. E-mail addresses, telephone numbers and tax numbers come in their identifiers' normal form.

    `born_on` is written YYYY-MM-DD; a date that stands for an unknown one is left out."""
    digits = born_on.replace("-", "")
    return MatchRecord(
        key,
        is_organisation,
        NO_NAME if is_organisation else person_name(name),
        organisation_name(name) if is_organisation else "",
        "" if digits in _PLACEHOLDER_DATES else digits,
        _distinct(emails),
        _distinct(phones),
        _distinct(tax_ids),
        _distinct(loyalty_ids),
        tuple(dict.fromkeys(addresses))[:MAX_VALUES],
    )


def _distinct(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value))[:MAX_VALUES]


@lru_cache(maxsize=65_536)
def match_address(street: str, city: str, postal_code: str | None, country: str | None) -> MatchAddress:
    """An address in its normal form."""
    parts = [_STREET_ENDING.sub("strasse", _STREET_WORDS.get(word, word)) for word in words(street)]
    numbers = " ".join(sorted(word for word in parts if word[0].isdigit()))
    text = " ".join(word for word in parts if not word[0].isdigit())
    postal = _NOT_ALPHANUMERIC.sub("", plain(postal_code or ""))
    return MatchAddress(text, numbers, postal, " ".join(words(city)), country or "")
