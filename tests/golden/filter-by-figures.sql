SELECT (SELECT row_to_json(t$38) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$5) AS row_to_json_2 
FROM (SELECT t$4.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$3), '[]'::json) AS l$0 
FROM (SELECT t$0.name AS name 
FROM customers AS t$0 LEFT OUTER JOIN (SELECT t$1.customer_id AS k$, count(*) AS v$ 
FROM orders AS t$1 
WHERE true GROUP BY t$1.customer_id) AS t$2 ON t$2.k$ = t$0.id 
WHERE coalesce(t$2.v$, 0) >= $1::INTEGER ORDER BY t$0.name ASC, t$0.id ASC 
 LIMIT 20) AS t$3) AS t$4) AS t$5) AS count, (SELECT row_to_json(t$11) AS row_to_json_3 
FROM (SELECT t$10.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$9), '[]'::json) AS l$0 
FROM (SELECT t$6.name AS name 
FROM customers AS t$6 LEFT OUTER JOIN (SELECT t$7.customer_id AS k$, count(*) AS v$ 
FROM orders AS t$7 
WHERE t$7.shipped_at IS NULL GROUP BY t$7.customer_id) AS t$8 ON t$8.k$ = t$6.id 
WHERE coalesce(t$8.v$, 0) = ANY ($2::INTEGER[]) ORDER BY t$6.name ASC, t$6.id ASC 
 LIMIT 20) AS t$9) AS t$10) AS t$11) AS "countWhere", (SELECT row_to_json(t$17) AS row_to_json_4 
FROM (SELECT t$16.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$15), '[]'::json) AS l$0 
FROM (SELECT t$12.name AS name 
FROM customers AS t$12 LEFT OUTER JOIN (SELECT t$13.customer_id AS k$, sum(t$13.net) FILTER (WHERE t$13.currency = $3::VARCHAR) AS v$ 
FROM orders AS t$13 
WHERE true GROUP BY t$13.customer_id) AS t$14 ON t$14.k$ = t$12.id 
WHERE t$14.v$ > $4::NUMERIC ORDER BY t$12.name ASC, t$12.id ASC 
 LIMIT 20) AS t$15) AS t$16) AS t$17) AS sum, (SELECT row_to_json(t$23) AS row_to_json_5 
FROM (SELECT t$22.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$21), '[]'::json) AS l$0 
FROM (SELECT t$18.number AS number 
FROM orders AS t$18 LEFT OUTER JOIN (SELECT t$19.order_id AS k$, avg(t$19.quantity) AS v$ 
FROM order_items AS t$19 
WHERE true GROUP BY t$19.order_id) AS t$20 ON t$20.k$ = t$18.id 
WHERE t$20.v$ > $5::NUMERIC ORDER BY t$18.placed_at DESC, t$18.id DESC 
 LIMIT 20) AS t$21) AS t$22) AS t$23) AS avg, (SELECT row_to_json(t$29) AS row_to_json_6 
FROM (SELECT t$28.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$27), '[]'::json) AS l$0 
FROM (SELECT t$24.name AS name 
FROM customers AS t$24 LEFT OUTER JOIN (SELECT t$25.customer_id AS k$, min(t$25.placed_at) AS v$ 
FROM orders AS t$25 
WHERE true GROUP BY t$25.customer_id) AS t$26 ON t$26.k$ = t$24.id 
WHERE t$26.v$ >= $6::TIMESTAMP WITH TIME ZONE ORDER BY t$24.name ASC, t$24.id ASC 
 LIMIT 20) AS t$27) AS t$28) AS t$29) AS min, (SELECT row_to_json(t$37) AS row_to_json_7 
FROM (SELECT t$36.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$35), '[]'::json) AS l$0 
FROM (SELECT t$30.name AS name 
FROM customers AS t$30 LEFT OUTER JOIN (SELECT t$31.customer_id AS k$, max(t$31.total) FILTER (WHERE t$31.currency = $7::VARCHAR) AS v$ 
FROM orders AS t$31 
WHERE true GROUP BY t$31.customer_id) AS t$32 ON t$32.k$ = t$30.id LEFT OUTER JOIN (SELECT t$33.customer_id AS k$, count(*) AS v$ 
FROM contacts AS t$33 
WHERE true GROUP BY t$33.customer_id) AS t$34 ON t$34.k$ = t$30.id 
WHERE (t$32.v$ > $8::NUMERIC) AND coalesce(t$34.v$, 0) = $9::INTEGER ORDER BY t$30.name ASC, t$30.id ASC 
 LIMIT 20) AS t$35) AS t$36) AS t$37) AS max) AS t$38) AS anon_1
