SELECT (SELECT row_to_json(t$46) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$45) AS row_to_json_2 
FROM (SELECT (SELECT row_to_json(t$44) AS row_to_json_3 
FROM (SELECT t$41.c$ AS "totalCount", t$42.l$1 AS edges, (SELECT row_to_json(t$43) AS row_to_json_4 
FROM (SELECT t$42.c$ > 6 OR false AS "hasNextPage", false AS "hasPreviousPage", translate(encode(($1::BYTEA || SUBSTRING(sha256($2::BYTEA || sha256($2::BYTEA || convert_to(t$42.a$[cardinality(t$42.a$)], 'UTF8'))) FROM 1 FOR 10)) || convert_to(t$42.a$[cardinality(t$42.a$)], 'UTF8'), 'base64'), E'+/=\n', '-_') AS "endCursor") AS t$43) AS "pageInfo" 
FROM (SELECT coalesce(json_agg(t$33.n$1) FILTER (WHERE t$33.i$ <= 6), '[]'::json) AS l$1, count(*) AS c$, array_agg(t$33.k$) FILTER (WHERE t$33.i$ <= 6) AS a$ 
FROM (SELECT (SELECT row_to_json(t$32) AS row_to_json_5 
FROM (SELECT translate(encode(($1::BYTEA || SUBSTRING(sha256($2::BYTEA || sha256($2::BYTEA || convert_to(CAST(json_build_array(CAST(t$15.time$ AS TEXT), CAST(t$15.id AS TEXT)) AS TEXT), 'UTF8'))) FROM 1 FOR 10)) || convert_to(CAST(json_build_array(CAST(t$15.time$ AS TEXT), CAST(t$15.id AS TEXT)) AS TEXT), 'UTF8'), 'base64'), E'+/=\n', '-_') AS cursor, CASE WHEN (t$15.source$ = 0) THEN (SELECT (SELECT row_to_json(t$17) AS row_to_json_6 
FROM (SELECT 'StageMove'::text AS __typename, 'stm_' || replace(CAST(t$16.id AS TEXT), '-', '') AS id, t$16.moved_at AS at) AS t$17) AS anon_2 
FROM stage_moves AS t$16 
WHERE t$16.id = t$15.id) WHEN (t$15.source$ = 1) THEN (SELECT (SELECT row_to_json(t$19) AS row_to_json_7 
FROM (SELECT 'Order'::text AS __typename, 'ord_' || replace(CAST(t$18.id AS TEXT), '-', '') AS id, t$18.placed_at AS at, t$18.number AS number, CAST(t$18.total AS TEXT) AS total) AS t$19) AS anon_3 
FROM orders AS t$18 
WHERE t$18.id = t$15.id) WHEN (t$15.source$ = 2) THEN (SELECT (SELECT row_to_json(t$23) AS row_to_json_8 
FROM (SELECT 'Interaction'::text AS __typename, 'int_' || replace(CAST(t$20.id AS TEXT), '-', '') AS id, t$20.occurred_at AS at, t$20.subject AS subject, (SELECT row_to_json(t$22) AS row_to_json_9 
FROM (SELECT t$21.number AS number 
FROM orders AS t$21 
WHERE t$21.id = t$20.order_id) AS t$22) AS "order") AS t$23) AS anon_4 
FROM interactions AS t$20 
WHERE t$20.id = t$15.id) WHEN (t$15.source$ = 3) THEN (SELECT (SELECT row_to_json(t$25) AS row_to_json_10 
FROM (SELECT 'Score'::text AS __typename, 'sco_' || replace(CAST(t$24.id AS TEXT), '-', '') AS id, t$24.computed_at AS at, t$24.model AS model, CAST(t$24.value AS TEXT) AS value) AS t$25) AS anon_5 
FROM scores AS t$24 
WHERE t$24.id = t$15.id) WHEN (t$15.source$ = 4) THEN (SELECT (SELECT row_to_json(t$27) AS row_to_json_11 
FROM (SELECT 'Consent'::text AS __typename, 'cns_' || replace(CAST(t$26.id AS TEXT), '-', '') AS id, t$26.given_at AS at) AS t$27) AS anon_6 
FROM consents AS t$26 
WHERE t$26.id = t$15.id) WHEN (t$15.source$ = 5) THEN (SELECT (SELECT row_to_json(t$29) AS row_to_json_12 
FROM (SELECT 'WorkItem'::text AS __typename, 'wit_' || replace(CAST(t$28.id AS TEXT), '-', '') AS id, t$28.opened_at AS at) AS t$29) AS anon_7 
FROM work_items AS t$28 
WHERE t$28.id = t$15.id) WHEN (t$15.source$ = 6) THEN (SELECT (SELECT row_to_json(t$31) AS row_to_json_13 
FROM (SELECT 'Move'::text AS __typename, 'mov_' || replace(CAST(t$30.id AS TEXT), '-', '') AS id, t$30.moved_at AS at) AS t$31) AS anon_8 
FROM moves AS t$30 
WHERE t$30.id = t$15.id) END AS node) AS t$32) AS n$1, row_number() OVER (ORDER BY t$15.time$ DESC, t$15.id DESC) AS i$, CAST(json_build_array(CAST(t$15.time$ AS TEXT), CAST(t$15.id AS TEXT)) AS TEXT) AS k$ 
FROM (SELECT t$8.source$ AS source$, t$8.id AS id, t$8.time$ AS time$ 
FROM (SELECT 0 AS source$, t$1.id AS id, t$1.moved_at AS time$ 
FROM stage_moves AS t$1 
WHERE t$1.customer_id = t$0.id ORDER BY t$1.moved_at DESC, t$1.id DESC 
 LIMIT 6 + 1) AS t$8 UNION ALL SELECT t$9.source$ AS source$, t$9.id AS id, t$9.time$ AS time$ 
FROM (SELECT 1 AS source$, t$2.id AS id, t$2.placed_at AS time$ 
FROM orders AS t$2 
WHERE t$2.customer_id = t$0.id ORDER BY t$2.placed_at DESC, t$2.id DESC 
 LIMIT 6 + 1) AS t$9 UNION ALL SELECT t$10.source$ AS source$, t$10.id AS id, t$10.time$ AS time$ 
FROM (SELECT 2 AS source$, t$3.id AS id, t$3.occurred_at AS time$ 
FROM interactions AS t$3 
WHERE t$3.customer_id = t$0.id ORDER BY t$3.occurred_at DESC, t$3.id DESC 
 LIMIT 6 + 1) AS t$10 UNION ALL SELECT t$11.source$ AS source$, t$11.id AS id, t$11.time$ AS time$ 
FROM (SELECT 3 AS source$, t$4.id AS id, t$4.computed_at AS time$ 
FROM scores AS t$4 
WHERE t$4.customer_id = t$0.id ORDER BY t$4.computed_at DESC, t$4.id DESC 
 LIMIT 6 + 1) AS t$11 UNION ALL SELECT t$12.source$ AS source$, t$12.id AS id, t$12.time$ AS time$ 
FROM (SELECT 4 AS source$, t$5.id AS id, t$5.given_at AS time$ 
FROM consents AS t$5 
WHERE t$5.customer_id = t$0.id ORDER BY t$5.given_at DESC, t$5.id DESC 
 LIMIT 6 + 1) AS t$12 UNION ALL SELECT t$13.source$ AS source$, t$13.id AS id, t$13.time$ AS time$ 
FROM (SELECT 5 AS source$, t$6.id AS id, t$6.opened_at AS time$ 
FROM work_items AS t$6 
WHERE t$6.customer_id = t$0.id AND (t$6.audience != 'PERSON' OR t$6.staff_id = $3::UUID OR $4::BOOLEAN OR t$6.opened_by_id = $3::UUID OR (EXISTS (SELECT v$step.id 
FROM work_steps AS v$step 
WHERE v$step.item_id = t$6.id AND (v$step.addressee_id = $3::UUID OR v$step.decided_by_id = $3::UUID)))) ORDER BY t$6.opened_at DESC, t$6.id DESC 
 LIMIT 6 + 1) AS t$13 UNION ALL SELECT t$14.source$ AS source$, t$14.id AS id, t$14.time$ AS time$ 
FROM (SELECT 6 AS source$, t$7.id AS id, t$7.moved_at AS time$ 
FROM moves AS t$7 
WHERE t$7.customer_id = t$0.id AND (t$7.audience != 'PERSON' OR t$7.staff_id = $3::UUID OR $4::BOOLEAN) ORDER BY t$7.moved_at DESC, t$7.id DESC 
 LIMIT 6 + 1) AS t$14) AS t$15 ORDER BY t$15.time$ DESC, t$15.id DESC 
 LIMIT 6 + 1) AS t$33) AS t$42, (SELECT 0 + (SELECT count(*) AS count_1 
FROM stage_moves AS t$34 
WHERE t$34.customer_id = t$0.id) + (SELECT count(*) AS count_2 
FROM orders AS t$35 
WHERE t$35.customer_id = t$0.id) + (SELECT count(*) AS count_3 
FROM interactions AS t$36 
WHERE t$36.customer_id = t$0.id) + (SELECT count(*) AS count_4 
FROM scores AS t$37 
WHERE t$37.customer_id = t$0.id) + (SELECT count(*) AS count_5 
FROM consents AS t$38 
WHERE t$38.customer_id = t$0.id) + (SELECT count(*) AS count_6 
FROM work_items AS t$39 
WHERE t$39.customer_id = t$0.id AND (t$39.audience != 'PERSON' OR t$39.staff_id = $3::UUID OR $4::BOOLEAN OR t$39.opened_by_id = $3::UUID OR (EXISTS (SELECT v$step.id 
FROM work_steps AS v$step 
WHERE v$step.item_id = t$39.id AND (v$step.addressee_id = $3::UUID OR v$step.decided_by_id = $3::UUID))))) + (SELECT count(*) AS count_7 
FROM moves AS t$40 
WHERE t$40.customer_id = t$0.id AND (t$40.audience != 'PERSON' OR t$40.staff_id = $3::UUID OR $4::BOOLEAN)) AS c$) AS t$41) AS t$44) AS timeline 
FROM customers AS t$0 
WHERE t$0.id = $5::UUID) AS t$45) AS customer) AS t$46) AS anon_1
