"""The audit log: entries and what they are about, their digests, what waits to be chained, and the context of each change.

Adds a column to change_log, which is locked ACCESS EXCLUSIVE until the transaction ends; its rows are not rewritten. Changes
that have a position already are not audited: the log begins with this migration."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0025"
down_revision: str | None = "0024"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# A change carries who made it and how: hub/model/audit.py writes the setting, a JSON object.
CONTEXT = """
alter table change_log add column context text default nullif(current_setting('hub.context', true), '')
"""

# What waits to be chained: reads, in batches, and what leaves no change behind. The columns are typed and checked here, so
# that no row can stop the chain.
TABLES = """
create table audit_pending (
    id bigint generated always as identity primary key,
    kind text not null check (kind in ('READ', 'PERMISSION', 'KEY', 'EXPORT', 'MERGE', 'ERASURE', 'LOSS')),
    at timestamptz not null,
    last_at timestamptz not null,
    actor text, staff_id uuid, subject text, network text, operation text, document text,
    root_fields text[] not null, requests text[] not null, times integer not null, customer_id uuid,
    targets jsonb not null check (jsonb_typeof(targets) = 'array')
);
comment on table audit_pending is 'Entries of the audit log that the sequencer has not chained yet.';
create table audit_chain (number bigint primary key, header bytea not null, targets bytea not null, digest bytea not null);
comment on table audit_chain is 'The digest of every entry of the audit log, keyed and chained: it survives its contents.';
comment on column audit_chain.header is 'SHA-256 of the entry and its salt.';
comment on column audit_chain.targets is 'SHA-256 of each target and its salt, one after the other.';
comment on column audit_chain.digest is 'HMAC-SHA-256 of the digest before, the number, time, kind and both columns above.';
create table audit_head (
    number bigint not null default 0, digest bytea not null default decode(repeat('00', 32), 'hex'),
    position bigint not null, one boolean primary key default true check (one)
);
comment on table audit_head is 'One row: the last number and digest, and the position of the last change that has an entry.';
create table audit_checkpoints (
    number bigint primary key, digest bytea not null, seal bytea not null
);
comment on table audit_checkpoints is 'Where the log begins since older entries were deleted; the seal is keyed.';
insert into audit_head (position)
    select greatest((select max(position) from change_order), feed.least_position - 1) from change_feed as feed;
create index ix_audit_targets_customer_id on audit_targets (customer_id) where customer_id is not null;
create index ix_audit_entries_viewer_customer_id on audit_entries (viewer_customer_id) where viewer_customer_id is not null
"""

# The state of a running HMAC-SHA-256 whose padded keys the hub derives; the database never sees the key itself.
DIGEST = """
create function hub_audit_step(state bytea, before_first bytea, inner_key bytea, outer_key bytea, message bytea) returns bytea
language sql immutable as $$
    select sha256(outer_key || sha256(inner_key || coalesce(state, before_first) || message))
$$;
create aggregate hub_audit_digest(bytea, bytea, bytea, bytea) (sfunc = hub_audit_step, stype = bytea);
create function hub_audit_id(number bigint) returns uuid
language sql immutable as $$ select lpad(to_hex(number), 32, '0')::uuid $$;
create function hub_micros(at timestamptz) returns bigint
language sql immutable as $$ select (extract(epoch from at) * 1000000)::bigint $$;
create function hub_audit_row(salt text, row_id text) returns text
language sql immutable as $$
    select case when row_id like '~%' then substr(row_id, 2) else encode(sha256(convert_to(salt || row_id, 'UTF8')), 'hex') end
$$;
create function hub_audit_rows(salt text, row_ids text[]) returns text
language sql immutable as $$
    select string_agg(hub_audit_row(salt, row_id), '' order by place)
    from unnest(row_ids) with ordinality as named (row_id, place)
$$
"""

# Chains one batch: what waits, then the changes behind the last position, one entry for each transaction. The padded keys
# are those of two blocks of 65,536 numbers; null says that the log has left the first. `names` has each table's type,
# prefix and fields. A context that anybody set by hand must not stop the chain, so nothing in it is cast unchecked.
CHAIN = """
create function hub_audit_chain(
    first_block bigint, inner_keys bytea[], outer_keys bytea[], names jsonb, page integer,
    out chained bigint, out last_number bigint, out more boolean
) language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    head audit_head;
    last_position bigint;
    last_digest bytea;
    pending integer;
