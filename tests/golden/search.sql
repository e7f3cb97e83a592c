SELECT (SELECT row_to_json(t$68) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$28) AS row_to_json_2 
FROM (SELECT t$25.v$0 AS "totalCount", t$26.l$1 AS edges, (SELECT row_to_json(t$27) AS row_to_json_3 
FROM (SELECT t$26.c$ > 5 AS "hasNextPage") AS t$27) AS "pageInfo" 
FROM (SELECT coalesce(json_agg(t$12.n$1) FILTER (WHERE t$12.i$ <= 5), '[]'::json) AS l$1, count(*) AS c$ 
FROM (SELECT (SELECT row_to_json(t$11) AS row_to_json_4 
FROM (SELECT translate(encode(($1::BYTEA || SUBSTRING(sha256($2::BYTEA || sha256($2::BYTEA || convert_to(CAST(json_build_array(CAST(least(t$9.rank, CASE WHEN (strpos(' ' || t$0.search_text || ' ', ' ' || hub_fold($3::VARCHAR) || ' ') > 0) THEN 0 WHEN (strpos(' ' || t$0.search_text, ' ' || rtrim(hub_fold($3::VARCHAR))) > 0) THEN 1 WHEN (strpos(t$0.search_text, rtrim(hub_fold($3::VARCHAR))) > 0) THEN 2 WHEN (strpos(t$0.search_text, btrim(hub_fold($3::VARCHAR))) > 0) THEN 3 ELSE 5 END) AS TEXT), CAST(-strict_word_similarity(btrim(hub_fold($3::VARCHAR)), t$0.search_text) AS TEXT), CAST(t$0.id AS TEXT)) AS TEXT), 'UTF8'))) FROM 1 FOR 10)) || convert_to(CAST(json_build_array(CAST(least(t$9.rank, CASE WHEN (strpos(' ' || t$0.search_text || ' ', ' ' || hub_fold($3::VARCHAR) || ' ') > 0) THEN 0 WHEN (strpos(' ' || t$0.search_text, ' ' || rtrim(hub_fold($3::VARCHAR))) > 0) THEN 1 WHEN (strpos(t$0.search_text, rtrim(hub_fold($3::VARCHAR))) > 0) THEN 2 WHEN (strpos(t$0.search_text, btrim(hub_fold($3::VARCHAR))) > 0) THEN 3 ELSE 5 END) AS TEXT), CAST(-strict_word_similarity(btrim(hub_fold($3::VARCHAR)), t$0.search_text) AS TEXT), CAST(t$0.id AS TEXT)) AS TEXT), 'UTF8'), 'base64'), E'+/=\n', '-_') AS cursor, (SELECT row_to_json(t$10) AS row_to_json_5 
FROM (SELECT t$0.name AS name) AS t$10) AS node) AS t$11) AS n$1, row_number() OVER (ORDER BY least(t$9.rank, CASE WHEN (strpos(' ' || t$0.search_text || ' ', ' ' || hub_fold($3::VARCHAR) || ' ') > 0) THEN 0 WHEN (strpos(' ' || t$0.search_text, ' ' || rtrim(hub_fold($3::VARCHAR))) > 0) THEN 1 WHEN (strpos(t$0.search_text, rtrim(hub_fold($3::VARCHAR))) > 0) THEN 2 WHEN (strpos(t$0.search_text, btrim(hub_fold($3::VARCHAR))) > 0) THEN 3 ELSE 5 END) ASC, -strict_word_similarity(btrim(hub_fold($3::VARCHAR)), t$0.search_text) ASC, t$0.id ASC) AS i$ 
FROM customers AS t$0 LEFT OUTER JOIN (SELECT t$8.id AS id, min(t$8.rank) AS rank 
FROM (SELECT t$2.id AS id, CASE WHEN (code LIKE ('%' || nullif(hub_code($3::VARCHAR), '  ') || '%')) THEN 0 ELSE 3 END AS rank 
FROM (SELECT t$1.customer_id AS id, hub_code(t$1.value) || hub_code(t$1.normalized) AS code 
FROM identifiers AS t$1 
WHERE (hub_code(t$1.value) || hub_code(t$1.normalized)) LIKE hub_code_pattern($3::VARCHAR)) AS t$2 UNION ALL SELECT t$4.id AS id, CASE WHEN (code LIKE ('%' || nullif(hub_code($3::VARCHAR), '  ') || '%')) THEN 0 ELSE 3 END AS rank 
FROM (SELECT t$3.customer_id AS id, hub_code(t$3.value) AS code 
FROM contact_points AS t$3 
WHERE hub_code(t$3.value) LIKE hub_code_pattern($3::VARCHAR)) AS t$4 UNION ALL SELECT t$6.id AS id, CASE WHEN (code LIKE ('%' || nullif(hub_code($3::VARCHAR), '  ') || '%')) THEN 0 ELSE 3 END AS rank 
FROM (SELECT t$5.customer_id AS id, hub_code(t$5.number) AS code 
FROM orders AS t$5 
WHERE hub_code(t$5.number) LIKE hub_code_pattern($3::VARCHAR)) AS t$6 UNION ALL SELECT t$7.id AS id, 5 AS rank 
FROM customers AS t$7 
WHERE t$7.search_text LIKE hub_pattern($4::VARCHAR) OR (t$7.search_text %>> hub_spelling($4::VARCHAR))) AS t$8 GROUP BY t$8.id) AS t$9 ON t$9.id = t$0.id 
WHERE t$9.id IS NOT NULL ORDER BY least(t$9.rank, CASE WHEN (strpos(' ' || t$0.search_text || ' ', ' ' || hub_fold($3::VARCHAR) || ' ') > 0) THEN 0 WHEN (strpos(' ' || t$0.search_text, ' ' || rtrim(hub_fold($3::VARCHAR))) > 0) THEN 1 WHEN (strpos(t$0.search_text, rtrim(hub_fold($3::VARCHAR))) > 0) THEN 2 WHEN (strpos(t$0.search_text, btrim(hub_fold($3::VARCHAR))) > 0) THEN 3 ELSE 5 END) ASC, -strict_word_similarity(btrim(hub_fold($3::VARCHAR)), t$0.search_text) ASC, t$0.id ASC 
 LIMIT 5 + 1) AS t$12) AS t$26, (SELECT CAST(coalesce(sum(t$23.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM customers AS t$13 LEFT OUTER JOIN (SELECT t$21.id AS id, min(t$21.rank) AS rank 
FROM (SELECT t$15.id AS id, CASE WHEN (code LIKE ('%' || nullif(hub_code($3::VARCHAR), '  ') || '%')) THEN 0 ELSE 3 END AS rank 
FROM (SELECT t$14.customer_id AS id, hub_code(t$14.value) || hub_code(t$14.normalized) AS code 
FROM identifiers AS t$14 
WHERE (hub_code(t$14.value) || hub_code(t$14.normalized)) LIKE hub_code_pattern($3::VARCHAR)) AS t$15 UNION ALL SELECT t$17.id AS id, CASE WHEN (code LIKE ('%' || nullif(hub_code($3::VARCHAR), '  ') || '%')) THEN 0 ELSE 3 END AS rank 
FROM (SELECT t$16.customer_id AS id, hub_code(t$16.value) AS code 
FROM contact_points AS t$16 
WHERE hub_code(t$16.value) LIKE hub_code_pattern($3::VARCHAR)) AS t$17 UNION ALL SELECT t$19.id AS id, CASE WHEN (code LIKE ('%' || nullif(hub_code($3::VARCHAR), '  ') || '%')) THEN 0 ELSE 3 END AS rank 
FROM (SELECT t$18.customer_id AS id, hub_code(t$18.number) AS code 
FROM orders AS t$18 
WHERE hub_code(t$18.number) LIKE hub_code_pattern($3::VARCHAR)) AS t$19 UNION ALL SELECT t$20.id AS id, 5 AS rank 
FROM customers AS t$20 
WHERE t$20.search_text LIKE hub_pattern($4::VARCHAR) OR (t$20.search_text %>> hub_spelling($4::VARCHAR))) AS t$21 GROUP BY t$21.id) AS t$22 ON t$22.id = t$13.id 
WHERE t$22.id IS NOT NULL) AS t$23) AS t$25) AS t$28) AS ranked, (SELECT row_to_json(t$36) AS row_to_json_6 
FROM (SELECT t$34.v$0 AS "totalCount", t$35.l$1 AS nodes 
FROM (SELECT coalesce(json_agg(t$30), '[]'::json) AS l$1 
FROM (SELECT t$29.name AS name, t$29.title AS title 
FROM contacts AS t$29 
WHERE t$29.search_text LIKE hub_pattern($5::VARCHAR) OR (t$29.search_text %>> hub_spelling($5::VARCHAR)) ORDER BY CASE WHEN (strpos(' ' || t$29.search_text || ' ', ' ' || hub_fold($6::VARCHAR) || ' ') > 0) THEN 0 WHEN (strpos(' ' || t$29.search_text, ' ' || rtrim(hub_fold($6::VARCHAR))) > 0) THEN 1 WHEN (strpos(t$29.search_text, rtrim(hub_fold($6::VARCHAR))) > 0) THEN 2 WHEN (strpos(t$29.search_text, btrim(hub_fold($6::VARCHAR))) > 0) THEN 3 ELSE 5 END ASC, -strict_word_similarity(btrim(hub_fold($6::VARCHAR)), t$29.search_text) ASC, t$29.id ASC 
 LIMIT 3) AS t$30) AS t$35, (SELECT CAST(coalesce(sum(t$32.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM contacts AS t$31 
WHERE t$31.search_text LIKE hub_pattern($5::VARCHAR) OR (t$31.search_text %>> hub_spelling($5::VARCHAR))) AS t$32) AS t$34) AS t$36) AS "similar", (SELECT row_to_json(t$40) AS row_to_json_7 
FROM (SELECT t$39.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$38), '[]'::json) AS l$0 
FROM (SELECT t$37.name AS name 
FROM products AS t$37 
WHERE (t$37.search_text LIKE hub_pattern($7::VARCHAR) OR (t$37.search_text %>> hub_spelling($7::VARCHAR))) AND (t$37.search_text LIKE hub_pattern($8::VARCHAR) OR (t$37.search_text %>> hub_spelling($8::VARCHAR))) ORDER BY CASE WHEN (strpos(' ' || t$37.search_text || ' ', ' ' || hub_fold($9::VARCHAR) || ' ') > 0) THEN 0 WHEN (strpos(' ' || t$37.search_text, ' ' || rtrim(hub_fold($9::VARCHAR))) > 0) THEN 1 WHEN (strpos(t$37.search_text, rtrim(hub_fold($9::VARCHAR))) > 0) THEN 2 WHEN (strpos(t$37.search_text, btrim(hub_fold($9::VARCHAR))) > 0) THEN 3 WHEN (t$37.search_text LIKE hub_pattern($7::VARCHAR) AND t$37.search_text LIKE hub_pattern($8::VARCHAR)) THEN 4 ELSE 5 END ASC, -strict_word_similarity(btrim(hub_fold($9::VARCHAR)), t$37.search_text) ASC, t$37.id ASC 
 LIMIT 20) AS t$38) AS t$39) AS t$40) AS words, (SELECT row_to_json(t$50) AS row_to_json_8 
FROM (SELECT t$48.v$0 AS "totalCount", t$49.l$1 AS nodes 
FROM (SELECT coalesce(json_agg(t$43), '[]'::json) AS l$1 
FROM (SELECT t$41.name AS name, t$41.title AS title 
FROM contacts AS t$41 
WHERE (EXISTS (SELECT 1 
FROM customers AS t$42 
WHERE t$42.id = t$41.customer_id AND t$42.country = ANY ($10::TEXT[]))) AND (t$41.search_text LIKE hub_pattern($11::VARCHAR) OR (t$41.search_text %>> hub_spelling($11::VARCHAR))) AND (t$41.search_text LIKE hub_pattern($12::VARCHAR) OR (t$41.search_text %>> hub_spelling($12::VARCHAR))) ORDER BY t$41.name DESC, t$41.id DESC 
 LIMIT 3) AS t$43) AS t$49, (SELECT CAST(coalesce(sum(t$46.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM contacts AS t$44 
WHERE (EXISTS (SELECT 1 
FROM customers AS t$45 
WHERE t$45.id = t$44.customer_id AND t$45.country = ANY ($10::TEXT[]))) AND (t$44.search_text LIKE hub_pattern($11::VARCHAR) OR (t$44.search_text %>> hub_spelling($11::VARCHAR))) AND (t$44.search_text LIKE hub_pattern($12::VARCHAR) OR (t$44.search_text %>> hub_spelling($12::VARCHAR)))) AS t$46) AS t$48) AS t$50) AS ordered, (SELECT row_to_json(t$67) AS row_to_json_9 
FROM (SELECT t$66.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$65), '[]'::json) AS l$0 
FROM (SELECT (SELECT row_to_json(t$64) AS row_to_json_10 
FROM (SELECT t$63.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$62), '[]'::json) AS l$0 
FROM (SELECT t$52.name AS name 
FROM customers AS t$52 LEFT OUTER JOIN (SELECT t$60.id AS id, min(t$60.rank) AS rank 
FROM (SELECT t$54.id AS id, CASE WHEN (code LIKE ('%' || nullif(hub_code($13::VARCHAR), '  ') || '%')) THEN 0 ELSE 3 END AS rank 
FROM (SELECT t$53.customer_id AS id, hub_code(t$53.value) || hub_code(t$53.normalized) AS code 
FROM identifiers AS t$53 
WHERE (hub_code(t$53.value) || hub_code(t$53.normalized)) LIKE hub_code_pattern($13::VARCHAR)) AS t$54 UNION ALL SELECT t$56.id AS id, CASE WHEN (code LIKE ('%' || nullif(hub_code($13::VARCHAR), '  ') || '%')) THEN 0 ELSE 3 END AS rank 
FROM (SELECT t$55.customer_id AS id, hub_code(t$55.value) AS code 
FROM contact_points AS t$55 
WHERE hub_code(t$55.value) LIKE hub_code_pattern($13::VARCHAR)) AS t$56 UNION ALL SELECT t$58.id AS id, CASE WHEN (code LIKE ('%' || nullif(hub_code($13::VARCHAR), '  ') || '%')) THEN 0 ELSE 3 END AS rank 
FROM (SELECT t$57.customer_id AS id, hub_code(t$57.number) AS code 
FROM orders AS t$57 
WHERE hub_code(t$57.number) LIKE hub_code_pattern($13::VARCHAR)) AS t$58 UNION ALL SELECT t$59.id AS id, 5 AS rank 
FROM customers AS t$59 
WHERE t$59.search_text LIKE hub_pattern($14::VARCHAR) OR (t$59.search_text %>> hub_spelling($14::VARCHAR))) AS t$60 GROUP BY t$60.id) AS t$61 ON t$61.id = t$52.id 
WHERE t$52.unit_id = t$51.id AND t$61.id IS NOT NULL ORDER BY least(t$61.rank, CASE WHEN (strpos(' ' || t$52.search_text || ' ', ' ' || hub_fold($13::VARCHAR) || ' ') > 0) THEN 0 WHEN (strpos(' ' || t$52.search_text, ' ' || rtrim(hub_fold($13::VARCHAR))) > 0) THEN 1 WHEN (strpos(t$52.search_text, rtrim(hub_fold($13::VARCHAR))) > 0) THEN 2 WHEN (strpos(t$52.search_text, btrim(hub_fold($13::VARCHAR))) > 0) THEN 3 ELSE 5 END) ASC, -strict_word_similarity(btrim(hub_fold($13::VARCHAR)), t$52.search_text) ASC, t$52.id ASC 
 LIMIT 10) AS t$62) AS t$63) AS t$64) AS customers 
FROM org_units AS t$51 
WHERE t$51.code = $15::VARCHAR ORDER BY t$51.name ASC, t$51.id ASC 
 LIMIT 20) AS t$65) AS t$66) AS t$67) AS nested) AS t$68) AS anon_1
