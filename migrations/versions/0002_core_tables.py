"""Core tables."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from hub.model.columns import Ltree

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "org_units",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and for ever."),
        sa.Column("code", sa.Text(), nullable=False, comment="Short unique name, the last label of the path."),
        sa.Column("name", sa.Text(), nullable=False, comment="What people call the unit."),
        sa.Column(
            "kind",
            sa.Enum(
                "GROUP",
                "COMPANY",
                "BRANCH",
                "OUTLET",
                name="unitkind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
            comment="Level in the tree.",
        ),
        sa.Column("parent_id", sa.Uuid(), nullable=True, comment="The unit above; empty for the root."),
        sa.Column("path", Ltree(), nullable=False, comment="Codes from the root to the unit, joined by dots."),
        sa.Column(
            "version",
            sa.Integer(),
            server_default=sa.text("1"),
            nullable=False,
            comment="Counts the row's edits, from 1; an update may name the version that it saw.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the row was first stored.",
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the row last changed.",
        ),
        sa.CheckConstraint("code ~ '^[A-Za-z0-9_]+$'", name=op.f("ck_org_units_code_is_a_label")),
        sa.CheckConstraint("(parent_id is null) = (nlevel(path) = 1)", name=op.f("ck_org_units_root_has_no_parent")),
        sa.CheckConstraint("subpath(path, -1) = code::ltree", name=op.f("ck_org_units_path_ends_in_code")),
        sa.ForeignKeyConstraint(["parent_id"], ["org_units.id"], name=op.f("fk_org_units_parent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_org_units")),
        sa.UniqueConstraint("code", name=op.f("uq_org_units_code")),
        comment="A unit of the organisation: group, company, branch or outlet.",
    )
    op.create_index("ix_org_units_name_id", "org_units", ["name", "id"], unique=False)
    op.create_index("ix_org_units_parent_id_name_id", "org_units", ["parent_id", "name", "id"], unique=False)
    op.create_index("ix_org_units_path", "org_units", ["path"], unique=False, postgresql_using="gist")
    op.create_index("uq_org_units_path", "org_units", ["path"], unique=True)
    op.create_table(
        "products",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and for ever."),
        sa.Column("sku", sa.Text(), nullable=False, comment="Stock-keeping unit, the product's number."),
        sa.Column("name", sa.Text(), nullable=False, comment="Name on the price list."),
        sa.Column("category", sa.Text(), nullable=False, comment="Group of the assortment."),
        sa.Column("packaging", sa.Text(), nullable=True, comment="What one unit holds."),
        sa.Column("unit_price", sa.Numeric(precision=18, scale=4), nullable=False, comment="List price of one unit."),
        sa.Column("currency", sa.Text(), nullable=False, comment="ISO 4217 code of the price's currency."),
        sa.Column(
            "discontinued", sa.Boolean(), server_default=sa.text("false"), nullable=False, comment="No longer sold."
        ),
        sa.Column(
            "search_text",
            sa.Text(),
            sa.Computed("hub_fold(coalesce(name, '') || ' ' || coalesce(category, ''))", persisted=True),
            nullable=False,
            comment="Folded text that `search` looks in; made by the database.",
        ),
        sa.Column(
            "version",
            sa.Integer(),
            server_default=sa.text("1"),
            nullable=False,
            comment="Counts the row's edits, from 1; an update may name the version that it saw.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the row was first stored.",
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the row last changed.",
        ),
        sa.CheckConstraint("unit_price >= 0", name=op.f("ck_products_unit_price_is_not_negative")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_products")),
        sa.UniqueConstraint("sku", name=op.f("uq_products_sku")),
        comment="A thing on the price list.",
    )
    op.create_index("ix_products_name_id", "products", ["name", "id"], unique=False)
    op.create_index(
        "ix_products_search_text",
        "products",
        ["search_text"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"search_text": "gin_trgm_ops"},
    )
    op.create_index("ix_products_unit_price_id", "products", ["unit_price", "id"], unique=False)
    op.create_table(
        "secrets",
        sa.Column("name", sa.Text(), nullable=False, comment="What the secret is for."),
        sa.Column("value", sa.LargeBinary(), nullable=False, comment="32 random bytes."),
        sa.CheckConstraint("octet_length(value) >= 32", name=op.f("ck_secrets_value_is_long_enough")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_secrets")),
        comment="Secrets of the hub itself. Whoever can read this table can forge cursors, though never rights.",
    )
    op.create_table(
        "staff",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and for ever."),
        sa.Column("number", sa.Text(), nullable=False, comment="Personnel number."),
        sa.Column("name", sa.Text(), nullable=False, comment="Full name."),
        sa.Column("title", sa.Text(), nullable=True, comment="Job title."),
        sa.Column("email", sa.Text(), nullable=True, comment="Address for business mail."),
        sa.Column("hired_on", sa.Date(), nullable=True, comment="First day of work."),
        sa.Column("unit_id", sa.Uuid(), nullable=False, comment="The unit where the person works."),
        sa.Column("reports_to_id", sa.Uuid(), nullable=True, comment="The person's superior."),
        sa.Column(
            "version",
            sa.Integer(),
            server_default=sa.text("1"),
            nullable=False,
            comment="Counts the row's edits, from 1; an update may name the version that it saw.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the row was first stored.",
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the row last changed.",
        ),
        sa.ForeignKeyConstraint(["reports_to_id"], ["staff.id"], name=op.f("fk_staff_reports_to_id")),
        sa.ForeignKeyConstraint(["unit_id"], ["org_units.id"], name=op.f("fk_staff_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff")),
        sa.UniqueConstraint("number", name=op.f("uq_staff_number")),
        comment="A person of the organisation who may own customers.",
    )
    op.create_index("ix_staff_name_id", "staff", ["name", "id"], unique=False)
    op.create_index("ix_staff_reports_to_id_name_id", "staff", ["reports_to_id", "name", "id"], unique=False)
    op.create_index("ix_staff_unit_id_name_id", "staff", ["unit_id", "name", "id"], unique=False)
    op.create_table(
        "customers",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and for ever."),
        sa.Column(
            "kind",
            sa.Enum(
                "PERSON", "ORGANISATION", name="customerkind", native_enum=False, create_constraint=True, length=32
            ),
            nullable=False,
            comment="A person or an organisation.",
        ),
        sa.Column("name", sa.Text(), nullable=False, comment="Full or company name, as the customer writes it."),
        sa.Column(
            "status",
            sa.Enum(
                "ACTIVE",
                "BLOCKED",
                "CLOSED",
                name="customerstatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
            comment="Whether business may be done.",
        ),
        sa.Column(
            "stage",
            sa.Enum(
                "PROSPECT",
                "QUALIFIED",
                "ACTIVE",
                "LOYAL",
                "DORMANT",
                "LOST",
                name="stage",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
            comment="Where the customer stands in the lifecycle.",
        ),
        sa.Column(
            "tier",
            sa.Enum(
                "STANDARD",
                "SILVER",
                "GOLD",
                "PLATINUM",
                name="tier",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
            comment="The terms that the customer enjoys.",
        ),
        sa.Column("unit_id", sa.Uuid(), nullable=False, comment="The unit that owns the customer; rights follow it."),
        sa.Column("owner_id", sa.Uuid(), nullable=True, comment="The member of staff who looks after the customer."),
        sa.Column("country", sa.Text(), nullable=True, comment="ISO 3166-1 alpha-2 code of the country."),
        sa.Column("language", sa.Text(), nullable=True, comment="ISO 639 code of the language to be used."),
        sa.Column("currency", sa.Text(), nullable=True, comment="ISO 4217 code of the currency to bill in."),
        sa.Column(
            "attributes",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="Free facts as a JSON object, filterable by path.",
        ),
        sa.Column(
            "search_text",
            sa.Text(),
            sa.Computed("hub_fold(coalesce(name, ''))", persisted=True),
            nullable=False,
            comment="Folded text that `search` looks in; made by the database.",
        ),
        sa.Column(
            "version",
            sa.Integer(),
            server_default=sa.text("1"),
            nullable=False,
            comment="Counts the row's edits, from 1; an update may name the version that it saw.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the row was first stored.",
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the row last changed.",
        ),
        sa.CheckConstraint("country ~ '^[A-Z]{2}$'", name=op.f("ck_customers_country_is_a_code")),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_customers_currency_is_a_code")),
        sa.CheckConstraint("jsonb_typeof(attributes) = 'object'", name=op.f("ck_customers_attributes_are_an_object")),
        sa.CheckConstraint("name <> ''", name=op.f("ck_customers_name_is_not_empty")),
        sa.ForeignKeyConstraint(["owner_id"], ["staff.id"], name=op.f("fk_customers_owner_id")),
        sa.ForeignKeyConstraint(["unit_id"], ["org_units.id"], name=op.f("fk_customers_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customers")),
        sa.UniqueConstraint("id", "unit_id", name=op.f("uq_customers_id_unit_id")),
        comment="A person or organisation that the business deals with.",
    )
    op.create_index(
        "ix_customers_country_id", "customers", [sa.literal_column("coalesce(country, '')"), "id"], unique=False
    )
    op.create_index(
        "ix_customers_country_stage_created_at_id",
        "customers",
        ["country", "stage", "created_at", "id"],
        unique=False,
        postgresql_include=["unit_id"],
    )
    op.create_index("ix_customers_created_at_id", "customers", ["created_at", "id"], unique=False)
    op.create_index("ix_customers_name_id", "customers", ["name", "id"], unique=False)
    op.create_index("ix_customers_owner_id_name_id", "customers", ["owner_id", "name", "id"], unique=False)
    op.create_index(
        "ix_customers_search_text",
        "customers",
        ["search_text"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"search_text": "gin_trgm_ops"},
    )
    op.create_index("ix_customers_unit_id_name_id", "customers", ["unit_id", "name", "id"], unique=False)
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and for ever."),
        sa.Column(
            "public_id", sa.Text(), nullable=False, comment="The part of the key that may be shown, logged and named."
        ),
        sa.Column(
            "hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the whole key; the key itself is not kept."
        ),
        sa.Column("name", sa.Text(), nullable=False, comment="What its keeper calls it."),
        sa.Column("role", sa.Text(), nullable=False, comment="What it may do: admin, writer or reader."),
        sa.Column("unit_id", sa.Uuid(), nullable=True, comment="It sees this unit's subtree only."),
        sa.Column("customer_id", sa.Uuid(), nullable=True, comment="It sees this customer only."),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it was issued.",
        ),
        sa.Column(
            "expires_at", sa.DateTime(timezone=True), nullable=True, comment="From when it is refused; empty for never."
        ),
        sa.Column(
            "revoked_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When it was revoked; empty while it lives.",
        ),
        sa.Column(
            "last_used_at", sa.DateTime(timezone=True), nullable=True, comment="When it was last used, to the minute."
        ),
        sa.CheckConstraint("role in ('admin', 'writer', 'reader')", name=op.f("ck_api_keys_role_is_known")),
        sa.CheckConstraint("octet_length(hash) = 32", name=op.f("ck_api_keys_hash_is_sha256")),
        sa.CheckConstraint("unit_id is null or customer_id is null", name=op.f("ck_api_keys_one_binding")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_api_keys_customer_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["unit_id"], ["org_units.id"], name=op.f("fk_api_keys_unit_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("public_id", name=op.f("uq_api_keys_public_id")),
        comment="A key that opens the API. Deleting what it is bound to deletes it: it must never become unbound.",
    )
    op.create_index("ix_api_keys_customer_id", "api_keys", ["customer_id"], unique=False)
    op.create_index("ix_api_keys_unit_id", "api_keys", ["unit_id"], unique=False)
    op.create_table(
        "contacts",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and for ever."),
        sa.Column("customer_id", sa.Uuid(), nullable=False, comment="The customer that the row belongs to."),
        sa.Column("name", sa.Text(), nullable=False, comment="Full name of the person."),
        sa.Column("title", sa.Text(), nullable=True, comment="Job title or role."),
        sa.Column(
            "is_primary", sa.Boolean(), server_default=sa.text("false"), nullable=False, comment="The one to ask first."
        ),
        sa.Column("language", sa.Text(), nullable=True, comment="ISO 639 code of the language to be used."),
        sa.Column(
            "search_text",
            sa.Text(),
            sa.Computed("hub_fold(coalesce(name, '') || ' ' || coalesce(title, ''))", persisted=True),
            nullable=False,
            comment="Folded text that `search` looks in; made by the database.",
        ),
        sa.Column(
            "version",
            sa.Integer(),
            server_default=sa.text("1"),
            nullable=False,
            comment="Counts the row's edits, from 1; an update may name the version that it saw.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the row was first stored.",
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the row last changed.",
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_contacts_customer_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contacts")),
        sa.UniqueConstraint("id", "customer_id", name=op.f("uq_contacts_id_customer_id")),
        comment="A person at or of a customer.",
    )
    op.create_index("ix_contacts_created_at_id", "contacts", ["created_at", "id"], unique=False)
    op.create_index("ix_contacts_customer_id_name_id", "contacts", ["customer_id", "name", "id"], unique=False)
    op.create_index("ix_contacts_name_id", "contacts", ["name", "id"], unique=False)
    op.create_index(
        "ix_contacts_search_text",
        "contacts",
        ["search_text"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"search_text": "gin_trgm_ops"},
    )
    op.create_table(
        "identifiers",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and for ever."),
        sa.Column("customer_id", sa.Uuid(), nullable=False, comment="The customer who is known by it."),
        sa.Column(
            "kind",
            sa.Enum(
                "EXTERNAL_ID",
                "EMAIL",
                "PHONE",
                "FAX",
                "TAX_ID",
                "LOYALTY_ID",
                "DEVICE_ID",
                "ANONYMOUS_ID",
                name="identifierkind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
            comment="What sort of identifier it is.",
        ),
        sa.Column("value", sa.Text(), nullable=False, comment="As it was received."),
        sa.Column("normalized", sa.Text(), nullable=False, comment="In the form that is compared."),
        sa.Column(
            "verified",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="Proven to be the customer's.",
        ),
        sa.Column("source", sa.Text(), nullable=False, comment="The system that reported it."),
        sa.Column(
            "version",
            sa.Integer(),
            server_default=sa.text("1"),
            nullable=False,
            comment="Counts the row's edits, from 1; an update may name the version that it saw.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the row was first stored.",
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the row last changed.",
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_identifiers_customer_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identifiers")),
        sa.UniqueConstraint("kind", "normalized", "source", name=op.f("uq_identifiers_kind_normalized_source")),
        comment="Something a customer is known by: an e-mail address, a telephone number, a key in another system.",
    )
    op.create_index("ix_identifiers_created_at_id", "identifiers", ["created_at", "id"], unique=False)
    op.create_index("ix_identifiers_customer_id_kind_id", "identifiers", ["customer_id", "kind", "id"], unique=False)
    op.create_table(
        "scores",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and for ever."),
        sa.Column("customer_id", sa.Uuid(), nullable=False, comment="The customer who is scored."),
        sa.Column("model", sa.Text(), nullable=False, comment="Name of the model: `rfm.recency`."),
        sa.Column(
            "value",
            sa.Numeric(precision=18, scale=4),
            nullable=False,
            comment="The model's figure; its unit is the model's.",
        ),
        sa.Column(
            "band",
            sa.Text(),
            nullable=True,
            comment="The figure's class within its model, `1` (worst) to `5` (best) for RFM.",
        ),
        sa.Column(
            "reasons",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'"),
            nullable=False,
            comment="Why the value is what it is: a list of facts, each with its figure.",
        ),
        sa.Column(
            "computed_at", sa.DateTime(timezone=True), nullable=False, comment="The moment that the score describes."
        ),
        sa.Column(
            "superseded_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When a newer score of the model took its place.",
        ),
        sa.Column(
            "current",
            sa.Boolean(),
            sa.Computed("superseded_at is null", persisted=True),
            nullable=False,
            comment="Whether it is the model's latest for the customer.",
        ),
        sa.Column(
            "version",
            sa.Integer(),
            server_default=sa.text("1"),
            nullable=False,
            comment="Counts the row's edits, from 1; an update may name the version that it saw.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the row was first stored.",
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the row last changed.",
        ),
        sa.CheckConstraint("jsonb_typeof(reasons) = 'array'", name=op.f("ck_scores_reasons_are_a_list")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_scores_customer_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scores")),
        comment="A figure that a model gave a customer at a moment, with its reasons.",
    )
    op.create_index("ix_scores_computed_at_id", "scores", ["computed_at", "id"], unique=False)
    op.create_index(
        "ix_scores_customer_id_computed_at_id", "scores", ["customer_id", "computed_at", "id"], unique=False
    )
    op.create_index("ix_scores_model_value_id", "scores", ["model", "value", "id"], unique=False)
    op.create_index(
        "uq_scores_customer_id_model_current",
        "scores",
        ["customer_id", "model"],
        unique=True,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_table(
        "addresses",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and for ever."),
        sa.Column("customer_id", sa.Uuid(), nullable=False, comment="The customer that the row belongs to."),
        sa.Column("contact_id", sa.Uuid(), nullable=True, comment="The person at the address, if it is one person's."),
        sa.Column(
            "kind",
            sa.Enum(
                "MAIN", "BILLING", "SHIPPING", name="addresskind", native_enum=False, create_constraint=True, length=32
            ),
            nullable=False,
            comment="What the address is for.",
        ),
        sa.Column("street", sa.Text(), nullable=False, comment="Street and number, or what stands for it."),
        sa.Column("city", sa.Text(), nullable=False, comment="Town or city."),
        sa.Column("region", sa.Text(), nullable=True, comment="State, county or province."),
        sa.Column("postal_code", sa.Text(), nullable=True, comment="Postal code, as written in the country."),
        sa.Column("country", sa.Text(), nullable=True, comment="ISO 3166-1 alpha-2 code of the country."),
        sa.Column(
            "version",
            sa.Integer(),
            server_default=sa.text("1"),
            nullable=False,
            comment="Counts the row's edits, from 1; an update may name the version that it saw.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the row was first stored.",
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the row last changed.",
        ),
        sa.ForeignKeyConstraint(
            ["contact_id", "customer_id"],
            ["contacts.id", "contacts.customer_id"],
            name=op.f("fk_addresses_contact_id_customer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_addresses_customer_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_addresses")),
        comment="A postal address of a customer.",
    )
    op.create_index("ix_addresses_city_id", "addresses", ["city", "id"], unique=False)
    op.create_index("ix_addresses_contact_id_city_id", "addresses", ["contact_id", "city", "id"], unique=False)
    op.create_index("ix_addresses_customer_id_city_id", "addresses", ["customer_id", "city", "id"], unique=False)
    op.create_table(
        "contact_points",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and for ever."),
        sa.Column("customer_id", sa.Uuid(), nullable=False, comment="The customer that the row belongs to."),
        sa.Column("contact_id", sa.Uuid(), nullable=False, comment="The person who is reached."),
        sa.Column(
            "kind",
            sa.Enum(
                "EMAIL",
                "PHONE",
                "MOBILE",
                "FAX",
                "CHAT",
                "WEB",
                name="pointkind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
            comment="The way of reaching the person.",
        ),
        sa.Column("value", sa.Text(), nullable=False, comment="The address or number, as it was given."),
        sa.Column(
            "country", sa.Text(), nullable=True, comment="ISO country code that a national telephone number is read in."
        ),
        sa.Column(
            "verified",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="Known to reach the person.",
        ),
        sa.Column(
            "preferred",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="The way the person prefers.",
        ),
        sa.Column(
            "version",
            sa.Integer(),
            server_default=sa.text("1"),
            nullable=False,
            comment="Counts the row's edits, from 1; an update may name the version that it saw.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the row was first stored.",
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the row last changed.",
        ),
        sa.ForeignKeyConstraint(
            ["contact_id", "customer_id"],
            ["contacts.id", "contacts.customer_id"],
            name=op.f("fk_contact_points_contact_id_customer_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_points")),
        comment="A way to reach a contact.",
    )
    op.create_index(
        "ix_contact_points_contact_id_created_at_id", "contact_points", ["contact_id", "created_at", "id"], unique=False
    )
    op.create_index("ix_contact_points_created_at_id", "contact_points", ["created_at", "id"], unique=False)
    op.create_index("ix_contact_points_customer_id", "contact_points", ["customer_id"], unique=False)
    op.create_table(
        "orders",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and for ever."),
        sa.Column("customer_id", sa.Uuid(), nullable=False, comment="The customer that the row belongs to."),
        sa.Column("unit_id", sa.Uuid(), nullable=False, comment="The unit that owns the row's customer."),
        sa.Column("number", sa.Text(), nullable=False, comment="Number on the order's papers."),
        sa.Column(
            "status",
            sa.Enum(
                "DRAFT",
                "PLACED",
                "SHIPPED",
                "CANCELLED",
                "RETURNED",
                name="orderstatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
            comment="How far the order has come.",
        ),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False, comment="When the customer ordered."),
        sa.Column("required_at", sa.DateTime(timezone=True), nullable=True, comment="When the goods are due."),
        sa.Column(
            "shipped_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the goods were sent; empty while they wait.",
        ),
        sa.Column("currency", sa.Text(), nullable=False, comment="ISO 4217 code of the order's amounts."),
        sa.Column(
            "net",
            sa.Numeric(precision=18, scale=4),
            nullable=False,
            comment="Sum of the items, after discounts, before freight.",
        ),
        sa.Column(
            "freight",
            sa.Numeric(precision=18, scale=4),
            server_default=sa.text("0"),
            nullable=False,
            comment="What sending costs.",
        ),
        sa.Column(
            "total",
            sa.Numeric(precision=18, scale=4),
            sa.Computed("net + freight", persisted=True),
            nullable=False,
            comment="Net plus freight.",
        ),
        sa.Column("ship_to", sa.Text(), nullable=True, comment="Name on the parcel."),
        sa.Column("ship_city", sa.Text(), nullable=True, comment="City where the goods go."),
        sa.Column(
            "ship_country",
            sa.Text(),
            nullable=True,
            comment="ISO 3166-1 alpha-2 code of the country where the goods go.",
        ),
        sa.Column("staff_id", sa.Uuid(), nullable=True, comment="Who took the order."),
        sa.Column("contact_id", sa.Uuid(), nullable=True, comment="The person who ordered."),
        sa.Column(
            "version",
            sa.Integer(),
            server_default=sa.text("1"),
            nullable=False,
            comment="Counts the row's edits, from 1; an update may name the version that it saw.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the row was first stored.",
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the row last changed.",
        ),
        sa.ForeignKeyConstraint(
            ["contact_id", "customer_id"],
            ["contacts.id", "contacts.customer_id"],
            name=op.f("fk_orders_contact_id_customer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["customer_id", "unit_id"],
            ["customers.id", "customers.unit_id"],
            name=op.f("fk_orders_customer_id_unit_id"),
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_orders_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
        sa.UniqueConstraint("id", "customer_id", name=op.f("uq_orders_id_customer_id")),
        sa.UniqueConstraint("number", name=op.f("uq_orders_number")),
        comment="What a customer ordered, on what terms, and how far it has come.",
    )
    op.execute(
        "create trigger place before insert on orders for each row when (new.unit_id is null) execute function hub_place()"
    )
    op.execute("create trigger move before update of customer_id on orders for each row execute function hub_place()")
    op.create_index("ix_orders_contact_id_placed_at_id", "orders", ["contact_id", "placed_at", "id"], unique=False)
    op.create_index("ix_orders_customer_id_placed_at_id", "orders", ["customer_id", "placed_at", "id"], unique=False)
    op.create_index("ix_orders_placed_at_id", "orders", ["placed_at", "id"], unique=False)
    op.create_index("ix_orders_staff_id_placed_at_id", "orders", ["staff_id", "placed_at", "id"], unique=False)
    op.create_index("ix_orders_total_id", "orders", ["total", "id"], unique=False)
    op.create_index("ix_orders_unit_id_placed_at_id", "orders", ["unit_id", "placed_at", "id"], unique=False)
    op.create_table(
        "interactions",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and for ever."),
        sa.Column("customer_id", sa.Uuid(), nullable=False, comment="The customer that the row belongs to."),
        sa.Column("unit_id", sa.Uuid(), nullable=False, comment="The unit that owns the row's customer."),
        sa.Column(
            "channel",
            sa.Enum(
                "EMAIL",
                "PHONE",
                "SMS",
                "CHAT",
                "WEB",
                "APP",
                "IN_STORE",
                "SOCIAL",
                "POST",
                "API",
                name="channel",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
            comment="The way it came about.",
        ),
        sa.Column(
            "direction",
            sa.Enum(
                "INBOUND",
                "OUTBOUND",
                "INTERNAL",
                name="direction",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
            comment="Who turned to whom.",
        ),
        sa.Column("kind", sa.Text(), nullable=False, comment="What happened, in words joined by dots: `order.taken`."),
        sa.Column("subject", sa.Text(), nullable=True, comment="What it was about, in one line."),
        sa.Column("body", sa.Text(), nullable=True, comment="What was said, in full."),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False, comment="When it happened."),
        sa.Column("staff_id", sa.Uuid(), nullable=True, comment="Who took part for the business."),
        sa.Column("order_id", sa.Uuid(), nullable=True, comment="The order that it was about."),
        sa.Column("contact_id", sa.Uuid(), nullable=True, comment="The person who took part for the customer."),
        sa.Column(
            "version",
            sa.Integer(),
            server_default=sa.text("1"),
            nullable=False,
            comment="Counts the row's edits, from 1; an update may name the version that it saw.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the row was first stored.",
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the row last changed.",
        ),
        sa.ForeignKeyConstraint(
            ["contact_id", "customer_id"],
            ["contacts.id", "contacts.customer_id"],
            name=op.f("fk_interactions_contact_id_customer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["customer_id", "unit_id"],
            ["customers.id", "customers.unit_id"],
            name=op.f("fk_interactions_customer_id_unit_id"),
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["order_id", "customer_id"],
            ["orders.id", "orders.customer_id"],
            name=op.f("fk_interactions_order_id_customer_id"),
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_interactions_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_interactions")),
        comment="Something said or done between the business and a customer.",
    )
    op.execute(
        "create trigger place before insert on interactions for each row when (new.unit_id is null) execute function hub_place()"
    )
    op.execute(
        "create trigger move before update of customer_id on interactions for each row execute function hub_place()"
    )
    op.create_index(
        "ix_interactions_contact_id_occurred_at_id", "interactions", ["contact_id", "occurred_at", "id"], unique=False
    )
    op.create_index(
        "ix_interactions_customer_id_occurred_at_id", "interactions", ["customer_id", "occurred_at", "id"], unique=False
    )
    op.create_index("ix_interactions_occurred_at_id", "interactions", ["occurred_at", "id"], unique=False)
    op.create_index(
        "ix_interactions_order_id_occurred_at_id", "interactions", ["order_id", "occurred_at", "id"], unique=False
    )
    op.create_index(
        "ix_interactions_staff_id_occurred_at_id", "interactions", ["staff_id", "occurred_at", "id"], unique=False
    )
    op.create_index(
        "ix_interactions_unit_id_occurred_at_id", "interactions", ["unit_id", "occurred_at", "id"], unique=False
    )
    op.create_table(
        "order_items",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and for ever."),
        sa.Column("customer_id", sa.Uuid(), nullable=False, comment="The customer that the row belongs to."),
        sa.Column("order_id", sa.Uuid(), nullable=False, comment="The order that the item is part of."),
        sa.Column("line", sa.Integer(), nullable=False, comment="Position on the order's papers, from 1."),
        sa.Column("product_id", sa.Uuid(), nullable=False, comment="What was ordered."),
        sa.Column("quantity", sa.Integer(), nullable=False, comment="How many units."),
        sa.Column("unit_price", sa.Numeric(precision=18, scale=4), nullable=False, comment="Agreed price of one unit."),
        sa.Column(
            "discount",
            sa.Numeric(precision=5, scale=4),
            server_default=sa.text("0"),
            nullable=False,
            comment="Share taken off, 0 to 1.",
        ),
        sa.Column("currency", sa.Text(), nullable=False, comment="ISO 4217 code, the order's own."),
        sa.Column(
            "net",
            sa.Numeric(precision=18, scale=4),
            sa.Computed("unit_price * quantity * (1 - discount)", persisted=True),
            nullable=False,
            comment="Quantity times price, less the discount.",
        ),
        sa.Column(
            "version",
            sa.Integer(),
            server_default=sa.text("1"),
            nullable=False,
            comment="Counts the row's edits, from 1; an update may name the version that it saw.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the row was first stored.",
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the row last changed.",
        ),
        sa.CheckConstraint("discount between 0 and 1", name=op.f("ck_order_items_discount_is_a_share")),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_order_items_quantity_is_positive")),
        sa.ForeignKeyConstraint(
            ["order_id", "customer_id"],
            ["orders.id", "orders.customer_id"],
            name=op.f("fk_order_items_order_id_customer_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name=op.f("fk_order_items_product_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_items")),
        sa.UniqueConstraint("order_id", "line", name=op.f("uq_order_items_order_id_line")),
        comment="One line of an order.",
    )
    op.create_index("ix_order_items_customer_id", "order_items", ["customer_id"], unique=False)
    op.create_index("ix_order_items_line_id", "order_items", ["line", "id"], unique=False)
    op.create_index("ix_order_items_order_id_line_id", "order_items", ["order_id", "line", "id"], unique=False)
    op.create_index("ix_order_items_product_id_line_id", "order_items", ["product_id", "line", "id"], unique=False)
    op.execute(
        "insert into secrets (name, value)"
        " select 'cursors', string_agg(uuid_send(gen_random_uuid()), '') from generate_series(1, 3)"
    )


def downgrade() -> None:
    op.drop_index("ix_order_items_product_id_line_id", table_name="order_items")
    op.drop_index("ix_order_items_order_id_line_id", table_name="order_items")
    op.drop_index("ix_order_items_line_id", table_name="order_items")
    op.drop_index("ix_order_items_customer_id", table_name="order_items")
    op.drop_table("order_items")
    op.drop_index("ix_interactions_unit_id_occurred_at_id", table_name="interactions")
    op.drop_index("ix_interactions_staff_id_occurred_at_id", table_name="interactions")
    op.drop_index("ix_interactions_order_id_occurred_at_id", table_name="interactions")
    op.drop_index("ix_interactions_occurred_at_id", table_name="interactions")
    op.drop_index("ix_interactions_customer_id_occurred_at_id", table_name="interactions")
    op.drop_index("ix_interactions_contact_id_occurred_at_id", table_name="interactions")
    op.drop_table("interactions")
    op.drop_index("ix_orders_unit_id_placed_at_id", table_name="orders")
    op.drop_index("ix_orders_total_id", table_name="orders")
    op.drop_index("ix_orders_staff_id_placed_at_id", table_name="orders")
    op.drop_index("ix_orders_placed_at_id", table_name="orders")
    op.drop_index("ix_orders_customer_id_placed_at_id", table_name="orders")
    op.drop_index("ix_orders_contact_id_placed_at_id", table_name="orders")
    op.drop_table("orders")
    op.drop_index("ix_contact_points_customer_id", table_name="contact_points")
    op.drop_index("ix_contact_points_created_at_id", table_name="contact_points")
    op.drop_index("ix_contact_points_contact_id_created_at_id", table_name="contact_points")
    op.drop_table("contact_points")
    op.drop_index("ix_addresses_customer_id_city_id", table_name="addresses")
    op.drop_index("ix_addresses_contact_id_city_id", table_name="addresses")
    op.drop_index("ix_addresses_city_id", table_name="addresses")
    op.drop_table("addresses")
    op.drop_index(
        "uq_scores_customer_id_model_current", table_name="scores", postgresql_where=sa.text("superseded_at IS NULL")
    )
    op.drop_index("ix_scores_model_value_id", table_name="scores")
    op.drop_index("ix_scores_customer_id_computed_at_id", table_name="scores")
    op.drop_index("ix_scores_computed_at_id", table_name="scores")
    op.drop_table("scores")
    op.drop_index("ix_identifiers_customer_id_kind_id", table_name="identifiers")
    op.drop_index("ix_identifiers_created_at_id", table_name="identifiers")
    op.drop_table("identifiers")
    op.drop_index(
        "ix_contacts_search_text",
        table_name="contacts",
        postgresql_using="gin",
        postgresql_ops={"search_text": "gin_trgm_ops"},
    )
    op.drop_index("ix_contacts_name_id", table_name="contacts")
    op.drop_index("ix_contacts_customer_id_name_id", table_name="contacts")
    op.drop_index("ix_contacts_created_at_id", table_name="contacts")
    op.drop_table("contacts")
    op.drop_index("ix_api_keys_unit_id", table_name="api_keys")
    op.drop_index("ix_api_keys_customer_id", table_name="api_keys")
    op.drop_table("api_keys")
    op.drop_index("ix_customers_unit_id_name_id", table_name="customers")
    op.drop_index(
        "ix_customers_search_text",
        table_name="customers",
        postgresql_using="gin",
        postgresql_ops={"search_text": "gin_trgm_ops"},
    )
    op.drop_index("ix_customers_owner_id_name_id", table_name="customers")
    op.drop_index("ix_customers_name_id", table_name="customers")
    op.drop_index("ix_customers_created_at_id", table_name="customers")
    op.drop_index("ix_customers_country_stage_created_at_id", table_name="customers", postgresql_include=["unit_id"])
    op.drop_index("ix_customers_country_id", table_name="customers")
    op.drop_table("customers")
    op.drop_index("ix_staff_unit_id_name_id", table_name="staff")
    op.drop_index("ix_staff_reports_to_id_name_id", table_name="staff")
    op.drop_index("ix_staff_name_id", table_name="staff")
    op.drop_table("staff")
    op.drop_table("secrets")
    op.drop_index("ix_products_unit_price_id", table_name="products")
    op.drop_index(
        "ix_products_search_text",
        table_name="products",
        postgresql_using="gin",
        postgresql_ops={"search_text": "gin_trgm_ops"},
    )
    op.drop_index("ix_products_name_id", table_name="products")
    op.drop_table("products")
    op.drop_index("uq_org_units_path", table_name="org_units")
    op.drop_index("ix_org_units_path", table_name="org_units", postgresql_using="gist")
    op.drop_index("ix_org_units_parent_id_name_id", table_name="org_units")
    op.drop_index("ix_org_units_name_id", table_name="org_units")
    op.drop_table("org_units")
