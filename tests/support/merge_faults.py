"""What no merge, undo or split may leave in a database, whatever happens at once."""

import asyncpg

from hub.model.merge_rules import customer_tables

FAULTS = {
    "a redirect leads to another": """
        select count(*) from customer_redirects as r join customer_redirects as next on next.merged_id = r.customer_id""",
    "a redirect leads away from a customer that exists": """
        select count(*) from customer_redirects as r join customers as c on c.id = r.merged_id""",
    "a merge has no redirect": """
        select count(*) from merges as m where m.status = 'DONE' and m.type = 'MERGE'
            and not exists (select from customer_redirects as r where r.merged_id = m.merged_key)""",
    "former ids differ from redirects": """
        select count(*) from customers as c where c.former_ids is distinct from array(
            select 'cus_' || replace(r.merged_id::text, '-', '') from customer_redirects as r where r.customer_id = c.id
                order by array_position(c.former_ids, 'cus_' || replace(r.merged_id::text, '-', '')))""",
    "a ledger outlives its merge": """
        select count(*) from merge_rows as l where not exists (
            select from merges as m where m.id = l.merge_id and m.status = 'DONE')""",
    "the ledger and the log disagree": """
        with ledger as (
            select m.id, l.table_name, count(distinct l.row_id) as moved from merges as m
            join merge_rows as l on l.merge_id = m.id and l.action = 'MOVED'
            where m.status = 'DONE' and l.table_name not in ('source_records', 'customer_redirects') group by 1, 2
        ), log as (
            select m.id, l.table_name, count(distinct l.row_id) as moved from merges as m
            join change_log as f on f.row_id = m.id and f.table_name = 'merges' and f.operation = 'CREATE'
            join change_log as l on l.transaction_id = f.transaction_id and l.operation = 'UPDATE'
                and l.changed && array['customer_id', 'other_id']
            where m.status = 'DONE' group by 1, 2
        )
        select count(*) from ledger full join log using (id, table_name) where ledger.moved is distinct from log.moved""",
    "an undo overwrote a later edit": """
        select count(*) from change_log as u
        join change_log as f on f.row_id = u.row_id and f.table_name = 'merges' and f.operation = 'CREATE'
        join change_log as e on e.transaction_id = u.transaction_id and e.table_name = 'customers' and e.operation = 'UPDATE'
        cross join unnest(e.changed) as c (name)
        join lateral (
            select m.after from change_log as m where m.transaction_id = f.transaction_id and m.row_id = e.row_id
                and m.operation = 'UPDATE' order by m.id desc limit 1
        ) as m on true
        where u.table_name = 'merges' and u.operation = 'UPDATE' and 'status' = any(u.changed)
            and c.name in ('name', 'country', 'language')
            and e.before -> c.name is distinct from m.after -> c.name""",
    "the feed has a hole": "select max(position) - min(position) + 1 - count(*) from change_order",
    "a row was lost": """
        select count(*) from change_log as l where l.table_name = 'contacts' and l.operation = 'DELETE'
            and not coalesce(l.before ? 'erased', false)""",
}


async def faults(connection: asyncpg.Connection) -> list[str]:
    """What is wrong in the database."""
    problems: list[str] = []
    for name, sql in FAULTS.items():
        if await connection.fetchval(sql):
            problems.append(name)
    for customer_table in customer_tables():
        if customer_table.has_subject:
            orphans = f"""select count(*) from {customer_table.name} as t where t.entity = 'Customer'
                and not exists (select from customers as c where c.id = t.row_id)"""
            if await connection.fetchval(orphans):
                problems.append(f"{customer_table.name} is about nobody")
        lost = f"""select count(*) from merge_rows as l where l.table_name = '{customer_table.name}' and l.action = 'MOVED'
            and not exists (select from {customer_table.name} as t where t.id = l.row_id)
            and not exists (select from change_log as c where c.row_id = l.row_id and c.operation = 'DELETE')"""
        if customer_table.name != "source_records" and await connection.fetchval(lost):
            problems.append(f"{customer_table.name} lost a row of a ledger")
    return problems
