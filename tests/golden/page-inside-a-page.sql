SELECT (SELECT row_to_json(t$25) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$18) AS row_to_json_2 
FROM (SELECT (SELECT row_to_json(t$17) AS row_to_json_3 
FROM (SELECT translate(encode(($1::BYTEA || SUBSTRING(sha256($2::BYTEA || sha256($2::BYTEA || convert_to(t$16.a$[cardinality(t$16.a$)], 'UTF8'))) FROM 1 FOR 10)) || convert_to(t$16.a$[cardinality(t$16.a$)], 'UTF8'), 'base64'), E'+/=\n', '-_') AS "endCursor", t$16.c$ > 2 AS "hasNextPage") AS t$17) AS "pageInfo", t$16.l$1 AS nodes 
FROM (SELECT coalesce(json_agg(t$15.n$1) FILTER (WHERE t$15.i$ <= 2), '[]'::json) AS l$1, count(*) AS c$, array_agg(t$15.k$) FILTER (WHERE t$15.i$ <= 2) AS a$ 
FROM (SELECT (SELECT row_to_json(t$14) AS row_to_json_4 
FROM (SELECT t$0.name AS name, (SELECT row_to_json(t$13) AS row_to_json_5 
FROM (SELECT t$10.v$0 AS "totalCount", t$11.l$1 AS edges, (SELECT row_to_json(t$12) AS row_to_json_6 
FROM (SELECT t$11.c$ > 2 AS "hasPreviousPage", false AS "hasNextPage", translate(encode(($3::BYTEA || SUBSTRING(sha256($4::BYTEA || sha256($4::BYTEA || convert_to(t$11.a$[1], 'UTF8'))) FROM 1 FOR 10)) || convert_to(t$11.a$[1], 'UTF8'), 'base64'), E'+/=\n', '-_') AS "startCursor") AS t$12) AS "pageInfo" 
FROM (SELECT coalesce(json_agg(t$6.n$1 ORDER BY t$6.i$ DESC) FILTER (WHERE t$6.i$ <= 2), '[]'::json) AS l$1, count(*) AS c$, array_agg(t$6.k$ ORDER BY t$6.i$ DESC) FILTER (WHERE t$6.i$ <= 2) AS a$ 
FROM (SELECT (SELECT row_to_json(t$5) AS row_to_json_7 
FROM (SELECT translate(encode(($3::BYTEA || SUBSTRING(sha256($4::BYTEA || sha256($4::BYTEA || convert_to(CAST(json_build_array(CAST(t$3.placed_at AS TEXT), CAST(t$3.id AS TEXT)) AS TEXT), 'UTF8'))) FROM 1 FOR 10)) || convert_to(CAST(json_build_array(CAST(t$3.placed_at AS TEXT), CAST(t$3.id AS TEXT)) AS TEXT), 'UTF8'), 'base64'), E'+/=\n', '-_') AS cursor, (SELECT row_to_json(t$4) AS row_to_json_8 
FROM (SELECT t$3.number AS number, t$3.placed_at AS "placedAt") AS t$4) AS node) AS t$5) AS n$1, row_number() OVER (ORDER BY t$3.placed_at ASC, t$3.id ASC) AS i$, CAST(json_build_array(CAST(t$3.placed_at AS TEXT), CAST(t$3.id AS TEXT)) AS TEXT) AS k$ 
FROM orders AS t$3 
WHERE t$3.customer_id = t$0.id ORDER BY t$3.placed_at ASC, t$3.id ASC 
 LIMIT 2 + 1) AS t$6) AS t$11, (SELECT CAST(coalesce(sum(t$8.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM orders AS t$7 
WHERE t$7.customer_id = t$0.id) AS t$8) AS t$10) AS t$13) AS orders) AS t$14) AS n$1, row_number() OVER (ORDER BY t$0.name ASC, t$0.id ASC) AS i$, CAST(json_build_array(CAST(t$0.name AS TEXT), CAST(t$0.id AS TEXT)) AS TEXT) AS k$ 
FROM customers AS t$0 LEFT OUTER JOIN (SELECT t$1.customer_id AS k$, count(*) AS v$ 
FROM orders AS t$1 
WHERE true GROUP BY t$1.customer_id) AS t$2 ON t$2.k$ = t$0.id 
WHERE coalesce(t$2.v$, 0) > $5::INTEGER ORDER BY t$0.name ASC, t$0.id ASC 
 LIMIT 2 + 1) AS t$15) AS t$16) AS t$18) AS customers, (SELECT row_to_json(t$24) AS row_to_json_9 
FROM (SELECT t$22.l$0 AS nodes, (SELECT row_to_json(t$23) AS row_to_json_10 
FROM (SELECT t$22.c$ > 0 AS "hasNextPage", translate(encode(($6::BYTEA || SUBSTRING(sha256($7::BYTEA || sha256($7::BYTEA || convert_to(t$22.a$[1], 'UTF8'))) FROM 1 FOR 10)) || convert_to(t$22.a$[1], 'UTF8'), 'base64'), E'+/=\n', '-_') AS "startCursor", translate(encode(($6::BYTEA || SUBSTRING(sha256($7::BYTEA || sha256($7::BYTEA || convert_to(t$22.a$[cardinality(t$22.a$)], 'UTF8'))) FROM 1 FOR 10)) || convert_to(t$22.a$[cardinality(t$22.a$)], 'UTF8'), 'base64'), E'+/=\n', '-_') AS "endCursor") AS t$23) AS "pageInfo" 
FROM (SELECT coalesce(json_agg(t$21.n$0) FILTER (WHERE t$21.i$ <= 0), '[]'::json) AS l$0, count(*) AS c$, array_agg(t$21.k$) FILTER (WHERE t$21.i$ <= 0) AS a$ 
FROM (SELECT (SELECT row_to_json(t$20) AS row_to_json_11 
FROM (SELECT t$19.name AS name) AS t$20) AS n$0, row_number() OVER (ORDER BY t$19.name ASC, t$19.id ASC) AS i$, CAST(json_build_array(CAST(t$19.name AS TEXT), CAST(t$19.id AS TEXT)) AS TEXT) AS k$ 
FROM customers AS t$19 ORDER BY t$19.name ASC, t$19.id ASC 
 LIMIT 0 + 1) AS t$21) AS t$22) AS t$24) AS empty) AS t$25) AS anon_1
