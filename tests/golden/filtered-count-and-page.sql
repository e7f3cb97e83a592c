SELECT (SELECT row_to_json(t$10) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$9) AS row_to_json_2 
FROM (SELECT t$6.v$0 AS "totalCount", t$7.l$1 AS nodes, (SELECT row_to_json(t$8) AS row_to_json_3 
FROM (SELECT t$7.c$ > 3 AS "hasNextPage") AS t$8) AS "pageInfo" 
FROM (SELECT coalesce(json_agg(t$2.n$1) FILTER (WHERE t$2.i$ <= 3), '[]'::json) AS l$1, count(*) AS c$ 
FROM (SELECT (SELECT row_to_json(t$1) AS row_to_json_4 
FROM (SELECT 'cus_' || replace(CAST(t$0.id AS TEXT), '-', '') AS id, t$0.name AS name, t$0.created_at AS "createdAt") AS t$1) AS n$1, row_number() OVER (ORDER BY t$0.created_at DESC, t$0.id DESC) AS i$ 
FROM customers AS t$0 
WHERE t$0.country = $1::VARCHAR AND t$0.stage = $2::VARCHAR ORDER BY t$0.created_at DESC, t$0.id DESC 
 LIMIT 3 + 1) AS t$2) AS t$7, (SELECT CAST(coalesce(sum(t$4.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM customers AS t$3 
WHERE t$3.country = $1::VARCHAR AND t$3.stage = $2::VARCHAR) AS t$4) AS t$6) AS t$9) AS customers) AS t$10) AS anon_1
