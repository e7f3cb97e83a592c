"""Blocking keys: two customers are compared only if they share one. A key is a hash of normalised values."""

from collections.abc import Iterator
from enum import StrEnum
from hashlib import blake2b

from hub.domain.matching.comparisons import MatchField
from hub.domain.matching.names import is_ideographic, skeleton
from hub.domain.matching.records import MatchAddress, MatchRecord

MAX_BLOCK = 50  # customers who share a key; what more share says nothing


class Block(StrEnum):
    """A sort of blocking key."""

    EMAIL = "e"
    PHONE = "p"
    TAX_ID = "t"
    LOYALTY_ID = "l"
    BIRTH_AND_NAME = "bn"
    BIRTH_AND_AREA = "ba"
    NAME_AND_YEAR = "ny"
    NAME_AND_POSTAL_CODE = "np"
    NAME_AND_CITY = "nc"
    STREET = "s"
    ORGANISATION = "o"


_KeyValues = tuple[Block, tuple[str, ...]]

# The fields that a block's customers agree in because they share its key.
FIELDS_OF_BLOCK: dict[Block, frozenset[MatchField]] = {
    Block.EMAIL: frozenset((MatchField.EMAIL,)),
    Block.PHONE: frozenset((MatchField.PHONE,)),
    Block.TAX_ID: frozenset((MatchField.TAX_ID,)),
    Block.LOYALTY_ID: frozenset((MatchField.LOYALTY_ID,)),
    Block.BIRTH_AND_NAME: frozenset((MatchField.BORN_ON, MatchField.FIRST_NAME, MatchField.FAMILY_NAME)),
    Block.BIRTH_AND_AREA: frozenset((MatchField.BORN_ON, MatchField.AREA)),
    Block.NAME_AND_YEAR: frozenset((MatchField.FIRST_NAME, MatchField.FAMILY_NAME, MatchField.BORN_ON)),
    Block.NAME_AND_POSTAL_CODE: frozenset((MatchField.FIRST_NAME, MatchField.FAMILY_NAME, MatchField.AREA)),
    Block.NAME_AND_CITY: frozenset((MatchField.FIRST_NAME, MatchField.FAMILY_NAME, MatchField.AREA)),
    Block.STREET: frozenset((MatchField.STREET, MatchField.AREA)),
    Block.ORGANISATION: frozenset((MatchField.ORGANISATION_NAME,)),
}


def blocking_keys(record: MatchRecord) -> dict[int, Block]:
    """The keys of a record, each a signed number of 64 bits."""
    return {hash_key(block, *values): block for block, values in _key_values(record)}


def hash_key(*values: str) -> int:
    """The signed 64-bit number that stands for values."""
    return int.from_bytes(blake2b("\x1f".join(values).encode(), digest_size=8).digest(), signed=True)


def _key_values(record: MatchRecord) -> Iterator[_KeyValues]:
    yield from ((Block.EMAIL, (value,)) for value in record.emails)
    yield from ((Block.PHONE, (value[-9:],)) for value in record.phones)
    yield from ((Block.TAX_ID, (value,)) for value in record.tax_ids)
    yield from ((Block.LOYALTY_ID, (value,)) for value in record.loyalty_ids)
    if record.is_organisation:
        yield from _organisation_keys(record)
    else:
        yield from _person_keys(record)
    for address in record.addresses[:2]:
        if address.street:
            longest = skeleton(max(address.street.split(), key=len))
            yield from (
                (Block.STREET, (address.numbers, longest, area)) for area in (address.postal_code, address.city) if area
            )


def _person_keys(record: MatchRecord) -> Iterator[_KeyValues]:
    first, family, ordered = record.name
    born_on = record.born_on
    sounds = _name_sounds(ordered)
    if born_on:
        for word in {*first.split(), *family.split()} if first else {family}:
            yield Block.BIRTH_AND_NAME, (born_on, _first_sounds(word))
        if sounds:
            yield Block.NAME_AND_YEAR, (sounds, born_on[:4])
            yield Block.NAME_AND_YEAR, (sounds, born_on[4:])
    for address in record.addresses[:2]:
        yield from _name_and_area_keys(record, sounds, address)
        if born_on and (address.postal_code or address.city):
            yield Block.BIRTH_AND_AREA, (born_on, _any_order(address.postal_code) or address.city)


def _name_and_area_keys(record: MatchRecord, sounds: str, address: MatchAddress) -> Iterator[_KeyValues]:
    first, family, _ = record.name
    if first and sounds:
        if address.city:
            yield Block.NAME_AND_CITY, (sounds, address.city)
        elif address.postal_code:
            yield Block.NAME_AND_CITY, (sounds, address.postal_code)
    for word in (first, *family.split()):
        if word and address.postal_code:
            yield Block.NAME_AND_POSTAL_CODE, (skeleton(word), _any_order(address.postal_code))


def _any_order(code: str) -> str:
    """The characters of a postal code, of which two are often entered the wrong way round."""
    return "".join(sorted(code))


def _first_sounds(word: str) -> str:
    return skeleton(word)[:2] if word.isascii() else word[:1]


def _name_sounds(ordered: str) -> str:
    if is_ideographic(ordered):
        return ordered
    return " ".join(sorted(skeleton(word) for word in ordered.split()))


def _organisation_keys(record: MatchRecord) -> Iterator[_KeyValues]:
    parts = record.organisation.split()
    yield Block.ORGANISATION, (" ".join(sorted(skeleton(word) for word in parts)),)
    areas = {address.city for address in record.addresses[:2] if address.city} or {""}
    for area in sorted(areas):
        for word in sorted(parts, key=len)[-2:]:
            yield Block.ORGANISATION, (skeleton(word), area)
