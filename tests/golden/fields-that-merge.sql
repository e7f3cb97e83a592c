SELECT (SELECT row_to_json(t$10) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$9) AS row_to_json_2 
FROM (SELECT t$0.name AS name, (SELECT row_to_json(t$8) AS row_to_json_3 
FROM (SELECT t$7.l$0 AS nodes, t$6.v$0 AS "totalCount" 
FROM (SELECT coalesce(json_agg(t$2), '[]'::json) AS l$0 
FROM (SELECT t$1.number AS number, CAST(t$1.total AS TEXT) AS total 
FROM orders AS t$1 
WHERE t$1.customer_id = t$0.id ORDER BY t$1.placed_at DESC, t$1.id DESC 
 LIMIT 1) AS t$2) AS t$7, (SELECT CAST(coalesce(sum(t$4.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM orders AS t$3 
WHERE t$3.customer_id = t$0.id) AS t$4) AS t$6) AS t$8) AS orders 
FROM customers AS t$0 
WHERE t$0.id = $1::UUID) AS t$9) AS customer) AS t$10) AS anon_1
