"""Texts of interactions with synthetic customers, and the choice of the next one after an order."""

from typing import NamedTuple

from hub.demo.synthetic.orders import GeneratedOrder
from hub.schema.engagement.interactions import Channel, Direction


class InteractionText(NamedTuple):
    """One interaction; subject and body may contain {order}, its {number}, {staff}, {contact}, {city} and {days}."""

    interaction_kind: str
    channel: Channel
    direction: Direction
    subject: str
    body: str
    about_order: bool = True


TAKEN = InteractionText(
    "order.taken",
    Channel.PHONE,
    Direction.INBOUND,
    "Order {number} taken by {staff}",
    "{staff} took order {number} ({order}) from {contact}.",
)
RECEIVED = InteractionText(
    "order.taken",
    Channel.WEB,
    Direction.INBOUND,
    "Order {number} placed on the web site",
    "{contact} placed order {number} ({order}) without help.",
)
SENT = InteractionText(
    "shipment.sent",
    Channel.POST,
    Direction.OUTBOUND,
    "Order {number} sent to {city}",
    "Order {number} ({order}) left for {city}.",
)
LATE = InteractionText(
    "shipment.late",
    Channel.POST,
    Direction.INTERNAL,
    "Order {number} sent late",
    "Order {number} ({order}) left for {city} late, by this many days: {days}.",
)
OTHERS = (
    InteractionText(
        "call.received",
        Channel.PHONE,
        Direction.INBOUND,
        "Where is order {number}?",
        "{contact} asked how far {order} has come. {staff} looked it up and promised to call back.",
    ),
    InteractionText(
        "complaint.made",
        Channel.EMAIL,
        Direction.INBOUND,
        "Goods damaged",
        "{contact} writes that part of {order} arrived damaged and asks for a replacement or a refund.",
    ),
    InteractionText(
        "mail.sent",
        Channel.EMAIL,
        Direction.OUTBOUND,
        "Your new price list",
        "{staff} sent {contact} the price list of the season, with the terms that were agreed last time.",
        about_order=False,
    ),
    InteractionText(
        "visit.made",
        Channel.IN_STORE,
        Direction.OUTBOUND,
        "Visit in {city}",
        "{staff} visited {contact} in {city}. They talked about the assortment; an order may follow within weeks.",
        about_order=False,
    ),
    InteractionText(
        "chat.held",
        Channel.CHAT,
        Direction.INBOUND,
        "Question about allergens",
        "{contact} asked which products are free of nuts; {staff} answered with the list.",
        about_order=False,
    ),
    InteractionText(
        "campaign.sent",
        Channel.SMS,
        Direction.OUTBOUND,
        "Autumn offers",
        "Hello {contact}, until Sunday all cheeses are ten percent off.",
        about_order=False,
    ),
    InteractionText(
        "note.written",
        Channel.APP,
        Direction.INTERNAL,
        "Opening hours",
        "Deliveries in {city} are possible before ten only.",
        about_order=False,
    ),
    InteractionText(
        "call.made",
        Channel.PHONE,
        Direction.OUTBOUND,
        "Call about the next order",
        "{staff} called {contact}, who will decide next week.",
        about_order=False,
    ),
)


def order_text(order: GeneratedOrder) -> InteractionText:
    return RECEIVED if order.online else TAKEN


def next_text(order: GeneratedOrder) -> InteractionText:
    """Returns the next interaction: every late shipment and half of the others are announced, else a random topic."""
    if order.days_late:
        return LATE
    if order.shipped_at is not None and order.next_text_draw % 2 == 0:
        return SENT
    return OTHERS[order.next_text_draw // 2 % len(OTHERS)]
