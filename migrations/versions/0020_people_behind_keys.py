"""People behind keys: staff, allowed networks and rotation of API keys, the last day of staff, and secret columns.

API keys become rows of the graph, so their changes are captured. Locks api_keys and staff ACCESS EXCLUSIVE until the
transaction ends: the new columns change the catalog only; both tables are small. `change_exceptions` names the columns that
the change log leaves out (secret) or whose changes alone it does not record (unlogged)."""

from collections.abc import Sequence

from alembic import op

revision: str = "0020"
down_revision: str | None = "0019"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

EXCEPTIONS = """
create table change_exceptions (
    table_name text not null,
    column_name text not null,
    reason text not null check (reason in ('secret', 'unlogged')),
    primary key (table_name, column_name)
);
comment on table change_exceptions is 'Columns that the change log leaves out, or whose changes alone it does not record.';
insert into change_exceptions (table_name, column_name, reason) values
    ('api_keys', 'hash', 'secret'), ('api_keys', 'previous_hash', 'secret'), ('api_keys', 'last_used_at', 'unlogged')
"""

# As in 0003, but for the columns in `change_exceptions`. Functions of tables without such columns stay as they are.
CAPTURE = r"""
create or replace function hub_capture(of regclass) returns void
language plpgsql as $$
declare
    name text := (select relname from pg_class where oid = of);
    omitted text[] := array(
        select attname::text from pg_attribute where attrelid = of and attname = 'search_text' and not attisdropped
        union all select column_name from change_exceptions where table_name = name and reason = 'secret'
    );
    columns text[] := (
        select array_agg(attname::text order by attnum) from pg_attribute
        where attrelid = of and attnum > 0 and not attisdropped and attname <> all(omitted)
    );
    compared text[] := (
        select array_agg(column_name) from unnest(columns) as column_name
        where column_name not in ('version', 'updated_at') and column_name not in (
            select e.column_name from change_exceptions as e where e.table_name = name and e.reason = 'unlogged'
        )
    );
    without text := case when cardinality(omitted) = 0 then '' when cardinality(omitted) = 1 then format(' - %L', omitted[1])
        else format(' - %L::text[]', omitted) end;
    customer text := case when name = 'customers' then 'id' when 'customer_id' = any(columns) then 'customer_id' end;
    changes text := (
        select string_agg(format('case when o.%1$I is distinct from n.%1$I then %1$L end', column_name), ', ')
        from unnest(compared) as column_name
    );
    differs text := (
        select string_agg(format('o.%1$I is distinct from n.%1$I', column_name), ' or ') from unnest(compared) as column_name
    );
    edited text := (  -- generated columns follow from the others, and are not known yet before the row is stored
        select string_agg(format('old.%1$I is distinct from new.%1$I', attname), ' or ') from pg_attribute
        where attrelid = of and attname = any(compared) and attgenerated = ''
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
                compared, without, coalesce('n.' || customer, 'null'));
            source := 'new table as hub_new';
        elsif operation = 'update' then
            body := head || format('n.id, n.version, ''UPDATE'', array_remove(array[%s], null), to_jsonb(o)%s, to_jsonb(n)%s, %s
                from hub_old as o join hub_new as n on n.id = o.id where %s',
                changes, without, without, coalesce('n.' || customer, 'null'), differs);
            source := 'old table as hub_old new table as hub_new';
        else
            body := head || format('o.id, o.version, ''DELETE'', %L::text[], to_jsonb(o)%s, null, %s from hub_old as o',
                compared, without, coalesce('o.' || customer, 'null'));
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
# The function of 0003 that this one replaces, with its names.
CAPTURE_BEFORE = (
    CAPTURE.replace(
        """    omitted text[] := array(
        select attname::text from pg_attribute where attrelid = of and attname = 'search_text' and not attisdropped
        union all select column_name from change_exceptions where table_name = name and reason = 'secret'
    );
""",
        """    omitted text[] := array(
        select attname::text from pg_attribute where attrelid = of and attname = 'search_text' and not attisdropped
    );
