WITH t$87 AS 
(SELECT t$85.k$0 AS k$0, CAST(coalesce(sum(t$85.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT t$84.country AS k$0, count(*) AS f$0 
FROM customers AS t$84 
WHERE t$84.unit_id = ANY ($1::UUID[]) GROUP BY t$84.country) AS t$85 GROUP BY t$85.k$0)
 SELECT (SELECT row_to_json(t$192) AS row_to_json_1 
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
WHERE t$104.unit_id = ANY ($1::UUID[]) AND (EXISTS (SELECT 1 
FROM staff AS t$105 
WHERE t$105.id = t$104.staff_id AND t$105.unit_id = ANY ($1::UUID[]) AND t$105.name = $2::VARCHAR))) AS t$106) AS t$108) AS t$109) AS "byStaff", (SELECT CASE WHEN (t$110.type = 'cus') THEN (SELECT row_to_json(t$112) AS row_to_json_26 
FROM (SELECT 'cus_' || replace(CAST(t$111.id AS TEXT), '-', '') AS id 
FROM customers AS t$111 
WHERE t$111.id = t$110.key AND t$111.unit_id = ANY ($1::UUID[])) AS t$112) WHEN (t$110.type = 'idn') THEN (SELECT row_to_json(t$114) AS row_to_json_27 
FROM (SELECT 'idn_' || replace(CAST(t$113.id AS TEXT), '-', '') AS id 
FROM identifiers AS t$113 
WHERE t$113.id = t$110.key AND (EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$113.customer_id AND v$customer.unit_id = ANY ($1::UUID[])))) AS t$114) WHEN (t$110.type = 'stm') THEN (SELECT row_to_json(t$116) AS row_to_json_28 
FROM (SELECT 'stm_' || replace(CAST(t$115.id AS TEXT), '-', '') AS id 
FROM stage_moves AS t$115 
WHERE t$115.id = t$110.key AND (EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$115.customer_id AND v$customer.unit_id = ANY ($1::UUID[])))) AS t$116) WHEN (t$110.type = 'con') THEN (SELECT row_to_json(t$118) AS row_to_json_29 
FROM (SELECT 'con_' || replace(CAST(t$117.id AS TEXT), '-', '') AS id 
FROM contacts AS t$117 
WHERE t$117.id = t$110.key AND (EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$117.customer_id AND v$customer.unit_id = ANY ($1::UUID[])))) AS t$118) WHEN (t$110.type = 'cpt') THEN (SELECT row_to_json(t$120) AS row_to_json_30 
FROM (SELECT 'cpt_' || replace(CAST(t$119.id AS TEXT), '-', '') AS id 
FROM contact_points AS t$119 
WHERE t$119.id = t$110.key AND (EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$119.customer_id AND v$customer.unit_id = ANY ($1::UUID[])))) AS t$120) WHEN (t$110.type = 'adr') THEN (SELECT row_to_json(t$122) AS row_to_json_31 
FROM (SELECT 'adr_' || replace(CAST(t$121.id AS TEXT), '-', '') AS id 
FROM addresses AS t$121 
WHERE t$121.id = t$110.key AND (EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$121.customer_id AND v$customer.unit_id = ANY ($1::UUID[])))) AS t$122) WHEN (t$110.type = 'unt') THEN (SELECT row_to_json(t$124) AS row_to_json_32 
FROM (SELECT 'unt_' || replace(CAST(t$123.id AS TEXT), '-', '') AS id 
FROM org_units AS t$123 
WHERE t$123.id = t$110.key AND t$123.id = ANY ($1::UUID[])) AS t$124) WHEN (t$110.type = 'stf') THEN (SELECT row_to_json(t$126) AS row_to_json_33 
FROM (SELECT 'stf_' || replace(CAST(t$125.id AS TEXT), '-', '') AS id 
FROM staff AS t$125 
WHERE t$125.id = t$110.key AND t$125.unit_id = ANY ($1::UUID[])) AS t$126) WHEN (t$110.type = 'prd') THEN (SELECT row_to_json(t$128) AS row_to_json_34 
FROM (SELECT 'prd_' || replace(CAST(t$127.id AS TEXT), '-', '') AS id 
FROM products AS t$127 
WHERE t$127.id = t$110.key) AS t$128) WHEN (t$110.type = 'ord') THEN (SELECT row_to_json(t$130) AS row_to_json_35 
FROM (SELECT 'ord_' || replace(CAST(t$129.id AS TEXT), '-', '') AS id 
FROM orders AS t$129 
WHERE t$129.id = t$110.key AND t$129.unit_id = ANY ($1::UUID[])) AS t$130) WHEN (t$110.type = 'itm') THEN (SELECT row_to_json(t$132) AS row_to_json_36 
FROM (SELECT 'itm_' || replace(CAST(t$131.id AS TEXT), '-', '') AS id 
FROM order_items AS t$131 
WHERE t$131.id = t$110.key AND (EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$131.customer_id AND v$customer.unit_id = ANY ($1::UUID[])))) AS t$132) WHEN (t$110.type = 'int') THEN (SELECT row_to_json(t$134) AS row_to_json_37 
FROM (SELECT 'int_' || replace(CAST(t$133.id AS TEXT), '-', '') AS id 
FROM interactions AS t$133 
WHERE t$133.id = t$110.key AND t$133.unit_id = ANY ($1::UUID[])) AS t$134) WHEN (t$110.type = 'sco') THEN (SELECT row_to_json(t$136) AS row_to_json_38 
FROM (SELECT 'sco_' || replace(CAST(t$135.id AS TEXT), '-', '') AS id 
FROM scores AS t$135 
WHERE t$135.id = t$110.key AND (EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$135.customer_id AND v$customer.unit_id = ANY ($1::UUID[])))) AS t$136) WHEN (t$110.type = 'cns') THEN (SELECT row_to_json(t$138) AS row_to_json_39 
FROM (SELECT 'cns_' || replace(CAST(t$137.id AS TEXT), '-', '') AS id 
FROM consents AS t$137 
WHERE t$137.id = t$110.key AND (EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$137.customer_id AND v$customer.unit_id = ANY ($1::UUID[])))) AS t$138) WHEN (t$110.type = 'rvw') THEN (SELECT row_to_json(t$140) AS row_to_json_40 
FROM (SELECT 'rvw_' || replace(CAST(t$139.id AS TEXT), '-', '') AS id 
FROM identity_reviews AS t$139 
WHERE t$139.id = t$110.key AND (EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$139.customer_id AND v$customer.unit_id = ANY ($1::UUID[]))) AND (EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$139.other_id AND v$customer.unit_id = ANY ($1::UUID[])))) AS t$140) WHEN (t$110.type = 'whk') THEN (SELECT row_to_json(t$142) AS row_to_json_41 
FROM (SELECT 'whk_' || replace(CAST(t$141.id AS TEXT), '-', '') AS id 
FROM webhooks AS t$141 
WHERE t$141.id = t$110.key AND (EXISTS (SELECT v$key.id 
FROM api_keys AS v$key 
WHERE v$key.id = $3::UUID AND v$key.public_id = t$141.owner))) AS t$142) WHEN (t$110.type = 'dlv') THEN (SELECT row_to_json(t$144) AS row_to_json_42 
FROM (SELECT 'dlv_' || replace(CAST(t$143.id AS TEXT), '-', '') AS id 
FROM webhook_deliveries AS t$143 
WHERE t$143.id = t$110.key AND (EXISTS (SELECT v$key.id 
FROM api_keys AS v$key 
WHERE v$key.id = $3::UUID AND v$key.public_id = t$143.owner))) AS t$144) WHEN (t$110.type = 'wat') THEN (SELECT row_to_json(t$146) AS row_to_json_43 
FROM (SELECT 'wat_' || replace(CAST(t$145.id AS TEXT), '-', '') AS id 
FROM webhook_attempts AS t$145 
WHERE t$145.id = t$110.key AND (EXISTS (SELECT v$key.id 
FROM api_keys AS v$key 
WHERE v$key.id = $3::UUID AND v$key.public_id = t$145.owner))) AS t$146) WHEN (t$110.type = 'key') THEN (SELECT row_to_json(t$148) AS row_to_json_44 
FROM (SELECT 'key_' || replace(CAST(t$147.id AS TEXT), '-', '') AS id 
FROM api_keys AS t$147 
WHERE false) AS t$148) WHEN (t$110.type = 'rol') THEN (SELECT row_to_json(t$150) AS row_to_json_45 
FROM (SELECT 'rol_' || replace(CAST(t$149.id AS TEXT), '-', '') AS id 
FROM roles AS t$149 
WHERE t$149.id = t$110.key AND t$149.name = ANY ($4::TEXT[])) AS t$150) WHEN (t$110.type = 'rru') THEN (SELECT row_to_json(t$152) AS row_to_json_46 
FROM (SELECT 'rru_' || replace(CAST(t$151.id AS TEXT), '-', '') AS id 
FROM role_rules AS t$151 
WHERE t$151.id = t$110.key AND (EXISTS (SELECT * 
FROM roles AS v$role 
WHERE v$role.id = t$151.role_id AND v$role.name = ANY ($4::TEXT[])))) AS t$152) WHEN (t$110.type = 'rbu') THEN (SELECT row_to_json(t$154) AS row_to_json_47 
FROM (SELECT 'rbu_' || replace(CAST(t$153.id AS TEXT), '-', '') AS id 
FROM role_budgets AS t$153 
WHERE t$153.id = t$110.key AND (EXISTS (SELECT * 
FROM roles AS v$role 
WHERE v$role.id = t$153.role_id AND v$role.name = ANY ($4::TEXT[])))) AS t$154) WHEN (t$110.type = 'ras') THEN (SELECT row_to_json(t$156) AS row_to_json_48 
FROM (SELECT 'ras_' || replace(CAST(t$155.id AS TEXT), '-', '') AS id 
FROM role_assignments AS t$155 
WHERE false) AS t$156) WHEN (t$110.type = 'aud') THEN (SELECT row_to_json(t$158) AS row_to_json_49 
FROM (SELECT 'aud_' || replace(CAST(t$157.id AS TEXT), '-', '') AS id 
FROM audit_entries AS t$157 
WHERE false) AS t$158) WHEN (t$110.type = 'aut') THEN (SELECT row_to_json(t$160) AS row_to_json_50 
FROM (SELECT 'aut_' || replace(CAST(t$159.id AS TEXT), '-', '') AS id 
FROM audit_targets AS t$159 
WHERE false) AS t$160) WHEN (t$110.type = 'cal') THEN (SELECT row_to_json(t$162) AS row_to_json_51 
FROM (SELECT 'cal_' || replace(CAST(t$161.id AS TEXT), '-', '') AS id 
FROM calendars AS t$161 
WHERE t$161.id = t$110.key) AS t$162) WHEN (t$110.type = 'cld') THEN (SELECT row_to_json(t$164) AS row_to_json_52 
FROM (SELECT 'cld_' || replace(CAST(t$163.id AS TEXT), '-', '') AS id 
FROM calendar_days AS t$163 
WHERE t$163.id = t$110.key) AS t$164) WHEN (t$110.type = 'cru') THEN (SELECT row_to_json(t$166) AS row_to_json_53 
FROM (SELECT 'cru_' || replace(CAST(t$165.id AS TEXT), '-', '') AS id 
FROM code_rules AS t$165 
WHERE t$165.id = t$110.key) AS t$166) WHEN (t$110.type = 'prc') THEN (SELECT row_to_json(t$168) AS row_to_json_54 
FROM (SELECT 'prc_' || replace(CAST(t$167.id AS TEXT), '-', '') AS id 
FROM processes AS t$167 
WHERE t$167.id = t$110.key) AS t$168) WHEN (t$110.type = 'prs') THEN (SELECT row_to_json(t$170) AS row_to_json_55 
FROM (SELECT 'prs_' || replace(CAST(t$169.id AS TEXT), '-', '') AS id 
FROM process_steps AS t$169 
WHERE t$169.id = t$110.key) AS t$170) WHEN (t$110.type = 'ntf') THEN (SELECT row_to_json(t$172) AS row_to_json_56 
FROM (SELECT 'ntf_' || replace(CAST(t$171.id AS TEXT), '-', '') AS id 
FROM notifications AS t$171 
WHERE t$171.id = t$110.key AND (t$171.staff_id = $5::UUID OR $6::BOOLEAN AND (EXISTS (SELECT * 
FROM staff AS v$staff 
WHERE v$staff.id = t$171.staff_id AND v$staff.unit_id = ANY ($1::UUID[]))))) AS t$172) END AS anon_2 
FROM unnest($7::TEXT[], $8::UUID[]) WITH ORDINALITY AS t$110(type, key, ordinality)) AS node, (SELECT row_to_json(t$178) AS row_to_json_57 
FROM (SELECT 'cus_' || replace(CAST(t$175.id AS TEXT), '-', '') AS id 
FROM customers AS t$175 
WHERE t$175.id = ((SELECT t$173.customer_id 
FROM identifiers AS t$173 JOIN customers AS t$174 ON t$174.id = t$173.customer_id 
WHERE t$173.kind = $9::VARCHAR AND t$173.normalized = $10::VARCHAR AND t$174.unit_id = ANY ($1::UUID[]) ORDER BY t$173.verified DESC, t$173.id ASC 
 LIMIT 1) UNION SELECT t$176.customer_id 
FROM identifiers AS t$176 JOIN customers AS t$177 ON t$177.id = t$176.customer_id 
WHERE t$176.kind = $9::VARCHAR AND t$176.normalized = $10::VARCHAR AND t$177.unit_id = ANY ($1::UUID[]) AND t$176.kind IN ('EXTERNAL_ID'::text, 'DEVICE_ID'::text, 'ANONYMOUS_ID'::text))) AS t$178) AS "customerBy", (SELECT row_to_json(t$191) AS row_to_json_58 
FROM (SELECT t$190.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$189), '[]'::json) AS l$0 
FROM (SELECT t$179.name AS name 
FROM customers AS t$179 LEFT OUTER JOIN (SELECT t$187.id AS id, min(t$187.rank) AS rank 
FROM (SELECT t$181.id AS id, CASE WHEN (code LIKE ('%' || nullif(hub_code($11::VARCHAR), '  ') || '%')) THEN 0 ELSE 3 END AS rank 
FROM (SELECT t$180.customer_id AS id, hub_code(t$180.value) || hub_code(t$180.normalized) AS code 
FROM identifiers AS t$180 
WHERE (hub_code(t$180.value) || hub_code(t$180.normalized)) LIKE hub_code_pattern($11::VARCHAR)) AS t$181 UNION ALL SELECT t$183.id AS id, CASE WHEN (code LIKE ('%' || nullif(hub_code($11::VARCHAR), '  ') || '%')) THEN 0 ELSE 3 END AS rank 
FROM (SELECT t$182.customer_id AS id, hub_code(t$182.value) AS code 
FROM contact_points AS t$182 
WHERE hub_code(t$182.value) LIKE hub_code_pattern($11::VARCHAR)) AS t$183 UNION ALL SELECT t$185.id AS id, CASE WHEN (code LIKE ('%' || nullif(hub_code($11::VARCHAR), '  ') || '%')) THEN 0 ELSE 3 END AS rank 
FROM (SELECT t$184.customer_id AS id, hub_code(t$184.number) AS code 
FROM orders AS t$184 
WHERE hub_code(t$184.number) LIKE hub_code_pattern($11::VARCHAR)) AS t$185 UNION ALL SELECT t$186.id AS id, 5 AS rank 
FROM customers AS t$186 
WHERE t$186.search_text LIKE hub_pattern($12::VARCHAR) OR (t$186.search_text %>> hub_spelling($12::VARCHAR))) AS t$187 GROUP BY t$187.id) AS t$188 ON t$188.id = t$179.id 
WHERE t$179.unit_id = ANY ($1::UUID[]) AND t$188.id IS NOT NULL ORDER BY least(t$188.rank, CASE WHEN (strpos(' ' || t$179.search_text || ' ', ' ' || hub_fold($11::VARCHAR) || ' ') > 0) THEN 0 WHEN (strpos(' ' || t$179.search_text, ' ' || rtrim(hub_fold($11::VARCHAR))) > 0) THEN 1 WHEN (strpos(t$179.search_text, rtrim(hub_fold($11::VARCHAR))) > 0) THEN 2 WHEN (strpos(t$179.search_text, btrim(hub_fold($11::VARCHAR))) > 0) THEN 3 ELSE 5 END) ASC, -strict_word_similarity(btrim(hub_fold($11::VARCHAR)), t$179.search_text) ASC, t$179.id ASC 
 LIMIT 20) AS t$189) AS t$190) AS t$191) AS search) AS t$192) AS anon_1