begin
    select * into strict head from audit_head for update;
    if head.number / 65536 <> first_block then
        return;
    end if;
    with removed as (
        delete from audit_pending where id in (select id from audit_pending order by id limit page) returning *
    ), page_of_log as materialized (
        select o.position, o.id from change_order as o where o.position > head.position order by o.position limit page
    ), changes as materialized (
        select p.position, l.*, case when pg_input_is_valid(l.context, 'jsonb') then l.context::jsonb end as sent
        from page_of_log as p join change_log as l on l.id = p.id and l.id = any(array(select id from page_of_log))
    ), classified as (
        select c.*, case when sent ->> 'kind' in ('PERMISSION', 'KEY', 'EXPORT', 'MERGE', 'ERASURE') then sent ->> 'kind'
            else coalesce(names -> c.table_name ->> 'kind', 'WRITE') end as kind,
            names -> c.table_name as name
        from changes as c
    ), grouped as (
        select 1 as source, min(position) as place, kind, min(at) as at, max(at) as last_at, actor, sent, request,
            jsonb_agg(jsonb_build_array(
                coalesce(name ->> 'type', table_name),
                jsonb_build_array(coalesce((name ->> 'prefix') || '_', '') || replace(row_id::text, '-', '')),
                operation,
                (select coalesce(jsonb_agg(coalesce(name -> 'fields' ->> column_name, column_name) order by ordinality), '[]')
                    from unnest(changed) with ordinality as changed_columns (column_name, ordinality)),
                1, customer_id
            ) order by position) as targets
        from classified group by transaction_id, actor, request, sent, kind
    ), gathered as (
        select 0 as source, id as place, kind, at, last_at, actor, staff_id, subject, network, operation, document,
            root_fields, requests, times, customer_id, targets from removed
        union all
        select source, place, kind, at, last_at, actor,
            case when pg_input_is_valid(sent ->> 'staff', 'uuid') then (sent ->> 'staff')::uuid end,
            sent ->> 'subject', sent ->> 'network', sent ->> 'operation', sent ->> 'document',
            array(select jsonb_array_elements_text(
                case when jsonb_typeof(sent -> 'roots') = 'array' then sent -> 'roots' else '[]' end)),
            array_remove(array[request], null), 1,
            case when pg_input_is_valid(sent ->> 'customer', 'uuid') then (sent ->> 'customer')::uuid end, targets
        from grouped
    ), numbered as materialized (
        select head.number + row_number() over (order by at, source, place) as number, * from gathered
    ), entries as (
        insert into audit_entries (id, kind, actor, staff_id, subject, network, operation, document, root_fields, requests,
            times, last_at, viewer_customer_id, salt, created_at, updated_at)
        select hub_audit_id(number), kind, actor, staff_id, subject, network, operation, document, root_fields, requests,
            times, last_at, customer_id, gen_random_uuid()::text, at, at
        from numbered order by number
        returning *
    ), subjects as (
        insert into audit_targets (id, entry_id, entity, row_ids, operation, fields, times, ordinal, customer_id, salt,
            created_at, updated_at)
        select (lpad(to_hex(number), 16, '0') || lpad(to_hex(ordinality), 16, '0'))::uuid, hub_audit_id(number),
            coalesce(item ->> 0, ''), array(select jsonb_array_elements_text(item -> 1)), item ->> 2,
            array(select jsonb_array_elements_text(item -> 3)), (item ->> 4)::integer, ordinality, (item ->> 5)::uuid,
            gen_random_uuid()::text, at, at
        from numbered cross join jsonb_array_elements(targets) with ordinality as items (item, ordinality)
        order by number, ordinality
        returning *
    ), leaves as (
        select entry_id, string_agg(sha256(convert_to(salt || jsonb_build_array(
                entity, operation, to_jsonb(fields), times, customer_id
            )::text || coalesce(case when cardinality(row_ids) = 1 then hub_audit_row(salt, row_ids[1])
                else hub_audit_rows(salt, row_ids) end, ''), 'UTF8')), ''::bytea order by ordinal) as targets
        from subjects group by entry_id
    ), hashed as (
        select n.number, e.kind, e.created_at, coalesce(l.targets, ''::bytea) as targets,
            sha256(convert_to(e.salt || jsonb_build_array(e.actor, e.staff_id, e.subject, e.network, e.operation, e.document,
                to_jsonb(e.root_fields), to_jsonb(e.requests), e.times, hub_micros(e.last_at), e.viewer_customer_id)::text,
                'UTF8')) as header
        from numbered as n join entries as e on e.id = hub_audit_id(n.number) left join leaves as l on l.entry_id = e.id
    ), digests as (
        insert into audit_chain (number, header, targets, digest)
        select number, header, targets, hub_audit_digest(
            head.digest, inner_keys[(number / 65536 - first_block)::integer + 1],
            outer_keys[(number / 65536 - first_block)::integer + 1],
            int8send(number) || int8send(hub_micros(created_at)) || convert_to(rpad(kind, 16), 'UTF8')
                || header || sha256(targets)
        ) over (order by number)
        from hashed order by number
        returning number, digest
    )
    select count(*), max(number), (select digest from digests order by number desc limit 1),
        (select max(position) from page_of_log), (select count(*) from removed)
    into chained, last_number, last_digest, last_position, pending from digests;
    more := pending = page or coalesce(last_position - head.position >= page, false);
    last_number := coalesce(last_number, head.number);
    if last_number > head.number or last_position > head.position then
        update audit_head set number = last_number, digest = coalesce(last_digest, head.digest),
            position = coalesce(last_position, head.position);
    end if;
