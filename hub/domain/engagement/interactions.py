"""Recording interactions between the business and its customers."""

from datetime import datetime, timedelta
from typing import Annotated, NamedTuple
from uuid import UUID

from hub.db.pool import Connection
from hub.domain.access.backdating import require_recent
from hub.domain.customers.lookup import IdentifierRef, find_by_identifier
from hub.errors import BadInput, Forbidden
from hub.model import rows
from hub.model.clock_skew import past_moment
from hub.model.commands import Injected, command, unless
from hub.model.rules import Write
from hub.model.writer import writer_of
from hub.schema.customers.contacts import Contact
from hub.schema.customers.customers import Customer
from hub.schema.engagement.interactions import Channel, Direction, Interaction
from hub.schema.organisation.staff import Staff
from hub.schema.sales.orders import Order
from hub.viewer import Viewer

MAX_DEVICE_SKEW = timedelta(days=1)  # devices of customers are set to other time zones


class InteractionRecordPayload(NamedTuple):
    """The payload of interactionRecord."""

    interaction: Annotated[UUID, Interaction, "The recorded interaction."]


@command("interactionRecord", bulk_name="interactionsRecord", single_insert=unless("identifier"))
async def record(
    tx: Connection,
    viewer: Viewer,
    *,
    customer_id: Annotated[
        UUID | None, Customer, "The customer who took part, a key's own by default; or name an identifier."
    ] = None,
    identifier: Annotated[IdentifierRef | None, "An identifier of the customer, in place of its id."] = None,
    channel: Annotated[Channel, "The channel that it happened on."],
    direction: Annotated[Direction, "The direction that it went in."],
    kind: Annotated[str, "Type of the interaction, in small words joined by dots: `order.taken`."],
    subject: Annotated[str | None, "Subject, in one line."] = None,
    body: Annotated[str | None, "Content, in full."] = None,
    occurred_at: Annotated[
        datetime | None, "Time when it happened; now by default, and where it is up to a day ahead."
    ] = None,
    staff_id: Annotated[UUID | None, Staff, "The member of staff who took part."] = None,
    order_id: Annotated[UUID | None, Order, "The order that it was about, one of the customer's."] = None,
    contact_id: Annotated[UUID | None, Contact, "The person who took part for the customer."] = None,
    now: datetime,
    backdating: Injected[timedelta],
) -> InteractionRecordPayload:
    """Records something said or done between the business and a customer, who is named by id or by an identifier."""
    Interaction.require(viewer, "create")
    require_recent(viewer, "occurred_at", occurred_at, now, backdating)
    if viewer.binding == "customer" and direction is not Direction.INBOUND:
        message = "direction: a key bound to a customer speaks for the customer, so it records what is INBOUND."
        raise Forbidden(message, argument="direction")
    if identifier is None and customer_id is None:
        customer_id = viewer.customer_id
    if (customer_id is None) is (identifier is None):
        message = "customer_id: name the customer by its id or by an identifier, one of them."
        raise BadInput(message, code="ARGUMENT_MISSING", argument="customer_id")
    if identifier is not None:
        customer_id = await rows.prefixing_errors("identifier", find_by_identifier(tx, viewer, identifier))
        if customer_id is None:
            raise rows.not_visible("identifier")
    moment = past_moment("occurred_at", occurred_at, now, MAX_DEVICE_SKEW)
    supplied = {"kind": kind, "subject": subject, "body": body, "occurred_at": moment}
    values = writer_of(Interaction).validated(Write("create", supplied, None, viewer, now))
    named: dict[str, object] = {"channel": channel, "direction": direction}
    named |= {"staff_id": staff_id, "order_id": order_id, "contact_id": contact_id}
    row = {"customer_id": customer_id, **values, **{name: key for name, key in named.items() if key is not None}}
    fields = [name for name, value in {**row, "occurred_at": occurred_at}.items() if value is not None]
    return InteractionRecordPayload(await rows.insert_row(tx, viewer, Interaction, row, now, fields=fields))