""",
    )
).replace(
    """ and column_name not in (
            select e.column_name from change_exceptions as e where e.table_name = name and e.reason = 'unlogged'
        )""",
    "",
)

# Column, and its comment before and after.
COMMENTS = (
    ("id", "Unique and for ever.", "Unique and permanent."),
    ("created_at", "When it was issued.", "Time of creation."),
    ("role", "What it may do: admin, writer or reader.", "Its role: admin, writer or reader."),
    ("unit_id", "It sees this unit's subtree only.", "The unit whose subtree is all that it sees."),
    ("customer_id", "It sees this customer only.", "The only customer that it sees."),
    ("expires_at", "From when it is refused; empty for never.", "Time from which it is refused; empty for never."),
    ("revoked_at", "When it was revoked; empty while it lives.", "Time when it was revoked; empty while it lives."),
    (
        "last_used_at",
        "When it was last used, to the minute.",
        "Time of its last use, to the minute. Uses alone are no changes of the key.",
    ),
)
NEW_COLUMNS = (
    ("previous_hash", "bytea", "SHA-256 of the text that the key had before its last rotation."),
    ("previous_until", "timestamptz", "Time until which the text before the last rotation opens the API too."),
    (
        "follows_unit",
        "boolean not null default false",
        "Whether it sees the subtree of the unit where its member of staff works, and follows the person to another one.",
    ),
    (
        "allowed_networks",
        "text[] not null default '{}'",
        "Networks that it may be used from, like 10.1.0.0/16 or 2001:db8::/32; empty for all.",
    ),
    ("staff_id", "uuid", "The member of staff whose key it is; empty for a system's."),
    (
        "version",
        "integer not null default 1",
        "Counts the row's edits, from 1; an update may name the version that it is based on.",
    ),
    ("updated_at", "timestamptz not null default now()", "Time of the last edit."),
)
SESSION_OF = "The key whose session it is: it acts as that key and ends with it; empty for a key of its own."
LEFT_ON = "Last day of work; from the next day (UTC), no key of the person opens the API."


def upgrade() -> None:
    for statement in EXCEPTIONS.split(";\n"):
        op.execute(statement)
    op.execute(CAPTURE)
    for name, type_, comment in NEW_COLUMNS:
        op.execute(f"alter table api_keys add column {name} {type_}")
        _comment("api_keys", name, comment)
    for name, _, comment in COMMENTS:
        _comment("api_keys", name, comment)
    op.execute("alter table api_keys rename column session_of to session_of_id")
    op.execute("alter table api_keys rename constraint fk_api_keys_session_of to fk_api_keys_session_of_id")
    op.execute("alter index ix_api_keys_session_of rename to ix_api_keys_session_of_id")
    _comment("api_keys", "session_of_id", SESSION_OF)
    op.create_foreign_key(op.f("fk_api_keys_staff_id"), "api_keys", "staff", ["staff_id"], ["id"], ondelete="CASCADE")
    op.create_index("ix_api_keys_staff_id", "api_keys", ["staff_id"])
    op.create_index("ix_api_keys_created_at_id", "api_keys", ["created_at", "id"])
    op.create_index("ix_api_keys_name_id", "api_keys", ["name", "id"])
    op.execute("alter table api_keys drop constraint ck_api_keys_one_binding")
    _check("one_binding", "num_nonnulls(unit_id, customer_id) + follows_unit::integer <= 1")
    _check("staff_have_no_customer", "staff_id is null or customer_id is null")
    _check("staff_are_followed", "not follows_unit or staff_id is not null")
    _check("previous_hash_is_sha256", "octet_length(previous_hash) = 32")
    op.execute("alter table staff add column left_on date")
    _comment("staff", "left_on", LEFT_ON)
    for table in ("api_keys", "staff"):
        op.execute(f"select hub_capture('{table}')")


def downgrade() -> None:
    # A person's key would outlive the person, and one that follows a unit would see everything.
    op.execute("delete from api_keys where staff_id is not null")
    for trigger in ("capture_insert", "capture_update", "capture_delete", "touch", "keep_key", "keep_rows"):
        op.execute(f"drop trigger {trigger} on api_keys")
    for operation in ("insert", "update", "delete"):
        op.execute(f"drop function hub_capture_api_keys_{operation}()")
    op.execute("drop function hub_touch_api_keys()")
    op.execute("alter table staff drop column left_on")
    for constraint in ("previous_hash_is_sha256", "staff_are_followed", "staff_have_no_customer", "one_binding"):
        op.execute(f"alter table api_keys drop constraint ck_api_keys_{constraint}")
    _check("one_binding", "unit_id is null or customer_id is null")
    op.execute("drop index ix_api_keys_name_id, ix_api_keys_created_at_id")
    op.execute("alter index ix_api_keys_session_of_id rename to ix_api_keys_session_of")
    op.execute("alter table api_keys rename constraint fk_api_keys_session_of_id to fk_api_keys_session_of")
    op.execute("alter table api_keys rename column session_of_id to session_of")
    for name, _, _ in reversed(NEW_COLUMNS):
        op.execute(f"alter table api_keys drop column {name}")
    for name, comment, _ in COMMENTS:
        _comment("api_keys", name, comment)
    op.execute(CAPTURE_BEFORE)
    op.execute("select hub_capture('staff')")
    op.execute("drop table change_exceptions")


def _check(name: str, condition: str) -> None:
    op.execute(f"alter table api_keys add constraint ck_api_keys_{name} check ({condition})")


def _comment(table: str, column: str, comment: str) -> None:
    op.execute("comment on column {}.{} is '{}'".format(table, column, comment.replace("'", "''")))
