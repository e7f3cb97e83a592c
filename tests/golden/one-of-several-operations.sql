SELECT (SELECT row_to_json(t$7) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$6) AS row_to_json_2 
FROM (SELECT t$5.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$3.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM products AS t$2) AS t$3) AS t$5) AS t$6) AS products) AS t$7) AS anon_1
