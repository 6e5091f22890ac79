# Executors: processes that run registered functions by themselves.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'temporal'
max_worker_processes = 16
restart_after_crash = on
temporal.check_state = on
});
$node->start;
# The superuser has the name of whoever runs the tests.
my $superuser = $node->safe_psql('postgres', 'SELECT current_user');

sub sql
{
	return $node->safe_psql('postgres', $_[0]);
}

sub error_of
{
	my ($ret, $out, $err) = $node->psql('postgres', $_[0]);

	return $err;
}

# Starts a workflow and waits for its result, or its failure.
sub outcome
{
	my ($type, $input) = @_;
	my $argument = defined $input ? "'$input'" : 'NULL';
	my ($ret, $out, $err) = $node->psql('postgres',
		"CALL temporal.execute_workflow('$type', $argument, timeout => '20 s')");

	return $ret == 0 ? $out : $err;
}

sub executors
{
	return sql(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'temporal executor'});
}

sql(q{
	CREATE EXTENSION temporal;
	CREATE SCHEMA app;
	CREATE TABLE app.done (what text, who text DEFAULT session_user, at timestamptz DEFAULT clock_timestamp());
	CREATE FUNCTION app.act(what text) RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		INSERT INTO app.done VALUES (what);
		RETURN what || ' as ' || session_user;
	END $$;
	CREATE FUNCTION app.flow(what text) RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		RETURN temporal.execute_activity('act', what, result => what);
	END $$;
});
is(executors(), '0', 'without registrations there are no executors');
sql(q{SELECT temporal.register_workflow('app.flow'), temporal.register_activity('app.act')});
$node->poll_query_until('postgres', q{SELECT count(*) = 2 FROM pg_stat_activity WHERE backend_type = 'temporal executor'})
	or die 'executors did not start';
is(sql(q{SELECT count(*) FROM temporal.stat_workers() WHERE kind = 'executor' AND state = 'running'}), '2', 'they are listed');
like(outcome('flow', '"a"'), qr/"a as \Q$superuser\E"/, 'a workflow runs by itself');

note 'as the role that registered, and nobody else';

