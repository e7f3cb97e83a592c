SELECT (SELECT row_to_json(t$8) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$7) AS row_to_json_2 
FROM (SELECT t$5.l$0 AS edges, (SELECT row_to_json(t$6) AS row_to_json_3 
FROM (SELECT t$5.c$ > 3 AS "hasNextPage", (SELECT true 
FROM customers AS t$4 
WHERE (t$4.name, t$4.id) <= (CAST($1::VARCHAR AS TEXT), CAST($2::VARCHAR AS UUID)) ORDER BY t$4.name DESC, t$4.id DESC 
 LIMIT 1) IS NOT NULL AS "hasPreviousPage", translate(encode(($3::BYTEA || SUBSTRING(sha256($4::BYTEA || sha256($4::BYTEA || convert_to(t$5.a$[1], 'UTF8'))) FROM 1 FOR 10)) || convert_to(t$5.a$[1], 'UTF8'), 'base64'), E'+/=\n', '-_') AS "startCursor", translate(encode(($3::BYTEA || SUBSTRING(sha256($4::BYTEA || sha256($4::BYTEA || convert_to(t$5.a$[cardinality(t$5.a$)], 'UTF8'))) FROM 1 FOR 10)) || convert_to(t$5.a$[cardinality(t$5.a$)], 'UTF8'), 'base64'), E'+/=\n', '-_') AS "endCursor") AS t$6) AS "pageInfo" 
FROM (SELECT coalesce(json_agg(t$3.n$0) FILTER (WHERE t$3.i$ <= 3), '[]'::json) AS l$0, count(*) AS c$, array_agg(t$3.k$) FILTER (WHERE t$3.i$ <= 3) AS a$ 
FROM (SELECT (SELECT row_to_json(t$2) AS row_to_json_4 
FROM (SELECT translate(encode(($3::BYTEA || SUBSTRING(sha256($4::BYTEA || sha256($4::BYTEA || convert_to(CAST(json_build_array(CAST(t$0.name AS TEXT), CAST(t$0.id AS TEXT)) AS TEXT), 'UTF8'))) FROM 1 FOR 10)) || convert_to(CAST(json_build_array(CAST(t$0.name AS TEXT), CAST(t$0.id AS TEXT)) AS TEXT), 'UTF8'), 'base64'), E'+/=\n', '-_') AS cursor, (SELECT row_to_json(t$1) AS row_to_json_5 
FROM (SELECT t$0.name AS name) AS t$1) AS node) AS t$2) AS n$0, row_number() OVER (ORDER BY t$0.name ASC, t$0.id ASC) AS i$, CAST(json_build_array(CAST(t$0.name AS TEXT), CAST(t$0.id AS TEXT)) AS TEXT) AS k$ 
FROM customers AS t$0 
WHERE (t$0.name, t$0.id) > (CAST($1::VARCHAR AS TEXT), CAST($2::VARCHAR AS UUID)) ORDER BY t$0.name ASC, t$0.id ASC 
 LIMIT 3 + 1) AS t$3) AS t$5) AS t$7) AS customers) AS t$8) AS anon_1
