-- What a role with rights may try: to be called instead of what we mean, to
-- look past row security, to prepare the schema.
BEGIN;
\ir include/worker.sql
SELECT * FROM no_plan();

SELECT temporal.register_namespace(n) FROM unnest(ARRAY['ours', 'theirs']) n \g /dev/null
SELECT temporal.add_search_attribute('kind', 'Keyword', namespace => 'ours') \g /dev/null
CREATE ROLE attacker;
SELECT temporal.grant_usage('attacker', 'ours', r) FROM unnest(ARRAY['client', 'worker', 'viewer']) r \g /dev/null

-- ------------------------------------------------------- names found by path
--
-- A schema first in search_path with an operator, a function and a type for
-- whatever pg_catalog has for the types that we use; each of them tells.

\echo # search_path

CREATE SCHEMA evil AUTHORIZATION attacker;
CREATE TEMP TABLE used_types AS
	SELECT unnest(ARRAY['bool', 'bytea', 'int2', 'int4', 'int8', 'interval', 'jsonb', 'name', 'numeric', 'oid', 'text',
		'timestamptz', 'uuid', '_text', '_uuid', '_int8', '_jsonb', 'float8']::regtype[]) AS type;
GRANT ALL ON used_types TO attacker;
SET LOCAL ROLE attacker;
CREATE FUNCTION evil.tell() RETURNS boolean LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'attacked as %', current_user USING ERRCODE = 'EVIL1'; END $$;
DO $$
DECLARE
	f record;
	n integer := 0;
BEGIN
	FOR f IN
		SELECT proname, format_type(prorettype, NULL) AS result, proretset,
			(SELECT string_agg(format_type(a, NULL), ', ') FROM unnest(proargtypes) a) AS arguments
		FROM pg_proc
		WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind = 'f' AND provariadic = 0
			AND (SELECT bool_and(a = ANY (SELECT type FROM used_types)) IS NOT FALSE FROM unnest(proargtypes) a)
			AND prorettype = ANY (SELECT type FROM used_types) AND proname !~ '^(pg_|_|binary_)'
	LOOP
		EXECUTE format('CREATE FUNCTION evil.%I(%s) RETURNS %s %s LANGUAGE plpgsql AS ''BEGIN PERFORM evil.tell(); END''',
			f.proname, f.arguments, CASE WHEN f.proretset THEN 'SETOF' END, f.result);
	END LOOP;
	FOR f IN
		SELECT oprname, format_type(oprresult, NULL) AS result, format_type(oprleft, NULL) AS l, format_type(oprright, NULL) AS r
		FROM pg_operator
		WHERE oprnamespace = 'pg_catalog'::regnamespace AND oprkind = 'b' AND oprleft = ANY (SELECT type FROM used_types)
			AND oprright = ANY (SELECT type FROM used_types)
	LOOP
		n := n + 1;
		EXECUTE format('CREATE FUNCTION evil.operator%s(%s, %s) RETURNS %s LANGUAGE plpgsql AS ''BEGIN PERFORM evil.tell(); END''',
			n, f.l, f.r, f.result);
		EXECUTE format('CREATE OPERATOR evil.%s (leftarg = %s, rightarg = %s, function = evil.operator%s)', f.oprname, f.l, f.r, n);
	END LOOP;
	-- The final function runs over no rows, too.
	CREATE FUNCTION evil.final(bigint) RETURNS bigint LANGUAGE plpgsql AS 'BEGIN PERFORM evil.tell(); END';
	FOR f IN SELECT type FROM used_types WHERE type NOT IN ('bool'::regtype, 'void'::regtype) LOOP
		EXECUTE format('CREATE FUNCTION evil.transition(bigint, %s) RETURNS bigint LANGUAGE plpgsql AS ''BEGIN PERFORM evil.tell(); END''',
			f.type);
		EXECUTE format('CREATE AGGREGATE evil.min(%s) (sfunc = evil.transition, stype = bigint, initcond = 0, finalfunc = evil.final)', f.type);
		EXECUTE format('CREATE AGGREGATE evil.max(%s) (sfunc = evil.transition, stype = bigint, initcond = 0, finalfunc = evil.final)', f.type);
		CONTINUE WHEN f.type::text LIKE '%[]';
		EXECUTE format('CREATE DOMAIN evil.%I AS %s CHECK (evil.tell())', (SELECT typname FROM pg_type WHERE oid = f.type), f.type);
	END LOOP;
