-- Rights as they come and go: membership, "*", several queues, revocation,
-- roles that were dropped, tokens that were forged.
BEGIN;
\ir include/worker.sql
SELECT * FROM no_plan();

-- 'yes', or the SQLSTATE with which a role fails.  What was done is undone.
CREATE FUNCTION t.try(role text, statement text) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	result text;
BEGIN
	EXECUTE format('SET LOCAL ROLE %I', role);
	EXECUTE statement INTO result;
	RAISE EXCEPTION USING ERRCODE = 'UNDO1', MESSAGE = coalesce(result, '');
EXCEPTION WHEN OTHERS THEN
	RETURN CASE SQLSTATE WHEN 'UNDO1' THEN CASE SQLERRM WHEN 'false' THEN 'no' ELSE 'yes' END ELSE SQLSTATE END;
END
$$;

CREATE FUNCTION t.may_start(role text, namespace text) RETURNS text LANGUAGE sql AS
$$ SELECT t.try(role, format('SELECT temporal.start_workflow(''t'', namespace => %L)', namespace)) $$;
CREATE FUNCTION t.may_poll(role text, queue text, namespace text DEFAULT 'one') RETURNS text LANGUAGE sql AS
$$ SELECT t.try(role, format('SELECT temporal.poll_activity_tasks(%L, namespace => %L)', queue, namespace)) $$;
CREATE FUNCTION t.may_read(role text, namespace text) RETURNS text LANGUAGE sql AS
$$ SELECT t.try(role, format('SELECT EXISTS (SELECT FROM temporal.workflows WHERE namespace = %L)', namespace)) $$;

SELECT temporal.register_namespace(n) FROM unnest(ARRAY['one', 'two']) n \g /dev/null
SELECT temporal.start_workflow('t', namespace => n) FROM unnest(ARRAY['one', 'two', 'default']) n \g /dev/null
CREATE ROLE rights_group;
CREATE ROLE rights_member IN ROLE rights_group;
CREATE ROLE rights_apart NOINHERIT IN ROLE rights_group;
CREATE ROLE rights_other;

\echo # what a grant says

SELECT is(t.error_of($$SELECT temporal.grant_usage('rights_group', 'one', 'read')$$), '22023 invalid right: "read"', 'there are four rights');
SELECT is(t.error_of($$SELECT temporal.grant_usage('rights_group', 'one', 'client', 'q')$$),
	'22023 only the right "worker" can be limited to a task queue', 'only workers have a queue');
SELECT is(t.error_of($$SELECT temporal.grant_usage('rights_nobody', 'one', 'client')$$),
	'42704 role "rights_nobody" does not exist', 'the role must exist');
SELECT is(t.error_of($$SELECT temporal.grant_usage('public', 'one', 'client')$$),
	'42704 role "public" does not exist', 'PUBLIC is no role');
SELECT is(t.error_of($$SELECT temporal.grant_usage('rights_group', 'three', 'client')$$),
	'TW501 Namespace three is not found.', 'the namespace must exist');
SELECT is(t.error_of($$SELECT temporal.grant_usage(NULL, 'one', 'client')$$), '22004 role_name must not be null', 'null is nobody');

\echo # membership

SELECT is(t.may_start('rights_member', 'one'), '42501', 'no right, no call');
SELECT temporal.grant_usage('rights_group', 'one', 'client') \g /dev/null
SELECT is(t.may_start('rights_group', 'one'), 'yes', 'a right');
SELECT is(t.may_start('rights_member', 'one'), 'yes', 'members have it');
SELECT is(t.may_read('rights_member', 'one'), 'yes', 'members read');
SELECT is(t.may_read('rights_member', 'two'), 'no', 'and see nothing of others');
SELECT is(t.may_start('rights_apart', 'one'), '42501', 'members that do not inherit have it not');
SELECT is(t.may_start('rights_member', 'two'), 'TW700', 'it is for one namespace');
SELECT is(t.may_start('rights_member', 'three'), 'TW700', 'one that does not exist looks the same');
SELECT is(t.may_start('rights_other', 'one'), '42501', 'others have nothing');
REVOKE rights_group FROM rights_member;
SELECT is(t.may_start('rights_member', 'one'), '42501', 'those who were members have it no more');

\echo # several rights

SELECT temporal.grant_usage('rights_other', 'one', 'worker', 'a'), temporal.grant_usage('rights_other', 'one', 'worker', 'b') \g /dev/null
SELECT is(t.may_poll('rights_other', 'a') || t.may_poll('rights_other', 'b') || t.may_poll('rights_other', 'c'),
	'yesyesTW700', 'a worker of two queues');
