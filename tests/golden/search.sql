SELECT (SELECT row_to_json(t$73) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$26) AS row_to_json_2 
FROM (SELECT t$23.v$0 AS "totalCount", t$24.l$1 AS edges, (SELECT row_to_json(t$25) AS row_to_json_3 
FROM (SELECT t$24.c$ > 5 AS "hasNextPage") AS t$25) AS "pageInfo" 
FROM (SELECT coalesce(json_agg(t$15.n$1) FILTER (WHERE t$15.i$ <= 5), '[]'::json) AS l$1, count(*) AS c$ 
FROM (SELECT (SELECT row_to_json(t$14) AS row_to_json_4 
FROM (SELECT translate(encode(($1::BYTEA || SUBSTRING(sha256($2::BYTEA || sha256($2::BYTEA || convert_to(CAST(json_build_array(CAST(t$11.v$ AS TEXT), CAST(t$12.v$ AS TEXT), CAST(t$0.id AS TEXT)) AS TEXT), 'UTF8'))) FROM 1 FOR 10)) || convert_to(CAST(json_build_array(CAST(t$11.v$ AS TEXT), CAST(t$12.v$ AS TEXT), CAST(t$0.id AS TEXT)) AS TEXT), 'UTF8'), 'base64'), E'+/=\n', '-_') AS cursor, (SELECT row_to_json(t$13) AS row_to_json_5 
FROM (SELECT t$0.name AS name) AS t$13) AS node) AS t$14) AS n$1, row_number() OVER (ORDER BY t$11.v$ ASC, t$12.v$ ASC, t$0.id ASC) AS i$ 
FROM customers AS t$0 LEFT OUTER JOIN LATERAL (SELECT CASE WHEN (strpos(' ' || t$0.search_text || ' ', ' ' || hub_fold($3::VARCHAR) || ' ') > 0 OR t$0.id IN (SELECT t$5.customer_id 
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
WHERE hub_code(t$10.number) LIKE hub_code_pattern($3::VARCHAR))) THEN 3 ELSE 5 END AS v$) AS t$11 ON true LEFT OUTER JOIN LATERAL (SELECT -strict_word_similarity(btrim(hub_fold($3::VARCHAR)), t$0.search_text) AS v$) AS t$12 ON true 
WHERE t$0.id IN (SELECT t$1.id 
FROM customers AS t$1 
WHERE t$1.search_text LIKE hub_pattern($4::VARCHAR) OR (t$1.search_text %>> hub_spelling($4::VARCHAR)) UNION ALL SELECT t$2.customer_id 
FROM identifiers AS t$2 
WHERE (hub_code(t$2.value) || hub_code(t$2.normalized)) LIKE hub_code_pattern($4::VARCHAR) UNION ALL SELECT t$3.customer_id 
FROM contact_points AS t$3 
WHERE hub_code(t$3.value) LIKE hub_code_pattern($4::VARCHAR) UNION ALL SELECT t$4.customer_id 
FROM orders AS t$4 
WHERE hub_code(t$4.number) LIKE hub_code_pattern($4::VARCHAR)) ORDER BY t$11.v$ ASC, t$12.v$ ASC, t$0.id ASC 
 LIMIT 5 + 1) AS t$15) AS t$24, (SELECT CAST(coalesce(sum(t$21.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM customers AS t$16 
WHERE t$16.id IN (SELECT t$17.id 
FROM customers AS t$17 
WHERE t$17.search_text LIKE hub_pattern($4::VARCHAR) OR (t$17.search_text %>> hub_spelling($4::VARCHAR)) UNION ALL SELECT t$18.customer_id 
FROM identifiers AS t$18 
WHERE (hub_code(t$18.value) || hub_code(t$18.normalized)) LIKE hub_code_pattern($4::VARCHAR) UNION ALL SELECT t$19.customer_id 
FROM contact_points AS t$19 
WHERE hub_code(t$19.value) LIKE hub_code_pattern($4::VARCHAR) UNION ALL SELECT t$20.customer_id 
FROM orders AS t$20 
WHERE hub_code(t$20.number) LIKE hub_code_pattern($4::VARCHAR))) AS t$21) AS t$23) AS t$26) AS ranked, (SELECT row_to_json(t$36) AS row_to_json_6 
FROM (SELECT t$34.v$0 AS "totalCount", t$35.l$1 AS nodes 
FROM (SELECT coalesce(json_agg(t$30), '[]'::json) AS l$1 
FROM (SELECT t$27.name AS name, t$27.title AS title 
FROM contacts AS t$27 LEFT OUTER JOIN LATERAL (SELECT CASE WHEN (strpos(' ' || t$27.search_text || ' ', ' ' || hub_fold($5::VARCHAR) || ' ') > 0) THEN 0 WHEN (strpos(' ' || t$27.search_text, ' ' || rtrim(hub_fold($5::VARCHAR))) > 0) THEN 1 WHEN (strpos(t$27.search_text, rtrim(hub_fold($5::VARCHAR))) > 0) THEN 2 WHEN (strpos(t$27.search_text, btrim(hub_fold($5::VARCHAR))) > 0) THEN 3 ELSE 5 END AS v$) AS t$28 ON true LEFT OUTER JOIN LATERAL (SELECT -strict_word_similarity(btrim(hub_fold($5::VARCHAR)), t$27.search_text) AS v$) AS t$29 ON true 
WHERE t$27.search_text LIKE hub_pattern($6::VARCHAR) OR (t$27.search_text %>> hub_spelling($6::VARCHAR)) ORDER BY t$28.v$ ASC, t$29.v$ ASC, t$27.id ASC 
 LIMIT 3) AS t$30) AS t$35, (SELECT CAST(coalesce(sum(t$32.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM contacts AS t$31 
WHERE t$31.search_text LIKE hub_pattern($6::VARCHAR) OR (t$31.search_text %>> hub_spelling($6::VARCHAR))) AS t$32) AS t$34) AS t$36) AS "similar", (SELECT row_to_json(t$42) AS row_to_json_7 
FROM (SELECT t$41.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$40), '[]'::json) AS l$0 
FROM (SELECT t$37.name AS name 
FROM products AS t$37 LEFT OUTER JOIN LATERAL (SELECT CASE WHEN (strpos(' ' || t$37.search_text || ' ', ' ' || hub_fold($7::VARCHAR) || ' ') > 0) THEN 0 WHEN (strpos(' ' || t$37.search_text, ' ' || rtrim(hub_fold($7::VARCHAR))) > 0) THEN 1 WHEN (strpos(t$37.search_text, rtrim(hub_fold($7::VARCHAR))) > 0) THEN 2 WHEN (strpos(t$37.search_text, btrim(hub_fold($7::VARCHAR))) > 0) THEN 3 WHEN (t$37.search_text LIKE hub_pattern($8::VARCHAR) AND t$37.search_text LIKE hub_pattern($9::VARCHAR)) THEN 4 ELSE 5 END AS v$) AS t$38 ON true LEFT OUTER JOIN LATERAL (SELECT -strict_word_similarity(btrim(hub_fold($7::VARCHAR)), t$37.search_text) AS v$) AS t$39 ON true 
WHERE (t$37.search_text LIKE hub_pattern($8::VARCHAR) OR (t$37.search_text %>> hub_spelling($8::VARCHAR))) AND (t$37.search_text LIKE hub_pattern($9::VARCHAR) OR (t$37.search_text %>> hub_spelling($9::VARCHAR))) ORDER BY t$38.v$ ASC, t$39.v$ ASC, t$37.id ASC 
 LIMIT 20) AS t$40) AS t$41) AS t$42) AS words, (SELECT row_to_json(t$52) AS row_to_json_8 
FROM (SELECT t$50.v$0 AS "totalCount", t$51.l$1 AS nodes 
FROM (SELECT coalesce(json_agg(t$45), '[]'::json) AS l$1 
FROM (SELECT t$43.name AS name, t$43.title AS title 
FROM contacts AS t$43 
WHERE (EXISTS (SELECT 1 
FROM customers AS t$44 
WHERE t$44.id = t$43.customer_id AND t$44.country = ANY ($10::TEXT[]))) AND (t$43.search_text LIKE hub_pattern($11::VARCHAR) OR (t$43.search_text %>> hub_spelling($11::VARCHAR))) AND (t$43.search_text LIKE hub_pattern($12::VARCHAR) OR (t$43.search_text %>> hub_spelling($12::VARCHAR))) ORDER BY t$43.name DESC, t$43.id DESC 
 LIMIT 3) AS t$45) AS t$51, (SELECT CAST(coalesce(sum(t$48.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM contacts AS t$46 
WHERE (EXISTS (SELECT 1 
FROM customers AS t$47 
WHERE t$47.id = t$46.customer_id AND t$47.country = ANY ($10::TEXT[]))) AND (t$46.search_text LIKE hub_pattern($11::VARCHAR) OR (t$46.search_text %>> hub_spelling($11::VARCHAR))) AND (t$46.search_text LIKE hub_pattern($12::VARCHAR) OR (t$46.search_text %>> hub_spelling($12::VARCHAR)))) AS t$48) AS t$50) AS t$52) AS ordered, (SELECT row_to_json(t$72) AS row_to_json_9 
FROM (SELECT t$71.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$70), '[]'::json) AS l$0 
FROM (SELECT (SELECT row_to_json(t$69) AS row_to_json_10 
FROM (SELECT t$68.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$67), '[]'::json) AS l$0 
FROM (SELECT t$54.name AS name 
FROM customers AS t$54 LEFT OUTER JOIN LATERAL (SELECT CASE WHEN (strpos(' ' || t$54.search_text || ' ', ' ' || hub_fold($13::VARCHAR) || ' ') > 0 OR t$54.id IN (SELECT t$59.customer_id 
FROM identifiers AS t$59 
WHERE (hub_code(t$59.value) || hub_code(t$59.normalized)) LIKE ('%' || nullif(hub_code($13::VARCHAR), '  ') || '%') UNION ALL SELECT t$60.customer_id 
FROM contact_points AS t$60 
WHERE hub_code(t$60.value) LIKE ('%' || nullif(hub_code($13::VARCHAR), '  ') || '%') UNION ALL SELECT t$61.customer_id 
FROM orders AS t$61 
WHERE hub_code(t$61.number) LIKE ('%' || nullif(hub_code($13::VARCHAR), '  ') || '%'))) THEN 0 WHEN (strpos(' ' || t$54.search_text, ' ' || rtrim(hub_fold($13::VARCHAR))) > 0) THEN 1 WHEN (strpos(t$54.search_text, rtrim(hub_fold($13::VARCHAR))) > 0) THEN 2 WHEN (strpos(t$54.search_text, btrim(hub_fold($13::VARCHAR))) > 0 OR t$54.id IN (SELECT t$62.customer_id 
FROM identifiers AS t$62 
WHERE (hub_code(t$62.value) || hub_code(t$62.normalized)) LIKE hub_code_pattern($13::VARCHAR) UNION ALL SELECT t$63.customer_id 
FROM contact_points AS t$63 
WHERE hub_code(t$63.value) LIKE hub_code_pattern($13::VARCHAR) UNION ALL SELECT t$64.customer_id 
FROM orders AS t$64 
WHERE hub_code(t$64.number) LIKE hub_code_pattern($13::VARCHAR))) THEN 3 ELSE 5 END AS v$) AS t$65 ON true LEFT OUTER JOIN LATERAL (SELECT -strict_word_similarity(btrim(hub_fold($13::VARCHAR)), t$54.search_text) AS v$) AS t$66 ON true 
WHERE t$54.unit_id = t$53.id AND t$54.id IN (SELECT t$55.id 
FROM customers AS t$55 
WHERE t$55.search_text LIKE hub_pattern($14::VARCHAR) OR (t$55.search_text %>> hub_spelling($14::VARCHAR)) UNION ALL SELECT t$56.customer_id 
FROM identifiers AS t$56 
WHERE (hub_code(t$56.value) || hub_code(t$56.normalized)) LIKE hub_code_pattern($14::VARCHAR) UNION ALL SELECT t$57.customer_id 
FROM contact_points AS t$57 
WHERE hub_code(t$57.value) LIKE hub_code_pattern($14::VARCHAR) UNION ALL SELECT t$58.customer_id 
FROM orders AS t$58 
WHERE hub_code(t$58.number) LIKE hub_code_pattern($14::VARCHAR)) ORDER BY t$65.v$ ASC, t$66.v$ ASC, t$54.id ASC 
 LIMIT 10) AS t$67) AS t$68) AS t$69) AS customers 
FROM org_units AS t$53 
WHERE t$53.code = $15::VARCHAR ORDER BY t$53.name ASC, t$53.id ASC 
 LIMIT 20) AS t$70) AS t$71) AS t$72) AS nested) AS t$73) AS anon_1