END
$$;
CREATE FUNCTION evil.transition(bigint) RETURNS bigint LANGUAGE plpgsql AS 'BEGIN PERFORM evil.tell(); END';
CREATE AGGREGATE evil.count(*) (sfunc = evil.transition, stype = bigint, initcond = 0, finalfunc = evil.final);
RESET ROLE;

-- Runs a statement with that path: its result as text, or its error.
CREATE FUNCTION t.attack(role text, statement text) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	result text;
BEGIN
	EXECUTE pg_catalog.format('SET LOCAL ROLE %I', role);
	SET LOCAL search_path = evil, pg_temp, pg_catalog, temporal;
	EXECUTE statement INTO result;
	RESET search_path;
	RESET ROLE;
	RETURN coalesce(result, 'null');
EXCEPTION WHEN OTHERS THEN
	RETURN pg_catalog.concat(SQLSTATE, pg_catalog.concat(' ', SQLERRM));
END
$$;
-- Temporary tables named like ours.
SET LOCAL ROLE attacker;
SELECT format('CREATE TEMP TABLE %I (LIKE temporal.%I)', relname, relname) FROM pg_class
WHERE relnamespace = 'temporal'::regnamespace AND relkind = 'r' AND has_table_privilege(oid, 'SELECT') \gexec
RESET ROLE;

SELECT is(t.attack('attacker', $$SELECT 1 + 1$$), 'EVIL1 attacked as attacker', 'the attack works');
SELECT is(t.attack('attacker', $$SELECT max(1::pg_catalog.int8)$$), 'EVIL1 attacked as attacker', 'also of aggregates');
SELECT is(t.attack('attacker', $$SELECT ''::text$$), 'EVIL1 attacked as attacker', 'and of types');

SELECT is(t.attack('attacker', $$SELECT temporal.start_workflow('t', '[1]', 'w', 'q', 'ours', memo => '{"a": 1}',
	search_attributes => '{"kind": "a"}', run_timeout => '1 h', request_id => 'r')$$), 'w', 'start');
SELECT t.attack('attacker', $$SELECT temporal.poll_workflow_task('q', namespace => 'ours')$$)::jsonb AS task \gset
SELECT isnt(:'task'::jsonb ->> 'taskToken', NULL::text, 'poll');
SELECT isnt(t.attack('attacker', format('SELECT temporal.complete_workflow_task(%L, %L)', :'task'::jsonb ->> 'taskToken',
	t.schedule_activity('a', '{"taskQueue": {"name": "q"}}') || t.schedule_activity('b', '{"taskQueue": {"name": "q"}}') || t.start_timer('t', '100s'))),
	NULL, 'complete');
SELECT t.attack('attacker', $$SELECT task_token FROM temporal.poll_activity_tasks('q', namespace => 'ours', max_tasks => 1)$$) AS token \gset
SELECT alike(t.attack('attacker', format('SELECT temporal.heartbeat_activity_task(%L, %L)', :'token', '1')), '(f,f,f)', 'heartbeat');
SELECT is(t.attack('attacker', format('SELECT temporal.complete_activity_task(%L, %L)', :'token', '1')), '', 'complete an activity');
SELECT t.attack('attacker', $$SELECT task_token FROM temporal.poll_activity_tasks('q', namespace => 'ours')$$) AS token \gset
SELECT is(t.attack('attacker', format('SELECT temporal.fail_activity_task(%L, %L, details => %L, next_retry_delay => %L)',
	:'token', 'no', '1', '1 s')), 'null', 'fail an activity');

