WITH t$4 AS 
(SELECT t$1.k$0 AS k$0, t$1.k$1 AS k$1, sum(t$1.f$2) AS n$, CAST(coalesce(sum(t$1.f$0), 0) AS BIGINT) AS v$0, min(t$1.f$1) AS v$1 
FROM (SELECT t$0.country AS k$0, t$0.stage AS k$1, count(*) AS f$0, min(t$0.created_at) AS f$1, count(*) AS f$2 
FROM customers AS t$0 
WHERE t$0.kind = $1::VARCHAR GROUP BY t$0.country, t$0.stage) AS t$1 GROUP BY t$1.k$0, t$1.k$1), 
t$14 AS 
(SELECT t$12.k$0 AS k$0, sum(t$12.f$1) AS n$, CAST(coalesce(sum(t$12.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT t$11.title AS k$0, count(*) AS f$0, count(*) AS f$1 
FROM contacts AS t$11 
WHERE t$11.search_text LIKE hub_pattern($2::VARCHAR) OR (t$11.search_text %>> hub_spelling($2::VARCHAR)) GROUP BY t$11.title) AS t$12 GROUP BY t$12.k$0)
 SELECT (SELECT row_to_json(t$20) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$10) AS row_to_json_2 
FROM (SELECT (SELECT count(*) AS count_1 
FROM t$4) AS "totalCount", (SELECT coalesce(json_agg((SELECT row_to_json(t$9) AS row_to_json_3 
FROM (SELECT (SELECT row_to_json(t$6) AS row_to_json_4 
FROM (SELECT t$5.k$0 AS country, t$5.k$1 AS stage) AS t$6) AS key, (SELECT row_to_json(t$8) AS row_to_json_5 
FROM (SELECT t$5.v$0 AS count, (SELECT row_to_json(t$7) AS row_to_json_6 
FROM (SELECT t$5.v$1 AS "createdAt") AS t$7) AS min) AS t$8) AS stats) AS t$9)), '[]'::json) AS coalesce_1 
FROM (SELECT t$4.k$0 AS k$0, t$4.k$1 AS k$1, t$4.n$ AS n$, t$4.v$0 AS v$0, t$4.v$1 AS v$1 
FROM t$4 ORDER BY t$4.n$ DESC, t$4.k$0 ASC NULLS LAST, t$4.k$1 ASC NULLS LAST 
 LIMIT 4) AS t$5) AS nodes) AS t$10) AS "customersGrouped", (SELECT row_to_json(t$19) AS row_to_json_7 
FROM (SELECT (SELECT count(*) AS count_2 
FROM t$14) AS "totalCount", (SELECT coalesce(json_agg((SELECT row_to_json(t$18) AS row_to_json_8 
FROM (SELECT (SELECT row_to_json(t$16) AS row_to_json_9 
FROM (SELECT t$15.k$0 AS title) AS t$16) AS key, (SELECT row_to_json(t$17) AS row_to_json_10 
FROM (SELECT t$15.v$0 AS count) AS t$17) AS stats) AS t$18)), '[]'::json) AS coalesce_2 
FROM (SELECT t$14.k$0 AS k$0, t$14.n$ AS n$, t$14.v$0 AS v$0 
FROM t$14 ORDER BY t$14.n$ DESC, t$14.k$0 ASC NULLS LAST 
 LIMIT 20) AS t$15) AS nodes) AS t$19) AS "contactsGrouped") AS t$20) AS anon_1
