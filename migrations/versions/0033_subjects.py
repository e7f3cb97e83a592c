"""Rows about other rows, and the first of them: the moves of workflows.

Creates a table and three functions; locks nothing that exists but for foreign keys to it: writes of customers, units and staff
wait until the transaction ends."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0033"
down_revision: str | None = "0032"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# Rows about deleted rows go with them.
DELETE = """
create function hub_delete_followers() returns trigger
language plpgsql as $$
begin
    execute format('delete from %I using hub_old where %1$I.row_id = hub_old.id', tg_argv[0]);
    return null;
end
$$
"""

# The owners of a row changed: rows about it that have the former ones get the new ones. A customer's unit is the
# customer's own; a foreign key keeps it right where that changes.
UPDATE = """
create function hub_move_followers() returns trigger
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
            ' where row_id = $1', tg_argv[0]) using new.id, owner;
    end if;
    foreach name in array array['unit_id', 'staff_id'] loop
        former := (before ->> name)::uuid;
        owner := (after ->> name)::uuid;
        if owner is distinct from former and (name <> 'unit_id' or after ->> 'customer_id' is null) then
            execute format('update %1$I set %2$I = $2 where row_id = $1 and %2$I is not distinct from $3', tg_argv[0], name)
                using new.id, owner, former;
        end if;
    end loop;
    return null;
end
$$
"""

# Gives the table of subjects the triggers that keep rows about them right; migrations of new tables call it.
FOLLOW = """
create function hub_follow_subject(subject regclass, follower regclass) returns void
language plpgsql as $$
declare
    name text := (select relname from pg_class where oid = follower);
    owners text := (
        select string_agg(quote_ident(attname), ', ') from pg_attribute
        where attrelid = subject and attname in ('customer_id', 'unit_id', 'staff_id') and not attisdropped
            and subject <> 'customers'::regclass
    );
begin
    execute format('create or replace trigger %I after delete on %s referencing old table as hub_old for each statement'
        ' execute function hub_delete_followers(%L)', 'delete_' || name, subject, name);
    if owners is not null and exists (
        select from pg_attribute where attrelid = follower and attname = 'audience' and not attisdropped
    ) then
        execute format('create or replace trigger %I after update of %s on %s for each row'
            ' execute function hub_move_followers(%L)', 'move_' || name, owners, subject, name);
    end if;
end
$$
"""

# Takes those triggers away; migrations that drop a table of rows about others call it first.
UNFOLLOW = """
create function hub_unfollow_subjects(follower regclass) returns void
language plpgsql as $$
declare
    name text := (select relname from pg_class where oid = follower);
    entry record;
begin
    for entry in
        select tgname, tgrelid::regclass as subject from pg_trigger
        where tgname in ('delete_' || name, 'move_' || name)
            and tgfoid in ('hub_delete_followers'::regproc, 'hub_move_followers'::regproc)
    loop
        execute format('drop trigger %I on %s', entry.tgname, entry.subject);
    end loop;
