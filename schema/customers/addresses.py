"""Postal addresses of customers."""

from hub.model import Column, DescribedEnum, Entity, PersonalData, customer_owned, field, to_one, validators
from hub.schema.customers.contacts import Contact


class AddressKind(DescribedEnum):
    MAIN = "MAIN", "The seat or home."
    BILLING = "BILLING", "The address for invoices."
    SHIPPING = "SHIPPING", "The address for goods."


class Address(
    Entity,
    prefix="adr",
    owned_by=customer_owned("The customer at the address.", inverse=("addresses", "The customer's addresses.")),
    permission="contacts",
    writable_by=("unit", "customer"),
    order="city",
    sortable=("updated_at",),
):
    """A postal address of a customer."""

    contact = to_one(
        Contact,
        "The person at the address, if it is one person's.",
        optional=True,
        inverse=("addresses", "The person's own addresses."),
    )
    kind: Column[AddressKind] = field("Purpose of the address.", personal=PersonalData.NOT_PERSONAL)
    street: Column[str] = field(
        "Street and number, or its equivalent.", check=validators.single_line, personal=PersonalData.ADDRESS
    )
    city: Column[str] = field(
        "Town or city.", check=validators.single_line, sortable=True, personal=PersonalData.ADDRESS
    )
    region: Column[str | None] = field(
        "State, county or province.", check=validators.single_line, personal=PersonalData.ADDRESS
    )
    postal_code: Column[str | None] = field(
        "Postal code, as written in the country.", check=validators.single_line, personal=PersonalData.ADDRESS
    )
    country: Column[str | None] = field(
        "ISO 3166-1 alpha-2 code of the country.", check=validators.country, personal=PersonalData.ADDRESS
    )
