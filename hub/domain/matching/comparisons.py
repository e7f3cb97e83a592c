"""How far two records agree, field by field. A level is a number: 0 where a side lacks the value, then from the best one down."""

import re
from collections.abc import Callable
from enum import StrEnum

from rapidfuzz.distance import OSA, JaroWinkler
from rapidfuzz.fuzz import partial_ratio, ratio, token_set_ratio, token_sort_ratio

from hub.domain.customers.birthdays import is_misspelt
from hub.domain.matching.names import PersonName
from hub.domain.matching.nicknames import share_a_long_form
from hub.domain.matching.records import MatchAddress, MatchRecord


class MatchField(StrEnum):
    """What two customers are compared by."""

    FIRST_NAME = "FIRST_NAME"
    FAMILY_NAME = "FAMILY_NAME"
    ORGANISATION_NAME = "ORGANISATION_NAME"
    BORN_ON = "BORN_ON"
    EMAIL = "EMAIL"
    PHONE = "PHONE"
    TAX_ID = "TAX_ID"
    LOYALTY_ID = "LOYALTY_ID"
    STREET = "STREET"
    AREA = "AREA"
    CUSTOMER_KIND = "CUSTOMER_KIND"


MISSING, EQUAL = 0, 1

# The levels of each field below EQUAL; the last one is the disagreement.
LEVELS: dict[MatchField, tuple[str, ...]] = {
    MatchField.FIRST_NAME: ("MISSING", "EQUAL", "SHORT_FORM", "NEAR", "INITIAL", "DIFFERENT"),
    MatchField.FAMILY_NAME: ("MISSING", "EQUAL", "NEAR", "PARTIAL", "DIFFERENT"),
    MatchField.ORGANISATION_NAME: ("MISSING", "EQUAL", "NEAR", "PARTIAL", "DIFFERENT"),
    MatchField.BORN_ON: ("MISSING", "EQUAL", "NEAR", "DIFFERENT"),
    MatchField.EMAIL: ("MISSING", "EQUAL", "NEAR", "DIFFERENT"),
    MatchField.PHONE: ("MISSING", "EQUAL", "NEAR", "DIFFERENT"),
    MatchField.TAX_ID: ("MISSING", "EQUAL", "NEAR", "DIFFERENT"),
    MatchField.LOYALTY_ID: ("MISSING", "EQUAL", "DIFFERENT"),
    MatchField.STREET: ("MISSING", "EQUAL", "NEAR", "SIMILAR", "DIFFERENT"),
    MatchField.AREA: ("MISSING", "EQUAL", "NEAR", "PARTIAL", "DIFFERENT"),
    MatchField.CUSTOMER_KIND: ("MISSING", "EQUAL", "DIFFERENT"),
}
FIELDS = tuple(LEVELS)
WORST = {field: len(levels) - 1 for field, levels in LEVELS.items()}

_DIGITS = re.compile(r"[0-9]+")
_FIRST_NEAR, _FIRST_INITIAL, _FIRST_DIFFERENT = 3, 4, 5
_FAMILY_PARTIAL = 3
_MAX_EDITS = 2


def compare(a: MatchRecord, b: MatchRecord) -> tuple[int, ...]:
    """The levels of two records, in the order of FIELDS."""
    if a.is_organisation or b.is_organisation:
        first = family = MISSING
        organisation = _organisation_level(a.organisation, b.organisation)
    else:
        organisation = MISSING
        first, family = _name_levels(a.name, b.name)
    street, area = _address_levels(a.addresses, b.addresses)
    return (
        first,
        family,
        organisation,
        _date_level(a.born_on, b.born_on),
        _best(a.emails, b.emails, _email_level),
        _best(a.phones, b.phones, _phone_level),
        _best(a.tax_ids, b.tax_ids, _number_level),
        _equality(a.loyalty_ids, b.loyalty_ids),
        street,
        area,
        EQUAL if a.is_organisation == b.is_organisation else 2,
    )


# -- names ----------------------------------------------------------------------------------------------------------------


