SELECT (SELECT row_to_json(t$12) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$11) AS row_to_json_2 
FROM (SELECT t$10.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$9), '[]'::json) AS l$0 
FROM (SELECT 'cus_' || replace(CAST(t$0.id AS TEXT), '-', '') AS id, t$0.name AS name, (SELECT row_to_json(t$4) AS row_to_json_3 
FROM (SELECT t$3.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$2), '[]'::json) AS l$0 
FROM (SELECT 'ord_' || replace(CAST(t$1.id AS TEXT), '-', '') AS id, t$1.number AS number, CAST(t$1.total AS TEXT) AS total 
FROM orders AS t$1 
WHERE t$1.customer_id = t$0.id ORDER BY t$1.placed_at DESC, t$1.id DESC 
 LIMIT 3) AS t$2) AS t$3) AS t$4) AS orders, (SELECT row_to_json(t$8) AS row_to_json_4 
FROM (SELECT t$7.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$6), '[]'::json) AS l$0 
FROM (SELECT CAST(t$5.value AS TEXT) AS value, t$5.band AS band 
FROM scores AS t$5 
WHERE t$5.customer_id = t$0.id AND t$5.model = $1::VARCHAR ORDER BY t$5.computed_at DESC, t$5.id DESC 
 LIMIT 1) AS t$6) AS t$7) AS t$8) AS scores 
FROM customers AS t$0 ORDER BY t$0.name ASC, t$0.id ASC 
 LIMIT 5) AS t$9) AS t$10) AS t$11) AS customers) AS t$12) AS anon_1
