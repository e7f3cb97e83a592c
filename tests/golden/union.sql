SELECT (SELECT row_to_json(t$8) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$7) AS row_to_json_2 
FROM (SELECT t$6.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$5), '[]'::json) AS l$0 
FROM (SELECT 'int_' || replace(CAST(t$0.id AS TEXT), '-', '') AS id, CASE WHEN (t$0.order_id IS NOT NULL) THEN (SELECT row_to_json(t$2) AS row_to_json_3 
FROM (SELECT 'Order'::text AS __typename, t$1.number AS number, 'ord_' || replace(CAST(t$1.id AS TEXT), '-', '') AS id 
FROM orders AS t$1 
WHERE t$1.id = t$0.order_id) AS t$2) WHEN (t$0.contact_id IS NOT NULL) THEN (SELECT row_to_json(t$4) AS row_to_json_4 
FROM (SELECT 'Contact'::text AS __typename, t$3.name AS name, 'con_' || replace(CAST(t$3.id AS TEXT), '-', '') AS id 
FROM contacts AS t$3 
WHERE t$3.id = t$0.contact_id) AS t$4) END AS about 
FROM interactions AS t$0 
WHERE t$0.kind = $1::VARCHAR ORDER BY t$0.occurred_at DESC, t$0.id DESC 
 LIMIT 3) AS t$5) AS t$6) AS t$7) AS interactions) AS t$8) AS anon_1
