"""Since when the log of changes is whole, and the check that a moment does not lie before."""

from collections.abc import Sequence

from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# What was dropped earlier was dropped before now; more is not known of it.
FORGOTTEN = """
alter table change_feed add column forgotten timestamptz not null default '-infinity';
comment on column change_feed.forgotten is 'Every change that is no longer kept was made up to this moment.';
update change_feed set forgotten = now() where least_position > 1;
"""

# Part of the statement that reads the past, so that what it finds and what was dropped are of one moment.
CHECK = """
create function hub_as_of(moment timestamptz) returns boolean
language plpgsql stable as $$
declare
    gone timestamptz := (select forgotten from change_feed);
begin
    if moment < gone then
        raise exception 'what rows were before % is no longer kept',
            to_char(gone at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') using errcode = 'HB001';
    end if;
    return true;
end
$$
"""


def upgrade() -> None:
    for statement in FORGOTTEN.split(";\n"):
        if statement.strip():
            op.execute(statement)
    op.execute(CHECK)


def downgrade() -> None:
    op.execute("drop function hub_as_of(timestamptz)")
    op.execute("alter table change_feed drop column forgotten")
