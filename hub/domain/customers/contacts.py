"""People at or of a customer, how they can be reached, and where things are sent."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hub.errors import BadInput, Forbidden
from hub.model import scopes, validators
from hub.model.columns import Choice, choice, entity, owner, part_of, same_customer, search_column, search_index
from hub.model.writer import Kind, Part, Values
from hub.viewer import Viewer


class PointKind(Choice):
    EMAIL = "EMAIL", "An e-mail address."
    PHONE = "PHONE", "A fixed telephone line."
    MOBILE = "MOBILE", "A mobile telephone."
    FAX = "FAX", "A fax line."
    CHAT = "CHAT", "A handle on a messenger."
    WEB = "WEB", "A web address."


class AddressKind(Choice):
    MAIN = "MAIN", "The seat or home."
    BILLING = "BILLING", "Where invoices go."
    SHIPPING = "SHIPPING", "Where goods go."


Contact = entity(
    "contacts",
    owner(),
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

ContactPoint = entity(
    "contact_points",
    *part_of("contact_id", "contacts", "The person who is reached."),
    sa.Column("kind", choice(PointKind), nullable=False, comment="The way of reaching the person."),
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

Address = entity(
    "addresses",
    owner(),
    sa.Column("contact_id", sa.Uuid, comment="The person at the address, if it is one person's."),
    sa.Column("kind", choice(AddressKind), nullable=False, comment="What the address is for."),
    sa.Column("street", sa.Text, nullable=False, comment="Street and number, or what stands for it."),
    sa.Column("city", sa.Text, nullable=False, comment="Town or city."),
    sa.Column("region", sa.Text, comment="State, county or province."),
    sa.Column("postal_code", sa.Text, comment="Postal code, as written in the country."),
    sa.Column("country", sa.Text, comment="ISO 3166-1 alpha-2 code of the country."),
    same_customer("contact_id", "contacts"),
    comment="A postal address of a customer.",
)
sa.Index("ix_addresses_customer_id_city_id", Address.c.customer_id, Address.c.city, Address.c.id)
sa.Index("ix_addresses_contact_id_city_id", Address.c.contact_id, Address.c.city, Address.c.id)
sa.Index("ix_addresses_city_id", Address.c.city, Address.c.id)

NUMBERS = (PointKind.PHONE, PointKind.MOBILE, PointKind.FAX)


def _contact(given: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    return validators.checked(
        given, {"name": validators.line, "title": validators.line, "language": validators.language}
    )


def _point(given: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    found = validators.checked(given, {"value": validators.line, "country": validators.country})
    if "value" not in found:
        return found
    kind = PointKind[found["kind"]]
    try:
        if kind is PointKind.EMAIL:
            found["value"] = validators.email(found["value"])
        elif kind in NUMBERS:
            found["value"] = validators.phone(found["value"], found.get("country"))
    except ValueError as fault:
        raise BadInput(f"value: {fault}.", argument="value") from None
    return found


def _address(given: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    lines = ("street", "city", "region", "postal_code")
    return validators.checked(given, {**dict.fromkeys(lines, validators.line), "country": validators.country})


def _require_proof(viewer: Viewer, given: Values) -> None:
    """Raises Forbidden for a customer who says of itself that an address is its own."""
    if viewer.binding == "customer" and given.get("verified"):
        message = "verified: a key bound to a customer proves nothing of the customer; leave it out."
        raise Forbidden(message, argument="verified")


POINTS = Kind(
    ContactPoint,
    subject="contacts",
    scope=scopes.customer,
    allow=_require_proof,
    creates=("contact_id", "kind", "value", "country", "verified", "preferred"),
    updates=("verified", "preferred"),
    prepare=_point,
    inherits={"contact_id": ("customer_id",)},
)
CONTACTS = Kind(
    Contact,
    subject="contacts",
    scope=scopes.customer,
    creates=("customer_id", "name", "title", "is_primary", "language"),
    updates=("name", "title", "is_primary", "language"),
    prepare=_contact,
    parts={"points": Part(POINTS, by="contact_id")},
)
PLACE = ("kind", "street", "city", "region", "postal_code", "country")
ADDRESSES = Kind(
    Address,
    subject="contacts",
    scope=scopes.customer,
    creates=("customer_id", "contact_id", *PLACE),
    updates=("contact_id", *PLACE),
    prepare=_address,
)
