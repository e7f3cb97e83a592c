SELECT (SELECT row_to_json(t$64) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$6) AS row_to_json_2 
FROM (SELECT t$5.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$3.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM orders AS t$2 
WHERE t$2.placed_at = $1::TIMESTAMP WITH TIME ZONE) AS t$3) AS t$5) AS t$6) AS eq, (SELECT row_to_json(t$13) AS row_to_json_3 
FROM (SELECT t$12.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$10.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM orders AS t$9 
WHERE t$9.shipped_at IS DISTINCT FROM $2::TIMESTAMP WITH TIME ZONE) AS t$10) AS t$12) AS t$13) AS ne, (SELECT row_to_json(t$20) AS row_to_json_4 
FROM (SELECT t$19.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$17.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM orders AS t$16 
WHERE t$16.placed_at = ANY ($3::TIMESTAMP WITH TIME ZONE[])) AS t$17) AS t$19) AS t$20) AS "in", (SELECT row_to_json(t$27) AS row_to_json_5 
FROM (SELECT t$26.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$24.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM orders AS t$23 
WHERE t$23.shipped_at IS NULL OR t$23.shipped_at != ALL ($4::TIMESTAMP WITH TIME ZONE[])) AS t$24) AS t$26) AS t$27) AS "notIn", (SELECT row_to_json(t$34) AS row_to_json_6 
FROM (SELECT t$33.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$31.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM orders AS t$30 
WHERE (t$30.placed_at > $5::TIMESTAMP WITH TIME ZONE) AND (t$30.placed_at < $6::TIMESTAMP WITH TIME ZONE)) AS t$31) AS t$33) AS t$34) AS "between", (SELECT row_to_json(t$38) AS row_to_json_7 
FROM (SELECT t$37.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$36), '[]'::json) AS l$0 
FROM (SELECT t$35.number AS number 
FROM orders AS t$35 
WHERE t$35.placed_at <= $7::TIMESTAMP WITH TIME ZONE ORDER BY t$35.placed_at DESC, t$35.id DESC 
 LIMIT 20) AS t$36) AS t$37) AS t$38) AS "upTo", (SELECT row_to_json(t$45) AS row_to_json_8 
FROM (SELECT t$44.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$42.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM orders AS t$41 
WHERE (t$41.placed_at >= $8::TIMESTAMP WITH TIME ZONE) AND (t$41.placed_at <= $9::TIMESTAMP WITH TIME ZONE)) AS t$42) AS t$44) AS t$45) AS "withinLast", (SELECT row_to_json(t$52) AS row_to_json_9 
FROM (SELECT t$51.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$49.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM orders AS t$48 
WHERE t$48.placed_at < $10::TIMESTAMP WITH TIME ZONE) AS t$49) AS t$51) AS t$52) AS "olderThan", (SELECT row_to_json(t$59) AS row_to_json_10 
FROM (SELECT t$58.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$56.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM orders AS t$55 
WHERE t$55.shipped_at IS NULL) AS t$56) AS t$58) AS t$59) AS "isNull", (SELECT row_to_json(t$63) AS row_to_json_11 
FROM (SELECT t$62.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$61), '[]'::json) AS l$0 
FROM (SELECT t$60.name AS name, t$60.hired_on AS "hiredOn" 
FROM staff AS t$60 
WHERE (t$60.hired_on >= $11::DATE) AND (t$60.hired_on < $12::DATE) ORDER BY t$60.name ASC, t$60.id ASC 
 LIMIT 20) AS t$61) AS t$62) AS t$63) AS day) AS t$64) AS anon_1