sql(q{
	CREATE ROLE keeper_of_shop LOGIN;
	CREATE ROLE stranger NOLOGIN;
	CREATE ROLE mighty NOLOGIN SUPERUSER;
	SELECT temporal.grant_usage('keeper_of_shop', 'default', 'worker'), temporal.grant_usage('keeper_of_shop', 'default', 'client');
	SELECT temporal.grant_usage('stranger', 'default', 'worker');
	CREATE SCHEMA shop AUTHORIZATION keeper_of_shop;
	CREATE SCHEMA strange AUTHORIZATION stranger;
	SET ROLE keeper_of_shop;
	CREATE TABLE shop.seen (what text);
	CREATE FUNCTION shop.who() RETURNS text LANGUAGE sql AS 'SELECT session_user || current_user';
	CREATE FUNCTION shop.steal() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT count(*)::text FROM app.done); END $$;
	CREATE FUNCTION shop.rise() RETURNS text LANGUAGE plpgsql AS $$ BEGIN SET ROLE mighty; RETURN current_user; END $$;
	CREATE FUNCTION shop.settle() RETURNS text LANGUAGE plpgsql AS $$ BEGIN SET search_path = shop; SET work_mem = '77kB'; CREATE TEMP TABLE mine ();
		PERFORM pg_advisory_lock(7); EXECUTE 'DECLARE held CURSOR WITH HOLD FOR SELECT 1'; PREPARE p AS SELECT 1; RETURN 'settled'; END $$;
	CREATE FUNCTION shop.left_over() RETURNS text LANGUAGE sql AS $$ SELECT concat_ws(',', current_setting('work_mem'), current_setting('search_path'),
		to_regclass('pg_temp.mine'), (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'), (SELECT count(*) FROM pg_cursors),
		(SELECT count(*) FROM pg_prepared_statements)) $$;
	SELECT temporal.register_activity('shop.' || f, task_queue => 'shop', maximum_attempts => 1)
		FROM unnest(ARRAY['who', 'steal', 'rise', 'settle', 'left_over']) f;
	CREATE FUNCTION shop.call(name text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN temporal.execute_activity(name, result => name); END $$;
	SELECT temporal.register_workflow('shop.call', task_queue => 'shop');
	RESET ROLE;
});
like(outcome('call', '"who"'), qr/"keeper_of_shopkeeper_of_shop"/, 'a function runs in a session of its role');
like(outcome('call', '"steal"'), qr/permission denied for schema app/, 'with the rights of that role');
like(outcome('call', '"rise"'), qr/permission denied to set role "mighty"/, 'which it cannot leave');
my $clean = outcome('call', '"left_over"');
like(outcome('call', '"settle"'), qr/settled/, 'a function leaves things behind');
is(outcome('call', '"left_over"'), $clean, 'of which the next one finds nothing');
sql(q{SET ROLE keeper_of_shop;
	CREATE FUNCTION shop.prepare() RETURNS text LANGUAGE plpgsql AS $$ BEGIN PREPARE once AS SELECT 1; RETURN 'prepared'; END $$;
	CREATE FUNCTION shop.scratch() RETURNS text LANGUAGE plpgsql AS $$ BEGIN CREATE TEMP TABLE IF NOT EXISTS scratch (a integer);
		INSERT INTO scratch VALUES (1); RETURN (SELECT count(*) || ' row' FROM scratch); END $$;
	SELECT temporal.register_activity('shop.' || f, task_queue => 'shop', maximum_attempts => 1) FROM unnest(ARRAY['prepare', 'scratch']) f;
	CREATE FUNCTION shop.twice(name text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN
		RETURN concat_ws(', ', temporal.execute_activity(name, result => name), temporal.execute_activity(name, result => name)); END $$;
	SELECT temporal.register_workflow('shop.twice', task_queue => 'shop');
	RESET ROLE;});
like(outcome('twice', '"prepare"'), qr/"prepared, prepared"/, 'nor does it in the same pass: what cannot be made twice');
like(outcome('twice', '"scratch"'), qr/"1 row, 1 row"/, 'and what would be found again');

# Between two calls an activity waits for others no longer than in a pass: so
# long its transaction holds what was done before it.
sql(q{SET ROLE keeper_of_shop;
	CREATE TABLE shop.seat AS SELECT 1 AS a;
	CREATE FUNCTION shop.sit() RETURNS text LANGUAGE plpgsql AS $$ BEGIN UPDATE shop.seat SET a = a + 1; RETURN 'sat'; END $$;
	SELECT temporal.register_activity('shop.sit', task_queue => 'shop', start_to_close_timeout => '1 h');
	CREATE FUNCTION shop.sits() RETURNS text LANGUAGE plpgsql AS $$ BEGIN
		PERFORM temporal.execute_activity('scratch'); RETURN temporal.execute_activity('sit', result => ''::text); END $$;
	SELECT temporal.register_workflow('shop.sits', task_queue => 'shop');
	RESET ROLE;});
sql(q{ALTER SYSTEM SET temporal.pass_timeout = '1h'});
$node->reload;
my $holder = $node->background_psql('postgres');
$holder->query_safe('BEGIN; LOCK TABLE shop.seat');
sql(q{SELECT temporal.start_workflow('call', '"who"', 'before ' || i) FROM generate_series(1, 20) i
	UNION ALL SELECT temporal.start_workflow('sits', NULL, 'sits')});
ok($node->poll_query_until('postgres', q{SELECT count(*) = 20 FROM temporal.workflows WHERE workflow_id LIKE 'before %' AND status = 'Completed'}),
	'who waits for a lock does not keep others');
$holder->query_safe('COMMIT');
$holder->quit;
ok($node->poll_query_until('postgres', q{SELECT status = 'Completed' FROM temporal.workflows WHERE workflow_id = 'sits'}), 'and has it in the end');
sql('ALTER SYSTEM RESET temporal.pass_timeout');
$node->reload;
sql(q{CREATE FUNCTION shop.given() RETURNS text LANGUAGE sql AS 'SELECT 1'; ALTER FUNCTION shop.given() OWNER TO keeper_of_shop;
	SET ROLE keeper_of_shop; SELECT temporal.register_activity('shop.given', task_queue => 'shop', maximum_attempts => 1); RESET ROLE;
	ALTER FUNCTION shop.given() OWNER TO mighty});
like(outcome('call', '"given"'), qr/function shop.given\(\) is not owned by role "keeper_of_shop"/, 'a function that has another owner now is not called');
sql('REVOKE EXECUTE ON FUNCTION shop.who() FROM PUBLIC, keeper_of_shop');
like(outcome('call', '"who"'), qr/permission denied for function who/, 'nor one that it may not call any more');
sql('GRANT EXECUTE ON FUNCTION shop.who() TO keeper_of_shop');
like(outcome('call', '"who"'), qr/"keeper_of_shopkeeper_of_shop"/, 'but again when it may');
sql(q{CREATE TABLE shop.trap (a integer); ALTER TABLE shop.trap OWNER TO keeper_of_shop;
	SET ROLE keeper_of_shop;
	CREATE FUNCTION shop.spring() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO shop.seen VALUES (session_user); RETURN NULL; END $$;
	CREATE CONSTRAINT TRIGGER spring AFTER INSERT ON shop.trap DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION shop.spring();
	CREATE FUNCTION shop.bait() RETURNS text LANGUAGE plpgsql AS $$ BEGIN INSERT INTO shop.trap VALUES (1); RETURN 'set'; END $$;
	SELECT temporal.register_activity('shop.bait', task_queue => 'shop', maximum_attempts => 1); RESET ROLE;});
like(outcome('call', '"bait"'), qr/"set"/, 'what a function leaves for the commit');
is(sql('SELECT * FROM shop.seen'), 'keeper_of_shop', 'runs as its role, too');
SKIP: {
	skip 'PostgreSQL 17 lets workers connect as such a role', 1 if $node->pg_version >= 17;
	like(error_of(q{SET ROLE stranger; CREATE FUNCTION strange.f() RETURNS text LANGUAGE sql AS 'SELECT 1';
			SELECT temporal.register_activity('strange.f', task_queue => 'strange')}),
		qr/role "stranger" cannot log in/, 'a role that cannot log in is told so');
}

like(error_of(q{CREATE FUNCTION app.careless() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	t timestamptz := now();	-- not random()
BEGIN
	RETURN 'unknown' || temporal.workflow_now() || temporal.side_effect((random() + 1) * 2,
		result => clock_timestamp());
END $$;
SELECT temporal.register_workflow('app.careless')}),
	qr/^[^\n]*WARNING:  line 3 of app.careless\(\) uses now, which may differ [^\n]*\nHINT:  [^\n]*temporal.workflow_now\(\)[^\n]*\n?\z/,
	'what differs in each replay is warned of, and nothing else');
sql(q{SELECT temporal.unregister_workflow('careless')});
is(error_of(q{CREATE FUNCTION app.reads(e text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	n bigint := (SELECT count(*) FROM unnest('{1}'::int[]) done);	-- a variable, FROM app.done
BEGIN /* FROM app.done */
	n := temporal.step('count', 'SELECT count(*) FROM app.done');
	n := temporal.step('now', $q$ SELECT now() FROM app.done $q$, $1);
	RETURN (SELECT n + extract(year FROM temporal.workflow_now()) FROM pg_class a JOIN App.Done b ON true);
END $$;
SET client_min_messages = warning; SELECT temporal.register_workflow('app.reads')}) =~ s/psql:[^ ]* //gr,
	join('', map { "WARNING:  line 7 of app.reads(text) uses table $_, which may differ each time the function is called\n"
			. "HINT:  A workflow function is called many times. Use an activity or temporal.step().\n" } 'pg_class', 'app.done') =~ s/\n\z//r,
	'so are tables that it reads');
sql(q{SELECT temporal.unregister_workflow('reads')});

note 'an activity that others complete';

sql(q{
	CREATE TABLE app.token (t text);
	CREATE FUNCTION app.later(what text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN INSERT INTO app.token VALUES (temporal.complete_later()); RETURN 'ignored'; END $$;
	CREATE FUNCTION app.waits(what text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN temporal.execute_activity('later', what, result => what); END $$;
	SELECT temporal.register_workflow('app.waits'), temporal.register_activity('app.later', transactional => false);
	SELECT temporal.start_workflow('waits', '"x"', workflow_id => 'waits')});
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM app.token});
sql(q{ALTER SYSTEM SET temporal.executors = 0; SELECT pg_reload_conf()});
$node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'temporal executor'});
sql(q{ALTER SYSTEM RESET temporal.executors; SELECT pg_reload_conf()});
is(sql(q{SELECT state || attempt FROM temporal.pending_activities}), 'Started1', 'it outlives its process');
sql(q{SELECT temporal.complete_activity_task(t, '"done by hand"') FROM app.token});
like(sql(q{CALL temporal.await_result('waits', '20 s')}), qr/done by hand/, 'and is completed by whoever has the token');

note 'an activity whose workflow is locked when it completes';

sql(q{
	CREATE SEQUENCE app.calls;
	CREATE FUNCTION app.gate() RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval('app.calls'), pg_advisory_xact_lock(77); RETURN 'through'; END $$;
	CREATE FUNCTION app.gated() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN temporal.execute_activity('gate', result => ''::text); END $$;
	SELECT temporal.register_workflow('app.gated'), temporal.register_activity('app.gate', transactional => false)});
my $gate = $node->background_psql('postgres');
$gate->query_safe('SELECT pg_advisory_lock(77)');
sql(q{SELECT temporal.start_workflow('gated', workflow_id => 'gated')});
$node->poll_query_until('postgres', 'SELECT is_called FROM app.calls');
# Longer than a process of ours waits for what holds up others, too.
$gate->query_safe(q{BEGIN; SELECT temporal.signal_workflow('gated', 'any'); SELECT pg_advisory_unlock(77); SELECT pg_sleep(0.3); COMMIT});
$gate->quit;
like(error_of(q{CALL temporal.await_result('gated', '20 s')}) . sql(q{SELECT status FROM temporal.workflows WHERE workflow_id = 'gated'}),
	qr/^Completed$/, 'it waits');
is(sql('SELECT last_value FROM app.calls'), '1', 'and what it has done elsewhere is not done again');

note 'a workflow function that takes its time';

sql(q{
	CREATE FUNCTION app.ponder() RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.4); RETURN 'so'; END $$;
	SELECT temporal.register_workflow('app.ponder');
	SELECT temporal.start_workflow('ponder', workflow_id => 'ponder ' || i) FROM generate_series(1, 3) i});
