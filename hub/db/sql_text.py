"""Compiles SQLAlchemy Core statements to asyncpg's SQL: parameters are `$1`, `$2`, … in order of appearance."""

import sqlalchemy as sa

DIALECT = sa.make_url("postgresql+asyncpg://").get_dialect()()


def to_sql(statement: sa.ClauseElement) -> str:
    """Returns a statement's SQL text."""
    return str(statement.compile(dialect=DIALECT))
