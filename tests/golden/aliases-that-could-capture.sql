SELECT (SELECT row_to_json(t$14) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$13) AS row_to_json_2 
FROM (SELECT t$12.l$0 AS row 
FROM (SELECT coalesce(json_agg(t$11), '[]'::json) AS l$0 
FROM (SELECT t$0.name AS id, 'cus_' || replace(CAST(t$0.id AS TEXT), '-', '') AS name, t$0.kind AS customers, t$0.name AS t1, t$0.country AS customer_id, (SELECT row_to_json(t$10) AS row_to_json_3 
FROM (SELECT t$9.l$0 AS nodes, t$8.v$0 AS t0 
FROM (SELECT coalesce(json_agg(t$3), '[]'::json) AS l$0 
FROM (SELECT t$1.number AS customer_id, t$1.placed_at AS id 
FROM orders AS t$1 
WHERE t$1.customer_id = t$0.id AND (EXISTS (SELECT 1 
FROM customers AS t$2 
WHERE t$2.id = t$1.customer_id AND hub_fold(t$2.name) LIKE (' ' || ltrim(substr(hub_pattern($1::VARCHAR), 2))))) ORDER BY t$1.placed_at DESC, t$1.id DESC 
 LIMIT 1) AS t$3) AS t$9, (SELECT CAST(coalesce(sum(t$6.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM orders AS t$4 
WHERE t$4.customer_id = t$0.id AND (EXISTS (SELECT 1 
FROM customers AS t$5 
WHERE t$5.id = t$4.customer_id AND hub_fold(t$5.name) LIKE (' ' || ltrim(substr(hub_pattern($1::VARCHAR), 2)))))) AS t$6) AS t$8) AS t$10) AS orders, t$0.name AS an_alias_of_sixty_three_bytes_which_is_as_long_as_they_may_be_1, t$0.stage AS an_alias_of_sixty_three_bytes_which_is_as_long_as_they_may_be_2 
FROM customers AS t$0 ORDER BY t$0.name ASC, t$0.id ASC 
 LIMIT 2) AS t$11) AS t$12) AS t$13) AS t) AS t$14) AS anon_1
