"""Credentials of members of staff, and dual control of values.

Creates tables and the extension btree_gist, adds columns to customers without rewriting it, and checks them there. Locks
customers in ACCESS EXCLUSIVE mode meanwhile, and staff and org_units in SHARE ROW EXCLUSIVE mode."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0038"
down_revision: str | None = "0037"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


# A person has one grade at a time.
ONE_GRADE = """
alter table credentials add constraint ex_credentials_one_grade
exclude using gist (staff_id with =, tstzrange(valid_from, least(valid_until, ended_at)) with &&) where (type = 'GRADE')
"""


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.create_table(
        "credentials",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and permanent."),
        sa.Column("staff_id", sa.Uuid(), nullable=False, comment="The person who has it."),
        sa.Column(
            "type",
            sa.Enum(
                "GRADE",
                "CERTIFICATE",
                "AUTHORITY",
                name="credentialtype",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
            comment="Type of the credential.",
        ),
        sa.Column(
            "code",
            sa.Text(),
            nullable=False,
            comment="Code of the grade, the certificate, or of what may be decided: `LOAN`.",
        ),
        sa.Column("level", sa.Integer(), nullable=True, comment="Level of the grade, 0 or more."),
        sa.Column("step", sa.Integer(), nullable=True, comment="Step within the level, 0 or more."),
        sa.Column(
            "limit",
            sa.Numeric(precision=18, scale=4),
            nullable=True,
            comment="Greatest amount that may be decided; empty: only what has no amount.",
        ),
        sa.Column("currency", sa.Text(), nullable=True, comment="ISO 4217 code of the limit's currency."),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False, comment="First moment at which it counts."),
        sa.Column(
            "valid_until",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Moment from which it no longer counts; empty for no end.",
        ),
        sa.Column(
            "ended_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Moment from which it no longer counts because it was ended.",
        ),
        sa.Column("reason", sa.Text(), nullable=True, comment="Reason of its end, in one line."),
        sa.Column(
            "evidence",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="Proof as a JSON object: numbers of documents, results.",
        ),
        sa.Column(
            "announced_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Time when its end was announced to the person and the head of the unit, 30 days before.",
        ),
        sa.Column("granted_by_id", sa.Uuid(), nullable=True, comment="The person who granted it; empty for a system."),
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
        sa.CheckConstraint('"limit" >= 0', name=op.f("ck_credentials_limit_is_not_negative")),
        sa.CheckConstraint(
            "\"limit\" is null or type = 'AUTHORITY'", name=op.f("ck_credentials_limit_is_of_an_authority")
        ),
        sa.CheckConstraint(
            '(currency is null) = ("limit" is null)', name=op.f("ck_credentials_currency_stands_beside_a_limit")
        ),
        sa.CheckConstraint(
            "ended_at >= valid_from and ended_at <= coalesce(valid_until, ended_at)",
            name=op.f("ck_credentials_ended_at_is_within_the_term"),
        ),
        sa.CheckConstraint("level >= 0", name=op.f("ck_credentials_level_is_not_negative")),
        sa.CheckConstraint("step >= 0", name=op.f("ck_credentials_step_is_not_negative")),
        sa.CheckConstraint("valid_until > valid_from", name=op.f("ck_credentials_valid_until_comes_later")),
        sa.ForeignKeyConstraint(
            ["granted_by_id"], ["staff.id"], name=op.f("fk_credentials_granted_by_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_credentials_staff_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credentials")),
        comment="What a member of staff is or may decide. It counts from `validFrom` to `validUntil`, or until it is ended.",
    )
    op.execute("create extension if not exists btree_gist with schema public")
    op.execute(ONE_GRADE)
    op.execute("select hub_capture('credentials')")
    op.create_index(
        "ix_credentials_authority",
        "credentials",
        ["staff_id", "code"],
        unique=False,
        postgresql_where=sa.text("type = 'AUTHORITY'"),
    )
    op.create_index(
        "ix_credentials_expiring",
        "credentials",
        ["valid_until"],
        unique=False,
        postgresql_where=sa.text("announced_at is null and ended_at is null"),
    )
    op.create_index(
        "ix_credentials_staff_id_valid_from_id", "credentials", ["staff_id", "valid_from", "id"], unique=False
    )
    op.create_index("ix_credentials_updated_at_id", "credentials", ["updated_at", "id"], unique=False)
    op.create_index("ix_credentials_valid_from_id", "credentials", ["valid_from", "id"], unique=False)
    op.create_table(
        "verifications",
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
        sa.Column("row_id", sa.Uuid(), nullable=False, comment="The row whose values they are."),
        sa.Column("columns", postgresql.ARRAY(sa.Text()), nullable=False, comment="Names of the fields."),
        sa.Column("row_version", sa.Integer(), nullable=False, comment="Version of the row in which the values stand."),
        sa.Column(
            "status",
            sa.Enum(
                "PENDING",
                "CONFIRMED",
                "REFUTED",
                "STALE",
                name="verificationstatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            server_default=sa.text("'PENDING'"),
            nullable=False,
            comment="What became of it.",
        ),
        sa.Column("claimed_by_id", sa.Uuid(), nullable=False, comment="The person who wrote the values."),
        sa.Column(
            "claimed_at", sa.DateTime(timezone=True), nullable=False, comment="Time when the values were written."
        ),
        sa.Column("claimed_with", sa.Text(), nullable=False, comment="The key with which they were written."),
        sa.Column(
            "digest", sa.Text(), nullable=False, comment="Hash of the values, by which a change beside the hub is seen."
        ),
        sa.Column(
            "evidence",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="The claimant's proof, as a JSON object.",
        ),
        sa.Column("verified_by_id", sa.Uuid(), nullable=True, comment="The person who confirmed or refuted them."),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True, comment="Time when the person did."),
        sa.Column("note", sa.Text(), nullable=True, comment="The person's reason, in one line; a refutation has one."),
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
        sa.CheckConstraint(
            "(status in ('CONFIRMED', 'REFUTED')) = (verified_by_id is not null)",
            name=op.f("ck_verifications_status_has_a_person"),
        ),
        sa.CheckConstraint(
            "(verified_at is null) = (verified_by_id is null)",
            name=op.f("ck_verifications_verified_at_stands_beside_the_person"),
        ),
        sa.CheckConstraint("claimed_by_id <> verified_by_id", name=op.f("ck_verifications_claimed_by_another_person")),
        sa.CheckConstraint(
            "customer_id is null or unit_id is not null", name=op.f("ck_verifications_a_customer_has_a_unit")
        ),
        sa.ForeignKeyConstraint(["claimed_by_id"], ["staff.id"], name=op.f("fk_verifications_claimed_by_id")),
        sa.ForeignKeyConstraint(
            ["customer_id", "unit_id"],
            ["customers.id", "customers.unit_id"],
            name=op.f("fk_verifications_customer_id_unit_id"),
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_verifications_staff_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["unit_id"], ["org_units.id"], name=op.f("fk_verifications_unit_id")),
        sa.ForeignKeyConstraint(["verified_by_id"], ["staff.id"], name=op.f("fk_verifications_verified_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verifications")),
        comment="Values of a row that a person wrote and another person must confirm.",
    )
    op.execute("select hub_capture('verifications')")
    op.create_index("ix_verifications_claimed_at_id", "verifications", ["claimed_at", "id"], unique=False)
    op.create_index(
        "ix_verifications_customer_id_claimed_at_id",
        "verifications",
        ["customer_id", "claimed_at", "id"],
        unique=False,
        postgresql_where=sa.text("customer_id IS NOT NULL"),
    )
    op.create_index(
        "ix_verifications_row_id_claimed_at_id", "verifications", ["row_id", "claimed_at", "id"], unique=False
    )
    op.create_index(
        "ix_verifications_staff_id_claimed_at_id",
        "verifications",
        ["staff_id", "claimed_at", "id"],
        unique=False,
        postgresql_where=sa.text("staff_id IS NOT NULL"),
    )
    op.create_index(
        "ix_verifications_unit_id_claimed_at_id",
        "verifications",
        ["unit_id", "claimed_at", "id"],
        unique=False,
        postgresql_where=sa.text("unit_id IS NOT NULL"),
    )
    op.create_index("ix_verifications_updated_at_id", "verifications", ["updated_at", "id"], unique=False)
    op.add_column(
        "customers",
        sa.Column(
            "annual_revenue",
            sa.Numeric(precision=18, scale=4),
            nullable=True,
            comment="What the customer sells in a year; another person must confirm what one person writes.",
        ),
    )
    op.add_column(
        "customers",
        sa.Column(
            "annual_revenue_currency",
            sa.Text(),
            nullable=True,
            comment="ISO 4217 code of the currency of the annual revenue.",
        ),
    )
    op.add_column(
        "customers",
        sa.Column(
            "unverified",
            postgresql.ARRAY(sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="Fields whose values another person must still confirm, or has refuted.",
        ),
    )
    op.create_check_constraint(
        op.f("ck_customers_annual_revenue_stands_beside_its_currency"),
        "customers",
        "(annual_revenue is null) = (annual_revenue_currency is null)",
    )
    op.execute("select hub_capture('customers')")
    op.execute("select hub_follow_subject('customers', 'verifications')")
    op.execute("select hub_follow_subject('verifications', 'clocks')")
    op.execute("select hub_follow_subject('verifications', 'notifications')")
    op.execute("select hub_follow_subject('credentials', 'notifications')")
    op.create_table(
        "disclosure_limits",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and permanent."),
        sa.Column(
            "type",
            sa.Enum(
                "GIFT_RECEIVED",
                "GIFT_GIVEN",
                "HOSPITALITY",
                "OUTSIDE_INTEREST",
                name="disclosuretype",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
            comment="The disclosures that it is about.",
        ),
        sa.Column(
            "per_person", sa.Numeric(precision=18, scale=4), nullable=False, comment="Greatest value for each person."
        ),
        sa.Column("currency", sa.Text(), nullable=False, comment="ISO 4217 code of its currency."),
        sa.Column(
            "valid_from", sa.Date(), nullable=False, comment="First day on which it holds, until the next one does."
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
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_disclosure_limits_currency_is_a_code")),
        sa.CheckConstraint("per_person >= 0", name=op.f("ck_disclosure_limits_per_person_is_not_negative")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disclosure_limits")),
        sa.UniqueConstraint(
            "type", "currency", "valid_from", name=op.f("uq_disclosure_limits_type_currency_valid_from")
        ),
        comment="Greatest value for each person that may be given, or received without being handed in, from a day on.",
    )
    op.execute("select hub_capture('disclosure_limits')")
    op.create_index("ix_disclosure_limits_updated_at_id", "disclosure_limits", ["updated_at", "id"], unique=False)
    op.create_index("ix_disclosure_limits_valid_from_id", "disclosure_limits", ["valid_from", "id"], unique=False)
    op.create_table(
        "claims",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and permanent."),
        sa.Column("staff_id", sa.Uuid(), nullable=False, comment="The person who claims it."),
        sa.Column("unit_id", sa.Uuid(), nullable=False, comment="The person's unit at that time."),
        sa.Column(
            "metric",
            sa.Text(),
            nullable=False,
            comment="What is measured, in small words joined by dots: `deposits.new`.",
        ),
        sa.Column(
            "amount",
            sa.Numeric(precision=18, scale=4),
            nullable=False,
            comment="How much of it; its unit is the metric's.",
        ),
        sa.Column("occurred_on", sa.Date(), nullable=False, comment="Day on which it was achieved."),
        sa.Column("note", sa.Text(), nullable=True, comment="Remark, in one line."),
        sa.Column(
            "counts",
            sa.Boolean(),
            sa.Computed("unverified = '{}'", persisted=True),
            nullable=False,
            comment="Whether another person has confirmed it.",
        ),
        sa.Column(
            "unverified",
            postgresql.ARRAY(sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="Fields whose values another person must still confirm, or has refuted.",
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
        sa.CheckConstraint("amount <> 0", name=op.f("ck_claims_amount_is_not_zero")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_claims_staff_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["unit_id"], ["org_units.id"], name=op.f("fk_claims_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_claims")),
        comment="An achievement that a member of staff claims: it counts once another person confirms it.",
    )
    op.execute("select hub_capture('claims')")
    op.create_index("ix_claims_created_at_id", "claims", ["created_at", "id"], unique=False)
    op.create_index("ix_claims_occurred_on_id", "claims", ["occurred_on", "id"], unique=False)
    op.create_index("ix_claims_staff_id_occurred_on_id", "claims", ["staff_id", "occurred_on", "id"], unique=False)
    op.create_index("ix_claims_unit_id_occurred_on_id", "claims", ["unit_id", "occurred_on", "id"], unique=False)
    op.create_index("ix_claims_updated_at_id", "claims", ["updated_at", "id"], unique=False)
    op.create_table(
        "disclosures",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and permanent."),
        sa.Column("staff_id", sa.Uuid(), nullable=False, comment="The person who declares it."),
        sa.Column("unit_id", sa.Uuid(), nullable=False, comment="The person's unit at that time."),
        sa.Column("customer_id", sa.Uuid(), nullable=True, comment="The customer whom it has to do with."),
        sa.Column(
            "type",
            sa.Enum(
                "GIFT_RECEIVED",
                "GIFT_GIVEN",
                "HOSPITALITY",
                "OUTSIDE_INTEREST",
                name="disclosuretype",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
            comment="Type of the disclosure.",
        ),
        sa.Column(
            "status",
            sa.Enum(
                "DECLARED",
                "ORDERED",
                "HANDED_IN",
                "VIOLATION",
                "CLEARED",
                name="disclosurestatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            server_default=sa.text("'DECLARED'"),
            nullable=False,
            comment="What became of it.",
        ),
        sa.Column(
            "counterparty",
            sa.Text(),
            nullable=False,
            comment="Who gave it, received it or was entertained, in one line.",
        ),
        sa.Column("matter", sa.Text(), nullable=False, comment="The gift, the occasion or the interest, in one line."),
        sa.Column(
            "value", sa.Numeric(precision=18, scale=4), nullable=False, comment="Its value, for all persons together."
        ),
        sa.Column("currency", sa.Text(), nullable=False, comment="ISO 4217 code of the value's currency."),
        sa.Column("persons", sa.Integer(), nullable=True, comment="How many persons shared it; hospitality says so."),
        sa.Column(
            "per_person",
            sa.Numeric(precision=18, scale=4),
            sa.Computed("round(value / persons, 4)", persisted=True),
            nullable=True,
            comment="The value for each person, rounded to four decimals.",
        ),
        sa.Column("occurred_on", sa.Date(), nullable=False, comment="Day on which it happened."),
        sa.Column("declared_at", sa.DateTime(timezone=True), nullable=False, comment="Time of the declaration."),
        sa.Column(
            "hand_in_due_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Time until which it must be handed in; empty if it need not be, or no policy says by when.",
        ),
        sa.Column("lapses_at", sa.DateTime(timezone=True), nullable=True, comment="First moment after that time."),
        sa.Column(
            "handed_in_at", sa.DateTime(timezone=True), nullable=True, comment="Time when the person handed it in."
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
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_disclosures_currency_is_a_code")),
        sa.CheckConstraint("persons > 0", name=op.f("ck_disclosures_persons_are_counted")),
        sa.CheckConstraint("value >= 0", name=op.f("ck_disclosures_value_is_not_negative")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_disclosures_customer_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_disclosures_staff_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["unit_id"], ["org_units.id"], name=op.f("fk_disclosures_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disclosures")),
        comment="Something that a member of staff received, gave or has, and must declare.",
    )
    op.execute("select hub_capture('disclosures')")
    op.create_index("ix_disclosures_declared_at_id", "disclosures", ["declared_at", "id"], unique=False)
    op.create_index(
        "ix_disclosures_lapses_at",
        "disclosures",
        ["lapses_at"],
        unique=False,
        postgresql_where=sa.text("status in ('DECLARED', 'ORDERED') and lapses_at is not null"),
    )
    op.create_index(
        "ix_disclosures_staff_id_declared_at_id", "disclosures", ["staff_id", "declared_at", "id"], unique=False
    )
    op.create_index(
        "ix_disclosures_unit_id_declared_at_id", "disclosures", ["unit_id", "declared_at", "id"], unique=False
    )
    op.create_index("ix_disclosures_updated_at_id", "disclosures", ["updated_at", "id"], unique=False)
    op.execute("select hub_follow_subject('disclosures', 'clocks')")
    op.execute("select hub_follow_subject('disclosures', 'notifications')")
    op.execute("select hub_follow_subject('disclosures', 'moves')")
    op.execute("select hub_follow_subject('claims', 'verifications')")


def downgrade() -> None:
    op.execute("select hub_unfollow_subjects('verifications')")
    op.drop_index("ix_disclosures_updated_at_id", table_name="disclosures")
    op.drop_index("ix_disclosures_unit_id_declared_at_id", table_name="disclosures")
    op.drop_index("ix_disclosures_staff_id_declared_at_id", table_name="disclosures")
    op.drop_index(
        "ix_disclosures_lapses_at",
        table_name="disclosures",
        postgresql_where=sa.text("status in ('DECLARED', 'ORDERED') and lapses_at is not null"),
    )
    op.drop_index("ix_disclosures_declared_at_id", table_name="disclosures")
    op.drop_table("disclosures")
    op.drop_index("ix_claims_updated_at_id", table_name="claims")
    op.drop_index("ix_claims_unit_id_occurred_on_id", table_name="claims")
    op.drop_index("ix_claims_staff_id_occurred_on_id", table_name="claims")
    op.drop_index("ix_claims_occurred_on_id", table_name="claims")
    op.drop_index("ix_claims_created_at_id", table_name="claims")
    op.drop_table("claims")
    op.drop_index("ix_disclosure_limits_valid_from_id", table_name="disclosure_limits")
    op.drop_index("ix_disclosure_limits_updated_at_id", table_name="disclosure_limits")
    op.drop_table("disclosure_limits")
    op.drop_column("customers", "unverified")
    op.drop_column("customers", "annual_revenue_currency")
    op.drop_column("customers", "annual_revenue")
    op.execute("select hub_capture('customers')")
    op.drop_index("ix_verifications_updated_at_id", table_name="verifications")
    op.drop_index(
        "ix_verifications_unit_id_claimed_at_id",
        table_name="verifications",
        postgresql_where=sa.text("unit_id IS NOT NULL"),
    )
    op.drop_index(
        "ix_verifications_staff_id_claimed_at_id",
        table_name="verifications",
        postgresql_where=sa.text("staff_id IS NOT NULL"),
    )
    op.drop_index("ix_verifications_row_id_claimed_at_id", table_name="verifications")
    op.drop_index(
        "ix_verifications_customer_id_claimed_at_id",
        table_name="verifications",
        postgresql_where=sa.text("customer_id IS NOT NULL"),
    )
    op.drop_index("ix_verifications_claimed_at_id", table_name="verifications")
    op.drop_table("verifications")
    op.drop_index("ix_credentials_valid_from_id", table_name="credentials")
    op.drop_index("ix_credentials_updated_at_id", table_name="credentials")
    op.drop_index("ix_credentials_staff_id_valid_from_id", table_name="credentials")
    op.drop_index(
        "ix_credentials_expiring",
        table_name="credentials",
        postgresql_where=sa.text("announced_at is null and ended_at is null"),
    )
    op.drop_index("ix_credentials_authority", table_name="credentials", postgresql_where=sa.text("type = 'AUTHORITY'"))
    op.drop_table("credentials")
