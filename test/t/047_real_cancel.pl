# What cancels a statement is told apart from how a workflow function is ended
# when it waits: pg_cancel_backend() on an executor, and statement_timeout, that
# of executors and that of sessions which run functions by themselves.

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
temporal.check_state = on
temporal.executors = 1
temporal.pass_timeout = '60s'
});
$node->start;

sub sql
{
	return $node->safe_psql('postgres', $_[0]);
}

sub result
{
	my ($workflow_id) = @_;
	my ($ret, $out, $err) = $node->psql('postgres', "CALL temporal.await_result('$workflow_id', '30 s')");

	return $ret == 0 ? $out : $err;
}

# Until an executor is inside of a call that waits like that.
sub wait_for_executor
{
	my ($wait_event) = @_;

	$node->poll_query_until('postgres', qq{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'temporal executor' AND wait_event = '$wait_event'})
		or die "no executor waits for $wait_event";
}

sub cancel_executor
{
	sql(q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE backend_type = 'temporal executor'});
}

sql(q{
	CREATE EXTENSION temporal;
	CREATE SCHEMA app;
	CREATE TABLE app.done (what text);
	CREATE TABLE app.hurry (n integer);
	CREATE FUNCTION app.act(what text) RETURNS text LANGUAGE sql AS 'INSERT INTO app.done VALUES (what) RETURNING what';
	-- Far away, so that each is a task.
	SELECT temporal.register_activity('app.act', heartbeat_timeout => '1 minute');
});
my %catchers = (nothing => undef, others => 'OTHERS', canceled => 'query_canceled', all => 'OTHERS OR query_canceled');
for my $name (sort keys %catchers)
{
	my $handler = defined $catchers{$name} ? "EXCEPTION WHEN $catchers{$name} THEN answer := 'caught';" : '';

	sql(qq{
		CREATE FUNCTION app.naps_$name() RETURNS text LANGUAGE plpgsql AS \$\$
		DECLARE
			answer text := 'slept';
		BEGIN
			BEGIN
				PERFORM pg_sleep(CASE WHEN EXISTS (SELECT FROM app.hurry) THEN 0 ELSE 50 END);
			$handler
			END;
			RETURN temporal.execute_activity('act', answer, result => answer);
		END \$\$;
		SET client_min_messages = error;
		SELECT temporal.register_workflow('app.naps_$name')});
}

note 'pg_cancel_backend() in user code';

for my $name (sort keys %catchers)
{
	sql(qq{SELECT temporal.start_workflow('naps_$name', workflow_id => 'naps $name')});
	wait_for_executor('PgSleep');
	sql('INSERT INTO app.hurry VALUES (1)');
	cancel_executor();
	if (defined $catchers{$name} && $catchers{$name} =~ /canceled/)
	{
		like(result("naps $name"), qr/"caught"/, "it is an error that $name catches");
	}
	else
	{
		like(result("naps $name"), qr/"slept"/, "$name does not catch it, and the workflow task is tried again");
		like(sql(qq{SELECT attributes #>> '{failure,message}' FROM temporal.history('naps $name') WHERE event_type = 'WorkflowTaskFailed'}),
			qr/canceling statement due to user request/, 'the history says why');
	}
	sql('DELETE FROM app.hurry');
}

note 'statement_timeout';

# Processes of ours have none, whoever sets one; theirs is pass_timeout.
sql(q{INSERT INTO app.hurry VALUES (1);
	CREATE FUNCTION app.slow() RETURNS text LANGUAGE plpgsql SET statement_timeout = '1ms' AS $$
	BEGIN
		PERFORM pg_sleep(0.1);
		PERFORM temporal.sleep('1 ms');
		RETURN temporal.execute_activity('act', 'slow'::text, result => ''::text);
	END $$;
	SET client_min_messages = error;
	SELECT temporal.register_workflow('app.slow');
	ALTER DATABASE postgres SET statement_timeout = '50ms'});
sql(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'temporal executor'});
sql(q{SELECT temporal.start_workflow('slow', workflow_id => 'slow')});
$node->poll_query_until('postgres', q{SELECT status = 'Completed' FROM temporal.workflows WHERE workflow_id = 'slow'});
is(sql(q{SELECT temporal.workflow_result('slow')}), '"slow"', 'of a role or a function is not for executors');
is(sql(q{SELECT count(*) FROM temporal.history('slow') WHERE event_type = 'WorkflowTaskFailed'}), 0, 'and fails nothing');
sql(q{ALTER DATABASE postgres RESET statement_timeout; DELETE FROM app.hurry;
	ALTER SYSTEM SET temporal.executors = 0; SELECT pg_reload_conf()});
$node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'temporal executor'});