like(sql(qq{CALL temporal.await_result('ponder $_', '20 s')}), qr/so/, "the pondering one $_ ends") for 1 .. 3;
# One that has cancelled before it does.
sql(q{
	CREATE FUNCTION app.regret() RETURNS text LANGUAGE plpgsql AS $$
	DECLARE h bigint := temporal.start_activity('gate');
	BEGIN
		PERFORM temporal.cancel_handle(h);
		PERFORM temporal.await(h);
	EXCEPTION WHEN SQLSTATE 'TF012' THEN
		PERFORM pg_sleep(0.4);
		RETURN 'regretted';
	END $$;
	SELECT temporal.register_workflow('app.regret');
	SELECT temporal.start_workflow('regret', workflow_id => 'ponder and regret')});
like(sql(q{CALL temporal.await_result('ponder and regret', '20 s')}), qr/regretted/, 'so does one that has cancelled an activity');
# Much done in one pass takes long.
sql(q{
	CREATE TABLE app.much (i integer);
	CREATE FUNCTION app.bit(i integer) RETURNS void LANGUAGE plpgsql AS $$ BEGIN INSERT INTO app.much VALUES (i); PERFORM pg_sleep(0.03); END $$;
	CREATE FUNCTION app.busy() RETURNS text LANGUAGE plpgsql AS $$ BEGIN
		FOR i IN 1 .. 12 LOOP PERFORM temporal.execute_activity('bit', i); END LOOP; RETURN 'done'; END $$;
	SELECT temporal.register_workflow('app.busy'), temporal.register_activity('app.bit');
	SELECT temporal.start_workflow('busy', workflow_id => 'ponder busy ' || i) FROM generate_series(1, 3) i});
