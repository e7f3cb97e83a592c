"""Statements of SQLAlchemy Core as the text that asyncpg takes: `$1`, `$2` in the order of their parameters."""

import sqlalchemy as sa

DIALECT = sa.make_url("postgresql+asyncpg://").get_dialect()()


def to_sql(statement: sa.ClauseElement) -> str:
    """A statement's text."""
    return str(statement.compile(dialect=DIALECT))