end
$$
"""

# Records every change of a table whose changes the change log does not capture: keys' limits, trusted documents, sessions,
# links and secrets. A statement adds what waits to be chained in its own transaction, whoever runs it. `row_name` is the
# text that names a row `r`; rows of one name are one target. Deleting a row that meets `over` is tidying, not an event.
AUDIT_TABLE = r"""
create function hub_audit_table(
    of regclass, entry_kind text, row_name text, secret text[], over text, operations text[] default '{insert,update,delete}'
) returns void
language plpgsql as $$
declare
    name text := (select relname from pg_class where oid = of);
    columns text[] := (
        select array_agg(attname::text order by attnum) from pg_attribute
        where attrelid = of and attnum > 0 and not attisdropped
    );
    keys text[] := (
        select array_agg(attname::text order by attnum)
        from pg_index join pg_attribute on attrelid = indrelid and attnum = any(indkey) where indrelid = of and indisprimary
    );
    shown text := (
        select quote_literal(coalesce(array_agg(c), '{}')::text) from unnest(columns) as c where c <> all(keys || secret)
    );
    same_key text := (select string_agg(format('o.%1$I = n.%1$I', c), ' and ') from unnest(keys) as c);
    changed text := (
        select string_agg(format('case when o.%1$I is distinct from n.%1$I then %1$L end', c), ', ') from unnest(columns) as c
    );
    sources jsonb := jsonb_build_object(
        'insert', format($sql$select %s as row_name, 'CREATE' as operation, %s::text[] as fields
            from hub_new as r$sql$, row_name, shown),
        'delete', format($sql$select %s as row_name, 'DELETE' as operation, %s::text[] as fields
            from hub_old as r where (%s) is not true$sql$, row_name, shown, over),
        'update', format($sql$select coalesce(
                (select %1$s from (select n.*) as r where n.%2$I is not null), (select %1$s from (select o.*) as r)
            ) as row_name,
            case when o.%2$I is null then 'CREATE' when n.%2$I is null then 'DELETE' else 'UPDATE' end as operation,
            array_remove(array[%3$s], null) as fields
            from hub_old as o full join hub_new as n on %4$s where o is distinct from n$sql$,
            row_name, keys[1], changed, same_key)
    );
    operation text;
