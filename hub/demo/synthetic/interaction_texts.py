"""What is said between made-up customers and the business, and which of it comes next after an order."""

from typing import NamedTuple

from hub.demo.synthetic.orders import Deal
from hub.domain.engagement.interactions import Channel, Direction


class Word(NamedTuple):
    """One interaction; subject and body may name {order}, its {number}, {staff}, {contact}, {city} and {days}."""

    kind: str
    channel: Channel
    direction: Direction
    subject: str
    body: str
    about_order: bool = True


TAKEN = Word(
    "order.taken",
    Channel.PHONE,
    Direction.INBOUND,
    "Order {number} taken by {staff}",
    "{staff} took order {number} ({order}) from {contact}.",
)
RECEIVED = Word(
    "order.taken",
    Channel.WEB,
    Direction.INBOUND,
    "Order {number} placed on the web site",
    "{contact} placed order {number} ({order}) without help.",
)
SENT = Word(
    "shipment.sent",
    Channel.POST,
    Direction.OUTBOUND,
    "Order {number} sent to {city}",
    "Order {number} ({order}) left for {city}.",
)
LATE = Word(
    "shipment.late",
    Channel.POST,
    Direction.INTERNAL,
    "Order {number} sent late",
    "Order {number} ({order}) left for {city} late, by this many days: {days}.",
)
OTHERS = (
    Word(
        "call.received",
        Channel.PHONE,
        Direction.INBOUND,
        "Where is order {number}?",
        "{contact} asked how far {order} has come. {staff} looked it up and promised to call back.",
    ),
    Word(
        "complaint.made",
        Channel.EMAIL,
        Direction.INBOUND,
        "Goods damaged",
        "{contact} writes that part of {order} arrived damaged and asks for a replacement or a refund.",
    ),
    Word(
        "mail.sent",
        Channel.EMAIL,
        Direction.OUTBOUND,
        "Your new price list",
        "{staff} sent {contact} the price list of the season, with the terms that were agreed last time.",
        about_order=False,
    ),
    Word(
        "visit.made",
        Channel.IN_STORE,
        Direction.OUTBOUND,
        "Visit in {city}",
        "{staff} visited {contact} in {city}. They talked about the assortment; an order may follow within weeks.",
        about_order=False,
    ),
    Word(
        "chat.held",
        Channel.CHAT,
        Direction.INBOUND,
        "Question about allergens",
        "{contact} asked which products are free of nuts; {staff} answered with the list.",
        about_order=False,
    ),
    Word(
        "campaign.sent",
        Channel.SMS,
        Direction.OUTBOUND,
        "Autumn offers",
        "Hello {contact}, until Sunday all cheeses are ten percent off.",
        about_order=False,
    ),
    Word(
        "note.written",
        Channel.APP,
        Direction.INTERNAL,
        "Opening hours",
        "Deliveries in {city} are possible before ten only.",
        about_order=False,
    ),
    Word(
        "call.made",
        Channel.PHONE,
        Direction.OUTBOUND,
        "Call about the next order",
        "{staff} called {contact}, who will decide next week.",
        about_order=False,
    ),
)


def first(deal: Deal) -> Word:
    return RECEIVED if deal.online else TAKEN


def following(deal: Deal) -> Word:
    """Every late shipment is told, every other one half of the time; else something different comes next."""
    if deal.days_late:
        return LATE
    if deal.shipped is not None and deal.next_word % 2 == 0:
        return SENT
    return OTHERS[deal.next_word // 2 % len(OTHERS)]
