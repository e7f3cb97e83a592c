"""Contacts: people at or of a customer, and how they can be reached."""

import phonenumbers

from hub.model import Column, DescribedEnum, Entity, PersonalData, customer_owned, field, resolver, validators


class PointKind(DescribedEnum):
    EMAIL = "EMAIL", "An e-mail address."
    PHONE = "PHONE", "A fixed telephone line."
    MOBILE = "MOBILE", "A mobile telephone."
    FAX = "FAX", "A fax line."
    CHAT = "CHAT", "A handle on a messenger."
    WEB = "WEB", "A web address."


class Contact(
    Entity,
    prefix="con",
    owned_by=customer_owned("The person's customer.", inverse=("contacts", "People at or of the customer.")),
    writable_by=("unit", "customer"),
    order="name",
    sortable=("created_at", "updated_at"),
    search=("name", "title"),
):
    """A person at or of a customer."""

    name: Column[str] = field(
        "Full name of the person.", check=validators.single_line, sortable=True, personal=PersonalData.NAME
    )
    title: Column[str | None] = field("Job title or role.", check=validators.single_line, personal=PersonalData.PROFILE)
    is_primary: Column[bool] = field("The one to ask first.", server_default=False, personal=PersonalData.PROFILE)
    language: Column[str | None] = field(
        "BCP 47 tag of the language to be used: `de`, `zh-Hant`.",
        check=validators.language,
        personal=PersonalData.PROFILE,
    )


class ContactPoint(
    Entity,
    prefix="cpt",
    part_of=Contact,
    parent=("contact", "The person who is reached."),
    inverse=("points", "Ways to reach the person."),
    nested=True,
    permission="contacts",
    writable_by=("unit", "customer"),
    order="created_at",
    sortable=("updated_at",),
    identifies=("value",),
):
    """A way to reach a contact."""

    kind: Column[PointKind] = field(
        "The way of reaching the person.", writable="create", personal=PersonalData.NOT_PERSONAL
    )
    value: Column[str] = field(
        "The address or number, as it was received.",
        check=validators.single_line,
        writable="create",
        personal=PersonalData.CONTACT,
    )
    country: Column[str | None] = field(
        "ISO country code that a national telephone number is read in.",
        check=validators.country,
        writable="create",
        personal=PersonalData.PROFILE,
    )
    verified: Column[bool] = field(
        "Known to reach the person.", server_default=False, personal=PersonalData.NOT_PERSONAL
    )
    preferred: Column[bool] = field("The way the person prefers.", server_default=False, personal=PersonalData.PROFILE)

    @resolver(kind, value, country)
    def international(self, kind: str, value: str, country: str | None) -> str | None:
        """A telephone number as it is dialled from abroad, `+44 171 555 7788`; null for other kinds and invalid numbers."""
        if kind not in ("PHONE", "MOBILE", "FAX"):
            return None
        try:
            number = phonenumbers.parse(value, country)
        except phonenumbers.NumberParseException:
            return None
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
