"""Rows about a person's rows belong to the person alone: a customer that such a row names owns nothing of them.

So moves and clocks of a disclosure stay when its customer is deleted, and may be of another unit than the customer's."""

from collections.abc import Sequence

from alembic import op

revision: str = "0054"
down_revision: str | None = "0052"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# The owners of a row changed: rows about it that have the former ones get the new ones. A customer's unit is the
# customer's own; a foreign key keeps it right where that changes.
UPDATE = """
create or replace function hub_move_followers() returns trigger
language plpgsql as $$
declare
    before jsonb := to_jsonb(old);
    after jsonb := to_jsonb(new);
    name text;
    former uuid;
    owner uuid;
begin
    if before -> 'customer_id' is distinct from after -> 'customer_id' then
        owner := (after ->> 'customer_id')::uuid;
        execute format('update %I set customer_id = $2, unit_id = (select unit_id from customers where id = $2)'
            ' where row_id = $1{of_customer}', tg_argv[0]) using new.id, owner;
    end if;
    foreach name in array array['unit_id', 'staff_id'] loop
        former := (before ->> name)::uuid;
        owner := (after ->> name)::uuid;
        if owner is distinct from former{unless_of_customer} then
            execute format('update %1$I set %2$I = $2 where row_id = $1 and %2$I is not distinct from $3'
                '{without_customer}', tg_argv[0], name) using new.id, owner, former;
        end if;
    end loop;
    return null;
end
$$
"""
BY_FOLLOWER = {
    "of_customer": " and audience <> ''PERSON''",
    "unless_of_customer": "",
    "without_customer": " and (%2$L <> ''unit_id'' or customer_id is null)",
}
BY_SUBJECT = {
    "of_customer": "",
    "unless_of_customer": " and (name <> 'unit_id' or after ->> 'customer_id' is null)",
    "without_customer": "",
}
# Reads few rows: disclosures that have to do with a customer.
DISOWN = """
update {follower} as f set customer_id = null, unit_id = d.unit_id from disclosures as d
where f.entity = 'Disclosure' and f.row_id = d.id and f.customer_id is not null
"""


def _follow(parts: dict[str, str]) -> None:
    statement = UPDATE
    for name, text in parts.items():
        statement = statement.replace(f"{{{name}}}", text)
    op.execute(statement)


def upgrade() -> None:
    """Run the migration."""
    op.execute("set local lock_timeout = '5s'")
    _follow(BY_FOLLOWER)
    for follower in ("moves", "clocks"):
        op.execute(DISOWN.format(follower=follower))


def downgrade() -> None:
    """Undo the migration. The rows stay as they are."""
    _follow(BY_SUBJECT)
