"""Interactions as clients see them."""

import re
from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from hub.domain.engagement import interactions
from hub.model import scopes
from hub.model.commands import verb
from hub.model.declarations import one, one_of, resolved, row

ORDER_ID = re.compile(r"\bord_([0-9a-f]{32})\b")
MOST_MENTIONS = 20

Words = Annotated[int, strawberry.argument(description="How many words, at most.")]


@row(
    interactions.Interaction,
    scope=scopes.customer,
    prefix="int",
    plural="interactions",
    sortable=("occurred_at",),
    order=("occurred_at", "desc"),
    implements={"TimelineEntry": "occurred_at"},
    writes=interactions.INTERACTIONS,
)
class Interaction:
    """Something said or done between the business and a customer."""

    channel: interactions.Channel
    direction: interactions.Direction
    kind: str
    subject: str | None
    body: str | None
    occurred_at: datetime
    customer = one("customers.Customer", by="customer_id", description="The customer who took part.")
    staff = one("org.Staff", by="staff_id", description="Who took part for the business.")
    order = one("orders.Order", by="order_id", description="The order that it was about.")
    contact = one("contacts.Contact", by="contact_id", description="Who took part for the customer.")
    about = one_of(
        "InteractionAbout",
        {"orders.Order": "order_id", "contacts.Contact": "contact_id"},
        description="What it was about: the order if there is one, else the person.",
    )

    @resolved(needs=("body",))
    def excerpt(self, body: str | None, words: Words = 12) -> str | None:
        """The first words of the body, with an ellipsis when there are more."""
        if body is None:
            return None
        found = body.split()
        return " ".join(found[: max(words, 0)]) + ("…" if len(found) > max(words, 0) else "")

    @resolved(needs=("subject", "body"), keys="orders.Order")
    def mentions(self, subject: str | None, body: str | None) -> list[UUID]:
        """Orders whose ids stand in the subject or the body, in their order, at most 20."""
        found = dict.fromkeys(ORDER_ID.findall(f"{subject} {body}"))
        return [UUID(digits) for digits in found][:MOST_MENTIONS]


record = verb("interactionRecord", interactions.record, many="interactionsRecord")
