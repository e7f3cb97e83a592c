"""People at or of a customer, how they can be reached, and where things are sent."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hub.errors import BadInput, Forbidden
from hub.model import scopes, validators
from hub.model.columns import (
    DescribedEnum,
    child_of,
    customer_fk,
    entity_table,
    enum_column,
    same_customer_fk,
    search_column,
    search_index,
)
from hub.model.statements import ColumnValues
from hub.model.writer import EntityWriter, NestedRows
from hub.viewer import Viewer


class PointKind(DescribedEnum):
    EMAIL = "EMAIL", "An e-mail address."
    PHONE = "PHONE", "A fixed telephone line."
    MOBILE = "MOBILE", "A mobile telephone."
    FAX = "FAX", "A fax line."
    CHAT = "CHAT", "A handle on a messenger."
    WEB = "WEB", "A web address."


class AddressKind(DescribedEnum):
    MAIN = "MAIN", "The seat or home."
    BILLING = "BILLING", "Where invoices go."
    SHIPPING = "SHIPPING", "Where goods go."


Contact = entity_table(
    "contacts",
    customer_fk(),
    sa.Column("name", sa.Text, nullable=False, comment="Full name of the person."),
    sa.Column("title", sa.Text, comment="Job title or role."),
    sa.Column("is_primary", sa.Boolean, nullable=False, server_default=sa.false(), comment="The one to ask first."),
    sa.Column("language", sa.Text, comment="ISO 639 code of the language to be used."),
    search_column(["name", "title"]),
    sa.UniqueConstraint("id", "customer_id"),
    comment="A person at or of a customer.",
)
sa.Index("ix_contacts_customer_id_name_id", Contact.c.customer_id, Contact.c.name, Contact.c.id)
sa.Index("ix_contacts_name_id", Contact.c.name, Contact.c.id)
sa.Index("ix_contacts_created_at_id", Contact.c.created_at, Contact.c.id)
search_index(Contact)

ContactPoint = entity_table(
    "contact_points",
    *child_of("contact_id", "contacts", "The person who is reached."),
    sa.Column("kind", enum_column(PointKind), nullable=False, comment="The way of reaching the person."),
    sa.Column("value", sa.Text, nullable=False, comment="The address or number, as it was given."),
    sa.Column("country", sa.Text, comment="ISO country code that a national telephone number is read in."),
    sa.Column("verified", sa.Boolean, nullable=False, server_default=sa.false(), comment="Known to reach the person."),
    sa.Column(
        "preferred", sa.Boolean, nullable=False, server_default=sa.false(), comment="The way the person prefers."
    ),
    comment="A way to reach a contact.",
)
sa.Index(
    "ix_contact_points_contact_id_created_at_id",
    ContactPoint.c.contact_id,
    ContactPoint.c.created_at,
    ContactPoint.c.id,
)
sa.Index("ix_contact_points_customer_id", ContactPoint.c.customer_id)
sa.Index("ix_contact_points_created_at_id", ContactPoint.c.created_at, ContactPoint.c.id)

Address = entity_table(
    "addresses",
    customer_fk(),
    sa.Column("contact_id", sa.Uuid, comment="The person at the address, if it is one person's."),
    sa.Column("kind", enum_column(AddressKind), nullable=False, comment="What the address is for."),
    sa.Column("street", sa.Text, nullable=False, comment="Street and number, or what stands for it."),
    sa.Column("city", sa.Text, nullable=False, comment="Town or city."),
    sa.Column("region", sa.Text, comment="State, county or province."),
    sa.Column("postal_code", sa.Text, comment="Postal code, as written in the country."),
    sa.Column("country", sa.Text, comment="ISO 3166-1 alpha-2 code of the country."),
    same_customer_fk("contact_id", "contacts"),
    comment="A postal address of a customer.",
)
sa.Index("ix_addresses_customer_id_city_id", Address.c.customer_id, Address.c.city, Address.c.id)
sa.Index("ix_addresses_contact_id_city_id", Address.c.contact_id, Address.c.city, Address.c.id)
sa.Index("ix_addresses_city_id", Address.c.city, Address.c.id)

PHONE_POINT_KINDS = (PointKind.PHONE, PointKind.MOBILE, PointKind.FAX)


def _validate_contact(column_values: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    return validators.check_values(
        column_values,
        {"name": validators.single_line, "title": validators.single_line, "language": validators.language},
    )


def _validate_contact_point(column_values: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    checked = validators.check_values(column_values, {"value": validators.single_line, "country": validators.country})
    if "value" not in checked:
        return checked
    point_kind = PointKind[checked["kind"]]
    try:
        if point_kind is PointKind.EMAIL:
            checked["value"] = validators.email(checked["value"])
        elif point_kind in PHONE_POINT_KINDS:
            checked["value"] = validators.phone(checked["value"], checked.get("country"))
    except ValueError as fault:
        raise BadInput(f"value: {fault}.", argument="value") from None
    return checked


def _validate_address(column_values: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    lines = ("street", "city", "region", "postal_code")
    return validators.check_values(
        column_values, {**dict.fromkeys(lines, validators.single_line), "country": validators.country}
    )


def _authorize_verified(viewer: Viewer, column_values: ColumnValues) -> None:
    """Raises Forbidden for a customer who says of itself that an address is its own."""
    if viewer.binding == "customer" and column_values.get("verified"):
        message = "verified: a key bound to a customer proves nothing of the customer; leave it out."
        raise Forbidden(message, argument="verified")


CONTACT_POINT_WRITER = EntityWriter(
    ContactPoint,
    subject="contacts",
    scope=scopes.customer_owned,
    authorize=_authorize_verified,
    creatable=("contact_id", "kind", "value", "country", "verified", "preferred"),
    updatable=("verified", "preferred"),
    check_write=_validate_contact_point,
    copied_from_parent={"contact_id": ("customer_id",)},
)
CONTACT_WRITER = EntityWriter(
    Contact,
    subject="contacts",
    scope=scopes.customer_owned,
    creatable=("customer_id", "name", "title", "is_primary", "language"),
    updatable=("name", "title", "is_primary", "language"),
    check_write=_validate_contact,
    nested={"points": NestedRows(CONTACT_POINT_WRITER, parent_column="contact_id")},
)
ADDRESS_COLUMNS = ("kind", "street", "city", "region", "postal_code", "country")
ADDRESS_WRITER = EntityWriter(
    Address,
    subject="contacts",
    scope=scopes.customer_owned,
    creatable=("customer_id", "contact_id", *ADDRESS_COLUMNS),
    updatable=("contact_id", *ADDRESS_COLUMNS),
    check_write=_validate_address,
)
