SELECT (SELECT row_to_json(t$34) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$5) AS row_to_json_2 
FROM (SELECT t$4.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$3), '[]'::json) AS l$0 
FROM (SELECT t$0.name AS name 
FROM customers AS t$0 LEFT OUTER JOIN (SELECT t$1.customer_id AS k$, sum(t$1.net) FILTER (WHERE t$1.currency = $1::VARCHAR) AS v$ 
FROM orders AS t$1 
WHERE true GROUP BY t$1.customer_id) AS t$2 ON t$2.k$ = t$0.id ORDER BY coalesce(t$2.v$, '-infinity'::numeric) DESC, t$0.id DESC 
 LIMIT 3) AS t$3) AS t$4) AS t$5) AS customers, (SELECT row_to_json(t$11) AS row_to_json_3 
FROM (SELECT t$10.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$9), '[]'::json) AS l$0 
FROM (SELECT t$6.name AS name 
FROM staff AS t$6 LEFT OUTER JOIN (SELECT t$7.staff_id AS k$, count(*) AS v$ 
FROM orders AS t$7 
WHERE t$7.ship_country = $2::VARCHAR AND t$7.staff_id IS NOT NULL GROUP BY t$7.staff_id) AS t$8 ON t$8.k$ = t$6.id ORDER BY coalesce(t$8.v$, 0) DESC, t$6.name ASC, t$6.id ASC 
 LIMIT 3) AS t$9) AS t$10) AS t$11) AS "staffMembers", (SELECT row_to_json(t$17) AS row_to_json_4 
FROM (SELECT t$16.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$15), '[]'::json) AS l$0 
FROM (SELECT t$12.name AS name 
FROM products AS t$12 LEFT OUTER JOIN (SELECT t$13.product_id AS k$, max(t$13.created_at) AS v$ 
FROM order_items AS t$13 
WHERE true GROUP BY t$13.product_id) AS t$14 ON t$14.k$ = t$12.id ORDER BY coalesce(t$14.v$, '-infinity'::timestamptz) ASC, t$12.id ASC 
 LIMIT 3) AS t$15) AS t$16) AS t$17) AS products, (SELECT row_to_json(t$33) AS row_to_json_5 
FROM (SELECT t$32.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$31), '[]'::json) AS l$0 
FROM (SELECT t$18.name AS name, (SELECT row_to_json(t$30) AS row_to_json_6 
FROM (SELECT t$29.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$28), '[]'::json) AS l$0 
FROM (SELECT t$19.name AS name, (SELECT row_to_json(t$27) AS row_to_json_7 
FROM (SELECT t$26.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$24.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM customers AS t$23 
WHERE t$23.unit_id = t$19.id) AS t$24) AS t$26) AS t$27) AS customers 
FROM org_units AS t$19 
WHERE t$19.parent_id = t$18.id ORDER BY coalesce((SELECT count(*) AS count_1 
FROM customers AS t$20 
WHERE t$20.unit_id = t$19.id AND true), 0) DESC, t$19.id DESC 
 LIMIT 3) AS t$28) AS t$29) AS t$30) AS units 
FROM org_units AS t$18 
WHERE t$18.kind = $3::VARCHAR ORDER BY t$18.name ASC, t$18.id ASC 
 LIMIT 1) AS t$31) AS t$32) AS t$33) AS "orgUnits") AS t$34) AS anon_1
