"""Customers and the identifiers that they are known by."""

from collections.abc import Mapping
from datetime import date
from uuid import UUID

from hub.model import (
    ANY,
    TIMELINE,
    WITHIN_VISIBLE,
    Column,
    DescribedEnum,
    Entity,
    Json,
    MoneyAmount,
    PersonalData,
    Workflow,
    customer_itself,
    customer_owned,
    field,
    index,
    merged,
    move,
    normal_form,
    resolver,
    state,
    to_one,
    unique,
    unite,
    validators,
)
from hub.model.field_sources import field_sources, said_by_sources
from hub.schema.organisation.staff import Staff
from hub.schema.organisation.units import OrgUnit


class CustomerKind(DescribedEnum):
    PERSON = "PERSON", "A natural person."
    ORGANISATION = "ORGANISATION", "A company or another body."


class CustomerStatus(DescribedEnum):
    ACTIVE = "ACTIVE", "Business as usual."
    BLOCKED = "BLOCKED", "No new business until someone lifts the block."
    CLOSED = "CLOSED", "The relation has ended; the record stays."


class Stage(Workflow, history=True):
    PROSPECT = "PROSPECT", state("Known, not yet qualified.", to=move(ANY, reason=True))
    QUALIFIED = "QUALIFIED", state("Worth an offer.", to=move(ANY, reason=True))
    ACTIVE = "ACTIVE", state("Has bought.", to=move(ANY, reason=True))
    LOYAL = "LOYAL", state("Buys again and again.", to=move(ANY, reason=True))
    DORMANT = "DORMANT", state("Has bought, but not of late.", to=move(ANY, reason=True))
    LOST = "LOST", state("Gone.", to=move(ANY, reason=True))


class Tier(DescribedEnum):
    STANDARD = "STANDARD", "Standard terms."
    SILVER = "SILVER", "Better terms."
    GOLD = "GOLD", "The best terms of the price list."
    PLATINUM = "PLATINUM", "Individual terms."


class IdentifierKind(DescribedEnum):
    EXTERNAL_ID = "EXTERNAL_ID", "The key of the customer in another system, named by `source`."
    EMAIL = "EMAIL", "An e-mail address."
    PHONE = "PHONE", "A telephone number."
    FAX = "FAX", "A fax number."
    TAX_ID = "TAX_ID", "A tax number."
    LOYALTY_ID = "LOYALTY_ID", "The number of a loyalty card."
    DEVICE_ID = "DEVICE_ID", "A device or an app's installation."
    ANONYMOUS_ID = "ANONYMOUS_ID", "A visitor whose name is not known yet."


