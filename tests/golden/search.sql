SELECT (SELECT row_to_json(t$65) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$24) AS row_to_json_2 
FROM (SELECT t$21.v$0 AS "totalCount", t$22.l$1 AS edges, (SELECT row_to_json(t$23) AS row_to_json_3 
FROM (SELECT t$22.c$ > 5 AS "hasNextPage") AS t$23) AS "pageInfo" 
FROM (SELECT coalesce(json_agg(t$13.n$1) FILTER (WHERE t$13.i$ <= 5), '[]'::json) AS l$1, count(*) AS c$ 
FROM (SELECT (SELECT row_to_json(t$12) AS row_to_json_4 
FROM (SELECT translate(encode(($1::BYTEA || SUBSTRING(sha256($2::BYTEA || sha256($2::BYTEA || convert_to(CAST(json_build_array(CAST(CASE WHEN (strpos(' ' || t$0.search_text || ' ', ' ' || hub_fold($3::VARCHAR) || ' ') > 0 OR t$0.id IN (SELECT t$5.customer_id 
FROM identifiers AS t$5 
WHERE (hub_code(t$5.value) || hub_code(t$5.normalized)) LIKE ('%' || nullif(hub_code($3::VARCHAR), '  ') || '%') UNION ALL SELECT t$6.customer_id 
FROM contact_points AS t$6 
WHERE hub_code(t$6.value) LIKE ('%' || nullif(hub_code($3::VARCHAR), '  ') || '%') UNION ALL SELECT t$7.customer_id 
FROM orders AS t$7 
WHERE hub_code(t$7.number) LIKE ('%' || nullif(hub_code($3::VARCHAR), '  ') || '%'))) THEN 0 WHEN (strpos(' ' || t$0.search_text, ' ' || rtrim(hub_fold($3::VARCHAR))) > 0) THEN 1 WHEN (strpos(t$0.search_text, rtrim(hub_fold($3::VARCHAR))) > 0) THEN 2 WHEN (strpos(t$0.search_text, btrim(hub_fold($3::VARCHAR))) > 0 OR t$0.id IN (SELECT t$8.customer_id 
FROM identifiers AS t$8 
WHERE (hub_code(t$8.value) || hub_code(t$8.normalized)) LIKE hub_code_pattern($3::VARCHAR) UNION ALL SELECT t$9.customer_id 
FROM contact_points AS t$9 
WHERE hub_code(t$9.value) LIKE hub_code_pattern($3::VARCHAR) UNION ALL SELECT t$10.customer_id 
FROM orders AS t$10 
WHERE hub_code(t$10.number) LIKE hub_code_pattern($3::VARCHAR))) THEN 3 ELSE 5 END AS TEXT), CAST(-strict_word_similarity(btrim(hub_fold($3::VARCHAR)), t$0.search_text) AS TEXT), CAST(t$0.id AS TEXT)) AS TEXT), 'UTF8'))) FROM 1 FOR 10)) || convert_to(CAST(json_build_array(CAST(CASE WHEN (strpos(' ' || t$0.search_text || ' ', ' ' || hub_fold($3::VARCHAR) || ' ') > 0 OR t$0.id IN (SELECT t$5.customer_id 
FROM identifiers AS t$5 
WHERE (hub_code(t$5.value) || hub_code(t$5.normalized)) LIKE ('%' || nullif(hub_code($3::VARCHAR), '  ') || '%') UNION ALL SELECT t$6.customer_id 
FROM contact_points AS t$6 
WHERE hub_code(t$6.value) LIKE ('%' || nullif(hub_code($3::VARCHAR), '  ') || '%') UNION ALL SELECT t$7.customer_id 
FROM orders AS t$7 
WHERE hub_code(t$7.number) LIKE ('%' || nullif(hub_code($3::VARCHAR), '  ') || '%'))) THEN 0 WHEN (strpos(' ' || t$0.search_text, ' ' || rtrim(hub_fold($3::VARCHAR))) > 0) THEN 1 WHEN (strpos(t$0.search_text, rtrim(hub_fold($3::VARCHAR))) > 0) THEN 2 WHEN (strpos(t$0.search_text, btrim(hub_fold($3::VARCHAR))) > 0 OR t$0.id IN (SELECT t$8.customer_id 
FROM identifiers AS t$8 
WHERE (hub_code(t$8.value) || hub_code(t$8.normalized)) LIKE hub_code_pattern($3::VARCHAR) UNION ALL SELECT t$9.customer_id 
FROM contact_points AS t$9 
WHERE hub_code(t$9.value) LIKE hub_code_pattern($3::VARCHAR) UNION ALL SELECT t$10.customer_id 
FROM orders AS t$10 
WHERE hub_code(t$10.number) LIKE hub_code_pattern($3::VARCHAR))) THEN 3 ELSE 5 END AS TEXT), CAST(-strict_word_similarity(btrim(hub_fold($3::VARCHAR)), t$0.search_text) AS TEXT), CAST(t$0.id AS TEXT)) AS TEXT), 'UTF8'), 'base64'), E'+/=\n', '-_') AS cursor, (SELECT row_to_json(t$11) AS row_to_json_5 
FROM (SELECT t$0.name AS name) AS t$11) AS node) AS t$12) AS n$1, row_number() OVER (ORDER BY CASE WHEN (strpos(' ' || t$0.search_text || ' ', ' ' || hub_fold($3::VARCHAR) || ' ') > 0 OR t$0.id IN (SELECT t$5.customer_id 
FROM identifiers AS t$5 
WHERE (hub_code(t$5.value) || hub_code(t$5.normalized)) LIKE ('%' || nullif(hub_code($3::VARCHAR), '  ') || '%') UNION ALL SELECT t$6.customer_id 
FROM contact_points AS t$6 
WHERE hub_code(t$6.value) LIKE ('%' || nullif(hub_code($3::VARCHAR), '  ') || '%') UNION ALL SELECT t$7.customer_id 
FROM orders AS t$7 
WHERE hub_code(t$7.number) LIKE ('%' || nullif(hub_code($3::VARCHAR), '  ') || '%'))) THEN 0 WHEN (strpos(' ' || t$0.search_text, ' ' || rtrim(hub_fold($3::VARCHAR))) > 0) THEN 1 WHEN (strpos(t$0.search_text, rtrim(hub_fold($3::VARCHAR))) > 0) THEN 2 WHEN (strpos(t$0.search_text, btrim(hub_fold($3::VARCHAR))) > 0 OR t$0.id IN (SELECT t$8.customer_id 
FROM identifiers AS t$8 
WHERE (hub_code(t$8.value) || hub_code(t$8.normalized)) LIKE hub_code_pattern($3::VARCHAR) UNION ALL SELECT t$9.customer_id 
FROM contact_points AS t$9 
WHERE hub_code(t$9.value) LIKE hub_code_pattern($3::VARCHAR) UNION ALL SELECT t$10.customer_id 
FROM orders AS t$10 
WHERE hub_code(t$10.number) LIKE hub_code_pattern($3::VARCHAR))) THEN 3 ELSE 5 END ASC, -strict_word_similarity(btrim(hub_fold($3::VARCHAR)), t$0.search_text) ASC, t$0.id ASC) AS i$ 
FROM customers AS t$0 
WHERE t$0.id IN (SELECT t$1.id 
FROM customers AS t$1 
WHERE t$1.search_text LIKE hub_pattern($4::VARCHAR) OR (t$1.search_text %>> hub_spelling($4::VARCHAR)) UNION ALL SELECT t$2.customer_id 
FROM identifiers AS t$2 
WHERE (hub_code(t$2.value) || hub_code(t$2.normalized)) LIKE hub_code_pattern($4::VARCHAR) UNION ALL SELECT t$3.customer_id 
FROM contact_points AS t$3 
WHERE hub_code(t$3.value) LIKE hub_code_pattern($4::VARCHAR) UNION ALL SELECT t$4.customer_id 
FROM orders AS t$4 
WHERE hub_code(t$4.number) LIKE hub_code_pattern($4::VARCHAR)) ORDER BY CASE WHEN (strpos(' ' || t$0.search_text || ' ', ' ' || hub_fold($3::VARCHAR) || ' ') > 0 OR t$0.id IN (SELECT t$5.customer_id 
FROM identifiers AS t$5 
WHERE (hub_code(t$5.value) || hub_code(t$5.normalized)) LIKE ('%' || nullif(hub_code($3::VARCHAR), '  ') || '%') UNION ALL SELECT t$6.customer_id 
FROM contact_points AS t$6 
WHERE hub_code(t$6.value) LIKE ('%' || nullif(hub_code($3::VARCHAR), '  ') || '%') UNION ALL SELECT t$7.customer_id 
FROM orders AS t$7 
WHERE hub_code(t$7.number) LIKE ('%' || nullif(hub_code($3::VARCHAR), '  ') || '%'))) THEN 0 WHEN (strpos(' ' || t$0.search_text, ' ' || rtrim(hub_fold($3::VARCHAR))) > 0) THEN 1 WHEN (strpos(t$0.search_text, rtrim(hub_fold($3::VARCHAR))) > 0) THEN 2 WHEN (strpos(t$0.search_text, btrim(hub_fold($3::VARCHAR))) > 0 OR t$0.id IN (SELECT t$8.customer_id 
FROM identifiers AS t$8 
WHERE (hub_code(t$8.value) || hub_code(t$8.normalized)) LIKE hub_code_pattern($3::VARCHAR) UNION ALL SELECT t$9.customer_id 
FROM contact_points AS t$9 
WHERE hub_code(t$9.value) LIKE hub_code_pattern($3::VARCHAR) UNION ALL SELECT t$10.customer_id 
FROM orders AS t$10 
WHERE hub_code(t$10.number) LIKE hub_code_pattern($3::VARCHAR))) THEN 3 ELSE 5 END ASC, -strict_word_similarity(btrim(hub_fold($3::VARCHAR)), t$0.search_text) ASC, t$0.id ASC 
 LIMIT 5 + 1) AS t$13) AS t$22, (SELECT CAST(coalesce(sum(t$19.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM customers AS t$14 
WHERE t$14.id IN (SELECT t$15.id 
FROM customers AS t$15 
WHERE t$15.search_text LIKE hub_pattern($4::VARCHAR) OR (t$15.search_text %>> hub_spelling($4::VARCHAR)) UNION ALL SELECT t$16.customer_id 
FROM identifiers AS t$16 
WHERE (hub_code(t$16.value) || hub_code(t$16.normalized)) LIKE hub_code_pattern($4::VARCHAR) UNION ALL SELECT t$17.customer_id 
FROM contact_points AS t$17 
WHERE hub_code(t$17.value) LIKE hub_code_pattern($4::VARCHAR) UNION ALL SELECT t$18.customer_id 
FROM orders AS t$18 
WHERE hub_code(t$18.number) LIKE hub_code_pattern($4::VARCHAR))) AS t$19) AS t$21) AS t$24) AS ranked, (SELECT row_to_json(t$32) AS row_to_json_6 
FROM (SELECT t$30.v$0 AS "totalCount", t$31.l$1 AS nodes 
FROM (SELECT coalesce(json_agg(t$26), '[]'::json) AS l$1 
FROM (SELECT t$25.name AS name, t$25.title AS title 
FROM contacts AS t$25 
WHERE t$25.search_text LIKE hub_pattern($5::VARCHAR) OR (t$25.search_text %>> hub_spelling($5::VARCHAR)) ORDER BY CASE WHEN (strpos(' ' || t$25.search_text || ' ', ' ' || hub_fold($6::VARCHAR) || ' ') > 0) THEN 0 WHEN (strpos(' ' || t$25.search_text, ' ' || rtrim(hub_fold($6::VARCHAR))) > 0) THEN 1 WHEN (strpos(t$25.search_text, rtrim(hub_fold($6::VARCHAR))) > 0) THEN 2 WHEN (strpos(t$25.search_text, btrim(hub_fold($6::VARCHAR))) > 0) THEN 3 ELSE 5 END ASC, -strict_word_similarity(btrim(hub_fold($6::VARCHAR)), t$25.search_text) ASC, t$25.id ASC 
 LIMIT 3) AS t$26) AS t$31, (SELECT CAST(coalesce(sum(t$28.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM contacts AS t$27 
WHERE t$27.search_text LIKE hub_pattern($5::VARCHAR) OR (t$27.search_text %>> hub_spelling($5::VARCHAR))) AS t$28) AS t$30) AS t$32) AS "similar", (SELECT row_to_json(t$36) AS row_to_json_7 
FROM (SELECT t$35.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$34), '[]'::json) AS l$0 
FROM (SELECT t$33.name AS name 
FROM products AS t$33 
WHERE (t$33.search_text LIKE hub_pattern($7::VARCHAR) OR (t$33.search_text %>> hub_spelling($7::VARCHAR))) AND (t$33.search_text LIKE hub_pattern($8::VARCHAR) OR (t$33.search_text %>> hub_spelling($8::VARCHAR))) ORDER BY CASE WHEN (strpos(' ' || t$33.search_text || ' ', ' ' || hub_fold($9::VARCHAR) || ' ') > 0) THEN 0 WHEN (strpos(' ' || t$33.search_text, ' ' || rtrim(hub_fold($9::VARCHAR))) > 0) THEN 1 WHEN (strpos(t$33.search_text, rtrim(hub_fold($9::VARCHAR))) > 0) THEN 2 WHEN (strpos(t$33.search_text, btrim(hub_fold($9::VARCHAR))) > 0) THEN 3 WHEN (t$33.search_text LIKE hub_pattern($7::VARCHAR) AND t$33.search_text LIKE hub_pattern($8::VARCHAR)) THEN 4 ELSE 5 END ASC, -strict_word_similarity(btrim(hub_fold($9::VARCHAR)), t$33.search_text) ASC, t$33.id ASC 
 LIMIT 20) AS t$34) AS t$35) AS t$36) AS words, (SELECT row_to_json(t$46) AS row_to_json_8 
FROM (SELECT t$44.v$0 AS "totalCount", t$45.l$1 AS nodes 
FROM (SELECT coalesce(json_agg(t$39), '[]'::json) AS l$1 
FROM (SELECT t$37.name AS name, t$37.title AS title 
FROM contacts AS t$37 
WHERE (EXISTS (SELECT 1 
FROM customers AS t$38 
WHERE t$38.id = t$37.customer_id AND t$38.country = ANY ($10::TEXT[]))) AND (t$37.search_text LIKE hub_pattern($11::VARCHAR) OR (t$37.search_text %>> hub_spelling($11::VARCHAR))) AND (t$37.search_text LIKE hub_pattern($12::VARCHAR) OR (t$37.search_text %>> hub_spelling($12::VARCHAR))) ORDER BY t$37.name DESC, t$37.id DESC 
 LIMIT 3) AS t$39) AS t$45, (SELECT CAST(coalesce(sum(t$42.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM contacts AS t$40 
WHERE (EXISTS (SELECT 1 
FROM customers AS t$41 
WHERE t$41.id = t$40.customer_id AND t$41.country = ANY ($10::TEXT[]))) AND (t$40.search_text LIKE hub_pattern($11::VARCHAR) OR (t$40.search_text %>> hub_spelling($11::VARCHAR))) AND (t$40.search_text LIKE hub_pattern($12::VARCHAR) OR (t$40.search_text %>> hub_spelling($12::VARCHAR)))) AS t$42) AS t$44) AS t$46) AS ordered, (SELECT row_to_json(t$64) AS row_to_json_9 
FROM (SELECT t$63.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$62), '[]'::json) AS l$0 
FROM (SELECT (SELECT row_to_json(t$61) AS row_to_json_10 
FROM (SELECT t$60.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$59), '[]'::json) AS l$0 
FROM (SELECT t$48.name AS name 
FROM customers AS t$48 
WHERE t$48.unit_id = t$47.id AND t$48.id IN (SELECT t$49.id 
FROM customers AS t$49 
WHERE t$49.search_text LIKE hub_pattern($13::VARCHAR) OR (t$49.search_text %>> hub_spelling($13::VARCHAR)) UNION ALL SELECT t$50.customer_id 
FROM identifiers AS t$50 
WHERE (hub_code(t$50.value) || hub_code(t$50.normalized)) LIKE hub_code_pattern($13::VARCHAR) UNION ALL SELECT t$51.customer_id 
FROM contact_points AS t$51 
WHERE hub_code(t$51.value) LIKE hub_code_pattern($13::VARCHAR) UNION ALL SELECT t$52.customer_id 
FROM orders AS t$52 
WHERE hub_code(t$52.number) LIKE hub_code_pattern($13::VARCHAR)) ORDER BY CASE WHEN (strpos(' ' || t$48.search_text || ' ', ' ' || hub_fold($14::VARCHAR) || ' ') > 0 OR t$48.id IN (SELECT t$53.customer_id 
FROM identifiers AS t$53 
WHERE (hub_code(t$53.value) || hub_code(t$53.normalized)) LIKE ('%' || nullif(hub_code($14::VARCHAR), '  ') || '%') UNION ALL SELECT t$54.customer_id 
FROM contact_points AS t$54 
WHERE hub_code(t$54.value) LIKE ('%' || nullif(hub_code($14::VARCHAR), '  ') || '%') UNION ALL SELECT t$55.customer_id 
FROM orders AS t$55 
WHERE hub_code(t$55.number) LIKE ('%' || nullif(hub_code($14::VARCHAR), '  ') || '%'))) THEN 0 WHEN (strpos(' ' || t$48.search_text, ' ' || rtrim(hub_fold($14::VARCHAR))) > 0) THEN 1 WHEN (strpos(t$48.search_text, rtrim(hub_fold($14::VARCHAR))) > 0) THEN 2 WHEN (strpos(t$48.search_text, btrim(hub_fold($14::VARCHAR))) > 0 OR t$48.id IN (SELECT t$56.customer_id 
FROM identifiers AS t$56 
WHERE (hub_code(t$56.value) || hub_code(t$56.normalized)) LIKE hub_code_pattern($14::VARCHAR) UNION ALL SELECT t$57.customer_id 
FROM contact_points AS t$57 
WHERE hub_code(t$57.value) LIKE hub_code_pattern($14::VARCHAR) UNION ALL SELECT t$58.customer_id 
FROM orders AS t$58 
WHERE hub_code(t$58.number) LIKE hub_code_pattern($14::VARCHAR))) THEN 3 ELSE 5 END ASC, -strict_word_similarity(btrim(hub_fold($14::VARCHAR)), t$48.search_text) ASC, t$48.id ASC 
 LIMIT 20) AS t$59) AS t$60) AS t$61) AS customers 
FROM org_units AS t$47 
WHERE t$47.code = $15::VARCHAR ORDER BY t$47.name ASC, t$47.id ASC 
 LIMIT 20) AS t$62) AS t$63) AS t$64) AS nested) AS t$65) AS anon_1
