SELECT (SELECT row_to_json(t$65) AS row_to_json_1 
FROM (SELECT (SELECT CASE WHEN (t$0.type = 'cus') THEN (SELECT row_to_json(t$2) AS row_to_json_2 
FROM (SELECT 'Customer'::text AS __typename, 'cus_' || replace(CAST(t$1.id AS TEXT), '-', '') AS id, t$1.name AS name 
FROM customers AS t$1 
WHERE t$1.id = t$0.key) AS t$2) WHEN (t$0.type = 'idn') THEN (SELECT row_to_json(t$4) AS row_to_json_3 
FROM (SELECT 'Identifier'::text AS __typename, 'idn_' || replace(CAST(t$3.id AS TEXT), '-', '') AS id 
FROM identifiers AS t$3 
WHERE t$3.id = t$0.key) AS t$4) WHEN (t$0.type = 'stm') THEN (SELECT row_to_json(t$6) AS row_to_json_4 
FROM (SELECT 'StageMove'::text AS __typename, 'stm_' || replace(CAST(t$5.id AS TEXT), '-', '') AS id, t$5.moved_at AS at 
FROM stage_moves AS t$5 
WHERE t$5.id = t$0.key) AS t$6) WHEN (t$0.type = 'con') THEN (SELECT row_to_json(t$8) AS row_to_json_5 
FROM (SELECT 'Contact'::text AS __typename, 'con_' || replace(CAST(t$7.id AS TEXT), '-', '') AS id 
FROM contacts AS t$7 
WHERE t$7.id = t$0.key) AS t$8) WHEN (t$0.type = 'cpt') THEN (SELECT row_to_json(t$10) AS row_to_json_6 
FROM (SELECT 'ContactPoint'::text AS __typename, 'cpt_' || replace(CAST(t$9.id AS TEXT), '-', '') AS id 
FROM contact_points AS t$9 
WHERE t$9.id = t$0.key) AS t$10) WHEN (t$0.type = 'adr') THEN (SELECT row_to_json(t$12) AS row_to_json_7 
FROM (SELECT 'Address'::text AS __typename, 'adr_' || replace(CAST(t$11.id AS TEXT), '-', '') AS id 
FROM addresses AS t$11 
WHERE t$11.id = t$0.key) AS t$12) WHEN (t$0.type = 'unt') THEN (SELECT row_to_json(t$14) AS row_to_json_8 
FROM (SELECT 'OrgUnit'::text AS __typename, 'unt_' || replace(CAST(t$13.id AS TEXT), '-', '') AS id 
FROM org_units AS t$13 
WHERE t$13.id = t$0.key) AS t$14) WHEN (t$0.type = 'stf') THEN (SELECT row_to_json(t$16) AS row_to_json_9 
FROM (SELECT 'Staff'::text AS __typename, 'stf_' || replace(CAST(t$15.id AS TEXT), '-', '') AS id 
FROM staff AS t$15 
WHERE t$15.id = t$0.key) AS t$16) WHEN (t$0.type = 'prd') THEN (SELECT row_to_json(t$18) AS row_to_json_10 
FROM (SELECT 'Product'::text AS __typename, 'prd_' || replace(CAST(t$17.id AS TEXT), '-', '') AS id 
FROM products AS t$17 
WHERE t$17.id = t$0.key) AS t$18) WHEN (t$0.type = 'ord') THEN (SELECT row_to_json(t$22) AS row_to_json_11 
FROM (SELECT 'Order'::text AS __typename, 'ord_' || replace(CAST(t$19.id AS TEXT), '-', '') AS id, t$19.number AS number, (SELECT row_to_json(t$21) AS row_to_json_12 
FROM (SELECT t$20.name AS name 
FROM customers AS t$20 
WHERE t$20.id = t$19.customer_id) AS t$21) AS customer, t$19.placed_at AS at 
FROM orders AS t$19 
WHERE t$19.id = t$0.key) AS t$22) WHEN (t$0.type = 'itm') THEN (SELECT row_to_json(t$24) AS row_to_json_13 
FROM (SELECT 'OrderItem'::text AS __typename, 'itm_' || replace(CAST(t$23.id AS TEXT), '-', '') AS id 
FROM order_items AS t$23 
WHERE t$23.id = t$0.key) AS t$24) WHEN (t$0.type = 'int') THEN (SELECT row_to_json(t$26) AS row_to_json_14 
FROM (SELECT 'Interaction'::text AS __typename, 'int_' || replace(CAST(t$25.id AS TEXT), '-', '') AS id, t$25.occurred_at AS at 
FROM interactions AS t$25 
WHERE t$25.id = t$0.key) AS t$26) WHEN (t$0.type = 'sco') THEN (SELECT row_to_json(t$28) AS row_to_json_15 
FROM (SELECT 'Score'::text AS __typename, 'sco_' || replace(CAST(t$27.id AS TEXT), '-', '') AS id, t$27.computed_at AS at 
FROM scores AS t$27 
WHERE t$27.id = t$0.key) AS t$28) WHEN (t$0.type = 'cns') THEN (SELECT row_to_json(t$30) AS row_to_json_16 
FROM (SELECT 'Consent'::text AS __typename, 'cns_' || replace(CAST(t$29.id AS TEXT), '-', '') AS id, t$29.given_at AS at 
FROM consents AS t$29 
WHERE t$29.id = t$0.key) AS t$30) WHEN (t$0.type = 'rvw') THEN (SELECT row_to_json(t$32) AS row_to_json_17 
FROM (SELECT 'IdentityReview'::text AS __typename, 'rvw_' || replace(CAST(t$31.id AS TEXT), '-', '') AS id 
FROM identity_reviews AS t$31 
WHERE t$31.id = t$0.key) AS t$32) WHEN (t$0.type = 'whk') THEN (SELECT row_to_json(t$34) AS row_to_json_18 
FROM (SELECT 'Webhook'::text AS __typename, 'whk_' || replace(CAST(t$33.id AS TEXT), '-', '') AS id 
FROM webhooks AS t$33 
WHERE t$33.id = t$0.key AND ($1::BOOLEAN OR (EXISTS (SELECT v$key.id 
FROM api_keys AS v$key 
WHERE v$key.id = $2::UUID AND v$key.public_id = t$33.owner)))) AS t$34) WHEN (t$0.type = 'dlv') THEN (SELECT row_to_json(t$36) AS row_to_json_19 
FROM (SELECT 'WebhookDelivery'::text AS __typename, 'dlv_' || replace(CAST(t$35.id AS TEXT), '-', '') AS id 
FROM webhook_deliveries AS t$35 
WHERE t$35.id = t$0.key AND ($1::BOOLEAN OR (EXISTS (SELECT v$key.id 
FROM api_keys AS v$key 
WHERE v$key.id = $2::UUID AND v$key.public_id = t$35.owner)))) AS t$36) WHEN (t$0.type = 'wat') THEN (SELECT row_to_json(t$38) AS row_to_json_20 
FROM (SELECT 'WebhookAttempt'::text AS __typename, 'wat_' || replace(CAST(t$37.id AS TEXT), '-', '') AS id 
FROM webhook_attempts AS t$37 
WHERE t$37.id = t$0.key AND ($1::BOOLEAN OR (EXISTS (SELECT v$key.id 
FROM api_keys AS v$key 
WHERE v$key.id = $2::UUID AND v$key.public_id = t$37.owner)))) AS t$38) WHEN (t$0.type = 'key') THEN (SELECT row_to_json(t$40) AS row_to_json_21 
FROM (SELECT 'ApiKey'::text AS __typename, 'key_' || replace(CAST(t$39.id AS TEXT), '-', '') AS id 
FROM api_keys AS t$39 
WHERE t$39.id = t$0.key AND $1::BOOLEAN) AS t$40) WHEN (t$0.type = 'rol') THEN (SELECT row_to_json(t$42) AS row_to_json_22 
FROM (SELECT 'AccessRole'::text AS __typename, 'rol_' || replace(CAST(t$41.id AS TEXT), '-', '') AS id 
FROM roles AS t$41 
WHERE t$41.id = t$0.key AND ($1::BOOLEAN OR t$41.name = ANY ($3::TEXT[]))) AS t$42) WHEN (t$0.type = 'rru') THEN (SELECT row_to_json(t$44) AS row_to_json_23 
FROM (SELECT 'RoleRule'::text AS __typename, 'rru_' || replace(CAST(t$43.id AS TEXT), '-', '') AS id 
FROM role_rules AS t$43 
WHERE t$43.id = t$0.key AND ($1::BOOLEAN OR (EXISTS (SELECT * 
FROM roles AS v$role 
WHERE v$role.id = t$43.role_id AND v$role.name = ANY ($3::TEXT[]))))) AS t$44) WHEN (t$0.type = 'rbu') THEN (SELECT row_to_json(t$46) AS row_to_json_24 
FROM (SELECT 'RoleBudget'::text AS __typename, 'rbu_' || replace(CAST(t$45.id AS TEXT), '-', '') AS id 
FROM role_budgets AS t$45 
WHERE t$45.id = t$0.key AND ($1::BOOLEAN OR (EXISTS (SELECT * 
FROM roles AS v$role 
WHERE v$role.id = t$45.role_id AND v$role.name = ANY ($3::TEXT[]))))) AS t$46) WHEN (t$0.type = 'ras') THEN (SELECT row_to_json(t$48) AS row_to_json_25 
FROM (SELECT 'RoleAssignment'::text AS __typename, 'ras_' || replace(CAST(t$47.id AS TEXT), '-', '') AS id 
FROM role_assignments AS t$47 
WHERE t$47.id = t$0.key AND $1::BOOLEAN) AS t$48) WHEN (t$0.type = 'aud') THEN (SELECT row_to_json(t$50) AS row_to_json_26 
FROM (SELECT 'AuditEntry'::text AS __typename, 'aud_' || replace(CAST(t$49.id AS TEXT), '-', '') AS id 
FROM audit_entries AS t$49 
WHERE t$49.id = t$0.key AND $1::BOOLEAN) AS t$50) WHEN (t$0.type = 'aut') THEN (SELECT row_to_json(t$52) AS row_to_json_27 
FROM (SELECT 'AuditTarget'::text AS __typename, 'aut_' || replace(CAST(t$51.id AS TEXT), '-', '') AS id 
FROM audit_targets AS t$51 
WHERE t$51.id = t$0.key AND $1::BOOLEAN) AS t$52) WHEN (t$0.type = 'cal') THEN (SELECT row_to_json(t$54) AS row_to_json_28 
FROM (SELECT 'Calendar'::text AS __typename, 'cal_' || replace(CAST(t$53.id AS TEXT), '-', '') AS id 
FROM calendars AS t$53 
WHERE t$53.id = t$0.key) AS t$54) WHEN (t$0.type = 'cld') THEN (SELECT row_to_json(t$56) AS row_to_json_29 
FROM (SELECT 'CalendarDay'::text AS __typename, 'cld_' || replace(CAST(t$55.id AS TEXT), '-', '') AS id 
FROM calendar_days AS t$55 
WHERE t$55.id = t$0.key) AS t$56) WHEN (t$0.type = 'cru') THEN (SELECT row_to_json(t$58) AS row_to_json_30 
FROM (SELECT 'CodeRule'::text AS __typename, 'cru_' || replace(CAST(t$57.id AS TEXT), '-', '') AS id 
FROM code_rules AS t$57 
WHERE t$57.id = t$0.key) AS t$58) WHEN (t$0.type = 'prc') THEN (SELECT row_to_json(t$60) AS row_to_json_31 
FROM (SELECT 'Process'::text AS __typename, 'prc_' || replace(CAST(t$59.id AS TEXT), '-', '') AS id 
FROM processes AS t$59 
WHERE t$59.id = t$0.key) AS t$60) WHEN (t$0.type = 'prs') THEN (SELECT row_to_json(t$62) AS row_to_json_32 
FROM (SELECT 'ProcessStep'::text AS __typename, 'prs_' || replace(CAST(t$61.id AS TEXT), '-', '') AS id 
FROM process_steps AS t$61 
WHERE t$61.id = t$0.key) AS t$62) WHEN (t$0.type = 'ntf') THEN (SELECT row_to_json(t$64) AS row_to_json_33 
FROM (SELECT 'Notification'::text AS __typename, 'ntf_' || replace(CAST(t$63.id AS TEXT), '-', '') AS id 
FROM notifications AS t$63 
WHERE t$63.id = t$0.key AND (t$63.staff_id = $4::UUID OR $5::BOOLEAN)) AS t$64) END AS anon_2 
FROM unnest($6::TEXT[], $7::UUID[]) WITH ORDINALITY AS t$0(type, key, ordinality)) AS node) AS t$65) AS anon_1