def _name_levels(a: PersonName, b: PersonName) -> tuple[int, int]:
    """The levels of first and family name; also of names whose parts were entered the other way round."""
    if a.ordered == b.ordered:
        return (EQUAL if a.first else MISSING), (EQUAL if a.family else MISSING)
    if a.first and b.first:
        first, family = _first_level(a.first, b.first), _family_level(a.family, b.family)
        if first + family > 3 and _first_level(a.first, b.family) <= 3 and _first_level(a.family, b.first) <= 3:
            return EQUAL if a.first == b.family else _FIRST_NEAR, EQUAL if a.family == b.first else 2
        if first == _FIRST_DIFFERENT and family == WORST[MatchField.FAMILY_NAME] and _shares_a_part(a, b):
            return first, _FAMILY_PARTIAL
        return first, family
    if not (a.family and b.family):
        return MISSING, MISSING
    return _lone_name_levels(a, b)


def _shares_a_part(a: PersonName, b: PersonName) -> bool:
    """Whether the family name of one side is the first name of the other."""
    return _is_near(a.first, b.family) or _is_near(a.family, b.first)


def _lone_name_levels(a: PersonName, b: PersonName) -> tuple[int, int]:
    """The levels where one side is a single word, which may be either part."""
    family = _family_level(a.family, b.family)
    other = b if b.first else a
    lone = a.family if other is b else b.family
    if family == WORST[MatchField.FAMILY_NAME] and other.first:
        first = _first_level(lone, other.first)
        if first <= _FIRST_NEAR:
            return first, MISSING
    return MISSING, family


def _first_level(a: str, b: str) -> int:
    if a == b:
        return EQUAL
    if len(a) == 1 or len(b) == 1:
        return _FIRST_INITIAL if a[:1] == b[:1] and a.isascii() else _FIRST_DIFFERENT
    if share_a_long_form(a, b):
        return 2
    return _FIRST_NEAR if _is_near(a, b) or _continues(a, b) or _is_pet_form(a, b) else _FIRST_DIFFERENT


def _family_level(a: str, b: str) -> int:
    if not a or not b:
        return MISSING
    if a == b:
        return EQUAL
    if _is_near(a, b):
        return 2
    if (" " in a or " " in b) and not set(a.split()).isdisjoint(b.split()):
        return _FAMILY_PARTIAL
    return WORST[MatchField.FAMILY_NAME]


def _is_near(a: str, b: str) -> bool:
    """Whether one name may be the other one misspelt. Of two or three characters, one makes another name."""
    shorter = min(len(a), len(b))
    if shorter < 4:
        return shorter == 3 and a.isascii() and b.isascii() and OSA.distance(a, b, score_cutoff=1) <= 1 and a[0] == b[0]
    edits = OSA.distance(a, b, score_cutoff=_MAX_EDITS)
    if edits == _MAX_EDITS:
        return shorter >= 6 and a[0] == b[0]
    return edits < _MAX_EDITS or JaroWinkler.similarity(a, b, score_cutoff=0.93) > 0


def _continues(a: str, b: str) -> bool:
    """Whether one name begins with all of the other, as `Anna` and `Annalena` do."""
    return (
        (min(len(a), len(b)) >= 3 or abs(len(a) - len(b)) == 1) and a.isascii() and (a.startswith(b) or b.startswith(a))
    )


def _is_pet_form(a: str, b: str) -> bool:
    """Whether one name is the beginning of the other, with the ending of pet names: `Gabi` and `Gabriela`."""
    shorter, longer = (a, b) if len(a) <= len(b) else (b, a)
    return 4 <= len(shorter) <= 6 and shorter[-1] in "yi" and longer.startswith(shorter[:3])


def _organisation_level(a: str, b: str) -> int:
    if not a or not b:
        return MISSING
    if a == b:
        return EQUAL
    if _DIGITS.findall(a) != _DIGITS.findall(b):  # branches have numbers
        return 3 if token_set_ratio(a, b) >= 88 else 4
    likeness = max(token_sort_ratio(a, b), ratio(a.replace(" ", ""), b.replace(" ", "")))
    if likeness >= 86 or (min(len(a), len(b)) >= 4 and OSA.distance(a, b, score_cutoff=1) <= 1):
        return 2
    is_part = min(len(a), len(b)) >= 3 and (a.startswith(b) or b.startswith(a))
    is_part = is_part or (min(len(a), len(b)) >= 8 and partial_ratio(a.replace(" ", ""), b.replace(" ", "")) >= 88)
    return 3 if is_part or token_set_ratio(a, b) >= 88 else 4


