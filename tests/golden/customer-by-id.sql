SELECT (SELECT row_to_json(t$2) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$1) AS row_to_json_2 
FROM (SELECT 'cus_' || replace(CAST(t$0.id AS TEXT), '-', '') AS id, t$0.kind AS kind, t$0.name AS name, t$0.status AS status, t$0.stage AS stage, t$0.tier AS tier, t$0.country AS country, t$0.language AS language, t$0.currency AS currency, t$0.version AS version, t$0.created_at AS "createdAt", t$0.updated_at AS "updatedAt" 
FROM customers AS t$0 
WHERE t$0.id = $1::UUID) AS t$1) AS customer) AS t$2) AS anon_1
