SELECT (SELECT row_to_json(t$66) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$3) AS row_to_json_2 
FROM (SELECT t$2.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$1), '[]'::json) AS l$0 
FROM (SELECT t$0.name AS name 
FROM products AS t$0 
WHERE t$0.name = $1::VARCHAR ORDER BY t$0.name ASC, t$0.id ASC 
 LIMIT 20) AS t$1) AS t$2) AS t$3) AS eq, (SELECT row_to_json(t$10) AS row_to_json_3 
FROM (SELECT t$9.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$7.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM products AS t$6 
WHERE t$6.packaging IS DISTINCT FROM $2::VARCHAR) AS t$7) AS t$9) AS t$10) AS ne, (SELECT row_to_json(t$17) AS row_to_json_4 
FROM (SELECT t$16.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$14.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM products AS t$13 
WHERE t$13.category = ANY ($3::TEXT[])) AS t$14) AS t$16) AS t$17) AS "in", (SELECT row_to_json(t$24) AS row_to_json_5 
FROM (SELECT t$23.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$21.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM products AS t$20 
WHERE t$20.category != ALL ($4::TEXT[])) AS t$21) AS t$23) AS t$24) AS "notIn", (SELECT row_to_json(t$28) AS row_to_json_6 
FROM (SELECT t$27.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$26), '[]'::json) AS l$0 
FROM (SELECT t$25.name AS name 
FROM products AS t$25 
WHERE t$25.name < $5::VARCHAR ORDER BY t$25.name ASC, t$25.id ASC 
 LIMIT 20) AS t$26) AS t$27) AS t$28) AS lt, (SELECT row_to_json(t$32) AS row_to_json_7 
FROM (SELECT t$31.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$30), '[]'::json) AS l$0 
FROM (SELECT t$29.name AS name 
FROM products AS t$29 
WHERE (t$29.name >= $6::VARCHAR) AND (t$29.name <= $7::VARCHAR) ORDER BY t$29.name ASC, t$29.id ASC 
 LIMIT 20) AS t$30) AS t$31) AS t$32) AS "between", (SELECT row_to_json(t$36) AS row_to_json_8 
FROM (SELECT t$35.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$34), '[]'::json) AS l$0 
FROM (SELECT t$33.name AS name 
FROM products AS t$33 
WHERE t$33.name > $8::VARCHAR ORDER BY t$33.name ASC, t$33.id ASC 
 LIMIT 20) AS t$34) AS t$35) AS t$36) AS gt, (SELECT row_to_json(t$40) AS row_to_json_9 
FROM (SELECT t$39.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$38), '[]'::json) AS l$0 
FROM (SELECT t$37.name AS name 
FROM products AS t$37 
WHERE t$37.search_text LIKE hub_pattern($9::VARCHAR) AND hub_fold(t$37.name) LIKE hub_pattern($9::VARCHAR) ORDER BY t$37.name ASC, t$37.id ASC 
 LIMIT 20) AS t$38) AS t$39) AS t$40) AS contains, (SELECT row_to_json(t$44) AS row_to_json_10 
FROM (SELECT t$43.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$42), '[]'::json) AS l$0 
FROM (SELECT t$41.name AS name 
FROM customers AS t$41 
WHERE hub_fold(t$41.name) LIKE (' ' || ltrim(substr(hub_pattern($10::VARCHAR), 2))) ORDER BY t$41.name ASC, t$41.id ASC 
 LIMIT 20) AS t$42) AS t$43) AS t$44) AS "startsWith", (SELECT row_to_json(t$51) AS row_to_json_11 
FROM (SELECT t$50.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$48.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM contacts AS t$47 
WHERE hub_fold(t$47.title) LIKE (' ' || ltrim(substr(hub_pattern($11::VARCHAR), 2)))) AS t$48) AS t$50) AS t$51) AS "startsWithUnfolded", (SELECT row_to_json(t$58) AS row_to_json_12 
FROM (SELECT t$57.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$55.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM addresses AS t$54 
WHERE t$54.region IS NULL) AS t$55) AS t$57) AS t$58) AS "isNull", (SELECT row_to_json(t$65) AS row_to_json_13 
FROM (SELECT t$64.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$62.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM addresses AS t$61 
WHERE t$61.region IS NOT NULL) AS t$62) AS t$64) AS t$65) AS "isNotNull") AS t$66) AS anon_1
