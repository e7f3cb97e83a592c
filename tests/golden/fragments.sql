SELECT (SELECT row_to_json(t$10) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$9) AS row_to_json_2 
FROM (SELECT t$7.v$0 AS "totalCount", t$8.l$1 AS nodes 
FROM (SELECT coalesce(json_agg(t$3), '[]'::json) AS l$1 
FROM (SELECT 'cus_' || replace(CAST(t$0.id AS TEXT), '-', '') AS id, t$0.name AS name, (SELECT row_to_json(t$2) AS row_to_json_3 
FROM (SELECT t$1.name AS name, t$1.kind AS kind 
FROM org_units AS t$1 
WHERE t$1.id = t$0.unit_id) AS t$2) AS unit, t$0.country AS country, t$0.stage AS stage 
FROM customers AS t$0 ORDER BY t$0.name ASC, t$0.id ASC 
 LIMIT 2) AS t$3) AS t$8, (SELECT CAST(coalesce(sum(t$5.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM customers AS t$4) AS t$5) AS t$7) AS t$9) AS customers) AS t$10) AS anon_1
