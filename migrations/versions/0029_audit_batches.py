"""Chaining the audit log costs less: names are looked up once per batch, and lists of ids are not compressed.

Sets how new values of three columns are stored, which locks their tables ACCESS EXCLUSIVE for a moment and rewrites no row.
The functions write the same log as before, so they stay after a downgrade."""

from collections.abc import Sequence

from alembic import op

revision: str = "0029"
down_revision: str | None = "0028"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# The state of a running HMAC-SHA-256. As a transition function PL/pgSQL takes a third of the time of SQL.
STEP = """
create or replace function hub_audit_step(state bytea, before_first bytea, inner_key bytea, outer_key bytea, message bytea)
returns bytea language plpgsql immutable as $$
begin
    return sha256(outer_key || sha256(inner_key || coalesce(state, before_first) || message));
end
$$
"""

# Chains one batch: what waits, then the changes behind the last position, one entry for each transaction. The padded keys
# are those of two blocks of 65,536 numbers; null says that the log has left the first. `names` has each table's type,
# prefix and fields. A context that anybody set by hand must not stop the chain, so nothing in it is cast unchecked.
# The planner knows no sizes of the steps; nested loops would compare each change with each other one.
CHAIN = """
create or replace function hub_audit_chain(
    first_block bigint, inner_keys bytea[], outer_keys bytea[], names jsonb, page integer,
    out chained bigint, out last_number bigint, out more boolean
) language plpgsql security definer set search_path = pg_catalog, public, pg_temp set enable_nestloop = off as $$
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
        select p.position, l.transaction_id, l.at, l.actor, l.request, coalesce(l.context, '') as context, l.table_name, l.row_id,
            l.operation, l.changed, l.customer_id
        from page_of_log as p join change_log as l on l.id = p.id and l.id = any(array(select id from page_of_log))
    ), contexts as materialized (
        select context, case when pg_input_is_valid(context, 'jsonb') then context::jsonb end as sent
        from (select distinct context from changes) as different
    ), shapes as materialized (
        select table_name, changed, coalesce(name ->> 'type', table_name) as entity,
            coalesce((name ->> 'prefix') || '_', '') as prefix, coalesce(name ->> 'kind', 'WRITE') as kind,
            array(
                select coalesce(name -> 'fields' ->> column_name, column_name)
                from unnest(changed) with ordinality as listed (column_name, place) order by place
            ) as fields
        from (select table_name, changed, names -> table_name as name from changes group by 1, 2) as different
    ), classified as (
        select c.*, s.entity, s.prefix, s.fields, t.sent,
            case when t.sent ->> 'kind' in ('PERMISSION', 'KEY', 'EXPORT', 'MERGE', 'ERASURE') then t.sent ->> 'kind'
                else s.kind end as kind
        from changes as c join contexts as t using (context) join shapes as s using (table_name, changed)
    ), placed as materialized (
        select *, min(position) over same as place, min(at) over same as first_at, max(at) over same as last_at,
            row_number() over (same order by position) as ordinal
        from classified window same as (partition by transaction_id, actor, request, context, kind)
    ), gathered as (
        select 0 as source, id as place, kind, at, last_at, actor, staff_id, subject, network, operation, document,
            root_fields, requests, times, customer_id, targets from removed
        union all
        select 1, place, kind, first_at, last_at, actor,
            case when pg_input_is_valid(sent ->> 'staff', 'uuid') then (sent ->> 'staff')::uuid end,
            sent ->> 'subject', sent ->> 'network', sent ->> 'operation', sent ->> 'document',
            array(select jsonb_array_elements_text(
                case when jsonb_typeof(sent -> 'roots') = 'array' then sent -> 'roots' else '[]' end)),
            array_remove(array[request], null), 1,
            case when pg_input_is_valid(sent ->> 'customer', 'uuid') then (sent ->> 'customer')::uuid end, null
        from placed where ordinal = 1
    ), numbered as materialized (
        select head.number + row_number() over (order by at, source, place) as number, gen_random_uuid()::text as salt, *
        from gathered
    ), entries as (
        insert into audit_entries (id, kind, actor, staff_id, subject, network, operation, document, root_fields, requests,
            times, last_at, viewer_customer_id, salt, created_at, updated_at)
        select hub_audit_id(number), kind, actor, staff_id, subject, network, operation, document, root_fields, requests,
            times, last_at, customer_id, salt, at, at
        from numbered order by number
    ), subjects as materialized (
        select number, at, gen_random_uuid()::text as salt, ordinality::integer as ordinal, coalesce(item ->> 0, '') as entity,
            array(select jsonb_array_elements_text(item -> 1)) as row_ids, item ->> 2 as operation,
            array(select jsonb_array_elements_text(item -> 3)) as fields, (item ->> 4)::integer as times,
            (item ->> 5)::uuid as customer_id
        from numbered cross join jsonb_array_elements(targets) with ordinality as items (item, ordinality) where source = 0
        union all
        select n.number, n.at, gen_random_uuid()::text, p.ordinal, p.entity,
            array[p.prefix || replace(p.row_id::text, '-', '')], p.operation, p.fields, 1, p.customer_id
        from placed as p join numbered as n on n.source = 1 and n.place = p.place
    ), stored as (
        insert into audit_targets (id, entry_id, entity, row_ids, operation, fields, times, ordinal, customer_id, salt,
            created_at, updated_at)
        select (lpad(to_hex(number), 16, '0') || lpad(to_hex(ordinal), 16, '0'))::uuid, hub_audit_id(number),
            entity, row_ids, operation, fields, times, ordinal, customer_id, salt, at, at
        from subjects order by number, ordinal
    ), leaves as (
        select number, string_agg(sha256(convert_to(salt || jsonb_build_array(
                entity, operation, to_jsonb(fields), times, customer_id
            )::text || coalesce((
                select string_agg(case when row_id like '~%' then substr(row_id, 2)
                    else encode(sha256(convert_to(salt || row_id, 'UTF8')), 'hex') end, '' order by place)
                from unnest(row_ids) with ordinality as named (row_id, place)
            ), ''), 'UTF8')), ''::bytea order by ordinal) as targets
        from subjects group by number
    ), hashed as (
        select number, kind, at, coalesce(l.targets, ''::bytea) as targets,
            sha256(convert_to(salt || jsonb_build_array(actor, staff_id, subject, network, operation, document,
                to_jsonb(root_fields), to_jsonb(requests), times, hub_micros(last_at), customer_id)::text, 'UTF8')) as header
        from numbered left join leaves as l using (number)
    ), digests as (
        insert into audit_chain (number, header, targets, digest)
        select number, header, targets, hub_audit_digest(
            head.digest, inner_keys[(number / 65536 - first_block)::integer + 1],
            outer_keys[(number / 65536 - first_block)::integer + 1],
            int8send(number) || int8send(hub_micros(at)) || convert_to(rpad(kind, 16), 'UTF8') || header || sha256(targets)
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

# Compressing ids takes longer than writing them, and saves a third of the space of row ids.
PLAIN_COLUMNS = (("audit_pending", "targets"), ("audit_pending", "requests"), ("audit_targets", "row_ids"))


def _set_storage(storage: str) -> None:
    op.execute("set local lock_timeout = '5s'")
    for table, column in PLAIN_COLUMNS:
        op.execute(f"alter table {table} alter column {column} set storage {storage}")


def upgrade() -> None:
    op.execute(STEP)
    op.execute(CHAIN)
    _set_storage("external")


def downgrade() -> None:
    _set_storage("extended")
