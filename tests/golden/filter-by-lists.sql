SELECT (SELECT row_to_json(t$23) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$6) AS row_to_json_2 
FROM (SELECT t$5.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$4), '[]'::json) AS l$0 
FROM (SELECT t$0.name AS name 
FROM customers AS t$0 
WHERE EXISTS (SELECT 1 
FROM orders AS t$1 
WHERE t$1.customer_id = t$0.id AND t$1.ship_country = $1::VARCHAR AND (EXISTS (SELECT 1 
FROM order_items AS t$2 
WHERE t$2.order_id = t$1.id AND (EXISTS (SELECT 1 
FROM products AS t$3 
WHERE t$3.id = t$2.product_id AND t$3.name = $2::VARCHAR))))) ORDER BY t$0.name ASC, t$0.id ASC 
 LIMIT 20) AS t$4) AS t$5) AS t$6) AS "some", (SELECT row_to_json(t$11) AS row_to_json_3 
FROM (SELECT t$10.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$9), '[]'::json) AS l$0 
FROM (SELECT t$7.name AS name 
FROM customers AS t$7 
WHERE (EXISTS (SELECT 1 
FROM orders AS t$8 
WHERE t$8.customer_id = t$7.id AND true)) IS NOT true ORDER BY t$7.name ASC, t$7.id ASC 
 LIMIT 20) AS t$9) AS t$10) AS t$11) AS none, (SELECT row_to_json(t$22) AS row_to_json_4 
FROM (SELECT t$21.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$19.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM customers AS t$16 
WHERE (EXISTS (SELECT 1 
FROM orders AS t$17 
WHERE t$17.customer_id = t$16.id AND (t$17.shipped_at IS NOT NULL) IS NOT true)) IS NOT true AND (EXISTS (SELECT 1 
FROM orders AS t$18 
WHERE t$18.customer_id = t$16.id AND true)) AND t$16.country = $3::VARCHAR) AS t$19) AS t$21) AS t$22) AS every) AS t$23) AS anon_1
