# Activities that run for long: their heartbeats are seen while their
# transaction is open, and they can be told to end.

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

sub sql
{
	return $node->safe_psql('postgres', $_[0]);
}

sub error_of
{
	my ($ret, $out, $err) = $node->psql('postgres', $_[0]);

	return $err;
}

sub until_true
{
	my ($query, $name) = @_;

	ok($node->poll_query_until('postgres', $query), $name);
}

# The activity beats until its gate is opened, or for ever.
sql(q{
	CREATE EXTENSION temporal;
	CREATE TABLE gate (name text);
	CREATE TABLE heard (name text, what text);
	CREATE TABLE effect (name text, info jsonb);
	CREATE FUNCTION crawl(name text) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		n integer := 0;
	BEGIN
		INSERT INTO effect VALUES (name, temporal.activity_info());
		LOOP
			n := n + 1;
			PERFORM temporal.heartbeat(jsonb_build_object('at', n));
			EXIT WHEN EXISTS (SELECT FROM gate g WHERE g.name IN (crawl.name, 'all'));
			PERFORM pg_sleep(0.02);
		END LOOP;
		RETURN name || ' done';
	END $$;
	-- Beats once, and is silent then.
	CREATE FUNCTION faint(name text) RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		IF temporal.activity_info() -> 'heartbeat_details' <> 'null' THEN
			RETURN temporal.activity_info() ->> 'heartbeat_details';
		END IF;
		PERFORM temporal.heartbeat('halfway'::text);
		PERFORM pg_sleep(600);
		RETURN 'never';
	END $$;
	CREATE FUNCTION tidy(name text) RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		BEGIN
			PERFORM temporal.heartbeat();
			PERFORM pg_sleep(600);
		EXCEPTION WHEN query_canceled THEN
			INSERT INTO heard VALUES (name, SQLERRM);
		END;
		RETURN 'tidied up';
	END $$;
	CREATE FUNCTION doze(name text) RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		WHILE NOT EXISTS (SELECT FROM gate g WHERE g.name = doze.name) LOOP
			PERFORM pg_sleep(0.02);
		END LOOP;
		RETURN name;
	END $$;
	CREATE FUNCTION quick(name text) RETURNS text LANGUAGE sql AS $$ SELECT name || ' quick' $$;
	CREATE FUNCTION large(name text) RETURNS text LANGUAGE plpgsql AS $$
		BEGIN PERFORM temporal.heartbeat(repeat('x', 9000)); RETURN 'not told'; END $$;
	SELECT temporal.register_activity(f, heartbeat_timeout => '1 minute', start_to_close_timeout => '10 minutes', maximum_attempts => 1)
		FROM unnest(ARRAY['tidy', 'large']) f;
	SELECT temporal.register_activity('crawl', heartbeat_timeout => '1 minute', start_to_close_timeout => '10 minutes', initial_interval => '1 ms');
	SELECT temporal.register_activity('doze', start_to_close_timeout => '10 minutes');
	SELECT temporal.register_activity('faint', heartbeat_timeout => '1 s', start_to_close_timeout => '10 minutes', initial_interval => '1 ms'),
		temporal.register_activity('quick');
	CREATE FUNCTION flow(what text, name text) RETURNS text LANGUAGE plpgsql AS $$
		BEGIN RETURN temporal.execute_activity(what, name, result => name); END $$;
	-- Cancels its activity at a signal, and says what came of it.
	CREATE FUNCTION fickle(what text) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		handle bigint := temporal.start_activity(what, 'fickle ' || what);
	BEGIN
		PERFORM temporal.await_signal('enough');
		PERFORM temporal.cancel_handle(handle);
		RETURN temporal.await(handle, result => what);
	EXCEPTION WHEN SQLSTATE 'TF012' THEN
		RETURN 'TF012 ' || SQLERRM;
	END $$;
	SELECT temporal.register_workflow('flow'), temporal.register_workflow('fickle');
});

sub start
{
	my ($id, $what) = @_;

	sql("SELECT temporal.start_workflow('flow', inputs => ARRAY[to_jsonb('$what'::text), to_jsonb('$id'::text)], workflow_id => '$id')");
}

sub beats
{
	my ($id) = @_;

	until_true(qq{SELECT heartbeat_details IS NOT NULL FROM temporal.pending_activities WHERE workflow_id = '$id' AND state = 'Started'},
		"$id beats");
}

note 'what is seen meanwhile';

start('long', 'crawl');
beats('long');
is(sql(q{SELECT count(*) FROM effect}), '0', 'its transaction is open');
until_true(q{SELECT (heartbeat_details ->> 'at')::integer > 5 AND last_heartbeat_time > started_time FROM temporal.pending_activities WHERE workflow_id = 'long'},
	'its details change at once');
