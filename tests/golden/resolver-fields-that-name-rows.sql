SELECT (SELECT row_to_json(t$4) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$3) AS row_to_json_2 
FROM (SELECT t$2.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$1), '[]'::json) AS l$0 
FROM (SELECT null AS mentions, t$0.subject AS "$subject", t$0.body AS "$body" 
FROM interactions AS t$0 ORDER BY t$0.occurred_at DESC, t$0.id DESC 
 LIMIT 2) AS t$1) AS t$2) AS t$3) AS interactions) AS t$4) AS anon_1

SELECT (SELECT row_to_json(t$8) AS row_to_json_1 
FROM (SELECT (SELECT json_object_agg(CAST(t$0.id AS TEXT), (SELECT row_to_json(t$7) AS row_to_json_2 
FROM (SELECT t$0.number AS number, (SELECT row_to_json(t$2) AS row_to_json_3 
FROM (SELECT t$1.name AS name 
FROM customers AS t$1 
WHERE t$1.id = t$0.customer_id) AS t$2) AS customer, (SELECT row_to_json(t$6) AS row_to_json_4 
FROM (SELECT t$5.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$4), '[]'::json) AS l$0 
FROM (SELECT t$3.kind AS kind, null AS mentions, t$3.subject AS "$subject", t$3.body AS "$body" 
FROM interactions AS t$3 
WHERE t$3.order_id = t$0.id ORDER BY t$3.occurred_at DESC, t$3.id DESC 
 LIMIT 1) AS t$4) AS t$5) AS t$6) AS interactions) AS t$7)) AS json_object_agg_1 
FROM orders AS t$0 
WHERE t$0.id = ANY ($1::UUID[])) AS rows) AS t$8) AS anon_1

SELECT (SELECT row_to_json(t$2) AS row_to_json_1 
FROM (SELECT (SELECT json_object_agg(CAST(t$0.id AS TEXT), (SELECT row_to_json(t$1) AS row_to_json_2 
FROM (SELECT 'ord_' || replace(CAST(t$0.id AS TEXT), '-', '') AS id, t$0.number AS number) AS t$1)) AS json_object_agg_1 
FROM orders AS t$0 
WHERE t$0.id = ANY ($1::UUID[])) AS rows) AS t$2) AS anon_1
