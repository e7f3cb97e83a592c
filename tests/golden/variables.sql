SELECT (SELECT row_to_json(t$19) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$18) AS row_to_json_2 
FROM (SELECT t$16.v$0 AS "totalCount", t$17.l$1 AS nodes 
FROM (SELECT coalesce(json_agg(t$9), '[]'::json) AS l$1 
FROM (SELECT t$0.name AS name, (SELECT row_to_json(t$8) AS row_to_json_3 
FROM (SELECT t$7.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$6), '[]'::json) AS l$0 
FROM (SELECT t$4.number AS number 
FROM orders AS t$4 
WHERE t$4.customer_id = t$0.id AND (EXISTS (SELECT 1 
FROM order_items AS t$5 
WHERE t$5.order_id = t$4.id AND t$5.discount = $1::NUMERIC)) ORDER BY t$4.placed_at DESC, t$4.id DESC 
 LIMIT 2) AS t$6) AS t$7) AS t$8) AS orders 
FROM customers AS t$0 LEFT OUTER JOIN (SELECT t$1.customer_id AS k$, count(*) AS v$ 
FROM orders AS t$1 
WHERE true GROUP BY t$1.customer_id) AS t$2 ON t$2.k$ = t$0.id 
WHERE (t$0.tier = $2::VARCHAR OR (coalesce(t$2.v$, 0) > $3::INTEGER)) AND t$0.search_text LIKE hub_pattern($4::VARCHAR) AND hub_fold(t$0.name) LIKE hub_pattern($4::VARCHAR) AND t$0.id = ANY ($5::UUID[]) AND t$0.country IS DISTINCT FROM $6::VARCHAR AND t$0.stage = ANY ($7::TEXT[]) AND (EXISTS (SELECT 1 
FROM orders AS t$3 
WHERE t$3.customer_id = t$0.id AND (t$3.net >= $8::NUMERIC) AND (t$3.placed_at >= $9::TIMESTAMP WITH TIME ZONE) AND (t$3.placed_at >= $10::TIMESTAMP WITH TIME ZONE) AND (t$3.placed_at <= $11::TIMESTAMP WITH TIME ZONE))) ORDER BY coalesce(t$0.country, '') DESC, t$0.name ASC, t$0.id ASC 
 LIMIT $12::INTEGER) AS t$9) AS t$17, (SELECT CAST(coalesce(sum(t$14.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM customers AS t$10 LEFT OUTER JOIN (SELECT t$11.customer_id AS k$, count(*) AS v$ 
FROM orders AS t$11 
WHERE true GROUP BY t$11.customer_id) AS t$12 ON t$12.k$ = t$10.id 
WHERE (t$10.tier = $2::VARCHAR OR (coalesce(t$12.v$, 0) > $3::INTEGER)) AND t$10.search_text LIKE hub_pattern($4::VARCHAR) AND hub_fold(t$10.name) LIKE hub_pattern($4::VARCHAR) AND t$10.id = ANY ($5::UUID[]) AND t$10.country IS DISTINCT FROM $6::VARCHAR AND t$10.stage = ANY ($7::TEXT[]) AND (EXISTS (SELECT 1 
FROM orders AS t$13 
WHERE t$13.customer_id = t$10.id AND (t$13.net >= $8::NUMERIC) AND (t$13.placed_at >= $9::TIMESTAMP WITH TIME ZONE) AND (t$13.placed_at >= $10::TIMESTAMP WITH TIME ZONE) AND (t$13.placed_at <= $11::TIMESTAMP WITH TIME ZONE)))) AS t$14) AS t$16) AS t$18) AS customers) AS t$19) AS anon_1
