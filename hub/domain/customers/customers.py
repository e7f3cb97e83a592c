"""Customers and the identifiers that they are known by."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from hub.db.pool import Connection
from hub.errors import BadInput
from hub.model import scopes, validators
from hub.model.columns import (
    DescribedEnum,
    customer_fk,
    entity_table,
    enum_column,
    foreign_key,
    search_column,
    search_index,
)
from hub.model.writer import EntityWriter


class CustomerKind(DescribedEnum):
    PERSON = "PERSON", "A natural person."
    ORGANISATION = "ORGANISATION", "A company or another body."


class CustomerStatus(DescribedEnum):
    ACTIVE = "ACTIVE", "Business as usual."
    BLOCKED = "BLOCKED", "No new business until someone lifts the block."
    CLOSED = "CLOSED", "The relation has ended; the record stays."


class Stage(DescribedEnum):
    PROSPECT = "PROSPECT", "Known, not yet qualified."
    QUALIFIED = "QUALIFIED", "Worth an offer."
    ACTIVE = "ACTIVE", "Has bought."
    LOYAL = "LOYAL", "Buys again and again."
    DORMANT = "DORMANT", "Has bought, but not of late."
    LOST = "LOST", "Gone."


class Tier(DescribedEnum):
    STANDARD = "STANDARD", "Standard terms."
    SILVER = "SILVER", "Better terms."
    GOLD = "GOLD", "The best terms of the price list."
    PLATINUM = "PLATINUM", "Terms of their own."


class IdentifierKind(DescribedEnum):
    EXTERNAL_ID = "EXTERNAL_ID", "The key of the customer in another system, named by `source`."
    EMAIL = "EMAIL", "An e-mail address."
    PHONE = "PHONE", "A telephone number."
    FAX = "FAX", "A fax number."
    TAX_ID = "TAX_ID", "A tax number."
    LOYALTY_ID = "LOYALTY_ID", "The number of a loyalty card."
    DEVICE_ID = "DEVICE_ID", "A device or an app's installation."
    ANONYMOUS_ID = "ANONYMOUS_ID", "A visitor whose name is not known yet."


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


def canonical_identifier(identifier_kind: IdentifierKind, value: str) -> str:
    """The compared form of a value that shall identify someone; raises BadInput for what identifies nobody."""
    try:
        cleaned = validators.single_line(value)
        if PLACEHOLDER_VALUES.fullmatch(cleaned) or cleaned.lower().endswith(("@example.com", "@test.com")):
            message = f"value: {value[:60]!r} is a placeholder that many share; leave the identifier out."
            raise BadInput(message, code="IDENTIFIER_JUNK", argument="value")
        if identifier_kind is IdentifierKind.EMAIL:
            cleaned = validators.email(cleaned)
        if identifier_kind in PHONE_IDENTIFIER_KINDS:
            cleaned = validators.phone(cleaned)
    except ValueError as fault:
        raise BadInput(f"value: {fault}.", argument="value") from None
    canonical = normalize_identifier(identifier_kind, cleaned)
    if PLACEHOLDER_VALUES.fullmatch(canonical):
        message = f"value: {value[:60]!r} is a placeholder that many share; leave the identifier out."
        raise BadInput(message, code="IDENTIFIER_JUNK", argument="value")
    return canonical


Customer = entity_table(
    "customers",
    sa.Column("kind", enum_column(CustomerKind), nullable=False, comment="A person or an organisation."),
    sa.Column("name", sa.Text, nullable=False, comment="Full or company name, as the customer writes it."),
    sa.Column("status", enum_column(CustomerStatus), nullable=False, comment="Whether business may be done."),
    sa.Column("stage", enum_column(Stage), nullable=False, comment="Where the customer stands in the lifecycle."),
    sa.Column("tier", enum_column(Tier), nullable=False, comment="The terms that the customer enjoys."),
    foreign_key("unit_id", "org_units.id", "The unit that owns the customer; rights follow it."),
    foreign_key("owner_id", "staff.id", "The member of staff who looks after the customer.", nullable=True),
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

Identifier = entity_table(
    "identifiers",
    customer_fk("The customer who is known by it."),
    sa.Column("kind", enum_column(IdentifierKind), nullable=False, comment="What sort of identifier it is."),
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

CUSTOMER_CHECKS: Mapping[str, validators.ValueCheck] = {
    "name": validators.single_line,
    "country": validators.country,
    "language": validators.language,
    "currency": validators.currency,
    "attributes": validators.json_object_value,
}


def validate_customer(column_values: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """A customer's values in their one form; raises BadInput."""
    return validators.check_values(column_values, CUSTOMER_CHECKS)


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


async def _lock_identifier(tx: Connection, row: Mapping[str, Any]) -> None:
    await lock_identifiers(tx, [(IdentifierKind[row["kind"]], row["normalized"])])


def _validate_identifier(column_values: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    checked = validators.check_values(column_values, {"source": validators.single_line})
    if "value" in checked:
        checked["normalized"] = canonical_identifier(IdentifierKind[checked["kind"]], checked["value"])
    return checked


IDENTIFIER_WRITER = EntityWriter(
    Identifier,
    subject="customers",
    scope=scopes.customer_owned,
    creatable=("customer_id", "kind", "value", "verified", "source"),
    updatable=("verified",),
    check_write=_validate_identifier,
    before_insert=_lock_identifier,
)
