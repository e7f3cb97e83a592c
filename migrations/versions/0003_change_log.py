"""The log of changes, and the triggers that write it for every table of the graph, whoever changes a row."""

from collections.abc import Sequence

from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# In the order of their making, so that a table comes after those that it names.
TABLES = (
    "org_units",
    "products",
    "staff",
    "customers",
    "contacts",
    "identifiers",
    "scores",
    "addresses",
    "contact_points",
    "orders",
    "interactions",
    "order_items",
)

# One row per changed row. Partitions are days, made ahead and dropped when they are old; what no day is made for lands in
# the default partition, so that no write ever fails for want of one. The sequence keeps no numbers back (CACHE 1): the
# order in which it gives them out is the order of the rows' locks. There is no CHECK on what triggers alone write: one that
# compares a text with a list costs each statement 4 µs, in which it is parsed anew.
LOG = """
create sequence change_log_id as bigint cache 1;
create table change_log (
    id bigint not null default nextval('change_log_id'),
    day date not null default current_date,
    at timestamptz not null default clock_timestamp(),
    transaction_id xid8 not null default pg_current_xact_id(),
    table_name text not null,
    row_id uuid not null,
    version integer not null,
    operation text not null,  -- CREATE, UPDATE or DELETE
    changed text[] not null,
    before jsonb,
    after jsonb,
    customer_id uuid,
    actor text not null default coalesce(nullif(current_setting('hub.actor', true), ''), 'db:' || session_user),
    request text default nullif(current_setting('hub.request', true), ''),
    primary key (id, day)
) partition by range (day);
create table change_log_default partition of change_log default;
alter sequence change_log_id owned by change_log.id;
create index ix_change_log_row_id_id on change_log (row_id, id);
comment on table change_log is 'Every change of a row of the graph, with its images before and after.';
"""

REFUSE = """
create function hub_refuse() returns trigger
language plpgsql as $$
begin
    if tg_op = 'TRUNCATE' then
        raise exception 'the rows of % are deleted, not truncated: the log of changes would miss them', tg_table_name
            using errcode = 'feature_not_supported';
    end if;
    raise exception 'the key of a row of % stays as it is: insert another row instead', tg_table_name
        using errcode = 'feature_not_supported';
end
$$
"""

# Writes a table's triggers, from its columns as they are: called once for a new table, and again when columns change.
# Columns are compared one by one, as what they are; comparing rows as JSON would cost an update half as much again.
# A row's version counts its edits, whoever makes them; a writer who counts by himself is left alone. Whether there is
# something to count is asked inside the function: a trigger's WHEN is parsed anew for every statement, 17 µs for a customer.
# `search_text` follows from other columns and is left out. The loader of sample data, which have no history to tell,
# sets `hub.capture` to off.
CAPTURE = r"""
create function hub_capture(of regclass) returns void
language plpgsql as $$
declare
    name text := (select relname from pg_class where oid = of);
    columns text[] := (
        select array_agg(attname::text order by attnum) from pg_attribute
        where attrelid = of and attnum > 0 and not attisdropped and attname <> 'search_text'
    );
    told text[] := (select array_agg(each) from unnest(columns) as each where each not in ('version', 'updated_at'));
    hidden text := case when exists (
        select from pg_attribute where attrelid = of and attname = 'search_text' and not attisdropped
    ) then ' - ''search_text''' else '' end;
    customer text := case when name = 'customers' then 'id' when 'customer_id' = any(columns) then 'customer_id' end;
    changes text := (
        select string_agg(format('case when o.%1$I is distinct from n.%1$I then %1$L end', each), ', ') from unnest(told) as each
    );
    differs text := (
        select string_agg(format('o.%1$I is distinct from n.%1$I', each), ' or ') from unnest(told) as each
    );
    edited text := (  -- generated columns follow from the others, and are not known yet before the row is stored
        select string_agg(format('old.%1$I is distinct from new.%1$I', attname), ' or ') from pg_attribute
        where attrelid = of and attname = any(told) and attgenerated = ''
    );
    head text := format(
        'insert into change_log (table_name, row_id, version, operation, changed, before, after, customer_id) select %L, ', name
    );
    body text;
    operation text;
    source text;
begin
    foreach operation in array array['insert', 'update', 'delete'] loop
        if operation = 'insert' then
            body := head || format('n.id, n.version, ''CREATE'', %L::text[], null, to_jsonb(n)%s, %s from hub_new as n',
                told, hidden, coalesce('n.' || customer, 'null'));
            source := 'new table as hub_new';
        elsif operation = 'update' then
            body := head || format('n.id, n.version, ''UPDATE'', array_remove(array[%s], null), to_jsonb(o)%s, to_jsonb(n)%s, %s
                from hub_old as o join hub_new as n on n.id = o.id where %s',
                changes, hidden, hidden, coalesce('n.' || customer, 'null'), differs);
            source := 'old table as hub_old new table as hub_new';
        else
            body := head || format('o.id, o.version, ''DELETE'', %L::text[], to_jsonb(o)%s, null, %s from hub_old as o',
                told, hidden, coalesce('o.' || customer, 'null'));
            source := 'old table as hub_old';
        end if;
        execute format('create or replace function %I() returns trigger language plpgsql as $body$
            begin
                if current_setting(''hub.capture'', true) is distinct from ''off'' then %s; end if;
                return null;
            end $body$', format('hub_capture_%s_%s', name, operation), body);
        execute format('create or replace trigger %I after %s on %s referencing %s for each statement execute function %I()',
            'capture_' || operation, operation, of, source, format('hub_capture_%s_%s', name, operation));
    end loop;
    execute format('create or replace function %I() returns trigger language plpgsql as $body$
        begin
            if new.version = old.version and (%s) then
                new.version := old.version + 1;
                new.updated_at := now();
            end if;
            return new;
        end $body$', 'hub_touch_' || name, edited);
    execute format('create or replace trigger touch before update on %s for each row execute function %I()',
        of, 'hub_touch_' || name);
    execute format('create or replace trigger keep_key before update of id on %s for each row
        when (new.id <> old.id) execute function hub_refuse()', of);
    execute format('create or replace trigger keep_rows before truncate on %s execute function hub_refuse()', of);
end
$$
"""


def upgrade() -> None:
    for statement in LOG.split(";\n"):
        if statement.strip():
            op.execute(statement)
    op.execute(REFUSE)
    op.execute(CAPTURE)
    for table in TABLES:
        op.execute(f"select hub_capture('{table}')")


def downgrade() -> None:
    for table in TABLES:
        for trigger in ("capture_insert", "capture_update", "capture_delete", "touch", "keep_key", "keep_rows"):
            op.execute(f"drop trigger {trigger} on {table}")
        for operation in ("insert", "update", "delete"):
            op.execute(f"drop function hub_capture_{table}_{operation}()")
        op.execute(f"drop function hub_touch_{table}()")
    op.execute("drop function hub_capture(regclass)")
    op.execute("drop function hub_refuse()")
    op.execute("drop table change_log")