like(sql(qq{CALL temporal.await_result('ponder busy $_', '20 s')}), qr/done/, "and the busy one $_") for 1 .. 3;
is(sql('SELECT count(*) || count(DISTINCT i)::text FROM app.much'), '3612', 'which does everything once');
is(sql(q{SELECT count(*) FROM temporal.events WHERE workflow_id LIKE 'ponder%' AND event_type IN ('WorkflowTaskFailed', 'WorkflowTaskTimedOut')}),
	'0', 'and all have only been put off');

note 'what fails, fails alone';

sql(q{
	CREATE TABLE app.parent (id integer PRIMARY KEY);
	CREATE TABLE app.child (id integer REFERENCES app.parent DEFERRABLE INITIALLY DEFERRED);
	CREATE FUNCTION app.adopt(id integer) RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		INSERT INTO app.child VALUES (id);
		IF id > 0 THEN INSERT INTO app.parent VALUES (id); END IF;
		RETURN 'adopted';
	END $$;
	CREATE FUNCTION app.nap(seconds double precision) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(seconds); RETURN 'slept'; END $$;
	CREATE FUNCTION app.spin() RETURNS text LANGUAGE plpgsql AS $$ BEGIN LOOP END LOOP; END $$;
	CREATE FUNCTION app.bug() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN app.none(); END $$;
	CREATE FUNCTION app.family(id integer) RETURNS text LANGUAGE plpgsql AS $$
		BEGIN RETURN temporal.execute_activity('adopt', id, maximum_attempts => 1, result => ''::text); END $$;
	CREATE FUNCTION app.tired(seconds double precision) RETURNS text LANGUAGE plpgsql AS $$
		BEGIN RETURN temporal.execute_activity('nap', seconds, start_to_close_timeout => '1 s', maximum_attempts => 1, result => ''::text); END $$;
	CREATE FUNCTION app.outside(what text) RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		RETURN (SELECT state || attempt FROM temporal.pending_activities WHERE activity_type = 'outside');
	END $$;
	CREATE FUNCTION app.abroad() RETURNS text LANGUAGE plpgsql AS $$
		BEGIN RETURN temporal.execute_activity('outside', 'x'::text, result => ''::text); END $$;
	SELECT temporal.register_workflow('app.' || f) FROM unnest(ARRAY['family', 'tired', 'spin', 'bug', 'abroad']) f;
	SELECT temporal.register_activity('app.adopt'), temporal.register_activity('app.nap'), temporal.register_activity('app.outside', transactional => false);
});
like(outcome('tired', '0.1'), qr/"slept"/, 'an activity takes its time');
like(outcome('tired', '50'), qr/activity "nap" failed: activity function did not return within 1000 ms/, 'but not more than it may');
like(outcome('abroad'), qr/"Started1"/, 'one with effects elsewhere is known to have begun');
sql(q{SELECT temporal.start_workflow('spin', workflow_id => 'spin'), temporal.start_workflow('bug', workflow_id => 'bug');
	SELECT temporal.start_workflow('family', i::text::jsonb, workflow_id => 'family ' || i) FROM generate_series(-3, 60) i});
