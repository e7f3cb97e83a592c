SELECT (SELECT row_to_json(t$20) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$19) AS row_to_json_2 
FROM (SELECT t$18.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$17), '[]'::json) AS l$0 
FROM (SELECT t$0.name AS name, (SELECT row_to_json(t$16) AS row_to_json_3 
FROM (SELECT t$15.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$14), '[]'::json) AS l$0 
FROM (SELECT t$1.name AS name, (SELECT row_to_json(t$13) AS row_to_json_4 
FROM (SELECT t$12.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$11), '[]'::json) AS l$0 
FROM (SELECT t$2.name AS name, (SELECT row_to_json(t$10) AS row_to_json_5 
FROM (SELECT t$9.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$8), '[]'::json) AS l$0 
FROM (SELECT t$3.number AS number, (SELECT row_to_json(t$7) AS row_to_json_6 
FROM (SELECT t$6.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$5), '[]'::json) AS l$0 
FROM (SELECT CAST(t$4.net AS TEXT) AS net 
FROM order_items AS t$4 
WHERE t$4.order_id = t$3.id ORDER BY t$4.line ASC, t$4.id ASC 
 LIMIT 1) AS t$5) AS t$6) AS t$7) AS items 
FROM orders AS t$3 
WHERE t$3.customer_id = t$2.id ORDER BY t$3.placed_at DESC, t$3.id DESC 
 LIMIT 2) AS t$8) AS t$9) AS t$10) AS orders 
FROM customers AS t$2 
WHERE t$2.unit_id = t$1.id ORDER BY t$2.name ASC, t$2.id ASC 
 LIMIT 2) AS t$11) AS t$12) AS t$13) AS customers 
FROM org_units AS t$1 
WHERE t$1.parent_id = t$0.id ORDER BY t$1.name ASC, t$1.id ASC 
 LIMIT 2) AS t$14) AS t$15) AS t$16) AS units 
FROM org_units AS t$0 
WHERE t$0.kind = $1::VARCHAR ORDER BY t$0.name ASC, t$0.id ASC 
 LIMIT 2) AS t$17) AS t$18) AS t$19) AS "orgUnits") AS t$20) AS anon_1
