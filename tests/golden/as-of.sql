SELECT (SELECT row_to_json(t$31) AS row_to_json_1 
FROM (SELECT CASE WHEN hub_as_of($1::TIMESTAMP WITH TIME ZONE) THEN (SELECT row_to_json(t$9) AS row_to_json_2 
FROM (SELECT 'cus_' || replace(CAST(t$5.id AS TEXT), '-', '') AS id, t$5.name AS name, t$5.stage AS stage, t$5.created_at AS "createdAt" 
FROM jsonb_populate_record(null::customers, coalesce(coalesce((SELECT coalesce(t$1.after, '{}'::jsonb) AS coalesce_1 
FROM change_log AS t$1 
WHERE t$1.row_id = $2::UUID AND t$1.table_name = 'customers'::text AND t$1.at <= $1::TIMESTAMP WITH TIME ZONE ORDER BY t$1.id DESC 
 LIMIT 1), (SELECT coalesce(t$2.before, '{}'::jsonb) AS coalesce_2 
FROM change_log AS t$2 
WHERE t$2.row_id = $2::UUID AND t$2.table_name = 'customers'::text AND t$2.at > $1::TIMESTAMP WITH TIME ZONE ORDER BY t$2.id 
 LIMIT 1)), (SELECT to_jsonb(t$4) AS to_jsonb_1 
FROM customers AS t$4 
WHERE t$4.id = $2::UUID))) AS t$5 
WHERE t$5.id = $2::UUID AND t$5.created_at <= $1::TIMESTAMP WITH TIME ZONE AND t$5.unit_id = ANY ($3::UUID[]) AND ((EXISTS (SELECT 1 
FROM customers AS t$6 
WHERE t$6.id = $2::UUID AND t$6.unit_id = ANY ($3::UUID[]))) OR NOT (EXISTS (SELECT 1 
FROM customers AS t$7 
WHERE t$7.id = $2::UUID)) AND (EXISTS (SELECT 1 
FROM jsonb_populate_record(null::customers, (SELECT coalesce(t$3.before, '{}'::jsonb) AS coalesce_3 
FROM change_log AS t$3 
WHERE t$3.row_id = $2::UUID AND t$3.table_name = 'customers'::text ORDER BY t$3.id DESC 
 LIMIT 1)) AS t$8 
WHERE t$8.unit_id = ANY ($3::UUID[]))))) AS t$9) END AS customer, CASE WHEN hub_as_of($4::TIMESTAMP WITH TIME ZONE) THEN (SELECT CASE WHEN (t$10.type = 'ord'::text) THEN (SELECT row_to_json(t$20) AS row_to_json_3 
FROM (SELECT 'Order'::text AS __typename, 'ord_' || replace(CAST(t$16.id AS TEXT), '-', '') AS id, t$16.number AS number, CAST(t$16.net AS TEXT) AS net 
FROM jsonb_populate_record(null::orders, coalesce(t$14.then$, (SELECT to_jsonb(t$15) AS to_jsonb_2 
FROM orders AS t$15 
WHERE t$15.id = t$10.key))) AS t$16 
WHERE t$16.id = t$10.key AND t$16.created_at <= $4::TIMESTAMP WITH TIME ZONE AND t$16.unit_id = ANY ($3::UUID[]) AND ((EXISTS (SELECT 1 
FROM orders AS t$17 
WHERE t$17.id = t$10.key AND t$17.unit_id = ANY ($3::UUID[]))) OR NOT (EXISTS (SELECT 1 
FROM orders AS t$18 
WHERE t$18.id = t$10.key)) AND (EXISTS (SELECT 1 
FROM jsonb_populate_record(null::orders, t$14.last$) AS t$19 
WHERE t$19.unit_id = ANY ($3::UUID[]))))) AS t$20) END AS anon_2 
FROM unnest($5::TEXT[], $6::UUID[]) WITH ORDINALITY AS t$10(type, key, ordinality), LATERAL (SELECT coalesce((SELECT coalesce(t$11.after, '{}'::jsonb) AS coalesce_4 
FROM change_log AS t$11 
WHERE t$11.row_id = t$10.key AND t$11.table_name = CASE WHEN (t$10.type = 'ord'::text) THEN 'orders'::text END AND t$11.at <= $4::TIMESTAMP WITH TIME ZONE ORDER BY t$11.id DESC 
 LIMIT 1), (SELECT coalesce(t$12.before, '{}'::jsonb) AS coalesce_5 
FROM change_log AS t$12 
WHERE t$12.row_id = t$10.key AND t$12.table_name = CASE WHEN (t$10.type = 'ord'::text) THEN 'orders'::text END AND t$12.at > $4::TIMESTAMP WITH TIME ZONE ORDER BY t$12.id 
 LIMIT 1)) AS then$, (SELECT coalesce(t$13.before, '{}'::jsonb) AS coalesce_6 
FROM change_log AS t$13 
WHERE t$13.row_id = t$10.key AND t$13.table_name = CASE WHEN (t$10.type = 'ord'::text) THEN 'orders'::text END ORDER BY t$13.id DESC 
 LIMIT 1) AS last$
 LIMIT ALL OFFSET 0) AS t$14) END AS "nodeAsOf", CASE WHEN hub_as_of($7::TIMESTAMP WITH TIME ZONE) THEN (SELECT row_to_json(t$30) AS row_to_json_4 
FROM (SELECT t$26.name AS name 
FROM jsonb_populate_record(null::customers, coalesce(coalesce((SELECT coalesce(t$22.after, '{}'::jsonb) AS coalesce_7 
FROM change_log AS t$22 
WHERE t$22.row_id = $8::UUID AND t$22.table_name = 'customers'::text AND t$22.at <= $7::TIMESTAMP WITH TIME ZONE ORDER BY t$22.id DESC 
 LIMIT 1), (SELECT coalesce(t$23.before, '{}'::jsonb) AS coalesce_8 
FROM change_log AS t$23 
WHERE t$23.row_id = $8::UUID AND t$23.table_name = 'customers'::text AND t$23.at > $7::TIMESTAMP WITH TIME ZONE ORDER BY t$23.id 
 LIMIT 1)), (SELECT to_jsonb(t$25) AS to_jsonb_3 
FROM customers AS t$25 
WHERE t$25.id = $8::UUID))) AS t$26 
WHERE t$26.id = $8::UUID AND t$26.created_at <= $7::TIMESTAMP WITH TIME ZONE AND t$26.unit_id = ANY ($3::UUID[]) AND ((EXISTS (SELECT 1 
FROM customers AS t$27 
WHERE t$27.id = $8::UUID AND t$27.unit_id = ANY ($3::UUID[]))) OR NOT (EXISTS (SELECT 1 
FROM customers AS t$28 
WHERE t$28.id = $8::UUID)) AND (EXISTS (SELECT 1 
FROM jsonb_populate_record(null::customers, (SELECT coalesce(t$24.before, '{}'::jsonb) AS coalesce_9 
FROM change_log AS t$24 
WHERE t$24.row_id = $8::UUID AND t$24.table_name = 'customers'::text ORDER BY t$24.id DESC 
 LIMIT 1)) AS t$29 
WHERE t$29.unit_id = ANY ($3::UUID[]))))) AS t$30) END AS never) AS t$31) AS anon_1