ok($node->poll_query_until('postgres', q{SELECT count(*) = 60 FROM temporal.workflows WHERE workflow_id LIKE 'family%' AND status = 'Completed'}),
	'beside one that never returns and one with a bug, all others complete');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 4 FROM temporal.workflows WHERE workflow_id LIKE 'family%' AND status = 'Failed'}),
	'those whose commit fails fail');
like(error_of(q{SELECT temporal.workflow_result('family -1')}), qr/violates foreign key constraint/, 'for that reason');
is(sql(q{SELECT count(*) = 60 AND min(id) = 1 FROM app.child}), 't', 'each has done its work once');
is(sql(q{SELECT attributes #>> '{failure,message}' FROM temporal.history('bug') WHERE event_type = 'WorkflowTaskFailed'}),
	'function app.none() does not exist', 'a bug fails the workflow task');
$node->poll_query_until('postgres', q{SELECT EXISTS (SELECT FROM temporal.history('spin') WHERE event_type = 'WorkflowTaskFailed')});
like(sql(q{SELECT attributes #>> '{failure,message}' FROM temporal.history('spin') WHERE event_type = 'WorkflowTaskFailed'}),
	qr/neither waited nor returned within 1000 ms/, 'so does an endless loop');
like(sql(q{SELECT waiting_for FROM temporal.workflows WHERE workflow_id = 'spin'}),
	qr/^workflow task, attempt \d+: WorkflowTaskFailed WorkflowWorkerUnhandledFailure: .* within 1000 ms$/, 'as is seen');
ok($node->poll_query_until('postgres', q{SELECT detail LIKE 'open runs: 2, one of them workflow "%", attempt %: WorkflowTaskFailed %' FROM temporal.status()}),
	'both are the only problem: what went wrong for a worker before is over');
sql(q{SELECT temporal.terminate_workflow('spin'), temporal.terminate_workflow('bug')});

note 'cancelled, killed';

sql(q{SELECT temporal.start_workflow('tired', '0.9', workflow_id => 'cancelled')});
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'temporal executor' AND wait_event = 'PgSleep'});
sql(q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE backend_type = 'temporal executor' AND wait_event = 'PgSleep'});
like(error_of(q{CALL temporal.await_result('cancelled', '20 s')}), qr/canceling statement due to user request/, 'pg_cancel_backend() fails the attempt');

sql(q{SELECT temporal.start_workflow('flow', to_jsonb('k' || i), workflow_id => 'k' || i) FROM generate_series(1, 300) i});
my $pid = sql(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'temporal executor' LIMIT 1});
kill 'KILL', $pid;
$node->poll_query_until('postgres', 'SELECT true') or die 'the server did not come back';
ok($node->poll_query_until('postgres', q{SELECT count(*) = 300 FROM temporal.workflows WHERE workflow_id LIKE 'k%' AND status = 'Completed'}),
	'an executor is killed, and all workflows complete');
