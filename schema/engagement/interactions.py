"""Interactions: everything said and done between the business and a customer, on any channel."""

import re
from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from hub.model import (
    Column,
    DescribedEnum,
    Entity,
    PersonalData,
    customer_and_unit,
    field,
    resolver,
    to_one,
    union,
    validators,
)
from hub.schema.customers.contacts import Contact
from hub.schema.organisation.staff import Staff
from hub.schema.sales.orders import Order

ORDER_ID = re.compile(r"\bord_([0-9a-f]{32})\b")
MAX_MENTIONS = 20

WordLimit = Annotated[int, strawberry.argument(description="The maximum number of words.")]


class Channel(DescribedEnum):
    EMAIL = "EMAIL", "E-mail."
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


class Interaction(
    Entity,
    prefix="int",
    subject_of=("WorkItem",),
    owned_by=customer_and_unit(
        "The customer who took part.",
        inverse=("interactions", "Everything said and done between the customer and the business."),
    ),
    internal_when={"direction": ("INTERNAL",)},
    # A permission of its own for edits: a key that may record interactions need not rewrite those of others.
    permission={"create": "interactions", "update": "records", "delete": "records"},
    writable_by={"create": ("unit", "customer"), "update": ("unit",), "delete": ("unit",)},
    operations=("update", "delete"),
    order="-occurred_at",
    timeline="occurred_at",
):
    """Something said or done between the business and a customer."""

    channel: Column[Channel] = field(
        "The channel that it happened on.", writable="command", personal=PersonalData.BEHAVIOUR
    )
    direction: Column[Direction] = field(
        "The direction that it went in.", writable="command", personal=PersonalData.BEHAVIOUR
    )
    kind: Column[str] = field(
        "Type of the interaction, in small words joined by dots: `order.taken`.",
        check=validators.dotted_name,
        writable="command",
        personal=PersonalData.BEHAVIOUR,
    )
    subject: Column[str | None] = field(
        "Subject, in one line.", check=validators.single_line, personal=PersonalData.FREE_TEXT
    )
    body: Column[str | None] = field("Content, in full.", check=validators.multi_line, personal=PersonalData.FREE_TEXT)
    occurred_at: Column[datetime] = field(
        "Time when it happened.", sortable=True, writable="command", personal=PersonalData.BEHAVIOUR
    )
    staff = to_one(
        Staff,
        "The member of staff who took part.",
        optional=True,
        inverse=("interactions", "The interactions that the person took part in."),
        index="not null",
        writable="command",
    )
    order = to_one(
        Order,
        "The order that it was about.",
        optional=True,
        inverse=("interactions", "The interactions about the order."),
        index="not null",
        writable="command",
    )
    contact = to_one(
        Contact,
        "The person who took part for the customer.",
        optional=True,
        inverse=("interactions", "The interactions that the person took part in."),
        index="not null",
        writable="command",
    )
    about = union("InteractionAbout", "The order that it was about, if there is one, else the person.", order, contact)

    @resolver(body)
    def excerpt(self, body: str | None, words: WordLimit = 12) -> str | None:
        """The first words of the body, with an ellipsis when there are more."""
        if body is None:
            return None
        all_words = body.split()
        return " ".join(all_words[: max(words, 0)]) + ("…" if len(all_words) > max(words, 0) else "")

    @resolver(subject, body, returns=Order)
    def mentions(self, subject: str | None, body: str | None) -> list[UUID]:
        """The orders whose ids occur in the subject or the body, in their order, at most 20."""
        digits = dict.fromkeys(ORDER_ID.findall(f"{subject} {body}"))
        return [UUID(order) for order in digits][:MAX_MENTIONS]
