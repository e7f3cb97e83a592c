"""What every table of the graph has in common: keys, versions, times, money, closed sets of values.

Subjects build their tables from these; no subject is named here."""

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.types import UserDefinedType

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)

# Marks, in its `info`, the unit column that `customer_and_unit_columns` makes: its table needs a trigger.
DENORMALIZED_UNIT = "denormalized_unit"


class DescribedEnum(StrEnum):
    """A closed set of values; each member is its stored text and a sentence that explains it."""

    description: str

    def __new__(cls, value: str, description: str) -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.description = description
        return member


class Ltree(UserDefinedType[str]):
    """Postgres's label path, `group.company.branch`."""

    cache_ok = True

    def get_col_spec(self, **kw: Any) -> str:
        return "LTREE"


def money() -> sa.Numeric[Decimal]:
    """An amount: numeric(18,4), never rounded when stored, beside its row's currency."""
    return sa.Numeric(18, 4)


def timestamp() -> sa.DateTime:
    """A point in time; Postgres keeps microseconds, the hub speaks UTC."""
    return sa.DateTime(timezone=True)


def enum_column(enum_class: type[DescribedEnum], name: str | None = None) -> sa.Enum:
    """A column type that holds exactly the values of `enum_class`, kept by a CHECK (adding a value is one small migration).

    `name` tells apart the checks of two such columns in one table."""
    return sa.Enum(
        enum_class,
        name=name or enum_class.__name__.lower(),
        native_enum=False,
        create_constraint=True,
        length=32,
        values_callable=lambda members: [member.value for member in members],
    )


def foreign_key(
    name: str, target: str, comment: str, *, nullable: bool = False, ondelete: str | None = None
) -> sa.Column[object]:
    """A foreign key of one column to `target`, written `table.column`."""
    return sa.Column(name, sa.Uuid, sa.ForeignKey(target, ondelete=ondelete), nullable=nullable, comment=comment)


def customer_fk(comment: str = "The customer that the row belongs to.") -> sa.Column[object]:
    """`customer_id`, the key of visibility that every customer-owned row carries."""
    return foreign_key("customer_id", "customers.id", comment, ondelete="CASCADE")


def child_of(column: str, target: str, comment: str) -> tuple[sa.schema.SchemaItem, ...]:
    """A row that is part of another: its key `column`, and `customer_id`, which is that other row's, whoever writes."""
    return (
        sa.Column("customer_id", sa.Uuid, nullable=False, comment="The customer that the row belongs to."),
        sa.Column(column, sa.Uuid, nullable=False, comment=comment),
        same_customer_fk(column, target, ondelete="CASCADE"),
    )


def same_customer_fk(column: str, target: str, *, ondelete: str | None = None) -> sa.ForeignKeyConstraint:
    """A composite key `(column, customer_id) → target`: the two rows belong to one customer, whoever writes."""
    targets = [f"{target}.id", f"{target}.customer_id"]
    return sa.ForeignKeyConstraint([column, "customer_id"], targets, ondelete=ondelete)


def customer_and_unit_columns() -> tuple[sa.schema.SchemaItem, ...]:
    """`customer_id`, and `unit_id`, the customer's own unit once more, for large tables whose lists are cut by unit.

    The database fills the unit in where it is not given, proves it right, and moves it along with the customer."""
    return (
        sa.Column("customer_id", sa.Uuid, nullable=False, comment="The customer that the row belongs to."),
        sa.Column(
            "unit_id",
            sa.Uuid,
            nullable=False,
            comment="The unit that owns the row's customer.",
            info={DENORMALIZED_UNIT: True},
        ),
        sa.ForeignKeyConstraint(
            ["customer_id", "unit_id"], ["customers.id", "customers.unit_id"], onupdate="CASCADE", ondelete="CASCADE"
        ),
    )


def entity_table(name: str, *items: sa.Column[object] | sa.schema.SchemaItem, comment: str) -> sa.Table:
    """A table of the graph: a UUIDv7 key, a version, two times, and the subject's own columns."""
    return sa.Table(
        name,
        metadata,
        sa.Column("id", sa.Uuid, primary_key=True, server_default=sa.text("uuidv7()"), comment="Unique and for ever."),
        *items,
        sa.Column(
            "version",
            sa.Integer,
            nullable=False,
            server_default=sa.text("1"),
            comment="Counts the row's edits, from 1; an update may name the version that it saw.",
        ),
        sa.Column(
            "created_at",
            timestamp(),
            nullable=False,
            server_default=sa.func.now(),
            comment="When the row was first stored.",
        ),
        sa.Column(
            "updated_at",
            timestamp(),
            nullable=False,
            server_default=sa.func.now(),
            comment="When the row last changed.",
        ),
        comment=comment,
    )


def search_column(columns: Sequence[str]) -> sa.Column[object]:
    """`search_text`: the named columns, folded by the database's `hub_fold` (see migrations), under one trigram index."""
    expression = " || ' ' || ".join(f"coalesce({column}, '')" for column in columns)
    return sa.Column(
        "search_text",
        sa.Text,
        sa.Computed(f"hub_fold({expression})", persisted=True),
        nullable=False,
        comment="Folded text that `search` looks in; made by the database.",
    )


def search_index(table: sa.Table) -> sa.Index:
    """The trigram index that serves both containment and similarity."""
    return sa.Index(
        f"ix_{table.name}_search_text",
        table.c.search_text,
        postgresql_using="gin",
        postgresql_ops={"search_text": "gin_trgm_ops"},
    )
