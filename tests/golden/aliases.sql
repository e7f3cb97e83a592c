SELECT (SELECT row_to_json(t$13) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$3) AS row_to_json_2 
FROM (SELECT t$2.l$0 AS rows 
FROM (SELECT coalesce(json_agg(t$1), '[]'::json) AS l$0 
FROM (SELECT t$0.name AS label, CAST(t$0.unit_price AS TEXT) AS price 
FROM products AS t$0 ORDER BY t$0.unit_price DESC, t$0.id DESC 
 LIMIT 2) AS t$1) AS t$2) AS t$3) AS dear, (SELECT row_to_json(t$12) AS row_to_json_3 
FROM (SELECT t$11.l$0 AS rows, t$10.v$0 AS "all", t$10.v$1 AS again 
FROM (SELECT coalesce(json_agg(t$5), '[]'::json) AS l$0 
FROM (SELECT t$4.name AS label, CAST(t$4.unit_price AS TEXT) AS price 
FROM products AS t$4 ORDER BY t$4.unit_price ASC, t$4.id ASC 
 LIMIT 2) AS t$5) AS t$11, (SELECT CAST(coalesce(sum(t$7.f$0), 0) AS BIGINT) AS v$0, CAST(coalesce(sum(t$7.f$1), 0) AS BIGINT) AS v$1 
FROM (SELECT count(*) AS f$0, count(*) AS f$1 
FROM products AS t$6) AS t$7) AS t$10) AS t$12) AS cheap) AS t$13) AS anon_1
