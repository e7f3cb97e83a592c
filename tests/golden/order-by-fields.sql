SELECT (SELECT row_to_json(t$14) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$3) AS row_to_json_2 
FROM (SELECT t$2.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$1), '[]'::json) AS l$0 
FROM (SELECT t$0.country AS country, t$0.name AS name 
FROM customers AS t$0 ORDER BY coalesce(t$0.country, '') ASC, t$0.id ASC 
 LIMIT 3) AS t$1) AS t$2) AS t$3) AS nullable, (SELECT row_to_json(t$7) AS row_to_json_3 
FROM (SELECT t$6.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$5), '[]'::json) AS l$0 
FROM (SELECT t$4.country AS country, t$4.created_at AS "createdAt", t$4.name AS name 
FROM customers AS t$4 ORDER BY coalesce(t$4.country, '') DESC, t$4.created_at ASC, t$4.id ASC 
 LIMIT 3) AS t$5) AS t$6) AS t$7) AS several, (SELECT row_to_json(t$13) AS row_to_json_4 
FROM (SELECT (SELECT row_to_json(t$12) AS row_to_json_5 
FROM (SELECT t$11.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$10), '[]'::json) AS l$0 
FROM (SELECT t$9.number AS number, CAST(t$9.total AS TEXT) AS total 
FROM orders AS t$9 
WHERE t$9.customer_id = t$8.id ORDER BY t$9.total DESC, t$9.id DESC 
 LIMIT 3) AS t$10) AS t$11) AS t$12) AS orders 
FROM customers AS t$8 
WHERE t$8.id = $1::UUID) AS t$13) AS nested) AS t$14) AS anon_1
