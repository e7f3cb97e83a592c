SELECT (SELECT row_to_json(t$60) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$59) AS row_to_json_2 
FROM (SELECT (SELECT row_to_json(t$15) AS row_to_json_3 
FROM (SELECT t$13.c$ AS "totalCount", t$14.l$1 AS nodes 
FROM (SELECT coalesce(json_agg(t$10.n$1), '[]'::json) AS l$1 
FROM (SELECT CASE WHEN (t$5.source$ = 0) THEN (SELECT (SELECT row_to_json(t$7) AS row_to_json_4 
FROM (SELECT 'Order'::text AS __typename, t$6.placed_at AS at) AS t$7) AS anon_2 
FROM orders AS t$6 
WHERE t$6.id = t$5.id) WHEN (t$5.source$ = 1) THEN (SELECT (SELECT row_to_json(t$9) AS row_to_json_5 
FROM (SELECT 'Interaction'::text AS __typename, t$8.occurred_at AS at) AS t$9) AS anon_3 
FROM interactions AS t$8 
WHERE t$8.id = t$5.id) END AS n$1 
FROM (SELECT t$3.source$ AS source$, t$3.id AS id, t$3.time$ AS time$ 
FROM (SELECT 0 AS source$, t$1.id AS id, t$1.placed_at AS time$ 
FROM orders AS t$1 
WHERE t$1.customer_id = t$0.id AND t$1.placed_at >= $1::TIMESTAMP WITH TIME ZONE AND t$1.placed_at < $2::TIMESTAMP WITH TIME ZONE ORDER BY t$1.placed_at DESC, t$1.id DESC 
 LIMIT 3) AS t$3 UNION ALL SELECT t$4.source$ AS source$, t$4.id AS id, t$4.time$ AS time$ 
FROM (SELECT 1 AS source$, t$2.id AS id, t$2.occurred_at AS time$ 
FROM interactions AS t$2 
WHERE t$2.customer_id = t$0.id AND t$2.occurred_at >= $1::TIMESTAMP WITH TIME ZONE AND t$2.occurred_at < $2::TIMESTAMP WITH TIME ZONE ORDER BY t$2.occurred_at DESC, t$2.id DESC 
 LIMIT 3) AS t$4) AS t$5 ORDER BY t$5.time$ DESC, t$5.id DESC 
 LIMIT 3) AS t$10) AS t$14, (SELECT 0 + (SELECT count(*) AS count_1 
FROM orders AS t$11 
WHERE t$11.customer_id = t$0.id AND t$11.placed_at >= $1::TIMESTAMP WITH TIME ZONE AND t$11.placed_at < $2::TIMESTAMP WITH TIME ZONE) + (SELECT count(*) AS count_2 
FROM interactions AS t$12 
WHERE t$12.customer_id = t$0.id AND t$12.occurred_at >= $1::TIMESTAMP WITH TIME ZONE AND t$12.occurred_at < $2::TIMESTAMP WITH TIME ZONE) AS c$) AS t$13) AS t$15) AS since, (SELECT row_to_json(t$45) AS row_to_json_6 
FROM (SELECT t$43.l$0 AS nodes, (SELECT row_to_json(t$44) AS row_to_json_7 
FROM (SELECT (EXISTS (SELECT 1 
FROM stage_moves AS t$38 
WHERE t$38.customer_id = t$0.id AND ((t$38.moved_at, t$38.id) >= (CAST($3::VARCHAR AS TIMESTAMP WITH TIME ZONE), CAST($4::VARCHAR AS UUID))))) OR (EXISTS (SELECT 1 
FROM orders AS t$39 
WHERE t$39.customer_id = t$0.id AND ((t$39.placed_at, t$39.id) >= (CAST($3::VARCHAR AS TIMESTAMP WITH TIME ZONE), CAST($4::VARCHAR AS UUID))))) OR (EXISTS (SELECT 1 
FROM interactions AS t$40 
WHERE t$40.customer_id = t$0.id AND ((t$40.occurred_at, t$40.id) >= (CAST($3::VARCHAR AS TIMESTAMP WITH TIME ZONE), CAST($4::VARCHAR AS UUID))))) OR (EXISTS (SELECT 1 
FROM scores AS t$41 
WHERE t$41.customer_id = t$0.id AND ((t$41.computed_at, t$41.id) >= (CAST($3::VARCHAR AS TIMESTAMP WITH TIME ZONE), CAST($4::VARCHAR AS UUID))))) OR (EXISTS (SELECT 1 
FROM consents AS t$42 
WHERE t$42.customer_id = t$0.id AND ((t$42.given_at, t$42.id) >= (CAST($3::VARCHAR AS TIMESTAMP WITH TIME ZONE), CAST($4::VARCHAR AS UUID))))) AS "hasPreviousPage", t$43.c$ > 2 OR false AS "hasNextPage") AS t$44) AS "pageInfo" 
FROM (SELECT coalesce(json_agg(t$37.n$0) FILTER (WHERE t$37.i$ <= 2), '[]'::json) AS l$0, count(*) AS c$ 
FROM (SELECT CASE WHEN (t$26.source$ = 0) THEN (SELECT (SELECT row_to_json(t$28) AS row_to_json_8 
FROM (SELECT 'stm_' || replace(CAST(t$27.id AS TEXT), '-', '') AS id, t$27.moved_at AS at) AS t$28) AS anon_4 
FROM stage_moves AS t$27 
WHERE t$27.id = t$26.id) WHEN (t$26.source$ = 1) THEN (SELECT (SELECT row_to_json(t$30) AS row_to_json_9 
FROM (SELECT 'ord_' || replace(CAST(t$29.id AS TEXT), '-', '') AS id, t$29.placed_at AS at) AS t$30) AS anon_5 
FROM orders AS t$29 
WHERE t$29.id = t$26.id) WHEN (t$26.source$ = 2) THEN (SELECT (SELECT row_to_json(t$32) AS row_to_json_10 
FROM (SELECT 'int_' || replace(CAST(t$31.id AS TEXT), '-', '') AS id, t$31.occurred_at AS at) AS t$32) AS anon_6 
FROM interactions AS t$31 
WHERE t$31.id = t$26.id) WHEN (t$26.source$ = 3) THEN (SELECT (SELECT row_to_json(t$34) AS row_to_json_11 
FROM (SELECT 'sco_' || replace(CAST(t$33.id AS TEXT), '-', '') AS id, t$33.computed_at AS at) AS t$34) AS anon_7 
FROM scores AS t$33 
WHERE t$33.id = t$26.id) WHEN (t$26.source$ = 4) THEN (SELECT (SELECT row_to_json(t$36) AS row_to_json_12 
FROM (SELECT 'cns_' || replace(CAST(t$35.id AS TEXT), '-', '') AS id, t$35.given_at AS at) AS t$36) AS anon_8 
FROM consents AS t$35 
WHERE t$35.id = t$26.id) END AS n$0, row_number() OVER (ORDER BY t$26.time$ DESC, t$26.id DESC) AS i$ 
FROM (SELECT t$21.source$ AS source$, t$21.id AS id, t$21.time$ AS time$ 
FROM (SELECT 0 AS source$, t$16.id AS id, t$16.moved_at AS time$ 
FROM stage_moves AS t$16 
WHERE t$16.customer_id = t$0.id AND ((t$16.moved_at, t$16.id) < (CAST($3::VARCHAR AS TIMESTAMP WITH TIME ZONE), CAST($4::VARCHAR AS UUID))) ORDER BY t$16.moved_at DESC, t$16.id DESC 
 LIMIT 2 + 1) AS t$21 UNION ALL SELECT t$22.source$ AS source$, t$22.id AS id, t$22.time$ AS time$ 
FROM (SELECT 1 AS source$, t$17.id AS id, t$17.placed_at AS time$ 
FROM orders AS t$17 
WHERE t$17.customer_id = t$0.id AND ((t$17.placed_at, t$17.id) < (CAST($3::VARCHAR AS TIMESTAMP WITH TIME ZONE), CAST($4::VARCHAR AS UUID))) ORDER BY t$17.placed_at DESC, t$17.id DESC 
 LIMIT 2 + 1) AS t$22 UNION ALL SELECT t$23.source$ AS source$, t$23.id AS id, t$23.time$ AS time$ 
FROM (SELECT 2 AS source$, t$18.id AS id, t$18.occurred_at AS time$ 
FROM interactions AS t$18 
WHERE t$18.customer_id = t$0.id AND ((t$18.occurred_at, t$18.id) < (CAST($3::VARCHAR AS TIMESTAMP WITH TIME ZONE), CAST($4::VARCHAR AS UUID))) ORDER BY t$18.occurred_at DESC, t$18.id DESC 
 LIMIT 2 + 1) AS t$23 UNION ALL SELECT t$24.source$ AS source$, t$24.id AS id, t$24.time$ AS time$ 
FROM (SELECT 3 AS source$, t$19.id AS id, t$19.computed_at AS time$ 
FROM scores AS t$19 
WHERE t$19.customer_id = t$0.id AND ((t$19.computed_at, t$19.id) < (CAST($3::VARCHAR AS TIMESTAMP WITH TIME ZONE), CAST($4::VARCHAR AS UUID))) ORDER BY t$19.computed_at DESC, t$19.id DESC 
 LIMIT 2 + 1) AS t$24 UNION ALL SELECT t$25.source$ AS source$, t$25.id AS id, t$25.time$ AS time$ 
FROM (SELECT 4 AS source$, t$20.id AS id, t$20.given_at AS time$ 
FROM consents AS t$20 
WHERE t$20.customer_id = t$0.id AND ((t$20.given_at, t$20.id) < (CAST($3::VARCHAR AS TIMESTAMP WITH TIME ZONE), CAST($4::VARCHAR AS UUID))) ORDER BY t$20.given_at DESC, t$20.id DESC 
 LIMIT 2 + 1) AS t$25) AS t$26 ORDER BY t$26.time$ DESC, t$26.id DESC 
 LIMIT 2 + 1) AS t$37) AS t$43) AS t$45) AS next, (SELECT row_to_json(t$53) AS row_to_json_13 
FROM (SELECT t$52.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$51.n$0 ORDER BY t$51.i$ DESC), '[]'::json) AS l$0 
FROM (SELECT CASE WHEN (t$48.source$ = 0) THEN (SELECT (SELECT row_to_json(t$50) AS row_to_json_14 
FROM (SELECT t$49.number AS number, t$49.placed_at AS at) AS t$50) AS anon_9 
FROM orders AS t$49 
WHERE t$49.id = t$48.id) END AS n$0, row_number() OVER (ORDER BY t$48.time$ ASC, t$48.id ASC) AS i$ 
FROM (SELECT t$47.source$ AS source$, t$47.id AS id, t$47.time$ AS time$ 
FROM (SELECT 0 AS source$, t$46.id AS id, t$46.placed_at AS time$ 
FROM orders AS t$46 
WHERE t$46.customer_id = t$0.id ORDER BY t$46.placed_at ASC, t$46.id ASC 
 LIMIT 2) AS t$47) AS t$48 ORDER BY t$48.time$ ASC, t$48.id ASC 
 LIMIT 2) AS t$51) AS t$52) AS t$53) AS oldest, (SELECT row_to_json(t$58) AS row_to_json_15 
FROM (SELECT t$56.c$ AS "totalCount", t$57.l$1 AS nodes 
FROM (SELECT coalesce(json_agg(t$55.n$1), '[]'::json) AS l$1 
FROM (SELECT null::json AS n$1 
FROM (SELECT 0 AS source$, null::uuid AS id, null::timestamptz AS time$ 
WHERE false) AS t$54 ORDER BY t$54.time$ DESC, t$54.id DESC 
 LIMIT 10) AS t$55) AS t$57, (SELECT 0 AS c$) AS t$56) AS t$58) AS none 
FROM customers AS t$0 
WHERE t$0.id = $5::UUID) AS t$59) AS customer) AS t$60) AS anon_1