begin
    foreach operation in array operations loop
        execute format($sql$create or replace function %I() returns trigger
            language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $body$
            declare
                sent jsonb;
            begin
                if pg_input_is_valid(nullif(current_setting('hub.context', true), ''), 'jsonb') then
                    sent := current_setting('hub.context', true)::jsonb;
                end if;
                insert into audit_pending (kind, at, last_at, actor, staff_id, subject, network, operation, document,
                    root_fields, requests, times, customer_id, targets)
                select %L, clock_timestamp(), clock_timestamp(),
                    coalesce(nullif(current_setting('hub.actor', true), ''), 'db:' || session_user),
                    case when pg_input_is_valid(sent ->> 'staff', 'uuid') then (sent ->> 'staff')::uuid end,
                    sent ->> 'subject', sent ->> 'network', sent ->> 'operation', sent ->> 'document',
                    array(select jsonb_array_elements_text(
                        case when jsonb_typeof(sent -> 'roots') = 'array' then sent -> 'roots' else '[]' end)),
                    array_remove(array[nullif(current_setting('hub.request', true), '')], null), 1,
                    case when pg_input_is_valid(sent ->> 'customer', 'uuid') then (sent ->> 'customer')::uuid end,
                    jsonb_agg(
                        jsonb_build_array(%L, jsonb_build_array(row_name), operation, fields, times, null) order by row_name)
                from (
                    select *, (row_number() over (order by row_name) - 1) / 1000 as page from (
                        select row_name, operation, fields, count(*) as times from (%s) as changes group by 1, 2, 3
                    ) as named
                ) as paged group by page;
                return null;
            end $body$ $sql$, format('hub_audit_%s_%s', name, operation), entry_kind, name, sources ->> operation);
        execute format('create or replace trigger %I after %s on %s referencing %s for each statement execute function %I()',
            'audit_' || operation, operation, of, case operation when 'insert' then 'new table as hub_new'
                when 'delete' then 'old table as hub_old' else 'old table as hub_old new table as hub_new' end,
            format('hub_audit_%s_%s', name, operation));
    end loop;
    execute format('create or replace trigger audit_truncate before truncate on %s execute function hub_refuse()', of);
end
$$
"""
# Table, kind of its entries, the name of a row `r`, secret columns, and when deleting it is tidying; the operations. The hub
# makes its own secrets at first use, which is nobody's act.
KEY_ROW = "'key_' || replace(r.key_id::text, '-', '')"
WEBHOOK_ROW = "'whk_' || replace(r.webhook_id::text, '-', '')"
AUDITED_TABLES = (
    ("key_limits", "KEY", KEY_ROW, "{}", "false"),
    ("trusted_documents", "PERMISSION", "r.manifest", "{}", "false"),
    ("login_links", "KEY", KEY_ROW, "{hash}", "r.expires_at <= now()"),
    ("webhook_secrets", "KEY", WEBHOOK_ROW, "{box}", "r.ends_at <= now()"),
    ("secrets", "KEY", "r.name", "{value}", "false", "{update,delete}"),
)

# Takes out what names a customer: entries of its own keys, and targets that are its rows. The digests stay. The entry of
# the erasure itself is chained later: it is the proof.
ERASE = """
create function hub_audit_erase(erased uuid, rows text[]) returns bigint
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    total bigint;
    part bigint;
begin
    update audit_pending set actor = null, staff_id = null, subject = null, network = null, operation = null, document = null,
        requests = '{}', customer_id = null where customer_id = erased;
    update audit_pending set targets = (
        select coalesce(jsonb_agg(jsonb_set(item, '{1}', (item -> 1) - rows)), '[]') from jsonb_array_elements(targets) as item
    ) where exists (select from jsonb_array_elements(targets) as item where (item -> 1) ?| rows);
    update audit_targets set row_ids = array(
        select case when row_id = any(rows) then '~' || hub_audit_row(salt, row_id) else row_id end
        from unnest(row_ids) with ordinality as named (row_id, place) order by place
    ), version = version + 1, updated_at = now() where operation = 'READ' and row_ids && rows;
    get diagnostics total = row_count;
    update audit_targets set entity = '', row_ids = '{}', operation = 'ERASED', fields = '{}', times = 0, customer_id = null,
        salt = null, version = version + 1, updated_at = now() where operation <> 'READ' and row_ids && rows
        or customer_id = erased;
    get diagnostics part = row_count;
    total := total + part;
    update audit_entries set actor = null, staff_id = null, subject = null, network = null, operation = null, document = null,
        root_fields = '{}', requests = '{}', times = 0, last_at = created_at, viewer_customer_id = null, salt = null,
        version = version + 1, updated_at = now() where viewer_customer_id = erased;
    get diagnostics part = row_count;
    return total + part;
