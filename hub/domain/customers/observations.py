"""The identifiers and traits that a system reports of a customer. One that is invalid does not invalidate the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from hub.domain.customers.customers import canonical_identifier, require_past_birth
from hub.errors import BadInput
from hub.model import validators
from hub.model.rows import prefix_error
from hub.model.writer import writer_of
from hub.schema.customers.customers import Customer, CustomerKind, IdentifierKind
from hub.schema.organisation.units import OrgUnit
from hub.text_case import camel_case

MAX_IDENTIFIERS = 20
MAX_SHOWN_CHARACTERS = 60  # of an invalid value, in a reason


class ObservedIdentifier(NamedTuple):
    """An identifier of the customer, as a system reports it."""

    kind: Annotated[IdentifierKind, "Type of the identifier."]
    value: Annotated[str, "The identifier itself. A national telephone number is read in `traits.country`."]
    verified: Annotated[bool, "Whether it was proven to be the customer's."] = False


class Traits(NamedTuple):
    """Traits of the customer. An existing customer keeps its traits and gets the missing ones.

    A name counts as missing while the customer is named by an identifier."""

    name: Annotated[str | None, "Full or company name."] = None
    kind: Annotated[CustomerKind | None, "A person or an organisation; a person by default."] = None
    unit_id: Annotated[UUID | None, OrgUnit, "The unit of a new customer; the key's unit or the root by default."] = (
        None
    )
    country: Annotated[str | None, "ISO 3166-1 alpha-2 code."] = None
    born_on: Annotated[date | None, "Day of birth of a person."] = None
    language: Annotated[str | None, "BCP 47 tag: `de`, `zh-Hant`."] = None
    currency: Annotated[str | None, "ISO 4217 code."] = None
    attributes: Annotated[Any | None, "Free attributes as a JSON object; null leaves a key out."] = None


@dataclass(frozen=True, slots=True)
class NormalizedIdentifier:
    """An identifier with its normal form."""

    identifier_kind: IdentifierKind
    value: str
    normalized: str
    verified: bool


def valid_traits(traits: Traits, reasons: list[str], now: datetime) -> dict[str, Any]:
    """The valid traits in normal form, by column; a reason says why another one was not taken."""
    valid: dict[str, Any] = {}
    for name, value in traits._asdict().items():
        if value is None:
            continue
        try:
            checked = writer_of(Customer).canonical({name: value})
            require_past_birth(checked.get("born_on"), now)
            valid |= checked
        except BadInput as error:
            reasons.append(f"traits.{camel_case(name)} was not taken: {_fault(error)}")
    if "attributes" in valid:
        valid["attributes"] = {key: fact for key, fact in valid["attributes"].items() if fact is not None}
    return valid


def valid_identifiers(
    identifiers: Sequence[ObservedIdentifier], region: str | None, reasons: list[str]
) -> list[NormalizedIdentifier]:
    """The valid identifiers, each once; a reason says why another one was not taken.

    National telephone numbers are read in `region`. Raises BadInput for too many, and where none is valid."""
    if not 1 <= len(identifiers) <= MAX_IDENTIFIERS:
        message = f"identifiers: give 1 to {MAX_IDENTIFIERS}."
        raise BadInput(message, code="IDENTIFIER_LIMIT", argument="identifiers")
    valid: dict[tuple[IdentifierKind, str], NormalizedIdentifier] = {}
    errors: list[BadInput] = []
    for index, observed in enumerate(identifiers):
        try:
            normalized = canonical_identifier(observed.kind, observed.value, region)
        except BadInput as error:
            shown = observed.value.strip()[:MAX_SHOWN_CHARACTERS]
            reasons.append(f"{observed.kind} {shown} was not taken: {_fault(error)}")
            prefix_error(f"identifiers[{index}]", error)
            errors.append(error)
            continue
        previous = valid.get((observed.kind, normalized))
        verified = observed.verified or (previous is not None and previous.verified)
        valid[observed.kind, normalized] = NormalizedIdentifier(
            observed.kind, validators.single_line(observed.value), normalized, verified
        )
    if not valid:
        raise errors[0]
    return list(valid.values())


def _fault(error: BadInput) -> str:
    """The fault and the remedy, without the argument's name and without the full stop."""
    return error.message.removeprefix(f"{error.argument}: ").rstrip(".")
