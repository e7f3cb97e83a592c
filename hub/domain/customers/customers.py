"""Customers and the identifiers that they are known by."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from hub.errors import BadInput
from hub.model import scopes, validators
from hub.model.columns import Choice, choice, entity, owner, reference, search_column, search_index
from hub.model.writer import Kind, Tx


class CustomerKind(Choice):
    PERSON = "PERSON", "A natural person."
    ORGANISATION = "ORGANISATION", "A company or another body."


class CustomerStatus(Choice):
    ACTIVE = "ACTIVE", "Business as usual."
    BLOCKED = "BLOCKED", "No new business until someone lifts the block."
    CLOSED = "CLOSED", "The relation has ended; the record stays."


class Stage(Choice):
    PROSPECT = "PROSPECT", "Known, not yet qualified."
    QUALIFIED = "QUALIFIED", "Worth an offer."
    ACTIVE = "ACTIVE", "Has bought."
    LOYAL = "LOYAL", "Buys again and again."
    DORMANT = "DORMANT", "Has bought, but not of late."
    LOST = "LOST", "Gone."


class Tier(Choice):
    STANDARD = "STANDARD", "Standard terms."
    SILVER = "SILVER", "Better terms."
    GOLD = "GOLD", "The best terms of the price list."
    PLATINUM = "PLATINUM", "Terms of their own."


class IdentifierKind(Choice):
    EXTERNAL_ID = "EXTERNAL_ID", "The key of the customer in another system, named by `source`."
    EMAIL = "EMAIL", "An e-mail address."
    PHONE = "PHONE", "A telephone number."
    FAX = "FAX", "A fax number."
    TAX_ID = "TAX_ID", "A tax number."
    LOYALTY_ID = "LOYALTY_ID", "The number of a loyalty card."
    DEVICE_ID = "DEVICE_ID", "A device or an app's installation."
    ANONYMOUS_ID = "ANONYMOUS_ID", "A visitor whose name is not known yet."


JUNK = re.compile(
    r"[0-]*|-1|(null|none|nil|undefined|anonymous|unknown|test|n/?a|guest|\[object object\])(@.*)?", re.IGNORECASE
)
NUMBERS = (IdentifierKind.PHONE, IdentifierKind.FAX)
# Keys of another system, devices and visitors mean something within their source alone.
SOURCED = (IdentifierKind.EXTERNAL_ID, IdentifierKind.DEVICE_ID, IdentifierKind.ANONYMOUS_ID)


def normalized(kind: IdentifierKind, value: str) -> str:
    """The form in which an identifier is compared: addresses in lower case, numbers as their digits."""
    plain = value.strip()
    if kind in NUMBERS:
        return "".join(each for each in plain if each.isdigit())
    return plain.lower() if kind is IdentifierKind.EMAIL else plain


def identifying(kind: IdentifierKind, value: str) -> str:
    """The compared form of a value that shall identify someone; raises BadInput for what identifies nobody."""
    try:
        plain = validators.line(value)
        if JUNK.fullmatch(plain) or plain.lower().endswith(("@example.com", "@test.com")):
            message = f"value: {value[:60]!r} is a placeholder that many share; leave the identifier out."
            raise BadInput(message, code="IDENTIFIER_JUNK", argument="value")
        if kind is IdentifierKind.EMAIL:
            plain = validators.email(plain)
        if kind in NUMBERS:
            plain = validators.phone(plain)
    except ValueError as fault:
        raise BadInput(f"value: {fault}.", argument="value") from None
    compared = normalized(kind, plain)
    if JUNK.fullmatch(compared):
        message = f"value: {value[:60]!r} is a placeholder that many share; leave the identifier out."
        raise BadInput(message, code="IDENTIFIER_JUNK", argument="value")
    return compared


Customer = entity(
    "customers",
    sa.Column("kind", choice(CustomerKind), nullable=False, comment="A person or an organisation."),
    sa.Column("name", sa.Text, nullable=False, comment="Full or company name, as the customer writes it."),
    sa.Column("status", choice(CustomerStatus), nullable=False, comment="Whether business may be done."),
    sa.Column("stage", choice(Stage), nullable=False, comment="Where the customer stands in the lifecycle."),
    sa.Column("tier", choice(Tier), nullable=False, comment="The terms that the customer enjoys."),
    reference("unit_id", "org_units.id", "The unit that owns the customer; rights follow it."),
    reference("owner_id", "staff.id", "The member of staff who looks after the customer.", nullable=True),
    sa.Column("country", sa.Text, comment="ISO 3166-1 alpha-2 code of the country."),
    sa.Column("language", sa.Text, comment="ISO 639 code of the language to be used."),
    sa.Column("currency", sa.Text, comment="ISO 4217 code of the currency to bill in."),
    sa.Column(
        "attributes",
        JSONB,
        nullable=False,
        server_default=sa.text("'{}'"),
        comment="Free facts as a JSON object, filterable by path.",
    ),
    search_column(["name"]),
    sa.UniqueConstraint("id", "unit_id"),
    sa.CheckConstraint("name <> ''", name="name_is_not_empty"),
    sa.CheckConstraint("country ~ '^[A-Z]{2}$'", name="country_is_a_code"),
    sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency_is_a_code"),
    sa.CheckConstraint("jsonb_typeof(attributes) = 'object'", name="attributes_are_an_object"),
    comment="A person or organisation that the business deals with.",
)
sa.Index("ix_customers_name_id", Customer.c.name, Customer.c.id)
sa.Index("ix_customers_created_at_id", Customer.c.created_at, Customer.c.id)
sa.Index("ix_customers_country_id", sa.func.coalesce(Customer.c.country, ""), Customer.c.id)
sa.Index(
    "ix_customers_country_stage_created_at_id",
    Customer.c.country,
    Customer.c.stage,
    Customer.c.created_at,
    Customer.c.id,
    postgresql_include=["unit_id"],
)
sa.Index("ix_customers_unit_id_name_id", Customer.c.unit_id, Customer.c.name, Customer.c.id)
sa.Index("ix_customers_owner_id_name_id", Customer.c.owner_id, Customer.c.name, Customer.c.id)
search_index(Customer)

Identifier = entity(
    "identifiers",
    owner("The customer who is known by it."),
    sa.Column("kind", choice(IdentifierKind), nullable=False, comment="What sort of identifier it is."),
    sa.Column("value", sa.Text, nullable=False, comment="As it was received."),
    sa.Column("normalized", sa.Text, nullable=False, comment="In the form that is compared."),
    sa.Column(
        "verified", sa.Boolean, nullable=False, server_default=sa.false(), comment="Proven to be the customer's."
    ),
    sa.Column("source", sa.Text, nullable=False, comment="The system that reported it."),
    sa.UniqueConstraint("kind", "normalized", "source"),
    comment="Something a customer is known by: an e-mail address, a telephone number, a key in another system.",
)
sa.Index("ix_identifiers_customer_id_kind_id", Identifier.c.customer_id, Identifier.c.kind, Identifier.c.id)
sa.Index("ix_identifiers_created_at_id", Identifier.c.created_at, Identifier.c.id)

CHECKS: Mapping[str, validators.Check] = {
    "name": validators.line,
    "country": validators.country,
    "language": validators.language,
    "currency": validators.currency,
    "attributes": validators.facts,
}


def prepared(given: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """A customer's values in their one form; raises BadInput."""
    return validators.checked(given, CHECKS)


# Sorted, so that two who lock the same do so in the same order.
_LOCK = """
select pg_advisory_xact_lock(key) from (
    select distinct hashtextextended(name, 0) as key from unnest($1::text[]) as name order by 1
) as keys
"""


async def lock(tx: Tx, names: Iterable[tuple[IdentifierKind, str]]) -> None:
    """Keeps others from looking up or giving out the same identifiers until the transaction ends."""
    await tx.execute(_LOCK, sorted({f"{kind}:{normalized}" for kind, normalized in names}))


async def _locked(tx: Tx, row: Mapping[str, Any]) -> None:
    await lock(tx, [(IdentifierKind[row["kind"]], row["normalized"])])


def _identifier(given: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    found = validators.checked(given, {"source": validators.line})
    if "value" in found:
        found["normalized"] = identifying(IdentifierKind[found["kind"]], found["value"])
    return found


IDENTIFIERS = Kind(
    Identifier,
    subject="customers",
    scope=scopes.customer,
    creates=("customer_id", "kind", "value", "verified", "source"),
    updates=("verified",),
    prepare=_identifier,
    before=_locked,
)
