"""What a dry run would have written by now, so that later lines of its file meet it: keys and digests, and no value."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from hub.db.pool import Connection
from hub.model import exact_json
from hub.model.columns import metadata
from hub.schema.jobs.jobs import Job

TOKEN_BYTES, VALUE_BYTES = 16, 8

DryRunRow = sa.Table(
    "dry_run_rows",
    metadata,
    sa.Column("job_id", sa.Uuid, sa.ForeignKey(Job.c.id, ondelete="CASCADE"), primary_key=True),
    sa.Column("token", sa.LargeBinary, primary_key=True, comment="Digest of what the row is found by."),
    sa.Column("key", sa.Uuid, nullable=False, comment="The key that the row has in the dry run."),
    sa.Column("columns", JSONB, nullable=False, comment="Digests of its values by column."),
    comment="Rows that a dry run would have written. They are deleted with its end.",
    prefixes=["UNLOGGED"],
)

_ADD = """
insert into dry_run_rows (job_id, token, key, columns)
select $1, r.token, r.key, r.columns::jsonb from unnest($2::bytea[], $3::uuid[], $4::text[]) as r (token, key, columns)
on conflict (job_id, token) do update set key = excluded.key, columns = excluded.columns
"""
_FIND = "select token, key, columns from dry_run_rows where job_id = $1 and token = any($2)"
_DELETE = "delete from dry_run_rows where job_id = $1"
_PURGE = """
delete from dry_run_rows as r using jobs as j where j.id = r.job_id and j.finished_at is not null
"""


class SeenRow(NamedTuple):
    """A row of the dry run: its key, and digests of the values that it would have, by column."""

    key: UUID
    columns: Mapping[str, str]


class DryRun:
    """The rows of one dry run."""

    def __init__(self, job_id: UUID) -> None:
        self._job_id = job_id

    def token(self, row: str, value: Any) -> bytes:
        """The digest of what a row of the mapping is found by."""
        return blake2b(repr((row, _plain(value))).encode(), digest_size=TOKEN_BYTES, key=self._job_id.bytes).digest()

    def digests(self, values: Mapping[str, Any]) -> dict[str, str]:
        """Digests of values in normal form, by column."""
        salt = self._job_id.bytes
        return {
            name: blake2b(repr(_plain(value)).encode(), digest_size=VALUE_BYTES, key=salt).hexdigest()
            for name, value in values.items()
        }

    async def find(self, tx: Connection, tokens: Sequence[bytes]) -> dict[bytes, SeenRow]:
        """The rows that are found by tokens."""
        rows = await tx.fetch(_FIND, self._job_id, tokens) if tokens else ()
        return {bytes(row["token"]): SeenRow(row["key"], exact_json.loads(row["columns"])) for row in rows}

    async def add(self, tx: Connection, rows: Mapping[bytes, SeenRow]) -> None:
        """Stores rows, each by its tokens."""
        if rows:
            keys = [row.key for row in rows.values()]
            columns = [exact_json.dumps(dict(row.columns)) for row in rows.values()]
            await tx.execute(_ADD, self._job_id, list(rows), keys, columns)

    async def end(self, tx: Connection) -> None:
        """Deletes the rows."""
        await tx.execute(_DELETE, self._job_id)


def _plain(value: Any) -> Any:
    """A value whose text is the same however its key was read."""
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value.hex if isinstance(value, UUID) else value


async def purge(tx: Connection) -> None:
    """Deletes the rows of dry runs that ended before their end."""
    await tx.execute(_PURGE)
