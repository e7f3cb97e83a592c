SELECT (SELECT row_to_json(t$18) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$3) AS row_to_json_2 
FROM (SELECT t$2.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$1), '[]'::json) AS l$0 
FROM (SELECT t$0.name AS name, t$0.country AS country, t$0.stage AS stage, t$0.tier AS tier 
FROM customers AS t$0 
WHERE (t$0.country = $1::VARCHAR OR t$0.country = $2::VARCHAR AND (t$0.stage = $3::VARCHAR) IS NOT true) AND (t$0.tier = $4::VARCHAR) IS NOT true ORDER BY t$0.name ASC, t$0.id ASC 
 LIMIT 20) AS t$1) AS t$2) AS t$3) AS customers, (SELECT row_to_json(t$10) AS row_to_json_3 
FROM (SELECT t$9.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$7.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM customers AS t$6) AS t$7) AS t$9) AS t$10) AS "all", (SELECT row_to_json(t$17) AS row_to_json_4 
FROM (SELECT t$16.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$14.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM customers AS t$13 
WHERE false) AS t$14) AS t$16) AS t$17) AS none) AS t$18) AS anon_1
