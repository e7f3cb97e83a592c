"""Effective-dated rows: rows that hold from `from_at` until `to_at`, and of which no two of a sort hold at one moment.

The database keeps that by exclusion constraints. hub/model/succession.py writes such rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ExcludeConstraint

from hub.model.columns import timestamp

FROM, TO = LASTING_COLUMNS = ("from_at", "to_at")


@dataclass(frozen=True, slots=True)
class Exclusion:
    """No two rows with the same values in `columns` hold at one moment, among those that meet `where`, SQL."""

    columns: tuple[str, ...]
    where: str | None


def never_two(*columns: str, where: str | None = None) -> Exclusion:
    """Declares that no two rows with these values hold at one moment. A row without one of the values collides with none."""
    return Exclusion(columns, where)


def lasting_constraints(table_name: str, exclusions: Sequence[Exclusion]) -> Iterator[sa.schema.SchemaItem]:
    """The constraints of a table of effective-dated rows, which begin before they end."""
    yield sa.CheckConstraint(f"{TO} > {FROM}", name=f"{TO}_is_after_{FROM}")
    during = sa.func.tstzrange(sa.column(FROM, timestamp()), sa.column(TO, timestamp()))
    for exclusion in exclusions:
        elements: list[tuple[Any, str]] = [(sa.column(name), "=") for name in exclusion.columns]
        yield ExcludeConstraint(
            *elements,
            (during, "&&"),
            using="gist",
            where=None if exclusion.where is None else sa.text(exclusion.where),
            name=f"ex_{table_name}_{'_'.join(exclusion.columns)}",
        )


def holding(row: sa.FromClause, moment: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Whether the row holds at the moment: it ends when the next one begins, not after."""
    return sa.and_(row.c[FROM] <= moment, sa.or_(row.c[TO].is_(None), row.c[TO] > moment))