SELECT is(t.may_read('rights_other', 'one'), '42501', 'a worker does not read tables');
SELECT temporal.grant_usage('rights_other', 'one', 'worker') \g /dev/null
SELECT is(t.may_poll('rights_other', 'c'), 'yes', 'a worker of all queues');
SELECT temporal.revoke_usage('rights_other', 'one', 'worker', '') \g /dev/null
SELECT is(t.may_poll('rights_other', 'a') || t.may_poll('rights_other', 'c'), 'yesTW700', 'one right is taken back');
SELECT temporal.grant_usage('rights_other', 'one', 'viewer') \g /dev/null
SELECT is(t.may_read('rights_other', 'one') || t.may_poll('rights_other', 'a'), 'yesyes', 'a worker that reads');
SELECT temporal.revoke_usage('rights_other', 'one', 'viewer') \g /dev/null
SELECT is(t.may_read('rights_other', 'one') || t.may_poll('rights_other', 'a'), '42501yes', 'a worker again');
SELECT temporal.revoke_usage('rights_other', 'one') \g /dev/null
SELECT is(t.may_poll('rights_other', 'a'), '42501', 'all rights are taken back');
SELECT is_empty($$
	SELECT oid::regclass::text FROM pg_class, aclexplode(relacl) a WHERE a.grantee = 'rights_other'::regrole
	UNION ALL SELECT oid::regprocedure::text FROM pg_proc, aclexplode(proacl) a WHERE a.grantee = 'rights_other'::regrole
	UNION ALL SELECT nspname FROM pg_namespace, aclexplode(nspacl) a WHERE a.grantee = 'rights_other'::regrole$$,
	'and nothing is left of them');
DROP ROLE rights_other;
CREATE ROLE rights_other;

\echo # every namespace

SELECT temporal.grant_usage('rights_other', '*', 'client') \g /dev/null
SELECT is(t.may_start('rights_other', 'one') || t.may_start('rights_other', 'two') || t.may_start('rights_other', 'default'),
	'yesyesyes', '"*" is every namespace');
SELECT is(t.may_read('rights_other', 'one') || t.may_read('rights_other', 'two') || t.may_read('rights_other', 'default'),
	'yesyesyes', 'for reading too');
SELECT is(t.may_start('rights_other', 'three'), 'TW501', 'and may know what does not exist');
SELECT is(t.try('rights_other', 'SELECT temporal.tick()'), 'TW700', 'a client does not tick');
SELECT temporal.grant_usage('rights_other', '*', 'admin') \g /dev/null
SELECT is(t.try('rights_other', 'SELECT temporal.tick()') || t.try('rights_other', 'SELECT temporal.adopt()')
	|| t.try('rights_other', $$SELECT temporal.register_namespace('new')$$), 'yesyesyes', 'an administrator of everything does');
SELECT temporal.grant_usage('rights_group', 'one', 'admin') \g /dev/null
SELECT is(t.try('rights_group', $$SELECT temporal.grant_usage('rights_member', 'one', 'client')$$), 'yes',
	'an administrator grants in its namespace');
SELECT is(t.try('rights_group', $$SELECT temporal.grant_usage('rights_member', 'two', 'client')$$), 'TW700', 'not in others');
SELECT is(t.try('rights_group', $$SELECT temporal.grant_usage('rights_member', '*', 'client')$$), 'TW700', 'nor in all');
SELECT is(t.try('rights_group', $$SELECT temporal.revoke_usage('rights_other', '*')$$), 'TW700', 'nor does it take back there');

\echo # roles that are gone

SELECT temporal.grant_usage('rights_member', 'two', 'admin') \g /dev/null
SELECT is(t.error_of('DROP ROLE rights_member'), '2BP01 role "rights_member" cannot be dropped because some objects depend on it',
	'a role with rights is not dropped by accident');
DROP OWNED BY rights_member;
DROP ROLE rights_member;
CREATE ROLE rights_member IN ROLE rights_group;
SELECT is(t.may_start('rights_member', 'one') || t.may_start('rights_member', 'two'), 'yesTW700',
	'a role of the same name has what its group has, not what its predecessor had');
SELECT temporal.grant_usage('rights_member', 'one', 'viewer') \g /dev/null
SELECT is(t.may_start('rights_member', 'two') || t.may_read('rights_member', 'two'), 'TW700no', 'nor when it gets a right of its own');
SELECT is((SELECT count(*) FROM temporal.access WHERE role_name = 'rights_member'), 1::bigint, 'the old rights are forgotten');
DROP OWNED BY rights_member;
DROP ROLE rights_member;
SELECT is(t.error_of($$SELECT temporal.revoke_usage('rights_member', 'one')$$), NULL, 'the rights of a dropped role can be taken back');
SELECT is((SELECT count(*) FROM temporal.access WHERE role_name = 'rights_member'), 0::bigint, 'and are gone');
CREATE ROLE "Rights "" of ""public""";
SELECT temporal.grant_usage('Rights " of "public"', 'one', 'client') \g /dev/null
SELECT is(t.may_start('Rights " of "public"', 'one'), 'yes', 'names are quoted');

