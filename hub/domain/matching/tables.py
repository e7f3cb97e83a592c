"""The tables of matching that are no entities: blocking keys of customers, and versions of the parameters."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from hub.model.columns import metadata, timestamp
from hub.schema.customers.customers import Customer

MatchKeys = sa.Table(
    "match_keys",
    metadata,
    sa.Column("key", sa.BigInteger, primary_key=True, autoincrement=False, comment="Hash of normalized values."),
    sa.Column("customer_id", sa.Uuid, sa.ForeignKey(Customer.c.id, ondelete="CASCADE"), primary_key=True),
    comment="Blocking keys: only customers who share one are compared. A projection keeps them.",
)
sa.Index("ix_match_keys_customer_id", MatchKeys.c.customer_id)

MatchModels = sa.Table(
    "match_models",
    metadata,
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False, comment="Counts the trainings, from 1."),
    sa.Column("parameters", JSONB, nullable=False, comment="Shares of levels, and of common values by their hash."),
    sa.Column("trained_at", timestamp(), nullable=False, comment="When it was trained."),
    comment="Versions of the parameters of matching; the latest one scores.",
)