CREATE TABLE t.calls (name text, role text, call text);
INSERT INTO t.calls VALUES
	('signal_workflow', 'attacker', $$temporal.signal_workflow('w', 's', '1', 'r', namespace => 'ours')$$),
	('the signal again', 'attacker', $$temporal.signal_workflow('w', 's', '1', 'r', namespace => 'ours')$$),
	('signal_with_start_workflow', 'attacker', $$temporal.signal_with_start_workflow('s', 't', '1', '1', 'v', 'q', 'ours')$$),
	('start_workflow_run', 'attacker', $$temporal.start_workflow_run('t', inputs => ARRAY['1', '2']::pg_catalog.jsonb[], namespace => 'ours')$$),
	('describe_workflow', 'attacker', $$temporal.describe_workflow('w', namespace => 'ours')$$),
	('history', 'attacker', $$temporal.history('w', namespace => 'ours')$$),
	('history, backward', 'attacker', $$temporal.rpc('GetWorkflowExecutionHistoryReverse', '{"namespace": "ours", "execution": {"workflowId": "w"}}')$$),
	('poll in vain', 'attacker', $$temporal.poll_workflow_task('empty', namespace => 'ours')$$),
	('describe a queue', 'attacker', $$temporal.rpc('DescribeTaskQueue', '{"namespace": "ours", "taskQueue": {"name": "q"}, "reportStats": true}')$$),
	('list namespaces', 'attacker', $$temporal.rpc('ListNamespaces')$$),
	('list search attributes', 'attacker', $$temporal.rpc('ListSearchAttributes', '{"namespace": "ours"}')$$),
	('status', 'attacker', $$temporal.status()$$),
	('stat_pollers', 'attacker', $$temporal.stat_pollers()$$),
	('stat_workers', 'attacker', $$temporal.stat_workers()$$),
	('readable_namespaces', 'attacker', $$temporal.readable_namespaces()$$),
	('listen', 'attacker', $$temporal.listen('q', namespace => 'ours')$$),
	('workflows', 'attacker', $$w FROM temporal.workflows w$$),
	('events', 'attacker', $$e FROM temporal.events e$$),
	('pending_activities', 'attacker', $$a FROM temporal.pending_activities a$$),
	('task_queues', 'attacker', $$q FROM temporal.task_queues q$$),
	('pause_activity', 'postgres', $$temporal.pause_activity('w', 'b', namespace => 'ours')$$),
	('reset_activity', 'postgres', $$temporal.reset_activity('w', 'b', namespace => 'ours')$$),
	('unpause_activity', 'postgres', $$temporal.unpause_activity('w', 'b', namespace => 'ours')$$),
	('register_namespace', 'postgres', $$temporal.register_namespace('new', description => 'd')$$),
	('update_namespace', 'postgres', $$temporal.update_namespace('new', '2 days')$$),
	('add_search_attribute', 'postgres', $$temporal.add_search_attribute('a', 'Text')$$),
	('grant_usage', 'postgres', $$temporal.grant_usage('attacker', 'new', 'admin')$$),
	('revoke_usage', 'postgres', $$temporal.revoke_usage('attacker', 'new')$$),
	('tick', 'postgres', $$temporal.tick()$$),
	('adopt', 'postgres', $$temporal.adopt()$$),
	('cancel_workflow', 'attacker', $$temporal.cancel_workflow('w', namespace => 'ours')$$),
	('terminate_workflow', 'attacker', $$temporal.terminate_workflow('w', 'r', '1', namespace => 'ours')$$),
	('delete_workflow', 'postgres', $$temporal.delete_workflow('w', namespace => 'ours')$$);
CREATE FUNCTION t.attack_all() RETURNS SETOF text LANGUAGE plpgsql AS
$$
DECLARE
	c record;
BEGIN
	FOR c IN TABLE t.calls LOOP
		-- Errors begin with their SQLSTATE.
		RETURN NEXT doesnt_match(t.attack(c.role, 'SELECT ' || c.call), '^[0-9A-Z]{5} ', c.name);
	END LOOP;
END
$$;
SELECT t.attack_all();
SET LOCAL temporal.clock_offset = '10 d';
SELECT unalike(t.attack('postgres', 'SELECT temporal.tick()'), 'EVIL1%', 'tick, with something to do');
SELECT is((SELECT count(*) FROM temporal.timer WHERE failures > 0) + (SELECT count(*) FROM temporal.outbox WHERE failures > 0),
	0::bigint, 'and nothing in it fails');
SET LOCAL temporal.clock_offset = 0;

