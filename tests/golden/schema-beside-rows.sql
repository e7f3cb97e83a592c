SELECT (SELECT row_to_json(t$4) AS row_to_json_1 
FROM (SELECT null AS __type, (SELECT row_to_json(t$3) AS row_to_json_2 
FROM (SELECT t$2.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$1), '[]'::json) AS l$0 
FROM (SELECT t$0.name AS name 
FROM products AS t$0 ORDER BY t$0.name ASC, t$0.id ASC 
 LIMIT 1) AS t$1) AS t$2) AS t$3) AS products) AS t$4) AS anon_1
