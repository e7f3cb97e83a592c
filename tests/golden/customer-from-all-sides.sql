SELECT (SELECT row_to_json(t$48) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$47) AS row_to_json_2 
FROM (SELECT 'cus_' || replace(CAST(t$0.id AS TEXT), '-', '') AS id, t$0.name AS name, (SELECT row_to_json(t$2) AS row_to_json_3 
FROM (SELECT t$1.name AS name, t$1.kind AS kind 
FROM org_units AS t$1 
WHERE t$1.id = t$0.unit_id) AS t$2) AS unit, (SELECT row_to_json(t$6) AS row_to_json_4 
FROM (SELECT t$3.name AS name, t$3.title AS title, (SELECT row_to_json(t$5) AS row_to_json_5 
FROM (SELECT t$4.name AS name 
FROM staff AS t$4 
WHERE t$4.id = t$3.reports_to_id) AS t$5) AS "reportsTo" 
FROM staff AS t$3 
WHERE t$3.id = t$0.owner_id) AS t$6) AS owner, (SELECT row_to_json(t$10) AS row_to_json_6 
FROM (SELECT t$9.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$8), '[]'::json) AS l$0 
FROM (SELECT t$7.kind AS kind, t$7.value AS value, t$7.normalized AS normalized, t$7.verified AS verified, t$7.source AS source 
FROM identifiers AS t$7 
WHERE t$7.customer_id = t$0.id ORDER BY t$7.created_at ASC, t$7.id ASC 
 LIMIT 10) AS t$8) AS t$9) AS t$10) AS identifiers, (SELECT row_to_json(t$18) AS row_to_json_7 
FROM (SELECT t$17.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$16), '[]'::json) AS l$0 
FROM (SELECT 'con_' || replace(CAST(t$11.id AS TEXT), '-', '') AS id, t$11.name AS name, t$11.title AS title, t$11.is_primary AS "isPrimary", (SELECT row_to_json(t$15) AS row_to_json_8 
FROM (SELECT t$14.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$13), '[]'::json) AS l$0 
FROM (SELECT t$12.kind AS kind, t$12.value AS value, t$12.preferred AS preferred 
FROM contact_points AS t$12 
WHERE t$12.contact_id = t$11.id ORDER BY t$12.created_at ASC, t$12.id ASC 
 LIMIT 10) AS t$13) AS t$14) AS t$15) AS points 
FROM contacts AS t$11 
WHERE t$11.customer_id = t$0.id ORDER BY t$11.name ASC, t$11.id ASC 
 LIMIT 5) AS t$16) AS t$17) AS t$18) AS contacts, (SELECT row_to_json(t$22) AS row_to_json_9 
FROM (SELECT t$21.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$20), '[]'::json) AS l$0 
FROM (SELECT t$19.kind AS kind, t$19.street AS street, t$19.city AS city, t$19.region AS region, t$19.postal_code AS "postalCode", t$19.country AS country 
FROM addresses AS t$19 
WHERE t$19.customer_id = t$0.id ORDER BY t$19.city ASC, t$19.id ASC 
 LIMIT 10) AS t$20) AS t$21) AS t$22) AS addresses, (SELECT row_to_json(t$36) AS row_to_json_10 
FROM (SELECT t$34.v$0 AS "totalCount", t$35.l$1 AS nodes 
FROM (SELECT coalesce(json_agg(t$30), '[]'::json) AS l$1 
FROM (SELECT 'ord_' || replace(CAST(t$23.id AS TEXT), '-', '') AS id, t$23.number AS number, t$23.placed_at AS "placedAt", CAST(t$23.total AS TEXT) AS total, t$23.currency AS currency, (SELECT row_to_json(t$29) AS row_to_json_11 
FROM (SELECT t$28.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$27), '[]'::json) AS l$0 
FROM (SELECT t$24.line AS line, t$24.quantity AS quantity, CAST(t$24.unit_price AS TEXT) AS "unitPrice", CAST(t$24.discount AS TEXT) AS discount, CAST(t$24.net AS TEXT) AS net, (SELECT row_to_json(t$26) AS row_to_json_12 
FROM (SELECT t$25.sku AS sku, t$25.name AS name 
FROM products AS t$25 
WHERE t$25.id = t$24.product_id) AS t$26) AS product 
FROM order_items AS t$24 
WHERE t$24.order_id = t$23.id ORDER BY t$24.line ASC, t$24.id ASC 
 LIMIT 10) AS t$27) AS t$28) AS t$29) AS items 
FROM orders AS t$23 
WHERE t$23.customer_id = t$0.id ORDER BY t$23.placed_at DESC, t$23.id DESC 
 LIMIT $1::INTEGER) AS t$30) AS t$35, (SELECT CAST(coalesce(sum(t$32.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM orders AS t$31 
WHERE t$31.customer_id = t$0.id) AS t$32) AS t$34) AS t$36) AS orders, (SELECT row_to_json(t$42) AS row_to_json_13 
FROM (SELECT t$41.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$40), '[]'::json) AS l$0 
FROM (SELECT 'int_' || replace(CAST(t$37.id AS TEXT), '-', '') AS id, t$37.occurred_at AS "occurredAt", t$37.channel AS channel, t$37.direction AS direction, t$37.subject AS subject, (SELECT row_to_json(t$39) AS row_to_json_14 
FROM (SELECT t$38.name AS name 
FROM staff AS t$38 
WHERE t$38.id = t$37.staff_id) AS t$39) AS staff 
FROM interactions AS t$37 
WHERE t$37.customer_id = t$0.id ORDER BY t$37.occurred_at DESC, t$37.id DESC 
 LIMIT 3) AS t$40) AS t$41) AS t$42) AS interactions, (SELECT row_to_json(t$46) AS row_to_json_15 
FROM (SELECT t$45.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$44), '[]'::json) AS l$0 
FROM (SELECT t$43.model AS model, CAST(t$43.value AS TEXT) AS value, t$43.band AS band, t$43.reasons AS reasons, t$43.computed_at AS "computedAt" 
FROM scores AS t$43 
WHERE t$43.customer_id = t$0.id AND t$43.current = $2::BOOLEAN ORDER BY t$43.computed_at DESC, t$43.id DESC 
 LIMIT 10) AS t$44) AS t$45) AS t$46) AS scores 
FROM customers AS t$0 
WHERE t$0.id = $3::UUID) AS t$47) AS customer) AS t$48) AS anon_1
