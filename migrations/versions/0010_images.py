"""No statistics on the images of the log: nothing is planned by them, and gathering them took most of the time of a day's."""

from collections.abc import Sequence

from alembic import op

from hub.db.locks import AdvisoryLock

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# As in 0005, but for the line that `images` stands in.
MAKE = """
create or replace function hub_make_day(of date) returns boolean
language plpgsql as $$
declare
    name text := 'change_log_' || to_char(of, 'YYYYMMDD');
begin
    if to_regclass(name) is not null or not pg_try_advisory_xact_lock({partitions:d}) then
        return false;
    end if;
    if exists (select from change_log_default where day = of) then
        return false;
    end if;
    perform set_config('lock_timeout', '200ms', true);
    execute format('create table %I (like change_log including defaults including constraints)', name);
    {images}
    execute format('alter table change_log attach partition %I for values from (%L) to (%L)', name, of, of + 1);
    return true;
exception when lock_not_available or check_violation or duplicate_table then
    return false;
end
$$
"""
NEITHER = "execute format('alter table %I alter before set statistics 0, alter after set statistics 0', name);"
DAYS = """
do $$
declare
    day regclass;
begin
    for day in select inhrelid::regclass from pg_inherits where inhparent = 'change_log'::regclass loop
        execute format('alter table %s alter before set statistics {0}, alter after set statistics {0}', day);
    end loop;
    alter table only change_log alter before set statistics {0}, alter after set statistics {0};
end
$$
"""


def upgrade() -> None:
    op.execute(MAKE.format(images=NEITHER, partitions=AdvisoryLock.PARTITIONS))
    op.execute(DAYS.format(0))


def downgrade() -> None:
    op.execute(MAKE.format(images="", partitions=AdvisoryLock.PARTITIONS))
    op.execute(DAYS.format(-1))
