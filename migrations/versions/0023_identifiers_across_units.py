"""Identifiers are unique within their customer; several customers may have one, of whom no bound key sees more than it may.

Until the transaction ends, `identifiers` is locked SHARE while two indexes are built, then ACCESS EXCLUSIVE for the time of
dropping the old constraint. A million identifiers take about five seconds on two cores. A new identifier that another customer
has of the same source opens an identity review, whoever inserts it."""

from collections.abc import Sequence

from alembic import op

revision: str = "0023"
down_revision: str | None = "0021"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# The database does it, so that a writer runs the same statements whether or not a customer that it does not see is met.
REVIEW = """
create function hub_review_identifiers() returns trigger
language plpgsql as $$
begin
    insert into identity_reviews (customer_id, other_id, reason, status)
    select distinct on (least(i.customer_id, o.customer_id), greatest(i.customer_id, o.customer_id))
        i.customer_id, o.customer_id, left(format('%s %s of %s: both customers have it', i.kind, i.value, i.source), 1000), 'OPEN'
    from inserted as i
    join identifiers as o on o.kind = i.kind and o.normalized = i.normalized and o.source = i.source
    where o.customer_id <> i.customer_id and not exists (
        select from identity_reviews as r
        where (r.customer_id, r.other_id) in ((i.customer_id, o.customer_id), (o.customer_id, i.customer_id))
    )
    order by least(i.customer_id, o.customer_id), greatest(i.customer_id, o.customer_id), i.id desc
    on conflict do nothing;
    return null;
end
$$
"""
TRIGGER = """
create trigger review after insert on identifiers referencing new table as inserted
    for each statement execute function hub_review_identifiers()
"""


def upgrade() -> None:
    op.create_index("ix_identifiers_kind_normalized_source", "identifiers", ["kind", "normalized", "source"])
    op.execute(
        "create unique index uq_identifiers_customer_id_kind_normalized_source"
        " on identifiers (customer_id, kind, normalized, source)"
    )
    op.drop_constraint("uq_identifiers_kind_normalized_source", "identifiers", type_="unique")
    op.execute(
        "alter table identifiers add constraint uq_identifiers_customer_id_kind_normalized_source"
        " unique using index uq_identifiers_customer_id_kind_normalized_source"
    )
    op.execute(REVIEW)
    op.execute(TRIGGER)


def downgrade() -> None:
    op.execute("drop trigger review on identifiers")
    op.execute("drop function hub_review_identifiers()")
    # Of several customers who have an identifier the first keeps it; their reviews stay.
    op.execute(
        "delete from identifiers as i using identifiers as o"
        " where (o.kind, o.normalized, o.source) = (i.kind, i.normalized, i.source) and o.id < i.id"
    )
    op.create_unique_constraint(
        "uq_identifiers_kind_normalized_source", "identifiers", ["kind", "normalized", "source"]
    )
    op.drop_constraint("uq_identifiers_customer_id_kind_normalized_source", "identifiers", type_="unique")
    op.drop_index("ix_identifiers_kind_normalized_source", "identifiers")
