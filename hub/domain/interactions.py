"""Everything said and done between the business and a customer, whatever the channel."""

import sqlalchemy as sa

from hub.domain.tables import Choice, choice, entity, moment, placed, reference, same_customer


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
sa.Index("ix_interactions_staff_id_occurred_at_id", Interaction.c.staff_id, Interaction.c.occurred_at, Interaction.c.id)
sa.Index("ix_interactions_order_id_occurred_at_id", Interaction.c.order_id, Interaction.c.occurred_at, Interaction.c.id)
sa.Index(
    "ix_interactions_contact_id_occurred_at_id", Interaction.c.contact_id, Interaction.c.occurred_at, Interaction.c.id
)