end
$$
"""


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute(DELETE)
    op.execute(UPDATE)
    op.execute(FOLLOW)
    op.execute(UNFOLLOW)
    op.create_table(
        "moves",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and permanent."),
        sa.Column("customer_id", sa.Uuid(), nullable=True, comment="The customer whom the subject belongs to."),
        sa.Column("unit_id", sa.Uuid(), nullable=True, comment="The unit that the subject belongs to."),
        sa.Column(
            "staff_id",
            sa.Uuid(),
            nullable=True,
            comment="The member of staff whom the subject is about, or who does it.",
        ),
        sa.Column(
            "audience",
            sa.Enum(
                "CUSTOMER",
                "INSIDE",
                "UNIT",
                "PERSON",
                name="audience",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
            comment="Who sees the row.",
        ),
        sa.Column("entity", sa.Text(), nullable=False, comment="Name of the type of the row that it is about."),
        sa.Column("row_id", sa.Uuid(), nullable=False, comment="The row that moved."),
        sa.Column("column", sa.Text(), nullable=False, comment="The field that holds the state."),
        sa.Column("from_value", sa.Text(), nullable=False, comment="The state before the move."),
        sa.Column("to_value", sa.Text(), nullable=False, comment="The state after the move."),
        sa.Column(
            "name",
            sa.Text(),
            nullable=False,
            comment="Name of the move: that of its declaration, else the state after it.",
        ),
        sa.Column("reason", sa.Text(), nullable=True, comment="Reason for the move, in one line."),
        sa.Column("moved_at", sa.DateTime(timezone=True), nullable=False, comment="Time of the move."),
        sa.Column("actor", sa.Text(), nullable=False, comment="Who moved it, as the change log names it."),
        sa.Column(
            "moved_by_id", sa.Uuid(), nullable=True, comment="The member of staff who moved it; empty for a system."
        ),
        sa.Column("stayed", sa.Integer(), nullable=False, comment="Seconds that the row was in the state before."),
        sa.Column(
            "worked",
            sa.Integer(),
            nullable=True,
            comment="Those of them that were working time, by the calendar of the row's last clock; empty without one.",
        ),
        sa.Column(
            "version",
            sa.Integer(),
            server_default=sa.text("1"),
            nullable=False,
            comment="Counts the row's edits, from 1; an update may name the version that it is based on.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="Time of creation.",
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="Time of the last edit.",
        ),
        sa.CheckConstraint("customer_id is null or unit_id is not null", name=op.f("ck_moves_a_customer_has_a_unit")),
        sa.ForeignKeyConstraint(
            ["customer_id", "unit_id"],
            ["customers.id", "customers.unit_id"],
            name=op.f("fk_moves_customer_id_unit_id"),
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["moved_by_id"], ["staff.id"], name=op.f("fk_moves_moved_by_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_moves_staff_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["unit_id"], ["org_units.id"], name=op.f("fk_moves_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_moves")),
        comment="A move of a row from one state to another. Moves are never changed.",
    )
    op.execute("select hub_capture('moves')")
    op.create_index(
        "ix_moves_customer_id_moved_at_id",
        "moves",
        ["customer_id", "moved_at", "id"],
        unique=False,
        postgresql_where=sa.text("customer_id IS NOT NULL"),
    )
    op.create_index("ix_moves_entity_to_value_moved_at", "moves", ["entity", "to_value", "moved_at"], unique=False)
    op.create_index("ix_moves_moved_at_id", "moves", ["moved_at", "id"], unique=False)
    op.create_index("ix_moves_moved_by_id_moved_at_id", "moves", ["moved_by_id", "moved_at", "id"], unique=False)
    op.create_index("ix_moves_row_id_moved_at_id", "moves", ["row_id", "moved_at", "id"], unique=False)
    op.create_index(
        "ix_moves_staff_id_moved_at_id",
        "moves",
        ["staff_id", "moved_at", "id"],
        unique=False,
        postgresql_where=sa.text("staff_id IS NOT NULL"),
    )
    op.create_index(
        "ix_moves_unit_id_moved_at_id",
        "moves",
        ["unit_id", "moved_at", "id"],
        unique=False,
        postgresql_where=sa.text("unit_id IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_moves_unit_id_moved_at_id", table_name="moves", postgresql_where=sa.text("unit_id IS NOT NULL"))
    op.drop_index("ix_moves_staff_id_moved_at_id", table_name="moves", postgresql_where=sa.text("staff_id IS NOT NULL"))
    op.drop_index("ix_moves_row_id_moved_at_id", table_name="moves")
    op.drop_index("ix_moves_moved_by_id_moved_at_id", table_name="moves")
    op.drop_index("ix_moves_moved_at_id", table_name="moves")
    op.drop_index("ix_moves_entity_to_value_moved_at", table_name="moves")
    op.drop_index(
        "ix_moves_customer_id_moved_at_id", table_name="moves", postgresql_where=sa.text("customer_id IS NOT NULL")
    )
    op.drop_table("moves")
    op.execute("drop function hub_unfollow_subjects(regclass)")
    op.execute("drop function hub_follow_subject(regclass, regclass)")
    op.execute("drop function hub_move_followers()")
    op.execute("drop function hub_delete_followers()")
