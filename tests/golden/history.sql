SELECT (SELECT row_to_json(t$36) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$35) AS row_to_json_2 
FROM (SELECT (SELECT row_to_json(t$20) AS row_to_json_3 
FROM (SELECT t$17.c$ AS "totalCount", t$18.l$1 AS edges, (SELECT row_to_json(t$19) AS row_to_json_4 
FROM (SELECT t$18.c$ > 3 AS "hasNextPage", false AS "hasPreviousPage", translate(encode(($1::BYTEA || SUBSTRING(sha256($2::BYTEA || sha256($2::BYTEA || convert_to(t$18.a$[cardinality(t$18.a$)], 'UTF8'))) FROM 1 FOR 10)) || convert_to(t$18.a$[cardinality(t$18.a$)], 'UTF8'), 'base64'), E'+/=\n', '-_') AS "endCursor") AS t$19) AS "pageInfo" 
FROM (SELECT coalesce(json_agg(t$12.n$1) FILTER (WHERE t$12.i$ <= 3), '[]'::json) AS l$1, count(*) AS c$, array_agg(t$12.k$) FILTER (WHERE t$12.i$ <= 3) AS a$ 
FROM (SELECT (SELECT row_to_json(t$11) AS row_to_json_5 
FROM (SELECT translate(encode(($1::BYTEA || SUBSTRING(sha256($2::BYTEA || sha256($2::BYTEA || convert_to(CAST(json_build_array(CAST(t$4.id AS TEXT)) AS TEXT), 'UTF8'))) FROM 1 FOR 10)) || convert_to(CAST(json_build_array(CAST(t$4.id AS TEXT)) AS TEXT), 'UTF8'), 'base64'), E'+/=\n', '-_') AS cursor, (SELECT row_to_json(t$10) AS row_to_json_6 
FROM (SELECT CASE WHEN (t$4.operation IN ('CREATE', 'DELETE')) THEN t$4.operation WHEN (t$4.after$ AND t$4.before$) THEN 'UPDATE' WHEN t$4.after$ THEN 'ENTER' ELSE 'LEAVE' END AS operation, (SELECT coalesce(json_agg("t$5".field), '[]'::json) AS coalesce_1 
FROM (values ('kind', array['kind']), ('name', array['name']), ('status', array['status']), ('stage', array['stage']), ('tier', array['tier']), ('bornOn', array['born_on']), ('country', array['country']), ('language', array['language']), ('currency', array['currency']), ('annualRevenue', array['annual_revenue']), ('annualRevenueCurrency', array['annual_revenue_currency']), ('attributes', array['attributes']), ('formerIds', array['former_ids']), ('unverified', array['unverified']), ('version', array['version']), ('createdAt', array['created_at']), ('updatedAt', array['updated_at']), ('unit', array['unit_id']), ('owner', array['owner_id'])) as "t$5" (field, columns) 
WHERE t$4.changed && "t$5".columns) AS "changedFields", t$4.at AS at, t$4.actor AS actor, CASE WHEN (t$4.before$ AND NOT (t$4.before ? 'erased')) THEN (SELECT (SELECT row_to_json(t$7) AS row_to_json_7 
FROM (SELECT t$6.name AS name) AS t$7) AS anon_2 
FROM jsonb_populate_record(null::customers, jsonb_concat('{"unverified": []}'::jsonb, t$4.before)) AS t$6) END AS before, CASE WHEN (t$4.after$ AND NOT (t$4.after ? 'erased')) THEN (SELECT (SELECT row_to_json(t$9) AS row_to_json_8 
FROM (SELECT 'cus_' || replace(CAST(t$8.id AS TEXT), '-', '') AS id, t$8.name AS name) AS t$9) AS anon_3 
FROM jsonb_populate_record(null::customers, jsonb_concat('{"unverified": []}'::jsonb, t$4.after)) AS t$8) END AS after) AS t$10) AS node) AS t$11) AS n$1, row_number() OVER (ORDER BY t$4.id DESC) AS i$, CAST(json_build_array(CAST(t$4.id AS TEXT)) AS TEXT) AS k$ 
FROM (SELECT t$1.id AS id, t$1.row_id AS row_id, t$1.version AS version, t$1.operation AS operation, t$1.changed AS changed, t$1.before AS before, t$1.after AS after, t$1.customer_id AS customer_id, t$1.actor AS actor, t$1.request AS request, t$1.transaction_id AS transaction_id, t$1.at AS at, t$1.before IS NOT NULL AND (EXISTS (SELECT 1 
FROM jsonb_populate_record(null::customers, jsonb_concat('{"unverified": []}'::jsonb, t$1.before)) AS t$2 
WHERE t$2.unit_id = ANY ($3::UUID[]))) AS before$, t$1.after IS NOT NULL AND (EXISTS (SELECT 1 
FROM jsonb_populate_record(null::customers, jsonb_concat('{"unverified": []}'::jsonb, t$1.after)) AS t$3 
WHERE t$3.unit_id = ANY ($3::UUID[]))) AS after$ 
FROM change_log AS t$1 
WHERE t$1.row_id = t$0.id AND t$1.table_name = 'customers'::text AND (t$1.changed && $4::TEXT[]) AND t$1.at >= $5::TIMESTAMP WITH TIME ZONE AND (t$1.before IS NOT NULL AND (EXISTS (SELECT 1 
FROM jsonb_populate_record(null::customers, jsonb_concat('{"unverified": []}'::jsonb, t$1.before)) AS t$2 
WHERE t$2.unit_id = ANY ($3::UUID[]))) OR t$1.after IS NOT NULL AND (EXISTS (SELECT 1 
FROM jsonb_populate_record(null::customers, jsonb_concat('{"unverified": []}'::jsonb, t$1.after)) AS t$3 
WHERE t$3.unit_id = ANY ($3::UUID[]))))) AS t$4 ORDER BY t$4.id DESC 
 LIMIT 3 + 1) AS t$12) AS t$18, (SELECT count(*) AS c$ 
FROM (SELECT t$13.id AS id, t$13.row_id AS row_id, t$13.version AS version, t$13.operation AS operation, t$13.changed AS changed, t$13.before AS before, t$13.after AS after, t$13.customer_id AS customer_id, t$13.actor AS actor, t$13.request AS request, t$13.transaction_id AS transaction_id, t$13.at AS at, t$13.before IS NOT NULL AND (EXISTS (SELECT 1 
FROM jsonb_populate_record(null::customers, jsonb_concat('{"unverified": []}'::jsonb, t$13.before)) AS t$14 
WHERE t$14.unit_id = ANY ($3::UUID[]))) AS before$, t$13.after IS NOT NULL AND (EXISTS (SELECT 1 
FROM jsonb_populate_record(null::customers, jsonb_concat('{"unverified": []}'::jsonb, t$13.after)) AS t$15 
WHERE t$15.unit_id = ANY ($3::UUID[]))) AS after$ 
FROM change_log AS t$13 
WHERE t$13.row_id = t$0.id AND t$13.table_name = 'customers'::text AND (t$13.changed && $4::TEXT[]) AND t$13.at >= $5::TIMESTAMP WITH TIME ZONE AND (t$13.before IS NOT NULL AND (EXISTS (SELECT 1 
FROM jsonb_populate_record(null::customers, jsonb_concat('{"unverified": []}'::jsonb, t$13.before)) AS t$14 
WHERE t$14.unit_id = ANY ($3::UUID[]))) OR t$13.after IS NOT NULL AND (EXISTS (SELECT 1 
FROM jsonb_populate_record(null::customers, jsonb_concat('{"unverified": []}'::jsonb, t$13.after)) AS t$15 
WHERE t$15.unit_id = ANY ($3::UUID[]))))) AS t$16) AS t$17) AS t$20) AS history, (SELECT row_to_json(t$34) AS row_to_json_9 
FROM (SELECT t$33.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$32), '[]'::json) AS l$0 
FROM (SELECT (SELECT row_to_json(t$31) AS row_to_json_10 
FROM (SELECT t$30.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$29.n$0), '[]'::json) AS l$0 
FROM (SELECT (SELECT row_to_json(t$28) AS row_to_json_11 
FROM (SELECT t$25.version AS version, CASE WHEN (t$25.after$ AND NOT (t$25.after ? 'erased')) THEN (SELECT (SELECT row_to_json(t$27) AS row_to_json_12 
FROM (SELECT CAST(t$26.value AS TEXT) AS value) AS t$27) AS anon_4 
FROM jsonb_populate_record(null::scores, t$25.after) AS t$26) END AS after) AS t$28) AS n$0 
FROM (SELECT t$22.id AS id, t$22.row_id AS row_id, t$22.version AS version, t$22.operation AS operation, t$22.changed AS changed, t$22.before AS before, t$22.after AS after, t$22.customer_id AS customer_id, t$22.actor AS actor, t$22.request AS request, t$22.transaction_id AS transaction_id, t$22.at AS at, t$22.before IS NOT NULL AND (EXISTS (SELECT 1 
FROM jsonb_populate_record(null::scores, t$22.before) AS t$23 
WHERE (EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$23.customer_id AND v$customer.unit_id = ANY ($3::UUID[]))) OR (EXISTS (SELECT * 
FROM change_log AS g$log 
WHERE g$log.row_id = t$23.customer_id AND g$log.table_name = 'customers' AND g$log.operation = 'DELETE' AND CAST(g$log.before ->> 'unit_id' AS UUID) = ANY ($3::UUID[]))))) AS before$, t$22.after IS NOT NULL AND (EXISTS (SELECT 1 
FROM jsonb_populate_record(null::scores, t$22.after) AS t$24 
WHERE (EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$24.customer_id AND v$customer.unit_id = ANY ($3::UUID[]))) OR (EXISTS (SELECT * 
FROM change_log AS g$log 
WHERE g$log.row_id = t$24.customer_id AND g$log.table_name = 'customers' AND g$log.operation = 'DELETE' AND CAST(g$log.before ->> 'unit_id' AS UUID) = ANY ($3::UUID[]))))) AS after$ 
FROM change_log AS t$22 
WHERE t$22.row_id = t$21.id AND t$22.table_name = 'scores'::text AND (t$22.before IS NOT NULL AND (EXISTS (SELECT 1 
FROM jsonb_populate_record(null::scores, t$22.before) AS t$23 
WHERE (EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$23.customer_id AND v$customer.unit_id = ANY ($3::UUID[]))) OR (EXISTS (SELECT * 
FROM change_log AS g$log 
WHERE g$log.row_id = t$23.customer_id AND g$log.table_name = 'customers' AND g$log.operation = 'DELETE' AND CAST(g$log.before ->> 'unit_id' AS UUID) = ANY ($3::UUID[]))))) OR t$22.after IS NOT NULL AND (EXISTS (SELECT 1 
FROM jsonb_populate_record(null::scores, t$22.after) AS t$24 
WHERE (EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$24.customer_id AND v$customer.unit_id = ANY ($3::UUID[]))) OR (EXISTS (SELECT * 
FROM change_log AS g$log 
WHERE g$log.row_id = t$24.customer_id AND g$log.table_name = 'customers' AND g$log.operation = 'DELETE' AND CAST(g$log.before ->> 'unit_id' AS UUID) = ANY ($3::UUID[]))))))) AS t$25 ORDER BY t$25.id DESC 
 LIMIT 1) AS t$29) AS t$30) AS t$31) AS history 
FROM scores AS t$21 
WHERE t$21.customer_id = t$0.id ORDER BY t$21.computed_at DESC, t$21.id DESC 
 LIMIT 2) AS t$32) AS t$33) AS t$34) AS scores 
FROM customers AS t$0 
WHERE t$0.id = $6::UUID AND t$0.unit_id = ANY ($3::UUID[])) AS t$35) AS customer) AS t$36) AS anon_1