\echo # tokens

CREATE ROLE rights_worker;
SELECT temporal.grant_usage('rights_worker', 'one', 'worker', 'a') \g /dev/null
SELECT temporal.start_workflow('t', workflow_id => 'w' || n || q, namespace => n, task_queue => q)
FROM unnest(ARRAY['one', 'two']) n, unnest(ARRAY['a', 'b']) q \g /dev/null
CREATE FUNCTION t.token(namespace text, queue text) RETURNS text LANGUAGE sql AS
$$ SELECT temporal.poll_workflow_task(queue, namespace => namespace) ->> 'taskToken' $$;
SELECT t.token('one', 'a') AS own, t.token('one', 'b') AS queue, t.token('two', 'a') AS namespace \gset
CREATE FUNCTION t.may_complete(token text, namespace text DEFAULT NULL) RETURNS text LANGUAGE sql AS
$$ SELECT t.try('rights_worker', format('SELECT temporal.complete_workflow_task(%L, namespace => %L)', token, namespace)) $$;
SELECT is(t.may_complete(:'own'), 'yes', 'a worker completes a task of its queue');
SELECT is(t.may_complete(:'queue'), 'TW700', 'not one of another queue');
SELECT is(t.may_complete(:'namespace'), 'TW700', 'not one of another namespace');
SELECT is(t.may_complete(:'namespace', 'one'), 'TW300', 'not by calling it its own');
SELECT is(t.may_complete(:'namespace', 'two'), 'TW700', 'nor by calling it what it is');
SELECT is(t.may_complete(translate(:'own', 'ABCDEF', 'FEDCBA')), 'TW300', 'a token is not guessed');
SELECT is(t.may_complete(encode(decode(:'own', 'base64') || '\x00', 'base64')), 'TW300', 'nor made longer');

-- Takes B's tasks for those of a sticky queue that belongs to A.
SELECT is(t.try('rights_worker', $$SELECT temporal.poll_workflow_task('a', namespace => 'one', sticky_queue => 'mine')$$), 'yes',
	'a worker polls a sticky queue of its own');
SELECT temporal.start_workflow('t', namespace => 'one', task_queue => 'b') \g /dev/null
SELECT is(t.try('rights_worker', $$SELECT temporal.poll_workflow_task('a', namespace => 'one', sticky_queue => 'b')$$), 'TW700',
	'not the queue of others');

\echo # a viewer looks and no more

CREATE ROLE rights_viewer;
SELECT temporal.grant_usage('rights_viewer', 'one', 'viewer') \g /dev/null
SELECT is(t.try('rights_viewer', $$SELECT temporal.signal_workflow('wonea', 's', namespace => 'one')$$), 'TW700', 'it does not signal');
SELECT is(t.try('rights_viewer', $$UPDATE temporal.execution SET status = 2$$), '42501', 'it does not update');
SELECT is(t.try('rights_viewer', $$DELETE FROM temporal.task$$), '42501', 'it does not delete');
SELECT is(t.try('rights_viewer', $$INSERT INTO temporal.access VALUES ('rights_viewer', '00000000-0000-0000-0000-000000000000', 'admin')$$),
	'42501', 'it does not give itself rights');
SELECT is(t.try('rights_viewer', $$SELECT count(*) FROM temporal.execution FOR UPDATE$$), '0A000', 'it does not lock');
SELECT is(t.try('rights_viewer', $$SELECT FROM temporal.execution LIMIT 1 FOR UPDATE$$), '42501', 'it does not lock');
SELECT is(t.try('rights_viewer', $$LOCK TABLE temporal.task IN ACCESS EXCLUSIVE MODE$$), '42501', 'nor whole tables');
SELECT is(t.try('rights_viewer', $$SELECT nextval(s.oid) FROM pg_class s WHERE relkind = 'S' AND relnamespace = 'temporal'::regnamespace$$),
	'yes', 'there is no sequence to use up');
SELECT is(t.try('rights_viewer', $$SET temporal.clock_offset = 1000$$), '42501', 'it does not travel in time');

-- Some tables do not name the default namespace.
CREATE ROLE rights_default;
SELECT temporal.grant_usage('rights_default', 'default', 'viewer') \g /dev/null
CREATE FUNCTION t.sees(role text, relation text) RETURNS text LANGUAGE sql AS
$$
	SELECT t.try(role, format('SELECT EXISTS (SELECT FROM temporal.%s r JOIN m.runs USING (run_id) WHERE m.runs.namespace = %L)',
		relation, namespace)) || ' ' || t.try(role, format('SELECT EXISTS (SELECT FROM temporal.%s r JOIN m.runs USING (run_id) WHERE m.runs.namespace <> %L)',
		relation, namespace))
	FROM (SELECT CASE role WHEN 'rights_default' THEN 'default' ELSE 'one' END AS namespace) n
