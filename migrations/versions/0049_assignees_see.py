"""A person sees the rows about a task that is the person's, also where the task belongs to another unit.

The audience ASSIGNEE is added, and moves and clocks of tasks get it. Tables with audiences are locked until it is done."""

from collections.abc import Sequence

from alembic import op

revision: str = "0049"
down_revision: str | None = "0048"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# Every table of rows about rows has the column and its check.
ALLOW = """
do $$
declare
    entry record;
begin
    for entry in
        select con.conrelid::regclass as name, con.conname from pg_constraint as con
        join pg_attribute as a on a.attrelid = con.conrelid and a.attname = 'audience' and con.conkey = array[a.attnum]
        where con.contype = 'c' and con.connamespace = 'public'::regnamespace
            and pg_get_constraintdef(con.oid) like '%''INSIDE''%'
    loop
        execute format('alter table %s drop constraint %I', entry.name, entry.conname);
        execute format('alter table %s add constraint %I check (audience in ({audiences}))', entry.name, entry.conname);
    end loop;
end
$$
"""
# The log stays as it is: nothing changed but who sees the row.
CHANGE = "update {table} set audience = '{after}' where entity = 'Task' and audience = '{before}'"


def _audiences(*names: str) -> str:
    return ALLOW.replace("{audiences}", ", ".join(f"''{name}''" for name in names))


def _change(before: str, after: str) -> None:
    op.execute("set local hub.capture = 'off'")
    for table in ("moves", "clocks"):
        op.execute(CHANGE.format(table=table, before=before, after=after))
    op.execute("set local hub.capture to default")


def upgrade() -> None:
    """Run the migration."""
    op.execute("set local lock_timeout = '5s'")
    op.execute(_audiences("CUSTOMER", "INSIDE", "UNIT", "ASSIGNEE", "PERSON"))
    _change("UNIT", "ASSIGNEE")


def downgrade() -> None:
    """Undo the migration."""
    op.execute("set local lock_timeout = '5s'")
    _change("ASSIGNEE", "UNIT")
    op.execute(_audiences("CUSTOMER", "INSIDE", "UNIT", "PERSON"))
