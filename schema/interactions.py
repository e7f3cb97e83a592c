"""Interactions as clients see them."""

import re
from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from hub.domain.engagement import interactions
from hub.model import scopes
from hub.model.commands import command
from hub.model.declarations import graphql_type, resolver, to_one, union

ORDER_ID = re.compile(r"\bord_([0-9a-f]{32})\b")
MAX_MENTIONS = 20

WordLimit = Annotated[int, strawberry.argument(description="How many words, at most.")]


@graphql_type(
    interactions.Interaction,
    scope=scopes.customer_owned,
    prefix="int",
    plural="interactions",
    sortable=("occurred_at",),
    order=("occurred_at", "desc"),
    implements={"TimelineEntry": "occurred_at"},
    writer=interactions.INTERACTION_WRITER,
)
class Interaction:
    """Something said or done between the business and a customer."""

    channel: interactions.Channel
    direction: interactions.Direction
    kind: str
    subject: str | None
    body: str | None
    occurred_at: datetime
    customer = to_one("customers.Customer", by="customer_id", description="The customer who took part.")
    staff = to_one("org.Staff", by="staff_id", description="Who took part for the business.")
    order = to_one("orders.Order", by="order_id", description="The order that it was about.")
    contact = to_one("contacts.Contact", by="contact_id", description="Who took part for the customer.")
    about = union(
        "InteractionAbout",
        {"orders.Order": "order_id", "contacts.Contact": "contact_id"},
        description="What it was about: the order if there is one, else the person.",
    )

    @resolver(needs=("body",))
    def excerpt(self, body: str | None, words: WordLimit = 12) -> str | None:
        """The first words of the body, with an ellipsis when there are more."""
        if body is None:
            return None
        body_words = body.split()
        return " ".join(body_words[: max(words, 0)]) + ("…" if len(body_words) > max(words, 0) else "")

    @resolver(needs=("subject", "body"), keys="orders.Order")
    def mentions(self, subject: str | None, body: str | None) -> list[UUID]:
        """Orders whose ids stand in the subject or the body, in their order, at most 20."""
        order_ids = dict.fromkeys(ORDER_ID.findall(f"{subject} {body}"))
        return [UUID(digits) for digits in order_ids][:MAX_MENTIONS]


record = command("interactionRecord", interactions.record, bulk_name="interactionsRecord")