is(sql(q{SELECT count(*) = 300 AND count(DISTINCT what) = 300 FROM app.done WHERE what LIKE 'k%'}), 't', 'each has done its work once');

# Several that take longer than a pass may: the first is run by the process that
# has the workflow, and the others do not wait for it.
sql(q{
	CREATE FUNCTION app.doze() RETURNS void LANGUAGE sql AS 'SELECT pg_sleep(0.4)';
	CREATE FUNCTION app.dozes() RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM temporal.await_all(ARRAY[temporal.start_activity('doze'), temporal.start_activity('doze'),
			temporal.start_activity('doze'), temporal.start_activity('doze')]);
		RETURN 'rested';
	END $$;
	SELECT temporal.register_activity('app.doze'), temporal.register_workflow('app.dozes');
	SELECT temporal.start_workflow('dozes', workflow_id => 'dozes');
});
is(sql(q{CALL temporal.await_result('dozes', '60 s')}), '"rested"', 'activities that are long together complete');
is(sql(q{
	SELECT string_agg(CASE attributes ->> 'requestId' WHEN 'local' THEN 'local' ELSE 'queue' END, ' ' ORDER BY (attributes ->> 'scheduledEventId')::integer)
	FROM temporal.history('dozes') WHERE event_type = 'ActivityTaskStarted'
}), 'local queue queue queue', 'all but the first by way of the task queue');