$$;
CREATE SCHEMA m;
CREATE TABLE m.runs AS SELECT run_id, namespace FROM temporal.workflows;
GRANT USAGE ON SCHEMA m TO rights_viewer, rights_default;
GRANT SELECT ON m.runs TO rights_viewer, rights_default;
SELECT is((SELECT bool_or(namespace_id IS NULL) AND bool_or(namespace_id IS NOT NULL) FROM temporal.history)
	AND (SELECT bool_or(namespace_id IS NULL) AND bool_or(namespace_id IS NOT NULL) FROM temporal.task), true, 'there are rows of both kinds');
SELECT is(t.sees(role, relation), 'yes no', role || ' sees ' || relation || ' of its namespace alone')
FROM unnest(ARRAY['rights_viewer', 'rights_default']) role, unnest(ARRAY['history', 'task', 'events']) relation;

\echo # who may make time pass on

CREATE ROLE rights_ticker LOGIN;
CREATE ROLE rights_of_queue LOGIN;
SELECT temporal.grant_usage('rights_ticker', 'one', 'worker'), temporal.grant_usage('rights_ticker', 'one', 'client'),
	temporal.grant_usage('rights_of_queue', 'one', 'worker', 'a'), temporal.grant_usage('rights_of_queue', 'one', 'client') \g /dev/null
SELECT temporal.start_workflow('t', workflow_id => 'later ' || n, task_queue => 'later', namespace => n, start_delay => '5 s')
FROM unnest(ARRAY['one', 'two']) n \g /dev/null
SET LOCAL temporal.clock_offset = '10 s';
CREATE FUNCTION t.due() RETURNS text LANGUAGE sql AS
$$ SELECT coalesce(string_agg(namespace, ' ' ORDER BY namespace), '') FROM temporal.task_queues WHERE task_queue = 'later' $$;
SELECT is(t.try('rights_viewer', $$SELECT temporal.tick()$$), 'TW700', 'a viewer does not');
SELECT is(t.try('rights_of_queue', $$SELECT temporal.tick() = 0$$), 'yes', 'a worker of one queue does not for others');
SELECT is(t.try('rights_ticker', $$SELECT temporal.skip_time('1 s')$$), 'TW700', 'nor does anyone travel');
SET LOCAL SESSION AUTHORIZATION rights_of_queue;
SELECT temporal.tick() \g /dev/null
RESET SESSION AUTHORIZATION;
SELECT is(t.due(), '', 'nothing has happened');
SET LOCAL SESSION AUTHORIZATION rights_ticker;
SELECT temporal.tick() AS done \gset
RESET SESSION AUTHORIZATION;
SELECT is(:done > 0, true, 'a worker of a namespace does what is due there');
SELECT is(t.due(), 'one', 'and nowhere else');
SELECT temporal.tick() \g /dev/null
SELECT is(t.due(), 'one two', 'an administrator does all');

CREATE SCHEMA rights_own;
GRANT USAGE ON SCHEMA t TO rights_of_queue;
GRANT USAGE, CREATE ON SCHEMA rights_own TO rights_of_queue;
CREATE TABLE rights_own.of_admin (a integer);
SET LOCAL SESSION AUTHORIZATION rights_of_queue;
CREATE FUNCTION rights_own.act() RETURNS text LANGUAGE sql AS $$ SELECT session_user::text $$;
CREATE FUNCTION rights_own.steal() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM rights_own.of_admin $$;
CREATE FUNCTION rights_own.flow(what text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN temporal.execute_activity(what, maximum_attempts => 1, result => what); END $$;
SELECT temporal.register_workflow('rights_own.flow', task_queue => 'a', namespace => 'one'),
	temporal.register_activity('rights_own.act', task_queue => 'a', namespace => 'one'),
	temporal.register_activity('rights_own.steal', task_queue => 'a', namespace => 'one') \g /dev/null
SELECT temporal.start_workflow('flow', to_jsonb(w), workflow_id => w, namespace => 'one') FROM unnest(ARRAY['act', 'steal']) w \g /dev/null
SELECT temporal.tick() \g /dev/null
SELECT is(temporal.workflow_result('act', namespace => 'one'), '"rights_of_queue"', 'it tests its own functions');
SELECT matches(t.error_of($$SELECT temporal.workflow_result('steal', namespace => 'one')$$), '^TF001 .*permission denied for table of_admin', 'with its own rights');
RESET SESSION AUTHORIZATION;

SELECT * FROM finish();
ROLLBACK;
