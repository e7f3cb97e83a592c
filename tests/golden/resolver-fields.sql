SELECT (SELECT row_to_json(t$8) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$3) AS row_to_json_2 
FROM (SELECT t$2.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$1), '[]'::json) AS l$0 
FROM (SELECT t$0.kind AS kind, t$0.value AS value, t$0.country AS country, null AS dial, t$0.kind AS "$kind", t$0.value AS "$value", t$0.country AS "$country" 
FROM contact_points AS t$0 ORDER BY t$0.created_at ASC, t$0.id ASC 
 LIMIT 3) AS t$1) AS t$2) AS t$3) AS "contactPoints", (SELECT row_to_json(t$7) AS row_to_json_3 
FROM (SELECT t$6.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$5), '[]'::json) AS l$0 
FROM (SELECT null AS excerpt, null AS short, t$4.body AS "$body" 
FROM interactions AS t$4 
WHERE t$4.kind = $1::VARCHAR ORDER BY t$4.occurred_at DESC, t$4.id DESC 
 LIMIT 2) AS t$5) AS t$6) AS t$7) AS interactions) AS t$8) AS anon_1
