"""Identifiers of customers: their normal form, and the lock that keeps two from being given out at once."""

from collections.abc import Mapping, Sequence
from typing import Any

from hub.db.pool import Connection
from hub.domain.customers.placeholders import is_placeholder
from hub.errors import BadInput
from hub.loop_turns import in_parts
from hub.model import validators
from hub.model.rules import before_insert, normalizes
from hub.schema.customers.customers import Identifier, IdentifierKind

IDENTIFIERS_AT_ONCE = 250  # whose texts are put together, or looked for, while nothing else of the process runs
PHONE_IDENTIFIER_KINDS = (IdentifierKind.PHONE, IdentifierKind.FAX)
# Keys of another system, devices and visitors mean something within their source alone.
SOURCE_SCOPED = (IdentifierKind.EXTERNAL_ID, IdentifierKind.DEVICE_ID, IdentifierKind.ANONYMOUS_ID)
NORMAL_FORMS: Mapping[IdentifierKind, validators.ValueCheck] = {
    IdentifierKind.EMAIL: validators.email_identifier,
    IdentifierKind.TAX_ID: validators.tax_id,
    IdentifierKind.LOYALTY_ID: validators.loyalty_id,
}


def normalize_identifier(identifier_kind: IdentifierKind, value: str, country: str | None = None) -> str:
    """The form in which an identifier is compared; raises BadInput for a value that cannot be of its kind.

    A telephone number without its country's prefix is read in `country`."""
    if country is not None:
        country = validators.check_values({"country": country}, {"country": validators.country})["country"]
    try:
        value = validators.single_line(value)
        if identifier_kind in PHONE_IDENTIFIER_KINDS:
            return validators.phone_identifier(value, country)
        return str(NORMAL_FORMS.get(identifier_kind, validators.single_line)(value))
    except ValueError as fault:
        raise BadInput(f"value: {fault}.", argument="value") from None


@normalizes(Identifier.normalized)
def canonical_identifier(identifier_kind: IdentifierKind, value: str, country: str | None = None) -> str:
    """The normal form of a value that shall identify someone; raises BadInput for what identifies nobody."""
    is_email = identifier_kind is IdentifierKind.EMAIL
    if is_placeholder(value, is_email=is_email):
        raise _placeholder(value)
    canonical = normalize_identifier(identifier_kind, value, country)
    if is_placeholder(canonical, is_email=is_email):
        raise _placeholder(value)
    return canonical


def _placeholder(value: str) -> BadInput:
    message = f"value: {value[:60]!r} is a placeholder that many share; leave the identifier out."
    return BadInput(message, code="IDENTIFIER_JUNK", argument="value")


# Sorted, so that two who lock the same do so in the same order.
_LOCK_IDENTIFIERS = """
select pg_advisory_xact_lock(key) from (
    select distinct hashtextextended(name, 0) as key from unnest($1::text[]) as name order by 1
) as keys
"""


async def lock_identifiers(tx: Connection, identifiers: Sequence[tuple[IdentifierKind, str]]) -> None:
    """Keeps others from looking up or giving out the same identifiers until the transaction ends."""
    names: list[str] = []
    async for part in in_parts(identifiers, IDENTIFIERS_AT_ONCE):
        names += [f"{identifier_kind}:{normalized}" for identifier_kind, normalized in part]
    await tx.execute(_LOCK_IDENTIFIERS, names)


@before_insert(Identifier)
async def _lock_new_identifiers(tx: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    await lock_identifiers(tx, [(IdentifierKind[row["kind"]], row["normalized"]) for row in rows])
