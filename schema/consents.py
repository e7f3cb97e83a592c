"""Consents as clients see them."""

from datetime import datetime

from hub.domain.engagement import interactions
from hub.domain.privacy import consents
from hub.engine.catalog.scalars import Json
from hub.model import scopes
from hub.model.commands import command
from hub.model.declarations import graphql_type, to_one


@graphql_type(
    consents.Consent,
    scope=scopes.customer_owned,
    prefix="cns",
    plural="consents",
    sortable=("given_at",),
    order=("given_at", "desc"),
    implements={"TimelineEntry": "given_at"},
    writer=consents.CONSENT_WRITER,
)
class Consent:
    """What a customer answered when asked whether data may be used."""

    purpose: str
    channel: interactions.Channel | None
    status: consents.ConsentStatus
    evidence: Json
    source: str
    given_at: datetime
    expires_at: datetime | None
    superseded_at: datetime | None
    current: bool
    customer = to_one("customers.Customer", by="customer_id", description="The customer who was asked.")


consent_set = command("consentSet", consents.consent_set, bulk_name="consentsSet")