# -- dates and numbers ----------------------------------------------------------------------------------------------------


def _date_level(a: str, b: str) -> int:
    if not a or not b:
        return MISSING
    if a == b:
        return EQUAL
    return 2 if is_misspelt(a, b) else 3


def _email_level(a: str, b: str) -> int:
    if a == b:
        return EQUAL
    if _DIGITS.findall(a) != _DIGITS.findall(b):  # ada1@… and ada2@… are two people
        return 3
    local, _, domain = a.partition("@")
    other_local, _, other_domain = b.partition("@")
    edits = OSA.distance(local, other_local, score_cutoff=1) + OSA.distance(domain, other_domain, score_cutoff=1)
    return 2 if edits <= 1 and min(len(local), len(other_local)) >= 5 else 3


def _phone_level(a: str, b: str) -> int:
    if a == b or (a[-9:] == b[-9:] and len(a) >= 9):
        return EQUAL
    return 2 if min(len(a), len(b)) >= 8 and OSA.distance(a, b, score_cutoff=1) <= 1 else 3


def _number_level(a: str, b: str) -> int:
    if a == b:
        return EQUAL
    return 2 if min(len(a), len(b)) >= 6 and OSA.distance(a, b, score_cutoff=1) <= 1 else 3


def _best(a: tuple[str, ...], b: tuple[str, ...], level: Callable[[str, str], int]) -> int:
    """The best level among the values of both sides."""
    if not a or not b:
        return MISSING
    if len(a) == 1 and len(b) == 1:
        return level(a[0], b[0])
    return min(level(value, other) for value in a for other in b)


def _equality(a: tuple[str, ...], b: tuple[str, ...]) -> int:
    if not a or not b:
        return MISSING
    return EQUAL if any(value in b for value in a) else 2


# -- addresses ------------------------------------------------------------------------------------------------------------


def _address_levels(a: tuple[MatchAddress, ...], b: tuple[MatchAddress, ...]) -> tuple[int, int]:
    """The levels of street and area of the two addresses that agree best."""
    if not a or not b:
        return MISSING, MISSING
    if len(a) == 1 and len(b) == 1:
        return _street_level(a[0], b[0]), _area_level(a[0], b[0])
    pairs = ((_street_level(x, y), _area_level(x, y)) for x in a for y in b)
    return min(pairs, key=lambda levels: (levels[0] or 9) + (levels[1] or 9))


def _street_level(a: MatchAddress, b: MatchAddress) -> int:
    if not (a.street or a.numbers) or not (b.street or b.numbers):
        return MISSING
    if a.street == b.street:
        return EQUAL if a.numbers == b.numbers else 3 if a.numbers and b.numbers else 2
    likeness = max(ratio(a.street, b.street), token_set_ratio(a.street, b.street) - 5)
    if likeness < 70:
        return 4
    return 2 if likeness >= 84 and (a.numbers == b.numbers or not a.numbers or not b.numbers) else 3


def _area_level(a: MatchAddress, b: MatchAddress) -> int:
    if not (a.postal_code or a.city) or not (b.postal_code or b.city):
        return MISSING
    postal = 0 if not a.postal_code or not b.postal_code else _postal_level(a.postal_code, b.postal_code)
    city = 0 if not a.city or not b.city else _city_level(a.city, b.city)
    if postal == 1 and city == 1:
        return EQUAL
    known = [level for level in (postal, city) if level]
    if not known:
        return MISSING
    if max(known) <= 2:
        return 2 if len(known) == 2 else 3
    return 3 if min(known) == 1 else 4


def _postal_level(a: str, b: str) -> int:
    if a == b:
        return 1
    return 2 if OSA.distance(a, b, score_cutoff=1) <= 1 else 3


def _city_level(a: str, b: str) -> int:
    if a == b:
        return 1
    return 2 if len(a) >= 4 and (ratio(a, b) >= 80) else 3
