"""Secrets that all nodes of a hub share, made by the database when it is set up: so far the one that signs cursors."""

import asyncpg
import sqlalchemy as sa

from hub.db.text import text
from hub.domain.tables import metadata

Secret = sa.Table(
    "secrets",
    metadata,
    sa.Column("name", sa.Text, primary_key=True, comment="What the secret is for."),
    sa.Column("value", sa.LargeBinary, nullable=False, comment="32 random bytes."),
    sa.CheckConstraint("octet_length(value) >= 32", name="value_is_long_enough"),
    comment="Secrets of the hub itself. Whoever can read this table can forge cursors, though never rights.",
)
CURSORS = "cursors"

_READ = text(sa.select(Secret.c.value).where(Secret.c.name == sa.bindparam("name")))


async def cursor_secret(connection: "asyncpg.Connection[asyncpg.Record]") -> bytes:
    """The secret that cursors are signed with; the migrations made it."""
    value: bytes = await connection.fetchval(_READ, CURSORS)
    return value
