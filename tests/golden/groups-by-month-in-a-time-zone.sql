WITH t$5 AS 
(SELECT hub_interval_start(t$1.k$0, $1::VARCHAR) AS k$0, CAST(coalesce(sum(t$1.f$0), 0) AS BIGINT) AS v$0, coalesce(json_agg((SELECT row_to_json(t$3) AS row_to_json_8 
FROM (SELECT CAST(t$1.f$1 AS TEXT) AS amount, t$1.currency$ AS currency) AS t$3) ORDER BY t$1.currency$) FILTER (WHERE t$1.f$1 IS NOT NULL), '[]'::json) AS v$1, coalesce(json_agg((SELECT row_to_json(t$4) AS row_to_json_9 
FROM (SELECT CAST(t$1.f$2 AS TEXT) AS amount) AS t$4) ORDER BY t$1.currency$) FILTER (WHERE t$1.f$2 IS NOT NULL), '[]'::json) AS v$2 
FROM (SELECT date_trunc('month', timezone($1::VARCHAR, t$0.placed_at)) AS k$0, t$0.currency AS currency$, count(*) AS f$0, sum(t$0.net) AS f$1, max(t$0.total) AS f$2 
FROM orders AS t$0 GROUP BY date_trunc('month', timezone($1::VARCHAR, t$0.placed_at)), t$0.currency) AS t$1 GROUP BY hub_interval_start(t$1.k$0, $1::VARCHAR)), 
t$18 AS 
(SELECT t$16.k$0 AS k$0, CAST(coalesce(sum(t$16.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT CAST(date_trunc('year', CAST(t$15.hired_on AS TIMESTAMP WITHOUT TIME ZONE)) AS DATE) AS k$0, count(*) AS f$0 
FROM staff AS t$15 GROUP BY CAST(date_trunc('year', CAST(t$15.hired_on AS TIMESTAMP WITHOUT TIME ZONE)) AS DATE)) AS t$16 GROUP BY t$16.k$0)
 SELECT (SELECT row_to_json(t$25) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$14) AS row_to_json_2 
FROM (SELECT t$12.c$ AS "totalCount", t$13.l$1 AS nodes 
FROM (SELECT coalesce(json_agg(t$11.n$1), '[]'::json) AS l$1 
FROM (SELECT (SELECT row_to_json(t$10) AS row_to_json_3 
FROM (SELECT (SELECT row_to_json(t$6) AS row_to_json_4 
FROM (SELECT t$5.k$0 AS "placedAt", null AS status) AS t$6) AS key, (SELECT row_to_json(t$9) AS row_to_json_5 
FROM (SELECT t$5.v$0 AS count, (SELECT row_to_json(t$7) AS row_to_json_6 
FROM (SELECT t$5.v$1 AS net) AS t$7) AS sum, (SELECT row_to_json(t$8) AS row_to_json_7 
FROM (SELECT t$5.v$2 AS total) AS t$8) AS max) AS t$9) AS stats) AS t$10) AS n$1 
FROM t$5 ORDER BY t$5.k$0 ASC 
 LIMIT 3) AS t$11) AS t$13, (SELECT count(*) AS c$ 
FROM t$5) AS t$12) AS t$14) AS "ordersGrouped", (SELECT row_to_json(t$24) AS row_to_json_10 
FROM (SELECT t$23.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$22.n$0), '[]'::json) AS l$0 
FROM (SELECT (SELECT row_to_json(t$21) AS row_to_json_11 
FROM (SELECT (SELECT row_to_json(t$19) AS row_to_json_12 
FROM (SELECT t$18.k$0 AS "hiredOn") AS t$19) AS key, (SELECT row_to_json(t$20) AS row_to_json_13 
FROM (SELECT t$18.v$0 AS count) AS t$20) AS stats) AS t$21) AS n$0 
FROM t$18 ORDER BY t$18.k$0 IS NULL ASC, coalesce(t$18.k$0, '-infinity'::date) ASC 
 LIMIT 20) AS t$22) AS t$23) AS t$24) AS "staffMembersGrouped") AS t$25) AS anon_1
