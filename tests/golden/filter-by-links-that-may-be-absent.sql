SELECT (SELECT row_to_json(t$44) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$11) AS row_to_json_2 
FROM (SELECT t$9.v$0 AS "totalCount", t$10.l$1 AS nodes 
FROM (SELECT coalesce(json_agg(t$3), '[]'::json) AS l$1 
FROM (SELECT t$0.number AS number 
FROM orders AS t$0 LEFT OUTER JOIN (SELECT t$1.order_id AS k$, count(*) AS v$ 
FROM interactions AS t$1 
WHERE true AND t$1.order_id IS NOT NULL GROUP BY t$1.order_id) AS t$2 ON t$2.k$ = t$0.id 
WHERE coalesce(t$2.v$, 0) >= $1::INTEGER ORDER BY t$0.placed_at DESC, t$0.id DESC 
 LIMIT 3) AS t$3) AS t$10, (SELECT CAST(coalesce(sum(t$7.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM orders AS t$4 LEFT OUTER JOIN (SELECT t$5.order_id AS k$, count(*) AS v$ 
FROM interactions AS t$5 
WHERE true AND t$5.order_id IS NOT NULL GROUP BY t$5.order_id) AS t$6 ON t$6.k$ = t$4.id 
WHERE coalesce(t$6.v$, 0) >= $1::INTEGER) AS t$7) AS t$9) AS t$11) AS several, (SELECT row_to_json(t$24) AS row_to_json_3 
FROM (SELECT t$23.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$22), '[]'::json) AS l$0 
FROM (SELECT t$12.number AS number, (SELECT row_to_json(t$21) AS row_to_json_4 
FROM (SELECT t$20.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$18.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM interactions AS t$17 
WHERE t$17.order_id = t$12.id) AS t$18) AS t$20) AS t$21) AS interactions 
FROM orders AS t$12 LEFT OUTER JOIN (SELECT t$13.order_id AS k$, count(*) AS v$ 
FROM interactions AS t$13 
WHERE true AND t$13.order_id IS NOT NULL GROUP BY t$13.order_id) AS t$14 ON t$14.k$ = t$12.id ORDER BY coalesce(t$14.v$, 0) DESC, t$12.id DESC 
 LIMIT 3) AS t$22) AS t$23) AS t$24) AS sorted, (SELECT row_to_json(t$33) AS row_to_json_5 
FROM (SELECT t$32.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$30.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM staff AS t$28 
WHERE t$28.name = $2::VARCHAR OR (EXISTS (SELECT 1 
FROM interactions AS t$29 
WHERE t$29.staff_id = t$28.id AND t$29.staff_id IS NOT NULL AND t$29.kind = $3::VARCHAR))) AS t$30) AS t$32) AS t$33) AS either, (SELECT row_to_json(t$43) AS row_to_json_6 
FROM (SELECT t$41.v$0 AS "totalCount", t$42.l$1 AS nodes 
FROM (SELECT coalesce(json_agg(t$36), '[]'::json) AS l$1 
FROM (SELECT t$34.number AS number 
FROM orders AS t$34 
WHERE (EXISTS (SELECT 1 
FROM interactions AS t$35 
WHERE t$35.order_id = t$34.id AND t$35.order_id IS NOT NULL AND true)) IS NOT true ORDER BY t$34.placed_at DESC, t$34.id DESC 
 LIMIT 2) AS t$36) AS t$42, (SELECT CAST(coalesce(sum(t$39.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM orders AS t$37 
WHERE (EXISTS (SELECT 1 
FROM interactions AS t$38 
WHERE t$38.order_id = t$37.id AND t$38.order_id IS NOT NULL AND true)) IS NOT true) AS t$39) AS t$41) AS t$43) AS none) AS t$44) AS anon_1