like(sql(q{SELECT temporal.describe_workflow('long') #> '{pendingActivities,0,heartbeatDetails}'}), qr/"at": \d+/, 'describe shows them, too');
is(sql(q{SELECT count(*) FROM temporal.stat_workers() WHERE kind = 'executor' AND state = 'running'}), '2', 'there are two executors');
start("quick $_", 'quick') for 1 .. 20;
until_true(q{SELECT count(*) = 20 FROM temporal.workflows WHERE workflow_id LIKE 'quick%' AND status = 'Completed'}, 'the other executor goes on');
sql(q{INSERT INTO gate VALUES ('long')});
is(sql(q{CALL temporal.await_result('long', '30 s')}), '"long done"', 'it completes');
is(sql(q{SELECT string_agg(name, ',') FROM effect}), 'long', 'with what it has written');

sql(q{CREATE ROLE looker; CREATE ROLE snoop; SELECT temporal.register_namespace('elsewhere')});
sql(q{SELECT temporal.grant_usage('looker', 'default', 'viewer'), temporal.grant_usage('snoop', 'elsewhere', 'viewer'), temporal.grant_usage('snoop', 'default', 'worker')});
start('secret', 'crawl');
beats('secret');
# As if somebody had guessed the row: an attempt 1 that is not known to have begun.
my $guess = sql(q{SELECT format('SELECT temporal.decode_activity(%L, %L, %s, %L, %L) ? %L', namespace_id, run_id, scheduled_event_id, scheduled, '\\x0801'::bytea, 'heartbeatDetails') FROM temporal.pending_activity});
is(sql("SET ROLE looker; $guess"), 't', 'who may see the row sees the heartbeat');
is(sql("SET ROLE snoop; $guess"), 'f', 'who may not does not, though it knows the row');
sql(q{INSERT INTO gate VALUES ('secret')});
is(sql(q{CALL temporal.await_result('secret', '30 s')}), '"secret done"', 'it completes, too');

note 'silence';

start('faint', 'faint');
is(sql(q{CALL temporal.await_result('faint', '60 s')}), '"halfway"', 'who stops beating is timed out, and the next attempt goes on from there');
is(sql(q{SELECT attributes ->> 'attempt' || ' ' || (attributes #>> '{lastFailure,timeoutFailureInfo,timeoutType}')
	FROM temporal.history('faint') WHERE event_type = 'ActivityTaskStarted'}), '2 TIMEOUT_TYPE_HEARTBEAT', 'by the heartbeat timeout');
until_true(q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'temporal executor' AND wait_event = 'PgSleep'}, 'its function does not go on');
start('large', 'large');
like(error_of(q{CALL temporal.await_result('large', '30 s')}), qr/heartbeat details have \d+ bytes, more than 8192/, 'details must not be large');

note 'being told to end';

sql(q{SELECT temporal.start_workflow('fickle', '"crawl"', workflow_id => 'fickle')});
beats('fickle');
sql(q{SELECT temporal.signal_workflow('fickle', 'enough')});
is(sql(q{CALL temporal.await_result('fickle', '30 s')}), '"TF012 activity \"crawl\" was canceled"', 'a cancelled activity ends, canceled');
is(sql(q{SELECT count(*) FROM effect WHERE name LIKE 'fickle%'}), '0', 'and leaves nothing');
sql(q{SELECT temporal.start_workflow('fickle', '"tidy"', workflow_id => 'tidy')});
until_true(q{SELECT last_heartbeat_time IS NOT NULL FROM temporal.pending_activities WHERE workflow_id = 'tidy'}, 'one that cleans up runs');
sql(q{SELECT temporal.signal_workflow('tidy', 'enough')});
is(sql(q{CALL temporal.await_result('tidy', '30 s')}), '"tidied up"', 'and may complete all the same');
is(sql(q{SELECT name FROM heard}), 'fickle tidy', 'its cleanup stays');
start('terminated', 'crawl');
beats('terminated');
sql(q{SELECT temporal.terminate_workflow('terminated')});
until_true(q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'temporal executor' AND state = 'active'}, 'an activity of a workflow that was terminated ends');
is(sql(q{SELECT count(*) FROM effect WHERE name = 'terminated'}), '0', 'and leaves nothing');

note 'many long ones';

# Of at most four executors one stays free.
sql(q{SELECT temporal.start_workflow('fickle', '"crawl"', workflow_id => 'many ' || i) FROM generate_series(1, 2) i});
beats("many $_") for 1 .. 2;
start('beside two', 'quick');
is(sql(q{CALL temporal.await_result('beside two', '60 s')}), '"beside two quick"', 'others go on while all executors are with long activities');
sql(q{SELECT temporal.start_workflow('fickle', '"crawl"', workflow_id => 'many ' || i) FROM generate_series(3, 6) i});
my $many = q{FROM temporal.pending_activities WHERE workflow_id LIKE 'many%'};
until_true("SELECT count(*) = 6 AND count(*) FILTER (WHERE heartbeat_details IS NOT NULL) = 3 $many", 'more begin, up to a limit');
start("beside $_", 'quick') for 1 .. 5;
until_true(q{SELECT count(*) = 6 FROM temporal.workflows WHERE workflow_id LIKE 'beside%' AND status = 'Completed'}, 'others overtake those that wait');
is(sql("SELECT count(*) FILTER (WHERE state = 'Started'), count(*) $many"), '3|6', 'which are still there');
is(sql(q{SELECT count(*) FROM temporal.stat_workers() WHERE kind = 'executor' AND state = 'running'}), '4', 'there are four executors');
sql(q{SELECT temporal.signal_workflow('many 1', 'enough')});
like(sql(q{CALL temporal.await_result('many 1', '30 s')}), qr/TF012/, 'a cancellation reaches one');
until_true("SELECT count(*) = 5 AND count(*) FILTER (WHERE heartbeat_details IS NOT NULL) = 3 $many", 'another begins then');
sql(q{SELECT temporal.signal_workflow('many ' || i, 'enough') FROM generate_series(2, 6) i});
until_true(q{SELECT count(*) = 6 FROM temporal.workflows WHERE workflow_id LIKE 'many%' AND status = 'Completed'}, 'and all of them');
start("doze $_", 'doze') for 1 .. 2;
until_true(q{SELECT count(*) = 2 FROM pg_stat_activity WHERE backend_type = 'temporal executor' AND wait_event = 'PgSleep'}, 'two that do not beat run');
start('beside doze', 'quick');
is(sql(q{CALL temporal.await_result('beside doze', '60 s')}), '"beside doze quick"', 'others go on beside them, too');
sql(q{INSERT INTO gate VALUES ('doze 1'), ('doze 2')});
until_true(q{SELECT count(*) = 2 FROM temporal.workflows WHERE workflow_id LIKE 'doze%' AND status = 'Completed'}, 'which they leave alone');
until_true(q{SELECT count(*) = 2 FROM pg_stat_activity WHERE backend_type = 'temporal executor'}, 'more than two executors do not stay');

note 'pause and reset';

start('paused', 'crawl');
beats('paused');
sql(q{SELECT temporal.rpc('PauseActivity', '{"namespace": "default", "execution": {"workflowId": "paused"}, "id": "1"}')});
until_true(q{SELECT state = 'Paused' AND last_failure = 'activity was paused' FROM temporal.pending_activities WHERE workflow_id = 'paused'}, 'a paused activity ends');
sql(q{SELECT temporal.terminate_workflow('paused')});
start('reset', 'crawl');
beats('reset');
my $started = sql(q{SELECT started_time FROM temporal.pending_activities WHERE workflow_id = 'reset'});
sql(q{SELECT temporal.rpc('ResetActivity', '{"namespace": "default", "execution": {"workflowId": "reset"}, "id": "1"}')});
until_true(qq{SELECT started_time > '$started' FROM temporal.pending_activities WHERE workflow_id = 'reset' AND state = 'Started'}, 'an activity that is reset begins again');

note 'the process ends';

beats('reset');
my $pid = sql(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'temporal executor' AND state = 'active'});
$started = sql(q{SELECT started_time FROM temporal.pending_activities WHERE workflow_id = 'reset'});
sql("SELECT pg_terminate_backend($pid)");
until_true(qq{SELECT started_time > '$started' FROM temporal.pending_activities WHERE workflow_id = 'reset' AND state = 'Started'}, 'an executor that is terminated is noticed');

note 'a crash';

start('crashed', 'crawl');
until_true(q{SELECT temporal.decode('temporal.internal.ActivityState', p.state) ? 'heartbeatDetails' FROM temporal.pending_activity p
	JOIN temporal.workflows w USING (run_id) WHERE workflow_id = 'crashed'}, 'the keeper notes heartbeats now and then');
kill 'KILL', sql(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'temporal executor' AND state = 'active' LIMIT 1});
$node->poll_query_until('postgres', 'SELECT true') or die 'the server did not come back';
sql(q{INSERT INTO gate VALUES ('all')});
is(sql(q{CALL temporal.await_result('crashed', '60 s')}), '"crashed done"', 'after it the next attempt completes');
is(sql(q{SELECT info #> '{heartbeat_details,at}' IS NOT NULL FROM effect WHERE name = 'crashed'}), 't', 'from there');

is(sql(q{CALL temporal.await_result('reset', '30 s')}), '"reset done"', 'and the next attempt completes');
is(sql(q{SELECT info #> '{heartbeat_details,at}' IS NOT NULL FROM effect WHERE name = 'reset'}), 't', 'knowing how far the last one was');

done_testing();