SELECT ok(NOT t.attack('attacker', format($$SELECT temporal.rpc('ListNamespaces', '{"nextPageToken": "%s", "pageSize": 1}')$$,
	encode('ours', 'base64')))::jsonb ? 'nextPageToken', 'the token of a page names no namespace of others');

-- ------------------------------------------------------------- row security

\echo # row security

SELECT temporal.start_workflow('t', workflow_id => n || g, namespace => n)
FROM unnest(ARRAY['ours', 'theirs']) n, generate_series(1, 2000) g \g /dev/null
ANALYZE temporal.execution, temporal.execution_state, temporal.history, temporal.namespace;

SET LOCAL ROLE attacker;
CREATE TEMP TABLE leaked (value text);
CREATE FUNCTION pg_temp.leak(value anyelement) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS
$$ BEGIN INSERT INTO leaked VALUES (value::text); RETURN true; END $$;
CREATE OPERATOR pg_temp.=== (leftarg = text, rightarg = text, function = pg_catalog.texteq);
SELECT count(*) FROM temporal.workflows WHERE pg_temp.leak(workflow_id) \g /dev/null
SELECT count(*) FROM temporal.events WHERE pg_temp.leak(workflow_id) AND pg_temp.leak(attributes) \g /dev/null
SELECT count(*) FROM temporal.execution WHERE pg_temp.leak(workflow_id) \g /dev/null
SELECT count(*) FROM temporal.history h JOIN temporal.execution x USING (run_id) WHERE pg_temp.leak(h.run_id) AND pg_temp.leak(x.workflow_id) \g /dev/null
SELECT count(*) FROM temporal.task_queues WHERE pg_temp.leak(namespace) \g /dev/null
SELECT count(*) FROM temporal.namespaces WHERE pg_temp.leak(name) \g /dev/null
SELECT count(*) FROM (SELECT DISTINCT ON (namespace) * FROM temporal.workflows WHERE pg_temp.leak(namespace) ORDER BY namespace, pg_temp.leak(run_id)) s \g /dev/null
PREPARE kept AS SELECT count(*) FROM temporal.workflows WHERE pg_temp.leak(workflow_id);
RESET ROLE;
EXECUTE kept \g /dev/null
SELECT cmp_ok((SELECT count(*) FROM leaked WHERE value LIKE 'theirs%'), '>', 0::bigint, 'the owner sees everything by the same plan');
TRUNCATE leaked;
SET LOCAL ROLE attacker;
SELECT count(*) FROM temporal.workflows WHERE pg_temp.leak(workflow_id) \g /dev/null
EXECUTE kept \g /dev/null
RESET ROLE;
SELECT cmp_ok((SELECT count(*) FROM leaked), '>', 4000::bigint, 'what a function of the reader is called with:');
SELECT is((SELECT count(*) FROM leaked l WHERE EXISTS (SELECT FROM temporal.namespace n JOIN temporal.execution e ON e.namespace_id = n.id
	WHERE n.name = 'theirs' AND l.value IN (n.name, e.workflow_id, e.run_id::text))), 0::bigint, 'no row of others');

CREATE FUNCTION t.as_attacker(statement text) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	result text;
BEGIN
	SET LOCAL ROLE attacker;
	EXECUTE statement INTO result;
	RESET ROLE;
	RETURN result;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE;
