SELECT (SELECT row_to_json(t$181) AS row_to_json_1 
FROM (SELECT CASE WHEN hub_as_of($1::TIMESTAMP WITH TIME ZONE) THEN (SELECT row_to_json(t$9) AS row_to_json_2 
FROM (SELECT 'cus_' || replace(CAST(t$5.id AS TEXT), '-', '') AS id, t$5.name AS name, t$5.stage AS stage, t$5.created_at AS "createdAt" 
FROM jsonb_populate_record(null::customers, coalesce(coalesce((SELECT coalesce(t$1.after, '{}'::jsonb) AS coalesce_1 
FROM change_log AS t$1 
WHERE t$1.row_id = $2::UUID AND t$1.table_name = 'customers'::text AND t$1.at <= $1::TIMESTAMP WITH TIME ZONE ORDER BY t$1.id DESC 
 LIMIT 1), (SELECT coalesce(t$2.before, '{}'::jsonb) AS coalesce_2 
FROM change_log AS t$2 
WHERE t$2.row_id = $2::UUID AND t$2.table_name = 'customers'::text AND t$2.at > $1::TIMESTAMP WITH TIME ZONE ORDER BY t$2.id 
 LIMIT 1)), (SELECT to_jsonb(t$4) AS to_jsonb_1 
FROM customers AS t$4 
WHERE t$4.id = $2::UUID))) AS t$5 
WHERE t$5.id = $2::UUID AND t$5.created_at <= $1::TIMESTAMP WITH TIME ZONE AND t$5.unit_id = ANY ($3::UUID[]) AND ((EXISTS (SELECT 1 
FROM customers AS t$6 
WHERE t$6.id = $2::UUID AND t$6.unit_id = ANY ($3::UUID[]))) OR NOT (EXISTS (SELECT 1 
FROM customers AS t$7 
WHERE t$7.id = $2::UUID)) AND (EXISTS (SELECT 1 
FROM jsonb_populate_record(null::customers, (SELECT coalesce(t$3.before, '{}'::jsonb) AS coalesce_3 
FROM change_log AS t$3 
WHERE t$3.row_id = $2::UUID AND t$3.table_name = 'customers'::text ORDER BY t$3.id DESC 
 LIMIT 1)) AS t$8 
WHERE t$8.unit_id = ANY ($3::UUID[]))))) AS t$9) END AS customer, CASE WHEN hub_as_of($4::TIMESTAMP WITH TIME ZONE) THEN (SELECT CASE WHEN (t$10.type = 'cus'::text) THEN (SELECT row_to_json(t$20) AS row_to_json_3 
FROM (SELECT 'Customer'::text AS __typename, 'cus_' || replace(CAST(t$16.id AS TEXT), '-', '') AS id, 'Customer'::text AS "$type" 
FROM jsonb_populate_record(null::customers, coalesce(t$14.then$, (SELECT to_jsonb(t$15) AS to_jsonb_2 
FROM customers AS t$15 
WHERE t$15.id = t$10.key))) AS t$16 
WHERE t$16.id = t$10.key AND t$16.created_at <= $4::TIMESTAMP WITH TIME ZONE AND t$16.unit_id = ANY ($3::UUID[]) AND ((EXISTS (SELECT 1 
FROM customers AS t$17 
WHERE t$17.id = t$10.key AND t$17.unit_id = ANY ($3::UUID[]))) OR NOT (EXISTS (SELECT 1 
FROM customers AS t$18 
WHERE t$18.id = t$10.key)) AND (EXISTS (SELECT 1 
FROM jsonb_populate_record(null::customers, t$14.last$) AS t$19 
WHERE t$19.unit_id = ANY ($3::UUID[]))))) AS t$20) WHEN (t$10.type = 'idn'::text) THEN (SELECT row_to_json(t$26) AS row_to_json_4 
FROM (SELECT 'Identifier'::text AS __typename, 'idn_' || replace(CAST(t$22.id AS TEXT), '-', '') AS id, 'Identifier'::text AS "$type" 
FROM jsonb_populate_record(null::identifiers, coalesce(t$14.then$, (SELECT to_jsonb(t$21) AS to_jsonb_3 
FROM identifiers AS t$21 
WHERE t$21.id = t$10.key))) AS t$22 
WHERE t$22.id = t$10.key AND t$22.created_at <= $4::TIMESTAMP WITH TIME ZONE AND ((EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$22.customer_id AND v$customer.unit_id = ANY ($3::UUID[]))) OR (EXISTS (SELECT * 
FROM change_log AS g$log 
WHERE g$log.row_id = t$22.customer_id AND g$log.table_name = 'customers' AND g$log.operation = 'DELETE' AND CAST(g$log.before ->> 'unit_id' AS UUID) = ANY ($3::UUID[])))) AND ((EXISTS (SELECT 1 
FROM identifiers AS t$23 
WHERE t$23.id = t$10.key AND (EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$23.customer_id AND v$customer.unit_id = ANY ($3::UUID[]))))) OR NOT (EXISTS (SELECT 1 
FROM identifiers AS t$24 
WHERE t$24.id = t$10.key)) AND (EXISTS (SELECT 1 
FROM jsonb_populate_record(null::identifiers, t$14.last$) AS t$25 
WHERE (EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$25.customer_id AND v$customer.unit_id = ANY ($3::UUID[]))) OR (EXISTS (SELECT * 
FROM change_log AS g$log 
WHERE g$log.row_id = t$25.customer_id AND g$log.table_name = 'customers' AND g$log.operation = 'DELETE' AND CAST(g$log.before ->> 'unit_id' AS UUID) = ANY ($3::UUID[]))))))) AS t$26) WHEN (t$10.type = 'stm'::text) THEN (SELECT row_to_json(t$32) AS row_to_json_5 
FROM (SELECT 'StageMove'::text AS __typename, 'stm_' || replace(CAST(t$28.id AS TEXT), '-', '') AS id, 'StageMove'::text AS "$type" 
FROM jsonb_populate_record(null::stage_moves, coalesce(t$14.then$, (SELECT to_jsonb(t$27) AS to_jsonb_4 
FROM stage_moves AS t$27 
WHERE t$27.id = t$10.key))) AS t$28 
WHERE t$28.id = t$10.key AND t$28.created_at <= $4::TIMESTAMP WITH TIME ZONE AND ((EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$28.customer_id AND v$customer.unit_id = ANY ($3::UUID[]))) OR (EXISTS (SELECT * 
FROM change_log AS g$log 
WHERE g$log.row_id = t$28.customer_id AND g$log.table_name = 'customers' AND g$log.operation = 'DELETE' AND CAST(g$log.before ->> 'unit_id' AS UUID) = ANY ($3::UUID[])))) AND ((EXISTS (SELECT 1 
FROM stage_moves AS t$29 
WHERE t$29.id = t$10.key AND (EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$29.customer_id AND v$customer.unit_id = ANY ($3::UUID[]))))) OR NOT (EXISTS (SELECT 1 
FROM stage_moves AS t$30 
WHERE t$30.id = t$10.key)) AND (EXISTS (SELECT 1 
FROM jsonb_populate_record(null::stage_moves, t$14.last$) AS t$31 
WHERE (EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$31.customer_id AND v$customer.unit_id = ANY ($3::UUID[]))) OR (EXISTS (SELECT * 
FROM change_log AS g$log 
WHERE g$log.row_id = t$31.customer_id AND g$log.table_name = 'customers' AND g$log.operation = 'DELETE' AND CAST(g$log.before ->> 'unit_id' AS UUID) = ANY ($3::UUID[]))))))) AS t$32) WHEN (t$10.type = 'con'::text) THEN (SELECT row_to_json(t$38) AS row_to_json_6 
FROM (SELECT 'Contact'::text AS __typename, 'con_' || replace(CAST(t$34.id AS TEXT), '-', '') AS id, 'Contact'::text AS "$type" 
FROM jsonb_populate_record(null::contacts, coalesce(t$14.then$, (SELECT to_jsonb(t$33) AS to_jsonb_5 
FROM contacts AS t$33 
WHERE t$33.id = t$10.key))) AS t$34 
WHERE t$34.id = t$10.key AND t$34.created_at <= $4::TIMESTAMP WITH TIME ZONE AND ((EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$34.customer_id AND v$customer.unit_id = ANY ($3::UUID[]))) OR (EXISTS (SELECT * 
FROM change_log AS g$log 
WHERE g$log.row_id = t$34.customer_id AND g$log.table_name = 'customers' AND g$log.operation = 'DELETE' AND CAST(g$log.before ->> 'unit_id' AS UUID) = ANY ($3::UUID[])))) AND ((EXISTS (SELECT 1 
FROM contacts AS t$35 
WHERE t$35.id = t$10.key AND (EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$35.customer_id AND v$customer.unit_id = ANY ($3::UUID[]))))) OR NOT (EXISTS (SELECT 1 
FROM contacts AS t$36 
WHERE t$36.id = t$10.key)) AND (EXISTS (SELECT 1 
FROM jsonb_populate_record(null::contacts, t$14.last$) AS t$37 
WHERE (EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$37.customer_id AND v$customer.unit_id = ANY ($3::UUID[]))) OR (EXISTS (SELECT * 
FROM change_log AS g$log 
WHERE g$log.row_id = t$37.customer_id AND g$log.table_name = 'customers' AND g$log.operation = 'DELETE' AND CAST(g$log.before ->> 'unit_id' AS UUID) = ANY ($3::UUID[]))))))) AS t$38) WHEN (t$10.type = 'cpt'::text) THEN (SELECT row_to_json(t$44) AS row_to_json_7 
FROM (SELECT 'ContactPoint'::text AS __typename, 'cpt_' || replace(CAST(t$40.id AS TEXT), '-', '') AS id, 'ContactPoint'::text AS "$type" 
FROM jsonb_populate_record(null::contact_points, coalesce(t$14.then$, (SELECT to_jsonb(t$39) AS to_jsonb_6 
FROM contact_points AS t$39 
WHERE t$39.id = t$10.key))) AS t$40 
WHERE t$40.id = t$10.key AND t$40.created_at <= $4::TIMESTAMP WITH TIME ZONE AND ((EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$40.customer_id AND v$customer.unit_id = ANY ($3::UUID[]))) OR (EXISTS (SELECT * 
FROM change_log AS g$log 
WHERE g$log.row_id = t$40.customer_id AND g$log.table_name = 'customers' AND g$log.operation = 'DELETE' AND CAST(g$log.before ->> 'unit_id' AS UUID) = ANY ($3::UUID[])))) AND ((EXISTS (SELECT 1 
FROM contact_points AS t$41 
WHERE t$41.id = t$10.key AND (EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$41.customer_id AND v$customer.unit_id = ANY ($3::UUID[]))))) OR NOT (EXISTS (SELECT 1 
FROM contact_points AS t$42 
WHERE t$42.id = t$10.key)) AND (EXISTS (SELECT 1 
FROM jsonb_populate_record(null::contact_points, t$14.last$) AS t$43 
WHERE (EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$43.customer_id AND v$customer.unit_id = ANY ($3::UUID[]))) OR (EXISTS (SELECT * 
FROM change_log AS g$log 
WHERE g$log.row_id = t$43.customer_id AND g$log.table_name = 'customers' AND g$log.operation = 'DELETE' AND CAST(g$log.before ->> 'unit_id' AS UUID) = ANY ($3::UUID[]))))))) AS t$44) WHEN (t$10.type = 'adr'::text) THEN (SELECT row_to_json(t$50) AS row_to_json_8 
FROM (SELECT 'Address'::text AS __typename, 'adr_' || replace(CAST(t$46.id AS TEXT), '-', '') AS id, 'Address'::text AS "$type" 
FROM jsonb_populate_record(null::addresses, coalesce(t$14.then$, (SELECT to_jsonb(t$45) AS to_jsonb_7 
FROM addresses AS t$45 
WHERE t$45.id = t$10.key))) AS t$46 
WHERE t$46.id = t$10.key AND t$46.created_at <= $4::TIMESTAMP WITH TIME ZONE AND ((EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$46.customer_id AND v$customer.unit_id = ANY ($3::UUID[]))) OR (EXISTS (SELECT * 
FROM change_log AS g$log 
WHERE g$log.row_id = t$46.customer_id AND g$log.table_name = 'customers' AND g$log.operation = 'DELETE' AND CAST(g$log.before ->> 'unit_id' AS UUID) = ANY ($3::UUID[])))) AND ((EXISTS (SELECT 1 
FROM addresses AS t$47 
WHERE t$47.id = t$10.key AND (EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$47.customer_id AND v$customer.unit_id = ANY ($3::UUID[]))))) OR NOT (EXISTS (SELECT 1 
FROM addresses AS t$48 
WHERE t$48.id = t$10.key)) AND (EXISTS (SELECT 1 
FROM jsonb_populate_record(null::addresses, t$14.last$) AS t$49 
WHERE (EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$49.customer_id AND v$customer.unit_id = ANY ($3::UUID[]))) OR (EXISTS (SELECT * 
FROM change_log AS g$log 
WHERE g$log.row_id = t$49.customer_id AND g$log.table_name = 'customers' AND g$log.operation = 'DELETE' AND CAST(g$log.before ->> 'unit_id' AS UUID) = ANY ($3::UUID[]))))))) AS t$50) WHEN (t$10.type = 'unt'::text) THEN (SELECT row_to_json(t$56) AS row_to_json_9 
FROM (SELECT 'OrgUnit'::text AS __typename, 'unt_' || replace(CAST(t$52.id AS TEXT), '-', '') AS id, 'OrgUnit'::text AS "$type" 
FROM jsonb_populate_record(null::org_units, coalesce(t$14.then$, (SELECT to_jsonb(t$51) AS to_jsonb_8 
FROM org_units AS t$51 
WHERE t$51.id = t$10.key))) AS t$52 
WHERE t$52.id = t$10.key AND t$52.created_at <= $4::TIMESTAMP WITH TIME ZONE AND t$52.id = ANY ($3::UUID[]) AND ((EXISTS (SELECT 1 
FROM org_units AS t$53 
WHERE t$53.id = t$10.key AND t$53.id = ANY ($3::UUID[]))) OR NOT (EXISTS (SELECT 1 
FROM org_units AS t$54 
WHERE t$54.id = t$10.key)) AND (EXISTS (SELECT 1 
FROM jsonb_populate_record(null::org_units, t$14.last$) AS t$55 
WHERE t$55.id = ANY ($3::UUID[]))))) AS t$56) WHEN (t$10.type = 'stf'::text) THEN (SELECT row_to_json(t$62) AS row_to_json_10 
FROM (SELECT 'Staff'::text AS __typename, 'stf_' || replace(CAST(t$58.id AS TEXT), '-', '') AS id, 'Staff'::text AS "$type" 
FROM jsonb_populate_record(null::staff, coalesce(t$14.then$, (SELECT to_jsonb(t$57) AS to_jsonb_9 
FROM staff AS t$57 
WHERE t$57.id = t$10.key))) AS t$58 
WHERE t$58.id = t$10.key AND t$58.created_at <= $4::TIMESTAMP WITH TIME ZONE AND t$58.unit_id = ANY ($3::UUID[]) AND ((EXISTS (SELECT 1 
FROM staff AS t$59 
WHERE t$59.id = t$10.key AND t$59.unit_id = ANY ($3::UUID[]))) OR NOT (EXISTS (SELECT 1 
FROM staff AS t$60 
WHERE t$60.id = t$10.key)) AND (EXISTS (SELECT 1 
FROM jsonb_populate_record(null::staff, t$14.last$) AS t$61 
WHERE t$61.unit_id = ANY ($3::UUID[]))))) AS t$62) WHEN (t$10.type = 'prd'::text) THEN (SELECT row_to_json(t$65) AS row_to_json_11 
FROM (SELECT 'Product'::text AS __typename, 'prd_' || replace(CAST(t$64.id AS TEXT), '-', '') AS id, 'Product'::text AS "$type" 
FROM jsonb_populate_record(null::products, coalesce(t$14.then$, (SELECT to_jsonb(t$63) AS to_jsonb_10 
FROM products AS t$63 
WHERE t$63.id = t$10.key))) AS t$64 
WHERE t$64.id = t$10.key AND t$64.created_at <= $4::TIMESTAMP WITH TIME ZONE) AS t$65) WHEN (t$10.type = 'ord'::text) THEN (SELECT row_to_json(t$71) AS row_to_json_12 
FROM (SELECT 'Order'::text AS __typename, 'ord_' || replace(CAST(t$67.id AS TEXT), '-', '') AS id, t$67.number AS number, CAST(t$67.net AS TEXT) AS net, 'Order'::text AS "$type" 
FROM jsonb_populate_record(null::orders, coalesce(t$14.then$, (SELECT to_jsonb(t$66) AS to_jsonb_11 
FROM orders AS t$66 
WHERE t$66.id = t$10.key))) AS t$67 
WHERE t$67.id = t$10.key AND t$67.created_at <= $4::TIMESTAMP WITH TIME ZONE AND t$67.unit_id = ANY ($3::UUID[]) AND ((EXISTS (SELECT 1 
FROM orders AS t$68 
WHERE t$68.id = t$10.key AND t$68.unit_id = ANY ($3::UUID[]))) OR NOT (EXISTS (SELECT 1 
FROM orders AS t$69 
WHERE t$69.id = t$10.key)) AND (EXISTS (SELECT 1 
FROM jsonb_populate_record(null::orders, t$14.last$) AS t$70 
WHERE t$70.unit_id = ANY ($3::UUID[]))))) AS t$71) WHEN (t$10.type = 'itm'::text) THEN (SELECT row_to_json(t$77) AS row_to_json_13 
FROM (SELECT 'OrderItem'::text AS __typename, 'itm_' || replace(CAST(t$73.id AS TEXT), '-', '') AS id, 'OrderItem'::text AS "$type" 
FROM jsonb_populate_record(null::order_items, coalesce(t$14.then$, (SELECT to_jsonb(t$72) AS to_jsonb_12 
FROM order_items AS t$72 
WHERE t$72.id = t$10.key))) AS t$73 
WHERE t$73.id = t$10.key AND t$73.created_at <= $4::TIMESTAMP WITH TIME ZONE AND ((EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$73.customer_id AND v$customer.unit_id = ANY ($3::UUID[]))) OR (EXISTS (SELECT * 
FROM change_log AS g$log 
WHERE g$log.row_id = t$73.customer_id AND g$log.table_name = 'customers' AND g$log.operation = 'DELETE' AND CAST(g$log.before ->> 'unit_id' AS UUID) = ANY ($3::UUID[])))) AND ((EXISTS (SELECT 1 
FROM order_items AS t$74 
WHERE t$74.id = t$10.key AND (EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$74.customer_id AND v$customer.unit_id = ANY ($3::UUID[]))))) OR NOT (EXISTS (SELECT 1 
FROM order_items AS t$75 
WHERE t$75.id = t$10.key)) AND (EXISTS (SELECT 1 
FROM jsonb_populate_record(null::order_items, t$14.last$) AS t$76 
WHERE (EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$76.customer_id AND v$customer.unit_id = ANY ($3::UUID[]))) OR (EXISTS (SELECT * 
FROM change_log AS g$log 
WHERE g$log.row_id = t$76.customer_id AND g$log.table_name = 'customers' AND g$log.operation = 'DELETE' AND CAST(g$log.before ->> 'unit_id' AS UUID) = ANY ($3::UUID[]))))))) AS t$77) WHEN (t$10.type = 'int'::text) THEN (SELECT row_to_json(t$83) AS row_to_json_14 
FROM (SELECT 'Interaction'::text AS __typename, 'int_' || replace(CAST(t$79.id AS TEXT), '-', '') AS id, null AS excerpt, t$79.body AS "$body", 'Interaction'::text AS "$type" 
FROM jsonb_populate_record(null::interactions, coalesce(t$14.then$, (SELECT to_jsonb(t$78) AS to_jsonb_13 
FROM interactions AS t$78 
WHERE t$78.id = t$10.key))) AS t$79 
WHERE t$79.id = t$10.key AND t$79.created_at <= $4::TIMESTAMP WITH TIME ZONE AND t$79.unit_id = ANY ($3::UUID[]) AND ((EXISTS (SELECT 1 
FROM interactions AS t$80 
WHERE t$80.id = t$10.key AND t$80.unit_id = ANY ($3::UUID[]))) OR NOT (EXISTS (SELECT 1 
FROM interactions AS t$81 
WHERE t$81.id = t$10.key)) AND (EXISTS (SELECT 1 
FROM jsonb_populate_record(null::interactions, t$14.last$) AS t$82 
WHERE t$82.unit_id = ANY ($3::UUID[]))))) AS t$83) WHEN (t$10.type = 'sco'::text) THEN (SELECT row_to_json(t$89) AS row_to_json_15 
FROM (SELECT 'Score'::text AS __typename, 'sco_' || replace(CAST(t$85.id AS TEXT), '-', '') AS id, 'Score'::text AS "$type" 
FROM jsonb_populate_record(null::scores, coalesce(t$14.then$, (SELECT to_jsonb(t$84) AS to_jsonb_14 
FROM scores AS t$84 
WHERE t$84.id = t$10.key))) AS t$85 
WHERE t$85.id = t$10.key AND t$85.created_at <= $4::TIMESTAMP WITH TIME ZONE AND ((EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$85.customer_id AND v$customer.unit_id = ANY ($3::UUID[]))) OR (EXISTS (SELECT * 
FROM change_log AS g$log 
WHERE g$log.row_id = t$85.customer_id AND g$log.table_name = 'customers' AND g$log.operation = 'DELETE' AND CAST(g$log.before ->> 'unit_id' AS UUID) = ANY ($3::UUID[])))) AND ((EXISTS (SELECT 1 
FROM scores AS t$86 
WHERE t$86.id = t$10.key AND (EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$86.customer_id AND v$customer.unit_id = ANY ($3::UUID[]))))) OR NOT (EXISTS (SELECT 1 
FROM scores AS t$87 
WHERE t$87.id = t$10.key)) AND (EXISTS (SELECT 1 
FROM jsonb_populate_record(null::scores, t$14.last$) AS t$88 
WHERE (EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$88.customer_id AND v$customer.unit_id = ANY ($3::UUID[]))) OR (EXISTS (SELECT * 
FROM change_log AS g$log 
WHERE g$log.row_id = t$88.customer_id AND g$log.table_name = 'customers' AND g$log.operation = 'DELETE' AND CAST(g$log.before ->> 'unit_id' AS UUID) = ANY ($3::UUID[]))))))) AS t$89) WHEN (t$10.type = 'cns'::text) THEN (SELECT row_to_json(t$95) AS row_to_json_16 
FROM (SELECT 'Consent'::text AS __typename, 'cns_' || replace(CAST(t$91.id AS TEXT), '-', '') AS id, 'Consent'::text AS "$type" 
FROM jsonb_populate_record(null::consents, coalesce(t$14.then$, (SELECT to_jsonb(t$90) AS to_jsonb_15 
FROM consents AS t$90 
WHERE t$90.id = t$10.key))) AS t$91 
WHERE t$91.id = t$10.key AND t$91.created_at <= $4::TIMESTAMP WITH TIME ZONE AND ((EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$91.customer_id AND v$customer.unit_id = ANY ($3::UUID[]))) OR (EXISTS (SELECT * 
FROM change_log AS g$log 
WHERE g$log.row_id = t$91.customer_id AND g$log.table_name = 'customers' AND g$log.operation = 'DELETE' AND CAST(g$log.before ->> 'unit_id' AS UUID) = ANY ($3::UUID[])))) AND ((EXISTS (SELECT 1 
FROM consents AS t$92 
WHERE t$92.id = t$10.key AND (EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$92.customer_id AND v$customer.unit_id = ANY ($3::UUID[]))))) OR NOT (EXISTS (SELECT 1 
FROM consents AS t$93 
WHERE t$93.id = t$10.key)) AND (EXISTS (SELECT 1 
FROM jsonb_populate_record(null::consents, t$14.last$) AS t$94 
WHERE (EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$94.customer_id AND v$customer.unit_id = ANY ($3::UUID[]))) OR (EXISTS (SELECT * 
FROM change_log AS g$log 
WHERE g$log.row_id = t$94.customer_id AND g$log.table_name = 'customers' AND g$log.operation = 'DELETE' AND CAST(g$log.before ->> 'unit_id' AS UUID) = ANY ($3::UUID[]))))))) AS t$95) WHEN (t$10.type = 'rvw'::text) THEN (SELECT row_to_json(t$101) AS row_to_json_17 
FROM (SELECT 'IdentityReview'::text AS __typename, 'rvw_' || replace(CAST(t$97.id AS TEXT), '-', '') AS id, 'IdentityReview'::text AS "$type" 
FROM jsonb_populate_record(null::identity_reviews, coalesce(t$14.then$, (SELECT to_jsonb(t$96) AS to_jsonb_16 
FROM identity_reviews AS t$96 
WHERE t$96.id = t$10.key))) AS t$97 
WHERE t$97.id = t$10.key AND t$97.created_at <= $4::TIMESTAMP WITH TIME ZONE AND ((EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$97.customer_id AND v$customer.unit_id = ANY ($3::UUID[]))) OR (EXISTS (SELECT * 
FROM change_log AS g$log 
WHERE g$log.row_id = t$97.customer_id AND g$log.table_name = 'customers' AND g$log.operation = 'DELETE' AND CAST(g$log.before ->> 'unit_id' AS UUID) = ANY ($3::UUID[])))) AND ((EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$97.other_id AND v$customer.unit_id = ANY ($3::UUID[]))) OR (EXISTS (SELECT * 
FROM change_log AS g$log 
WHERE g$log.row_id = t$97.other_id AND g$log.table_name = 'customers' AND g$log.operation = 'DELETE' AND CAST(g$log.before ->> 'unit_id' AS UUID) = ANY ($3::UUID[])))) AND ((EXISTS (SELECT 1 
FROM identity_reviews AS t$98 
WHERE t$98.id = t$10.key AND (EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$98.customer_id AND v$customer.unit_id = ANY ($3::UUID[]))) AND (EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$98.other_id AND v$customer.unit_id = ANY ($3::UUID[]))))) OR NOT (EXISTS (SELECT 1 
FROM identity_reviews AS t$99 
WHERE t$99.id = t$10.key)) AND (EXISTS (SELECT 1 
FROM jsonb_populate_record(null::identity_reviews, t$14.last$) AS t$100 
WHERE ((EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$100.customer_id AND v$customer.unit_id = ANY ($3::UUID[]))) OR (EXISTS (SELECT * 
FROM change_log AS g$log 
WHERE g$log.row_id = t$100.customer_id AND g$log.table_name = 'customers' AND g$log.operation = 'DELETE' AND CAST(g$log.before ->> 'unit_id' AS UUID) = ANY ($3::UUID[])))) AND ((EXISTS (SELECT * 
FROM customers AS v$customer 
WHERE v$customer.id = t$100.other_id AND v$customer.unit_id = ANY ($3::UUID[]))) OR (EXISTS (SELECT * 
FROM change_log AS g$log 
WHERE g$log.row_id = t$100.other_id AND g$log.table_name = 'customers' AND g$log.operation = 'DELETE' AND CAST(g$log.before ->> 'unit_id' AS UUID) = ANY ($3::UUID[])))))))) AS t$101) WHEN (t$10.type = 'whk'::text) THEN (SELECT row_to_json(t$107) AS row_to_json_18 
FROM (SELECT 'Webhook'::text AS __typename, 'whk_' || replace(CAST(t$103.id AS TEXT), '-', '') AS id, 'Webhook'::text AS "$type" 
FROM jsonb_populate_record(null::webhooks, coalesce(t$14.then$, (SELECT to_jsonb(t$102) AS to_jsonb_17 
FROM webhooks AS t$102 
WHERE t$102.id = t$10.key))) AS t$103 
WHERE t$103.id = t$10.key AND t$103.created_at <= $4::TIMESTAMP WITH TIME ZONE AND (EXISTS (SELECT v$key.id 
FROM api_keys AS v$key 
WHERE v$key.id = $5::UUID AND v$key.public_id = t$103.owner)) AND ((EXISTS (SELECT 1 
FROM webhooks AS t$104 
WHERE t$104.id = t$10.key AND (EXISTS (SELECT v$key.id 
FROM api_keys AS v$key 
WHERE v$key.id = $5::UUID AND v$key.public_id = t$104.owner)))) OR NOT (EXISTS (SELECT 1 
FROM webhooks AS t$105 
WHERE t$105.id = t$10.key)) AND (EXISTS (SELECT 1 
FROM jsonb_populate_record(null::webhooks, t$14.last$) AS t$106 
WHERE EXISTS (SELECT v$key.id 
FROM api_keys AS v$key 
WHERE v$key.id = $5::UUID AND v$key.public_id = t$106.owner))))) AS t$107) WHEN (t$10.type = 'dlv'::text) THEN (SELECT row_to_json(t$113) AS row_to_json_19 
FROM (SELECT 'WebhookDelivery'::text AS __typename, 'dlv_' || replace(CAST(t$109.id AS TEXT), '-', '') AS id, 'WebhookDelivery'::text AS "$type" 
FROM jsonb_populate_record(null::webhook_deliveries, coalesce(t$14.then$, (SELECT to_jsonb(t$108) AS to_jsonb_18 
FROM webhook_deliveries AS t$108 
WHERE t$108.id = t$10.key))) AS t$109 
WHERE t$109.id = t$10.key AND t$109.created_at <= $4::TIMESTAMP WITH TIME ZONE AND (EXISTS (SELECT v$key.id 
FROM api_keys AS v$key 
WHERE v$key.id = $5::UUID AND v$key.public_id = t$109.owner)) AND ((EXISTS (SELECT 1 
FROM webhook_deliveries AS t$110 
WHERE t$110.id = t$10.key AND (EXISTS (SELECT v$key.id 
FROM api_keys AS v$key 
WHERE v$key.id = $5::UUID AND v$key.public_id = t$110.owner)))) OR NOT (EXISTS (SELECT 1 
FROM webhook_deliveries AS t$111 
WHERE t$111.id = t$10.key)) AND (EXISTS (SELECT 1 
FROM jsonb_populate_record(null::webhook_deliveries, t$14.last$) AS t$112 
WHERE EXISTS (SELECT v$key.id 
FROM api_keys AS v$key 
WHERE v$key.id = $5::UUID AND v$key.public_id = t$112.owner))))) AS t$113) WHEN (t$10.type = 'wat'::text) THEN (SELECT row_to_json(t$119) AS row_to_json_20 
FROM (SELECT 'WebhookAttempt'::text AS __typename, 'wat_' || replace(CAST(t$115.id AS TEXT), '-', '') AS id, 'WebhookAttempt'::text AS "$type" 
FROM jsonb_populate_record(null::webhook_attempts, coalesce(t$14.then$, (SELECT to_jsonb(t$114) AS to_jsonb_19 
FROM webhook_attempts AS t$114 
WHERE t$114.id = t$10.key))) AS t$115 
WHERE t$115.id = t$10.key AND t$115.created_at <= $4::TIMESTAMP WITH TIME ZONE AND (EXISTS (SELECT v$key.id 
FROM api_keys AS v$key 
WHERE v$key.id = $5::UUID AND v$key.public_id = t$115.owner)) AND ((EXISTS (SELECT 1 
FROM webhook_attempts AS t$116 
WHERE t$116.id = t$10.key AND (EXISTS (SELECT v$key.id 
FROM api_keys AS v$key 
WHERE v$key.id = $5::UUID AND v$key.public_id = t$116.owner)))) OR NOT (EXISTS (SELECT 1 
FROM webhook_attempts AS t$117 
WHERE t$117.id = t$10.key)) AND (EXISTS (SELECT 1 
FROM jsonb_populate_record(null::webhook_attempts, t$14.last$) AS t$118 
WHERE EXISTS (SELECT v$key.id 
FROM api_keys AS v$key 
WHERE v$key.id = $5::UUID AND v$key.public_id = t$118.owner))))) AS t$119) WHEN (t$10.type = 'key'::text) THEN (SELECT row_to_json(t$125) AS row_to_json_21 
FROM (SELECT 'ApiKey'::text AS __typename, 'key_' || replace(CAST(t$121.id AS TEXT), '-', '') AS id, 'ApiKey'::text AS "$type" 
FROM jsonb_populate_record(null::api_keys, coalesce(t$14.then$, (SELECT jsonb_build_object('id', t$120.id, 'public_id', t$120.public_id, 'previous_until', t$120.previous_until, 'name', t$120.name, 'role', t$120.role, 'follows_unit', t$120.follows_unit, 'allowed_networks', t$120.allowed_networks, 'expires_at', t$120.expires_at, 'revoked_at', t$120.revoked_at, 'last_used_at', t$120.last_used_at, 'unit_id', t$120.unit_id, 'customer_id', t$120.customer_id, 'staff_id', t$120.staff_id, 'session_of_id', t$120.session_of_id, 'version', t$120.version, 'created_at', t$120.created_at, 'updated_at', t$120.updated_at) AS jsonb_build_object_1 
FROM api_keys AS t$120 
WHERE t$120.id = t$10.key))) AS t$121 
WHERE false) AS t$125) WHEN (t$10.type = 'rol'::text) THEN (SELECT row_to_json(t$131) AS row_to_json_22 
FROM (SELECT 'AccessRole'::text AS __typename, 'rol_' || replace(CAST(t$127.id AS TEXT), '-', '') AS id, 'AccessRole'::text AS "$type" 
FROM jsonb_populate_record(null::roles, coalesce(t$14.then$, (SELECT to_jsonb(t$126) AS to_jsonb_20 
FROM roles AS t$126 
WHERE t$126.id = t$10.key))) AS t$127 
WHERE t$127.id = t$10.key AND t$127.created_at <= $4::TIMESTAMP WITH TIME ZONE AND t$127.name = ANY ($6::TEXT[]) AND ((EXISTS (SELECT 1 
FROM roles AS t$128 
WHERE t$128.id = t$10.key AND t$128.name = ANY ($6::TEXT[]))) OR NOT (EXISTS (SELECT 1 
FROM roles AS t$129 
WHERE t$129.id = t$10.key)) AND (EXISTS (SELECT 1 
FROM jsonb_populate_record(null::roles, t$14.last$) AS t$130 
WHERE t$130.name = ANY ($6::TEXT[]))))) AS t$131) WHEN (t$10.type = 'rru'::text) THEN (SELECT row_to_json(t$137) AS row_to_json_23 
FROM (SELECT 'RoleRule'::text AS __typename, 'rru_' || replace(CAST(t$133.id AS TEXT), '-', '') AS id, 'RoleRule'::text AS "$type" 
FROM jsonb_populate_record(null::role_rules, coalesce(t$14.then$, (SELECT to_jsonb(t$132) AS to_jsonb_21 
FROM role_rules AS t$132 
WHERE t$132.id = t$10.key))) AS t$133 
WHERE t$133.id = t$10.key AND t$133.created_at <= $4::TIMESTAMP WITH TIME ZONE AND (EXISTS (SELECT * 
FROM roles AS v$role 
WHERE v$role.id = t$133.role_id AND v$role.name = ANY ($6::TEXT[]))) AND ((EXISTS (SELECT 1 
FROM role_rules AS t$134 
WHERE t$134.id = t$10.key AND (EXISTS (SELECT * 
FROM roles AS v$role 
WHERE v$role.id = t$134.role_id AND v$role.name = ANY ($6::TEXT[]))))) OR NOT (EXISTS (SELECT 1 
FROM role_rules AS t$135 
WHERE t$135.id = t$10.key)) AND (EXISTS (SELECT 1 
FROM jsonb_populate_record(null::role_rules, t$14.last$) AS t$136 
WHERE EXISTS (SELECT * 
FROM roles AS v$role 
WHERE v$role.id = t$136.role_id AND v$role.name = ANY ($6::TEXT[])))))) AS t$137) WHEN (t$10.type = 'rbu'::text) THEN (SELECT row_to_json(t$143) AS row_to_json_24 
FROM (SELECT 'RoleBudget'::text AS __typename, 'rbu_' || replace(CAST(t$139.id AS TEXT), '-', '') AS id, 'RoleBudget'::text AS "$type" 
FROM jsonb_populate_record(null::role_budgets, coalesce(t$14.then$, (SELECT to_jsonb(t$138) AS to_jsonb_22 
FROM role_budgets AS t$138 
WHERE t$138.id = t$10.key))) AS t$139 
WHERE t$139.id = t$10.key AND t$139.created_at <= $4::TIMESTAMP WITH TIME ZONE AND (EXISTS (SELECT * 
FROM roles AS v$role 
WHERE v$role.id = t$139.role_id AND v$role.name = ANY ($6::TEXT[]))) AND ((EXISTS (SELECT 1 
FROM role_budgets AS t$140 
WHERE t$140.id = t$10.key AND (EXISTS (SELECT * 
FROM roles AS v$role 
WHERE v$role.id = t$140.role_id AND v$role.name = ANY ($6::TEXT[]))))) OR NOT (EXISTS (SELECT 1 
FROM role_budgets AS t$141 
WHERE t$141.id = t$10.key)) AND (EXISTS (SELECT 1 
FROM jsonb_populate_record(null::role_budgets, t$14.last$) AS t$142 
WHERE EXISTS (SELECT * 
FROM roles AS v$role 
WHERE v$role.id = t$142.role_id AND v$role.name = ANY ($6::TEXT[])))))) AS t$143) WHEN (t$10.type = 'ras'::text) THEN (SELECT row_to_json(t$149) AS row_to_json_25 
FROM (SELECT 'RoleAssignment'::text AS __typename, 'ras_' || replace(CAST(t$145.id AS TEXT), '-', '') AS id, 'RoleAssignment'::text AS "$type" 
FROM jsonb_populate_record(null::role_assignments, coalesce(t$14.then$, (SELECT to_jsonb(t$144) AS to_jsonb_23 
FROM role_assignments AS t$144 
WHERE t$144.id = t$10.key))) AS t$145 
WHERE false) AS t$149) WHEN (t$10.type = 'cal'::text) THEN (SELECT row_to_json(t$152) AS row_to_json_26 
FROM (SELECT 'Calendar'::text AS __typename, 'cal_' || replace(CAST(t$151.id AS TEXT), '-', '') AS id, 'Calendar'::text AS "$type" 
FROM jsonb_populate_record(null::calendars, coalesce(t$14.then$, (SELECT to_jsonb(t$150) AS to_jsonb_24 
FROM calendars AS t$150 
WHERE t$150.id = t$10.key))) AS t$151 
WHERE t$151.id = t$10.key AND t$151.created_at <= $4::TIMESTAMP WITH TIME ZONE) AS t$152) WHEN (t$10.type = 'cld'::text) THEN (SELECT row_to_json(t$155) AS row_to_json_27 
FROM (SELECT 'CalendarDay'::text AS __typename, 'cld_' || replace(CAST(t$154.id AS TEXT), '-', '') AS id, 'CalendarDay'::text AS "$type" 
FROM jsonb_populate_record(null::calendar_days, coalesce(t$14.then$, (SELECT to_jsonb(t$153) AS to_jsonb_25 
FROM calendar_days AS t$153 
WHERE t$153.id = t$10.key))) AS t$154 
WHERE t$154.id = t$10.key AND t$154.created_at <= $4::TIMESTAMP WITH TIME ZONE) AS t$155) WHEN (t$10.type = 'cru'::text) THEN (SELECT row_to_json(t$158) AS row_to_json_28 
FROM (SELECT 'CodeRule'::text AS __typename, 'cru_' || replace(CAST(t$157.id AS TEXT), '-', '') AS id, 'CodeRule'::text AS "$type" 
FROM jsonb_populate_record(null::code_rules, coalesce(t$14.then$, (SELECT to_jsonb(t$156) AS to_jsonb_26 
FROM code_rules AS t$156 
WHERE t$156.id = t$10.key))) AS t$157 
WHERE t$157.id = t$10.key AND t$157.created_at <= $4::TIMESTAMP WITH TIME ZONE) AS t$158) WHEN (t$10.type = 'prc'::text) THEN (SELECT row_to_json(t$161) AS row_to_json_29 
FROM (SELECT 'Process'::text AS __typename, 'prc_' || replace(CAST(t$160.id AS TEXT), '-', '') AS id, 'Process'::text AS "$type" 
FROM jsonb_populate_record(null::processes, coalesce(t$14.then$, (SELECT to_jsonb(t$159) AS to_jsonb_27 
FROM processes AS t$159 
WHERE t$159.id = t$10.key))) AS t$160 
WHERE t$160.id = t$10.key AND t$160.created_at <= $4::TIMESTAMP WITH TIME ZONE) AS t$161) WHEN (t$10.type = 'prs'::text) THEN (SELECT row_to_json(t$164) AS row_to_json_30 
FROM (SELECT 'ProcessStep'::text AS __typename, 'prs_' || replace(CAST(t$163.id AS TEXT), '-', '') AS id, 'ProcessStep'::text AS "$type" 
FROM jsonb_populate_record(null::process_steps, coalesce(t$14.then$, (SELECT to_jsonb(t$162) AS to_jsonb_28 
FROM process_steps AS t$162 
WHERE t$162.id = t$10.key))) AS t$163 
WHERE t$163.id = t$10.key AND t$163.created_at <= $4::TIMESTAMP WITH TIME ZONE) AS t$164) WHEN (t$10.type = 'ntf'::text) THEN (SELECT row_to_json(t$170) AS row_to_json_31 
FROM (SELECT 'Notification'::text AS __typename, 'ntf_' || replace(CAST(t$166.id AS TEXT), '-', '') AS id, 'Notification'::text AS "$type" 
FROM jsonb_populate_record(null::notifications, coalesce(t$14.then$, (SELECT to_jsonb(t$165) AS to_jsonb_29 
FROM notifications AS t$165 
WHERE t$165.id = t$10.key))) AS t$166 
WHERE t$166.id = t$10.key AND t$166.created_at <= $4::TIMESTAMP WITH TIME ZONE AND (t$166.staff_id = $7::UUID OR $8::BOOLEAN AND (EXISTS (SELECT * 
FROM staff AS v$staff 
WHERE v$staff.id = t$166.staff_id AND v$staff.unit_id = ANY ($3::UUID[])))) AND ((EXISTS (SELECT 1 
FROM notifications AS t$167 
WHERE t$167.id = t$10.key AND (t$167.staff_id = $7::UUID OR $8::BOOLEAN AND (EXISTS (SELECT * 
FROM staff AS v$staff 
WHERE v$staff.id = t$167.staff_id AND v$staff.unit_id = ANY ($3::UUID[])))))) OR NOT (EXISTS (SELECT 1 
FROM notifications AS t$168 
WHERE t$168.id = t$10.key)) AND (EXISTS (SELECT 1 
FROM jsonb_populate_record(null::notifications, t$14.last$) AS t$169 
WHERE t$169.staff_id = $7::UUID OR $8::BOOLEAN AND (EXISTS (SELECT * 
FROM staff AS v$staff 
WHERE v$staff.id = t$169.staff_id AND v$staff.unit_id = ANY ($3::UUID[]))))))) AS t$170) END AS anon_2 
FROM unnest($9::TEXT[], $10::UUID[]) WITH ORDINALITY AS t$10(type, key, ordinality), LATERAL (SELECT coalesce((SELECT coalesce(t$11.after, '{}'::jsonb) AS coalesce_4 
FROM change_log AS t$11 
WHERE t$11.row_id = t$10.key AND t$11.table_name = CASE WHEN (t$10.type = 'cus'::text) THEN 'customers'::text WHEN (t$10.type = 'idn'::text) THEN 'identifiers'::text WHEN (t$10.type = 'stm'::text) THEN 'stage_moves'::text WHEN (t$10.type = 'con'::text) THEN 'contacts'::text WHEN (t$10.type = 'cpt'::text) THEN 'contact_points'::text WHEN (t$10.type = 'adr'::text) THEN 'addresses'::text WHEN (t$10.type = 'unt'::text) THEN 'org_units'::text WHEN (t$10.type = 'stf'::text) THEN 'staff'::text WHEN (t$10.type = 'prd'::text) THEN 'products'::text WHEN (t$10.type = 'ord'::text) THEN 'orders'::text WHEN (t$10.type = 'itm'::text) THEN 'order_items'::text WHEN (t$10.type = 'int'::text) THEN 'interactions'::text WHEN (t$10.type = 'sco'::text) THEN 'scores'::text WHEN (t$10.type = 'cns'::text) THEN 'consents'::text WHEN (t$10.type = 'rvw'::text) THEN 'identity_reviews'::text WHEN (t$10.type = 'whk'::text) THEN 'webhooks'::text WHEN (t$10.type = 'dlv'::text) THEN 'webhook_deliveries'::text WHEN (t$10.type = 'wat'::text) THEN 'webhook_attempts'::text WHEN (t$10.type = 'key'::text) THEN 'api_keys'::text WHEN (t$10.type = 'rol'::text) THEN 'roles'::text WHEN (t$10.type = 'rru'::text) THEN 'role_rules'::text WHEN (t$10.type = 'rbu'::text) THEN 'role_budgets'::text WHEN (t$10.type = 'ras'::text) THEN 'role_assignments'::text WHEN (t$10.type = 'cal'::text) THEN 'calendars'::text WHEN (t$10.type = 'cld'::text) THEN 'calendar_days'::text WHEN (t$10.type = 'cru'::text) THEN 'code_rules'::text WHEN (t$10.type = 'prc'::text) THEN 'processes'::text WHEN (t$10.type = 'prs'::text) THEN 'process_steps'::text WHEN (t$10.type = 'ntf'::text) THEN 'notifications'::text END AND t$11.at <= $4::TIMESTAMP WITH TIME ZONE ORDER BY t$11.id DESC 
 LIMIT 1), (SELECT coalesce(t$12.before, '{}'::jsonb) AS coalesce_5 
FROM change_log AS t$12 
WHERE t$12.row_id = t$10.key AND t$12.table_name = CASE WHEN (t$10.type = 'cus'::text) THEN 'customers'::text WHEN (t$10.type = 'idn'::text) THEN 'identifiers'::text WHEN (t$10.type = 'stm'::text) THEN 'stage_moves'::text WHEN (t$10.type = 'con'::text) THEN 'contacts'::text WHEN (t$10.type = 'cpt'::text) THEN 'contact_points'::text WHEN (t$10.type = 'adr'::text) THEN 'addresses'::text WHEN (t$10.type = 'unt'::text) THEN 'org_units'::text WHEN (t$10.type = 'stf'::text) THEN 'staff'::text WHEN (t$10.type = 'prd'::text) THEN 'products'::text WHEN (t$10.type = 'ord'::text) THEN 'orders'::text WHEN (t$10.type = 'itm'::text) THEN 'order_items'::text WHEN (t$10.type = 'int'::text) THEN 'interactions'::text WHEN (t$10.type = 'sco'::text) THEN 'scores'::text WHEN (t$10.type = 'cns'::text) THEN 'consents'::text WHEN (t$10.type = 'rvw'::text) THEN 'identity_reviews'::text WHEN (t$10.type = 'whk'::text) THEN 'webhooks'::text WHEN (t$10.type = 'dlv'::text) THEN 'webhook_deliveries'::text WHEN (t$10.type = 'wat'::text) THEN 'webhook_attempts'::text WHEN (t$10.type = 'key'::text) THEN 'api_keys'::text WHEN (t$10.type = 'rol'::text) THEN 'roles'::text WHEN (t$10.type = 'rru'::text) THEN 'role_rules'::text WHEN (t$10.type = 'rbu'::text) THEN 'role_budgets'::text WHEN (t$10.type = 'ras'::text) THEN 'role_assignments'::text WHEN (t$10.type = 'cal'::text) THEN 'calendars'::text WHEN (t$10.type = 'cld'::text) THEN 'calendar_days'::text WHEN (t$10.type = 'cru'::text) THEN 'code_rules'::text WHEN (t$10.type = 'prc'::text) THEN 'processes'::text WHEN (t$10.type = 'prs'::text) THEN 'process_steps'::text WHEN (t$10.type = 'ntf'::text) THEN 'notifications'::text END AND t$12.at > $4::TIMESTAMP WITH TIME ZONE ORDER BY t$12.id 
 LIMIT 1)) AS then$, (SELECT coalesce(t$13.before, '{}'::jsonb) AS coalesce_6 
FROM change_log AS t$13 
WHERE t$13.row_id = t$10.key AND t$13.table_name = CASE WHEN (t$10.type = 'cus'::text) THEN 'customers'::text WHEN (t$10.type = 'idn'::text) THEN 'identifiers'::text WHEN (t$10.type = 'stm'::text) THEN 'stage_moves'::text WHEN (t$10.type = 'con'::text) THEN 'contacts'::text WHEN (t$10.type = 'cpt'::text) THEN 'contact_points'::text WHEN (t$10.type = 'adr'::text) THEN 'addresses'::text WHEN (t$10.type = 'unt'::text) THEN 'org_units'::text WHEN (t$10.type = 'stf'::text) THEN 'staff'::text WHEN (t$10.type = 'prd'::text) THEN 'products'::text WHEN (t$10.type = 'ord'::text) THEN 'orders'::text WHEN (t$10.type = 'itm'::text) THEN 'order_items'::text WHEN (t$10.type = 'int'::text) THEN 'interactions'::text WHEN (t$10.type = 'sco'::text) THEN 'scores'::text WHEN (t$10.type = 'cns'::text) THEN 'consents'::text WHEN (t$10.type = 'rvw'::text) THEN 'identity_reviews'::text WHEN (t$10.type = 'whk'::text) THEN 'webhooks'::text WHEN (t$10.type = 'dlv'::text) THEN 'webhook_deliveries'::text WHEN (t$10.type = 'wat'::text) THEN 'webhook_attempts'::text WHEN (t$10.type = 'key'::text) THEN 'api_keys'::text WHEN (t$10.type = 'rol'::text) THEN 'roles'::text WHEN (t$10.type = 'rru'::text) THEN 'role_rules'::text WHEN (t$10.type = 'rbu'::text) THEN 'role_budgets'::text WHEN (t$10.type = 'ras'::text) THEN 'role_assignments'::text WHEN (t$10.type = 'cal'::text) THEN 'calendars'::text WHEN (t$10.type = 'cld'::text) THEN 'calendar_days'::text WHEN (t$10.type = 'cru'::text) THEN 'code_rules'::text WHEN (t$10.type = 'prc'::text) THEN 'processes'::text WHEN (t$10.type = 'prs'::text) THEN 'process_steps'::text WHEN (t$10.type = 'ntf'::text) THEN 'notifications'::text END ORDER BY t$13.id DESC 
 LIMIT 1) AS last$
 LIMIT ALL OFFSET 0) AS t$14) END AS "nodeAsOf", CASE WHEN hub_as_of($11::TIMESTAMP WITH TIME ZONE) THEN (SELECT row_to_json(t$180) AS row_to_json_32 
FROM (SELECT t$176.name AS name 
FROM jsonb_populate_record(null::customers, coalesce(coalesce((SELECT coalesce(t$172.after, '{}'::jsonb) AS coalesce_7 
FROM change_log AS t$172 
WHERE t$172.row_id = $12::UUID AND t$172.table_name = 'customers'::text AND t$172.at <= $11::TIMESTAMP WITH TIME ZONE ORDER BY t$172.id DESC 
 LIMIT 1), (SELECT coalesce(t$173.before, '{}'::jsonb) AS coalesce_8 
FROM change_log AS t$173 
WHERE t$173.row_id = $12::UUID AND t$173.table_name = 'customers'::text AND t$173.at > $11::TIMESTAMP WITH TIME ZONE ORDER BY t$173.id 
 LIMIT 1)), (SELECT to_jsonb(t$175) AS to_jsonb_30 
FROM customers AS t$175 
WHERE t$175.id = $12::UUID))) AS t$176 
WHERE t$176.id = $12::UUID AND t$176.created_at <= $11::TIMESTAMP WITH TIME ZONE AND t$176.unit_id = ANY ($3::UUID[]) AND ((EXISTS (SELECT 1 
FROM customers AS t$177 
WHERE t$177.id = $12::UUID AND t$177.unit_id = ANY ($3::UUID[]))) OR NOT (EXISTS (SELECT 1 
FROM customers AS t$178 
WHERE t$178.id = $12::UUID)) AND (EXISTS (SELECT 1 
FROM jsonb_populate_record(null::customers, (SELECT coalesce(t$174.before, '{}'::jsonb) AS coalesce_9 
FROM change_log AS t$174 
WHERE t$174.row_id = $12::UUID AND t$174.table_name = 'customers'::text ORDER BY t$174.id DESC 
 LIMIT 1)) AS t$179 
WHERE t$179.unit_id = ANY ($3::UUID[]))))) AS t$180) END AS never) AS t$181) AS anon_1
