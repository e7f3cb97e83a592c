"""Merges of customers: the merges, their ledger, and the redirects of merged ids.

Creates three tables, and an empty column of customers, which rewrites no row. `customers` and `jobs` are locked ACCESS EXCLUSIVE
until the transaction ends; the rows of `jobs` are checked."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0061"
down_revision: str | None = "0060"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


JOB_TYPES = ("IMPORT", "IMPORT_UNDO", "EXPORT")
# As in 0033; what moves very many rows also moves those about them, and says so by `hub.follow`.
FOLLOW = """
create or replace function hub_move_followers() returns trigger
language plpgsql as $$
declare
    before jsonb := to_jsonb(old);
    after jsonb := to_jsonb(new);
    name text;
    former uuid;
    owner uuid;
begin
{unless}    if before -> 'customer_id' is distinct from after -> 'customer_id' then
        owner := (after ->> 'customer_id')::uuid;
        execute format('update %I set customer_id = $2, unit_id = (select unit_id from customers where id = $2)'
            ' where row_id = $1 and audience <> ''PERSON''', tg_argv[0]) using new.id, owner;
    end if;
    foreach name in array array['unit_id', 'staff_id'] loop
        former := (before ->> name)::uuid;
        owner := (after ->> name)::uuid;
        if owner is distinct from former then
            execute format('update %1$I set %2$I = $2 where row_id = $1 and %2$I is not distinct from $3'
                ' and (%2$L <> ''unit_id'' or customer_id is null)', tg_argv[0], name) using new.id, owner, former;
        end if;
    end loop;
    return null;
end
$$
"""
UNLESS = """    if current_setting('hub.follow', true) = 'off' then
        return null;
    end if;
