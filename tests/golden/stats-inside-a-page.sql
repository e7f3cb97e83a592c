SELECT (SELECT row_to_json(t$34) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$33) AS row_to_json_2 
FROM (SELECT t$32.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$31), '[]'::json) AS l$0 
FROM (SELECT t$0.name AS name, (SELECT row_to_json(t$13) AS row_to_json_3 
FROM (SELECT (SELECT row_to_json(t$12) AS row_to_json_4 
FROM (SELECT t$10.v$0 AS count, (SELECT row_to_json(t$11) AS row_to_json_5 
FROM (SELECT t$10.v$1 AS net) AS t$11) AS sum) AS t$12) AS stats, t$10.v$2 AS late 
FROM (SELECT CAST(coalesce(sum(t$6.f$0), 0) AS BIGINT) AS v$0, coalesce(json_agg((SELECT row_to_json(t$8) AS row_to_json_6 
FROM (SELECT CAST(t$6.f$1 AS TEXT) AS amount, t$6.currency$ AS currency) AS t$8) ORDER BY t$6.currency$) FILTER (WHERE t$6.f$1 IS NOT NULL), '[]'::json) AS v$1, CAST(coalesce(sum(t$6.f$2), 0) AS BIGINT) AS v$2 
FROM (SELECT t$5.currency AS currency$, count(*) AS f$0, sum(t$5.net) AS f$1, count(*) AS f$2 
FROM orders AS t$5 
WHERE t$5.customer_id = t$0.id GROUP BY t$5.currency) AS t$6) AS t$10) AS t$13) AS orders, (SELECT row_to_json(t$30) AS row_to_json_7 
FROM (SELECT t$29.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$28), '[]'::json) AS l$0 
FROM (SELECT (SELECT row_to_json(t$27) AS row_to_json_8 
FROM (SELECT (SELECT row_to_json(t$26) AS row_to_json_9 
FROM (SELECT (SELECT row_to_json(t$24) AS row_to_json_10 
FROM (SELECT t$23.v$0 AS quantity, t$23.v$1 AS net) AS t$24) AS sum, (SELECT row_to_json(t$25) AS row_to_json_11 
FROM (SELECT t$23.v$2 AS quantity, t$23.v$3 AS discount) AS t$25) AS avg) AS t$26) AS stats 
FROM (SELECT CAST(sum(t$18.f$0) AS TEXT) AS v$0, coalesce(json_agg((SELECT row_to_json(t$20) AS row_to_json_12 
FROM (SELECT CAST(t$18.f$1 AS TEXT) AS amount) AS t$20) ORDER BY t$18.currency$) FILTER (WHERE t$18.f$1 IS NOT NULL), '[]'::json) AS v$1, CAST(round(sum(t$18.f$2) / CAST(nullif(sum(t$18.f$3), 0) AS NUMERIC), 4) AS TEXT) AS v$2, CAST(round(sum(t$18.f$4) / CAST(nullif(sum(t$18.f$5), 0) AS NUMERIC), 4) AS TEXT) AS v$3 
FROM (SELECT t$17.currency AS currency$, sum(t$17.quantity) AS f$0, sum(t$17.net) AS f$1, CAST(sum(t$17.quantity) AS NUMERIC) AS f$2, count(t$17.quantity) AS f$3, CAST(sum(t$17.discount) AS NUMERIC) AS f$4, count(t$17.discount) AS f$5 
FROM order_items AS t$17 
WHERE t$17.order_id = t$14.id GROUP BY t$17.currency) AS t$18) AS t$23) AS t$27) AS items 
FROM orders AS t$14 
WHERE t$14.customer_id = t$0.id ORDER BY t$14.placed_at DESC, t$14.id DESC 
 LIMIT 1) AS t$28) AS t$29) AS t$30) AS items 
FROM customers AS t$0 LEFT OUTER JOIN (SELECT t$1.customer_id AS k$, count(*) AS v$ 
FROM orders AS t$1 
WHERE true GROUP BY t$1.customer_id) AS t$2 ON t$2.k$ = t$0.id ORDER BY coalesce(t$2.v$, 0) DESC, t$0.id DESC 
 LIMIT 3) AS t$31) AS t$32) AS t$33) AS customers) AS t$34) AS anon_1
