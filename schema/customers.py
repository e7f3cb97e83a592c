"""Customers and their identifiers as clients see them, with everything that hangs on a customer."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hub.domain.access import api_keys
from hub.domain.customers import customers, lifecycle, lookup
from hub.domain.privacy import erasure
from hub.engine.catalog.scalars import Json
from hub.model import scopes
from hub.model.commands import command
from hub.model.declarations import Interface, Lookup, Sortable, graphql_type, merged_connection, to_many, to_one

TIMELINE = Interface(
    "TimelineEntry",
    field="at",
    description="Something that happened to a customer, with its moment.",
    field_description="When it happened.",
)


def _normalize_arguments(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        **arguments,
        "value": customers.normalize_identifier(customers.IdentifierKind[arguments["kind"]], arguments["value"]),
    }


IDENTIFIER_LOOKUP = Lookup(
    name="identifier",
    table=customers.Identifier,
    key="customer_id",
    arguments={
        "kind": (customers.Identifier.c.kind, True),
        "value": (customers.Identifier.c.normalized, True),
        "source": (customers.Identifier.c.source, False),
    },
    normalize=_normalize_arguments,
    prefer=(("verified", "desc"), ("id", "asc")),
    description="The customer who is known by an identifier; a verified one is preferred, then the oldest.",
)


@graphql_type(
    customers.Customer,
    scope=scopes.customer_itself,
    prefix="cus",
    plural="customers",
    sortable=("name", "created_at", Sortable("country", null_as="")),
    order=("name", "asc"),
    search=("name",),
    lookups=(IDENTIFIER_LOOKUP,),
    writer=lookup.CUSTOMER_WRITER,
)
class Customer:
    """A person or organisation that the business deals with."""

    kind: customers.CustomerKind
    name: str
    status: customers.CustomerStatus
    stage: customers.Stage
    tier: customers.Tier
    country: str | None
    language: str | None
    currency: str | None
    attributes: Json
    unit = to_one("org.OrgUnit", by="unit_id", description="The unit that owns the customer.")
    owner = to_one("org.Staff", by="owner_id", description="Who looks after the customer.")
    identifiers = to_many("customers.Identifier", by="customer_id", description="What the customer is known by.")
    contacts = to_many("contacts.Contact", by="customer_id", description="People at or of the customer.")
    addresses = to_many("contacts.Address", by="customer_id", description="The customer's addresses.")
    orders = to_many("orders.Order", by="customer_id", description="The customer's orders.")
    interactions = to_many(
        "interactions.Interaction",
        by="customer_id",
        description="What was said and done between the customer and the business.",
    )
    scores = to_many("scores.Score", by="customer_id", description="The customer's scores, past and current.")
    stage_moves = to_many("customers.StageMove", by="customer_id", description="The customer's moves between stages.")
    consents = to_many("consents.Consent", by="customer_id", description="What the customer allows.")
    reviews = to_many(
        "identity.IdentityReview", by="customer_id", description="Doubts whether the customer is another."
    )
    timeline = merged_connection(TIMELINE, by="customer_id", description="Everything that happened, latest first.")


@graphql_type(
    customers.Identifier,
    scope=scopes.customer_owned,
    prefix="idn",
    plural="identifiers",
    sortable=("created_at",),
    order=("created_at", "asc"),
    writer=customers.IDENTIFIER_WRITER,
)
class Identifier:
    """Something a customer is known by: an e-mail address, a telephone number, a key in another system."""

    kind: customers.IdentifierKind
    value: str
    normalized: str
    verified: bool
    source: str
    customer = to_one("customers.Customer", by="customer_id", description="The customer who is known by it.")


@graphql_type(
    lifecycle.StageMove,
    scope=scopes.customer_owned,
    prefix="stm",
    plural="stageMoves",
    sortable=("moved_at",),
    order=("moved_at", "desc"),
    implements={"TimelineEntry": "moved_at"},
    writer=lifecycle.STAGE_MOVE_WRITER,
)
class StageMove:
    """A customer's move from one stage of the lifecycle to another."""

    from_stage: customers.Stage
    to_stage: customers.Stage
    reason: str
    moved_at: datetime
    customer = to_one("customers.Customer", by="customer_id", description="The customer who moved.")


stage_move = command("customerStageMove", lifecycle.stage_move, bulk_name="customersStageMove")
assign = command("customerAssign", lifecycle.assign, bulk_name="customersAssign")
erase = command("customerErase", erasure.erase_customer)
key_mint = command("customerKeyMint", api_keys.mint_customer_key, secret=True)