end
$$
"""

# Deletes a beginning of the log that is older than thirty days; a sealed checkpoint takes its place.
PRUNE = """
create function hub_audit_prune(up_to bigint, checkpoint bytea, checkpoint_seal bytea, batch integer) returns boolean
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    removed bigint[];
begin
    perform from audit_chain where number = up_to and digest = checkpoint;
    if found then
        if exists (select from audit_entries where id = hub_audit_id(up_to) and created_at > now() - interval '30 days') then
            raise exception 'entries of the last thirty days are not deleted' using errcode = 'insufficient_privilege';
        end if;
        insert into audit_checkpoints (number, digest, seal) values (up_to, checkpoint, checkpoint_seal)
            on conflict do nothing;
        delete from audit_checkpoints where number < up_to;
    elsif not exists (select from audit_checkpoints where number = up_to and digest = checkpoint) then
        return false;
    end if;
    with old as (
        delete from audit_chain where number in (select number from audit_chain where number <= up_to order by number limit batch)
        returning number
    ) select array_agg(number) into removed from old;
    delete from audit_targets where entry_id = any(select hub_audit_id(number) from unnest(removed) as number);
    delete from audit_entries where id = any(select hub_audit_id(number) from unnest(removed) as number);
    return cardinality(removed) = batch;
