SELECT (SELECT row_to_json(t$46) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$6) AS row_to_json_2 
FROM (SELECT t$5.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$3.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM order_items AS t$2 
WHERE t$2.quantity = $1::INTEGER) AS t$3) AS t$5) AS t$6) AS eq, (SELECT row_to_json(t$13) AS row_to_json_3 
FROM (SELECT t$12.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$10.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM order_items AS t$9 
WHERE t$9.line != $2::INTEGER) AS t$10) AS t$12) AS t$13) AS ne, (SELECT row_to_json(t$20) AS row_to_json_4 
FROM (SELECT t$19.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$17.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM order_items AS t$16 
WHERE t$16.quantity = ANY ($3::INTEGER[])) AS t$17) AS t$19) AS t$20) AS "in", (SELECT row_to_json(t$27) AS row_to_json_5 
FROM (SELECT t$26.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$24.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM order_items AS t$23 
WHERE t$23.quantity != ALL ($4::INTEGER[])) AS t$24) AS t$26) AS t$27) AS "notIn", (SELECT row_to_json(t$34) AS row_to_json_6 
FROM (SELECT t$33.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$31.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM order_items AS t$30 
WHERE (t$30.discount > $5::NUMERIC) AND (t$30.discount <= $6::NUMERIC)) AS t$31) AS t$33) AS t$34) AS "between", (SELECT row_to_json(t$38) AS row_to_json_7 
FROM (SELECT t$37.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$36), '[]'::json) AS l$0 
FROM (SELECT t$35.number AS number, CAST(t$35.net AS TEXT) AS net 
FROM orders AS t$35 
WHERE (t$35.net >= $7::NUMERIC) AND (t$35.net < $8::NUMERIC) ORDER BY t$35.placed_at DESC, t$35.id DESC 
 LIMIT 20) AS t$36) AS t$37) AS t$38) AS money, (SELECT row_to_json(t$45) AS row_to_json_8 
FROM (SELECT t$44.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$42.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM products AS t$41 
WHERE t$41.unit_price IS NULL) AS t$42) AS t$44) AS t$45) AS "isNull") AS t$46) AS anon_1
