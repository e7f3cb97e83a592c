SELECT (SELECT row_to_json(t$47) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$21) AS row_to_json_2 
FROM (SELECT t$15.v$0 AS "totalCount", (SELECT row_to_json(t$20) AS row_to_json_3 
FROM (SELECT t$15.v$1 AS count, (SELECT row_to_json(t$16) AS row_to_json_4 
FROM (SELECT t$15.v$2 AS net, t$15.v$3 AS freight) AS t$16) AS sum, (SELECT row_to_json(t$17) AS row_to_json_5 
FROM (SELECT t$15.v$4 AS total) AS t$17) AS avg, (SELECT row_to_json(t$18) AS row_to_json_6 
FROM (SELECT t$15.v$5 AS "placedAt", t$15.v$6 AS "shippedAt", t$15.v$7 AS total) AS t$18) AS min, (SELECT row_to_json(t$19) AS row_to_json_7 
FROM (SELECT t$15.v$8 AS "placedAt", t$15.v$9 AS "shippedAt", t$15.v$10 AS total) AS t$19) AS max) AS t$20) AS stats 
FROM (SELECT CAST(coalesce(sum(t$3.f$0), 0) AS BIGINT) AS v$0, CAST(coalesce(sum(t$3.f$1), 0) AS BIGINT) AS v$1, coalesce(json_agg((SELECT row_to_json(t$6) AS row_to_json_8 
FROM (SELECT CAST(t$3.f$2 AS TEXT) AS amount, t$3.currency$ AS currency) AS t$6) ORDER BY t$3.currency$) FILTER (WHERE t$3.f$2 IS NOT NULL), '[]'::json) AS v$2, coalesce(json_agg((SELECT row_to_json(t$7) AS row_to_json_9 
FROM (SELECT CAST(t$3.f$3 AS TEXT) AS amount) AS t$7) ORDER BY t$3.currency$) FILTER (WHERE t$3.f$3 IS NOT NULL), '[]'::json) AS v$3, coalesce(json_agg((SELECT row_to_json(t$8) AS row_to_json_10 
FROM (SELECT CAST(round(t$3.f$4 / CAST(nullif(t$3.f$5, 0) AS NUMERIC), 4) AS TEXT) AS amount, t$3.currency$ AS currency) AS t$8) ORDER BY t$3.currency$) FILTER (WHERE t$3.f$4 IS NOT NULL), '[]'::json) AS v$4, min(t$3.f$6) AS v$5, min(t$3.f$7) AS v$6, coalesce(json_agg((SELECT row_to_json(t$11) AS row_to_json_11 
FROM (SELECT CAST(t$3.f$8 AS TEXT) AS amount, t$3.currency$ AS currency) AS t$11) ORDER BY t$3.currency$) FILTER (WHERE t$3.f$8 IS NOT NULL), '[]'::json) AS v$7, max(t$3.f$9) AS v$8, max(t$3.f$10) AS v$9, coalesce(json_agg((SELECT row_to_json(t$14) AS row_to_json_12 
FROM (SELECT CAST(t$3.f$11 AS TEXT) AS amount, t$3.currency$ AS currency) AS t$14) ORDER BY t$3.currency$) FILTER (WHERE t$3.f$11 IS NOT NULL), '[]'::json) AS v$10 
FROM (SELECT t$2.currency AS currency$, count(*) AS f$0, count(*) AS f$1, sum(t$2.net) AS f$2, sum(t$2.freight) AS f$3, CAST(sum(t$2.total) AS NUMERIC) AS f$4, count(t$2.total) AS f$5, min(t$2.placed_at) AS f$6, min(t$2.shipped_at) AS f$7, min(t$2.total) AS f$8, max(t$2.placed_at) AS f$9, max(t$2.shipped_at) AS f$10, max(t$2.total) AS f$11 
FROM orders AS t$2 
WHERE t$2.placed_at >= $1::TIMESTAMP WITH TIME ZONE GROUP BY t$2.currency) AS t$3) AS t$15) AS t$21) AS orders, (SELECT row_to_json(t$33) AS row_to_json_13 
FROM (SELECT (SELECT row_to_json(t$32) AS row_to_json_14 
FROM (SELECT t$29.v$0 AS count, (SELECT row_to_json(t$30) AS row_to_json_15 
FROM (SELECT t$29.v$1 AS "unitPrice") AS t$30) AS avg, (SELECT row_to_json(t$31) AS row_to_json_16 
FROM (SELECT t$29.v$2 AS "createdAt") AS t$31) AS max) AS t$32) AS stats 
FROM (SELECT CAST(coalesce(sum(t$25.f$0), 0) AS BIGINT) AS v$0, coalesce(json_agg((SELECT row_to_json(t$27) AS row_to_json_17 
FROM (SELECT CAST(round(t$25.f$1 / CAST(nullif(t$25.f$2, 0) AS NUMERIC), 4) AS TEXT) AS amount, t$25.currency$ AS currency) AS t$27) ORDER BY t$25.currency$) FILTER (WHERE t$25.f$1 IS NOT NULL), '[]'::json) AS v$1, max(t$25.f$3) AS v$2 
FROM (SELECT t$24.currency AS currency$, count(*) AS f$0, CAST(sum(t$24.unit_price) AS NUMERIC) AS f$1, count(t$24.unit_price) AS f$2, max(t$24.created_at) AS f$3 
FROM products AS t$24 GROUP BY t$24.currency) AS t$25) AS t$29) AS t$33) AS products, (SELECT row_to_json(t$46) AS row_to_json_18 
FROM (SELECT (SELECT row_to_json(t$45) AS row_to_json_19 
FROM (SELECT t$42.v$0 AS count, (SELECT row_to_json(t$43) AS row_to_json_20 
FROM (SELECT t$42.v$1 AS net) AS t$43) AS sum, (SELECT row_to_json(t$44) AS row_to_json_21 
FROM (SELECT t$42.v$2 AS "placedAt", t$42.v$3 AS total) AS t$44) AS min) AS t$45) AS stats 
FROM (SELECT CAST(coalesce(sum(t$37.f$0), 0) AS BIGINT) AS v$0, coalesce(json_agg((SELECT row_to_json(t$39) AS row_to_json_22 
FROM (SELECT CAST(t$37.f$1 AS TEXT) AS amount) AS t$39) ORDER BY t$37.currency$) FILTER (WHERE t$37.f$1 IS NOT NULL), '[]'::json) AS v$1, min(t$37.f$2) AS v$2, coalesce(json_agg((SELECT row_to_json(t$41) AS row_to_json_23 
FROM (SELECT CAST(t$37.f$3 AS TEXT) AS amount) AS t$41) ORDER BY t$37.currency$) FILTER (WHERE t$37.f$3 IS NOT NULL), '[]'::json) AS v$3 
FROM (SELECT t$36.currency AS currency$, count(*) AS f$0, sum(t$36.net) AS f$1, min(t$36.placed_at) AS f$2, min(t$36.total) AS f$3 
FROM orders AS t$36 
WHERE t$36.number = $2::VARCHAR GROUP BY t$36.currency) AS t$37) AS t$42) AS t$46) AS none) AS t$47) AS anon_1
