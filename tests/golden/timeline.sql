SELECT (SELECT row_to_json(t$41) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$40) AS row_to_json_2 
FROM (SELECT (SELECT row_to_json(t$39) AS row_to_json_3 
FROM (SELECT t$36.c$ AS "totalCount", t$37.l$1 AS edges, (SELECT row_to_json(t$38) AS row_to_json_4 
FROM (SELECT t$37.c$ > 6 OR false AS "hasNextPage", false AS "hasPreviousPage", translate(encode(($1::BYTEA || SUBSTRING(sha256($2::BYTEA || sha256($2::BYTEA || convert_to(t$37.a$[cardinality(t$37.a$)], 'UTF8'))) FROM 1 FOR 10)) || convert_to(t$37.a$[cardinality(t$37.a$)], 'UTF8'), 'base64'), E'+/=\n', '-_') AS "endCursor") AS t$38) AS "pageInfo" 
FROM (SELECT coalesce(json_agg(t$29.n$1) FILTER (WHERE t$29.i$ <= 6), '[]'::json) AS l$1, count(*) AS c$, array_agg(t$29.k$) FILTER (WHERE t$29.i$ <= 6) AS a$ 
FROM (SELECT (SELECT row_to_json(t$28) AS row_to_json_5 
FROM (SELECT translate(encode(($1::BYTEA || SUBSTRING(sha256($2::BYTEA || sha256($2::BYTEA || convert_to(CAST(json_build_array(CAST(t$13.time$ AS TEXT), CAST(t$13.id AS TEXT)) AS TEXT), 'UTF8'))) FROM 1 FOR 10)) || convert_to(CAST(json_build_array(CAST(t$13.time$ AS TEXT), CAST(t$13.id AS TEXT)) AS TEXT), 'UTF8'), 'base64'), E'+/=\n', '-_') AS cursor, CASE WHEN (t$13.source$ = 0) THEN (SELECT (SELECT row_to_json(t$15) AS row_to_json_6 
FROM (SELECT 'StageMove'::text AS __typename, 'stm_' || replace(CAST(t$14.id AS TEXT), '-', '') AS id, t$14.moved_at AS at) AS t$15) AS anon_2 
FROM stage_moves AS t$14 
WHERE t$14.id = t$13.id) WHEN (t$13.source$ = 1) THEN (SELECT (SELECT row_to_json(t$17) AS row_to_json_7 
FROM (SELECT 'Order'::text AS __typename, 'ord_' || replace(CAST(t$16.id AS TEXT), '-', '') AS id, t$16.placed_at AS at, t$16.number AS number, CAST(t$16.total AS TEXT) AS total) AS t$17) AS anon_3 
FROM orders AS t$16 
WHERE t$16.id = t$13.id) WHEN (t$13.source$ = 2) THEN (SELECT (SELECT row_to_json(t$21) AS row_to_json_8 
FROM (SELECT 'Interaction'::text AS __typename, 'int_' || replace(CAST(t$18.id AS TEXT), '-', '') AS id, t$18.occurred_at AS at, t$18.subject AS subject, (SELECT row_to_json(t$20) AS row_to_json_9 
FROM (SELECT t$19.number AS number 
FROM orders AS t$19 
WHERE t$19.id = t$18.order_id) AS t$20) AS "order") AS t$21) AS anon_4 
FROM interactions AS t$18 
WHERE t$18.id = t$13.id) WHEN (t$13.source$ = 3) THEN (SELECT (SELECT row_to_json(t$23) AS row_to_json_10 
FROM (SELECT 'Score'::text AS __typename, 'sco_' || replace(CAST(t$22.id AS TEXT), '-', '') AS id, t$22.computed_at AS at, t$22.model AS model, CAST(t$22.value AS TEXT) AS value) AS t$23) AS anon_5 
FROM scores AS t$22 
WHERE t$22.id = t$13.id) WHEN (t$13.source$ = 4) THEN (SELECT (SELECT row_to_json(t$25) AS row_to_json_11 
FROM (SELECT 'Consent'::text AS __typename, 'cns_' || replace(CAST(t$24.id AS TEXT), '-', '') AS id, t$24.given_at AS at) AS t$25) AS anon_6 
FROM consents AS t$24 
WHERE t$24.id = t$13.id) WHEN (t$13.source$ = 5) THEN (SELECT (SELECT row_to_json(t$27) AS row_to_json_12 
FROM (SELECT 'Move'::text AS __typename, 'mov_' || replace(CAST(t$26.id AS TEXT), '-', '') AS id, t$26.moved_at AS at) AS t$27) AS anon_7 
FROM moves AS t$26 
WHERE t$26.id = t$13.id) END AS node) AS t$28) AS n$1, row_number() OVER (ORDER BY t$13.time$ DESC, t$13.id DESC) AS i$, CAST(json_build_array(CAST(t$13.time$ AS TEXT), CAST(t$13.id AS TEXT)) AS TEXT) AS k$ 
FROM (SELECT t$7.source$ AS source$, t$7.id AS id, t$7.time$ AS time$ 
FROM (SELECT 0 AS source$, t$1.id AS id, t$1.moved_at AS time$ 
FROM stage_moves AS t$1 
WHERE t$1.customer_id = t$0.id ORDER BY t$1.moved_at DESC, t$1.id DESC 
 LIMIT 6 + 1) AS t$7 UNION ALL SELECT t$8.source$ AS source$, t$8.id AS id, t$8.time$ AS time$ 
FROM (SELECT 1 AS source$, t$2.id AS id, t$2.placed_at AS time$ 
FROM orders AS t$2 
WHERE t$2.customer_id = t$0.id ORDER BY t$2.placed_at DESC, t$2.id DESC 
 LIMIT 6 + 1) AS t$8 UNION ALL SELECT t$9.source$ AS source$, t$9.id AS id, t$9.time$ AS time$ 
FROM (SELECT 2 AS source$, t$3.id AS id, t$3.occurred_at AS time$ 
FROM interactions AS t$3 
WHERE t$3.customer_id = t$0.id ORDER BY t$3.occurred_at DESC, t$3.id DESC 
 LIMIT 6 + 1) AS t$9 UNION ALL SELECT t$10.source$ AS source$, t$10.id AS id, t$10.time$ AS time$ 
FROM (SELECT 3 AS source$, t$4.id AS id, t$4.computed_at AS time$ 
FROM scores AS t$4 
WHERE t$4.customer_id = t$0.id ORDER BY t$4.computed_at DESC, t$4.id DESC 
 LIMIT 6 + 1) AS t$10 UNION ALL SELECT t$11.source$ AS source$, t$11.id AS id, t$11.time$ AS time$ 
FROM (SELECT 4 AS source$, t$5.id AS id, t$5.given_at AS time$ 
FROM consents AS t$5 
WHERE t$5.customer_id = t$0.id ORDER BY t$5.given_at DESC, t$5.id DESC 
 LIMIT 6 + 1) AS t$11 UNION ALL SELECT t$12.source$ AS source$, t$12.id AS id, t$12.time$ AS time$ 
FROM (SELECT 5 AS source$, t$6.id AS id, t$6.moved_at AS time$ 
FROM moves AS t$6 
WHERE t$6.customer_id = t$0.id AND (t$6.audience != 'PERSON' OR t$6.staff_id = $3::UUID OR $4::BOOLEAN) ORDER BY t$6.moved_at DESC, t$6.id DESC 
 LIMIT 6 + 1) AS t$12) AS t$13 ORDER BY t$13.time$ DESC, t$13.id DESC 
 LIMIT 6 + 1) AS t$29) AS t$37, (SELECT 0 + (SELECT count(*) AS count_1 
FROM stage_moves AS t$30 
WHERE t$30.customer_id = t$0.id) + (SELECT count(*) AS count_2 
FROM orders AS t$31 
WHERE t$31.customer_id = t$0.id) + (SELECT count(*) AS count_3 
FROM interactions AS t$32 
WHERE t$32.customer_id = t$0.id) + (SELECT count(*) AS count_4 
FROM scores AS t$33 
WHERE t$33.customer_id = t$0.id) + (SELECT count(*) AS count_5 
FROM consents AS t$34 
WHERE t$34.customer_id = t$0.id) + (SELECT count(*) AS count_6 
FROM moves AS t$35 
WHERE t$35.customer_id = t$0.id AND (t$35.audience != 'PERSON' OR t$35.staff_id = $3::UUID OR $4::BOOLEAN)) AS c$) AS t$36) AS t$39) AS timeline 
FROM customers AS t$0 
WHERE t$0.id = $5::UUID) AS t$40) AS customer) AS t$41) AS anon_1
