WITH t$87 AS 
(SELECT t$85.k$0 AS k$0, CAST(coalesce(sum(t$85.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT t$84.country AS k$0, count(*) AS f$0 
FROM customers AS t$84 
WHERE t$84.unit_id = ANY ($1::UUID[]) GROUP BY t$84.country) AS t$85 GROUP BY t$85.k$0)
 SELECT (SELECT row_to_json(t$132) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$14) AS row_to_json_2 
FROM (SELECT t$12.v$0 AS "totalCount", t$13.l$1 AS nodes 
FROM (SELECT coalesce(json_agg(t$8), '[]'::json) AS l$1 
FROM (SELECT t$0.name AS name, (SELECT row_to_json(t$7) AS row_to_json_3 
FROM (SELECT t$6.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$4.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM orders AS t$3 
WHERE t$3.customer_id = t$0.id) AS t$4) AS t$6) AS t$7) AS orders 
FROM customers AS t$0 
WHERE t$0.unit_id = ANY ($1::UUID[]) ORDER BY t$0.name ASC, t$0.id ASC 
 LIMIT 3) AS t$8) AS t$13, (SELECT CAST(coalesce(sum(t$10.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM customers AS t$9 
WHERE t$9.unit_id = ANY ($1::UUID[])) AS t$10) AS t$12) AS t$14) AS customers, (SELECT row_to_json(t$29) AS row_to_json_4 
FROM (SELECT t$25.v$0 AS "totalCount", (SELECT row_to_json(t$28) AS row_to_json_5 
FROM (SELECT (SELECT row_to_json(t$27) AS row_to_json_6 
FROM (SELECT t$25.v$1 AS net) AS t$27) AS sum) AS t$28) AS stats, t$26.l$2 AS nodes 
FROM (SELECT coalesce(json_agg(t$20), '[]'::json) AS l$2 
FROM (SELECT t$15.number AS number, (SELECT row_to_json(t$17) AS row_to_json_7 
FROM (SELECT t$16.name AS name 
FROM customers AS t$16 
WHERE t$16.id = t$15.customer_id) AS t$17) AS customer, (SELECT row_to_json(t$19) AS row_to_json_8 
FROM (SELECT t$18.name AS name 
FROM staff AS t$18 
WHERE t$18.id = t$15.staff_id AND t$18.unit_id = ANY ($1::UUID[])) AS t$19) AS staff 
FROM orders AS t$15 
WHERE t$15.unit_id = ANY ($1::UUID[]) ORDER BY t$15.placed_at DESC, t$15.id DESC 
 LIMIT 2) AS t$20) AS t$26, (SELECT CAST(coalesce(sum(t$22.f$0), 0) AS BIGINT) AS v$0, coalesce(json_agg((SELECT row_to_json(t$24) AS row_to_json_9 
FROM (SELECT CAST(t$22.f$1 AS TEXT) AS amount) AS t$24) ORDER BY t$22.currency$) FILTER (WHERE t$22.f$1 IS NOT NULL), '[]'::json) AS v$1 
FROM (SELECT t$21.currency AS currency$, count(*) AS f$0, sum(t$21.net) AS f$1 
FROM orders AS t$21 
WHERE t$21.unit_id = ANY ($1::UUID[]) GROUP BY t$21.currency) AS t$22) AS t$25) AS t$29) AS orders, (SELECT row_to_json(t$43) AS row_to_json_10 
FROM (SELECT t$41.v$0 AS "totalCount", t$42.l$1 AS nodes 
FROM (SELECT coalesce(json_agg(t$37), '[]'::json) AS l$1 
FROM (SELECT t$30.subject AS subject, (SELECT row_to_json(t$32) AS row_to_json_11 
FROM (SELECT t$31.name AS name 
FROM staff AS t$31 
WHERE t$31.id = t$30.staff_id AND t$31.unit_id = ANY ($1::UUID[])) AS t$32) AS staff, CASE WHEN (t$30.order_id IS NOT NULL) THEN (SELECT row_to_json(t$34) AS row_to_json_12 
FROM (SELECT 'Order'::text AS __typename 
FROM orders AS t$33 
WHERE t$33.id = t$30.order_id) AS t$34) WHEN (t$30.contact_id IS NOT NULL) THEN (SELECT row_to_json(t$36) AS row_to_json_13 
FROM (SELECT 'Contact'::text AS __typename 
FROM contacts AS t$35 
WHERE t$35.id = t$30.contact_id) AS t$36) END AS about 
FROM interactions AS t$30 
WHERE t$30.unit_id = ANY ($1::UUID[]) ORDER BY t$30.occurred_at DESC, t$30.id DESC 
 LIMIT 1) AS t$37) AS t$42, (SELECT CAST(coalesce(sum(t$39.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM interactions AS t$38 
WHERE t$38.unit_id = ANY ($1::UUID[])) AS t$39) AS t$41) AS t$43) AS interactions, (SELECT row_to_json(t$53) AS row_to_json_14 
FROM (SELECT t$51.v$0 AS "totalCount", t$52.l$1 AS nodes 
FROM (SELECT coalesce(json_agg(t$47), '[]'::json) AS l$1 
FROM (SELECT t$44.name AS name, (SELECT row_to_json(t$46) AS row_to_json_15 
FROM (SELECT t$45.name AS name 
FROM org_units AS t$45 
WHERE t$45.id = t$44.parent_id AND t$45.id = ANY ($1::UUID[])) AS t$46) AS parent 
FROM org_units AS t$44 
WHERE t$44.id = ANY ($1::UUID[]) ORDER BY t$44.name ASC, t$44.id ASC 
 LIMIT 2) AS t$47) AS t$52, (SELECT CAST(coalesce(sum(t$49.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM org_units AS t$48 
WHERE t$48.id = ANY ($1::UUID[])) AS t$49) AS t$51) AS t$53) AS "orgUnits", (SELECT row_to_json(t$68) AS row_to_json_16 
FROM (SELECT t$66.v$0 AS "totalCount", t$67.l$1 AS nodes 
FROM (SELECT coalesce(json_agg(t$62), '[]'::json) AS l$1 
FROM (SELECT t$54.name AS name, (SELECT row_to_json(t$61) AS row_to_json_17 
FROM (SELECT t$60.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$58.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM orders AS t$57 
WHERE t$57.staff_id = t$54.id AND t$57.unit_id = ANY ($1::UUID[])) AS t$58) AS t$60) AS t$61) AS orders 
FROM staff AS t$54 
WHERE t$54.unit_id = ANY ($1::UUID[]) ORDER BY t$54.name ASC, t$54.id ASC 
 LIMIT 2) AS t$62) AS t$67, (SELECT CAST(coalesce(sum(t$64.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM staff AS t$63 
WHERE t$63.unit_id = ANY ($1::UUID[])) AS t$64) AS t$66) AS t$68) AS "staffMembers", (SELECT row_to_json(t$83) AS row_to_json_18 
FROM (SELECT t$81.v$0 AS "totalCount", t$82.l$1 AS nodes 
FROM (SELECT coalesce(json_agg(t$77), '[]'::json) AS l$1 
FROM (SELECT t$69.name AS name, (SELECT row_to_json(t$76) AS row_to_json_19 
FROM (SELECT t$75.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$73.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM order_items AS t$72 
WHERE t$72.product_id = t$69.id AND (EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$72.customer_id AND v$customer.unit_id = ANY ($1::UUID[])))) AS t$73) AS t$75) AS t$76) AS items 
FROM products AS t$69 ORDER BY t$69.name ASC, t$69.id ASC 
 LIMIT 1) AS t$77) AS t$82, (SELECT CAST(coalesce(sum(t$79.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM products AS t$78) AS t$79) AS t$81) AS t$83) AS products, (SELECT row_to_json(t$94) AS row_to_json_20 
FROM (SELECT t$92.c$ AS "totalCount", t$93.l$1 AS nodes 
FROM (SELECT coalesce(json_agg(t$91.n$1), '[]'::json) AS l$1 
FROM (SELECT (SELECT row_to_json(t$90) AS row_to_json_21 
FROM (SELECT (SELECT row_to_json(t$88) AS row_to_json_22 
FROM (SELECT t$87.k$0 AS country) AS t$88) AS key, (SELECT row_to_json(t$89) AS row_to_json_23 
FROM (SELECT t$87.v$0 AS count) AS t$89) AS stats) AS t$90) AS n$1 
FROM t$87 ORDER BY t$87.k$0 IS NULL ASC, coalesce(t$87.k$0, '') ASC 
 LIMIT 3) AS t$91) AS t$93, (SELECT count(*) AS c$ 
FROM t$87) AS t$92) AS t$94) AS "customersGrouped", (SELECT row_to_json(t$100) AS row_to_json_24 
FROM (SELECT t$99.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$98), '[]'::json) AS l$0 
FROM (SELECT t$95.name AS name 
FROM products AS t$95 LEFT OUTER JOIN (SELECT t$96.product_id AS k$, sum(t$96.quantity) AS v$ 
FROM order_items AS t$96 
WHERE true AND (EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$96.customer_id AND v$customer.unit_id = ANY ($1::UUID[]))) GROUP BY t$96.product_id) AS t$97 ON t$97.k$ = t$95.id ORDER BY coalesce(t$97.v$, '-infinity'::numeric) DESC, t$95.id DESC 
 LIMIT 2) AS t$98) AS t$99) AS t$100) AS "bySale", (SELECT row_to_json(t$109) AS row_to_json_25 
FROM (SELECT t$108.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$106.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM orders AS t$104 
WHERE t$104.unit_id = ANY ($1::UUID[]) AND t$104.staff_id = ANY (array((SELECT t$105.id 
FROM staff AS t$105 
WHERE t$105.name = $2::VARCHAR AND t$105.unit_id = ANY ($1::UUID[]))))) AS t$106) AS t$108) AS t$109) AS "byStaff", (SELECT CASE WHEN (t$110.type = 'cus') THEN (SELECT row_to_json(t$112) AS row_to_json_26 
FROM (SELECT 'cus_' || replace(CAST(t$111.id AS TEXT), '-', '') AS id 
FROM customers AS t$111 
WHERE t$111.id = t$110.key AND t$111.unit_id = ANY ($1::UUID[])) AS t$112) END AS anon_2 
FROM unnest($3::TEXT[], $4::UUID[]) WITH ORDINALITY AS t$110(type, key, ordinality)) AS node, (SELECT row_to_json(t$118) AS row_to_json_27 
FROM (SELECT 'cus_' || replace(CAST(t$116.id AS TEXT), '-', '') AS id 
FROM customers AS t$116 
WHERE t$116.id = (SELECT DISTINCT t$117.customer_id 
FROM (SELECT t$113.customer_id AS customer_id 
FROM (SELECT 1) AS t$115 LEFT OUTER JOIN identifiers AS t$113 ON t$113.kind = $5::VARCHAR AND t$113.normalized = $6::VARCHAR JOIN customers AS t$114 ON t$114.id = coalesce(t$113.customer_id, '00000000-0000-0000-0000-000000000000'::uuid) 
WHERE t$114.unit_id = ANY ($1::UUID[]) ORDER BY t$113.verified DESC, t$113.id ASC 
 LIMIT CASE WHEN ($5::VARCHAR IN ('EXTERNAL_ID'::text, 'DEVICE_ID'::text, 'ANONYMOUS_ID'::text)) THEN NULL ELSE 1 END) AS t$117)) AS t$118) AS "customerBy", (SELECT row_to_json(t$131) AS row_to_json_28 
FROM (SELECT t$130.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$129), '[]'::json) AS l$0 
FROM (SELECT t$119.name AS name 
FROM customers AS t$119 LEFT OUTER JOIN (SELECT t$127.id AS id, min(t$127.rank) AS rank 
FROM (SELECT t$121.id AS id, CASE WHEN (code LIKE ('%' || nullif(hub_code($7::VARCHAR), '  ') || '%')) THEN 0 ELSE 3 END AS rank 
FROM (SELECT t$120.customer_id AS id, hub_code(t$120.value) || hub_code(t$120.normalized) AS code 
FROM identifiers AS t$120 
WHERE (hub_code(t$120.value) || hub_code(t$120.normalized)) LIKE hub_code_pattern($7::VARCHAR)) AS t$121 UNION ALL SELECT t$123.id AS id, CASE WHEN (code LIKE ('%' || nullif(hub_code($7::VARCHAR), '  ') || '%')) THEN 0 ELSE 3 END AS rank 
FROM (SELECT t$122.customer_id AS id, hub_code(t$122.value) AS code 
FROM contact_points AS t$122 
WHERE hub_code(t$122.value) LIKE hub_code_pattern($7::VARCHAR)) AS t$123 UNION ALL SELECT t$125.id AS id, CASE WHEN (code LIKE ('%' || nullif(hub_code($7::VARCHAR), '  ') || '%')) THEN 0 ELSE 3 END AS rank 
FROM (SELECT t$124.customer_id AS id, hub_code(t$124.number) AS code 
FROM orders AS t$124 
WHERE hub_code(t$124.number) LIKE hub_code_pattern($7::VARCHAR)) AS t$125 UNION ALL SELECT t$126.id AS id, 5 AS rank 
FROM customers AS t$126 
WHERE t$126.search_text LIKE hub_pattern($8::VARCHAR) OR (t$126.search_text %>> hub_spelling($8::VARCHAR))) AS t$127 GROUP BY t$127.id) AS t$128 ON t$128.id = t$119.id 
WHERE t$119.unit_id = ANY ($1::UUID[]) AND t$128.id IS NOT NULL ORDER BY least(t$128.rank, CASE WHEN (strpos(' ' || t$119.search_text || ' ', ' ' || hub_fold($7::VARCHAR) || ' ') > 0) THEN 0 WHEN (strpos(' ' || t$119.search_text, ' ' || rtrim(hub_fold($7::VARCHAR))) > 0) THEN 1 WHEN (strpos(t$119.search_text, rtrim(hub_fold($7::VARCHAR))) > 0) THEN 2 WHEN (strpos(t$119.search_text, btrim(hub_fold($7::VARCHAR))) > 0) THEN 3 ELSE 5 END) ASC, -strict_word_similarity(btrim(hub_fold($7::VARCHAR)), t$119.search_text) ASC, t$119.id ASC 
 LIMIT 20) AS t$129) AS t$130) AS t$131) AS search) AS t$132) AS anon_1