END
$$;
SET LOCAL row_security = off;
SELECT is(t.as_attacker('SELECT count(*) FROM temporal.execution'), '42501', 'row_security = off is an error, not a way out');
SELECT is(t.as_attacker($$SELECT temporal.describe_workflow('ours1', namespace => 'ours') #>> '{workflowExecutionInfo,execution,workflowId}'$$),
	'ours1', 'and does not matter to our functions');
SELECT is(t.as_attacker($$SELECT temporal.describe_workflow('theirs1', namespace => 'theirs')$$), 'TW700', 'neither way');
SET LOCAL row_security = on;
SELECT is(t.as_attacker($$SELECT count(*) FROM temporal.execution$$), (SELECT count(*)::text FROM temporal.execution e
	JOIN temporal.namespace n ON n.id = e.namespace_id WHERE n.name = 'ours'), 'a table shows what a view shows');
SELECT is(t.as_attacker($$SELECT count(*) FROM temporal.execution WHERE workflow_id LIKE 'theirs%'$$), '0', 'a pattern finds nothing of others');
SELECT is(t.as_attacker($$SELECT count(*) FROM pg_stats WHERE schemaname = 'temporal'$$), '0', 'nor do the statistics of the planner');
CREATE FUNCTION evil.as_owner() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM temporal.execution';
ALTER FUNCTION evil.as_owner() OWNER TO attacker;
SELECT is(evil.as_owner()::text, t.as_attacker($$SELECT count(*) FROM temporal.execution$$), 'a function shows what its owner may see');

\echo # its price

CREATE FUNCTION t.plan(query text) RETURNS SETOF text LANGUAGE plpgsql AS
$$
DECLARE
	line text;
BEGIN
	SET LOCAL ROLE attacker;
	FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || query LOOP
		RETURN NEXT line;
	END LOOP;
	RESET ROLE;
END
$$;
SELECT ok(bool_or(p LIKE '%Index Scan using execution_pkey on execution%')
		AND NOT bool_or(p LIKE '%Seq Scan on execution%' OR p LIKE '%Seq Scan on history%'), 'a workflow is found by the index of ids')
FROM t.plan($$SELECT * FROM temporal.workflows WHERE workflow_id = 'ours77'$$) p;
SELECT ok(bool_or(p LIKE '%execution_pkey%') AND bool_or(p LIKE '%history_pkey%')
		AND NOT bool_or(p LIKE '%Seq Scan on execution%' OR p LIKE '%Seq Scan on history%'), 'and its events by their key')
FROM t.plan($$SELECT * FROM temporal.events WHERE workflow_id = 'ours77'$$) p;
SELECT ok(bool_or(p LIKE '%execution_state_pkey%') AND bool_or(p LIKE '%execution_pkey%')
		AND NOT bool_or(p LIKE '%Seq Scan on execution%'), 'a run is found by its id')
FROM t.plan($$SELECT * FROM temporal.workflows WHERE run_id = '01a20432-fb5a-7e86-87b1-0f1f9a429962'$$) p;
SELECT is(count(*), 1::bigint, 'readable namespaces are asked for once a table')
FROM t.plan($$SELECT * FROM temporal.execution WHERE workflow_id = 'ours77'$$) p WHERE p ~ '^ *InitPlan'; -- 17 names it where it is used, too

-- ------------------------------------------------------- a schema made ready

\echo # the schema

DROP EXTENSION temporal;
CREATE FUNCTION temporal.max(bigint, bigint) RETURNS bigint LANGUAGE sql AS 'SELECT $1';
SELECT is(t.error_of('CREATE EXTENSION temporal'), '42P06 schema "temporal" is not empty', 'a schema with a function in it is refused');
DROP FUNCTION temporal.max(bigint, bigint);
ALTER SCHEMA temporal OWNER TO attacker;
SELECT is(t.error_of('CREATE EXTENSION temporal'), '42501 schema "temporal" is owned by attacker', 'and one that somebody else owns');
ALTER SCHEMA temporal OWNER TO postgres;
SELECT format('ALTER DEFAULT PRIVILEGES GRANT ALL ON %s TO attacker', o) FROM unnest('{tables,functions}'::text[]) o \gexec
GRANT ALL ON SCHEMA temporal TO attacker;
SELECT is(t.error_of('CREATE EXTENSION temporal'), NULL, 'an empty one of ours is used again');
SELECT is_empty($$
	SELECT has_schema_privilege('attacker', 'temporal', 'usage, create') AS any
	WHERE has_schema_privilege('attacker', 'temporal', 'usage, create')
	UNION ALL SELECT true FROM pg_class WHERE relnamespace = 'temporal'::regnamespace AND relkind = 'r'
		AND has_table_privilege('attacker', oid, 'select, insert, update, delete, truncate, references, trigger')
	UNION ALL SELECT true FROM pg_proc WHERE pronamespace = 'temporal'::regnamespace
		AND has_function_privilege('attacker', oid, 'execute')$$, 'whatever privileges are given by default');

SELECT * FROM finish();
ROLLBACK;
