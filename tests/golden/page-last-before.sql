SELECT (SELECT row_to_json(t$8) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$7) AS row_to_json_2 
FROM (SELECT t$5.l$0 AS edges, (SELECT row_to_json(t$6) AS row_to_json_3 
FROM (SELECT (SELECT true 
FROM orders AS t$4 
WHERE t$4.total >= CAST($1::VARCHAR AS NUMERIC(18, 4)) AND (t$4.total > CAST($1::VARCHAR AS NUMERIC(18, 4)) OR t$4.total = CAST($1::VARCHAR AS NUMERIC(18, 4)) AND (t$4.placed_at < CAST($2::VARCHAR AS TIMESTAMP WITH TIME ZONE) OR t$4.placed_at = CAST($2::VARCHAR AS TIMESTAMP WITH TIME ZONE) AND (t$4.id < CAST($3::VARCHAR AS UUID) OR t$4.id = CAST($3::VARCHAR AS UUID)))) ORDER BY t$4.total ASC, t$4.placed_at DESC, t$4.id DESC 
 LIMIT 1) IS NOT NULL AS "hasNextPage", t$5.c$ > 3 AS "hasPreviousPage", translate(encode(($4::BYTEA || SUBSTRING(sha256($5::BYTEA || sha256($5::BYTEA || convert_to(t$5.a$[1], 'UTF8'))) FROM 1 FOR 10)) || convert_to(t$5.a$[1], 'UTF8'), 'base64'), E'+/=\n', '-_') AS "startCursor", translate(encode(($4::BYTEA || SUBSTRING(sha256($5::BYTEA || sha256($5::BYTEA || convert_to(t$5.a$[cardinality(t$5.a$)], 'UTF8'))) FROM 1 FOR 10)) || convert_to(t$5.a$[cardinality(t$5.a$)], 'UTF8'), 'base64'), E'+/=\n', '-_') AS "endCursor") AS t$6) AS "pageInfo" 
FROM (SELECT coalesce(json_agg(t$3.n$0 ORDER BY t$3.i$ DESC) FILTER (WHERE t$3.i$ <= 3), '[]'::json) AS l$0, count(*) AS c$, array_agg(t$3.k$ ORDER BY t$3.i$ DESC) FILTER (WHERE t$3.i$ <= 3) AS a$ 
FROM (SELECT (SELECT row_to_json(t$2) AS row_to_json_4 
FROM (SELECT translate(encode(($4::BYTEA || SUBSTRING(sha256($5::BYTEA || sha256($5::BYTEA || convert_to(CAST(json_build_array(CAST(t$0.total AS TEXT), CAST(t$0.placed_at AS TEXT), CAST(t$0.id AS TEXT)) AS TEXT), 'UTF8'))) FROM 1 FOR 10)) || convert_to(CAST(json_build_array(CAST(t$0.total AS TEXT), CAST(t$0.placed_at AS TEXT), CAST(t$0.id AS TEXT)) AS TEXT), 'UTF8'), 'base64'), E'+/=\n', '-_') AS cursor, (SELECT row_to_json(t$1) AS row_to_json_5 
FROM (SELECT t$0.number AS number, CAST(t$0.total AS TEXT) AS total, t$0.placed_at AS "placedAt") AS t$1) AS node) AS t$2) AS n$0, row_number() OVER (ORDER BY t$0.total DESC, t$0.placed_at ASC, t$0.id ASC) AS i$, CAST(json_build_array(CAST(t$0.total AS TEXT), CAST(t$0.placed_at AS TEXT), CAST(t$0.id AS TEXT)) AS TEXT) AS k$ 
FROM orders AS t$0 
WHERE t$0.total <= CAST($1::VARCHAR AS NUMERIC(18, 4)) AND (t$0.total < CAST($1::VARCHAR AS NUMERIC(18, 4)) OR t$0.total = CAST($1::VARCHAR AS NUMERIC(18, 4)) AND (t$0.placed_at > CAST($2::VARCHAR AS TIMESTAMP WITH TIME ZONE) OR t$0.placed_at = CAST($2::VARCHAR AS TIMESTAMP WITH TIME ZONE) AND (t$0.id > CAST($3::VARCHAR AS UUID) OR false))) ORDER BY t$0.total DESC, t$0.placed_at ASC, t$0.id ASC 
 LIMIT 3 + 1) AS t$3) AS t$5) AS t$7) AS orders) AS t$8) AS anon_1
