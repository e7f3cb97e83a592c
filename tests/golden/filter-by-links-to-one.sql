SELECT (SELECT row_to_json(t$27) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$21) AS row_to_json_2 
FROM (SELECT t$19.v$0 AS "totalCount", t$20.l$1 AS nodes 
FROM (SELECT coalesce(json_agg(t$10), '[]'::json) AS l$1 
FROM (SELECT t$0.number AS number, (SELECT row_to_json(t$7) AS row_to_json_3 
FROM (SELECT t$6.name AS name 
FROM customers AS t$6 
WHERE t$6.id = t$0.customer_id) AS t$7) AS customer, (SELECT row_to_json(t$9) AS row_to_json_4 
FROM (SELECT t$8.name AS name 
FROM staff AS t$8 
WHERE t$8.id = t$0.staff_id) AS t$9) AS staff 
FROM orders AS t$0 
WHERE (EXISTS (SELECT 1 
FROM customers AS t$1 
WHERE t$1.id = t$0.customer_id AND t$1.country = $1::VARCHAR AND (EXISTS (SELECT 1 
FROM org_units AS t$2 
WHERE t$2.id = t$1.unit_id AND (EXISTS (SELECT 1 
FROM org_units AS t$3 
WHERE t$3.id = t$2.parent_id AND t$3.code = $2::VARCHAR)))))) AND (EXISTS (SELECT 1 
FROM staff AS t$4 
WHERE t$4.id = t$0.staff_id AND (EXISTS (SELECT 1 
FROM staff AS t$5 
WHERE t$5.id = t$4.reports_to_id AND t$5.name = $3::VARCHAR)))) ORDER BY t$0.placed_at DESC, t$0.id DESC 
 LIMIT 3) AS t$10) AS t$20, (SELECT CAST(coalesce(sum(t$17.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM orders AS t$11 
WHERE (EXISTS (SELECT 1 
FROM customers AS t$12 
WHERE t$12.id = t$11.customer_id AND t$12.country = $1::VARCHAR AND (EXISTS (SELECT 1 
FROM org_units AS t$13 
WHERE t$13.id = t$12.unit_id AND (EXISTS (SELECT 1 
FROM org_units AS t$14 
WHERE t$14.id = t$13.parent_id AND t$14.code = $2::VARCHAR)))))) AND (EXISTS (SELECT 1 
FROM staff AS t$15 
WHERE t$15.id = t$11.staff_id AND (EXISTS (SELECT 1 
FROM staff AS t$16 
WHERE t$16.id = t$15.reports_to_id AND t$16.name = $3::VARCHAR))))) AS t$17) AS t$19) AS t$21) AS orders, (SELECT row_to_json(t$26) AS row_to_json_5 
FROM (SELECT t$25.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$24), '[]'::json) AS l$0 
FROM (SELECT t$22.name AS name 
FROM customers AS t$22 
WHERE (EXISTS (SELECT 1 
FROM staff AS t$23 
WHERE t$23.id = t$22.owner_id AND true)) IS NOT true ORDER BY t$22.name ASC, t$22.id ASC 
 LIMIT 20) AS t$24) AS t$25) AS t$26) AS "withoutOwner") AS t$27) AS anon_1
