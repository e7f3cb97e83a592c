SELECT (SELECT row_to_json(t$50) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$49) AS row_to_json_2 
FROM (SELECT (SELECT row_to_json(t$15) AS row_to_json_3 
FROM (SELECT t$13.c$ AS "totalCount", t$14.l$1 AS nodes 
FROM (SELECT coalesce(json_agg(t$10.n$1), '[]'::json) AS l$1 
FROM (SELECT CASE WHEN (t$5.kind$ = 0) THEN (SELECT (SELECT row_to_json(t$7) AS row_to_json_4 
FROM (SELECT 'Order'::text AS __typename, t$6.placed_at AS at) AS t$7) AS anon_2 
FROM orders AS t$6 
WHERE t$6.id = t$5.id) WHEN (t$5.kind$ = 1) THEN (SELECT (SELECT row_to_json(t$9) AS row_to_json_5 
FROM (SELECT 'Interaction'::text AS __typename, t$8.occurred_at AS at) AS t$9) AS anon_3 
FROM interactions AS t$8 
WHERE t$8.id = t$5.id) END AS n$1 
FROM (SELECT t$3.kind$ AS kind$, t$3.id AS id, t$3.at$ AS at$ 
FROM (SELECT 0 AS kind$, t$1.id AS id, t$1.placed_at AS at$ 
FROM orders AS t$1 
WHERE t$1.customer_id = t$0.id AND t$1.placed_at >= $1::TIMESTAMP WITH TIME ZONE AND t$1.placed_at < $2::TIMESTAMP WITH TIME ZONE ORDER BY t$1.placed_at DESC, t$1.id DESC 
 LIMIT 3) AS t$3 UNION ALL SELECT t$4.kind$ AS kind$, t$4.id AS id, t$4.at$ AS at$ 
FROM (SELECT 1 AS kind$, t$2.id AS id, t$2.occurred_at AS at$ 
FROM interactions AS t$2 
WHERE t$2.customer_id = t$0.id AND t$2.occurred_at >= $1::TIMESTAMP WITH TIME ZONE AND t$2.occurred_at < $2::TIMESTAMP WITH TIME ZONE ORDER BY t$2.occurred_at DESC, t$2.id DESC 
 LIMIT 3) AS t$4) AS t$5 ORDER BY t$5.at$ DESC, t$5.id DESC 
 LIMIT 3) AS t$10) AS t$14, (SELECT 0 + (SELECT count(*) AS count_1 
FROM orders AS t$11 
WHERE t$11.customer_id = t$0.id AND t$11.placed_at >= $1::TIMESTAMP WITH TIME ZONE AND t$11.placed_at < $2::TIMESTAMP WITH TIME ZONE) + (SELECT count(*) AS count_2 
FROM interactions AS t$12 
WHERE t$12.customer_id = t$0.id AND t$12.occurred_at >= $1::TIMESTAMP WITH TIME ZONE AND t$12.occurred_at < $2::TIMESTAMP WITH TIME ZONE) AS c$) AS t$13) AS t$15) AS since, (SELECT row_to_json(t$35) AS row_to_json_6 
FROM (SELECT t$33.l$0 AS nodes, (SELECT row_to_json(t$34) AS row_to_json_7 
FROM (SELECT (EXISTS (SELECT 1 
FROM orders AS t$30 
WHERE t$30.customer_id = t$0.id AND ((t$30.placed_at, t$30.id) >= (CAST($3::VARCHAR AS TIMESTAMP WITH TIME ZONE), CAST($4::VARCHAR AS UUID))))) OR (EXISTS (SELECT 1 
FROM interactions AS t$31 
WHERE t$31.customer_id = t$0.id AND ((t$31.occurred_at, t$31.id) >= (CAST($3::VARCHAR AS TIMESTAMP WITH TIME ZONE), CAST($4::VARCHAR AS UUID))))) OR (EXISTS (SELECT 1 
FROM scores AS t$32 
WHERE t$32.customer_id = t$0.id AND ((t$32.computed_at, t$32.id) >= (CAST($3::VARCHAR AS TIMESTAMP WITH TIME ZONE), CAST($4::VARCHAR AS UUID))))) AS "hasPreviousPage", t$33.c$ > 2 OR false AS "hasNextPage") AS t$34) AS "pageInfo" 
FROM (SELECT coalesce(json_agg(t$29.n$0) FILTER (WHERE t$29.i$ <= 2), '[]'::json) AS l$0, count(*) AS c$ 
FROM (SELECT CASE WHEN (t$22.kind$ = 0) THEN (SELECT (SELECT row_to_json(t$24) AS row_to_json_8 
FROM (SELECT 'ord_' || replace(CAST(t$23.id AS TEXT), '-', '') AS id, t$23.placed_at AS at) AS t$24) AS anon_4 
FROM orders AS t$23 
WHERE t$23.id = t$22.id) WHEN (t$22.kind$ = 1) THEN (SELECT (SELECT row_to_json(t$26) AS row_to_json_9 
FROM (SELECT 'int_' || replace(CAST(t$25.id AS TEXT), '-', '') AS id, t$25.occurred_at AS at) AS t$26) AS anon_5 
FROM interactions AS t$25 
WHERE t$25.id = t$22.id) WHEN (t$22.kind$ = 2) THEN (SELECT (SELECT row_to_json(t$28) AS row_to_json_10 
FROM (SELECT 'sco_' || replace(CAST(t$27.id AS TEXT), '-', '') AS id, t$27.computed_at AS at) AS t$28) AS anon_6 
FROM scores AS t$27 
WHERE t$27.id = t$22.id) END AS n$0, row_number() OVER (ORDER BY t$22.at$ DESC, t$22.id DESC) AS i$ 
FROM (SELECT t$19.kind$ AS kind$, t$19.id AS id, t$19.at$ AS at$ 
FROM (SELECT 0 AS kind$, t$16.id AS id, t$16.placed_at AS at$ 
FROM orders AS t$16 
WHERE t$16.customer_id = t$0.id AND ((t$16.placed_at, t$16.id) < (CAST($3::VARCHAR AS TIMESTAMP WITH TIME ZONE), CAST($4::VARCHAR AS UUID))) ORDER BY t$16.placed_at DESC, t$16.id DESC 
 LIMIT 2 + 1) AS t$19 UNION ALL SELECT t$20.kind$ AS kind$, t$20.id AS id, t$20.at$ AS at$ 
FROM (SELECT 1 AS kind$, t$17.id AS id, t$17.occurred_at AS at$ 
FROM interactions AS t$17 
WHERE t$17.customer_id = t$0.id AND ((t$17.occurred_at, t$17.id) < (CAST($3::VARCHAR AS TIMESTAMP WITH TIME ZONE), CAST($4::VARCHAR AS UUID))) ORDER BY t$17.occurred_at DESC, t$17.id DESC 
 LIMIT 2 + 1) AS t$20 UNION ALL SELECT t$21.kind$ AS kind$, t$21.id AS id, t$21.at$ AS at$ 
FROM (SELECT 2 AS kind$, t$18.id AS id, t$18.computed_at AS at$ 
FROM scores AS t$18 
WHERE t$18.customer_id = t$0.id AND ((t$18.computed_at, t$18.id) < (CAST($3::VARCHAR AS TIMESTAMP WITH TIME ZONE), CAST($4::VARCHAR AS UUID))) ORDER BY t$18.computed_at DESC, t$18.id DESC 
 LIMIT 2 + 1) AS t$21) AS t$22 ORDER BY t$22.at$ DESC, t$22.id DESC 
 LIMIT 2 + 1) AS t$29) AS t$33) AS t$35) AS next, (SELECT row_to_json(t$43) AS row_to_json_11 
FROM (SELECT t$42.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$41.n$0 ORDER BY t$41.i$ DESC), '[]'::json) AS l$0 
FROM (SELECT CASE WHEN (t$38.kind$ = 0) THEN (SELECT (SELECT row_to_json(t$40) AS row_to_json_12 
FROM (SELECT t$39.number AS number, t$39.placed_at AS at) AS t$40) AS anon_7 
FROM orders AS t$39 
WHERE t$39.id = t$38.id) END AS n$0, row_number() OVER (ORDER BY t$38.at$ ASC, t$38.id ASC) AS i$ 
FROM (SELECT t$37.kind$ AS kind$, t$37.id AS id, t$37.at$ AS at$ 
FROM (SELECT 0 AS kind$, t$36.id AS id, t$36.placed_at AS at$ 
FROM orders AS t$36 
WHERE t$36.customer_id = t$0.id ORDER BY t$36.placed_at ASC, t$36.id ASC 
 LIMIT 2) AS t$37) AS t$38 ORDER BY t$38.at$ ASC, t$38.id ASC 
 LIMIT 2) AS t$41) AS t$42) AS t$43) AS oldest, (SELECT row_to_json(t$48) AS row_to_json_13 
FROM (SELECT t$46.c$ AS "totalCount", t$47.l$1 AS nodes 
FROM (SELECT coalesce(json_agg(t$45.n$1), '[]'::json) AS l$1 
FROM (SELECT null::json AS n$1 
FROM (SELECT 0 AS kind$, null::uuid AS id, null::timestamptz AS at$ 
WHERE false) AS t$44 ORDER BY t$44.at$ DESC, t$44.id DESC 
 LIMIT 20) AS t$45) AS t$47, (SELECT 0 AS c$) AS t$46) AS t$48) AS none 
FROM customers AS t$0 
WHERE t$0.id = $5::UUID) AS t$49) AS customer) AS t$50) AS anon_1
