SELECT (SELECT row_to_json(t$126) AS row_to_json_1 
FROM (SELECT (SELECT coalesce(json_agg(CASE WHEN (t$0.type = 'cus') THEN (SELECT row_to_json(t$9) AS row_to_json_2 
FROM (SELECT 'Customer'::text AS __typename, 'cus_' || replace(CAST(t$1.id AS TEXT), '-', '') AS id, t$1.name AS name, (SELECT row_to_json(t$8) AS row_to_json_3 
FROM (SELECT t$7.v$0 AS "totalCount" 
FROM (SELECT CAST(coalesce(sum(t$5.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM orders AS t$4 
WHERE t$4.customer_id = t$1.id) AS t$5) AS t$7) AS t$8) AS orders 
FROM customers AS t$1 
WHERE t$1.id = t$0.key) AS t$9) WHEN (t$0.type = 'idn') THEN (SELECT row_to_json(t$11) AS row_to_json_4 
FROM (SELECT 'Identifier'::text AS __typename, 'idn_' || replace(CAST(t$10.id AS TEXT), '-', '') AS id 
FROM identifiers AS t$10 
WHERE t$10.id = t$0.key) AS t$11) WHEN (t$0.type = 'stm') THEN (SELECT row_to_json(t$13) AS row_to_json_5 
FROM (SELECT 'StageMove'::text AS __typename, 'stm_' || replace(CAST(t$12.id AS TEXT), '-', '') AS id 
FROM stage_moves AS t$12 
WHERE t$12.id = t$0.key) AS t$13) WHEN (t$0.type = 'con') THEN (SELECT row_to_json(t$15) AS row_to_json_6 
FROM (SELECT 'Contact'::text AS __typename, 'con_' || replace(CAST(t$14.id AS TEXT), '-', '') AS id 
FROM contacts AS t$14 
WHERE t$14.id = t$0.key) AS t$15) WHEN (t$0.type = 'cpt') THEN (SELECT row_to_json(t$17) AS row_to_json_7 
FROM (SELECT 'ContactPoint'::text AS __typename, 'cpt_' || replace(CAST(t$16.id AS TEXT), '-', '') AS id 
FROM contact_points AS t$16 
WHERE t$16.id = t$0.key) AS t$17) WHEN (t$0.type = 'adr') THEN (SELECT row_to_json(t$19) AS row_to_json_8 
FROM (SELECT 'Address'::text AS __typename, 'adr_' || replace(CAST(t$18.id AS TEXT), '-', '') AS id 
FROM addresses AS t$18 
WHERE t$18.id = t$0.key) AS t$19) WHEN (t$0.type = 'unt') THEN (SELECT row_to_json(t$21) AS row_to_json_9 
FROM (SELECT 'OrgUnit'::text AS __typename, 'unt_' || replace(CAST(t$20.id AS TEXT), '-', '') AS id 
FROM org_units AS t$20 
WHERE t$20.id = t$0.key) AS t$21) WHEN (t$0.type = 'stf') THEN (SELECT row_to_json(t$23) AS row_to_json_10 
FROM (SELECT 'Staff'::text AS __typename, 'stf_' || replace(CAST(t$22.id AS TEXT), '-', '') AS id 
FROM staff AS t$22 
WHERE t$22.id = t$0.key) AS t$23) WHEN (t$0.type = 'prd') THEN (SELECT row_to_json(t$25) AS row_to_json_11 
FROM (SELECT 'Product'::text AS __typename, 'prd_' || replace(CAST(t$24.id AS TEXT), '-', '') AS id, t$24.name AS name, t$24.category AS category 
FROM products AS t$24 
WHERE t$24.id = t$0.key) AS t$25) WHEN (t$0.type = 'ord') THEN (SELECT row_to_json(t$27) AS row_to_json_12 
FROM (SELECT 'Order'::text AS __typename, 'ord_' || replace(CAST(t$26.id AS TEXT), '-', '') AS id 
FROM orders AS t$26 
WHERE t$26.id = t$0.key) AS t$27) WHEN (t$0.type = 'itm') THEN (SELECT row_to_json(t$29) AS row_to_json_13 
FROM (SELECT 'OrderItem'::text AS __typename, 'itm_' || replace(CAST(t$28.id AS TEXT), '-', '') AS id 
FROM order_items AS t$28 
WHERE t$28.id = t$0.key) AS t$29) WHEN (t$0.type = 'int') THEN (SELECT row_to_json(t$31) AS row_to_json_14 
FROM (SELECT 'Interaction'::text AS __typename, 'int_' || replace(CAST(t$30.id AS TEXT), '-', '') AS id 
FROM interactions AS t$30 
WHERE t$30.id = t$0.key) AS t$31) WHEN (t$0.type = 'sco') THEN (SELECT row_to_json(t$33) AS row_to_json_15 
FROM (SELECT 'Score'::text AS __typename, 'sco_' || replace(CAST(t$32.id AS TEXT), '-', '') AS id 
FROM scores AS t$32 
WHERE t$32.id = t$0.key) AS t$33) WHEN (t$0.type = 'scm') THEN (SELECT row_to_json(t$35) AS row_to_json_16 
FROM (SELECT 'ScoreModel'::text AS __typename, 'scm_' || replace(CAST(t$34.id AS TEXT), '-', '') AS id 
FROM score_models AS t$34 
WHERE t$34.id = t$0.key) AS t$35) WHEN (t$0.type = 'scr') THEN (SELECT row_to_json(t$37) AS row_to_json_17 
FROM (SELECT 'ScoreRule'::text AS __typename, 'scr_' || replace(CAST(t$36.id AS TEXT), '-', '') AS id 
FROM score_rules AS t$36 
WHERE t$36.id = t$0.key) AS t$37) WHEN (t$0.type = 'cns') THEN (SELECT row_to_json(t$39) AS row_to_json_18 
FROM (SELECT 'Consent'::text AS __typename, 'cns_' || replace(CAST(t$38.id AS TEXT), '-', '') AS id 
FROM consents AS t$38 
WHERE t$38.id = t$0.key) AS t$39) WHEN (t$0.type = 'rvw') THEN (SELECT row_to_json(t$41) AS row_to_json_19 
FROM (SELECT 'IdentityReview'::text AS __typename, 'rvw_' || replace(CAST(t$40.id AS TEXT), '-', '') AS id 
FROM identity_reviews AS t$40 
WHERE t$40.id = t$0.key) AS t$41) WHEN (t$0.type = 'whk') THEN (SELECT row_to_json(t$43) AS row_to_json_20 
FROM (SELECT 'Webhook'::text AS __typename, 'whk_' || replace(CAST(t$42.id AS TEXT), '-', '') AS id 
FROM webhooks AS t$42 
WHERE t$42.id = t$0.key AND ($1::BOOLEAN OR (EXISTS (SELECT v$key.id 
FROM api_keys AS v$key 
WHERE v$key.id = $2::UUID AND v$key.public_id = t$42.owner)))) AS t$43) WHEN (t$0.type = 'dlv') THEN (SELECT row_to_json(t$45) AS row_to_json_21 
FROM (SELECT 'WebhookDelivery'::text AS __typename, 'dlv_' || replace(CAST(t$44.id AS TEXT), '-', '') AS id 
FROM webhook_deliveries AS t$44 
WHERE t$44.id = t$0.key AND ($1::BOOLEAN OR (EXISTS (SELECT v$key.id 
FROM api_keys AS v$key 
WHERE v$key.id = $2::UUID AND v$key.public_id = t$44.owner)))) AS t$45) WHEN (t$0.type = 'wat') THEN (SELECT row_to_json(t$47) AS row_to_json_22 
FROM (SELECT 'WebhookAttempt'::text AS __typename, 'wat_' || replace(CAST(t$46.id AS TEXT), '-', '') AS id 
FROM webhook_attempts AS t$46 
WHERE t$46.id = t$0.key AND ($1::BOOLEAN OR (EXISTS (SELECT v$key.id 
FROM api_keys AS v$key 
WHERE v$key.id = $2::UUID AND v$key.public_id = t$46.owner)))) AS t$47) WHEN (t$0.type = 'key') THEN (SELECT row_to_json(t$49) AS row_to_json_23 
FROM (SELECT 'ApiKey'::text AS __typename, 'key_' || replace(CAST(t$48.id AS TEXT), '-', '') AS id 
FROM api_keys AS t$48 
WHERE t$48.id = t$0.key AND $1::BOOLEAN) AS t$49) WHEN (t$0.type = 'rol') THEN (SELECT row_to_json(t$51) AS row_to_json_24 
FROM (SELECT 'AccessRole'::text AS __typename, 'rol_' || replace(CAST(t$50.id AS TEXT), '-', '') AS id 
FROM roles AS t$50 
WHERE t$50.id = t$0.key AND ($1::BOOLEAN OR t$50.name = ANY ($3::TEXT[]))) AS t$51) WHEN (t$0.type = 'rru') THEN (SELECT row_to_json(t$53) AS row_to_json_25 
FROM (SELECT 'RoleRule'::text AS __typename, 'rru_' || replace(CAST(t$52.id AS TEXT), '-', '') AS id 
FROM role_rules AS t$52 
WHERE t$52.id = t$0.key AND ($1::BOOLEAN OR (EXISTS (SELECT * 
FROM roles AS v$role 
WHERE v$role.id = t$52.role_id AND v$role.name = ANY ($3::TEXT[]))))) AS t$53) WHEN (t$0.type = 'rbu') THEN (SELECT row_to_json(t$55) AS row_to_json_26 
FROM (SELECT 'RoleBudget'::text AS __typename, 'rbu_' || replace(CAST(t$54.id AS TEXT), '-', '') AS id 
FROM role_budgets AS t$54 
WHERE t$54.id = t$0.key AND ($1::BOOLEAN OR (EXISTS (SELECT * 
FROM roles AS v$role 
WHERE v$role.id = t$54.role_id AND v$role.name = ANY ($3::TEXT[]))))) AS t$55) WHEN (t$0.type = 'ras') THEN (SELECT row_to_json(t$57) AS row_to_json_27 
FROM (SELECT 'RoleAssignment'::text AS __typename, 'ras_' || replace(CAST(t$56.id AS TEXT), '-', '') AS id 
FROM role_assignments AS t$56 
WHERE t$56.id = t$0.key AND $1::BOOLEAN) AS t$57) WHEN (t$0.type = 'aud') THEN (SELECT row_to_json(t$59) AS row_to_json_28 
FROM (SELECT 'AuditEntry'::text AS __typename, 'aud_' || replace(CAST(t$58.id AS TEXT), '-', '') AS id 
FROM audit_entries AS t$58 
WHERE t$58.id = t$0.key AND $1::BOOLEAN) AS t$59) WHEN (t$0.type = 'aut') THEN (SELECT row_to_json(t$61) AS row_to_json_29 
FROM (SELECT 'AuditTarget'::text AS __typename, 'aut_' || replace(CAST(t$60.id AS TEXT), '-', '') AS id 
FROM audit_targets AS t$60 
WHERE t$60.id = t$0.key AND $1::BOOLEAN) AS t$61) WHEN (t$0.type = 'cal') THEN (SELECT row_to_json(t$63) AS row_to_json_30 
FROM (SELECT 'Calendar'::text AS __typename, 'cal_' || replace(CAST(t$62.id AS TEXT), '-', '') AS id 
FROM calendars AS t$62 
WHERE t$62.id = t$0.key) AS t$63) WHEN (t$0.type = 'cld') THEN (SELECT row_to_json(t$65) AS row_to_json_31 
FROM (SELECT 'CalendarDay'::text AS __typename, 'cld_' || replace(CAST(t$64.id AS TEXT), '-', '') AS id 
FROM calendar_days AS t$64 
WHERE t$64.id = t$0.key) AS t$65) WHEN (t$0.type = 'cru') THEN (SELECT row_to_json(t$67) AS row_to_json_32 
FROM (SELECT 'CodeRule'::text AS __typename, 'cru_' || replace(CAST(t$66.id AS TEXT), '-', '') AS id 
FROM code_rules AS t$66 
WHERE t$66.id = t$0.key) AS t$67) WHEN (t$0.type = 'prc') THEN (SELECT row_to_json(t$69) AS row_to_json_33 
FROM (SELECT 'Process'::text AS __typename, 'prc_' || replace(CAST(t$68.id AS TEXT), '-', '') AS id 
FROM processes AS t$68 
WHERE t$68.id = t$0.key) AS t$69) WHEN (t$0.type = 'prs') THEN (SELECT row_to_json(t$71) AS row_to_json_34 
FROM (SELECT 'ProcessStep'::text AS __typename, 'prs_' || replace(CAST(t$70.id AS TEXT), '-', '') AS id 
FROM process_steps AS t$70 
WHERE t$70.id = t$0.key) AS t$71) WHEN (t$0.type = 'wit') THEN (SELECT row_to_json(t$73) AS row_to_json_35 
FROM (SELECT 'WorkItem'::text AS __typename, 'wit_' || replace(CAST(t$72.id AS TEXT), '-', '') AS id 
FROM work_items AS t$72 
WHERE t$72.id = t$0.key AND (t$72.audience != 'PERSON' OR t$72.staff_id = $4::UUID OR $5::BOOLEAN OR t$72.opened_by_id = $4::UUID OR (EXISTS (SELECT v$step.id 
FROM work_steps AS v$step 
WHERE v$step.item_id = t$72.id AND (v$step.addressee_id = $4::UUID OR v$step.decided_by_id = $4::UUID))))) AS t$73) WHEN (t$0.type = 'wst') THEN (SELECT row_to_json(t$75) AS row_to_json_36 
FROM (SELECT 'WorkStep'::text AS __typename, 'wst_' || replace(CAST(t$74.id AS TEXT), '-', '') AS id 
FROM work_steps AS t$74 
WHERE t$74.id = t$0.key AND (t$74.audience != 'PERSON' OR t$74.staff_id = $4::UUID OR $5::BOOLEAN OR t$74.addressee_id = $4::UUID OR t$74.decided_by_id = $4::UUID OR (EXISTS (SELECT v$item.id 
FROM work_items AS v$item 
WHERE v$item.id = t$74.item_id AND v$item.opened_by_id = $4::UUID)))) AS t$75) WHEN (t$0.type = 'wdp') THEN (SELECT row_to_json(t$77) AS row_to_json_37 
FROM (SELECT 'WorkItemDependency'::text AS __typename, 'wdp_' || replace(CAST(t$76.id AS TEXT), '-', '') AS id 
FROM work_item_dependencies AS t$76 
WHERE t$76.id = t$0.key AND (EXISTS (SELECT v$item.id 
FROM work_items AS v$item 
WHERE v$item.id = t$76.item_id AND (v$item.audience != 'PERSON' OR v$item.staff_id = $4::UUID OR $5::BOOLEAN OR v$item.opened_by_id = $4::UUID OR (EXISTS (SELECT v$step.id 
FROM work_steps AS v$step 
WHERE v$step.item_id = v$item.id AND (v$step.addressee_id = $4::UUID OR v$step.decided_by_id = $4::UUID))))))) AS t$77) WHEN (t$0.type = 'sla') THEN (SELECT row_to_json(t$79) AS row_to_json_38 
FROM (SELECT 'SlaPolicy'::text AS __typename, 'sla_' || replace(CAST(t$78.id AS TEXT), '-', '') AS id 
FROM sla_policies AS t$78 
WHERE t$78.id = t$0.key) AS t$79) WHEN (t$0.type = 'slt') THEN (SELECT row_to_json(t$81) AS row_to_json_39 
FROM (SELECT 'SlaTerm'::text AS __typename, 'slt_' || replace(CAST(t$80.id AS TEXT), '-', '') AS id 
FROM sla_terms AS t$80 
WHERE t$80.id = t$0.key) AS t$81) WHEN (t$0.type = 'esr') THEN (SELECT row_to_json(t$83) AS row_to_json_40 
FROM (SELECT 'EscalationRule'::text AS __typename, 'esr_' || replace(CAST(t$82.id AS TEXT), '-', '') AS id 
FROM escalation_rules AS t$82 
WHERE t$82.id = t$0.key) AS t$83) WHEN (t$0.type = 'clk') THEN (SELECT row_to_json(t$85) AS row_to_json_41 
FROM (SELECT 'Clock'::text AS __typename, 'clk_' || replace(CAST(t$84.id AS TEXT), '-', '') AS id 
FROM clocks AS t$84 
WHERE t$84.id = t$0.key AND (t$84.audience != 'PERSON' OR t$84.staff_id = $4::UUID OR $5::BOOLEAN)) AS t$85) WHEN (t$0.type = 'ntf') THEN (SELECT row_to_json(t$87) AS row_to_json_42 
FROM (SELECT 'Notification'::text AS __typename, 'ntf_' || replace(CAST(t$86.id AS TEXT), '-', '') AS id 
FROM notifications AS t$86 
WHERE t$86.id = t$0.key AND (t$86.staff_id = $4::UUID OR $5::BOOLEAN)) AS t$87) WHEN (t$0.type = 'tea') THEN (SELECT row_to_json(t$89) AS row_to_json_43 
FROM (SELECT 'Team'::text AS __typename, 'tea_' || replace(CAST(t$88.id AS TEXT), '-', '') AS id 
FROM teams AS t$88 
WHERE t$88.id = t$0.key) AS t$89) WHEN (t$0.type = 'jrl') THEN (SELECT row_to_json(t$91) AS row_to_json_44 
FROM (SELECT 'JobRole'::text AS __typename, 'jrl_' || replace(CAST(t$90.id AS TEXT), '-', '') AS id 
FROM job_roles AS t$90 
WHERE t$90.id = t$0.key) AS t$91) WHEN (t$0.type = 'asg') THEN (SELECT row_to_json(t$93) AS row_to_json_45 
FROM (SELECT 'Assignment'::text AS __typename, 'asg_' || replace(CAST(t$92.id AS TEXT), '-', '') AS id 
FROM assignments AS t$92 
WHERE t$92.id = t$0.key) AS t$93) WHEN (t$0.type = 'mov') THEN (SELECT row_to_json(t$95) AS row_to_json_46 
FROM (SELECT 'Move'::text AS __typename, 'mov_' || replace(CAST(t$94.id AS TEXT), '-', '') AS id 
FROM moves AS t$94 
WHERE t$94.id = t$0.key AND (t$94.audience != 'PERSON' OR t$94.staff_id = $4::UUID OR $5::BOOLEAN)) AS t$95) WHEN (t$0.type = 'mst') THEN (SELECT row_to_json(t$97) AS row_to_json_47 
FROM (SELECT 'Milestone'::text AS __typename, 'mst_' || replace(CAST(t$96.id AS TEXT), '-', '') AS id 
FROM milestones AS t$96 
WHERE t$96.id = t$0.key AND (t$96.audience != 'PERSON' OR t$96.staff_id = $4::UUID OR $5::BOOLEAN)) AS t$97) WHEN (t$0.type = 'tsk') THEN (SELECT row_to_json(t$99) AS row_to_json_48 
FROM (SELECT 'Task'::text AS __typename, 'tsk_' || replace(CAST(t$98.id AS TEXT), '-', '') AS id 
FROM tasks AS t$98 
WHERE t$98.id = t$0.key) AS t$99) WHEN (t$0.type = 'rpt') THEN (SELECT row_to_json(t$101) AS row_to_json_49 
FROM (SELECT 'Report'::text AS __typename, 'rpt_' || replace(CAST(t$100.id AS TEXT), '-', '') AS id 
FROM reports AS t$100 
WHERE t$100.id = t$0.key AND ($1::BOOLEAN OR (EXISTS (SELECT v$key.id 
FROM api_keys AS v$key 
WHERE v$key.id = $2::UUID AND v$key.public_id = t$100.owner)))) AS t$101) WHEN (t$0.type = 'rpi') THEN (SELECT row_to_json(t$103) AS row_to_json_50 
FROM (SELECT 'ReportIssue'::text AS __typename, 'rpi_' || replace(CAST(t$102.id AS TEXT), '-', '') AS id 
FROM report_issues AS t$102 
WHERE t$102.id = t$0.key AND (t$102.staff_id IS NULL OR $5::BOOLEAN OR t$102.staff_id = $4::UUID OR t$102.checker_id = $4::UUID)) AS t$103) WHEN (t$0.type = 'crd') THEN (SELECT row_to_json(t$105) AS row_to_json_51 
FROM (SELECT 'Credential'::text AS __typename, 'crd_' || replace(CAST(t$104.id AS TEXT), '-', '') AS id 
FROM credentials AS t$104 
WHERE t$104.id = t$0.key AND (t$104.staff_id = $4::UUID OR $5::BOOLEAN)) AS t$105) WHEN (t$0.type = 'ver') THEN (SELECT row_to_json(t$107) AS row_to_json_52 
FROM (SELECT 'Verification'::text AS __typename, 'ver_' || replace(CAST(t$106.id AS TEXT), '-', '') AS id 
FROM verifications AS t$106 
WHERE t$106.id = t$0.key AND (t$106.audience != 'PERSON' OR t$106.staff_id = $4::UUID OR $5::BOOLEAN)) AS t$107) WHEN (t$0.type = 'clm') THEN (SELECT row_to_json(t$109) AS row_to_json_53 
FROM (SELECT 'Claim'::text AS __typename, 'clm_' || replace(CAST(t$108.id AS TEXT), '-', '') AS id 
FROM claims AS t$108 
WHERE t$108.id = t$0.key AND (t$108.staff_id = $4::UUID OR $5::BOOLEAN)) AS t$109) WHEN (t$0.type = 'dsc') THEN (SELECT row_to_json(t$111) AS row_to_json_54 
FROM (SELECT 'Disclosure'::text AS __typename, 'dsc_' || replace(CAST(t$110.id AS TEXT), '-', '') AS id 
FROM disclosures AS t$110 
WHERE t$110.id = t$0.key AND (t$110.staff_id = $4::UUID OR $5::BOOLEAN)) AS t$111) WHEN (t$0.type = 'dsl') THEN (SELECT row_to_json(t$113) AS row_to_json_55 
FROM (SELECT 'DisclosureLimit'::text AS __typename, 'dsl_' || replace(CAST(t$112.id AS TEXT), '-', '') AS id 
FROM disclosure_limits AS t$112 
WHERE t$112.id = t$0.key) AS t$113) WHEN (t$0.type = 'job') THEN (SELECT row_to_json(t$115) AS row_to_json_56 
FROM (SELECT 'Job'::text AS __typename, 'job_' || replace(CAST(t$114.id AS TEXT), '-', '') AS id 
FROM jobs AS t$114 
WHERE t$114.id = t$0.key AND ($1::BOOLEAN OR (EXISTS (SELECT v$key.id 
FROM api_keys AS v$key 
WHERE v$key.id = $2::UUID AND v$key.public_id = t$114.owner)) OR t$114.staff_id = $4::UUID)) AS t$115) WHEN (t$0.type = 'rej') THEN (SELECT row_to_json(t$117) AS row_to_json_57 
FROM (SELECT 'ImportReject'::text AS __typename, 'rej_' || replace(CAST(t$116.id AS TEXT), '-', '') AS id 
FROM import_rejects AS t$116 
WHERE t$116.id = t$0.key AND ($1::BOOLEAN OR (EXISTS (SELECT v$key.id 
FROM api_keys AS v$key 
WHERE v$key.id = $2::UUID AND v$key.public_id = t$116.owner)) OR t$116.staff_id = $4::UUID)) AS t$117) WHEN (t$0.type = 'mrg') THEN (SELECT row_to_json(t$119) AS row_to_json_58 
FROM (SELECT 'Merge'::text AS __typename, 'mrg_' || replace(CAST(t$118.id AS TEXT), '-', '') AS id 
FROM merges AS t$118 
WHERE t$118.id = t$0.key) AS t$119) WHEN (t$0.type = 'src') THEN (SELECT row_to_json(t$121) AS row_to_json_59 
FROM (SELECT 'SourceRecord'::text AS __typename, 'src_' || replace(CAST(t$120.id AS TEXT), '-', '') AS id 
FROM source_records AS t$120 
WHERE t$120.id = t$0.key) AS t$121) WHEN (t$0.type = 'svp') THEN (SELECT row_to_json(t$123) AS row_to_json_60 
FROM (SELECT 'SurvivorshipPolicy'::text AS __typename, 'svp_' || replace(CAST(t$122.id AS TEXT), '-', '') AS id 
FROM survivorship_policies AS t$122 
WHERE t$122.id = t$0.key) AS t$123) WHEN (t$0.type = 'mtc') THEN (SELECT row_to_json(t$125) AS row_to_json_61 
FROM (SELECT 'MatchCandidate'::text AS __typename, 'mtc_' || replace(CAST(t$124.id AS TEXT), '-', '') AS id 
FROM match_candidates AS t$124 
WHERE t$124.id = t$0.key) AS t$125) END ORDER BY t$0.ordinality), '[]'::json) AS coalesce_1 
FROM unnest($6::TEXT[], $7::UUID[]) WITH ORDINALITY AS t$0(type, key, ordinality)) AS nodes) AS t$126) AS anon_1
