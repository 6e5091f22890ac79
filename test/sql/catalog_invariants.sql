-- What must be so for every object of the extension, proved from the catalogs.
-- Each query lists the offenders, so each must return no row.
\set QUIET on
\pset footer off
\pset format unaligned

CREATE TEMP VIEW members AS
	SELECT d.classid, d.objid, pg_describe_object(d.classid, d.objid, 0) AS name
	FROM pg_depend d JOIN pg_extension x ON x.oid = d.refobjid
	WHERE x.extname = 'temporal' AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e';

CREATE TEMP VIEW relations AS
	SELECT c.*, m.name FROM pg_class c JOIN members m ON m.objid = c.oid
	WHERE m.classid = 'pg_class'::regclass;

-- Row types and arrays of them are members from 17 on; they say nothing that
-- their tables do not.
CREATE FUNCTION pg_temp.is_row_type(type oid) RETURNS boolean LANGUAGE sql AS $$
	SELECT EXISTS (SELECT FROM pg_type t JOIN pg_class c ON c.reltype IN (t.oid, t.typelem)
		WHERE t.oid = type AND c.relkind <> 'c') $$;

CREATE TEMP VIEW functions AS
	SELECT p.*, l.lanname, m.name FROM pg_proc p JOIN members m ON m.objid = p.oid
	JOIN pg_language l ON l.oid = p.prolang
	WHERE m.classid = 'pg_proc'::regclass;

-- there is something to look at
SELECT (SELECT count(*) > 10 FROM relations WHERE relkind = 'r') AS tables,
	(SELECT count(*) > 5 FROM relations WHERE relkind = 'v') AS views,
	(SELECT count(*) > 50 FROM functions) AS functions;

-- objects outside of the schema
SELECT name FROM relations WHERE relnamespace <> 'temporal'::regnamespace
UNION ALL SELECT name FROM functions WHERE pronamespace <> 'temporal'::regnamespace;

-- anything granted to PUBLIC
SELECT 'schema ' || n.nspname AS object, a.privilege_type
FROM pg_namespace n, aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a
WHERE n.nspname = 'temporal' AND a.grantee = 0
UNION ALL
SELECT c.name, a.privilege_type
FROM relations c, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) a
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND a.grantee = 0
UNION ALL
SELECT c.name || ', column ' || k.attname, a.privilege_type
FROM relations c JOIN pg_attribute k ON k.attrelid = c.oid, aclexplode(k.attacl) a
WHERE a.grantee = 0
UNION ALL
SELECT f.name, a.privilege_type
FROM functions f, aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a
WHERE a.grantee = 0
UNION ALL
SELECT m.name, a.privilege_type
FROM members m JOIN pg_type t ON t.oid = m.objid AND m.classid = 'pg_type'::regclass,
	aclexplode(coalesce(t.typacl, acldefault('T', t.typowner))) a
WHERE a.grantee = 0
	AND NOT pg_temp.is_row_type(t.oid);

-- A body that is text is parsed when it runs, with the caller's search_path.
-- bodies with the search_path of the caller
SELECT name FROM functions
WHERE lanname NOT IN ('c', 'internal') AND prosqlbody IS NULL
	AND 'search_path=pg_catalog, pg_temp' <> ALL (coalesce(proconfig, '{}'));

-- functions with the rights of their owner
SELECT name FROM functions WHERE prosecdef;

-- views with the rights of their owner
SELECT name FROM relations
WHERE relkind = 'v' AND 'security_invoker=true' <> ALL (coalesce(reloptions, '{}'));

-- without a comment
SELECT name FROM functions WHERE obj_description(oid, 'pg_proc') IS NULL
UNION ALL
SELECT name FROM relations
WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND obj_description(oid, 'pg_class') IS NULL
UNION ALL
SELECT c.name || ', column ' || k.attname
FROM relations c JOIN pg_attribute k ON k.attrelid = c.oid AND k.attnum > 0 AND NOT k.attisdropped
WHERE c.relkind IN ('r', 'p') AND col_description(c.oid, k.attnum) IS NULL
UNION ALL
SELECT m.name FROM members m
WHERE m.classid = 'pg_type'::regclass AND obj_description(m.objid, 'pg_type') IS NULL
	AND NOT pg_temp.is_row_type(m.objid);

-- columns that stop pg_upgrade
SELECT c.name || ', column ' || k.attname AS column, k.atttypid::regtype AS type
FROM relations c JOIN pg_attribute k ON k.attrelid = c.oid AND k.attnum > 0 AND NOT k.attisdropped
WHERE c.relkind IN ('r', 'p') AND k.atttypid::regtype::text LIKE 'reg%';

-- What is unlogged is in flight, and lost with the server anyway.

-- not dumped
SELECT r.name FROM relations r JOIN pg_extension x ON x.extname = 'temporal'
WHERE r.relkind IN ('r', 'p', 'S') AND r.relpersistence = 'p'
	AND r.oid <> ALL (coalesce(x.extconfig, '{}'));

-- dumped in part
SELECT r.name, c.condition
FROM pg_extension x CROSS JOIN LATERAL unnest(x.extconfig, x.extcondition) c (id, condition)
JOIN relations r ON r.oid = c.id
WHERE x.extname = 'temporal' AND c.condition <> '';

-- tables without row security
SELECT name FROM relations WHERE relkind IN ('r', 'p') AND NOT relrowsecurity;

-- Row security is for readers; whoever could write would write around the
-- engine.

-- policies for more than reading
SELECT c.relname, p.polname FROM pg_policy p JOIN relations c ON c.oid = p.polrelid
WHERE p.polcmd <> 'r';
