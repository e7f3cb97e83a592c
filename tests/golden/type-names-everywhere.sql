WITH t$18 AS 
(SELECT t$16.k$0 AS k$0, coalesce(json_agg((SELECT row_to_json(t$17) AS row_to_json_14 
FROM (SELECT 'Money'::text AS __typename) AS t$17) ORDER BY t$16.currency$) FILTER (WHERE t$16.f$0 IS NOT NULL), '[]'::json) AS v$0 
FROM (SELECT t$15.status AS k$0, t$15.currency AS currency$, sum(t$15.net) AS f$0 
FROM orders AS t$15 GROUP BY t$15.status, t$15.currency) AS t$16 GROUP BY t$16.k$0)
 SELECT (SELECT row_to_json(t$26) AS row_to_json_1 
FROM (SELECT 'Query'::text AS __typename, (SELECT row_to_json(t$14) AS row_to_json_2 
FROM (SELECT 'CustomerConnection'::text AS __typename, t$10.l$1 AS edges, (SELECT row_to_json(t$11) AS row_to_json_3 
FROM (SELECT 'PageInfo'::text AS __typename) AS t$11) AS "pageInfo", (SELECT row_to_json(t$13) AS row_to_json_4 
FROM (SELECT 'CustomerStats'::text AS __typename, (SELECT row_to_json(t$12) AS row_to_json_5 
FROM (SELECT 'CustomerExtremes'::text AS __typename) AS t$12) AS min) AS t$13) AS stats 
FROM (SELECT coalesce(json_agg(t$6.n$1), '[]'::json) AS l$1, count(*) AS c$ 
FROM (SELECT (SELECT row_to_json(t$5) AS row_to_json_6 
FROM (SELECT 'CustomerEdge'::text AS __typename, (SELECT row_to_json(t$4) AS row_to_json_7 
FROM (SELECT 'Customer'::text AS __typename, (SELECT row_to_json(t$3) AS row_to_json_8 
FROM (SELECT 'OrderConnection'::text AS __typename) AS t$3) AS orders) AS t$4) AS node) AS t$5) AS n$1 
FROM customers AS t$0 ORDER BY t$0.name ASC, t$0.id ASC 
 LIMIT 1) AS t$6) AS t$10, (SELECT 
FROM (SELECT count(*) AS f$ 
FROM customers AS t$7) AS t$8) AS t$9) AS t$14) AS customers, (SELECT row_to_json(t$25) AS row_to_json_9 
FROM (SELECT 'OrderGroupConnection'::text AS __typename, t$24.l$1 AS nodes 
FROM (SELECT coalesce(json_agg(t$23.n$1), '[]'::json) AS l$1 
FROM (SELECT (SELECT row_to_json(t$22) AS row_to_json_10 
FROM (SELECT 'OrderGroup'::text AS __typename, (SELECT row_to_json(t$19) AS row_to_json_11 
FROM (SELECT 'OrderGroupKey'::text AS __typename) AS t$19) AS key, (SELECT row_to_json(t$21) AS row_to_json_12 
FROM (SELECT 'OrderStats'::text AS __typename, (SELECT row_to_json(t$20) AS row_to_json_13 
FROM (SELECT 'OrderSums'::text AS __typename, t$18.v$0 AS net) AS t$20) AS sum) AS t$21) AS stats) AS t$22) AS n$1 
FROM t$18 ORDER BY t$18.k$0 ASC 
 LIMIT 20) AS t$23) AS t$24) AS t$25) AS "ordersGrouped") AS t$26) AS anon_1
