"""The log of changes tells the hub's time: under a test clock that of the clock, else the machine's."""

from collections.abc import Sequence

from alembic import op

revision: str = "0047"
down_revision: str | None = "0046"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# Sessions of a hub with a test clock say so by `hub.clock`; others pay for one look at a setting.
TEST_TIME = """
create function hub_test_time() returns timestamptz
language plpgsql stable as $$
begin
    return coalesce((select now from test_clock), now());
end
$$
"""
TIME = """
create function hub_time() returns timestamptz
language plpgsql stable as $$
begin
    return case when current_setting('hub.clock', true) = 'test' then hub_test_time() else now() end;
end
$$
"""
LOG_TIME = "case when current_setting('hub.clock', true) = 'test' then hub_test_time() else clock_timestamp() end"
# What touches a row that a writer did not stamp, and the function that writes these triggers.
REPLACE = """
do $$
declare
    body text;
begin
    for body in
        select pg_get_functiondef(oid) from pg_proc where pronamespace = 'public'::regnamespace and prokind = 'f'
            and (proname = 'hub_capture' or proname like 'hub\\_touch\\_%')
    loop
        execute replace(body, ':= {before};', ':= {after};');
    end loop;
end
$$
"""


def upgrade() -> None:
    """Run the migration."""
    op.execute(TEST_TIME)
    op.execute(TIME)
    op.execute(f"alter table change_log alter column at set default {LOG_TIME}")
    op.execute(REPLACE.replace("{before}", "now()").replace("{after}", "hub_time()"))


def downgrade() -> None:
    """Undo the migration."""
    op.execute(REPLACE.replace("{before}", "hub_time()").replace("{after}", "now()"))
    op.execute("alter table change_log alter column at set default clock_timestamp()")
    op.execute("drop function hub_time()")
    op.execute("drop function hub_test_time()")
