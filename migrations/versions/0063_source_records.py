"""What each source says of customers, policies that choose among sources, the source of keys, and splits of customers.

A trigger records what new customers are said to be; the customers that there are get a record of an unknown source, one
statement for all: about two seconds for 100,000. `jobs` is locked ACCESS EXCLUSIVE until the transaction ends."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0063"
down_revision: str | None = "0062"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


JOB_TYPES = ("IMPORT", "IMPORT_UNDO", "EXPORT", "MERGE")
FIELDS = ("kind", "name", "born_on", "country", "language", "currency")
NAMES = {"born_on": "bornOn"}
# A default is nobody's word. Strips nulls of the object alone: those in arrays are values.
_PAIRS = ", ".join(
    f"'{NAMES.get(name, name)}', case when n.{name} is not null then jsonb_build_array(n.{name}, {{stamp}}) end"
    for name in FIELDS
    if name != "kind"
)
FACTS = f"""jsonb_strip_nulls(jsonb_build_object({_PAIRS},
    'kind', case when n.kind <> 'PERSON' then jsonb_build_array(n.kind, {{stamp}}) end
)) || coalesce((
    select jsonb_object_agg('attributes.' || key, jsonb_build_array(value, {{stamp}})) from jsonb_each(n.attributes)
), '{{empty}}')"""
RECORD = """
create function hub_record_sources() returns trigger
language plpgsql as $$
declare
    source text := coalesce(nullif(current_setting('hub.source', true), ''), 'unknown');
begin
    if source <> '-' then
        insert into source_records (customer_id, source, facts, observed_at, created_at, updated_at)
        select n.id, source, {facts}, n.updated_at, n.updated_at, n.updated_at from inserted as n;
    end if;
    return null;
end
$$
"""
TRIGGER = """
create trigger record_sources after insert on customers referencing new table as inserted
for each statement execute function hub_record_sources()
"""
BACKFILL = """
insert into source_records (customer_id, source, facts, observed_at, created_at, updated_at)
select n.id, 'unknown', {facts}, n.updated_at, n.updated_at, n.updated_at from customers as n
"""


def _facts() -> str:
    return FACTS.format(stamp="(n.updated_at at time zone 'UTC')", empty="{}")


def _allow_job_types(*types: str) -> None:
    op.execute("alter table jobs drop constraint ck_jobs_jobtype")
    listed = ", ".join(f"'{name}'" for name in types)
    op.execute(f"alter table jobs add constraint ck_jobs_jobtype check (type in ({listed}))")


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    _allow_job_types(*JOB_TYPES, "SURVIVORSHIP")
    op.create_table(
        "survivorship_policies",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and permanent."),
        sa.Column("field", sa.Text(), nullable=False, comment="Name of the field of customers: `name`, `bornOn`."),
        sa.Column(
            "criteria",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="Criteria in the order in which they decide; what they leave open, the latest word decides.",
        ),
        sa.Column(
            "trusted_sources",
            postgresql.ARRAY(sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="Sources for SOURCE_TRUST, the most trusted first.",
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
        sa.PrimaryKeyConstraint("id", name=op.f("pk_survivorship_policies")),
        sa.UniqueConstraint("field", name=op.f("uq_survivorship_policies_field")),
        comment="How the value of one field is chosen among those of several sources. Without one, the last value counts.",
    )
    op.execute("select hub_capture('survivorship_policies')")
    op.create_index("ix_survivorship_policies_field_id", "survivorship_policies", ["field", "id"], unique=False)
    op.create_index(
        "ix_survivorship_policies_updated_at_id", "survivorship_policies", ["updated_at", "id"], unique=False
    )
    op.create_table(
        "source_records",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and permanent."),
        sa.Column("customer_id", sa.Uuid(), nullable=False, comment="The customer."),
        sa.Column(
            "source",
            sa.Text(),
            nullable=False,
            comment="The source: of a key, of an import, of `identify`; `manual` for people, `api` for keys without one.",
        ),
        sa.Column(
            "facts",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="By field, the value and when the source said it last; `Customer.fieldSources` shows them field by field.",
        ),
        sa.Column(
            "observed_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="Time at which the source last said something.",
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
        sa.CheckConstraint("jsonb_typeof(facts) = 'object'", name=op.f("ck_source_records_facts_are_an_object")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_source_records_customer_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source_records")),
        sa.UniqueConstraint("customer_id", "source", name=op.f("uq_source_records_customer_id_source")),
        comment="What a source says of a customer: a system, or a person (`manual`).",
    )
    op.create_index(
        "ix_source_records_customer_id_source_id", "source_records", ["customer_id", "source", "id"], unique=False
    )
    op.create_index("ix_source_records_source_id", "source_records", ["source", "id"], unique=False)
    op.execute(RECORD.format(facts=_facts()))
    op.execute(TRIGGER)
    op.execute(BACKFILL.format(facts=_facts()))
    op.add_column(
        "api_keys",
        sa.Column(
            "source",
            sa.Text(),
            nullable=True,
            comment="The system that it is for, which says what the key writes; `manual` without one for people, else `api`.",
        ),
    )
    op.execute("select hub_capture('api_keys')")
    op.add_column(
        "merges",
        sa.Column(
            "type",
            sa.Enum("MERGE", "SPLIT", name="mergetype", native_enum=False, create_constraint=True, length=32),
            server_default=sa.text("'MERGE'"),
            nullable=False,
            comment="Whether two became one, or one became two.",
        ),
    )
    op.create_table_comment(
        "merges",
        "A customer who became part of another one, whose id leads there; or one who was parted from another one.",
        existing_comment="A customer who became part of another one. The former's id leads to the latter.",
        schema=None,
    )
    op.execute("select hub_capture('merges')")


def downgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.execute("delete from jobs where type = 'SURVIVORSHIP'")
    _allow_job_types(*JOB_TYPES)
    op.execute("drop trigger record_sources on customers")
    op.execute("drop function hub_record_sources()")
    op.execute("delete from merges where type = 'SPLIT'")
    op.create_table_comment(
        "merges",
        "A customer who became part of another one. The former's id leads to the latter.",
        schema=None,
    )
    op.drop_column("merges", "type")
    op.execute("select hub_capture('merges')")
    op.drop_column("api_keys", "source")
    op.execute("select hub_capture('api_keys')")
    op.drop_index("ix_source_records_source_id", table_name="source_records")
    op.drop_index("ix_source_records_customer_id_source_id", table_name="source_records")
    op.drop_table("source_records")
    op.drop_index("ix_survivorship_policies_updated_at_id", table_name="survivorship_policies")
    op.drop_index("ix_survivorship_policies_field_id", table_name="survivorship_policies")
    op.drop_table("survivorship_policies")
