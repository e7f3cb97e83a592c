"""The answers that idempotency keys are kept with, so that an operation that is repeated happens once.

When they are kept and looked up is hub/engine/perform.py's."""

from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from hub.db.text import text
from hub.domain.tables import metadata, moment

KEPT_FOR = timedelta(hours=48)

Kept = sa.Table(
    "kept_answers",
    metadata,
    sa.Column("owner_id", sa.Uuid, primary_key=True, comment="The API key that the operation came with."),
    sa.Column("key", sa.Text, primary_key=True, comment="The idempotency key that its client chose."),
    sa.Column("fingerprint", sa.LargeBinary, nullable=False, comment="SHA-256 of document, operation and variables."),
    sa.Column("answer", sa.LargeBinary, nullable=False, comment="The whole answer, as it was first given."),
    sa.Column("kept_at", moment(), nullable=False, comment="When it was given; it is forgotten 48 hours later."),
    comment="Answers to operations with an idempotency key, kept in the transaction that did the work.",
)
sa.Index("ix_kept_answers_kept_at", Kept.c.kept_at)

_FIND = text(
    sa.select(Kept.c.fingerprint, Kept.c.answer).where(
        Kept.c.owner_id == sa.bindparam("owner", type_=sa.Uuid), Kept.c.key == sa.bindparam("key_", type_=sa.Text)
    )
)
_FORGET = text(sa.delete(Kept).where(Kept.c.kept_at < sa.bindparam("before", type_=moment())))


def _hex(value: bytes) -> str:
    return f"'\\x{value.hex()}'::bytea"


class Memory:
    """Keeps answers and finds them again."""

    async def find(self, tx: "asyncpg.Connection[asyncpg.Record]", owner: UUID, key: str) -> tuple[bytes, bytes] | None:
        """The fingerprint and the answer that a key was used for."""
        found = await tx.fetchrow(_FIND, owner, key)
        return None if found is None else (found["fingerprint"], found["answer"])

    def keeping(self, owner: UUID, key: str, fingerprint: bytes, answer: bytes, at: datetime) -> str:
        """The statement that keeps an answer: all that a client chose stands in it as hexadecimal digits.

        As a text it can be sent along with the commit, which saves every such operation a round trip."""
        name = f"convert_from({_hex(key.encode())}, 'UTF8')"
        values = f"'{owner}', {name}, {_hex(fingerprint)}, {_hex(answer)}, '{at.isoformat()}'"
        return f"insert into kept_answers (owner_id, key, fingerprint, answer, kept_at) values ({values})"


async def forget(tx: "asyncpg.Connection[asyncpg.Record]", at: datetime) -> None:
    """Forgets what has been kept for long enough."""
    await tx.execute(_FORGET, at - KEPT_FOR)
