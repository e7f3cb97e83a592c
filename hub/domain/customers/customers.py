"""Identifiers of customers: their comparable form, and the lock that keeps two from being given out at once."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hub.db.pool import Connection
from hub.errors import BadInput
from hub.model import validators
from hub.model.rules import before_insert, normalizes
from hub.schema.customers.customers import Identifier, IdentifierKind

PLACEHOLDER_VALUES = re.compile(
    r"[0-]*|-1|(null|none|nil|undefined|anonymous|unknown|test|n/?a|guest|\[object object\])(@.*)?", re.IGNORECASE
)
PHONE_IDENTIFIER_KINDS = (IdentifierKind.PHONE, IdentifierKind.FAX)
# Keys of another system, devices and visitors mean something within their source alone.
SOURCE_SCOPED = (IdentifierKind.EXTERNAL_ID, IdentifierKind.DEVICE_ID, IdentifierKind.ANONYMOUS_ID)


def normalize_identifier(identifier_kind: IdentifierKind, value: str) -> str:
    """The form in which an identifier is compared: addresses in lower case, numbers as their digits."""
    stripped = value.strip()
    if identifier_kind in PHONE_IDENTIFIER_KINDS:
        return "".join(character for character in stripped if character.isdigit())
    return stripped.lower() if identifier_kind is IdentifierKind.EMAIL else stripped


@normalizes(Identifier.normalized)
def canonical_identifier(identifier_kind: IdentifierKind, value: str, region: str | None = None) -> str:
    """The compared form of a value that shall identify someone; raises BadInput for what identifies nobody.

    A national telephone number is read in `region`."""
    try:
        cleaned = validators.single_line(value)
        if PLACEHOLDER_VALUES.fullmatch(cleaned) or cleaned.lower().endswith(("@example.com", "@test.com")):
            message = f"value: {value[:60]!r} is a placeholder that many share; leave the identifier out."
            raise BadInput(message, code="IDENTIFIER_JUNK", argument="value")
        if identifier_kind is IdentifierKind.EMAIL:
            cleaned = validators.email(cleaned)
        if identifier_kind in PHONE_IDENTIFIER_KINDS:
            cleaned = validators.phone(cleaned, region)
    except ValueError as fault:
        raise BadInput(f"value: {fault}.", argument="value") from None
    canonical = normalize_identifier(identifier_kind, cleaned)
    if PLACEHOLDER_VALUES.fullmatch(canonical):
        message = f"value: {value[:60]!r} is a placeholder that many share; leave the identifier out."
        raise BadInput(message, code="IDENTIFIER_JUNK", argument="value")
    return canonical


# Sorted, so that two who lock the same do so in the same order.
_LOCK_IDENTIFIERS = """
select pg_advisory_xact_lock(key) from (
    select distinct hashtextextended(name, 0) as key from unnest($1::text[]) as name order by 1
) as keys
"""


async def lock_identifiers(tx: Connection, identifiers: Iterable[tuple[IdentifierKind, str]]) -> None:
    """Keeps others from looking up or giving out the same identifiers until the transaction ends."""
    await tx.execute(
        _LOCK_IDENTIFIERS, sorted({f"{identifier_kind}:{normalized}" for identifier_kind, normalized in identifiers})
    )


@before_insert(Identifier)
async def _lock_new_identifiers(tx: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    await lock_identifiers(tx, [(IdentifierKind[row["kind"]], row["normalized"]) for row in rows])
