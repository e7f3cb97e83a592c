"""Customers and their identifiers as clients see them, with everything that hangs on a customer."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hub.domain.access import api_keys
from hub.domain.customers import customers, lifecycle, lookup
from hub.domain.privacy import erasure
from hub.engine.catalog.scalars import Json
from hub.model import scopes
from hub.model.commands import verb
from hub.model.declarations import FoundBy, Interface, Sortable, many, merged, one, row

TIMELINE = Interface(
    "TimelineEntry",
    field="at",
    description="Something that happened to a customer, with its moment.",
    field_description="When it happened.",
)


def _normalized(given: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**given, "value": customers.normalized(customers.IdentifierKind[given["kind"]], given["value"])}


BY_IDENTIFIER = FoundBy(
    name="identifier",
    table=customers.Identifier,
    key="customer_id",
    arguments={
        "kind": (customers.Identifier.c.kind, True),
        "value": (customers.Identifier.c.normalized, True),
        "source": (customers.Identifier.c.source, False),
    },
    normalize=_normalized,
    prefer=(("verified", "desc"), ("id", "asc")),
    description="The customer who is known by an identifier; a verified one is preferred, then the oldest.",
)


@row(
    customers.Customer,
    scope=scopes.itself,
    prefix="cus",
    plural="customers",
    sortable=("name", "created_at", Sortable("country", missing="")),
    order=("name", "asc"),
    search=("name",),
    found_by=(BY_IDENTIFIER,),
    writes=lookup.CUSTOMERS,
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
    unit = one("org.OrgUnit", by="unit_id", description="The unit that owns the customer.")
    owner = one("org.Staff", by="owner_id", description="Who looks after the customer.")
    identifiers = many("customers.Identifier", by="customer_id", description="What the customer is known by.")
    contacts = many("contacts.Contact", by="customer_id", description="People at or of the customer.")
    addresses = many("contacts.Address", by="customer_id", description="The customer's addresses.")
    orders = many("orders.Order", by="customer_id", description="The customer's orders.")
    interactions = many(
        "interactions.Interaction",
        by="customer_id",
        description="What was said and done between the customer and the business.",
    )
    scores = many("scores.Score", by="customer_id", description="The customer's scores, past and current.")
    stage_moves = many("customers.StageMove", by="customer_id", description="The customer's moves between stages.")
    consents = many("consents.Consent", by="customer_id", description="What the customer allows.")
    reviews = many("identity.IdentityReview", by="customer_id", description="Doubts whether the customer is another.")
    timeline = merged(TIMELINE, by="customer_id", description="Everything that happened, latest first.")


@row(
    customers.Identifier,
    scope=scopes.customer,
    prefix="idn",
    plural="identifiers",
    sortable=("created_at",),
    order=("created_at", "asc"),
    writes=customers.IDENTIFIERS,
)
class Identifier:
    """Something a customer is known by: an e-mail address, a telephone number, a key in another system."""

    kind: customers.IdentifierKind
    value: str
    normalized: str
    verified: bool
    source: str
    customer = one("customers.Customer", by="customer_id", description="The customer who is known by it.")


@row(
    lifecycle.StageMove,
    scope=scopes.customer,
    prefix="stm",
    plural="stageMoves",
    sortable=("moved_at",),
    order=("moved_at", "desc"),
    implements={"TimelineEntry": "moved_at"},
    writes=lifecycle.MOVES,
)
class StageMove:
    """A customer's move from one stage of the lifecycle to another."""

    from_stage: customers.Stage
    to_stage: customers.Stage
    reason: str
    moved_at: datetime
    customer = one("customers.Customer", by="customer_id", description="The customer who moved.")


stage_move = verb("customerStageMove", lifecycle.stage_move, many="customersStageMove")
assign = verb("customerAssign", lifecycle.assign, many="customersAssign")
erase = verb("customerErase", erasure.erase)
key_mint = verb("customerKeyMint", api_keys.mint, secret=True)
