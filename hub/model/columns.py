"""Column types, constraint names and the columns that every entity has; no entity is named here."""

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

# Returns the only root of the organisation; null where there are several. Rows that SQL inserts without a unit get it.
DEFAULT_UNIT = "hub_default_unit()"

# Names, in the `info` of a table, the columns that are unique among the rows that a viewer sees, and no further.
UNIQUE_AMONG_VISIBLE = "unique_among_visible"
# Marks, in its `info`, a column whose value leaves the database in no image, answer or export.
SECRET = "secret"
# Marks, in its `info`, a column whose changes alone are not recorded in the change log.
UNLOGGED = "unlogged"

# Marks, in its `info`, a column of which the hub keeps what each source says.
SOURCED = "sourced"

# Marks, in its `info`, the column that repeats the unit of the row's customer: its table needs a trigger.
DENORMALIZED_UNIT = "denormalized_unit"
# The same for the owner of the row's customer.
DENORMALIZED_OWNER = "denormalized_owner"


class DescribedEnum(StrEnum):
    """A closed set of values; each member is its stored text and a sentence that explains it."""

    description: str

    def __new__(cls, value: str, description: str = "") -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.description = description
        return member


class Ltree(UserDefinedType[str]):
    """Postgres's label path, `group.company.branch`."""

    cache_ok = True

    def get_col_spec(self, **kw: Any) -> str:
        return "LTREE"


def secret_columns() -> list[sa.Column[Any]]:
    """The secret columns of all tables whose modules have been imported."""
    return [column for table in metadata.sorted_tables for column in table.c if column.info.get(SECRET)]


def readable_columns(table: sa.Table) -> list[sa.Column[Any]]:
    """The columns that the role which serves clients may read: all but the secret ones."""
    return [column for column in table.c if not column.info.get(SECRET)]


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
    name: str,
    target: str,
    comment: str,
    *,
    nullable: bool = False,
    ondelete: str | None = None,
    server_default: sa.TextClause | None = None,
) -> sa.Column[object]:
    """A foreign key of one column to `target`, written `table.column`."""
    return sa.Column(
        name,
        sa.Uuid,
        sa.ForeignKey(target, ondelete=ondelete),
        nullable=nullable,
        server_default=server_default,
        comment=comment,
    )


def system_columns() -> tuple[list[sa.Column[Any]], list[sa.Column[Any]]]:
    """The columns that every entity has: those before its own, and those after them."""
    key = sa.Column(
        "id", sa.Uuid, primary_key=True, server_default=sa.text("uuidv7()"), comment="Unique and permanent."
    )
    version = sa.Column(
        "version",
        sa.Integer,
        nullable=False,
        server_default=sa.text("1"),
        comment="Counts the row's edits, from 1; an update may name the version that it is based on.",
    )
    now = sa.func.now()
    created = sa.Column("created_at", timestamp(), nullable=False, server_default=now, comment="Time of creation.")
    updated = sa.Column("updated_at", timestamp(), nullable=False, server_default=now, comment="Time of the last edit.")
    return [key], [version, created, updated]


def search_column(columns: Sequence[str]) -> sa.Column[object]:
    """`search_text`: the named columns, each folded by the database's `hub_fold` (see migrations), under a trigram index.

    Folded text begins and ends with a space, so that two spaces stand between columns and a whole column can be told."""
    expression = " || ".join(f"hub_fold(coalesce({column}, ''))" for column in columns)
    return sa.Column(
        "search_text",
        sa.Text,
        sa.Computed(expression, persisted=True),
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


def code_text(row: sa.FromClause, columns: Sequence[str]) -> sa.ColumnElement[str]:
    """The named columns as codes: folded by the database's `hub_code`, without spaces and punctuation, between spaces."""
    first, *others = (sa.func.hub_code(row.c[column], type_=sa.Text()) for column in columns)
    expression: sa.ColumnElement[str] = first
    for other in others:
        expression = expression.concat(other)
    return expression


def code_index(table: sa.Table, columns: Sequence[str]) -> sa.Index:
    """The trigram index of codes. It stores what `code_text` computes, so that the rows need not."""
    return sa.Index(
        f"ix_{table.name}_codes",
        code_text(table, columns).label("codes"),
        postgresql_using="gin",
        postgresql_ops={"codes": "gin_trgm_ops"},
    )


def sort_expression(column: sa.ColumnElement[Any], null_as: str | None) -> sa.ColumnElement[Any]:
    """The sort key of a column: the column, or the value that stands for its null. Indexes and queries share it."""
    if null_as is None:
        return column
    cast = {sa.DateTime: "::timestamptz", sa.Date: "::date"}.get(type(column.type), "")
    return sa.func.coalesce(column, sa.literal_column(f"'{null_as}'{cast}"))