# A workflow task waits a little for more completions, but not for ever.
sql(q{
	CREATE FUNCTION app.fans() RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM temporal.start_activity('nobody', i, task_queue => 'nobody') FROM generate_series(1, 1000) i;
		RETURN temporal.await_signal('go', result => ''::text);
	END $$;
	SELECT temporal.register_workflow('app.fans');
	SELECT temporal.start_workflow('fans', workflow_id => 'fans');
});
$node->poll_query_until('postgres', q{SELECT count(*) = 1000 FROM temporal.pending_activities WHERE workflow_id = 'fans'});
sql(q{SELECT temporal.signal_workflow('fans', 'go', '"gone"')});
like(sql(q{CALL temporal.await_result('fans', '20 s')}), qr/gone/, 'a workflow with many activities hears of something else');
my $gathered = sql(q{SELECT extract(epoch FROM started.event_time - scheduled.event_time) >= 0.05
	FROM temporal.history('fans') scheduled, temporal.history('fans') started
	WHERE scheduled.event_type = 'WorkflowTaskScheduled' AND started.event_type = 'WorkflowTaskStarted'
	AND (started.attributes ->> 'scheduledEventId')::bigint = scheduled.event_id AND scheduled.event_id > 1000});
is($gathered, 't', 'after those that might have come meanwhile');

note 'how many there are';

sql(q{
	DO $$ DECLARE r text; BEGIN
	FOREACH r IN ARRAY ARRAY['r1', 'r2', 'r3', 'r4'] LOOP
		EXECUTE format('CREATE ROLE %1$s LOGIN; CREATE SCHEMA %1$s AUTHORIZATION %1$s', r);
		PERFORM temporal.grant_usage(r, 'default', 'worker');
		EXECUTE format('SET ROLE %s', r);
		EXECUTE format('CREATE FUNCTION %1$s.%1$s() RETURNS text LANGUAGE sql AS %2$L', r, 'SELECT session_user');
		PERFORM temporal.register_workflow(r || '.' || r, task_queue => r);
		RESET ROLE;
	END LOOP;
	END $$;
	SELECT temporal.start_workflow(r, workflow_id => r) FROM unnest(ARRAY['r1', 'r2', 'r3', 'r4']) r;
});
ok($node->poll_query_until('postgres', q{SELECT count(*) = 4 FROM temporal.workflows WHERE workflow_id ~ '^r[1-4]$' AND status = 'Completed'}),
	'with more roles than executors all have their turn');
is(sql(q{SELECT string_agg(temporal.workflow_result(r) ->> 0, ' ') FROM unnest(ARRAY['r1', 'r4']) r}), 'r1 r4', 'each as itself');
cmp_ok(executors(), '<=', 2, 'there are no more than allowed');

# The executor of r1 ends again and again, for longer each time, until its pause
# is longer than it takes to start another one.
sql('ALTER SYSTEM SET temporal.executors = 1');
$node->reload;
my $of_r1 = q{FROM pg_stat_activity WHERE backend_type = 'temporal executor' AND usename = 'r1'};
for my $failure (1 .. 4)
{
	sql(qq{SELECT temporal.start_workflow('r1', workflow_id => 'failure $failure')});
	$node->poll_query_until('postgres', qq{SELECT count(pg_terminate_backend(pid)) = 1 $of_r1}) or die 'r1 has no executor';
	$node->poll_query_until('postgres', qq{SELECT count(*) = 0 $of_r1});
}
sql(q{SELECT temporal.start_workflow('r2', workflow_id => 'beside')});
ok($node->poll_query_until('postgres', q{SELECT status = 'Completed' FROM temporal.workflows WHERE workflow_id = 'beside'}),
	'a role has an executor');
is(sql(q{SELECT count(*) FROM temporal.stat_workers() WHERE kind = 'executor' AND state = 'stopped'}), '1', 'while another waits since its own has failed');
sql('ALTER SYSTEM SET temporal.executors = 0');
$node->reload;
ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'temporal executor'}), 'they leave');
sql('ALTER SYSTEM RESET temporal.executors');
$node->reload;
like(outcome('flow', '"again"'), qr/"again as \Q$superuser\E"/, 'they come back');
sql(q{SELECT temporal.start_workflow('flow', '"last"')});
sql('DROP EXTENSION temporal');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'temporal executor'}),
	'DROP EXTENSION ends them');

done_testing();