end
$$
"""

FUNCTIONS = (
    "hub_audit_chain(bigint, bytea[], bytea[], jsonb, integer)",
    "hub_audit_erase(uuid, text[])",
    "hub_audit_prune(bigint, bytea, bytea, integer)",
)


def upgrade() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and permanent."),
        sa.Column(
            "kind",
            sa.Enum(
                "READ",
                "WRITE",
                "PERMISSION",
                "KEY",
                "EXPORT",
                "MERGE",
                "ERASURE",
                "LOSS",
                name="auditkind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
            comment="What was done.",
        ),
        sa.Column(
            "actor",
            sa.Text(),
            nullable=True,
            comment="The key, as `key:` and its id; `db:` and a user for direct SQL. Empty once erased.",
        ),
        sa.Column("staff_id", sa.Uuid(), nullable=True, comment="The member of staff behind the key."),
        sa.Column("subject", sa.Text(), nullable=True, comment="The subject of the token, if the caller sent a token."),
        sa.Column("network", sa.Text(), nullable=True, comment="The address that the request came from."),
        sa.Column(
            "operation", sa.Text(), nullable=True, comment="The name of the operation, if the document names it."
        ),
        sa.Column("document", sa.Text(), nullable=True, comment="SHA-256 of the document, in hexadecimal digits."),
        sa.Column(
            "root_fields", postgresql.ARRAY(sa.Text()), nullable=False, comment="The root fields of the operation."
        ),
        sa.Column(
            "requests",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="The ids of the requests, up to a thousand.",
        ),
        sa.Column("times", sa.Integer(), nullable=False, comment="The number of requests."),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False, comment="Time of the last request."),
        sa.Column(
            "viewer_customer_id", sa.Uuid(), nullable=True, comment="The customer that the caller's key is bound to."
        ),
        sa.Column(
            "salt",
            sa.Text(),
            nullable=True,
            comment="Hides the contents behind their digest; empty once they are erased.",
        ),
        sa.Column(
            "version",
            sa.Integer(),
            server_default=sa.text("1"),
            nullable=False,
            comment="Counts the row's edits, from 1; an update may name the version that it is based on.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="Time of creation.",
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="Time of the last edit.",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entries")),
        comment="What one caller did: a write with all its rows, or equal reads within a second. `createdAt` is when.",
    )
    op.create_index("ix_audit_entries_created_at_id", "audit_entries", ["created_at", "id"], unique=False)
    op.create_table(
        "audit_targets",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False, comment="Unique and permanent."),
        sa.Column("entry_id", sa.Uuid(), nullable=False, comment="The entry."),
        sa.Column(
            "entity",
            sa.Text(),
            nullable=False,
            comment="The type of the row, or the name of its table. Empty once erased.",
        ),
        sa.Column(
            "row_ids",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="The id of the row, or of the rows that a read names. Of an erased row, `~` and a digest.",
        ),
        sa.Column(
            "operation",
            sa.Enum(
                "READ",
                "CREATE",
                "UPDATE",
                "DELETE",
                "ERASED",
                name="auditoperation",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
            comment="What happened to it.",
        ),
        sa.Column(
            "fields", postgresql.ARRAY(sa.Text()), nullable=False, comment="The fields that were read or changed."
        ),
        sa.Column("times", sa.Integer(), nullable=False, comment="The number of requests."),
        sa.Column("ordinal", sa.Integer(), nullable=False, comment="Its place in the entry, from 1."),
        sa.Column("customer_id", sa.Uuid(), nullable=True, comment="The customer whose row it is, if known."),
        sa.Column(
            "salt",
            sa.Text(),
            nullable=True,
            comment="Hides the contents behind their digest; empty once they are erased.",
        ),
        sa.Column(
            "version",
            sa.Integer(),
            server_default=sa.text("1"),
            nullable=False,
            comment="Counts the row's edits, from 1; an update may name the version that it is based on.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="Time of creation.",
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="Time of the last edit.",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_targets")),
        comment="A row, or a type of rows, that an entry of the audit log is about.",
    )
    op.create_index("ix_audit_targets_created_at_id", "audit_targets", ["created_at", "id"], unique=False)
    op.create_index("ix_audit_targets_entry_id", "audit_targets", ["entry_id"], unique=False)
    op.create_index("ix_audit_targets_row_ids", "audit_targets", ["row_ids"], unique=False, postgresql_using="gin")
    for statement in (CONTEXT + ";\n" + TABLES).split(";\n"):
        op.execute(statement)
    for statement in DIGEST.split(";\n"):
        op.execute(statement)
    for statement in (CHAIN, ERASE, PRUNE, AUDIT_TABLE):
        op.execute(statement)
    for table in AUDITED_TABLES:
        op.execute("select hub_audit_table({})".format(", ".join(f"$sql${text}$sql$" for text in table)))
    for function in FUNCTIONS:
        op.execute(f"revoke execute on function {function} from public")


def downgrade() -> None:
    for table, *_ in AUDITED_TABLES:
        op.execute(f"drop trigger audit_truncate on {table}")
        for operation in ("insert", "update", "delete"):
            op.execute(f"drop function if exists hub_audit_{table}_{operation}() cascade")  # with its trigger
    op.execute("drop function hub_audit_table")
    for function in FUNCTIONS:
        op.execute(f"drop function {function}")
    op.execute("drop aggregate hub_audit_digest(bytea, bytea, bytea, bytea)")
    op.execute("drop function hub_audit_step(bytea, bytea, bytea, bytea, bytea)")
    op.execute("drop function hub_audit_id(bigint)")
    op.execute("drop function hub_micros(timestamptz)")
    op.execute("drop function hub_audit_rows(text, text[])")
    op.execute("drop function hub_audit_row(text, text)")
    for table in ("audit_checkpoints", "audit_head", "audit_chain", "audit_pending"):
        op.drop_table(table)
    op.execute("alter table change_log drop column context")
    op.drop_index("ix_audit_targets_row_ids", table_name="audit_targets", postgresql_using="gin")
    op.drop_index("ix_audit_targets_entry_id", table_name="audit_targets")
    op.drop_index("ix_audit_targets_created_at_id", table_name="audit_targets")
    op.drop_table("audit_targets")
    op.drop_index("ix_audit_entries_created_at_id", table_name="audit_entries")
    op.drop_table("audit_entries")
