"""The order of all changes: positions, epochs, how far the log is settled, and the days that the log is cut into."""

from collections.abc import Sequence

from alembic import op

from hub.db.locks import AdvisoryLock

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

ORDER = """
create table change_order (position bigint primary key, id bigint not null unique);
comment on table change_order is 'The position of every change that has one: dense, from 1, the same for all who read.';
create table change_feed (
    settled bigint not null default 0 check (settled >= 0),
    least_position bigint not null default 1 check (least_position >= 1),
    one boolean primary key default true check (one)
);
comment on table change_feed is 'One row: what is known of the log and of its positions as a whole.';
comment on column change_feed.settled is 'Ids up to this one have a position, or will never appear.';
comment on column change_feed.least_position is 'The first position that can still be read.';
insert into change_feed default values;
"""

# What was restored, copied or promoted goes on from where it was, while the one it came from may have gone on as well: from
# there on a position means two changes. Each of them runs in a server that was started after, and as something else; a plain
# copy of the files as nothing else, so the start counts too. Numbers are random, so that what was lost with the newest epochs
# is not given out anew.
EPOCHS = """
create function hub_origin() returns text
language sql stable as $$
    select concat_ws('/',
        (select system_identifier from pg_control_system()),
        substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8),
        (select oid from pg_database where datname = current_database()),
        extract(epoch from pg_postmaster_start_time()))
$$;
create table change_epochs (
    epoch bigint primary key, origin text not null, began bigint not null, at timestamptz not null default now()
);
comment on table change_epochs is 'Spans in which a position can have one meaning only; a start of the server begins one.';
comment on column change_epochs.origin is 'Server, timeline, database and start, as hub_origin() tells them.';
comment on column change_epochs.began is 'The greatest position when it began: up to there, the epochs before it hold.';
insert into change_epochs (epoch, origin, began) values (random(1, 281474976710655), hub_origin(), 0);
"""

# A day whose rows lie in the default partition already stays there: the two cannot be told apart afterwards. Attaching
# locks that partition only, so writers of days that are made do not wait; whoever gets no lock soon tries again later.
MAKE = f"""
create function hub_make_day(of date) returns boolean
language plpgsql as $$
declare
    name text := 'change_log_' || to_char(of, 'YYYYMMDD');
begin
    if to_regclass(name) is not null or not pg_try_advisory_xact_lock({AdvisoryLock.PARTITIONS}) then
        return false;
    end if;
    if exists (select from change_log_default where day = of) then
        return false;
    end if;
    perform set_config('lock_timeout', '200ms', true);
    execute format('create table %I (like change_log including defaults including constraints)', name);
    execute format('alter table change_log attach partition %I for values from (%L) to (%L)', name, of, of + 1);
    return true;
exception when lock_not_available or check_violation or duplicate_table then
    return false;
end
$$
"""

# Only a day whose every change has its position goes. The lock keeps all writers waiting, so it is not waited for.
DROP = """
create function hub_drop_day(of date, placed bigint) returns boolean
language plpgsql as $$
declare
    name text := 'change_log_' || to_char(of, 'YYYYMMDD');
    latest bigint;
begin
    perform set_config('lock_timeout', '200ms', true);
    lock table change_log in access exclusive mode;
    if to_regclass(name) is null then
        return false;
    end if;
    execute format('select max(id) from %I', name) into latest;
    if latest > placed then
        return false;
    end if;
    execute format('drop table %I', name);
    return true;
exception when lock_not_available then
    return false;
end
$$
"""


def upgrade() -> None:
    for statement in (ORDER + EPOCHS).split(";\n"):
        if statement.strip():
            op.execute(statement)
    op.execute(MAKE)
    op.execute(DROP)
    # A new hub's first changes belong into days, not into the default partition.
    op.execute("select hub_make_day((now() at time zone 'utc')::date + ahead) from generate_series(0, 2) as ahead")


def downgrade() -> None:
    op.execute("drop function hub_drop_day(date, bigint)")
    op.execute("drop function hub_make_day(date)")
    op.execute("drop table change_epochs")
    op.execute("drop function hub_origin()")
    op.execute("drop table change_feed")
    op.execute("drop table change_order")