class Customer(
    Entity,
    prefix="cus",
    owned_by=customer_itself,
    subject_of=("Clock", "Notification", "Verification", "WorkItem"),
    writable_by=("unit",),
    order="name",
    sortable=("created_at", "updated_at"),
    search=("name",),
    checks={
        "name_is_not_empty": "name <> ''",
        "country_is_a_code": "country ~ '^[A-Z]{2}$'",
        "currency_is_a_code": "currency ~ '^[A-Z]{3}$'",
        "annual_revenue_stands_beside_its_currency": "(annual_revenue is null) = (annual_revenue_currency is null)",
        "attributes_are_an_object": "jsonb_typeof(attributes) = 'object'",
    },
    # Serves segments by country and stage, also those of one unit, without a look at the table.
    indexes=(index("country", "stage", "created_at", "id", include=("unit_id",)),),
    amounts_in="annual_revenue_currency",
    long_running_delete=True,
):
    """A person or organisation that the business deals with."""

    kind: Column[CustomerKind] = field(
        "A person or an organisation.", default=CustomerKind.PERSON, sourced=True, personal=PersonalData.PROFILE
    )
    name: Column[str] = field(
        "Full or company name, as the customer writes it.",
        check=validators.single_line,
        sortable=True,
        sourced=True,
        personal=PersonalData.NAME,
    )
    status: Column[CustomerStatus] = field(
        "Whether business may be done.", default=CustomerStatus.ACTIVE, personal=PersonalData.BEHAVIOUR
    )
    stage: Column[Stage] = field(
        "Position of the customer in the lifecycle.", default=Stage.PROSPECT, personal=PersonalData.BEHAVIOUR
    )
    tier: Column[Tier] = field(
        "The terms that the customer enjoys.", default=Tier.STANDARD, inside=True, personal=PersonalData.PROFILE
    )
    unit = to_one(
        OrgUnit,
        "The unit that owns the customer; permissions follow it.",
        inverse=("customers", "The customers that the unit owns."),
        writable="create",
        server_filled=True,
    )
    owner = to_one(
        Staff,
        "The member of staff who looks after the customer.",
        optional=True,
        inverse=("customers", "The customers whom the person looks after."),
        writable="create",
        inside=True,
    )
    born_on: Column[date | None] = field(
        "Day of birth of a person. It tells people of one name apart.",
        check=validators.birthday,
        sourced=True,
        personal=PersonalData.BIRTH,
    )
    country: Column[str | None] = field(
        "ISO 3166-1 alpha-2 code of the country.",
        check=validators.country,
        sortable=True,
        null_as="",
        sourced=True,
        personal=PersonalData.ADDRESS,
    )
    language: Column[str | None] = field(
        "BCP 47 tag of the language to be used: `de`, `zh-Hant`.",
        check=validators.language,
        sourced=True,
        personal=PersonalData.PROFILE,
    )
    currency: Column[str | None] = field(
        "ISO 4217 code of the currency to bill in.",
        check=validators.currency,
        sourced=True,
        personal=PersonalData.PROFILE,
    )
    annual_revenue: Column[MoneyAmount | None] = field(
        "What the customer sells in a year; another person must confirm what one person writes.",
        check=validators.non_negative_amount,
        verified_by="customers:verify",
        inside=True,
        personal=PersonalData.FINANCIAL,
    )
    annual_revenue_currency: Column[str | None] = field(
        "ISO 4217 code of the currency of the annual revenue.",
        check=validators.currency,
        verified_by="customers:verify",
        inside=True,
        personal=PersonalData.FINANCIAL,
    )
    attributes: Column[Json] = field(
        "Free facts as a JSON object, filterable by path.",
        check=validators.json_object_value,
        server_default={},
        merged_by_key=True,
        inside=True,
        sourced=True,
        personal=PersonalData.FREE_TEXT,
    )
    former_ids: Column[list[str]] = field(
        "Ids of customers who were merged into this one; each leads here.",
        server_default={},
        writable="command",
        personal=PersonalData.IDENTIFIER,
    )

    @resolver(former_ids)
    def redirected_from(self, former_ids: list[str], redirects: Mapping[UUID, UUID]) -> str | None:
        """The former id by which the operation names the customer, if it does: clients should store `id` in its place."""
        named = {f"{Customer.definition.options['prefix']}_{former.hex}" for former in redirects}
        return next((former for former in former_ids if former in named), None)

    @resolver(kind, name, born_on, country, language, currency, attributes, said=said_by_sources)
    def field_sources(
        self,
        kind: str,
        name: str,
        born_on: str | None,
        country: str | None,
        language: str | None,
        currency: str | None,
        attributes: Mapping[str, object],
        said: Mapping[str, Mapping[str, list[object]]] | None,
    ) -> Json:
        """Who says what, and since when: a list of `field`, `source`, `value`, `observedAt`, and whether it is `current`.

        `field` is one of kind, name, bornOn, country, language, currency, or `attributes.` with a key."""
        values: dict[str, object] = {"kind": kind, "name": name, "bornOn": born_on and str(born_on), "country": country}
        values |= {"language": language, "currency": currency}
        values |= {f"attributes.{key}": value for key, value in attributes.items()}
        return Json(field_sources(values, said or {}))

    timeline = merged(TIMELINE, "Everything that happened, latest first.")


class Identifier(
    Entity,
    prefix="idn",
    owned_by=customer_owned(
        "The customer who is known by it.",
        inverse=("identifiers", "The identifiers that the customer is known by."),
        index=("kind", "id"),
    ),
    nested=True,
    permission="customers",
    writable_by=("unit",),
    order="created_at",
    sortable=("updated_at",),
    identifies=("value", "normalized"),
    unique=(unique("kind", "normalized", "source", among=WITHIN_VISIBLE),),
    merge=unite("kind", "normalized", "source", either=("verified",)),
):
    """An identifier of a customer: an e-mail address, a telephone number, a key in another system."""

    kind: Column[IdentifierKind] = field(
        "Type of the identifier.", writable="create", personal=PersonalData.NOT_PERSONAL
    )
    value: Column[str] = field(
        "The identifier as it was received.",
        check=validators.single_line,
        writable="create",
        personal=PersonalData.IDENTIFIER,
    )
    normalized: Column[str] = normal_form("The identifier in the form that is compared.", source="value", by="kind")
    verified: Column[bool] = field(
        "Proven to be the customer's.", server_default=False, personal=PersonalData.NOT_PERSONAL
    )
    source: Column[str] = field(
        "The system that reported it.", check=validators.single_line, writable="create", personal=PersonalData.TECHNICAL
    )