"""


def _allow_job_types(*types: str) -> None:
    op.execute("alter table jobs drop constraint ck_jobs_jobtype")
    listed = ", ".join(f"'{name}'" for name in types)
    op.execute(f"alter table jobs add constraint ck_jobs_jobtype check (type in ({listed}))")


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute(FOLLOW.format(unless=UNLESS))
    op.add_column(
        "customers",
        sa.Column(
            "former_ids",
            postgresql.ARRAY(sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="Ids of customers who were merged into this one; each leads here.",
        ),
    )
    op.execute("select hub_capture('customers')")
    _allow_job_types(*JOB_TYPES, "MERGE")
    op.create_table(
        "merges",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and permanent."),
        sa.Column("customer_id", sa.Uuid(), nullable=False, comment="The customer who has the rows now."),
        sa.Column("survivor_key", sa.Uuid(), nullable=False, comment="The customer who stayed."),
        sa.Column("merged_key", sa.Uuid(), nullable=False, comment="The customer who became part."),
        sa.Column(
            "survivor_id",
            sa.Text(),
            sa.Computed("'cus_' || replace(survivor_key::text, '-', '')", persisted=True),
            nullable=False,
            comment="Id of the customer who stayed, as it was then: later merges do not change it.",
        ),
        sa.Column(
            "merged_id",
            sa.Text(),
            sa.Computed("'cus_' || replace(merged_key::text, '-', '')", persisted=True),
            nullable=False,
            comment="Id of the customer who became part of the other one; it leads to whoever has the rows now.",
        ),
        sa.Column(
            "status",
            sa.Enum("DONE", "UNDONE", name="mergestatus", native_enum=False, create_constraint=True, length=32),
            server_default=sa.text("'DONE'"),
            nullable=False,
            comment="Whether it stands.",
        ),
        sa.Column("merged_at", sa.DateTime(timezone=True), nullable=False, comment="When the two became one."),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True, comment="When it was undone."),
        sa.Column("undo_until", sa.DateTime(timezone=True), nullable=False, comment="Until when it can be undone."),
        sa.Column(
            "choices",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="Fields for which somebody chose whose value stays: SURVIVOR or MERGED, by name.",
        ),
        sa.Column("rows", sa.Integer(), server_default=sa.text("0"), nullable=False, comment="Rows that it touched."),
        sa.Column(
            "merged_by_id", sa.Uuid(), nullable=True, comment="The person who did it, if one was behind the key."
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
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_merges_customer_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["merged_by_id"], ["staff.id"], name=op.f("fk_merges_merged_by_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_merges")),
        comment="A customer who became part of another one. The former's id leads to the latter.",
    )
    op.execute("select hub_capture('merges')")
    op.create_index("ix_merges_customer_id_merged_at_id", "merges", ["customer_id", "merged_at", "id"], unique=False)
    op.create_index("ix_merges_merged_at_id", "merges", ["merged_at", "id"], unique=False)
    op.create_index("ix_merges_merged_key", "merges", ["merged_key"], unique=False)
    op.create_index("ix_merges_survivor_key", "merges", ["survivor_key"], unique=False)
    op.create_index("ix_merges_updated_at_id", "merges", ["updated_at", "id"], unique=False)
    op.create_table(
        "merge_rows",
        sa.Column(
            "ordinal", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="The order of the steps."
        ),
        sa.Column("merge_id", sa.Uuid(), nullable=False, comment="The merge or split."),
        sa.Column("table_name", sa.Text(), nullable=False, comment="The row's table."),
        sa.Column("row_id", sa.Uuid(), nullable=False, comment="The row."),
        sa.Column("action", sa.Text(), nullable=False, comment="MOVED, CHANGED or DROPPED."),
        sa.Column("row_version", sa.Integer(), nullable=False, comment="The row's version after it."),
        sa.Column(
            "before",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="The columns that changed as they were; of a dropped row, all.",
        ),
        sa.Column(
            "after",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="The columns that changed as they became.",
        ),
        sa.ForeignKeyConstraint(["merge_id"], ["merges.id"], name=op.f("fk_merge_rows_merge_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("ordinal", name=op.f("pk_merge_rows")),
        comment="Rows that merges and splits touched. They are deleted once nothing can be undone any more.",
    )
    op.create_index(
        "ix_merge_rows_merge_id_table_name_row_id", "merge_rows", ["merge_id", "table_name", "row_id"], unique=False
    )
    op.create_table(
        "customer_redirects",
        sa.Column("merged_id", sa.Uuid(), nullable=False, comment="The key of a customer who was merged."),
        sa.Column("customer_id", sa.Uuid(), nullable=False, comment="The customer who has the rows now."),
        sa.Column("merge_id", sa.Uuid(), nullable=False, comment="The merge that made it."),
        sa.Column("merged_at", sa.DateTime(timezone=True), nullable=False, comment="When the customer was merged."),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_customer_redirects_customer_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["merge_id"], ["merges.id"], name=op.f("fk_customer_redirects_merge_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("merged_id", name=op.f("pk_customer_redirects")),
        comment="Former ids of customers, and whom they lead to.",
    )
    op.create_index("ix_customer_redirects_customer_id", "customer_redirects", ["customer_id"], unique=False)
    op.create_index("ix_customer_redirects_merge_id", "customer_redirects", ["merge_id"], unique=False)


def downgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.drop_index("ix_customer_redirects_merge_id", table_name="customer_redirects")
    op.drop_index("ix_customer_redirects_customer_id", table_name="customer_redirects")
    op.drop_table("customer_redirects")
    op.drop_index("ix_merge_rows_merge_id_table_name_row_id", table_name="merge_rows")
    op.drop_table("merge_rows")
    op.drop_index("ix_merges_updated_at_id", table_name="merges")
    op.drop_index("ix_merges_survivor_key", table_name="merges")
    op.drop_index("ix_merges_merged_key", table_name="merges")
    op.drop_index("ix_merges_merged_at_id", table_name="merges")
    op.drop_index("ix_merges_customer_id_merged_at_id", table_name="merges")
    op.drop_table("merges")
    op.execute(FOLLOW.format(unless=""))
    op.drop_column("customers", "former_ids")
    op.execute("select hub_capture('customers')")
    op.execute("delete from jobs where type = 'MERGE'")
    _allow_job_types(*JOB_TYPES)
