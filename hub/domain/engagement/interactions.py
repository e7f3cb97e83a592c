"""Everything said and done between the business and a customer, whatever the channel."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from hub.domain.customers.contacts import Contact
from hub.domain.customers.customers import Customer
from hub.domain.customers.lookup import Known, known
from hub.domain.organisation.organisation import Staff
from hub.domain.sales.orders import Order
from hub.errors import BadInput, Forbidden
from hub.model import scopes, validators, writer
from hub.model.columns import Choice, choice, entity, moment, placed, reference, same_customer
from hub.model.writer import Kind, Tx
from hub.viewer import Viewer


class Channel(Choice):
    EMAIL = "EMAIL", "Mail over the net."
    PHONE = "PHONE", "A call."
    SMS = "SMS", "A text message."
    CHAT = "CHAT", "A messenger."
    WEB = "WEB", "The web site."
    APP = "APP", "The mobile app."
    IN_STORE = "IN_STORE", "Face to face."
    SOCIAL = "SOCIAL", "A social network."
    POST = "POST", "Letters and parcels."
    API = "API", "One system to another."


class Direction(Choice):
    INBOUND = "INBOUND", "From the customer."
    OUTBOUND = "OUTBOUND", "To the customer."
    INTERNAL = "INTERNAL", "Among ourselves, about the customer."


Interaction = entity(
    "interactions",
    *placed(),
    sa.Column("channel", choice(Channel), nullable=False, comment="The way it came about."),
    sa.Column("direction", choice(Direction), nullable=False, comment="Who turned to whom."),
    sa.Column("kind", sa.Text, nullable=False, comment="What happened, in words joined by dots: `order.taken`."),
    sa.Column("subject", sa.Text, comment="What it was about, in one line."),
    sa.Column("body", sa.Text, comment="What was said, in full."),
    sa.Column("occurred_at", moment(), nullable=False, comment="When it happened."),
    reference("staff_id", "staff.id", "Who took part for the business.", nullable=True),
    sa.Column("order_id", sa.Uuid, comment="The order that it was about."),
    sa.Column("contact_id", sa.Uuid, comment="The person who took part for the customer."),
    same_customer("order_id", "orders"),
    same_customer("contact_id", "contacts"),
    comment="Something said or done between the business and a customer.",
)
sa.Index(
    "ix_interactions_customer_id_occurred_at_id", Interaction.c.customer_id, Interaction.c.occurred_at, Interaction.c.id
)
sa.Index("ix_interactions_unit_id_occurred_at_id", Interaction.c.unit_id, Interaction.c.occurred_at, Interaction.c.id)
sa.Index("ix_interactions_occurred_at_id", Interaction.c.occurred_at, Interaction.c.id)
for link in (Interaction.c.staff_id, Interaction.c.order_id, Interaction.c.contact_id):
    # Most interactions name none of the three, and three indexes that do not list them are a tenth of an insert's cost.
    sa.Index(
        f"ix_interactions_{link.name}_occurred_at_id",
        link,
        Interaction.c.occurred_at,
        Interaction.c.id,
        postgresql_where=link.is_not(None),
    )

AHEAD = timedelta(days=1)  # clocks differ; what lies further ahead has not happened
CHECKS: Mapping[str, validators.Check] = {"kind": validators.words, "subject": validators.line, "body": validators.body}


def prepared(given: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """The values of an interaction by its rules; raises BadInput."""
    found = validators.checked(given, CHECKS)
    occurred_at = found.get("occurred_at")
    if occurred_at is not None and occurred_at > at + AHEAD:
        raise BadInput("occurred_at: it has not happened yet; give a moment that is past.", argument="occurred_at")
    return found


INTERACTIONS = Kind(
    Interaction,
    subject="records",  # a right of its own: whoever may record something need not be free to rewrite what others did
    scope=scopes.customer,
    updates=("subject", "body"),
    prepare=prepared,
)


class Recorded(NamedTuple):
    """What a record gives."""

    interaction: Annotated[UUID, Interaction, "What was recorded."]


async def record(
    tx: Tx,
    viewer: Viewer,
    *,
    customer_id: Annotated[UUID | None, Customer, "The customer who took part; or name an identifier."] = None,
    identifier: Annotated[Known | None, "What the customer is known by."] = None,
    channel: Annotated[Channel, "The way it came about."],
    direction: Annotated[Direction, "Who turned to whom."],
    kind: Annotated[str, "What happened, in small words joined by dots: `order.taken`."],
    subject: Annotated[str | None, "What it was about, in one line."] = None,
    body: Annotated[str | None, "What was said, in full."] = None,
    occurred_at: Annotated[datetime | None, "When it happened; now when left out."] = None,
    staff_id: Annotated[UUID | None, Staff, "Who took part for the business."] = None,
    order_id: Annotated[UUID | None, Order, "The order that it was about, one of the customer's."] = None,
    contact_id: Annotated[UUID | None, Contact, "The person who took part for the customer."] = None,
    at: datetime,
) -> Recorded:
    """Records something said or done between the business and a customer, who is named by id or by an identifier."""
    viewer.require("interactions:write")
    if viewer.binding == "customer" and direction is not Direction.INBOUND:
        message = "direction: a key bound to a customer speaks for the customer, so it records what is INBOUND."
        raise Forbidden(message, argument="direction")
    if (customer_id is None) is (identifier is None):
        message = "customer_id: name the customer by its id or by an identifier, one of them."
        raise BadInput(message, code="ARGUMENT_MISSING", argument="customer_id")
    if identifier is not None:
        customer_id = await writer.within("identifier", known(tx, viewer, identifier))
        if customer_id is None:
            raise writer.absent("identifier")
    given = {"kind": kind, "subject": subject, "body": body, "occurred_at": occurred_at or at}
    links = {"staff_id": staff_id, "order_id": order_id, "contact_id": contact_id}
    row = {
        "customer_id": customer_id,
        "channel": channel,
        "direction": direction,
        **prepared(given, at),
        **{name: key for name, key in links.items() if key is not None},
        "created_at": at,
        "updated_at": at,
    }
    return Recorded(await writer.insert(tx, viewer, Interaction, row))
