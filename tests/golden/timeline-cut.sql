SELECT (SELECT row_to_json(t$70) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$69) AS row_to_json_2 
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
WHERE t$12.customer_id = t$0.id AND t$12.occurred_at >= $1::TIMESTAMP WITH TIME ZONE AND t$12.occurred_at < $2::TIMESTAMP WITH TIME ZONE) AS c$) AS t$13) AS t$15) AS since, (SELECT row_to_json(t$55) AS row_to_json_6 
FROM (SELECT t$53.l$0 AS nodes, (SELECT row_to_json(t$54) AS row_to_json_7 
FROM (SELECT (EXISTS (SELECT 1 
FROM stage_moves AS t$46 
WHERE t$46.customer_id = t$0.id AND ((t$46.moved_at, t$46.id) >= (CAST($3::VARCHAR AS TIMESTAMP WITH TIME ZONE), CAST($4::VARCHAR AS UUID))))) OR (EXISTS (SELECT 1 
FROM orders AS t$47 
WHERE t$47.customer_id = t$0.id AND ((t$47.placed_at, t$47.id) >= (CAST($3::VARCHAR AS TIMESTAMP WITH TIME ZONE), CAST($4::VARCHAR AS UUID))))) OR (EXISTS (SELECT 1 
FROM interactions AS t$48 
WHERE t$48.customer_id = t$0.id AND ((t$48.occurred_at, t$48.id) >= (CAST($3::VARCHAR AS TIMESTAMP WITH TIME ZONE), CAST($4::VARCHAR AS UUID))))) OR (EXISTS (SELECT 1 
FROM scores AS t$49 
WHERE t$49.customer_id = t$0.id AND ((t$49.computed_at, t$49.id) >= (CAST($3::VARCHAR AS TIMESTAMP WITH TIME ZONE), CAST($4::VARCHAR AS UUID))))) OR (EXISTS (SELECT 1 
FROM consents AS t$50 
WHERE t$50.customer_id = t$0.id AND ((t$50.given_at, t$50.id) >= (CAST($3::VARCHAR AS TIMESTAMP WITH TIME ZONE), CAST($4::VARCHAR AS UUID))))) OR (EXISTS (SELECT 1 
FROM work_items AS t$51 
WHERE t$51.customer_id = t$0.id AND (t$51.audience != 'PERSON' OR t$51.staff_id = $5::UUID OR $6::BOOLEAN OR t$51.opened_by_id = $5::UUID OR (EXISTS (SELECT v$step.id 
FROM work_steps AS v$step 
WHERE v$step.item_id = t$51.id AND (v$step.addressee_id = $5::UUID OR v$step.decided_by_id = $5::UUID)))) AND ((t$51.opened_at, t$51.id) >= (CAST($3::VARCHAR AS TIMESTAMP WITH TIME ZONE), CAST($4::VARCHAR AS UUID))))) OR (EXISTS (SELECT 1 
FROM moves AS t$52 
WHERE t$52.customer_id = t$0.id AND (t$52.audience != 'PERSON' OR t$52.staff_id = $5::UUID OR $6::BOOLEAN) AND ((t$52.moved_at, t$52.id) >= (CAST($3::VARCHAR AS TIMESTAMP WITH TIME ZONE), CAST($4::VARCHAR AS UUID))))) AS "hasPreviousPage", t$53.c$ > 2 OR false AS "hasNextPage") AS t$54) AS "pageInfo" 
FROM (SELECT coalesce(json_agg(t$45.n$0) FILTER (WHERE t$45.i$ <= 2), '[]'::json) AS l$0, count(*) AS c$ 
FROM (SELECT CASE WHEN (t$30.source$ = 0) THEN (SELECT (SELECT row_to_json(t$32) AS row_to_json_8 
FROM (SELECT 'stm_' || replace(CAST(t$31.id AS TEXT), '-', '') AS id, t$31.moved_at AS at) AS t$32) AS anon_4 
FROM stage_moves AS t$31 
WHERE t$31.id = t$30.id) WHEN (t$30.source$ = 1) THEN (SELECT (SELECT row_to_json(t$34) AS row_to_json_9 
FROM (SELECT 'ord_' || replace(CAST(t$33.id AS TEXT), '-', '') AS id, t$33.placed_at AS at) AS t$34) AS anon_5 
FROM orders AS t$33 
WHERE t$33.id = t$30.id) WHEN (t$30.source$ = 2) THEN (SELECT (SELECT row_to_json(t$36) AS row_to_json_10 
FROM (SELECT 'int_' || replace(CAST(t$35.id AS TEXT), '-', '') AS id, t$35.occurred_at AS at) AS t$36) AS anon_6 
FROM interactions AS t$35 
WHERE t$35.id = t$30.id) WHEN (t$30.source$ = 3) THEN (SELECT (SELECT row_to_json(t$38) AS row_to_json_11 
FROM (SELECT 'sco_' || replace(CAST(t$37.id AS TEXT), '-', '') AS id, t$37.computed_at AS at) AS t$38) AS anon_7 
FROM scores AS t$37 
WHERE t$37.id = t$30.id) WHEN (t$30.source$ = 4) THEN (SELECT (SELECT row_to_json(t$40) AS row_to_json_12 
FROM (SELECT 'cns_' || replace(CAST(t$39.id AS TEXT), '-', '') AS id, t$39.given_at AS at) AS t$40) AS anon_8 
FROM consents AS t$39 
WHERE t$39.id = t$30.id) WHEN (t$30.source$ = 5) THEN (SELECT (SELECT row_to_json(t$42) AS row_to_json_13 
FROM (SELECT 'wit_' || replace(CAST(t$41.id AS TEXT), '-', '') AS id, t$41.opened_at AS at) AS t$42) AS anon_9 
FROM work_items AS t$41 
WHERE t$41.id = t$30.id) WHEN (t$30.source$ = 6) THEN (SELECT (SELECT row_to_json(t$44) AS row_to_json_14 
FROM (SELECT 'mov_' || replace(CAST(t$43.id AS TEXT), '-', '') AS id, t$43.moved_at AS at) AS t$44) AS anon_10 
FROM moves AS t$43 
WHERE t$43.id = t$30.id) END AS n$0, row_number() OVER (ORDER BY t$30.time$ DESC, t$30.id DESC) AS i$ 
FROM (SELECT t$23.source$ AS source$, t$23.id AS id, t$23.time$ AS time$ 
FROM (SELECT 0 AS source$, t$16.id AS id, t$16.moved_at AS time$ 
FROM stage_moves AS t$16 
WHERE t$16.customer_id = t$0.id AND ((t$16.moved_at, t$16.id) < (CAST($3::VARCHAR AS TIMESTAMP WITH TIME ZONE), CAST($4::VARCHAR AS UUID))) ORDER BY t$16.moved_at DESC, t$16.id DESC 
 LIMIT 2 + 1) AS t$23 UNION ALL SELECT t$24.source$ AS source$, t$24.id AS id, t$24.time$ AS time$ 
FROM (SELECT 1 AS source$, t$17.id AS id, t$17.placed_at AS time$ 
FROM orders AS t$17 
WHERE t$17.customer_id = t$0.id AND ((t$17.placed_at, t$17.id) < (CAST($3::VARCHAR AS TIMESTAMP WITH TIME ZONE), CAST($4::VARCHAR AS UUID))) ORDER BY t$17.placed_at DESC, t$17.id DESC 
 LIMIT 2 + 1) AS t$24 UNION ALL SELECT t$25.source$ AS source$, t$25.id AS id, t$25.time$ AS time$ 
FROM (SELECT 2 AS source$, t$18.id AS id, t$18.occurred_at AS time$ 
FROM interactions AS t$18 
WHERE t$18.customer_id = t$0.id AND ((t$18.occurred_at, t$18.id) < (CAST($3::VARCHAR AS TIMESTAMP WITH TIME ZONE), CAST($4::VARCHAR AS UUID))) ORDER BY t$18.occurred_at DESC, t$18.id DESC 
 LIMIT 2 + 1) AS t$25 UNION ALL SELECT t$26.source$ AS source$, t$26.id AS id, t$26.time$ AS time$ 
FROM (SELECT 3 AS source$, t$19.id AS id, t$19.computed_at AS time$ 
FROM scores AS t$19 
WHERE t$19.customer_id = t$0.id AND ((t$19.computed_at, t$19.id) < (CAST($3::VARCHAR AS TIMESTAMP WITH TIME ZONE), CAST($4::VARCHAR AS UUID))) ORDER BY t$19.computed_at DESC, t$19.id DESC 
 LIMIT 2 + 1) AS t$26 UNION ALL SELECT t$27.source$ AS source$, t$27.id AS id, t$27.time$ AS time$ 
FROM (SELECT 4 AS source$, t$20.id AS id, t$20.given_at AS time$ 
FROM consents AS t$20 
WHERE t$20.customer_id = t$0.id AND ((t$20.given_at, t$20.id) < (CAST($3::VARCHAR AS TIMESTAMP WITH TIME ZONE), CAST($4::VARCHAR AS UUID))) ORDER BY t$20.given_at DESC, t$20.id DESC 
 LIMIT 2 + 1) AS t$27 UNION ALL SELECT t$28.source$ AS source$, t$28.id AS id, t$28.time$ AS time$ 
FROM (SELECT 5 AS source$, t$21.id AS id, t$21.opened_at AS time$ 
FROM work_items AS t$21 
WHERE t$21.customer_id = t$0.id AND (t$21.audience != 'PERSON' OR t$21.staff_id = $5::UUID OR $6::BOOLEAN OR t$21.opened_by_id = $5::UUID OR (EXISTS (SELECT v$step.id 
FROM work_steps AS v$step 
WHERE v$step.item_id = t$21.id AND (v$step.addressee_id = $5::UUID OR v$step.decided_by_id = $5::UUID)))) AND ((t$21.opened_at, t$21.id) < (CAST($3::VARCHAR AS TIMESTAMP WITH TIME ZONE), CAST($4::VARCHAR AS UUID))) ORDER BY t$21.opened_at DESC, t$21.id DESC 
 LIMIT 2 + 1) AS t$28 UNION ALL SELECT t$29.source$ AS source$, t$29.id AS id, t$29.time$ AS time$ 
FROM (SELECT 6 AS source$, t$22.id AS id, t$22.moved_at AS time$ 
FROM moves AS t$22 
WHERE t$22.customer_id = t$0.id AND (t$22.audience != 'PERSON' OR t$22.staff_id = $5::UUID OR $6::BOOLEAN) AND ((t$22.moved_at, t$22.id) < (CAST($3::VARCHAR AS TIMESTAMP WITH TIME ZONE), CAST($4::VARCHAR AS UUID))) ORDER BY t$22.moved_at DESC, t$22.id DESC 
 LIMIT 2 + 1) AS t$29) AS t$30 ORDER BY t$30.time$ DESC, t$30.id DESC 
 LIMIT 2 + 1) AS t$45) AS t$53) AS t$55) AS next, (SELECT row_to_json(t$63) AS row_to_json_15 
FROM (SELECT t$62.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$61.n$0 ORDER BY t$61.i$ DESC), '[]'::json) AS l$0 
FROM (SELECT CASE WHEN (t$58.source$ = 0) THEN (SELECT (SELECT row_to_json(t$60) AS row_to_json_16 
FROM (SELECT t$59.number AS number, t$59.placed_at AS at) AS t$60) AS anon_11 
FROM orders AS t$59 
WHERE t$59.id = t$58.id) END AS n$0, row_number() OVER (ORDER BY t$58.time$ ASC, t$58.id ASC) AS i$ 
FROM (SELECT t$57.source$ AS source$, t$57.id AS id, t$57.time$ AS time$ 
FROM (SELECT 0 AS source$, t$56.id AS id, t$56.placed_at AS time$ 
FROM orders AS t$56 
WHERE t$56.customer_id = t$0.id ORDER BY t$56.placed_at ASC, t$56.id ASC 
 LIMIT 2) AS t$57) AS t$58 ORDER BY t$58.time$ ASC, t$58.id ASC 
 LIMIT 2) AS t$61) AS t$62) AS t$63) AS oldest, (SELECT row_to_json(t$68) AS row_to_json_17 
FROM (SELECT t$66.c$ AS "totalCount", t$67.l$1 AS nodes 
FROM (SELECT coalesce(json_agg(t$65.n$1), '[]'::json) AS l$1 
FROM (SELECT null::json AS n$1 
FROM (SELECT 0 AS source$, null::uuid AS id, null::timestamptz AS time$ 
WHERE false) AS t$64 ORDER BY t$64.time$ DESC, t$64.id DESC 
 LIMIT 10) AS t$65) AS t$67, (SELECT 0 AS c$) AS t$66) AS t$68) AS none 
FROM customers AS t$0 
WHERE t$0.id = $7::UUID) AS t$69) AS customer) AS t$70) AS anon_1
