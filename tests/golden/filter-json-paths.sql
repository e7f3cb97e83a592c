SELECT (SELECT row_to_json(t$45) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$3) AS row_to_json_2 
FROM (SELECT t$2.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$1), '[]'::json) AS l$0 
FROM (SELECT t$0.name AS name, t$0.attributes AS attributes 
FROM customers AS t$0 
WHERE (t$0.attributes #> $1::TEXT[]) = $2::JSONB ORDER BY t$0.name ASC, t$0.id ASC 
 LIMIT 20) AS t$1) AS t$2) AS t$3) AS eq, (SELECT row_to_json(t$10) AS row_to_json_3 
FROM (SELECT t$9.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$7.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM customers AS t$6 
WHERE (t$6.attributes #> $3::TEXT[]) IS DISTINCT FROM $4::JSONB) AS t$7) AS t$9) AS t$10) AS ne, (SELECT row_to_json(t$17) AS row_to_json_4 
FROM (SELECT t$16.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$14.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM customers AS t$13 
WHERE (t$13.attributes #> $5::TEXT[]) = ANY ($6::JSONB[])) AS t$14) AS t$16) AS t$17) AS "in", (SELECT row_to_json(t$24) AS row_to_json_5 
FROM (SELECT t$23.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$21.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM customers AS t$20 
WHERE CASE WHEN (jsonb_typeof(t$20.attributes #> $7::TEXT[]) = 'string') THEN hub_fold((t$20.attributes #> $7::TEXT[]) #>> '{}') LIKE hub_pattern($8::VARCHAR) END) AS t$21) AS t$23) AS t$24) AS contains, (SELECT row_to_json(t$31) AS row_to_json_6 
FROM (SELECT t$30.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$28.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM customers AS t$27 
WHERE (t$27.attributes #> $9::TEXT[]) IS NULL OR jsonb_typeof(t$27.attributes #> $9::TEXT[]) = 'null') AS t$28) AS t$30) AS t$31) AS "isNull", (SELECT row_to_json(t$37) AS row_to_json_7 
FROM (SELECT t$36.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$35), '[]'::json) AS l$0 
FROM (SELECT (SELECT row_to_json(t$34) AS row_to_json_8 
FROM (SELECT t$33.name AS name 
FROM customers AS t$33 
WHERE t$33.id = t$32.customer_id) AS t$34) AS customer 
FROM scores AS t$32 
WHERE (t$32.reasons #> $10::TEXT[]) = $11::JSONB ORDER BY t$32.computed_at DESC, t$32.id DESC 
 LIMIT 20) AS t$35) AS t$36) AS t$37) AS object, (SELECT row_to_json(t$44) AS row_to_json_9 
FROM (SELECT t$43.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$41.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM scores AS t$40 
WHERE CASE WHEN (jsonb_typeof(t$40.reasons #> $12::TEXT[]) = 'number') THEN CAST(t$40.reasons #> $12::TEXT[] AS NUMERIC) >= $13::NUMERIC END AND CASE WHEN (jsonb_typeof(t$40.reasons #> $12::TEXT[]) = 'number') THEN CAST(t$40.reasons #> $12::TEXT[] AS NUMERIC) < $14::NUMERIC END AND t$40.current = $15::BOOLEAN) AS t$41) AS t$43) AS t$44) AS number) AS t$45) AS anon_1
