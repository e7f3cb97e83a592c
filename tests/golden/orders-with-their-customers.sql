SELECT (SELECT row_to_json(t$10) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$9) AS row_to_json_2 
FROM (SELECT t$8.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$7), '[]'::json) AS l$0 
FROM (SELECT 'ord_' || replace(CAST(t$0.id AS TEXT), '-', '') AS id, t$0.number AS number, t$0.placed_at AS "placedAt", CAST(t$0.net AS TEXT) AS net, t$0.currency AS currency, (SELECT row_to_json(t$2) AS row_to_json_3 
FROM (SELECT 'cus_' || replace(CAST(t$1.id AS TEXT), '-', '') AS id, t$1.name AS name, t$1.country AS country 
FROM customers AS t$1 
WHERE t$1.id = t$0.customer_id) AS t$2) AS customer, (SELECT row_to_json(t$4) AS row_to_json_4 
FROM (SELECT t$3.name AS name 
FROM contacts AS t$3 
WHERE t$3.id = t$0.contact_id) AS t$4) AS contact, (SELECT row_to_json(t$6) AS row_to_json_5 
FROM (SELECT t$5.name AS name 
FROM staff AS t$5 
WHERE t$5.id = t$0.staff_id) AS t$6) AS staff 
FROM orders AS t$0 ORDER BY t$0.placed_at DESC, t$0.id DESC 
 LIMIT 5) AS t$7) AS t$8) AS t$9) AS orders) AS t$10) AS anon_1
