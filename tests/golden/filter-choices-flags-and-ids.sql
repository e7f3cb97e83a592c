SELECT (SELECT row_to_json(t$54) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$3) AS row_to_json_2 
FROM (SELECT t$2.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$1), '[]'::json) AS l$0 
FROM (SELECT t$0.name AS name 
FROM customers AS t$0 
WHERE t$0.stage = $1::VARCHAR ORDER BY t$0.name ASC, t$0.id ASC 
 LIMIT 20) AS t$1) AS t$2) AS t$3) AS eq, (SELECT row_to_json(t$10) AS row_to_json_3 
FROM (SELECT t$9.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$7.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM customers AS t$6 
WHERE t$6.tier != $2::VARCHAR) AS t$7) AS t$9) AS t$10) AS ne, (SELECT row_to_json(t$17) AS row_to_json_4 
FROM (SELECT t$16.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$14.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM customers AS t$13 
WHERE t$13.stage = ANY ($3::TEXT[])) AS t$14) AS t$16) AS t$17) AS "in", (SELECT row_to_json(t$24) AS row_to_json_5 
FROM (SELECT t$23.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$21.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM customers AS t$20 
WHERE t$20.stage != ALL ($4::TEXT[])) AS t$21) AS t$23) AS t$24) AS "notIn", (SELECT row_to_json(t$31) AS row_to_json_6 
FROM (SELECT t$30.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$28.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM products AS t$27 
WHERE t$27.discontinued = $5::BOOLEAN) AS t$28) AS t$30) AS t$31) AS flag, (SELECT row_to_json(t$38) AS row_to_json_7 
FROM (SELECT t$37.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$35.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM products AS t$34 
WHERE t$34.discontinued != $6::BOOLEAN) AS t$35) AS t$37) AS t$38) AS "noFlag", (SELECT row_to_json(t$42) AS row_to_json_8 
FROM (SELECT t$41.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$40), '[]'::json) AS l$0 
FROM (SELECT t$39.name AS name 
FROM products AS t$39 
WHERE t$39.id = $7::UUID ORDER BY t$39.name ASC, t$39.id ASC 
 LIMIT 20) AS t$40) AS t$41) AS t$42) AS id, (SELECT row_to_json(t$46) AS row_to_json_9 
FROM (SELECT t$45.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$44), '[]'::json) AS l$0 
FROM (SELECT t$43.name AS name 
FROM products AS t$43 
WHERE t$43.id = ANY ($8::UUID[]) ORDER BY t$43.name ASC, t$43.id ASC 
 LIMIT 20) AS t$44) AS t$45) AS t$46) AS ids, (SELECT row_to_json(t$53) AS row_to_json_10 
FROM (SELECT t$52.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$50.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM products AS t$49 
WHERE t$49.id != ALL ($9::UUID[])) AS t$50) AS t$52) AS t$53) AS "otherIds") AS t$54) AS anon_1
