SELECT (SELECT row_to_json(t$26) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$25) AS row_to_json_2 
FROM (SELECT (SELECT row_to_json(t$24) AS row_to_json_3 
FROM (SELECT t$21.c$ AS "totalCount", t$22.l$1 AS edges, (SELECT row_to_json(t$23) AS row_to_json_4 
FROM (SELECT t$22.c$ > 6 OR false AS "hasNextPage", false AS "hasPreviousPage", translate(encode(($1::BYTEA || SUBSTRING(sha256($2::BYTEA || sha256($2::BYTEA || convert_to(t$22.a$[cardinality(t$22.a$)], 'UTF8'))) FROM 1 FOR 10)) || convert_to(t$22.a$[cardinality(t$22.a$)], 'UTF8'), 'base64'), E'+/=\n', '-_') AS "endCursor") AS t$23) AS "pageInfo" 
FROM (SELECT coalesce(json_agg(t$17.n$1) FILTER (WHERE t$17.i$ <= 6), '[]'::json) AS l$1, count(*) AS c$, array_agg(t$17.k$) FILTER (WHERE t$17.i$ <= 6) AS a$ 
FROM (SELECT (SELECT row_to_json(t$16) AS row_to_json_5 
FROM (SELECT translate(encode(($1::BYTEA || SUBSTRING(sha256($2::BYTEA || sha256($2::BYTEA || convert_to(CAST(json_build_array(CAST(t$7.at$ AS TEXT), CAST(t$7.id AS TEXT)) AS TEXT), 'UTF8'))) FROM 1 FOR 10)) || convert_to(CAST(json_build_array(CAST(t$7.at$ AS TEXT), CAST(t$7.id AS TEXT)) AS TEXT), 'UTF8'), 'base64'), E'+/=\n', '-_') AS cursor, CASE WHEN (t$7.kind$ = 0) THEN (SELECT (SELECT row_to_json(t$9) AS row_to_json_6 
FROM (SELECT 'Order'::text AS __typename, 'ord_' || replace(CAST(t$8.id AS TEXT), '-', '') AS id, t$8.placed_at AS at, t$8.number AS number, CAST(t$8.total AS TEXT) AS total) AS t$9) AS anon_2 
FROM orders AS t$8 
WHERE t$8.id = t$7.id) WHEN (t$7.kind$ = 1) THEN (SELECT (SELECT row_to_json(t$13) AS row_to_json_7 
FROM (SELECT 'Interaction'::text AS __typename, 'int_' || replace(CAST(t$10.id AS TEXT), '-', '') AS id, t$10.occurred_at AS at, t$10.subject AS subject, (SELECT row_to_json(t$12) AS row_to_json_8 
FROM (SELECT t$11.number AS number 
FROM orders AS t$11 
WHERE t$11.id = t$10.order_id) AS t$12) AS "order") AS t$13) AS anon_3 
FROM interactions AS t$10 
WHERE t$10.id = t$7.id) WHEN (t$7.kind$ = 2) THEN (SELECT (SELECT row_to_json(t$15) AS row_to_json_9 
FROM (SELECT 'Score'::text AS __typename, 'sco_' || replace(CAST(t$14.id AS TEXT), '-', '') AS id, t$14.computed_at AS at, t$14.model AS model, CAST(t$14.value AS TEXT) AS value) AS t$15) AS anon_4 
FROM scores AS t$14 
WHERE t$14.id = t$7.id) END AS node) AS t$16) AS n$1, row_number() OVER (ORDER BY t$7.at$ DESC, t$7.id DESC) AS i$, CAST(json_build_array(CAST(t$7.at$ AS TEXT), CAST(t$7.id AS TEXT)) AS TEXT) AS k$ 
FROM (SELECT t$4.kind$ AS kind$, t$4.id AS id, t$4.at$ AS at$ 
FROM (SELECT 0 AS kind$, t$1.id AS id, t$1.placed_at AS at$ 
FROM orders AS t$1 
WHERE t$1.customer_id = t$0.id ORDER BY t$1.placed_at DESC, t$1.id DESC 
 LIMIT 6 + 1) AS t$4 UNION ALL SELECT t$5.kind$ AS kind$, t$5.id AS id, t$5.at$ AS at$ 
FROM (SELECT 1 AS kind$, t$2.id AS id, t$2.occurred_at AS at$ 
FROM interactions AS t$2 
WHERE t$2.customer_id = t$0.id ORDER BY t$2.occurred_at DESC, t$2.id DESC 
 LIMIT 6 + 1) AS t$5 UNION ALL SELECT t$6.kind$ AS kind$, t$6.id AS id, t$6.at$ AS at$ 
FROM (SELECT 2 AS kind$, t$3.id AS id, t$3.computed_at AS at$ 
FROM scores AS t$3 
WHERE t$3.customer_id = t$0.id ORDER BY t$3.computed_at DESC, t$3.id DESC 
 LIMIT 6 + 1) AS t$6) AS t$7 ORDER BY t$7.at$ DESC, t$7.id DESC 
 LIMIT 6 + 1) AS t$17) AS t$22, (SELECT 0 + (SELECT count(*) AS count_1 
FROM orders AS t$18 
WHERE t$18.customer_id = t$0.id) + (SELECT count(*) AS count_2 
FROM interactions AS t$19 
WHERE t$19.customer_id = t$0.id) + (SELECT count(*) AS count_3 
FROM scores AS t$20 
WHERE t$20.customer_id = t$0.id) AS c$) AS t$21) AS t$24) AS timeline 
FROM customers AS t$0 
WHERE t$0.id = $3::UUID) AS t$25) AS customer) AS t$26) AS anon_1
