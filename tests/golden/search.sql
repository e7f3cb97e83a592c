SELECT (SELECT row_to_json(t$41) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$10) AS row_to_json_2 
FROM (SELECT t$7.v$0 AS "totalCount", t$8.l$1 AS edges, (SELECT row_to_json(t$9) AS row_to_json_3 
FROM (SELECT t$8.c$ > 5 AS "hasNextPage") AS t$9) AS "pageInfo" 
FROM (SELECT coalesce(json_agg(t$3.n$1) FILTER (WHERE t$3.i$ <= 5), '[]'::json) AS l$1, count(*) AS c$ 
FROM (SELECT (SELECT row_to_json(t$2) AS row_to_json_4 
FROM (SELECT translate(encode(($1::BYTEA || SUBSTRING(sha256($2::BYTEA || sha256($2::BYTEA || convert_to(CAST(json_build_array(CAST(CASE WHEN (t$0.search_text = hub_fold($3::VARCHAR)) THEN 0 WHEN starts_with(t$0.search_text, rtrim(hub_fold($3::VARCHAR))) THEN 1 WHEN (strpos(t$0.search_text, btrim(hub_fold($3::VARCHAR))) > 0) THEN 2 ELSE 3 END AS TEXT), CAST(-word_similarity(btrim(hub_fold($3::VARCHAR)), t$0.search_text) AS TEXT), CAST(t$0.id AS TEXT)) AS TEXT), 'UTF8'))) FROM 1 FOR 10)) || convert_to(CAST(json_build_array(CAST(CASE WHEN (t$0.search_text = hub_fold($3::VARCHAR)) THEN 0 WHEN starts_with(t$0.search_text, rtrim(hub_fold($3::VARCHAR))) THEN 1 WHEN (strpos(t$0.search_text, btrim(hub_fold($3::VARCHAR))) > 0) THEN 2 ELSE 3 END AS TEXT), CAST(-word_similarity(btrim(hub_fold($3::VARCHAR)), t$0.search_text) AS TEXT), CAST(t$0.id AS TEXT)) AS TEXT), 'UTF8'), 'base64'), E'+/=\n', '-_') AS cursor, (SELECT row_to_json(t$1) AS row_to_json_5 
FROM (SELECT t$0.name AS name) AS t$1) AS node) AS t$2) AS n$1, row_number() OVER (ORDER BY CASE WHEN (t$0.search_text = hub_fold($3::VARCHAR)) THEN 0 WHEN starts_with(t$0.search_text, rtrim(hub_fold($3::VARCHAR))) THEN 1 WHEN (strpos(t$0.search_text, btrim(hub_fold($3::VARCHAR))) > 0) THEN 2 ELSE 3 END ASC, -word_similarity(btrim(hub_fold($3::VARCHAR)), t$0.search_text) ASC, t$0.id ASC) AS i$ 
FROM customers AS t$0 
WHERE t$0.search_text LIKE hub_pattern($4::VARCHAR) OR (t$0.search_text %> btrim(hub_fold($4::VARCHAR))) ORDER BY CASE WHEN (t$0.search_text = hub_fold($3::VARCHAR)) THEN 0 WHEN starts_with(t$0.search_text, rtrim(hub_fold($3::VARCHAR))) THEN 1 WHEN (strpos(t$0.search_text, btrim(hub_fold($3::VARCHAR))) > 0) THEN 2 ELSE 3 END ASC, -word_similarity(btrim(hub_fold($3::VARCHAR)), t$0.search_text) ASC, t$0.id ASC 
 LIMIT 5 + 1) AS t$3) AS t$8, (SELECT CAST(coalesce(sum(t$5.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM customers AS t$4 
WHERE t$4.search_text LIKE hub_pattern($4::VARCHAR) OR (t$4.search_text %> btrim(hub_fold($4::VARCHAR)))) AS t$5) AS t$7) AS t$10) AS ranked, (SELECT row_to_json(t$18) AS row_to_json_6 
FROM (SELECT t$16.v$0 AS "totalCount", t$17.l$1 AS nodes 
FROM (SELECT coalesce(json_agg(t$12), '[]'::json) AS l$1 
FROM (SELECT t$11.name AS name, t$11.title AS title 
FROM contacts AS t$11 
WHERE t$11.search_text LIKE hub_pattern($5::VARCHAR) OR (t$11.search_text %> btrim(hub_fold($5::VARCHAR))) ORDER BY CASE WHEN (t$11.search_text = hub_fold($6::VARCHAR)) THEN 0 WHEN starts_with(t$11.search_text, rtrim(hub_fold($6::VARCHAR))) THEN 1 WHEN (strpos(t$11.search_text, btrim(hub_fold($6::VARCHAR))) > 0) THEN 2 ELSE 3 END ASC, -word_similarity(btrim(hub_fold($6::VARCHAR)), t$11.search_text) ASC, t$11.id ASC 
 LIMIT 3) AS t$12) AS t$17, (SELECT CAST(coalesce(sum(t$14.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM contacts AS t$13 
WHERE t$13.search_text LIKE hub_pattern($5::VARCHAR) OR (t$13.search_text %> btrim(hub_fold($5::VARCHAR)))) AS t$14) AS t$16) AS t$18) AS "similar", (SELECT row_to_json(t$22) AS row_to_json_7 
FROM (SELECT t$21.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$20), '[]'::json) AS l$0 
FROM (SELECT t$19.name AS name 
FROM products AS t$19 
WHERE (t$19.search_text LIKE hub_pattern($7::VARCHAR) OR (t$19.search_text %> btrim(hub_fold($7::VARCHAR)))) AND (t$19.search_text LIKE hub_pattern($8::VARCHAR) OR (t$19.search_text %> btrim(hub_fold($8::VARCHAR)))) ORDER BY CASE WHEN (t$19.search_text = hub_fold($9::VARCHAR)) THEN 0 WHEN starts_with(t$19.search_text, rtrim(hub_fold($9::VARCHAR))) THEN 1 WHEN (strpos(t$19.search_text, btrim(hub_fold($9::VARCHAR))) > 0) THEN 2 ELSE 3 END ASC, -word_similarity(btrim(hub_fold($9::VARCHAR)), t$19.search_text) ASC, t$19.id ASC 
 LIMIT 20) AS t$20) AS t$21) AS t$22) AS words, (SELECT row_to_json(t$32) AS row_to_json_8 
FROM (SELECT t$30.v$0 AS "totalCount", t$31.l$1 AS nodes 
FROM (SELECT coalesce(json_agg(t$25), '[]'::json) AS l$1 
FROM (SELECT t$23.name AS name, t$23.title AS title 
FROM contacts AS t$23 
WHERE (EXISTS (SELECT 1 
FROM customers AS t$24 
WHERE t$24.id = t$23.customer_id AND t$24.country = ANY ($10::TEXT[]))) AND (t$23.search_text LIKE hub_pattern($11::VARCHAR) OR (t$23.search_text %> btrim(hub_fold($11::VARCHAR)))) AND (t$23.search_text LIKE hub_pattern($12::VARCHAR) OR (t$23.search_text %> btrim(hub_fold($12::VARCHAR)))) ORDER BY t$23.name DESC, t$23.id DESC 
 LIMIT 3) AS t$25) AS t$31, (SELECT CAST(coalesce(sum(t$28.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM contacts AS t$26 
WHERE (EXISTS (SELECT 1 
FROM customers AS t$27 
WHERE t$27.id = t$26.customer_id AND t$27.country = ANY ($10::TEXT[]))) AND (t$26.search_text LIKE hub_pattern($11::VARCHAR) OR (t$26.search_text %> btrim(hub_fold($11::VARCHAR)))) AND (t$26.search_text LIKE hub_pattern($12::VARCHAR) OR (t$26.search_text %> btrim(hub_fold($12::VARCHAR))))) AS t$28) AS t$30) AS t$32) AS ordered, (SELECT row_to_json(t$40) AS row_to_json_9 
FROM (SELECT t$39.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$38), '[]'::json) AS l$0 
FROM (SELECT (SELECT row_to_json(t$37) AS row_to_json_10 
FROM (SELECT t$36.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$35), '[]'::json) AS l$0 
FROM (SELECT t$34.name AS name 
FROM customers AS t$34 
WHERE t$34.unit_id = t$33.id AND (t$34.search_text LIKE hub_pattern($13::VARCHAR) OR (t$34.search_text %> btrim(hub_fold($13::VARCHAR)))) ORDER BY CASE WHEN (t$34.search_text = hub_fold($14::VARCHAR)) THEN 0 WHEN starts_with(t$34.search_text, rtrim(hub_fold($14::VARCHAR))) THEN 1 WHEN (strpos(t$34.search_text, btrim(hub_fold($14::VARCHAR))) > 0) THEN 2 ELSE 3 END ASC, -word_similarity(btrim(hub_fold($14::VARCHAR)), t$34.search_text) ASC, t$34.id ASC 
 LIMIT 10) AS t$35) AS t$36) AS t$37) AS customers 
FROM org_units AS t$33 
WHERE t$33.code = $15::VARCHAR ORDER BY t$33.name ASC, t$33.id ASC 
 LIMIT 20) AS t$38) AS t$39) AS t$40) AS nested) AS t$41) AS anon_1
