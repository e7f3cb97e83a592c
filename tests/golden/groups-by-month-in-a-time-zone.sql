WITH t$5 AS 
(SELECT hub_interval_start(t$1.k$0, $1::VARCHAR) AS k$0, sum(t$1.f$3) AS n$, CAST(coalesce(sum(t$1.f$0), 0) AS BIGINT) AS v$0, coalesce(json_agg((SELECT row_to_json(t$3) AS row_to_json_3 
FROM (SELECT CAST(t$1.f$1 AS TEXT) AS amount, t$1.currency$ AS currency) AS t$3) ORDER BY t$1.currency$) FILTER (WHERE t$1.f$1 IS NOT NULL), '[]'::json) AS v$1, coalesce(json_agg((SELECT row_to_json(t$4) AS row_to_json_4 
FROM (SELECT CAST(t$1.f$2 AS TEXT) AS amount) AS t$4) ORDER BY t$1.currency$) FILTER (WHERE t$1.f$2 IS NOT NULL), '[]'::json) AS v$2 
FROM (SELECT date_trunc('month', timezone($1::VARCHAR, t$0.placed_at)) AS k$0, t$0.currency AS currency$, count(*) AS f$0, sum(t$0.net) AS f$1, max(t$0.total) AS f$2, count(*) AS f$3 
FROM orders AS t$0 GROUP BY date_trunc('month', timezone($1::VARCHAR, t$0.placed_at)), t$0.currency) AS t$1 GROUP BY hub_interval_start(t$1.k$0, $1::VARCHAR)), 
t$16 AS 
(SELECT t$14.k$0 AS k$0, sum(t$14.f$1) AS n$, CAST(coalesce(sum(t$14.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT CAST(date_trunc('year', CAST(t$13.hired_on AS TIMESTAMP WITHOUT TIME ZONE)) AS DATE) AS k$0, count(*) AS f$0, count(*) AS f$1 
FROM staff AS t$13 GROUP BY CAST(date_trunc('year', CAST(t$13.hired_on AS TIMESTAMP WITHOUT TIME ZONE)) AS DATE)) AS t$14 GROUP BY t$14.k$0)
 SELECT (SELECT row_to_json(t$22) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$12) AS row_to_json_2 
FROM (SELECT (SELECT count(*) AS count_1 
FROM t$5) AS "totalCount", (SELECT coalesce(json_agg((SELECT row_to_json(t$11) AS row_to_json_5 
FROM (SELECT (SELECT row_to_json(t$7) AS row_to_json_6 
FROM (SELECT t$6.k$0 AS "placedAt", null AS status) AS t$7) AS key, (SELECT row_to_json(t$10) AS row_to_json_7 
FROM (SELECT t$6.v$0 AS count, (SELECT row_to_json(t$8) AS row_to_json_8 
FROM (SELECT t$6.v$1 AS net) AS t$8) AS sum, (SELECT row_to_json(t$9) AS row_to_json_9 
FROM (SELECT t$6.v$2 AS total) AS t$9) AS max) AS t$10) AS stats) AS t$11)), '[]'::json) AS coalesce_1 
FROM (SELECT t$5.k$0 AS k$0, t$5.n$ AS n$, t$5.v$0 AS v$0, t$5.v$1 AS v$1, t$5.v$2 AS v$2 
FROM t$5 ORDER BY t$5.k$0 ASC NULLS LAST 
 LIMIT 3) AS t$6) AS nodes) AS t$12) AS "ordersGrouped", (SELECT row_to_json(t$21) AS row_to_json_10 
FROM (SELECT (SELECT coalesce(json_agg((SELECT row_to_json(t$20) AS row_to_json_11 
FROM (SELECT (SELECT row_to_json(t$18) AS row_to_json_12 
FROM (SELECT t$17.k$0 AS "hiredOn") AS t$18) AS key, (SELECT row_to_json(t$19) AS row_to_json_13 
FROM (SELECT t$17.v$0 AS count) AS t$19) AS stats) AS t$20)), '[]'::json) AS coalesce_2 
FROM (SELECT t$16.k$0 AS k$0, t$16.n$ AS n$, t$16.v$0 AS v$0 
FROM t$16 ORDER BY t$16.k$0 ASC NULLS LAST 
 LIMIT 20) AS t$17) AS nodes) AS t$21) AS "staffMembersGrouped") AS t$22) AS anon_1
