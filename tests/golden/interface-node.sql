SELECT (SELECT row_to_json(t$5) AS row_to_json_1 
FROM (SELECT (SELECT CASE WHEN (t$0.type = 'ord') THEN (SELECT row_to_json(t$4) AS row_to_json_2 
FROM (SELECT 'Order'::text AS __typename, 'ord_' || replace(CAST(t$1.id AS TEXT), '-', '') AS id, t$1.number AS number, (SELECT row_to_json(t$3) AS row_to_json_3 
FROM (SELECT t$2.name AS name 
FROM customers AS t$2 
WHERE t$2.id = t$1.customer_id) AS t$3) AS customer, t$1.placed_at AS at 
FROM orders AS t$1 
WHERE t$1.id = t$0.key) AS t$4) END AS anon_2 
FROM unnest($1::TEXT[], $2::UUID[]) WITH ORDINALITY AS t$0(type, key, ordinality)) AS node) AS t$5) AS anon_1
