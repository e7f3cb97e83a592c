"""Score models with their rules; scores name the revision that they come from, who reads them, and who set them."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0076"
down_revision: str | None = "0071"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "score_models",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and permanent."),
        sa.Column(
            "code",
            sa.Text(),
            nullable=False,
            comment="Name of the model, in small words joined by dots; its scores bear it. All revisions share it.",
        ),
        sa.Column("revision", sa.Integer(), nullable=False, comment="Number of the revision, from 1."),
        sa.Column("name", sa.Text(), nullable=False, comment="What people call it."),
        sa.Column(
            "kind",
            sa.Enum(
                "RULES", "RFM", "PURCHASES", name="scoremodelkind", native_enum=False, create_constraint=True, length=32
            ),
            nullable=False,
            comment="What it computes.",
        ),
        sa.Column(
            "audience",
            sa.Enum("INSIDE", "CUSTOMER", name="scoreaudience", native_enum=False, create_constraint=True, length=32),
            server_default=sa.text("'INSIDE'"),
            nullable=False,
            comment="Who reads its scores; the same for all revisions.",
        ),
        sa.Column(
            "status",
            sa.Enum(
                "DRAFT",
                "ACTIVE",
                "RETIRED",
                name="scoremodelstatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            server_default=sa.text("'DRAFT'"),
            nullable=False,
            comment="Whether it scores customers.",
        ),
        sa.Column(
            "bands",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'"),
            nullable=False,
            comment="Bands of its values: a list of `band` and the value `from` which it holds, the lowest first.",
        ),
        sa.Column(
            "settings",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="What its kind needs: cuts, currency, weeks.",
        ),
        sa.Column(
            "parameters",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="What the activation froze: cuts of quintiles, or fitted parameters.",
        ),
        sa.Column("activated_at", sa.DateTime(timezone=True), nullable=True, comment="Time of the activation."),
        sa.Column(
            "retired_at", sa.DateTime(timezone=True), nullable=True, comment="Time when a later revision replaced it."
        ),
        sa.Column(
            "computed_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Time when all customers had been scored; empty before.",
        ),
        sa.Column(
            "computes_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the full run goes on; empty if there is none.",
        ),
        sa.Column("computed_to", sa.Uuid(), nullable=True, comment="Customer up to whom the full run has come."),
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
        sa.CheckConstraint("jsonb_typeof(bands) = 'array'", name=op.f("ck_score_models_bands_are_a_list")),
        sa.CheckConstraint(
            "jsonb_typeof(parameters) = 'object'", name=op.f("ck_score_models_parameters_are_an_object")
        ),
        sa.CheckConstraint("jsonb_typeof(settings) = 'object'", name=op.f("ck_score_models_settings_are_an_object")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_score_models")),
        sa.UniqueConstraint("code", "revision", name=op.f("uq_score_models_code_revision")),
        comment="How the hub scores customers. A changed definition is a new revision; scores name the one that they come from.",
    )
    op.execute(
        "insert into change_exceptions values ('score_models', 'computes_at', 'unlogged') on conflict do nothing"
    )
    op.execute(
        "insert into change_exceptions values ('score_models', 'computed_to', 'unlogged') on conflict do nothing"
    )
    op.execute("select hub_capture('score_models')")
    op.create_index("ix_score_models_code_id", "score_models", ["code", "id"], unique=False)
    op.create_index(
        "ix_score_models_computes_at",
        "score_models",
        ["computes_at"],
        unique=False,
        postgresql_where=sa.text("computes_at is not null"),
    )
    op.create_index("ix_score_models_revision_id", "score_models", ["revision", "id"], unique=False)
    op.create_index("ix_score_models_updated_at_id", "score_models", ["updated_at", "id"], unique=False)
    op.create_table(
        "score_rules",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and permanent."),
        sa.Column("score_model_id", sa.Uuid(), nullable=False, comment="The model that it is part of."),
        sa.Column("position", sa.Integer(), nullable=False, comment="Its place in the model, from 1."),
        sa.Column("name", sa.Text(), nullable=False, comment="Name of the rule in reasons, unique in its model."),
        sa.Column("entity", sa.Text(), nullable=False, comment="Name of the type whose rows count."),
        sa.Column(
            "match",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="Filter of the rows that count; empty for all.",
        ),
        sa.Column(
            "measure",
            sa.Enum(
                "COUNT", "SUM", "AVERAGE", name="scoremeasure", native_enum=False, create_constraint=True, length=32
            ),
            server_default=sa.text("'COUNT'"),
            nullable=False,
            comment="The number that is taken of the rows.",
        ),
        sa.Column(
            "column_name",
            sa.Text(),
            nullable=True,
            comment="The field that a SUM or an AVERAGE is of; empty for a COUNT.",
        ),
        sa.Column(
            "currency", sa.Text(), nullable=True, comment="ISO 4217 code of the amounts that count; others do not."
        ),
        sa.Column(
            "points",
            sa.Numeric(precision=18, scale=4),
            nullable=False,
            comment="Points for each occurrence, or the weight of the number.",
        ),
        sa.Column(
            "share_of",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="Filter of the rows of which a COUNT is the share; empty for the number itself.",
        ),
        sa.Column(
            "without_rows",
            sa.Numeric(precision=18, scale=4),
            nullable=True,
            comment="The share where there are no such rows; empty if there always are.",
        ),
        sa.Column("window_days", sa.Integer(), nullable=True, comment="Days for which a row counts; empty for ever."),
        sa.Column(
            "half_life_days",
            sa.Integer(),
            nullable=True,
            comment="Days after which a row counts half; empty for a constant weight.",
        ),
        sa.Column(
            "max_points",
            sa.Numeric(precision=18, scale=4),
            nullable=True,
            comment="Points of the rule at most, whatever their sign; empty for no limit.",
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
        sa.CheckConstraint(
            "(measure = 'COUNT') = (column_name is null)", name=op.f("ck_score_rules_column_stands_with_its_measure")
        ),
        sa.CheckConstraint(
            "window_days > 0 and half_life_days > 0 and max_points > 0", name=op.f("ck_score_rules_spans_are_positive")
        ),
        sa.ForeignKeyConstraint(
            ["score_model_id"], ["score_models.id"], name=op.f("fk_score_rules_score_model_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_score_rules")),
        sa.UniqueConstraint("score_model_id", "name", name=op.f("uq_score_rules_score_model_id_name")),
        sa.UniqueConstraint("score_model_id", "position", name=op.f("uq_score_rules_score_model_id_position")),
        comment="A rule of a model: rows of a customer that match a filter bring points.",
    )
    op.execute("select hub_capture('score_rules')")
    op.create_index("ix_score_rules_position_id", "score_rules", ["position", "id"], unique=False)
    op.create_index(
        "ix_score_rules_score_model_id_position_id", "score_rules", ["score_model_id", "position", "id"], unique=False
    )
    op.add_column(
        "scores",
        sa.Column(
            "audience",
            sa.Enum("INSIDE", "CUSTOMER", name="scoreaudience", native_enum=False, create_constraint=True, length=32),
            server_default=sa.text("'INSIDE'"),
            nullable=False,
            comment="Who reads it: the customer too, if its model is public.",
        ),
    )
    op.add_column(
        "scores",
        sa.Column(
            "score_model_id",
            sa.Uuid(),
            nullable=True,
            comment="The revision of the model that the hub computed it by; empty for scores of other systems.",
        ),
    )
    op.add_column(
        "scores",
        sa.Column(
            "overridden_by_id",
            sa.Uuid(),
            nullable=True,
            comment="The person who set it in place of the model, if the key is a person's.",
        ),
    )
    op.add_column(
        "scores",
        sa.Column(
            "override_reason", sa.Text(), nullable=True, comment="Why a person set it; empty for a value of the model."
        ),
    )
    op.add_column(
        "scores",
        sa.Column(
            "expires_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Time at which the model's own value returns; empty unless a person set it.",
        ),
    )
    op.alter_column(
        "scores",
        "reasons",
        existing_type=postgresql.JSONB(astext_type=sa.Text()),
        comment="Reasons of the value: a list of facts, each with its number. Where the hub computed it, "
        "the rules and their `points`, which add up to the value, and the newest rows that are the `evidence`.",
        existing_comment="Reasons of the value: a list of facts, each with its number.",
        existing_nullable=False,
        existing_server_default=sa.text("'[]'::jsonb"),
    )
    op.create_foreign_key(op.f("fk_scores_overridden_by_id"), "scores", "staff", ["overridden_by_id"], ["id"])
    op.create_check_constraint(
        op.f("ck_scores_override_ends"), "scores", "(override_reason is null) = (expires_at is null)"
    )
    op.execute("select hub_capture('scores')")


def downgrade() -> None:
    op.drop_constraint(op.f("fk_scores_overridden_by_id"), "scores", type_="foreignkey")
    op.alter_column(
        "scores",
        "reasons",
        existing_type=postgresql.JSONB(astext_type=sa.Text()),
        comment="Reasons of the value: a list of facts, each with its number.",
        existing_comment="Reasons of the value: a list of facts, each with its number. Where the hub computed it, "
        "the rules and their `points`, which add up to the value, and the newest rows that are the `evidence`.",
        existing_nullable=False,
        existing_server_default=sa.text("'[]'::jsonb"),
    )
    op.drop_column("scores", "expires_at")
    op.drop_column("scores", "override_reason")
    op.drop_column("scores", "overridden_by_id")
    op.drop_column("scores", "score_model_id")
    op.drop_column("scores", "audience")
    op.execute("select hub_capture('scores')")
    op.drop_index("ix_score_rules_score_model_id_position_id", table_name="score_rules")
    op.drop_index("ix_score_rules_position_id", table_name="score_rules")
    op.drop_table("score_rules")
    op.drop_index("ix_score_models_updated_at_id", table_name="score_models")
    op.drop_index("ix_score_models_revision_id", table_name="score_models")
    op.drop_index(
        "ix_score_models_computes_at", table_name="score_models", postgresql_where=sa.text("computes_at is not null")
    )
    op.drop_index("ix_score_models_code_id", table_name="score_models")
    op.drop_table("score_models")