# A session that runs functions by itself is not ours: what cancels it does.
sql(q{SELECT temporal.start_workflow('naps_others', workflow_id => 'in a session')});
for my $call ('CALL temporal.run()', 'SELECT temporal.tick()')
{
	my ($ret, $out, $err) = $node->psql('postgres', "SET statement_timeout = '200ms'; $call");

	like($err, qr/canceling statement due to statement timeout/, "$call in a session is cancelled");
}
is(sql(q{SELECT string_agg(event_type, ' ' ORDER BY event_id) FROM temporal.history('in a session')}), 'WorkflowExecutionStarted WorkflowTaskScheduled', 'and has done nothing');
sql(q{INSERT INTO app.hurry VALUES (1); CALL temporal.run()});
is(sql(q{SELECT temporal.workflow_result('in a session')}), '"slept"', 'the workflow goes on');

# Also what is done apart, after its taking is committed.
sql(q{
	CREATE FUNCTION app.elsewhere() RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM pg_sleep(CASE WHEN EXISTS (SELECT FROM app.hurry) THEN 0 ELSE 50 END);
		RETURN 'slept';
	END $$;
	CREATE FUNCTION app.asks() RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		RETURN temporal.execute_activity('elsewhere', result => ''::text, initial_interval => '1 ms');
	END $$;
	SELECT temporal.register_activity('app.elsewhere', transactional => false), temporal.register_workflow('app.asks');
	DELETE FROM app.hurry;
	SELECT temporal.start_workflow('asks', workflow_id => 'apart')});
{
	my ($ret, $out, $err) = $node->psql('postgres', q{SET statement_timeout = '500ms'; CALL temporal.run('1 min', wait => true)});

	like($err, qr/canceling statement due to statement timeout/, 'so it is in a task that is done apart');
}
sql(q{INSERT INTO app.hurry VALUES (1)});
sql(q{CALL temporal.run('1 s', wait => true)}) until sql(q{SELECT status <> 'Running' FROM temporal.workflows WHERE workflow_id = 'apart'}) eq 't';
is(sql(q{SELECT temporal.workflow_result('apart')}), '"slept"', 'which is tried again');

note 'start_to_close_timeout where nothing limits a pass';

sql(q{
	CREATE FUNCTION app.dawdle() RETURNS integer LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM pg_sleep(CASE WHEN (temporal.activity_info() ->> 'attempt')::integer > 1 THEN 0 ELSE 100 END);
		RETURN temporal.activity_info() -> 'attempt';
	END $$;
	CREATE FUNCTION app.waits() RETURNS integer LANGUAGE plpgsql AS $$
	BEGIN
		RETURN temporal.execute_activity('dawdle', result => 0, start_to_close_timeout => '300 ms', initial_interval => '1 ms');
	END $$;
	SELECT temporal.register_activity('app.dawdle'), temporal.register_workflow('app.waits'), temporal.start_workflow('waits', workflow_id => 'waits')});
$node->psql('postgres', q{SET temporal.pass_timeout = 0; SET statement_timeout = '20s'; CALL temporal.run('5 s', wait => true)});
is(sql(q{SELECT status FROM temporal.workflows WHERE workflow_id = 'waits'}), 'Completed', 'an activity is timed out all the same');
is(sql(q{SELECT attributes ->> 'attempt' FROM temporal.history('waits') WHERE event_type = 'ActivityTaskStarted'}), '2', 'and tried again');

done_testing();
