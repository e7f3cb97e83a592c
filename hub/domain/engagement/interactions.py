"""Everything said and done between the business and a customer, whatever the channel."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from hub.db.pool import Connection
from hub.domain.customers.contacts import Contact
from hub.domain.customers.customers import Customer
from hub.domain.customers.lookup import IdentifierRef, find_by_identifier
from hub.domain.organisation.organisation import Staff
from hub.domain.sales.orders import Order
from hub.errors import BadInput, Forbidden
from hub.model import scopes, validators, writer
from hub.model.columns import (
    DescribedEnum,
    customer_and_unit_columns,
    entity_table,
    enum_column,
    foreign_key,
    same_customer_fk,
    timestamp,
)
from hub.model.writer import EntityWriter
from hub.viewer import Viewer


class Channel(DescribedEnum):
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


class Direction(DescribedEnum):
    INBOUND = "INBOUND", "From the customer."
    OUTBOUND = "OUTBOUND", "To the customer."
    INTERNAL = "INTERNAL", "Among ourselves, about the customer."


Interaction = entity_table(
    "interactions",
    *customer_and_unit_columns(),
    sa.Column("channel", enum_column(Channel), nullable=False, comment="The way it came about."),
    sa.Column("direction", enum_column(Direction), nullable=False, comment="Who turned to whom."),
    sa.Column("kind", sa.Text, nullable=False, comment="What happened, in words joined by dots: `order.taken`."),
    sa.Column("subject", sa.Text, comment="What it was about, in one line."),
    sa.Column("body", sa.Text, comment="What was said, in full."),
    sa.Column("occurred_at", timestamp(), nullable=False, comment="When it happened."),
    foreign_key("staff_id", "staff.id", "Who took part for the business.", nullable=True),
    sa.Column("order_id", sa.Uuid, comment="The order that it was about."),
    sa.Column("contact_id", sa.Uuid, comment="The person who took part for the customer."),
    same_customer_fk("order_id", "orders"),
    same_customer_fk("contact_id", "contacts"),
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

MAX_CLOCK_SKEW = timedelta(days=1)  # clocks differ; what lies further ahead has not happened
INTERACTION_CHECKS: Mapping[str, validators.ValueCheck] = {
    "kind": validators.dotted_name,
    "subject": validators.single_line,
    "body": validators.multi_line,
}


def validate_interaction(column_values: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The values of an interaction by its rules; raises BadInput."""
    checked = validators.check_values(column_values, INTERACTION_CHECKS)
    occurred_at = checked.get("occurred_at")
    if occurred_at is not None and occurred_at > now + MAX_CLOCK_SKEW:
        raise BadInput("occurred_at: it has not happened yet; give a moment that is past.", argument="occurred_at")
    return checked


INTERACTION_WRITER = EntityWriter(
    Interaction,
    subject="records",  # a right of its own: whoever may record something need not be free to rewrite what others did
    scope=scopes.customer_owned,
    updatable=("subject", "body"),
    check_write=validate_interaction,
)


class InteractionRecordPayload(NamedTuple):
    """What a record gives."""

    interaction: Annotated[UUID, Interaction, "What was recorded."]


async def record(
    tx: Connection,
    viewer: Viewer,
    *,
    customer_id: Annotated[UUID | None, Customer, "The customer who took part; or name an identifier."] = None,
    identifier: Annotated[IdentifierRef | None, "What the customer is known by."] = None,
    channel: Annotated[Channel, "The way it came about."],
    direction: Annotated[Direction, "Who turned to whom."],
    kind: Annotated[str, "What happened, in small words joined by dots: `order.taken`."],
    subject: Annotated[str | None, "What it was about, in one line."] = None,
    body: Annotated[str | None, "What was said, in full."] = None,
    occurred_at: Annotated[datetime | None, "When it happened; now when left out."] = None,
    staff_id: Annotated[UUID | None, Staff, "Who took part for the business."] = None,
    order_id: Annotated[UUID | None, Order, "The order that it was about, one of the customer's."] = None,
    contact_id: Annotated[UUID | None, Contact, "The person who took part for the customer."] = None,
    now: datetime,
) -> InteractionRecordPayload:
    """Records something said or done between the business and a customer, who is named by id or by an identifier."""
    viewer.require("interactions:write")
    if viewer.binding == "customer" and direction is not Direction.INBOUND:
        message = "direction: a key bound to a customer speaks for the customer, so it records what is INBOUND."
        raise Forbidden(message, argument="direction")
    if (customer_id is None) is (identifier is None):
        message = "customer_id: name the customer by its id or by an identifier, one of them."
        raise BadInput(message, code="ARGUMENT_MISSING", argument="customer_id")
    if identifier is not None:
        customer_id = await writer.prefixing_errors("identifier", find_by_identifier(tx, viewer, identifier))
        if customer_id is None:
            raise writer.not_visible("identifier")
    supplied = {"kind": kind, "subject": subject, "body": body, "occurred_at": occurred_at or now}
    links = {"staff_id": staff_id, "order_id": order_id, "contact_id": contact_id}
    row = {
        "customer_id": customer_id,
        "channel": channel,
        "direction": direction,
        **validate_interaction(supplied, now),
        **{name: key for name, key in links.items() if key is not None},
        "created_at": now,
        "updated_at": now,
    }
    return InteractionRecordPayload(await writer.insert_row(tx, viewer, Interaction, row))
