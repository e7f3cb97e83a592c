SELECT (SELECT row_to_json(t$24) AS row_to_json_1 
FROM (SELECT (SELECT row_to_json(t$9) AS row_to_json_2 
FROM (SELECT t$8.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$7), '[]'::json) AS l$0 
FROM (SELECT t$0.name AS name, t$0.hired_on AS "hiredOn", t$0.email AS email, (SELECT row_to_json(t$6) AS row_to_json_3 
FROM (SELECT t$1.name AS name, (SELECT row_to_json(t$5) AS row_to_json_4 
FROM (SELECT t$2.name AS name, (SELECT row_to_json(t$4) AS row_to_json_5 
FROM (SELECT t$3.name AS name 
FROM staff AS t$3 
WHERE t$3.id = t$2.reports_to_id) AS t$4) AS "reportsTo" 
FROM staff AS t$2 
WHERE t$2.id = t$1.reports_to_id) AS t$5) AS "reportsTo" 
FROM staff AS t$1 
WHERE t$1.id = t$0.reports_to_id) AS t$6) AS "reportsTo" 
FROM staff AS t$0 ORDER BY t$0.name ASC, t$0.id ASC 
 LIMIT 3) AS t$7) AS t$8) AS t$9) AS "staffMembers", (SELECT row_to_json(t$23) AS row_to_json_6 
FROM (SELECT t$22.l$0 AS nodes 
FROM (SELECT coalesce(json_agg(t$21), '[]'::json) AS l$0 
FROM (SELECT t$10.code AS code, t$10.name AS name, t$10.kind AS kind, (SELECT row_to_json(t$12) AS row_to_json_7 
FROM (SELECT t$11.name AS name 
FROM org_units AS t$11 
WHERE t$11.id = t$10.parent_id) AS t$12) AS parent, (SELECT row_to_json(t$20) AS row_to_json_8 
FROM (SELECT t$18.v$0 AS "totalCount", t$19.l$1 AS nodes 
FROM (SELECT coalesce(json_agg(t$14), '[]'::json) AS l$1 
FROM (SELECT t$13.code AS code, t$13.name AS name 
FROM org_units AS t$13 
WHERE t$13.parent_id = t$10.id ORDER BY t$13.name ASC, t$13.id ASC 
 LIMIT 2) AS t$14) AS t$19, (SELECT CAST(coalesce(sum(t$16.f$0), 0) AS BIGINT) AS v$0 
FROM (SELECT count(*) AS f$0 
FROM org_units AS t$15 
WHERE t$15.parent_id = t$10.id) AS t$16) AS t$18) AS t$20) AS units 
FROM org_units AS t$10 
WHERE t$10.kind = ANY ($1::TEXT[]) ORDER BY t$10.name ASC, t$10.id ASC 
 LIMIT 3) AS t$21) AS t$22) AS t$23) AS "orgUnits") AS t$24) AS anon_1
