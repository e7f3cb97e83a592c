SELECT (SELECT row_to_json(t$18) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$3) AS row_to_json_2 
FROM (SELECT 'cus_' || replace(CAST(t$2.id AS TEXT), '-', '') AS id, t$2.name AS name 
FROM customers AS t$2 
WHERE t$2.id = (SELECT t$0.customer_id 
FROM identifiers AS t$0 JOIN customers AS t$1 ON t$1.id = t$0.customer_id 
WHERE t$0.kind = $1::VARCHAR AND t$0.normalized = $2::VARCHAR AND t$0.source = $3::VARCHAR ORDER BY t$0.verified DESC, t$0.id ASC 
 LIMIT 1)) AS t$3) AS "byNumber", (SELECT row_to_json(t$7) AS row_to_json_3 
FROM (SELECT 'cus_' || replace(CAST(t$6.id AS TEXT), '-', '') AS id 
FROM customers AS t$6 
WHERE t$6.id = (SELECT t$4.customer_id 
FROM identifiers AS t$4 JOIN customers AS t$5 ON t$5.id = t$4.customer_id 
WHERE t$4.kind = $4::VARCHAR AND t$4.normalized = $5::VARCHAR AND t$4.source = $6::VARCHAR ORDER BY t$4.verified DESC, t$4.id ASC 
 LIMIT 1)) AS t$7) AS elsewhere, (SELECT row_to_json(t$12) AS row_to_json_4 
FROM (SELECT 'cus_' || replace(CAST(t$10.id AS TEXT), '-', '') AS id, t$10.name AS name 
FROM customers AS t$10 
WHERE t$10.id = (SELECT DISTINCT t$11.customer_id 
FROM (SELECT t$8.customer_id AS customer_id 
FROM identifiers AS t$8 JOIN customers AS t$9 ON t$9.id = t$8.customer_id 
WHERE t$8.kind = $7::VARCHAR AND t$8.normalized = $8::VARCHAR ORDER BY t$8.verified DESC, t$8.id ASC 
 LIMIT CASE WHEN ($7::VARCHAR IN ('EXTERNAL_ID'::text, 'DEVICE_ID'::text, 'ANONYMOUS_ID'::text)) THEN NULL ELSE 1 END) AS t$11)) AS t$12) AS "byPhone", (SELECT row_to_json(t$17) AS row_to_json_5 
FROM (SELECT 'cus_' || replace(CAST(t$15.id AS TEXT), '-', '') AS id 
FROM customers AS t$15 
WHERE t$15.id = (SELECT DISTINCT t$16.customer_id 
FROM (SELECT t$13.customer_id AS customer_id 
FROM identifiers AS t$13 JOIN customers AS t$14 ON t$14.id = t$13.customer_id 
WHERE t$13.kind = $9::VARCHAR AND t$13.normalized = $10::VARCHAR ORDER BY t$13.verified DESC, t$13.id ASC 
 LIMIT CASE WHEN ($9::VARCHAR IN ('EXTERNAL_ID'::text, 'DEVICE_ID'::text, 'ANONYMOUS_ID'::text)) THEN NULL ELSE 1 END) AS t$16)) AS t$17) AS "byFax") AS t$18) AS anon_1
