"""The owner of the row's customer beside its unit in `orders` and `interactions`, so that lists cut by owner have an index.

`customers`, `orders` and `interactions` are locked ACCESS EXCLUSIVE until the transaction ends: the rows get their owner, and
the indexes are built. A million orders take about a minute on two cores. Images that the change log holds have no owner:
a role whose rows depend on it sees a row's history from here on."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0019"
down_revision: str | None = "0018"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

COMMENT = "The member of staff who looks after the row's customer."
TABLES = (("orders", "placed_at"), ("interactions", "occurred_at"))

# The lock makes the row wait for whoever hands the customer over: (id, owner_id) is a key of customers.
PLACE = """
create or replace function hub_place() returns trigger
language plpgsql as $$
begin
    select {columns} into {targets} from customers where id = new.customer_id for key share;
    return new;
end
$$
"""
# Every table with the trigger `place` has its customers' owners. Foreign keys would not do: an owner may be null.
HAND_OVER = """
create function hub_hand_over() returns trigger
language plpgsql as $$
declare
    owned regclass;
begin
    for owned in select tgrelid::regclass from pg_trigger where tgname = 'place' and not tgisinternal loop
        execute format('update %s set owner_id = $1 where customer_id = $2 and owner_id is distinct from $1', owned)
            using new.owner_id, new.id;
    end loop;
    return null;
end
$$
"""
HAND_OVER_TRIGGER = """
create trigger hand_over after update of owner_id on customers for each row
    when (old.owner_id is distinct from new.owner_id) execute function hub_hand_over()
"""
# Gives a table the triggers that keep its customers' unit and owner; migrations of new tables call it.
PLACE_TRIGGERS = """
create function hub_place_triggers(owned regclass) returns void
language plpgsql as $$
begin
    execute format('create or replace trigger place before insert on %s for each row'
        ' when (new.unit_id is null or new.owner_id is null) execute function hub_place()', owned);
    execute format('create or replace trigger move before update of customer_id on %s for each row'
        ' execute function hub_place()', owned);
end
$$
"""
INSERT_TRIGGER = """
create or replace trigger place before insert on {table} for each row when ({condition}) execute function hub_place()
"""


def upgrade() -> None:
    op.execute(PLACE_TRIGGERS)
    op.create_unique_constraint(op.f("uq_customers_id_owner_id"), "customers", ["id", "owner_id"])
    for table, time in TABLES:
        op.add_column(table, sa.Column("owner_id", sa.Uuid(), nullable=True, comment=COMMENT))
        # Before the triggers know the column: no row counts as edited.
        op.execute(
            f"update {table} set owner_id = customers.owner_id from customers"
            f" where customers.id = {table}.customer_id and customers.owner_id is not null"
        )
        op.create_index(
            f"ix_{table}_owner_id_{time}_id",
            table,
            ["owner_id", time, "id"],
            unique=False,
            postgresql_where=sa.text("owner_id IS NOT NULL"),
        )
        op.execute(f"select hub_capture('{table}')")
        op.execute(f"select hub_place_triggers('{table}')")
    op.execute(PLACE.format(columns="unit_id, owner_id", targets="new.unit_id, new.owner_id"))
    op.execute(HAND_OVER)
    op.execute(HAND_OVER_TRIGGER)


def downgrade() -> None:
    op.execute("drop trigger hand_over on customers")
    op.execute("drop function hub_hand_over()")
    op.execute("drop function hub_place_triggers(regclass)")
    op.execute(PLACE.format(columns="unit_id", targets="new.unit_id"))
    for table, time in reversed(TABLES):
        op.execute(INSERT_TRIGGER.format(table=table, condition="new.unit_id is null"))
        op.drop_index(
            f"ix_{table}_owner_id_{time}_id", table_name=table, postgresql_where=sa.text("owner_id IS NOT NULL")
        )
        op.drop_column(table, "owner_id")
        op.execute(f"select hub_capture('{table}')")
    op.drop_constraint(op.f("uq_customers_id_owner_id"), "customers", type_="unique")
