WITH t$4 AS 
(SELECT t$1.k$0 AS k$0, t$1.k$1 AS k$1, coalesce(sum(t$1.f$2), '-infinity'::numeric) AS o$0, CAST(coalesce(sum(t$1.f$0), 0) AS BIGINT) AS v$0, min(t$1.f$1) AS v$1 
FROM (SELECT t$0.country AS k$0, t$0.stage AS k$1, count(*) AS f$0, min(t$0.created_at) AS f$1, count(*) AS f$2 
FROM customers AS t$0 
WHERE t$0.kind = $1::VARCHAR GROUP BY t$0.country, t$0.stage) AS t$1 GROUP BY t$1.k$0, t$1.k$1), 
t$16 AS 
(SELECT t$14.k$0 AS k$0, coalesce(sum(t$14.f$1), '-infinity'::numeric) AS o$0, CAST(coalesce(sum(t$14.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT t$13.title AS k$0, count(*) AS f$0, count(*) AS f$1 
FROM contacts AS t$13 
WHERE t$13.search_text LIKE hub_pattern($2::VARCHAR) OR (t$13.search_text %>> hub_spelling($2::VARCHAR)) GROUP BY t$13.title) AS t$14 GROUP BY t$14.k$0)
 SELECT (SELECT row_to_json(t$24) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$12) AS row_to_json_2 
FROM (SELECT t$10.c$ AS "totalCount", t$11.l$1 AS nodes 
FROM (SELECT coalesce(json_agg(t$9.n$1), '[]'::json) AS l$1 
FROM (SELECT (SELECT row_to_json(t$8) AS row_to_json_3 
FROM (SELECT (SELECT row_to_json(t$5) AS row_to_json_4 
FROM (SELECT t$4.k$0 AS country, t$4.k$1 AS stage) AS t$5) AS key, (SELECT row_to_json(t$7) AS row_to_json_5 
FROM (SELECT t$4.v$0 AS count, (SELECT row_to_json(t$6) AS row_to_json_6 
FROM (SELECT t$4.v$1 AS "createdAt") AS t$6) AS min) AS t$7) AS stats) AS t$8) AS n$1 
FROM t$4 ORDER BY t$4.o$0 DESC, t$4.k$0 IS NULL ASC, coalesce(t$4.k$0, '') ASC, t$4.k$1 ASC 
 LIMIT 4) AS t$9) AS t$11, (SELECT count(*) AS c$ 
FROM t$4) AS t$10) AS t$12) AS "customersGrouped", (SELECT row_to_json(t$23) AS row_to_json_7 
FROM (SELECT t$21.c$ AS "totalCount", t$22.l$1 AS nodes 
FROM (SELECT coalesce(json_agg(t$20.n$1), '[]'::json) AS l$1 
FROM (SELECT (SELECT row_to_json(t$19) AS row_to_json_8 
FROM (SELECT (SELECT row_to_json(t$17) AS row_to_json_9 
FROM (SELECT t$16.k$0 AS title) AS t$17) AS key, (SELECT row_to_json(t$18) AS row_to_json_10 
FROM (SELECT t$16.v$0 AS count) AS t$18) AS stats) AS t$19) AS n$1 
FROM t$16 ORDER BY t$16.o$0 DESC, t$16.k$0 IS NULL ASC, coalesce(t$16.k$0, '') ASC 
 LIMIT 20) AS t$20) AS t$22, (SELECT count(*) AS c$ 
FROM t$16) AS t$21) AS t$23) AS "contactsGrouped") AS t$24) AS anon_1
