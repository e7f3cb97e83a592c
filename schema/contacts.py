"""Contacts, the ways to reach them, and addresses as clients see them."""

import phonenumbers

from hub.domain.customers import contacts
from hub.model import scopes
from hub.model.declarations import graphql_type, resolver, to_many, to_one


@graphql_type(
    contacts.Contact,
    scope=scopes.customer_owned,
    prefix="con",
    plural="contacts",
    sortable=("name", "created_at"),
    order=("name", "asc"),
    search=("name", "title"),
    writer=contacts.CONTACT_WRITER,
)
class Contact:
    """A person at or of a customer."""

    name: str
    title: str | None
    is_primary: bool
    language: str | None
    customer = to_one("customers.Customer", by="customer_id", description="The person's customer.")
    points = to_many("contacts.ContactPoint", by="contact_id", description="Ways to reach the person.")
    addresses = to_many("contacts.Address", by="contact_id", description="The person's own addresses.")
    orders = to_many("orders.Order", by="contact_id", description="The orders that the person placed.")
    interactions = to_many(
        "interactions.Interaction",
        by="contact_id",
        description="The interactions that the person took part in.",
    )


@graphql_type(
    contacts.ContactPoint,
    scope=scopes.customer_owned,
    prefix="cpt",
    plural="contactPoints",
    sortable=("created_at",),
    order=("created_at", "asc"),
    writer=contacts.CONTACT_POINT_WRITER,
)
class ContactPoint:
    """A way to reach a contact."""

    kind: contacts.PointKind
    value: str
    country: str | None
    verified: bool
    preferred: bool
    contact = to_one("contacts.Contact", by="contact_id", description="The person who is reached.")

    @resolver(needs=("kind", "value", "country"))
    def international(self, kind: str, value: str, country: str | None) -> str | None:
        """A telephone number as it is dialled from abroad, `+44 171 555 7788`; null for all else and for what is no number."""
        if kind not in ("PHONE", "MOBILE", "FAX"):
            return None
        try:
            number = phonenumbers.parse(value, country)
        except phonenumbers.NumberParseException:
            return None
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


@graphql_type(
    contacts.Address,
    scope=scopes.customer_owned,
    prefix="adr",
    plural="addresses",
    sortable=("city",),
    order=("city", "asc"),
    writer=contacts.ADDRESS_WRITER,
)
class Address:
    """A postal address of a customer."""

    kind: contacts.AddressKind
    street: str
    city: str
    region: str | None
    postal_code: str | None
    country: str | None
    customer = to_one("customers.Customer", by="customer_id", description="The customer at the address.")
    contact = to_one("contacts.Contact", by="contact_id", description="The person at the address.")
