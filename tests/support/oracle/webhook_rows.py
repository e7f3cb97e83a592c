"""API keys, roles, webhooks, deliveries, jobs and entries of the audit log as if there had been some; nobody works on them."""

import asyncpg

INSERT_ROWS = """
insert into api_keys (
    public_id, hash, name, role, unit_id, staff_id, follows_unit, allowed_networks, expires_at, revoked_at, created_at
)
select lpad(n::text, 8, 'a'), sha256(n::text::bytea), 'kéy ' || n % 6, (array['admin', 'writer', 'reader'])[1 + n % 3],
    case when n % 4 = 1 then (select id from org_units order by id limit 1) end,
    case when n % 4 = 2 then (select id from staff order by id offset n % 5 limit 1) end, n % 8 = 2,
    case when n % 5 = 0 then array['10.0.0.0/8', '::1/128'] else '{}' end,
    case when n % 3 = 0 then timestamptz '2030-01-01' + n * interval '1 day' end,
    case when n % 7 = 0 then timestamptz '1998-06-01' end, timestamptz '1998-01-01' + n % 5 * interval '8 days'
from generate_series(1, 16) as n;
insert into roles (name, digest, description) select 'role_' || n, repeat('0', 64), 'Rôle ' || n from generate_series(1, 4) as n;
insert into role_rules (role_id, entity, verbs, masks)
select r.id, 'Customer ' || r.name, array['READ'], '{}' from roles as r on conflict do nothing;
insert into role_budgets (role_id, capacity, refill_per_second) select id, 1000, 10 from roles on conflict do nothing;
insert into role_assignments (role_id, key_id) select r.id, k.id from roles as r, api_keys as k where k.name = 'kéy 1';
insert into role_assignments (role_id, staff_id) select r.id, s.id from roles as r, staff as s;
insert into webhooks (name, url, query, variables, operation_name, status, status_reason, owner, created_at)
select 'hook ' || n, 'https://example.net/' || n, 'subscription { changes { __typename } }', jsonb_build_object('n', n),
    case when n % 3 = 0 then 'Op' end, (array['PAUSED', 'FAILING', 'GONE'])[1 + n % 3], case when n % 2 = 0 then 'Tea.' end,
    (array['00000001', '0000000a'])[1 + n % 2], timestamptz '1998-01-01' + n % 5 * interval '9 days'
from generate_series(1, 12) as n;
insert into webhook_deliveries (
    owner, webhook_id, customer_id, cursor, status, attempts, next_attempt_at, delivered_at, reason, created_at
)
select w.owner, w.id, (select id from customers order by id offset n % 40 limit 1), 'cursor ' || n % 7,
    (array['PENDING', 'RETRYING', 'DELIVERED', 'DEAD', 'FOLDED'])[1 + n % 5], n % 11,
    case when n % 4 = 0 then timestamptz '1998-05-01' + n * interval '1 hour' end,
    case when n % 3 = 0 then timestamptz '1998-04-01' + n * interval '1 minute' end,
    case when n % 5 = 1 then 'The receiver answered 503.' end, timestamptz '1998-02-01' + n % 9 * interval '3 days'
from webhooks as w, generate_series(1, 8) as n;
insert into webhook_attempts (owner, delivery_id, number, status_code, milliseconds, error, answer, created_at)
select d.owner, d.id, n, case when n % 3 > 0 then 200 + n * 100 end, n * 17,
    case when n % 3 = 0 then 'the connection broke off' end, case when n % 3 > 0 then 'né ' || n end,
    d.created_at + n % 2 * interval '5 minutes'
from webhook_deliveries as d, generate_series(1, 3) as n;
insert into audit_entries (kind, actor, staff_id, operation, root_fields, requests, times, last_at, created_at)
select (array['READ', 'WRITE', 'KEY'])[1 + n % 3], 'key:' || lpad(n::text, 8, 'a'),
    case when n % 2 = 0 then (select id from staff order by id offset n % 5 limit 1) end,
    case when n % 3 = 0 then 'Óp' end, array['customers'], array['req_' || n], n,
    timestamptz '1998-03-01' + n * interval '1 hour', timestamptz '1998-03-01' + n % 6 * interval '1 hour'
from generate_series(1, 20) as n;
insert into audit_targets (entry_id, entity, row_ids, operation, fields, times, ordinal, created_at)
select e.id, (array['Customer', 'Order'])[n], array['row_' || n],
    case e.kind when 'READ' then 'READ' else 'UPDATE' end, array['name'], e.times, n, e.created_at
from audit_entries as e, generate_series(1, 2) as n;
insert into jobs (
    owner, type, name, status, reason, done, total, rate, eta, counts, started_at, finished_at, staff_id, created_at
)
select 'key_' || n, (array['IMPORT', 'EXPORT'])[1 + n % 2], 'fîle ' || n,
    (array['QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED'])[1 + n % 5],
    case when n % 5 = 3 then 'The disk is full.' end, n * 10, case when n % 3 > 0 then n * 20 end,
    case when n % 5 = 1 then n + 0.5 end, case when n % 5 = 1 then timestamptz '1998-05-07' end,
    jsonb_build_object('created', n), case when n % 5 > 0 then timestamptz '1998-05-01' + n * interval '1 hour' end,
    case when n % 5 > 1 then timestamptz '1998-05-02' + n * interval '1 hour' end,
    case when n % 2 = 0 then (select id from staff order by id offset n % 5 limit 1) end,
    timestamptz '1998-05-01' + n % 4 * interval '1 hour'
from generate_series(1, 12) as n;
insert into import_rejects (
    owner, job_id, line, code, message, "row", argument, columns, record, staff_id, created_at
)
select j.owner, j.id, n + 1, (array['VALUE_INVALID', 'FILE_UNREADABLE'])[1 + n % 2], 'line ' || n || ': not å name',
    case when n % 2 = 0 then 'customer' end, case when n % 2 = 0 then 'name' end, array['Name', 'Città'],
    jsonb_build_object('Name', 'Å' || n), j.staff_id, j.created_at
from jobs as j, generate_series(1, 3) as n where j.type = 'IMPORT'
"""


async def add(dsn: str) -> None:
    """Stores them."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(INSERT_ROWS)
        await connection.execute("analyze")
    finally:
        await connection.close()
