"""Roles as data: roles, their rules and budgets, and who holds them. A key may have any role, or assigned roles only.

Four new tables. Of api_keys, a column becomes nullable and a CHECK is dropped, which locks it ACCESS EXCLUSIVE until the
transaction ends; no row is read. Every start writes the shipped roles."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0021"
down_revision: str | None = "0020"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "roles",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and permanent."),
        sa.Column("name", sa.Text(), nullable=False, comment="Name, in small letters, digits, - and _."),
        sa.Column("description", sa.Text(), nullable=True, comment="Whom the role is for, in one line."),
        sa.Column(
            "shipped",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="Whether it comes with the hub, which keeps it up to date.",
        ),
        sa.Column(
            "writes",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="Whether rows are written as the declarations say, where the role has no rules.",
        ),
        sa.Column(
            "unlimited",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="Whether it has no rules: every row and field that the key's binding lets it read.",
        ),
        sa.Column(
            "administers",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="Whether it manages keys and roles, with a key that is bound to nothing.",
        ),
        sa.Column(
            "introspects",
            sa.Boolean(),
            server_default=sa.text("true"),
            nullable=False,
            comment="Whether it reads the schema.",
        ),
        sa.Column(
            "trusted_only",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="Whether its keys may send only documents that are registered as trusted.",
        ),
        sa.Column(
            "run",
            postgresql.ARRAY(sa.Text()),
            nullable=True,
            comment="The commands that it may run, whatever they write; empty for those that its rules imply.",
        ),
        sa.Column("digest", sa.Text(), nullable=False, comment="SHA-256 of what the role grants, in hexadecimal."),
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
        sa.CheckConstraint("name ~ '^[a-z][a-z0-9_-]{0,62}$'", name=op.f("ck_roles_name_is_a_word")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_roles")),
        sa.UniqueConstraint("name", name=op.f("uq_roles_name")),
        comment="A named set of rights. Shipped roles follow the declarations of the hub; the others are the organisation's own.",
    )
    op.execute("select hub_capture('roles')")
    op.create_index("ix_roles_name_id", "roles", ["name", "id"], unique=False)
    op.create_table(
        "role_budgets",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and permanent."),
        sa.Column("role_id", sa.Uuid(), nullable=False, comment="The role."),
        sa.Column("capacity", sa.Integer(), nullable=False, comment="Points that a key has when it was idle for long."),
        sa.Column("refill_per_second", sa.Integer(), nullable=False, comment="Points that it gets back in a second."),
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
        sa.CheckConstraint("capacity between 1 and 1000000000", name=op.f("ck_role_budgets_capacity_is_positive")),
        sa.CheckConstraint(
            "refill_per_second between 1 and 1000000000", name=op.f("ck_role_budgets_refill_is_positive")
        ),
        sa.ForeignKeyConstraint(["role_id"], ["roles.id"], name=op.f("fk_role_budgets_role_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role_budgets")),
        sa.UniqueConstraint("role_id", name=op.f("uq_role_budgets_role_id")),
        comment="How much a key with the role may ask for, in points of cost.",
    )
    op.execute("select hub_capture('role_budgets')")
    op.create_index("ix_role_budgets_created_at_id", "role_budgets", ["created_at", "id"], unique=False)
    op.create_index(
        "ix_role_budgets_role_id_created_at_id", "role_budgets", ["role_id", "created_at", "id"], unique=False
    )
    op.create_table(
        "role_rules",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and permanent."),
        sa.Column("role_id", sa.Uuid(), nullable=False, comment="The role."),
        sa.Column("entity", sa.Text(), nullable=False, comment="Name of the type."),
        sa.Column(
            "verbs",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="READ, CREATE, UPDATE and DELETE, as far as they are granted.",
        ),
        sa.Column(
            "row_filter",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="Filter of the type's rows; $staff, $units and $customer in it are the viewer's. Empty for all rows.",
        ),
        sa.Column(
            "fields",
            postgresql.ARRAY(sa.Text()),
            nullable=True,
            comment="Names of the fields that can be read; empty for all.",
        ),
        sa.Column(
            "writable",
            postgresql.ARRAY(sa.Text()),
            nullable=True,
            comment="Names of the fields that can be written; empty for those that are read unmasked.",
        ),
        sa.Column(
            "masks",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="By field, how its value is shown: NULL, REDACTED, INITIAL, LAST_FOUR, DOMAIN or YEAR.",
        ),
        sa.Column(
            "aggregate_only",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="Whether only counts and statistics can be read.",
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
        sa.CheckConstraint("jsonb_typeof(masks) = 'object'", name=op.f("ck_role_rules_masks_are_an_object")),
        sa.ForeignKeyConstraint(["role_id"], ["roles.id"], name=op.f("fk_role_rules_role_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role_rules")),
        sa.UniqueConstraint("role_id", "entity", name=op.f("uq_role_rules_role_id_entity")),
        comment="What a role lets its holders do with the rows of one type. A type without a rule does not exist for them.",
    )
    op.execute("select hub_capture('role_rules')")
    op.create_index("ix_role_rules_entity_id", "role_rules", ["entity", "id"], unique=False)
    op.create_index("ix_role_rules_role_id_entity_id", "role_rules", ["role_id", "entity", "id"], unique=False)
    op.create_table(
        "role_assignments",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and permanent."),
        sa.Column("role_id", sa.Uuid(), nullable=False, comment="The role."),
        sa.Column("key_id", sa.Uuid(), nullable=True, comment="The API key."),
        sa.Column("staff_id", sa.Uuid(), nullable=True, comment="The member of staff, all of whose keys have it."),
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
        sa.CheckConstraint("num_nonnulls(key_id, staff_id) = 1", name=op.f("ck_role_assignments_one_holder")),
        sa.ForeignKeyConstraint(
            ["key_id"], ["api_keys.id"], name=op.f("fk_role_assignments_key_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["role_id"], ["roles.id"], name=op.f("fk_role_assignments_role_id")),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_role_assignments_staff_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role_assignments")),
        sa.UniqueConstraint("key_id", "role_id", name=op.f("uq_role_assignments_key_id_role_id")),
        sa.UniqueConstraint("staff_id", "role_id", name=op.f("uq_role_assignments_staff_id_role_id")),
        comment="A role of an API key or of a member of staff, beside the one that a key has by itself.",
    )
    op.execute("select hub_capture('role_assignments')")
    op.create_index("ix_role_assignments_created_at_id", "role_assignments", ["created_at", "id"], unique=False)
    op.create_index(
        "ix_role_assignments_key_id_created_at_id", "role_assignments", ["key_id", "created_at", "id"], unique=False
    )
    op.create_index(
        "ix_role_assignments_role_id_created_at_id", "role_assignments", ["role_id", "created_at", "id"], unique=False
    )
    op.drop_constraint(op.f("ck_api_keys_role_is_known"), "api_keys", type_="check")
    op.alter_column(
        "api_keys",
        "role",
        existing_type=sa.TEXT(),
        nullable=True,
        comment="Name of the role that it has by itself; empty for assigned roles only.",
        existing_comment="Its role: admin, writer or reader.",
    )


def downgrade() -> None:
    # A key with another role would get rights that nobody gave it.
    op.execute("delete from api_keys where role is null or role not in ('admin', 'writer', 'reader')")
    op.create_check_constraint(op.f("ck_api_keys_role_is_known"), "api_keys", "role in ('admin', 'writer', 'reader')")
    op.alter_column(
        "api_keys",
        "role",
        existing_type=sa.TEXT(),
        nullable=False,
        comment="Its role: admin, writer or reader.",
        existing_comment="Name of the role that it has by itself; empty for assigned roles only.",
    )
    op.drop_index("ix_role_assignments_role_id_created_at_id", table_name="role_assignments")
    op.drop_index("ix_role_assignments_key_id_created_at_id", table_name="role_assignments")
    op.drop_index("ix_role_assignments_created_at_id", table_name="role_assignments")
    op.drop_table("role_assignments")
    op.drop_index("ix_role_rules_role_id_entity_id", table_name="role_rules")
    op.drop_index("ix_role_rules_entity_id", table_name="role_rules")
    op.drop_table("role_rules")
    op.drop_index("ix_role_budgets_role_id_created_at_id", table_name="role_budgets")
    op.drop_index("ix_role_budgets_created_at_id", table_name="role_budgets")
    op.drop_table("role_budgets")
    op.drop_index("ix_roles_name_id", table_name="roles")
    op.drop_table("roles")
    for table in ("roles", "role_rules", "role_budgets", "role_assignments"):
        for operation in ("insert", "update", "delete"):
            op.execute(f"drop function hub_capture_{table}_{operation}()")
        op.execute(f"drop function hub_touch_{table}()")
